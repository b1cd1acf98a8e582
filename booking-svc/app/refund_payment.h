/**
 * Gives back what was paid for a reservation that could not be confirmed: find the refund that is due → tell the provider
 * (idempotent by the attempt's id) → write it down. Whatever fails on the way leaves it due, and the worker has it tried
 * again by the settle route.
 */
#ifndef BOOKING_APP_REFUND_PAYMENT_H
#define BOOKING_APP_REFUND_PAYMENT_H

#include "booking-svc/app/booking_app.h"

/** In the background: nobody waits for it but the drain. Does nothing when nothing is due. */
void refund_payment(struct booking_app *app, const struct tk_uuid *reservation_id);

/** Counts a reservation that was paid for and lost its seats: the alarm. */
void refund_payment_owed(const struct tk_uuid *reservation_id, const struct tk_uuid *attempt_id, int64_t amount_minor);

/** Registers refunds_owed_total and refunds_made_total. */
void refund_payment_metrics(void);

#endif
