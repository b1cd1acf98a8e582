/* Money and multipliers. */
#include <criterion/criterion.h>

#include "shared/base/money.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define REFUSED      (-1)

Test(money, parse)
{
    static const struct {
        const char *text;
        int64_t minor;
    } rows[] = {
        {"0", 0},
        {"0.00", 0},
        {"0.01", 1},
        {"0.1", 10},
        {"12", 1200},
        {"12.3", 1230},
        {"12.34", 1234},
        {"100.00", 10000},
        {"9999999999.99", TK_MONEY_MAX_MINOR},
        {"10000000000", REFUSED},
        {"10000000000.00", REFUSED},
        {"99999999999999999999999", REFUSED},
        {"12.345", REFUSED},
        {"12.340", REFUSED},
        {"12.", REFUSED},
        {".5", REFUSED},
        {".", REFUSED},
        {"", REFUSED},
        {"-1", REFUSED},
        {"+1", REFUSED},
        {"01", REFUSED},
        {"00.5", REFUSED},
        {"1e2", REFUSED},
        {"1,50", REFUSED},
        {" 1", REFUSED},
        {"1 ", REFUSED},
        {"1.5.0", REFUSED},
        {"NaN", REFUSED},
        {"Infinity", REFUSED},
        {"0x10", REFUSED},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t minor = REFUSED;
        enum tk_err err = tk_money_parse(tk_slice_of(rows[i].text), &minor);
        cr_expect_eq(err, rows[i].minor == REFUSED ? TK_ERR_INVALID : TK_OK, "%s", rows[i].text);
        cr_expect_eq(minor, rows[i].minor, "%s", rows[i].text);
    }
}

Test(money, parse_stays_within_the_slice)
{
    int64_t minor;
    cr_assert_eq(tk_money_parse((struct tk_slice){.ptr = "12.345", .len = 5}, &minor), TK_OK);
    cr_assert_eq(minor, 1234);
}

Test(money, append)
{
    static const struct {
        int64_t minor;
        const char *text;
    } rows[] = {
        {0, "0.00"},
        {1, "0.01"},
        {10, "0.10"},
        {99, "0.99"},
        {100, "1.00"},
        {10000, "100.00"},
        {-1, "-0.01"},
        {-12345, "-123.45"},
        {TK_MONEY_MAX_MINOR, "9999999999.99"},
        {INT64_MAX, "92233720368547758.07"},
        {INT64_MIN, "-92233720368547758.08"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct tk_buf buf = TK_BUF_INIT(64);
        tk_money_append(&buf, rows[i].minor);
        cr_expect(tk_slice_eq_str(tk_buf_slice(&buf), rows[i].text), "%s, not %.*s", rows[i].text, (int)buf.len, buf.ptr);
        tk_buf_release(&buf);
    }
}

Test(money, multiplier_parse_and_append)
{
    static const struct {
        const char *text;
        int64_t value;
        const char *shown;
    } rows[] = {
        {"1", 10000, "1.0"},         {"1.0", 10000, "1.0"},      {"1.0000", 10000, "1.0"},
        {"1.5", 15000, "1.5"},       {"0.0001", 1, "0.0001"},    {"1.2345", 12345, "1.2345"},
        {"1.05", 10500, "1.05"},     {"100", 1000000, "100.0"},  {"100.0000", 1000000, "100.0"},
        {"100.0001", REFUSED, NULL}, {"101", REFUSED, NULL},     {"0", REFUSED, NULL},
        {"0.0000", REFUSED, NULL},   {"0.00001", REFUSED, NULL}, {"1.00000", REFUSED, NULL},
        {"-1", REFUSED, NULL},       {"", REFUSED, NULL},        {"1e1", REFUSED, NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t value = REFUSED;
        enum tk_err err = tk_multiplier_parse(tk_slice_of(rows[i].text), &value);
        cr_expect_eq(err, rows[i].value == REFUSED ? TK_ERR_INVALID : TK_OK, "%s", rows[i].text);
        cr_expect_eq(value, rows[i].value, "%s", rows[i].text);
        if (rows[i].shown == NULL)
            continue;
        struct tk_buf buf = TK_BUF_INIT(64);
        tk_multiplier_append(&buf, value);
        cr_expect(tk_slice_eq_str(tk_buf_slice(&buf), rows[i].shown), "%s", rows[i].shown);
        tk_buf_release(&buf);
    }
}

Test(money, multiply_rounds_half_up)
{
    static const struct {
        int64_t price;
        int64_t multiplier;
        int64_t total;
    } rows[] = {
        {10000, 10000, 10000},
        {10000, 15000, 15000},
        {0, 1000000, 0},
        {1, 4999, 0},  /* 0.4999 */
        {1, 5000, 1},  /* 0.5 goes up */
        {1, 14999, 1}, /* 1.4999 */
        {1, 15000, 2}, /* 1.5 goes up */
        {3, 15000, 5}, /* 4.5: up, not to even */
        {5, 15000, 8}, /* 7.5 */
        {333, 3333, 111},
        {9999, 1, 1}, /* 0.9999 */
        {4999, 1, 0},
        {5000, 1, 1},
        {TK_MONEY_MAX_MINOR, 10000, TK_MONEY_MAX_MINOR},
        {TK_MONEY_MAX_MINOR, TK_MULTIPLIER_MAX, TK_MONEY_MAX_MINOR * 100},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        cr_expect_eq(tk_money_multiply(rows[i].price, rows[i].multiplier), rows[i].total, "row %zu", i);
}

Test(money, ten_dearest_seats_fit)
{
    int64_t total = 0;
    for (int i = 0; i < 10; i++)
        cr_assert_not(__builtin_add_overflow(total, tk_money_multiply(TK_MONEY_MAX_MINOR, TK_MULTIPLIER_MAX), &total));
}

Test(money, print_and_parse_agree)
{
    for (int64_t minor = 0; minor < 20000; minor += 7) {
        struct tk_buf buf = TK_BUF_INIT(64);
        int64_t back;
        tk_money_append(&buf, minor);
        cr_assert_eq(tk_money_parse(tk_buf_slice(&buf), &back), TK_OK);
        cr_assert_eq(back, minor);
        tk_buf_release(&buf);
    }
}
