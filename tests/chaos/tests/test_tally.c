/* What a run's seconds add up to. */
#include <criterion/criterion.h>

#include "tests/chaos/tally.h"

#define SECONDS 600

static struct second seconds[SECONDS];
static const struct tally tally = {.seconds = seconds, .count = SECONDS};

Test(tally, the_longest_pause_ends_with_the_run)
{
    for (int i = 0; i < SECONDS; i++)
        seconds[i].held = (i >= 40 && i < 47) || (i >= 100 && i < 103) || i > 500 ? 0 : 5;
    cr_assert_eq(tally_longest_pause(&tally, 400 * 1000), 7);
    cr_assert_eq(tally_longest_pause(&tally, 600 * 1000), 99);
}

Test(tally, memory_is_judged_by_the_second_half)
{
    for (int i = 0; i < SECONDS; i++)
        seconds[i].memory_kb[1] = i < 300 ? 100 * i : i == 450 ? 0 : 30000 + i; /* 1 kB a second; once it was down */
    struct memory_trend trend = tally_memory(&tally, 1, SECONDS * 1000);
    cr_assert_eq(trend.most_kb, 30599);
    cr_assert_float_eq(trend.kb_per_hour, 3600, 1);
}
