/*
 * Clocks, and RFC 3339 in both directions. The calendar is the proleptic Gregorian one, counted in days from 1970-01-01;
 * years are taken to start in March, so that a leap day is the last day of its year and needs no special case.
 */
#include "shared/base/clock.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#define S_PER_DAY               INT64_C(86400)
#define US_PER_DAY              (S_PER_DAY * TK_US_PER_S)
#define DAYS_PER_400_YEARS      INT64_C(146097)
#define DAYS_0000_03_01_TO_1970 INT64_C(719468)

static int64_t read_clock(clockid_t id)
{
    struct timespec now;
    int failed = clock_gettime(id, &now);
    assert(!failed);
    (void)failed;
    return (int64_t)now.tv_sec * TK_US_PER_S + now.tv_nsec / 1000;
}

int64_t tk_mono_us(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t tk_unix_us(void)
{
    return read_clock(CLOCK_REALTIME);
}

static bool is_leap_year(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int64_t days_in_month(int64_t year, int64_t month)
{
    static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && is_leap_year(year) ? 29 : days[month - 1];
}

/* Days before the month in a year that starts in March: month 0 is March. 153 days are five months, twice over. */
static int64_t days_before_month(int64_t march_month)
{
    return (153 * march_month + 2) / 5;
}

static int64_t days_from_date(int64_t year, int64_t month, int64_t day)
{
    int64_t march_year = month <= 2 ? year - 1 : year;
    int64_t march_month = month <= 2 ? month + 9 : month - 3;
    int64_t leap_days = march_year / 4 - march_year / 100 + march_year / 400;
    return march_year * 365 + leap_days + days_before_month(march_month) + day - 1 - DAYS_0000_03_01_TO_1970;
}

struct date {
    int64_t year;
    int64_t month;
    int64_t day;
};

static struct date date_from_days(int64_t days)
{
    int64_t shifted = days + DAYS_0000_03_01_TO_1970;
    int64_t era = (shifted >= 0 ? shifted : shifted - DAYS_PER_400_YEARS + 1) / DAYS_PER_400_YEARS;
    int64_t of_era = shifted - era * DAYS_PER_400_YEARS;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (year * 365 + year / 4 - year / 100);
    int64_t march_month = (5 * of_year + 2) / 153;
    int64_t month = march_month < 10 ? march_month + 3 : march_month - 9;
    return (struct date){
        .year = year + era * 400 + (month <= 2),
        .month = month,
        .day = of_year - days_before_month(march_month) + 1,
    };
}

/* --- parsing ------------------------------------------------------------------------------------------------------ */

struct cursor {
    const char *at;
    const char *end;
    bool bad;
};

static bool at_char(const struct cursor *c, char expected)
{
    return c->at < c->end && *c->at == expected;
}

static bool at_digit(const struct cursor *c)
{
    return c->at < c->end && *c->at >= '0' && *c->at <= '9';
}

static void expect(struct cursor *c, char expected)
{
    if (at_char(c, expected))
        c->at++;
    else
        c->bad = true;
}

/* Exactly `digits` digits with a value in least..most. */
static int64_t number(struct cursor *c, int digits, int64_t least, int64_t most)
{
    int64_t value = 0;
    for (int i = 0; i < digits; i++) {
        if (!at_digit(c)) {
            c->bad = true;
            return least;
        }
        value = value * 10 + (*c->at++ - '0');
    }
    if (value < least || value > most) {
        c->bad = true;
        return least;
    }
    return value;
}

static int64_t fraction_us(struct cursor *c)
{
    if (!at_char(c, '.'))
        return 0;
    c->at++;
    c->bad |= !at_digit(c);
    int64_t value = 0;
    int64_t scale = TK_US_PER_S;
    while (at_digit(c)) {
        scale /= 10;
        c->bad |= scale == 0; /* a seventh digit */
        value += (*c->at++ - '0') * scale;
    }
    return value;
}

static int64_t offset_seconds(struct cursor *c)
{
    if (at_char(c, 'Z')) {
        c->at++;
        return 0;
    }
    int64_t sign = at_char(c, '-') ? -1 : 1;
    expect(c, sign < 0 ? '-' : '+');
    int64_t hours = number(c, 2, 0, 23);
    expect(c, ':');
    return sign * (hours * 3600 + number(c, 2, 0, 59) * 60);
}

static int64_t parse_date(struct cursor *c)
{
    int64_t year = number(c, 4, 1970, 9999);
    expect(c, '-');
    int64_t month = number(c, 2, 1, 12);
    expect(c, '-');
    int64_t day = number(c, 2, 1, days_in_month(year, month));
    return days_from_date(year, month, day);
}

static int64_t parse_time_of_day(struct cursor *c)
{
    int64_t hour = number(c, 2, 0, 23);
    expect(c, ':');
    int64_t minute = number(c, 2, 0, 59);
    expect(c, ':');
    int64_t second = number(c, 2, 0, 59);
    return hour * 3600 + minute * 60 + second;
}

enum tk_err tk_time_parse(struct tk_slice text, int64_t *unix_us)
{
    if (text.len == 0)
        return TK_ERR_INVALID;
    struct cursor c = {.at = text.ptr, .end = text.ptr + text.len};
    int64_t days = parse_date(&c);
    expect(&c, 'T');
    int64_t seconds = parse_time_of_day(&c);
    int64_t us = fraction_us(&c);
    seconds -= offset_seconds(&c);
    if (c.bad || c.at != c.end)
        return TK_ERR_INVALID;
    int64_t result = days * US_PER_DAY + seconds * TK_US_PER_S + us;
    if (result < 0 || result >= TK_TIME_END_US) /* an offset can leave the range the year was in */
        return TK_ERR_INVALID;
    *unix_us = result;
    return TK_OK;
}

/* --- formatting --------------------------------------------------------------------------------------------------- */

static char *put_digits(char *at, int64_t value, int digits)
{
    for (int i = digits - 1; i >= 0; i--) {
        at[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return at + digits;
}

static char *put_char(char *at, char c)
{
    *at = c;
    return at + 1;
}

void tk_time_append(struct tk_buf *buf, int64_t unix_us)
{
    char text[sizeof("2026-11-21T09:30:00.000000Z")];
    int64_t of_day = unix_us % US_PER_DAY;
    if (of_day < 0)
        of_day += US_PER_DAY;
    struct date date = date_from_days((unix_us - of_day) / US_PER_DAY);
    assert(date.year >= 0 && date.year <= 9999);
    int64_t second = of_day / TK_US_PER_S;
    int64_t us = of_day % TK_US_PER_S;
    char *at = put_char(put_digits(text, date.year, 4), '-');
    at = put_char(put_digits(at, date.month, 2), '-');
    at = put_char(put_digits(at, date.day, 2), 'T');
    at = put_char(put_digits(at, second / 3600, 2), ':');
    at = put_char(put_digits(at, second / 60 % 60, 2), ':');
    at = put_digits(at, second % 60, 2);
    if (us != 0)
        at = put_digits(put_char(at, '.'), us, 6);
    at = put_char(at, 'Z');
    tk_buf_append(buf, text, (size_t)(at - text));
}
