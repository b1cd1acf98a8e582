/**
 * Creating a reservation: drives domain/reservation_flow.h. The answer is given as soon as it is known; what is owed after
 * that is paid back without the client.
 */
#ifndef BOOKING_APP_CREATE_RESERVATION_H
#define BOOKING_APP_CREATE_RESERVATION_H

#include "booking-svc/app/booking_app.h"
#include "booking-svc/domain/reservation_flow.h"
#include "shared/idempotency/fingerprint.h"

struct create_seat {
    struct tk_uuid session_seat_id;
    struct tk_uuid price_tier_id; /* nil: none */
};

/** Everything is copied. */
struct create_request {
    struct tk_uuid user_id;
    struct tk_uuid session_id;
    const struct create_seat *seats; /* distinct; NULL when event-svc is to choose */
    size_t seat_count;               /* 1..TK_SEAT_API_MAX_SEATS, the quantity when event-svc is to choose */
    struct tk_best_available best;   /* when `seats` is NULL */
    struct tk_uuid price_tier_id;    /* when `seats` is NULL: of every seat; nil: none */
    struct tk_slice key;             /* Idempotency-Key; {NULL, 0}: none */
    char request_hash[TK_REQUEST_HASH_LEN + 1];
    const char *request_id;
    int64_t received_us;
};

struct create_outcome {
    enum reservation_answer answer;  /* NONE: a twin with the same key is still at work */
    struct tk_uuid reservation_id;   /* CREATED, REPLAYED */
    struct tk_buf *created;          /* CREATED: the answer's bytes, which may be taken over */
    struct tk_slice replayed;        /* REPLAYED: the same, as they were stored */
    const struct tk_hold_seat *lost; /* SEATS_TAKEN, UNKNOWN_SEATS: which, and in what state */
    size_t lost_count;
    int64_t offer_available; /* NO_ADJACENT_BLOCK, SOLD_OUT: see struct tk_hold_answer */
    int64_t offer_largest_block;
    size_t bad_seat; /* INVALID_TIER: index of the seat whose tier cannot be used */
};

/** Runs exactly once, perhaps inside create_reservation(); `outcome` is valid during the call. */
typedef void create_done(void *arg, const struct create_outcome *outcome);

void create_reservation(struct booking_app *app, const struct create_request *request, create_done *done, void *arg);

/**
 * The door, before a request is even parsed: true when the queues ahead hold more work than QUEUE_MAX_WAIT_MS. Counts the
 * refusal.
 */
bool create_reservation_is_overloaded(struct booking_app *app);

/** Registers reservations_total and its kin; call once before threads start. */
void create_reservation_metrics(void);

#endif
