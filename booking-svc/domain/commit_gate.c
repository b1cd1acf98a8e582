/* What writes say about the database. */
#include "booking-svc/domain/commit_gate.h"

#include <string.h>

#define FAILURES 2
#define SHUT_US  INT64_C(500000)

void commit_gate_init(struct commit_gate *gate)
{
    *gate = (struct commit_gate){.breaker = {.failures_to_open = FAILURES, .open_us = SHUT_US}};
}

bool commit_gate_allows(const struct commit_gate *gate)
{
    return tk_breaker_allows(&gate->breaker);
}

static bool is_class(const char *sqlstate, const char *class)
{
    return strncmp(sqlstate, class, 2) == 0;
}

bool commit_gate_blames_item(const char *sqlstate)
{
    return is_class(sqlstate, "22") || is_class(sqlstate, "23") || is_class(sqlstate, "40");
}

static bool cannot_commit(const char *sqlstate)
{
    return is_class(sqlstate, "53") || is_class(sqlstate, "25") || is_class(sqlstate, "58") || is_class(sqlstate, "XX");
}

bool commit_gate_note(struct commit_gate *gate, enum tk_step step, const char *sqlstate, int64_t now_us)
{
    if (step == TK_STEP_FAILED || (step == TK_STEP_REFUSED && commit_gate_blames_item(sqlstate)))
        return false;
    const bool ok = step == TK_STEP_OK;
    bool shut = tk_breaker_note(&gate->breaker, ok, now_us);
    if (!ok && !shut && step == TK_STEP_REFUSED && cannot_commit(sqlstate))
        shut = tk_breaker_note(&gate->breaker, false, now_us);
    return shut;
}

bool commit_gate_probed(struct commit_gate *gate, enum tk_step step, int64_t now_us)
{
    const bool ok = step == TK_STEP_OK;
    if (tk_breaker_probe(&gate->breaker, now_us))
        return tk_breaker_probed(&gate->breaker, ok, now_us);
    if (step == TK_STEP_FAILED)
        return false; /* it waited in a queue, or there is no connection: others tell */
    const bool shut = tk_breaker_note(&gate->breaker, ok, now_us);
    if (step != TK_STEP_REFUSED || shut)
        return shut;
    return tk_breaker_note(&gate->breaker, false, now_us); /* it did nothing but write: one refusal is enough */
}
