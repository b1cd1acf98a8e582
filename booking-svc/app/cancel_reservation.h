/**
 * Cancelling: read, compare-and-set with its message in one transaction, answer; then give the seats back at once. The
 * seats are only ever released after the commit, and the message in the outbox does the same again should that call be
 * lost.
 */
#ifndef BOOKING_APP_CANCEL_RESERVATION_H
#define BOOKING_APP_CANCEL_RESERVATION_H

#include "booking-svc/app/booking_app.h"
#include "booking-svc/domain/reservation.h"

enum cancel_answer {
    CANCEL_ANSWER_CANCELLED, /* now or before */
    CANCEL_ANSWER_NOT_FOUND,
    CANCEL_ANSWER_HOLD_EXPIRED,
    CANCEL_ANSWER_PAYMENT_IN_PROGRESS,
    CANCEL_ANSWER_WRONG_STATE, /* confirmed, refunded */
    CANCEL_ANSWER_OVERLOADED,
    CANCEL_ANSWER_OUTCOME_UNKNOWN,
};

#define CANCEL_ANSWERS (CANCEL_ANSWER_OUTCOME_UNKNOWN + 1)

/** Everything is copied. */
struct cancel_request {
    struct tk_uuid reservation_id;
    struct tk_uuid user_id;
    const char *request_id;
    const char *traceparent;
    int64_t received_us;
};

typedef void cancel_done(void *arg, enum cancel_answer answer, const struct reservation *r);

/** `done` runs exactly once, perhaps inside the call; `r` comes with CANCELLED. */
void cancel_reservation(struct booking_app *app, const struct cancel_request *request, cancel_done *done, void *arg);

/** What a reservation's state makes of a request to cancel it; true: it can be tried, `answer` is untouched. */
bool cancel_is_possible(const struct reservation *r, enum cancel_answer *answer);

/** Registers cancels_total; call once before threads start. */
void cancel_reservation_metrics(void);

#endif
