/* The reservation flow's transitions; the header has the picture and the reasons. */
#include "booking-svc/domain/reservation_flow.h"

#include <assert.h>
#include <stddef.h>

void reservation_flow_start(struct reservation_flow *flow, bool keyed, bool choosing)
{
    *flow = (struct reservation_flow){.state = RESERVATION_FLOW_PRICING, .keyed = keyed, .choosing = choosing};
}

static void answer(struct reservation_flow *f, enum reservation_answer a)
{
    assert(f->answer == RESERVATION_ANSWER_NONE);
    f->answer = a;
}

/** Reverse order of acquisition: the asynchronous goto ladder. */
static enum reservation_flow_state unwind(struct reservation_flow *f)
{
    if (f->owed & OWES_SEATS)
        return f->keyed && !f->fenced ? RESERVATION_FLOW_FENCING : RESERVATION_FLOW_RELEASING;
    if (f->owed & OWES_LOCK)
        return RESERVATION_FLOW_UNLOCKING;
    return RESERVATION_FLOW_DONE;
}

static enum reservation_flow_state fail(struct reservation_flow *f, enum reservation_answer a)
{
    answer(f, a);
    return unwind(f);
}

/** The reservation stands, or may stand: nothing may be undone. The lock runs out by itself. */
static enum reservation_flow_state keep(struct reservation_flow *f, enum reservation_answer a)
{
    answer(f, a);
    f->owed = 0;
    return RESERVATION_FLOW_DONE;
}

/** Seats that nobody has chosen yet cannot be locked. */
static enum reservation_flow_state acquire(const struct reservation_flow *f)
{
    return f->choosing ? RESERVATION_FLOW_HOLDING : RESERVATION_FLOW_LOCKING;
}

static enum reservation_flow_state on_priced(struct reservation_flow *f, struct reservation_flow_result r)
{
    if (r.step == TK_STEP_REFUSED)
        return fail(f, RESERVATION_ANSWER_INVALID_TIER);
    if (r.step != TK_STEP_OK)
        return fail(f, RESERVATION_ANSWER_OVERLOADED);
    return f->keyed ? RESERVATION_FLOW_BINDING : acquire(f);
}

/** A binding whose fate is unknown binds nothing but an id nobody has seen: for the client, nothing was applied. */
static enum reservation_flow_state on_bound(struct reservation_flow *f, struct reservation_flow_result r)
{
    if (r.step == TK_STEP_OK && r.detail == RESERVATION_DETAIL_REPLAY)
        return keep(f, RESERVATION_ANSWER_REPLAYED);
    if (f->stored)
        return keep(f, RESERVATION_ANSWER_OUTCOME_UNKNOWN);
    if (r.step == TK_STEP_OK)
        return acquire(f);
    if (r.step == TK_STEP_REFUSED && r.detail == RESERVATION_DETAIL_KEY_REUSED)
        return fail(f, RESERVATION_ANSWER_KEY_REUSED);
    return fail(f, RESERVATION_ANSWER_OVERLOADED);
}

static enum reservation_flow_state on_locked(struct reservation_flow *f, struct reservation_flow_result r)
{
    if (r.step == TK_STEP_REFUSED)
        return fail(f, RESERVATION_ANSWER_SEATS_TAKEN);
    if (r.step != TK_STEP_FAILED)
        f->owed |= OWES_LOCK;
    return RESERVATION_FLOW_HOLDING;
}

static enum reservation_answer answer_of_refusal(enum reservation_detail detail)
{
    switch (detail) {
    case RESERVATION_DETAIL_SEATS_TAKEN:
        return RESERVATION_ANSWER_SEATS_TAKEN;
    case RESERVATION_DETAIL_NO_ADJACENT_BLOCK:
        return RESERVATION_ANSWER_NO_ADJACENT_BLOCK;
    case RESERVATION_DETAIL_SOLD_OUT:
        return RESERVATION_ANSWER_SOLD_OUT;
    case RESERVATION_DETAIL_UNKNOWN_SEATS:
        return RESERVATION_ANSWER_UNKNOWN_SEATS;
    case RESERVATION_DETAIL_SESSION_NOT_FOUND:
        return RESERVATION_ANSWER_SESSION_NOT_FOUND;
    case RESERVATION_DETAIL_SALES_CLOSED:
        return RESERVATION_ANSWER_SALES_CLOSED;
    case RESERVATION_DETAIL_RELEASED:
        return RESERVATION_ANSWER_HOLD_EXPIRED;
    default:
        return RESERVATION_ANSWER_OVERLOADED;
    }
}

