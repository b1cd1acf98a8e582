/* The confirm flow's transitions; the header has the picture and the reasons. */
#include "booking-svc/domain/confirm_flow.h"

#include <assert.h>
#include <stddef.h>

void confirm_flow_start(struct confirm_flow *flow, bool resume)
{
    *flow = (struct confirm_flow){.state = CONFIRM_FLOW_BEGINNING, .resume = resume, .charge_in_doubt = resume};
}

static enum confirm_flow_state finish(struct confirm_flow *f, enum confirm_answer a)
{
    assert(f->answer == CONFIRM_ANSWER_NONE && a != CONFIRM_ANSWER_NONE);
    f->answer = a;
    return CONFIRM_FLOW_DONE;
}

static enum confirm_flow_state advance(struct confirm_flow *f, enum confirm_flow_state next)
{
    f->asked_again = false;
    return next;
}

/** Asks the same step again under the same id, once. */
static enum confirm_flow_state ask_again(struct confirm_flow *f)
{
    if (f->asked_again)
        return finish(f, CONFIRM_ANSWER_OUTCOME_UNKNOWN);
    f->asked_again = true;
    return f->state;
}

/** The row was read, and it says this. A try still on its way may have begun in time, though, and be applied yet. */
static enum confirm_flow_state refused_to_begin(struct confirm_flow *f, enum confirm_answer refusal)
{
    if (refusal == CONFIRM_ANSWER_HOLD_EXPIRED && f->asked_again)
        return finish(f, CONFIRM_ANSWER_OUTCOME_UNKNOWN);
    return finish(f, refusal);
}

static enum confirm_flow_state on_begun(struct confirm_flow *f, struct confirm_flow_result r)
{
    switch (r.step) {
    case TK_STEP_OK:
        f->charge_in_doubt |= f->asked_again; /* begun some time ago: somebody may be settling it already */
        return advance(f, CONFIRM_FLOW_CHARGING);
    case TK_STEP_REFUSED:
        if (r.refusal != CONFIRM_ANSWER_NONE)
            return refused_to_begin(f, r.refusal);
        /* fallthrough */
    case TK_STEP_FAILED:
        return finish(f, f->asked_again ? CONFIRM_ANSWER_OUTCOME_UNKNOWN : CONFIRM_ANSWER_OVERLOADED);
    case TK_STEP_UNKNOWN:
        return ask_again(f);
    }
    assert(!"no such step");
    return CONFIRM_FLOW_DONE;
}

static enum confirm_flow_state settle_as(struct confirm_flow *f, enum confirm_answer verdict)
{
    f->verdict = verdict;
    return advance(f, CONFIRM_FLOW_SETTLING);
}

static enum confirm_flow_state on_charged(struct confirm_flow *f, struct confirm_flow_result r)
{
    switch (r.step) {
    case TK_STEP_OK:
        return settle_as(f, CONFIRM_ANSWER_CONFIRMED);
    case TK_STEP_REFUSED: /* the provider's word on this attempt, for good */
        return settle_as(f, CONFIRM_ANSWER_PAYMENT_FAILED);
    case TK_STEP_FAILED:
        if (f->charge_in_doubt)
            return finish(f, CONFIRM_ANSWER_OUTCOME_UNKNOWN);
        return settle_as(f, CONFIRM_ANSWER_PAYMENT_UNAVAILABLE);
    case TK_STEP_UNKNOWN:
        f->charge_in_doubt = true;
        return ask_again(f);
    }
    assert(!"no such step");
    return CONFIRM_FLOW_DONE;
}

/** Whatever keeps us from settling, the attempt is stored and the provider's word does not change: the worker finishes it.
 */
static enum confirm_flow_state on_settled(struct confirm_flow *f, struct confirm_flow_result r)
{
    if (r.step == TK_STEP_OK)
        return finish(f, f->verdict);
    if (r.step == TK_STEP_UNKNOWN)
        return ask_again(f);
    if (r.step == TK_STEP_REFUSED && r.refusal == CONFIRM_ANSWER_SEATS_LOST && f->verdict == CONFIRM_ANSWER_CONFIRMED)
        return advance(f, CONFIRM_FLOW_VOIDING);
    return finish(f, CONFIRM_ANSWER_OUTCOME_UNKNOWN);
}

static enum confirm_flow_state on_voided(struct confirm_flow *f, struct confirm_flow_result r)
{
    if (r.step == TK_STEP_OK)
        return finish(f, CONFIRM_ANSWER_SEATS_LOST);
    if (r.step == TK_STEP_UNKNOWN)
        return ask_again(f);
    return finish(f, CONFIRM_ANSWER_OUTCOME_UNKNOWN);
}

static enum confirm_flow_state next_state(struct confirm_flow *f, struct confirm_flow_result r)
{
    switch (f->state) {
    case CONFIRM_FLOW_BEGINNING:
        return on_begun(f, r);
    case CONFIRM_FLOW_CHARGING:
        return on_charged(f, r);
    case CONFIRM_FLOW_SETTLING:
        return on_settled(f, r);
    case CONFIRM_FLOW_VOIDING:
        return on_voided(f, r);
    case CONFIRM_FLOW_DONE:
        break;
    }
    assert(!"a finished flow takes no step");
    return CONFIRM_FLOW_DONE;
}

enum confirm_flow_state confirm_flow_step(struct confirm_flow *flow, struct confirm_flow_result result)
{
    flow->state = next_state(flow, result);
    assert(flow->state != CONFIRM_FLOW_DONE || flow->answer != CONFIRM_ANSWER_NONE);
    return flow->state;
}

enum confirm_answer confirm_flow_take_answer(struct confirm_flow *flow)
{
    if (flow->answer_taken || flow->answer == CONFIRM_ANSWER_NONE)
        return CONFIRM_ANSWER_NONE;
    flow->answer_taken = true;
    return flow->answer;
}

const char *confirm_flow_state_name(enum confirm_flow_state state)
{
    static const char *const names[CONFIRM_FLOW_STATES] = {"BEGINNING", "CHARGING", "SETTLING", "VOIDING", "DONE"};
    assert((size_t)state < CONFIRM_FLOW_STATES);
    return names[state];
}

const char *confirm_answer_name(enum confirm_answer a)
{
    static const char *const names[CONFIRM_ANSWERS] = {
        "none",         "confirmed",           "payment_failed", "payment_unavailable", "not_found",
        "hold_expired", "payment_in_progress", "wrong_state",    "nothing_to_settle",   "seats_lost",
        "overloaded",   "outcome_unknown",
    };
    assert((size_t)a < CONFIRM_ANSWERS);
    return names[a];
}
