/*
 * Small pieces of HTTP text. Everything here sees bytes a stranger chose.
 */
#include "shared/http/text.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

/** The value of the escape at `at`, or -1 when there is none or it is NUL. */
static int escape_value(struct tk_slice text, size_t at)
{
    if (text.ptr[at] != '%' || text.len - at < 3)
        return -1;
    int high = tk_hex_value(text.ptr[at + 1]);
    int low = tk_hex_value(text.ptr[at + 2]);
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

struct pair {
    struct tk_slice name; /* decoded */
    struct tk_slice value;
};

/** Takes the next non-empty piece off `query`; false: there is none. A piece without `=` has an empty value. */
static bool next_pair(struct tk_arena *arena, struct tk_slice *query, struct pair *out)
{
    while (query->len > 0) {
        const char *end = memchr(query->ptr, '&', query->len);
        const struct tk_slice piece = {.ptr = query->ptr, .len = end != NULL ? (size_t)(end - query->ptr) : query->len};
        const size_t used = end != NULL ? piece.len + 1 : piece.len;
        *query = (struct tk_slice){.ptr = query->ptr + used, .len = query->len - used};
        if (piece.len == 0)
            continue;
        const char *equals = memchr(piece.ptr, '=', piece.len);
        const size_t name_len = equals != NULL ? (size_t)(equals - piece.ptr) : piece.len;
        out->name = tk_http_percent_decode(arena, (struct tk_slice){piece.ptr, name_len}, true);
        out->value = equals != NULL ? (struct tk_slice){.ptr = equals + 1, .len = piece.len - name_len - 1} : TK_SLICE("");
        return true;
    }
    return false;
}

struct tk_slice tk_http_query_find(struct tk_arena *arena, struct tk_slice query, const char *name)
{
    struct pair pair;
    while (next_pair(arena, &query, &pair))
        if (tk_slice_eq_str(pair.name, name))
            return tk_http_percent_decode(arena, pair.value, true);
    return (struct tk_slice){NULL, 0};
}

/** Place of `name` among the words of `known`; -1: none of them. */
static int word_index(const char *known, struct tk_slice name)
{
    for (int i = 0; known != NULL && *known != '\0'; i++) {
        const size_t len = strcspn(known, " ");
        if (tk_slice_eq(name, (struct tk_slice){.ptr = known, .len = len}))
            return i;
        known += len + (known[len] == ' ' ? 1 : 0);
    }
    return -1;
}

enum tk_http_query_fault tk_http_query_check(struct tk_arena *arena, struct tk_slice query, const char *known,
                                             struct tk_slice *name)
{
    uint32_t seen = 0;
    struct pair pair;
    while (next_pair(arena, &query, &pair)) {
        const int index = word_index(known, pair.name);
        *name = pair.name;
        if (index < 0)
            return TK_HTTP_QUERY_UNKNOWN;
        if ((seen & UINT32_C(1) << index) != 0)
            return TK_HTTP_QUERY_TWICE;
        seen |= UINT32_C(1) << index;
    }
    return TK_HTTP_QUERY_FINE;
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
