/* Clocks and RFC 3339. Reference values are from date(1). */
#include <criterion/criterion.h>

#include "shared/base/clock.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define S(seconds)   (INT64_C(seconds) * TK_US_PER_S)
#define REFUSED      INT64_C(-1)

Test(clock, runs_forward)
{
    int64_t before = tk_mono_us();
    cr_assert_geq(tk_mono_us(), before);
    cr_assert_gt(tk_unix_us(), S(1700000000));
}

Test(clock, time_parse)
{
    static const struct {
        const char *text;
        int64_t us;
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01T00:00:00.000001Z", 1},
        {"1970-01-01T00:00:00.1Z", 100000},
        {"2000-02-29T12:00:00Z", S(951825600)},
        {"2024-02-29T23:59:59Z", S(1709251199)},
        {"2026-11-21T09:30:00Z", S(1795253400)},
        {"2026-11-21T09:30:00+00:00", S(1795253400)},
        {"2026-11-21T09:30:00-00:00", S(1795253400)},
        {"2026-11-21T11:00:00+01:30", S(1795253400)},
        {"2026-11-20T23:30:00-10:00", S(1795253400)},
        {"2026-11-21T09:30:00.123456Z", S(1795253400) + 123456},
        {"2026-11-21T09:30:00.120Z", S(1795253400) + 120000},
        {"2100-03-01T00:00:00Z", S(4107542400)},
        {"9999-12-31T23:59:59.999999Z", S(253402300800) - 1},
        {"1970-01-01T01:00:00+01:00", 0},
        {"1970-01-01T00:00:00+01:00", REFUSED}, /* 1969 in UTC */
        {"9999-12-31T23:30:00-01:00", REFUSED}, /* 10000 in UTC */
        {"1969-12-31T23:59:59Z", REFUSED},
        {"0000-01-01T00:00:00Z", REFUSED},
        {"2100-02-29T00:00:00Z", REFUSED}, /* no leap year */
        {"2023-02-29T00:00:00Z", REFUSED},
        {"2024-02-30T00:00:00Z", REFUSED},
        {"2024-04-31T00:00:00Z", REFUSED},
        {"2024-13-01T00:00:00Z", REFUSED},
        {"2024-00-01T00:00:00Z", REFUSED},
        {"2024-01-00T00:00:00Z", REFUSED},
        {"2024-01-32T00:00:00Z", REFUSED},
        {"2024-01-01T24:00:00Z", REFUSED},
        {"2024-01-01T00:60:00Z", REFUSED},
        {"2016-12-31T23:59:60Z", REFUSED}, /* a real leap second */
        {"2024-01-01T00:00:00+24:00", REFUSED},
        {"2024-01-01T00:00:00+01:60", REFUSED},
        {"2024-01-01T00:00:00+0100", REFUSED},
        {"2024-01-01T00:00:00+01", REFUSED},
        {"2024-01-01T00:00:00", REFUSED},
        {"2024-01-01T00:00:00z", REFUSED},
        {"2024-01-01t00:00:00Z", REFUSED},
        {"2024-01-01 00:00:00Z", REFUSED},
        {"2024-01-01T00:00Z", REFUSED},
        {"2024-01-01T00:00:00.Z", REFUSED},
        {"2024-01-01T00:00:00,5Z", REFUSED},
        {"2024-01-01T00:00:00.1234567Z", REFUSED},
        {"2024-01-01T00:00:00Z ", REFUSED},
        {" 2024-01-01T00:00:00Z", REFUSED},
        {"2024-1-01T00:00:00Z", REFUSED},
        {"24-01-01T00:00:00Z", REFUSED},
        {"-2024-01-01T00:00:00Z", REFUSED},
        {"2024-01-01", REFUSED},
        {"1700000000", REFUSED},
        {"", REFUSED},
        {"Z", REFUSED},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t us = REFUSED;
        enum tk_err err = tk_time_parse(tk_slice_of(rows[i].text), &us);
        cr_expect_eq(err, rows[i].us == REFUSED ? TK_ERR_INVALID : TK_OK, "%s", rows[i].text);
        cr_expect_eq(us, rows[i].us, "%s: %lld", rows[i].text, (long long)us);
    }
}

/* Every prefix is refused, and nothing is read behind it. */
Test(clock, time_parse_stays_within_the_slice)
{
    static const char text[] = "2026-11-21T09:30:00Z";
    int64_t us;
    for (size_t len = 0; len < sizeof(text) - 1; len++)
        cr_expect_eq(tk_time_parse((struct tk_slice){.ptr = text, .len = len}, &us), TK_ERR_INVALID, "%zu", len);
}

Test(clock, time_append)
{
    static const struct {
        int64_t us;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00Z"},
        {1, "1970-01-01T00:00:00.000001Z"},
        {-1, "1969-12-31T23:59:59.999999Z"},
        {S(951825600), "2000-02-29T12:00:00Z"},
        {S(951868800), "2000-03-01T00:00:00Z"},
        {S(1795253400) + 120000, "2026-11-21T09:30:00.120000Z"},
        {S(4107542399), "2100-02-28T23:59:59Z"},
        {S(253402300800) - 1, "9999-12-31T23:59:59.999999Z"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct tk_buf buf = TK_BUF_INIT(64);
        tk_time_append(&buf, rows[i].us);
        cr_expect(tk_slice_eq_str(tk_buf_slice(&buf), rows[i].text), "%s, not %.*s", rows[i].text, (int)buf.len, buf.ptr);
        tk_buf_release(&buf);
    }
}

/* Some 80,000 times across the whole range come back as they went. The step visits every time of day and day of year. */
Test(clock, append_and_parse_agree)
{
    struct tk_buf buf = TK_BUF_INIT(64);
    for (int64_t us = 0; us < S(253402300800); us += S(3155693) + 1000003) {
        int64_t back;
        tk_buf_reset(&buf);
        tk_time_append(&buf, us);
        cr_assert_eq(tk_time_parse(tk_buf_slice(&buf), &back), TK_OK, "%.*s", (int)buf.len, buf.ptr);
        cr_assert_eq(back, us, "%.*s", (int)buf.len, buf.ptr);
    }
    tk_buf_release(&buf);
}
