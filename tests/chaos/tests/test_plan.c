/* Schedules depend on the seed and the means, and on nothing else. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "shared/base/fault.h"
#include "tests/chaos/plan.h"

#define LENGTH_MS 180000
#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))

static const struct plan_means MEANS[] = {
    {0},
    {.crash_points = true},
    {.crash_points = true, .storm = true},
    {.crash_points = true, .disks = true, .clocks = true},
};

static uint64_t digest_of(uint64_t seed, struct plan_means means)
{
    struct plan plan;
    plan_make(&plan, seed, LENGTH_MS, means);
    cr_assert_gt(plan.count, 50);
    uint64_t digest = plan_digest(&plan);
    plan_free(&plan);
    return digest;
}

static char *text_of(uint64_t seed, struct plan_means means)
{
    struct plan plan;
    char *text;
    size_t len;
    FILE *file = open_memstream(&text, &len);
    plan_make(&plan, seed, LENGTH_MS, means);
    plan_print(&plan, file);
    plan_free(&plan);
    fclose(file);
    return text;
}

Test(plan, one_seed_one_schedule)
{
    for (size_t i = 0; i < COUNT(MEANS); i++)
        for (uint64_t seed = 1; seed < 20; seed++) {
            char *first = text_of(seed, MEANS[i]);
            char *second = text_of(seed, MEANS[i]);
            cr_assert_str_eq(first, second);
            cr_assert_eq(digest_of(seed, MEANS[i]), digest_of(seed, MEANS[i]));
            free(first);
            free(second);
        }
}

Test(plan, another_seed_another_schedule)
{
    for (uint64_t seed = 1; seed < 20; seed++)
        cr_assert_neq(digest_of(seed, MEANS[1]), digest_of(seed + 1, MEANS[1]));
}

/* On every machine, and next year: a seed in a report must mean what it meant. Who changes how schedules are drawn changes
 * this line, and knows that old seeds mean something else from then on. */
Test(plan, seed_17_is_what_it_was)
{
    cr_assert_eq(digest_of(17, MEANS[1]), UINT64_C(0x7ee76ca276e56e41));
}

Test(plan, a_printed_schedule_reads_back)
{
    char *text = text_of(4, MEANS[3]);
    struct plan plan;
    FILE *file = fmemopen(text, strlen(text), "r");
    cr_assert_eq(plan_read(&plan, file), TK_OK);
    cr_assert_eq(plan_digest(&plan), digest_of(4, MEANS[3]));
    fclose(file);
    plan_free(&plan);
    free(text);
}

Test(plan, every_fault_ends_in_time_and_every_point_is_armed)
{
    int armed[TK_FAULT_POINT_COUNT] = {0};
    struct plan plan;
    plan_make(&plan, 9, LENGTH_MS, MEANS[2]);
    for (size_t i = 0; i < plan.count; i++) {
        cr_assert_leq(plan.events[i].at_ms + plan.events[i].for_ms, LENGTH_MS);
        if (plan.events[i].fault == FAULT_CRASH)
            armed[plan.events[i].target]++;
    }
    for (int i = 0; i < TK_FAULT_POINT_COUNT; i++)
        cr_assert_gt(armed[i], 0);
    plan_free(&plan);
}

/* Nothing else makes event-svc set a message aside. */
Test(plan, poison_comes_with_its_crash_point)
{
    int armed = 0;
    int poisoned = 0;
    struct plan plan;
    plan_make(&plan, 9, LENGTH_MS, MEANS[2]);
    for (size_t i = 0; i < plan.count; i++) {
        armed += plan.events[i].fault == FAULT_CRASH && plan.events[i].target == TK_FAULT_consumer_before_dead_letter;
        poisoned += plan.events[i].fault == FAULT_POISON;
    }
    cr_assert_gt(poisoned, 0);
    cr_assert_eq(poisoned, armed);
    plan_free(&plan);
}
