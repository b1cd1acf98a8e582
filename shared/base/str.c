/* Slices, the bounded buffer, UTF-8, decimal integers and base64. */
#include "shared/base/str.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define FIRST_BUFFER ((size_t)256)

/* --- slices ------------------------------------------------------------------------------------------------------- */

struct tk_slice tk_slice_of(const char *nul_terminated)
{
    if (nul_terminated == NULL)
        return (struct tk_slice){0};
    return (struct tk_slice){.ptr = nul_terminated, .len = strlen(nul_terminated)};
}

bool tk_slice_eq(struct tk_slice a, struct tk_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool tk_slice_eq_str(struct tk_slice a, const char *nul_terminated)
{
    return tk_slice_eq(a, tk_slice_of(nul_terminated));
}

static char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool tk_slice_ieq_str(struct tk_slice a, const char *nul_terminated)
{
    struct tk_slice b = tk_slice_of(nul_terminated);
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (ascii_lower(a.ptr[i]) != ascii_lower(b.ptr[i]))
            return false;
    }
    return true;
}

struct tk_slice tk_slice_trim(struct tk_slice s)
{
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t')) {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

char *tk_slice_dup(struct tk_arena *arena, struct tk_slice s)
{
    char *copy = tk_arena_alloc(arena, s.len + 1);
    if (s.len > 0)
        memcpy(copy, s.ptr, s.len);
    return copy;
}

struct tk_slice tk_slice_copy(struct tk_arena *arena, struct tk_slice s)
{
    return (struct tk_slice){.ptr = tk_slice_dup(arena, s), .len = s.len};
}

char *tk_arena_printf(struct tk_arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    assert(len >= 0);
    char *text = tk_arena_alloc(arena, (size_t)len + 1);
    vsnprintf(text, (size_t)len + 1, format, again);
    va_end(again);
    va_end(args);
    return text;
}

/* --- buffer ------------------------------------------------------------------------------------------------------- */

void tk_buf_release(struct tk_buf *buf)
{
    free(buf->ptr);
    *buf = TK_BUF_INIT(buf->max);
}

void tk_buf_reset(struct tk_buf *buf)
{
    buf->len = 0;
    buf->overflow = false;
}

/* Doubles until `needed` fits; the last step stops at the maximum. */
static void buf_grow(struct tk_buf *buf, size_t needed)
{
    size_t cap = buf->cap > 0 ? buf->cap : FIRST_BUFFER;
    while (cap < needed)
        cap *= 2;
    if (cap > buf->max)
        cap = buf->max;
    buf->ptr = tk_realloc(buf->ptr, cap);
    buf->cap = cap;
}

char *tk_buf_extend(struct tk_buf *buf, size_t len)
{
    assert(buf->len <= buf->max);
    if (buf->overflow || len > buf->max - buf->len) {
        buf->overflow = true;
        return NULL;
    }
    if (buf->ptr == NULL || len > buf->cap - buf->len)
        buf_grow(buf, buf->len + len);
    char *at = buf->ptr + buf->len;
    buf->len += len;
    return at;
}

void tk_buf_append(struct tk_buf *buf, const void *bytes, size_t len)
{
    char *at = len > 0 ? tk_buf_extend(buf, len) : NULL;
    if (at != NULL)
        memcpy(at, bytes, len);
}

void tk_buf_append_slice(struct tk_buf *buf, struct tk_slice s)
{
    tk_buf_append(buf, s.ptr, s.len);
}

void tk_buf_append_str(struct tk_buf *buf, const char *nul_terminated)
{
    tk_buf_append_slice(buf, tk_slice_of(nul_terminated));
}

void tk_buf_append_char(struct tk_buf *buf, char c)
{
    char *at = tk_buf_extend(buf, 1);
    if (at != NULL)
        *at = c;
}

void tk_buf_append_i64(struct tk_buf *buf, int64_t value)
{
    char text[sizeof("-9223372036854775808")];
    char *end = text + sizeof(text);
    char *at = end;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0)
        *--at = '-';
    tk_buf_append(buf, at, (size_t)(end - at));
}

void tk_buf_appendf(struct tk_buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    assert(len >= 0);
    /* vsnprintf insists on a NUL behind the text: it may need one byte more than the buffer's maximum. */
    char *text = tk_alloc((size_t)len + 1);
    vsnprintf(text, (size_t)len + 1, format, again);
    tk_buf_append(buf, text, (size_t)len);
    free(text);
    va_end(again);
    va_end(args);
}

struct tk_slice tk_buf_slice(const struct tk_buf *buf)
{
    return (struct tk_slice){.ptr = buf->ptr, .len = buf->len};
}

/* --- UTF-8 -------------------------------------------------------------------------------------------------------- */

static bool in_range(unsigned char c, unsigned char least, unsigned char most)
{
    return c >= least && c <= most;
}

static bool are_continuations(const unsigned char *at, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!in_range(at[i], 0x80, 0xBF))
            return false;
    }
    return true;
}

