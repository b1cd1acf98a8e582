/**
 * Confirming a reservation, as a pure machine (as domain/reservation_flow.h). Money is involved, so the rule is: store the
 * attempt, then charge, then settle; and never settle on a guess.
 *
 *   BEGINNING ───────────▶ CHARGING ───────▶ SETTLING ───────▶ DONE
 *   active → paying        the provider      paying → confirmed + tickets + message,
 *   + payment attempt      (idempotent by    or paying → active when it declined
 *                          attempt id)
 *
 * Every step may be asked again under the same attempt id, so an unknown outcome is asked again once. Still unknown: the
 * reservation stays `paying`, the client is told outcome_unknown, and the worker has it settled: it calls the settle route,
 * which runs this flow in `resume` mode, starting from the stored attempt. The worker never expires a `paying` reservation.
 *
 * "Not sent" from the provider means "not charged" only if no earlier call may have reached it: never after an unknown try,
 * never in resume mode, never for an attempt that was begun by a try without an answer. Nor may a later one reach it before
 * that is stored: settling again takes the reservation over (adapters/payment_store.h), and who read it before is refused.
 *
 * The database does not hold two tickets for one seat. Should it ever refuse to settle for that reason, no later try will
 * do better: VOIDING ends the reservation as `refunded`, the seats it held are released and the money is given back.
 *
 * "Overdue" read after a try without an answer is no answer either: that try may have begun in time and be applied yet.
 */
#ifndef BOOKING_DOMAIN_CONFIRM_FLOW_H
#define BOOKING_DOMAIN_CONFIRM_FLOW_H

#include <stdbool.h>

#include "shared/base/result.h"

enum confirm_flow_state {
    CONFIRM_FLOW_BEGINNING,
    CONFIRM_FLOW_CHARGING,
    CONFIRM_FLOW_SETTLING,
    CONFIRM_FLOW_VOIDING,
    CONFIRM_FLOW_DONE
};

#define CONFIRM_FLOW_STATES (CONFIRM_FLOW_DONE + 1)

enum confirm_answer {
    CONFIRM_ANSWER_NONE,
    CONFIRM_ANSWER_CONFIRMED,           /* 200, now or by an earlier request */
    CONFIRM_ANSWER_PAYMENT_FAILED,      /* 402, the hold stays alive */
    CONFIRM_ANSWER_PAYMENT_UNAVAILABLE, /* 503, not charged, the hold stays alive */
    CONFIRM_ANSWER_NOT_FOUND,           /* 404 */
    CONFIRM_ANSWER_HOLD_EXPIRED,        /* 410 */
    CONFIRM_ANSWER_PAYMENT_IN_PROGRESS, /* 409 */
    CONFIRM_ANSWER_WRONG_STATE,         /* 409 */
    CONFIRM_ANSWER_NOTHING_TO_SETTLE,   /* resume only: it is not paying; 200 with the reservation as it is */
    CONFIRM_ANSWER_SEATS_LOST,          /* 409, paid for seats that have other tickets: it is being given back */
    CONFIRM_ANSWER_OVERLOADED,          /* 503, nothing was applied */
    CONFIRM_ANSWER_OUTCOME_UNKNOWN,     /* 503, it may have been */
};

#define CONFIRM_ANSWERS (CONFIRM_ANSWER_OUTCOME_UNKNOWN + 1)

struct confirm_flow_result {
    enum tk_step step;
    enum confirm_answer refusal; /* BEGINNING refused: what the reservation's state makes of the request; SETTLING:
                                    SEATS_LOST when a seat has another ticket */
};

struct confirm_flow {
    enum confirm_flow_state state;
    enum confirm_answer answer;
    bool resume;                 /* settle an attempt of an earlier request */
    bool asked_again;            /* the current step has been asked once without an answer */
    bool charge_in_doubt;        /* an earlier charge under this attempt may have reached the provider */
    enum confirm_answer verdict; /* SETTLING: what the provider said, answered once it is stored */
    bool answer_taken;
};

void confirm_flow_start(struct confirm_flow *flow, bool resume);

/** As reservation_flow_step(). */
enum confirm_flow_state confirm_flow_step(struct confirm_flow *flow, struct confirm_flow_result result);

/** The answer, once; NONE before and ever after. */
enum confirm_answer confirm_flow_take_answer(struct confirm_flow *flow);

const char *confirm_flow_state_name(enum confirm_flow_state state);
const char *confirm_answer_name(enum confirm_answer answer);

#endif
