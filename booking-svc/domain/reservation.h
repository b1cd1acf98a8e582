/**
 * A reservation as this service knows it: the statuses, the prices, and what a reader may see of it. No I/O, no clock.
 *
 *     active ──▶ paying ──▶ confirmed ──▶ refunded
 *       │ ▲         │
 *       │ └─────────┘ payment failed
 *       ├──▶ cancelled
 *       └──▶ expired          (a tombstone is born expired, without seats)
 */
#ifndef BOOKING_DOMAIN_RESERVATION_H
#define BOOKING_DOMAIN_RESERVATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/id.h"
#include "shared/base/mem.h"
#include "shared/base/result.h"
#include "shared/base/str.h"
#include "shared/contract/message.h"
#include "shared/contract/seat_api.h"

enum reservation_status {
    RESERVATION_ACTIVE,
    RESERVATION_PAYING,
    RESERVATION_CONFIRMED,
    RESERVATION_CANCELLED,
    RESERVATION_EXPIRED,
    RESERVATION_REFUNDED,
};

/** The word in the database and in JSON: "active", … */
const char *reservation_status_name(enum reservation_status status);
TK_MUSTCHECK enum tk_err reservation_status_parse(struct tk_slice text, enum reservation_status *out);

struct reservation_item {
    struct tk_uuid id;
    struct tk_uuid session_seat_id;
    struct tk_slice row_number;
    struct tk_slice seat_number;
    int64_t price_minor;
    int64_t discount_minor;
    int64_t final_minor;
    struct tk_uuid price_tier_id; /* nil: none */
};

/** Text and items live wherever the reservation was read into (an arena). Times are Unix microseconds. */
struct reservation {
    struct tk_uuid id;
    struct tk_uuid user_id;
    struct tk_uuid session_id;
    enum reservation_status status;
    bool overdue; /* expiry_time <= the database's now() when it was read */
    int64_t remaining_s;
    int64_t revision;
    int64_t booking_time_us;
    int64_t expiry_time_us;
    int64_t created_at_us;
    int64_t updated_at_us;
    int64_t total_minor;
    char currency[4];
    struct reservation_item *items;
    size_t item_count;
    int64_t seats_count;
};

/** What readers see: an overdue active hold reads expired although the worker has not swept it yet. */
enum reservation_status reservation_visible_status(const struct reservation *r);

/** Whole seconds until the hold ends; 0 unless it can still be confirmed. */
int64_t reservation_visible_remaining_s(const struct reservation *r);

/** A tombstone marks an id whose reservation must never be stored (docs/FLOWS.md "Orphans"). */
bool reservation_is_tombstone(enum reservation_status status, int64_t seats_count);

/** What one seat costs: a multiplier of ten-thousandths and the tier it came from (nil: none). */
struct seat_pricing {
    struct tk_uuid price_tier_id;
    int64_t multiplier;
};

/**
 * Fills items, total, currency and times from event-svc's answer, which is the only source of prices. `pricing[i]` belongs
 * to the i-th seat asked for; seats are matched by id, or taken as they come when `seats` is NULL (event-svc chose).
 * booking_time is reserved_until minus the hold's length, so that it stems from a database clock and is the same in every
 * retry. Item ids are new. Memory from `arena`, labels copied. TK_ERR_INVALID: the answer names other seats than those
 * asked for, or another number of them.
 */
TK_MUSTCHECK enum tk_err reservation_price(struct reservation *r, const struct tk_hold_answer *answer,
                                           const struct tk_uuid *seats, const struct seat_pricing *pricing, size_t count,
                                           int64_t hold_seconds, struct tk_arena *arena);

/** Appends the message about this reservation's final state (its status is not looked at). */
void reservation_encode_message(const struct reservation *r, enum tk_reservation_event event,
                                const struct tk_uuid *message_id, int64_t revision, int64_t now_unix_us,
                                const char *request_id, struct tk_buf *out);

#endif