/* The table of RFC 3629 section 4: the second byte's range depends on the first. */
size_t tk_utf8_sequence(const char *bytes, size_t len)
{
    const unsigned char *at = (const unsigned char *)bytes;
    if (len == 0)
        return 0;
    if (at[0] < 0x80)
        return 1;
    if (len >= 2 && in_range(at[0], 0xC2, 0xDF))
        return are_continuations(at + 1, 1) ? 2 : 0;
    if (len >= 3 && in_range(at[0], 0xE0, 0xEF)) {
        unsigned char least = at[0] == 0xE0 ? 0xA0 : 0x80;
        unsigned char most = at[0] == 0xED ? 0x9F : 0xBF; /* surrogates are not characters */
        return in_range(at[1], least, most) && are_continuations(at + 2, 1) ? 3 : 0;
    }
    if (len >= 4 && in_range(at[0], 0xF0, 0xF4)) {
        unsigned char least = at[0] == 0xF0 ? 0x90 : 0x80;
        unsigned char most = at[0] == 0xF4 ? 0x8F : 0xBF;
        return in_range(at[1], least, most) && are_continuations(at + 2, 2) ? 4 : 0;
    }
    return 0;
}

bool tk_utf8_is_text(struct tk_slice s)
{
    size_t i = 0;
    while (i < s.len) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c < 0x20 && c != '\t' && c != '\n' && c != '\r')
            return false;
        size_t step = tk_utf8_sequence(s.ptr + i, s.len - i);
        if (step == 0)
            return false;
        i += step;
    }
    return true;
}

/* --- integers ----------------------------------------------------------------------------------------------------- */

enum tk_err tk_parse_i64(struct tk_slice text, int64_t *out)
{
    bool negative = text.len > 0 && text.ptr[0] == '-';
    size_t i = negative ? 1 : 0;
    if (i == text.len || (text.ptr[i] == '0' && text.len > i + 1))
        return TK_ERR_INVALID;
    int64_t value = 0; /* kept negative: that side reaches one further */
    for (; i < text.len; i++) {
        char c = text.ptr[i];
        if (c < '0' || c > '9')
            return TK_ERR_INVALID;
        if (__builtin_mul_overflow(value, INT64_C(10), &value) || __builtin_sub_overflow(value, (int64_t)(c - '0'), &value))
            return TK_ERR_INVALID;
    }
    if (!negative && value == INT64_MIN)
        return TK_ERR_INVALID;
    *out = negative ? value : -value;
    return TK_OK;
}

int tk_hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* --- base64 ------------------------------------------------------------------------------------------------------- */

static const char base64_alphabet[65] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64url_alphabet[65] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* One to three bytes become as many characters plus one. */
static void base64_group(const unsigned char *in, size_t len, const char *alphabet, char *out)
{
    uint32_t bits = (uint32_t)in[0] << 16;
    if (len > 1)
        bits |= (uint32_t)in[1] << 8;
    if (len > 2)
        bits |= in[2];
    for (size_t i = 0; i <= len; i++)
        out[i] = alphabet[(bits >> (18 - 6 * i)) & 63];
}

static void base64_encode(struct tk_buf *out, const unsigned char *in, size_t len, const char *alphabet, bool padded)
{
    size_t tail = len % 3;
    size_t tail_len = tail == 0 ? 0 : (padded ? 4 : tail + 1);
    size_t total = len / 3 * 4 + tail_len;
    char *at = total > 0 ? tk_buf_extend(out, total) : NULL;
    if (at == NULL)
        return;
    for (; len >= 3; len -= 3, in += 3, at += 4)
        base64_group(in, 3, alphabet, at);
    if (tail == 0)
        return;
    base64_group(in, tail, alphabet, at);
    if (padded)
        memset(at + tail + 1, '=', 3 - tail);
}

void tk_base64_append(struct tk_buf *out, const void *bytes, size_t len)
{
    base64_encode(out, bytes, len, base64_alphabet, true);
}

void tk_base64url_append(struct tk_buf *out, const void *bytes, size_t len)
{
    base64_encode(out, bytes, len, base64url_alphabet, false);
}

static int base64url_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '-')
        return 62;
    return c == '_' ? 63 : -1;
}

enum tk_err tk_base64url_decode(struct tk_slice text, void *out, size_t cap, size_t *len)
{
    size_t total = text.len / 4 * 3 + (text.len % 4 > 0 ? text.len % 4 - 1 : 0);
    if (text.len % 4 == 1 || total > cap)
        return TK_ERR_INVALID;
    unsigned char *at = out;
    uint32_t bits = 0;
    unsigned held = 0;
    for (size_t i = 0; i < text.len; i++) {
        int value = base64url_value(text.ptr[i]);
        if (value < 0)
            return TK_ERR_INVALID;
        bits = bits << 6 | (uint32_t)value;
        held += 6;
        if (held >= 8) {
            held -= 8;
            *at++ = (unsigned char)(bits >> held & 0xFF);
        }
    }
    if (held > 0 && (bits & ((1u << held) - 1)) != 0) /* one text per value: spare bits are zero */
        return TK_ERR_INVALID;
    *len = total;
    return TK_OK;
}
