/* Decimal text to scaled integers and back. Nothing here is a float. */
#include "shared/base/money.h"

#include <assert.h>
#include <stdbool.h>

#define MINOR_PLACES      2
#define MULTIPLIER_PLACES 4

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool has_leading_zero(struct tk_slice text)
{
    return text.len > 1 && text.ptr[0] == '0' && is_digit(text.ptr[1]);
}

/* Adds one digit unless the value would pass `max`. */
static bool add_digit(int64_t *value, char digit, int64_t max)
{
    int64_t add = digit - '0';
    if (*value > (max - add) / 10)
        return false;
    *value = *value * 10 + add;
    return true;
}

/* digits [ "." 1..places digits ], scaled by 10^places, at most `max`. */
static enum tk_err parse_decimal(struct tk_slice text, int places, int64_t max, int64_t *out)
{
    if (text.len == 0 || !is_digit(text.ptr[0]) || has_leading_zero(text))
        return TK_ERR_INVALID;
    int64_t value = 0;
    size_t i = 0;
    for (; i < text.len && is_digit(text.ptr[i]); i++) {
        if (!add_digit(&value, text.ptr[i], max))
            return TK_ERR_INVALID;
    }
    int decimals = 0;
    if (i < text.len && text.ptr[i] == '.') {
        for (i++; i < text.len && is_digit(text.ptr[i]) && decimals < places; i++, decimals++) {
            if (!add_digit(&value, text.ptr[i], max))
                return TK_ERR_INVALID;
        }
        if (decimals == 0)
            return TK_ERR_INVALID;
    }
    if (i != text.len)
        return TK_ERR_INVALID;
    for (; decimals < places; decimals++) {
        if (!add_digit(&value, '0', max))
            return TK_ERR_INVALID;
    }
    *out = value;
    return TK_OK;
}

enum tk_err tk_money_parse(struct tk_slice text, int64_t *minor)
{
    return parse_decimal(text, MINOR_PLACES, TK_MONEY_MAX_MINOR, minor);
}

enum tk_err tk_multiplier_parse(struct tk_slice text, int64_t *ten_thousandths)
{
    int64_t value;
    enum tk_err err = parse_decimal(text, MULTIPLIER_PLACES, TK_MULTIPLIER_MAX, &value);
    if (err || value == 0)
        return TK_ERR_INVALID;
    *ten_thousandths = value;
    return TK_OK;
}

void tk_money_append(struct tk_buf *buf, int64_t minor)
{
    char text[32];
    char *end = text + sizeof(text);
    char *at = end;
    uint64_t rest = minor < 0 ? 0 - (uint64_t)minor : (uint64_t)minor;
    for (int digits = 0; digits <= MINOR_PLACES || rest > 0; digits++) {
        if (digits == MINOR_PLACES)
            *--at = '.';
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    }
    if (minor < 0)
        *--at = '-';
    tk_buf_append(buf, at, (size_t)(end - at));
}

void tk_multiplier_append(struct tk_buf *buf, int64_t ten_thousandths)
{
    assert(ten_thousandths >= 0);
    tk_buf_append_i64(buf, ten_thousandths / TK_MULTIPLIER_ONE);
    int64_t rest = ten_thousandths % TK_MULTIPLIER_ONE;
    char decimals[1 + MULTIPLIER_PLACES] = {'.', '0'};
    size_t len = 1;
    do {
        rest *= 10;
        decimals[len++] = (char)('0' + rest / TK_MULTIPLIER_ONE);
        rest %= TK_MULTIPLIER_ONE;
    } while (rest > 0);
    tk_buf_append(buf, decimals, len);
}

int64_t tk_money_multiply(int64_t price_minor, int64_t multiplier_ten_thousandths)
{
    assert(price_minor >= 0 && price_minor <= TK_MONEY_MAX_MINOR);
    assert(multiplier_ten_thousandths > 0 && multiplier_ten_thousandths <= TK_MULTIPLIER_MAX);
    return (price_minor * multiplier_ten_thousandths + TK_MULTIPLIER_ONE / 2) / TK_MULTIPLIER_ONE;
}
