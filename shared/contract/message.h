/**
 * The messages on exchange `ticketing_events`, the one format both sides compile against. A message always carries the full
 * final state of a reservation, so that duplicates, losses of order and gaps change nothing (docs/FLOWS.md).
 *
 *   {"event_id": uuid (= AMQP message-id = outbox id), "event_type": "reservation.confirmed", "occurred_at": time,
 *    "data": {"reservation_id": uuid, "revision": int, "session_id": uuid, "user_id": uuid, "request_id": text, if known,
 *             "seats": [{"session_seat_id": uuid, "status": "sold" | "available"}]}}
 */
#ifndef TK_CONTRACT_MESSAGE_H
#define TK_CONTRACT_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "shared/base/id.h"
#include "shared/base/mem.h"
#include "shared/base/result.h"
#include "shared/base/str.h"

#define TK_EXCHANGE_DEFAULT  "ticketing_events"
#define TK_QUEUE_DEFAULT     "event_service_queue"
#define TK_MESSAGE_MAX_SEATS 100 /* per reservation; the API's own limit is lower */

enum tk_reservation_event { TK_RESERVATION_CONFIRMED, TK_RESERVATION_CANCELLED, TK_RESERVATION_EXPIRED };

#define TK_RESERVATION_EVENT_COUNT 3

/** Routing keys by event, "reservation.confirmed" and so on; also the bindings of the queue. */
extern const char *const tk_reservation_routing_keys[TK_RESERVATION_EVENT_COUNT];

struct tk_reservation_message {
    struct tk_uuid event_id;
    enum tk_reservation_event event;
    int64_t occurred_at_us; /* Unix */
    struct tk_uuid reservation_id;
    int64_t revision; /* of the reservation row, counts its state changes from 1 */
    struct tk_uuid session_id;
    struct tk_uuid user_id;
    const struct tk_uuid *seats; /* session seat ids; sold when confirmed, else available */
    size_t seat_count;
    struct tk_slice request_id; /* of the request that made the change; {NULL, 0}: none is known */
};

/**
 * Appends the JSON text. Without seats it becomes a dead letter, for a person to look at: only a damaged database has a
 * reservation without items, and it must not stop those who serve the others.
 */
void tk_reservation_message_encode(const struct tk_reservation_message *message, struct tk_buf *out);

/**
 * Decodes and checks everything: types, ids, revision >= 1, 1..TK_MESSAGE_MAX_SEATS distinct seats whose status agrees with
 * the event type. Unknown members are ignored (an older consumer meets a newer producer). Arena memory.
 * TK_ERR_INVALID: poison; `why` (arena) is one line for the log.
 */
TK_MUSTCHECK enum tk_err tk_reservation_message_decode(struct tk_slice body, struct tk_arena *arena,
                                                       struct tk_reservation_message *out, const char **why);

#endif