static enum reservation_flow_state on_hold_refused(struct reservation_flow *f, struct reservation_flow_result r)
{
    if (r.detail == RESERVATION_DETAIL_RELEASED && f->keyed && !f->rebound)
        return RESERVATION_FLOW_REBINDING;
    if (r.in_doubt && r.detail != RESERVATION_DETAIL_RELEASED) /* a try may still be on its way: its id must be buried */
        f->owed |= OWES_SEATS;
    return fail(f, answer_of_refusal(r.detail));
}

static enum reservation_flow_state on_held(struct reservation_flow *f, struct reservation_flow_result r)
{
    switch (r.step) {
    case TK_STEP_OK:
        f->owed |= OWES_SEATS;
        return RESERVATION_FLOW_PERSISTING;
    case TK_STEP_REFUSED:
        return on_hold_refused(f, r);
    case TK_STEP_FAILED:
        return fail(f, RESERVATION_ANSWER_OVERLOADED);
    case TK_STEP_UNKNOWN:
        if (!f->keyed)
            f->owed |= OWES_SEATS;
        return fail(f, RESERVATION_ANSWER_OUTCOME_UNKNOWN);
    }
    assert(!"no such step");
    return RESERVATION_FLOW_DONE;
}

static enum reservation_flow_state on_rebound(struct reservation_flow *f, struct reservation_flow_result r)
{
    if (r.step == TK_STEP_OK && r.detail == RESERVATION_DETAIL_REPLAY) {
        answer(f, RESERVATION_ANSWER_REPLAYED);
        return unwind(f);
    }
    if (r.step != TK_STEP_OK)
        return fail(f, RESERVATION_ANSWER_OVERLOADED);
    f->rebound = true;
    return RESERVATION_FLOW_HOLDING;
}

/** A certain "no" about the second try says nothing about the first one, unless the row itself was read. */
static enum reservation_flow_state on_not_persisted(struct reservation_flow *f, enum reservation_answer why)
{
    if (f->commit_in_doubt)
        return keep(f, RESERVATION_ANSWER_OUTCOME_UNKNOWN);
    return fail(f, why);
}

/** Whether it is over, only a tombstone can say while a transaction that began in time may still store our id. */
static enum reservation_flow_state on_overdue(struct reservation_flow *f)
{
    if (f->keyed || f->commit_in_doubt)
        return RESERVATION_FLOW_FENCING;
    return fail(f, RESERVATION_ANSWER_HOLD_EXPIRED);
}

static enum reservation_flow_state on_persist_refused(struct reservation_flow *f, struct reservation_flow_result r)
{
    if (r.detail == RESERVATION_DETAIL_SEAT_LIMIT)
        return on_not_persisted(f, RESERVATION_ANSWER_SEAT_LIMIT);
    if (r.detail == RESERVATION_DETAIL_TOMBSTONE) {
        f->fenced = true;
        return fail(f, RESERVATION_ANSWER_HOLD_EXPIRED);
    }
    if (r.detail == RESERVATION_DETAIL_OVERDUE)
        return on_overdue(f);
    if (r.detail != RESERVATION_DETAIL_ALREADY_STORED)
        return on_not_persisted(f, RESERVATION_ANSWER_OVERLOADED);
    if (!f->keyed) /* nobody else knows our id: the first try did it */
        return keep(f, RESERVATION_ANSWER_CREATED);
    f->stored = true;
    return RESERVATION_FLOW_BINDING;
}

static enum reservation_flow_state on_persisted(struct reservation_flow *f, struct reservation_flow_result r)
{
    switch (r.step) {
    case TK_STEP_OK:
        return keep(f, RESERVATION_ANSWER_CREATED);
    case TK_STEP_REFUSED:
        return on_persist_refused(f, r);
    case TK_STEP_FAILED:
        return on_not_persisted(f, RESERVATION_ANSWER_OVERLOADED);
    case TK_STEP_UNKNOWN:
        if (f->commit_in_doubt)
            return keep(f, RESERVATION_ANSWER_OUTCOME_UNKNOWN);
        f->commit_in_doubt = true;
        return RESERVATION_FLOW_PERSISTING;
    }
    assert(!"no such step");
    return RESERVATION_FLOW_DONE;
}

