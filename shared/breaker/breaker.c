/**
 * Circuit breaker and retry budget.
 */
#include "shared/breaker/breaker.h"

#include <assert.h>

#define TENTHS_PER_RETRY 10
#define TENTHS_SAVED     (10 * TENTHS_PER_RETRY)

static void open_breaker(struct tk_breaker *breaker, int64_t now_us)
{
    breaker->state = TK_BREAKER_OPEN;
    breaker->opened_us = now_us;
    breaker->failures = 0;
}

bool tk_breaker_allows(const struct tk_breaker *breaker)
{
    return breaker->state == TK_BREAKER_CLOSED;
}

bool tk_breaker_note(struct tk_breaker *breaker, bool ok, int64_t now_us)
{
    assert(breaker->failures_to_open > 0 && breaker->open_us > 0);
    if (breaker->state != TK_BREAKER_CLOSED)
        return false;
    breaker->failures = ok ? 0 : breaker->failures + 1;
    if (breaker->failures < breaker->failures_to_open)
        return false;
    open_breaker(breaker, now_us);
    return true;
}

bool tk_breaker_probe(struct tk_breaker *breaker, int64_t now_us)
{
    if (breaker->state != TK_BREAKER_OPEN || now_us - breaker->opened_us < breaker->open_us)
        return false;
    breaker->state = TK_BREAKER_HALF_OPEN;
    return true;
}

bool tk_breaker_probed(struct tk_breaker *breaker, bool ok, int64_t now_us)
{
    if (breaker->state != TK_BREAKER_HALF_OPEN)
        return false;
    if (ok)
        breaker->state = TK_BREAKER_CLOSED;
    else
        open_breaker(breaker, now_us);
    return ok;
}

const char *tk_breaker_state_name(enum tk_breaker_state state)
{
    static const char *const names[] = {
        [TK_BREAKER_CLOSED] = "closed", [TK_BREAKER_HALF_OPEN] = "half_open", [TK_BREAKER_OPEN] = "open"};
    return names[state];
}

void tk_retry_budget_earn(struct tk_retry_budget *budget)
{
    if (budget->spent_tenths > 0)
        budget->spent_tenths--;
}

bool tk_retry_budget_spend(struct tk_retry_budget *budget)
{
    if (budget->spent_tenths + TENTHS_PER_RETRY > TENTHS_SAVED)
        return false;
    budget->spent_tenths += TENTHS_PER_RETRY;
    return true;
}
