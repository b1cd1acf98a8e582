/**
 * Confirming a reservation, and settling a payment that an earlier request left behind: both drive domain/confirm_flow.h.
 */
#ifndef BOOKING_APP_CONFIRM_RESERVATION_H
#define BOOKING_APP_CONFIRM_RESERVATION_H

#include "booking-svc/app/booking_app.h"
#include "booking-svc/domain/confirm_flow.h"
#include "booking-svc/domain/reservation.h"

/** Everything is copied. */
struct confirm_request {
    struct tk_uuid reservation_id;
    struct tk_uuid user_id;    /* confirm only */
    struct tk_uuid payment_id; /* confirm only */
    const char *request_id;
    const char *traceparent;
    int64_t received_us;
    struct tk_slice key;      /* confirm only: where to note how it went (keyed_confirm.h); {NULL, 0}: nowhere */
    struct tk_slice declined; /* with a key: the answer to be stored when the payment is declined */
};

/** `r` is what stands now, for the answers that come with a reservation, else NULL. Valid during the call. */
typedef void confirm_done(void *arg, enum confirm_answer answer, const struct reservation *r);

/** `done` runs exactly once, perhaps inside the call. */
void confirm_reservation(struct booking_app *app, const struct confirm_request *request, confirm_done *done, void *arg);

/** Settles the pending payment of a `paying` reservation, whoever owns it; NOTHING_TO_SETTLE when it is not paying. */
void settle_reservation(struct booking_app *app, const struct confirm_request *request, confirm_done *done, void *arg);

/** Registers confirms_total and its kin; call once before threads start. */
void confirm_reservation_metrics(void);

#endif
