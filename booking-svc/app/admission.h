/**
 * The door: a request that cannot succeed, or not in time, is turned away before it costs anything.
 *
 * Three reasons. event-svc does not answer (its breaker is open). Memory (domain/seat_memory.h) says that the seats cannot
 * be had. Or the queues ahead hold more than QUEUE_MAX_WAIT_MS of work: the whole way is asked before a flow starts,
 * because refusing halfway would cost an undo; so the queues behind the door refuse only when they are full.
 */
#ifndef BOOKING_APP_ADMISSION_H
#define BOOKING_APP_ADMISSION_H

#include "booking-svc/app/create_reservation.h"

/**
 * True when memory knows that `request` would be refused: `answer` then holds SEATS_TAKEN with the seats (valid until the
 * next call), or NO_ADJACENT_BLOCK or SOLD_OUT with the offer.
 */
bool admission_recalls(struct booking_app *app, const struct create_request *request, int64_t now_us,
                       struct tk_hold_answer *answer);

/** Remembers a refusal of event-svc's, asked for at `asked_us`, or a hold of our own. */
void admission_learn_refusal(struct booking_app *app, const struct create_request *request,
                             const struct tk_hold_answer *answer, int64_t asked_us);
void admission_learn_hold(struct booking_app *app, const struct tk_hold_answer *answer);

/** More work ahead than QUEUE_MAX_WAIT_MS allows. */
bool admission_is_full(struct booking_app *app, bool keyed);

/** event-svc's breaker is open: nothing can be held. Only a key may find its answer stored. */
bool admission_is_closed(struct booking_app *app);

void admission_metrics(void);

#endif
