/**
 * Sleep computations.
 */
#include <criterion/criterion.h>

#include "booking-worker/domain/pace.h"

TestSuite(pace);

Test(pace, until_expiry)
{
    static const struct {
        int64_t until_next_ms;
        int64_t interval_ms;
        int64_t expected_ms;
    } cases[] = {
        {PACE_NONE, 1000, 1000},     /* nothing known: the interval is the upper bound */
        {0, 1000, PACE_SHORTEST_MS}, /* this very millisecond: never a busy loop */
        {1, 1000, PACE_SHORTEST_MS}, {350, 1000, 351},      {998, 1000, 999},
        {999, 1000, 1000},           {1000, 1000, 1000}, /* beyond what may be slept */
        {86400000, 1000, 1000},      {-5, 1000, 1000},      {0, 1, 1},
        {PACE_NONE, 1, 1},           {59000, 60000, 59001},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t pause_ms = pace_until_expiry(cases[i].until_next_ms, cases[i].interval_ms);
        cr_expect_eq(pause_ms, cases[i].expected_ms, "case %zu: %lld", i, (long long)pause_ms);
        cr_expect(pause_ms >= 1 && pause_ms <= cases[i].interval_ms);
    }
}

/* The promise behind the default: a hold is looked at no later than one interval after its end, whenever it was made. */
Test(pace, a_hold_made_while_asleep_is_at_most_one_interval_late)
{
    const int64_t interval_ms = 1000;
    for (int64_t asleep_since = 0; asleep_since < 2000; asleep_since += 50) {
        int64_t now = asleep_since;
        int64_t ends = asleep_since + 120; /* made right after the worker went to sleep */
        now += pace_until_expiry(PACE_NONE, interval_ms);
        if (now < ends)
            now += pace_until_expiry(ends - now, interval_ms);
        cr_expect(now >= ends && now - ends <= interval_ms);
    }
}

Test(pace, after_failure)
{
    cr_expect_eq(pace_after_failure(1, 2000), 200);
    cr_expect_eq(pace_after_failure(2, 2000), 400);
    cr_expect_eq(pace_after_failure(4, 2000), 1600);
    cr_expect_eq(pace_after_failure(5, 2000), 2000);
    cr_expect_eq(pace_after_failure(4000000000u, 2000), 2000);
    cr_expect_eq(pace_after_failure(1, 100), 100);
}
