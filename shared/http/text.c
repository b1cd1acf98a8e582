/*
 * Small pieces of HTTP text. Everything here sees bytes a stranger chose.
 */
#include "shared/http/text.h"

#include <string.h>
#include <strings.h>

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/** The value of the escape at `at`, or -1 when there is none or it is NUL. */
static int escape_value(struct tk_slice text, size_t at)
{
    if (text.ptr[at] != '%' || text.len - at < 3)
        return -1;
    int high = hex_value(text.ptr[at + 1]);
    int low = hex_value(text.ptr[at + 2]);
    if (high < 0 || low < 0 || high + low == 0)
        return -1;
    return high * 16 + low;
}

struct tk_slice tk_http_percent_decode(struct tk_arena *arena, struct tk_slice text, bool plus_is_space)
{
    bool plain = text.len == 0 ||
                 (memchr(text.ptr, '%', text.len) == NULL && (!plus_is_space || memchr(text.ptr, '+', text.len) == NULL));
    if (plain)
        return text;
    char *out = tk_arena_alloc(arena, text.len);
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        int value = escape_value(text, i);
        if (value >= 0) {
            out[len++] = (char)value;
            i += 2;
        } else {
            out[len++] = plus_is_space && text.ptr[i] == '+' ? ' ' : text.ptr[i];
        }
    }
    return (struct tk_slice){.ptr = out, .len = len};
}

struct tk_slice tk_http_query_find(struct tk_arena *arena, struct tk_slice query, const char *name)
{
    size_t at = 0;
    while (at < query.len) {
        const char *start = query.ptr + at;
        const char *end = memchr(start, '&', query.len - at);
        size_t len = end != NULL ? (size_t)(end - start) : query.len - at;
        const char *equals = memchr(start, '=', len);
        struct tk_slice key = {.ptr = start, .len = equals != NULL ? (size_t)(equals - start) : len};
        if (tk_slice_eq_str(tk_http_percent_decode(arena, key, true), name)) {
            if (equals == NULL)
                return TK_SLICE("");
            struct tk_slice value = {.ptr = equals + 1, .len = len - key.len - 1};
            return tk_http_percent_decode(arena, value, true);
        }
        at += len + 1;
    }
    return (struct tk_slice){NULL, 0};
}

bool tk_http_is_json_type(struct tk_slice content_type)
{
    size_t len = 0;
    while (len < content_type.len && content_type.ptr[len] != ';')
        len++;
    while (len > 0 && (content_type.ptr[len - 1] == ' ' || content_type.ptr[len - 1] == '\t'))
        len--;
    return tk_slice_ieq_str((struct tk_slice){.ptr = content_type.ptr, .len = len}, "application/json");
}

void tk_http_request_id_accept(struct tk_slice value, char out[64])
{
    if (value.len == 0 || value.len > 63)
        return;
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] <= ' ' || value.ptr[i] > '~')
            return;
    memcpy(out, value.ptr, value.len);
    out[value.len] = '\0';
}

/** `count` lower-case hex digits at `at`; `not_zero` refuses all zeros, which the standard calls invalid ids. */
static bool is_hex_field(const char *at, size_t count, bool not_zero)
{
    bool zero = true;
    for (size_t i = 0; i < count; i++) {
        bool hex = (at[i] >= '0' && at[i] <= '9') || (at[i] >= 'a' && at[i] <= 'f');
        if (!hex)
            return false;
        zero = zero && at[i] == '0';
    }
    return !(not_zero && zero);
}

void tk_http_traceparent_accept(struct tk_slice value, char out[56])
{
    const char *p = value.ptr;
    if (value.len < 55 || p[2] != '-' || p[35] != '-' || p[52] != '-')
        return;
    if (!is_hex_field(p, 2, false) || !is_hex_field(p + 3, 32, true) || !is_hex_field(p + 36, 16, true) ||
        !is_hex_field(p + 53, 2, false))
        return;
    bool version_0 = p[0] == '0' && p[1] == '0';
    bool version_ff = p[0] == 'f' && p[1] == 'f';
    if (version_ff || (version_0 && value.len != 55) || (value.len > 55 && p[55] != '-'))
        return;
    memcpy(out, p, 55);
    out[55] = '\0';
}
