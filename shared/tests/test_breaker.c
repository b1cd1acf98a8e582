/**
 * The breaker and the retry budget, with a clock of the test's own.
 */
#include <criterion/criterion.h>

#include "shared/breaker/breaker.h"

#define SECOND INT64_C(1000000)

static struct tk_breaker fresh(void)
{
    return (struct tk_breaker){.failures_to_open = 3, .open_us = SECOND};
}

static struct tk_breaker opened(int64_t now_us)
{
    struct tk_breaker breaker = fresh();
    for (int i = 0; i < 3; i++)
        (void)tk_breaker_note(&breaker, false, now_us);
    cr_assert_eq(breaker.state, TK_BREAKER_OPEN);
    return breaker;
}

Test(breaker, opens_after_failures_in_a_row_only)
{
    struct tk_breaker breaker = fresh();
    for (int round = 0; round < 10; round++) {
        cr_expect_not(tk_breaker_note(&breaker, false, 0));
        cr_expect_not(tk_breaker_note(&breaker, false, 0));
        cr_expect_not(tk_breaker_note(&breaker, true, 0), "a success starts the count again");
    }
    cr_expect(tk_breaker_allows(&breaker));
    cr_expect_not(tk_breaker_note(&breaker, false, 0));
    cr_expect_not(tk_breaker_note(&breaker, false, 0));
    cr_expect(tk_breaker_note(&breaker, false, 0), "the third opens, and says so once");
    cr_expect_not(tk_breaker_allows(&breaker));
    cr_expect_not(tk_breaker_note(&breaker, false, 0));
}

Test(breaker, an_open_one_probes_once_per_interval)
{
    struct tk_breaker breaker = opened(5 * SECOND);
    cr_expect_not(tk_breaker_probe(&breaker, 6 * SECOND - 1), "too early");
    cr_expect(tk_breaker_probe(&breaker, 6 * SECOND));
    cr_expect_eq(breaker.state, TK_BREAKER_HALF_OPEN);
    cr_expect_not(tk_breaker_allows(&breaker), "only the probe goes");
    cr_expect_not(tk_breaker_probe(&breaker, 60 * SECOND), "one at a time");
    cr_expect_not(tk_breaker_probed(&breaker, false, 7 * SECOND));
    cr_expect_eq(breaker.state, TK_BREAKER_OPEN);
    cr_expect_not(tk_breaker_probe(&breaker, 8 * SECOND - 1), "the interval starts again");
    cr_expect(tk_breaker_probe(&breaker, 8 * SECOND));
    cr_expect(tk_breaker_probed(&breaker, true, 8 * SECOND));
    cr_expect(tk_breaker_allows(&breaker));
}

Test(breaker, what_was_sent_before_changes_nothing)
{
    struct tk_breaker breaker = opened(0);
    cr_expect_not(tk_breaker_note(&breaker, true, 1));
    cr_expect_eq(breaker.state, TK_BREAKER_OPEN, "an old success does not close it");
    cr_expect(tk_breaker_probe(&breaker, SECOND));
    cr_expect_not(tk_breaker_note(&breaker, false, SECOND));
    cr_expect_eq(breaker.state, TK_BREAKER_HALF_OPEN, "an old failure does not answer for the probe");
    cr_expect(tk_breaker_probed(&breaker, true, SECOND));
    cr_expect_not(tk_breaker_note(&breaker, false, SECOND), "closed again: the count is new");
    cr_expect_not(tk_breaker_probed(&breaker, false, SECOND), "no probe is on its way");
    cr_expect_eq(breaker.state, TK_BREAKER_CLOSED);
}

Test(breaker, a_closed_one_needs_no_probe)
{
    struct tk_breaker breaker = fresh();
    cr_expect_not(tk_breaker_probe(&breaker, 100 * SECOND));
    cr_expect_str_eq(tk_breaker_state_name(TK_BREAKER_CLOSED), "closed");
    cr_expect_str_eq(tk_breaker_state_name(TK_BREAKER_HALF_OPEN), "half_open");
    cr_expect_str_eq(tk_breaker_state_name(TK_BREAKER_OPEN), "open");
}

Test(breaker, retries_are_a_tenth_of_the_calls)
{
    struct tk_retry_budget budget = {0};
    int retries = 0;
    for (int call = 0; call < 1000; call++) {
        tk_retry_budget_earn(&budget);
        retries += tk_retry_budget_spend(&budget);
    }
    cr_expect(retries >= 100 && retries <= 111, "%d", retries);
    for (int call = 0; call < 1000; call++)
        tk_retry_budget_earn(&budget);
    for (retries = 0; tk_retry_budget_spend(&budget); retries++)
        ;
    cr_expect_eq(retries, 10, "saved, but not without end");
}