/** Refused, or no word: a reservation stands under our id, or may: its seats stay, the sweep decides. */
static enum reservation_flow_state on_fenced(struct reservation_flow *f, struct reservation_flow_result r)
{
    const bool answered = f->answer != RESERVATION_ANSWER_NONE;
    f->fenced = r.step == TK_STEP_OK;
    if (!f->fenced)
        f->owed &= ~OWES_SEATS;
    if (answered)
        return unwind(f);
    return fail(f, f->fenced ? RESERVATION_ANSWER_HOLD_EXPIRED : RESERVATION_ANSWER_OUTCOME_UNKNOWN);
}

static enum reservation_flow_state paid_back(struct reservation_flow *f, unsigned effect)
{
    assert(f->owed & effect);
    f->owed &= ~effect;
    return unwind(f);
}

static enum reservation_flow_state next_state(struct reservation_flow *f, struct reservation_flow_result r)
{
    switch (f->state) {
    case RESERVATION_FLOW_PRICING:
        return on_priced(f, r);
    case RESERVATION_FLOW_BINDING:
        return on_bound(f, r);
    case RESERVATION_FLOW_LOCKING:
        return on_locked(f, r);
    case RESERVATION_FLOW_HOLDING:
        return on_held(f, r);
    case RESERVATION_FLOW_REBINDING:
        return on_rebound(f, r);
    case RESERVATION_FLOW_PERSISTING:
        return on_persisted(f, r);
    case RESERVATION_FLOW_FENCING:
        return on_fenced(f, r);
    case RESERVATION_FLOW_RELEASING:
        return paid_back(f, OWES_SEATS);
    case RESERVATION_FLOW_UNLOCKING:
        return paid_back(f, OWES_LOCK);
    case RESERVATION_FLOW_DONE:
        break;
    }
    assert(!"a finished flow takes no step");
    return RESERVATION_FLOW_DONE;
}

enum reservation_flow_state reservation_flow_step(struct reservation_flow *flow, struct reservation_flow_result result)
{
    flow->state = next_state(flow, result);
    assert(flow->state != RESERVATION_FLOW_DONE || (flow->owed == 0 && flow->answer != RESERVATION_ANSWER_NONE));
    return flow->state;
}

enum reservation_answer reservation_flow_take_answer(struct reservation_flow *flow)
{
    if (flow->answer_taken || flow->answer == RESERVATION_ANSWER_NONE)
        return RESERVATION_ANSWER_NONE;
    flow->answer_taken = true;
    return flow->answer;
}

enum reservation_detail reservation_detail_of_hold(enum tk_hold_outcome outcome)
{
    switch (outcome) {
    case TK_HOLD_SEATS_TAKEN:
        return RESERVATION_DETAIL_SEATS_TAKEN;
    case TK_HOLD_NO_ADJACENT_BLOCK:
        return RESERVATION_DETAIL_NO_ADJACENT_BLOCK;
    case TK_HOLD_SOLD_OUT:
        return RESERVATION_DETAIL_SOLD_OUT;
    case TK_HOLD_UNKNOWN_SEATS:
        return RESERVATION_DETAIL_UNKNOWN_SEATS;
    case TK_HOLD_SESSION_NOT_FOUND:
        return RESERVATION_DETAIL_SESSION_NOT_FOUND;
    case TK_HOLD_SALES_CLOSED:
        return RESERVATION_DETAIL_SALES_CLOSED;
    case TK_HOLD_RELEASED:
        return RESERVATION_DETAIL_RELEASED;
    case TK_HOLD_HELD:
    case TK_HOLD_MISMATCH: /* our own key and id with other seats: the key's hash has already excluded that */
        break;
    }
    return RESERVATION_DETAIL_NONE;
}

const char *reservation_flow_state_name(enum reservation_flow_state state)
{
    static const char *const names[RESERVATION_FLOW_STATES] = {
        "PRICING", "BINDING", "LOCKING", "HOLDING", "REBINDING", "PERSISTING", "FENCING", "RELEASING", "UNLOCKING", "DONE",
    };
    assert((size_t)state < RESERVATION_FLOW_STATES);
    return names[state];
}

const char *reservation_answer_name(enum reservation_answer a)
{
    static const char *const names[RESERVATION_ANSWERS] = {
        "none",         "created",           "replayed",     "invalid_tier",  "key_reused",
        "seats_taken",  "no_adjacent_block", "sold_out",     "unknown_seats", "session_not_found",
        "sales_closed", "seat_limit",        "hold_expired", "overloaded",    "outcome_unknown",
    };
    assert((size_t)a < RESERVATION_ANSWERS);
    return names[a];
}
