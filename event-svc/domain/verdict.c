/*
 * Verdicts on holds: small tables and one decision.
 */
#include "event-svc/domain/verdict.h"

#include <assert.h>

static const char *const state_names[] = {
    [HOLD_NONE] = "none",
    [HOLD_HELD] = "held",
    [HOLD_SOLD] = "sold",
    [HOLD_RELEASED] = "released",
};

static const char *const verdict_names[] = {
    [SETTLE_APPLIED] = "applied",   [SETTLE_TOMBSTONED] = "tombstoned", [SETTLE_STALE] = "stale",
    [SETTLE_CONFLICT] = "conflict", [SETTLE_UNKNOWN] = "unknown",
};

enum hold_state hold_state_of(struct tk_slice text)
{
    if (text.len == 0)
        return HOLD_NONE;
    for (enum hold_state state = HOLD_HELD; state <= HOLD_RELEASED; state++)
        if (tk_slice_eq_str(text, state_names[state]))
            return state;
    assert(!"unknown hold state");
    return HOLD_NONE;
}

const char *hold_state_name(enum hold_state state)
{
    return state_names[state];
}

static enum tk_hold_outcome judge_fresh(const struct hold_facts *facts)
{
    assert(facts->available <= facts->found && facts->found <= facts->wanted);
    if (facts->found < facts->wanted)
        return TK_HOLD_UNKNOWN_SEATS;
    return facts->available < facts->wanted ? TK_HOLD_SEATS_TAKEN : TK_HOLD_HELD;
}

enum tk_err hold_judge(const struct hold_facts *facts, enum tk_hold_outcome *out)
{
    if (facts->fresh)
        *out = judge_fresh(facts);
    else if (facts->state == HOLD_RELEASED)
        *out = TK_HOLD_RELEASED;
    else if (facts->state != HOLD_NONE)
        *out = facts->same_seats ? TK_HOLD_HELD : TK_HOLD_MISMATCH;
    else if (!facts->session_exists)
        *out = TK_HOLD_SESSION_NOT_FOUND;
    else if (!facts->session_open)
        *out = TK_HOLD_SALES_CLOSED;
    else
        return TK_ERR_CONFLICT;
    return TK_OK;
}

enum tk_err settle_verdict_parse(struct tk_slice text, enum settle_verdict *out)
{
    for (enum settle_verdict verdict = SETTLE_APPLIED; verdict <= SETTLE_UNKNOWN; verdict++) {
        if (tk_slice_eq_str(text, verdict_names[verdict])) {
            *out = verdict;
            return TK_OK;
        }
    }
    return TK_ERR_INVALID;
}

const char *settle_verdict_name(enum settle_verdict verdict)
{
    return verdict_names[verdict];
}

enum tk_release_outcome release_outcome_of(enum settle_verdict verdict)
{
    if (verdict == SETTLE_APPLIED || verdict == SETTLE_STALE)
        return TK_RELEASE_RELEASED;
    return verdict == SETTLE_CONFLICT ? TK_RELEASE_SOLD : TK_RELEASE_TOMBSTONED;
}

bool settle_is_contradiction(enum settle_verdict verdict)
{
    return verdict == SETTLE_CONFLICT || verdict == SETTLE_UNKNOWN;
}
