/*
 * How far back the list of stale holds looks.
 */
#include <criterion/criterion.h>

#include "event-svc/domain/watermark.h"

#define NONE INT64_MAX

Test(watermark, moves)
{
    static const struct {
        struct watermark_scan scan;
        int64_t expected;
        const char *why;
    } cases[] = {
        {{.from_us = 100, .first_held_us = 150, .last_us = 300, .settled_us = 1000}, 150, "stops at what is held"},
        {{.from_us = 100, .first_held_us = NONE, .last_us = 300, .settled_us = 1000}, 300, "passes what is finished"},
        {{.from_us = 100, .first_held_us = NONE, .last_us = INT64_MIN, .settled_us = 1000}, 100, "no rows, no news"},
        {{.from_us = 100, .first_held_us = NONE, .last_us = 300, .settled_us = 200}, 200, "rows may still appear"},
        {{.from_us = 100, .first_held_us = 250, .last_us = 300, .settled_us = 200}, 200, "rows may appear before"},
        {{.from_us = 100, .first_held_us = 50, .last_us = 300, .settled_us = 1000}, 100, "never back"},
        {{.from_us = 100, .first_held_us = NONE, .last_us = 300, .settled_us = 40}, 100, "never back either"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        cr_expect_eq(watermark_after(&cases[i].scan), cases[i].expected, "%s", cases[i].why);
}
