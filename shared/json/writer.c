/*
 * JSON out. Every value is one or two tk_buf_extend() calls: the comma, the key and a value of known length are written
 * together. Text is escaped in runs. Text that is not UTF-8 (a request's path can be anything) becomes U+FFFD, so that
 * what leaves is always valid.
 */
#include "shared/json/writer.h"

#include <assert.h>
#include <string.h>

#include "shared/base/clock.h"
#include "shared/base/money.h"

/* Appends `,"key":` as far as it applies, and `extra` bytes for the caller to fill; NULL on overflow. */
static char *begin_value(struct tk_jsonw *w, const char *key, size_t extra)
{
    size_t key_len = key != NULL ? strlen(key) : 0;
    size_t comma = w->need_comma ? 1 : 0;
    size_t lead = comma + (key != NULL ? key_len + 3 : 0);
    assert(w->depth > 0 || (key == NULL && !w->need_comma)); /* one value at the root */
    w->need_comma = true;
    char *at = tk_buf_extend(w->buf, lead + extra);
    if (at == NULL)
        return NULL;
    if (comma)
        *at++ = ',';
    if (key != NULL) {
        *at++ = '"';
        memcpy(at, key, key_len);
        at += key_len;
        *at++ = '"';
        *at++ = ':';
    }
    return at;
}

static void write_bytes(struct tk_jsonw *w, const char *key, const char *bytes, size_t len)
{
    char *at = begin_value(w, key, len);
    if (at != NULL && len > 0)
        memcpy(at, bytes, len);
}

static void open_container(struct tk_jsonw *w, const char *key, char bracket)
{
    write_bytes(w, key, &bracket, 1);
    w->depth++;
    w->need_comma = false;
}

static void close_container(struct tk_jsonw *w, char bracket)
{
    assert(w->depth > 0);
    tk_buf_append_char(w->buf, bracket);
    w->depth--;
    w->need_comma = true;
}

void tk_jsonw_begin_object(struct tk_jsonw *w, const char *key)
{
    open_container(w, key, '{');
}

void tk_jsonw_end_object(struct tk_jsonw *w)
{
    close_container(w, '}');
}

void tk_jsonw_begin_array(struct tk_jsonw *w, const char *key)
{
    open_container(w, key, '[');
}

void tk_jsonw_end_array(struct tk_jsonw *w)
{
    close_container(w, ']');
}

void tk_jsonw_null(struct tk_jsonw *w, const char *key)
{
    write_bytes(w, key, "null", 4);
}

void tk_jsonw_bool(struct tk_jsonw *w, const char *key, bool value)
{
    write_bytes(w, key, value ? "true" : "false", value ? 4 : 5);
}

void tk_jsonw_i64(struct tk_jsonw *w, const char *key, int64_t value)
{
    begin_value(w, key, 0);
    tk_buf_append_i64(w->buf, value);
}

/* --- text --------------------------------------------------------------------------------------------------------- */

/* The letter behind the backslash; 'u' means six characters. */
static char escape_letter(unsigned char c)
{
    switch (c) {
    case '"':
    case '\\':
        return (char)c;
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return 'u';
    }
}

static void append_escape(struct tk_buf *buf, unsigned char c)
{
    static const char digits[16] = {'0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'};
    char letter = escape_letter(c);
    char text[6] = {'\\', letter, '0', '0', digits[c >> 4], digits[c & 15]};
    tk_buf_append(buf, text, letter == 'u' ? 6 : 2);
}

/* Length of the run at `at` that needs no escaping. */
static size_t plain_run(const char *at, size_t len)
{
    size_t i = 0;
    while (i < len) {
        unsigned char c = (unsigned char)at[i];
        if (c < 0x20 || c == '"' || c == '\\')
            break;
        size_t step = c < 0x80 ? 1 : tk_utf8_sequence(at + i, len - i);
        if (step == 0)
            break;
        i += step;
    }
    return i;
}

static void append_escaped(struct tk_buf *buf, struct tk_slice text)
{
    size_t i = 0;
    while (i < text.len) {
        size_t run = plain_run(text.ptr + i, text.len - i);
        tk_buf_append(buf, text.ptr + i, run);
        i += run;
        if (i == text.len)
            break;
        unsigned char c = (unsigned char)text.ptr[i++];
        if (c < 0x80)
            append_escape(buf, c);
        else
            tk_buf_append_str(buf, "\\ufffd");
    }
}

void tk_jsonw_text(struct tk_jsonw *w, const char *key, struct tk_slice value)
{
    size_t run = plain_run(value.ptr, value.len);
    if (run == value.len) {
        char *whole = begin_value(w, key, run + 2);
        if (whole == NULL)
            return;
        whole[0] = '"';
        if (run > 0)
            memcpy(whole + 1, value.ptr, run);
        whole[run + 1] = '"';
        return;
    }
    write_bytes(w, key, "\"", 1);
    append_escaped(w->buf, value);
    tk_buf_append_char(w->buf, '"');
}

void tk_jsonw_str(struct tk_jsonw *w, const char *key, const char *value)
{
    if (value == NULL)
        tk_jsonw_null(w, key);
    else
        tk_jsonw_text(w, key, tk_slice_of(value));
}

/* --- our own types ------------------------------------------------------------------------------------------------ */

void tk_jsonw_uuid(struct tk_jsonw *w, const char *key, const struct tk_uuid *value)
{
    char text[TK_UUID_TEXT_LEN + 1];
    char *at = begin_value(w, key, TK_UUID_TEXT_LEN + 2);
    if (at == NULL)
        return;
    at[0] = '"';
    memcpy(at + 1, tk_uuid_format(value, text), TK_UUID_TEXT_LEN);
    at[TK_UUID_TEXT_LEN + 1] = '"';
}

void tk_jsonw_money(struct tk_jsonw *w, const char *key, int64_t minor)
{
    begin_value(w, key, 0);
    tk_money_append(w->buf, minor);
}

void tk_jsonw_multiplier(struct tk_jsonw *w, const char *key, int64_t ten_thousandths)
{
    begin_value(w, key, 0);
    tk_multiplier_append(w->buf, ten_thousandths);
}

void tk_jsonw_time(struct tk_jsonw *w, const char *key, int64_t unix_us)
{
    if (unix_us == TK_TIME_NONE) {
        tk_jsonw_null(w, key);
        return;
    }
    write_bytes(w, key, "\"", 1);
    tk_time_append(w->buf, unix_us);
    tk_buf_append_char(w->buf, '"');
}

void tk_jsonw_raw(struct tk_jsonw *w, const char *key, struct tk_slice json)
{
    write_bytes(w, key, json.ptr, json.len);
}
