/*
 * Field checks: what passes and what does not.
 */
#include <criterion/criterion.h>

#include "event-svc/domain/fields.h"

#define HOUR_US (INT64_C(3600) * 1000000)

static void check_all(const char *(*check)(struct tk_slice), const char *const *good, const char *const *bad)
{
    for (; *good != NULL; good++)
        cr_expect_null(check(tk_slice_of(*good)), "refused: %s", *good);
    for (; *bad != NULL; bad++)
        cr_expect_not_null(check(tk_slice_of(*bad)), "accepted: %s", *bad);
}

Test(fields, emails)
{
    static const char *const good[] = {"a@b.co", "first.last+tag@mail.example.org", "o'neil@x-y.example", NULL};
    static const char *const bad[] = {"",
                                      "@",
                                      "a@",
                                      "@b.co",
                                      "a@b",
                                      "a b@c.de",
                                      "a@b..co",
                                      "a@.co",
                                      "a@b.co.",
                                      "a@b_c.de",
                                      "a@b,c.de",
                                      "<a@b.co>",
                                      "12345678901234567890123456789012345678901234567890123456789012345@b.co",
                                      NULL};
    check_all(field_email_problem, good, bad);
}

Test(fields, phones)
{
    static const char *const good[] = {"+47 55 00 00 00", "+1-555-0100", "(030) 1234/567", "12345", NULL};
    static const char *const bad[] = {"", "1234", "+1234567890123456", "555-CALL", "12345x", NULL};
    check_all(field_phone_problem, good, bad);
}

Test(fields, timezones)
{
    static const char *const good[] = {"UTC", "Europe/Vienna", "America/Argentina/Buenos_Aires", "Etc/GMT+3", NULL};
    static const char *const bad[] = {"", "Vienna", "../etc/passwd", "UTC+3", "Europe/Vi enna", "'; --/", NULL};
    check_all(field_timezone_problem, good, bad);
}

Test(fields, currencies)
{
    static const char *const good[] = {"USD", "EUR", "JPY", NULL};
    static const char *const bad[] = {"", "usd", "US", "USDX", "U$D", NULL};
    check_all(field_currency_problem, good, bad);
}

Test(fields, a_nul_in_the_middle_is_no_character)
{
    cr_expect_not_null(field_email_problem(TK_SLICE("a\0b@c.de")));
    cr_expect_not_null(field_phone_problem(TK_SLICE("123\0456")));
    cr_expect_not_null(field_timezone_problem(TK_SLICE("Europe/\0")));
}

Test(fields, session_times)
{
    static const struct {
        int64_t start;
        int64_t end;
        const char *pointer; /* NULL: fine */
    } cases[] = {
        {10 * HOUR_US, 12 * HOUR_US, NULL},
        {5 * HOUR_US + 1, 5 * HOUR_US + 2, NULL},
        {10 * HOUR_US, 10 * HOUR_US, "/end_time"},
        {10 * HOUR_US, 9 * HOUR_US, "/end_time"},
        {10 * HOUR_US, 10 * HOUR_US + SESSION_MAX_US, NULL},
        {10 * HOUR_US, 10 * HOUR_US + SESSION_MAX_US + 1, "/end_time"},
        {5 * HOUR_US, 6 * HOUR_US, "/start_time"},
        {HOUR_US, 20 * HOUR_US, "/start_time"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *pointer = "";
        const char *problem = session_times_problem(cases[i].start, cases[i].end, 5 * HOUR_US, &pointer);
        cr_expect_eq(problem == NULL, cases[i].pointer == NULL, "case %zu", i);
        if (cases[i].pointer != NULL)
            cr_expect_str_eq(pointer, cases[i].pointer, "case %zu", i);
    }
}
