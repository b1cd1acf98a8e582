/**
 * Payment attempts and what they do to reservations. Both writes are batched (write_queue.h) and idempotent by attempt id,
 * so an unknown outcome is found out by asking again.
 */
#ifndef BOOKING_ADAPTERS_PAYMENT_STORE_H
#define BOOKING_ADAPTERS_PAYMENT_STORE_H

#include "booking-svc/adapters/write_queue.h"
#include "booking-svc/domain/confirm_flow.h"
#include "booking-svc/domain/reservation.h"

extern const struct write_kind payment_begin_kind;
extern const struct write_kind payment_settle_kind;

/**
 * active → paying with a stored attempt, unless overdue. OK: this attempt is the one in progress, and `reservation` (arena
 * memory, with items) is what is to be paid for. REFUSED: `refusal` says what the reservation's state makes of it, with the
 * reservation when there is one.
 */
struct begin_item {
    struct write_item base;
    struct tk_uuid user_id;
    struct tk_uuid attempt_id;
    struct tk_uuid payment_id;
    const char *request_id;
    struct tk_arena *arena;
    struct reservation *reservation; /* out; NULL: not found */
    enum confirm_answer refusal;     /* out */
};

/**
 * Stores the provider's word: paying → confirmed with a ticket per item and the message, or paying → active. Acts only
 * while the reservation is as it was read with this attempt pending, so a late answer cannot touch a later attempt. OK: the
 * attempt is settled this way, now or before. REFUSED: it cannot be.
 */
struct settle_item {
    struct write_item base;
    struct tk_uuid attempt_id;
    bool paid;
    const struct reservation *reservation; /* while paying, with its items */
    struct tk_uuid outbox_id;
    struct tk_slice message;
    const char *traceparent;
    const char *request_id;
    const char *actor;              /* "user", "worker" */
    struct tk_slice key;            /* where to note how it went; {NULL, 0}: nowhere */
    struct tk_slice declined;       /* with a key and not paid: the answer's bytes */
    enum reservation_status status; /* out, as the next two */
    int64_t new_revision;
    int64_t updated_at_us;
    bool seat_has_ticket; /* out, REFUSED: a seat of a paid reservation has somebody else's ticket; it never can be */
};

struct pending_payment {
    struct tk_uuid attempt_id;
    struct tk_uuid payment_id;
};

/** `r` NULL: no such reservation; `pending` NULL: it has no attempt in progress. Arena memory. */
typedef void payment_pending_done(void *arg, enum tk_step step, struct reservation *r,
                                  const struct pending_payment *pending);

/**
 * Takes over a reservation in payment, with its pending attempt, to settle what an earlier request left behind. It gets a
 * new revision, so that the earlier request, should it wake up, cannot settle what it knew: it may believe that nothing was
 * charged, and be wrong the moment we ask the provider again.
 */
TK_MUSTCHECK enum tk_err payment_store_pending(struct tk_pg *pg, const struct tk_uuid *reservation_id,
                                               const char *request_id, int64_t deadline_us, struct tk_arena *arena,
                                               payment_pending_done *done, void *arg);

#endif
