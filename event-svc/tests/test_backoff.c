/*
 * What ends a batch, and how long the consumer waits.
 */
#include <criterion/criterion.h>

#include "event-svc/domain/backoff.h"

Test(backoff, only_what_a_message_carries_is_its_fault)
{
    cr_expect_eq(apply_end_of(TK_STEP_OK, ""), APPLY_END_DONE);
    cr_expect_eq(apply_end_of(TK_STEP_REFUSED, "22P02"), APPLY_END_AT_FAULT);
    cr_expect_eq(apply_end_of(TK_STEP_REFUSED, "23514"), APPLY_END_AT_FAULT);
    static const char *const troubles[] = {"40P01", "53100", "25006", "57014", "57P01", "XX000", "42P01", ""};
    for (size_t i = 0; i < sizeof(troubles) / sizeof(troubles[0]); i++)
        cr_expect_eq(apply_end_of(TK_STEP_REFUSED, troubles[i]), APPLY_END_NOT_NOW, "%s", troubles[i]);
    cr_expect_eq(apply_end_of(TK_STEP_FAILED, ""), APPLY_END_NOT_NOW);
    cr_expect_eq(apply_end_of(TK_STEP_UNKNOWN, "23505"), APPLY_END_NOT_NOW, "whatever stands there");
}

Test(backoff, doubles_up_to_its_end)
{
    int64_t ms = 200;
    static const int64_t expected[] = {400, 800, 1600, 3200, 5000, 5000};
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        cr_expect_eq(ms = backoff_next_ms(ms, 5000), expected[i]);
}

Test(backoff, jitter_stays_between_half_and_all)
{
    for (uint32_t random = 0; random < 1000; random++) {
        int64_t ms = backoff_jitter_ms(200, random * 2654435761u);
        cr_expect(ms >= 100 && ms <= 200, "%d", (int)ms);
    }
    cr_expect_eq(backoff_jitter_ms(200, 0), 200);
    cr_expect_eq(backoff_jitter_ms(200, 100), 100);
}
