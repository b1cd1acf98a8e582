/*
 * JSON text to a tree.
 *
 *   1. scan: one pass over the bytes checks UTF-8 and the \u escapes. yajl's own UTF-8 check lets overlong forms and
 *      surrogates through, and it turns a lone surrogate escape into "?", which would silently change a client's data.
 *   2. The text is copied into the arena once, so that strings without escapes are slices of the copy.
 *   3. yajl tokenizes; the callbacks append nodes below the innermost open container.
 *   4. Duplicate members are looked for when an object closes.
 *
 * yajl gets its memory from the arena too; nothing here needs to be freed on any path.
 */
#include "shared/json/reader.h"

#include <assert.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

/* Below this many members, comparing each with each beats sorting. */
#define SMALL_OBJECT 12

struct parser {
    struct tk_arena *arena;
    struct tk_slice text; /* the arena's copy */
    const char *why;      /* the first refusal */
    struct tk_json *root;
    struct tk_json *open[TK_JSON_MAX_DEPTH]; /* containers, outermost first */
    struct tk_json *last[TK_JSON_MAX_DEPTH]; /* newest child of each */
    size_t depth;
    size_t nodes;
    struct tk_slice key; /* of the member whose value comes next */
};

/* --- scan --------------------------------------------------------------------------------------------------------- */

/* Value of the `\uXXXX` that `text` begins with; -1 when it is something else. */
static int escape_unit(struct tk_slice text)
{
    if (text.len < 6 || text.ptr[0] != '\\' || text.ptr[1] != 'u')
        return -1;
    int value = 0;
    for (size_t i = 2; i < 6; i++) {
        int digit = tk_hex_value(text.ptr[i]);
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

static struct tk_slice rest_from(struct tk_slice text, size_t offset)
{
    return (struct tk_slice){.ptr = text.ptr + offset, .len = text.len - offset};
}

/* Bytes to step over at a backslash; 0 with `why` when the escape is one we refuse. Bad syntax is left to yajl. */
static size_t scan_escape(struct tk_slice text, const char **why)
{
    int unit = escape_unit(text);
    if (unit < 0)
        return text.len < 2 ? 1 : 2;
    if (unit == 0) {
        *why = "a string contains NUL";
        return 0;
    }
    if (unit < 0xD800 || unit > 0xDFFF)
        return 6;
    int low = unit < 0xDC00 ? escape_unit(rest_from(text, 6)) : -1;
    if (low >= 0xDC00 && low <= 0xDFFF)
        return 12;
    *why = "a string contains a lone surrogate escape";
    return 0;
}

static bool is_plain_ascii(const char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t highs = ones * 0x80;
    uint64_t backslash = word ^ (ones * '\\');
    return ((word | ((backslash - ones) & ~backslash)) & highs) == 0;
}

/* NULL when the text holds nothing we refuse before looking at its syntax. */
static const char *scan(struct tk_slice text)
{
    const char *why = NULL;
    size_t i = 0;
    while (i < text.len) {
        if (text.len - i >= 8 && is_plain_ascii(text.ptr + i)) {
            i += 8;
            continue;
        }
        struct tk_slice rest = rest_from(text, i);
        size_t step = rest.ptr[0] == '\\' ? scan_escape(rest, &why) : tk_utf8_sequence(rest.ptr, rest.len);
        if (step == 0)
            return why != NULL ? why : "the text is not valid UTF-8";
        i += step;
    }
    return NULL;
}

/* --- duplicate members -------------------------------------------------------------------------------------------- */

static bool small_object_repeats(const struct tk_json *object)
{
    for (const struct tk_json *a = object->child; a != NULL; a = a->next) {
        for (const struct tk_json *b = a->next; b != NULL; b = b->next) {
            if (tk_slice_eq(a->key, b->key))
                return true;
        }
    }
    return false;
}

static int compare_keys(const void *left, const void *right)
{
    const struct tk_slice *a = left;
    const struct tk_slice *b = right;
    if (a->len != b->len)
        return a->len < b->len ? -1 : 1;
    return a->len > 0 ? memcmp(a->ptr, b->ptr, a->len) : 0;
}

static bool large_object_repeats(struct tk_arena *arena, const struct tk_json *object)
{
    struct tk_slice *keys = tk_arena_alloc(arena, object->count * sizeof(*keys));
    size_t count = 0;
    for (const struct tk_json *member = object->child; member != NULL; member = member->next)
        keys[count++] = member->key;
    qsort(keys, count, sizeof(*keys), compare_keys);
    for (size_t i = 1; i < count; i++) {
        if (compare_keys(&keys[i - 1], &keys[i]) == 0)
            return true;
    }
    return false;
}

static bool repeats_member(struct tk_arena *arena, const struct tk_json *object)
{
    return object->count <= SMALL_OBJECT ? small_object_repeats(object) : large_object_repeats(arena, object);
}

/* --- tree --------------------------------------------------------------------------------------------------------- */

/* yajl's callbacks return 0 to stop. */
static int refuse(struct parser *p, const char *why)
{
    p->why = why;
    return 0;
}

static void attach(struct parser *p, struct tk_json *node)
{
    if (p->depth == 0) {
        p->root = node;
        return;
    }
    struct tk_json *parent = p->open[p->depth - 1];
    struct tk_json **last = &p->last[p->depth - 1];
    if (parent->type == TK_JSON_OBJECT)
        node->key = p->key;
    if (*last == NULL)
        parent->child = node;
    else
        (*last)->next = node;
    *last = node;
    parent->count++;
}

static struct tk_json *add(struct parser *p, enum tk_json_type type)
{
    if (p->nodes == TK_JSON_MAX_NODES) {
        refuse(p, "too many values");
        return NULL;
    }
    p->nodes++;
    struct tk_json *node = tk_arena_alloc(p->arena, sizeof(*node));
    node->type = type;
    attach(p, node);
    return node;
}

/* yajl hands out a part of our copy, or its own scratch buffer when it had to decode escapes. */
static struct tk_slice keep(struct parser *p, const void *bytes, size_t len)
{
    struct tk_slice s = {.ptr = bytes, .len = len};
    uintptr_t at = (uintptr_t)bytes;
    uintptr_t start = (uintptr_t)p->text.ptr;
    if (at < start || at >= start + p->text.len)
        s.ptr = tk_slice_dup(p->arena, s);
    return s;
}

static int on_null(void *ctx)
{
    return add(ctx, TK_JSON_NULL) != NULL;
}

static int on_boolean(void *ctx, int value)
{
    struct tk_json *node = add(ctx, TK_JSON_BOOL);
    if (node == NULL)
        return 0;
    node->boolean = value != 0;
    return 1;
}

static int on_number(void *ctx, const char *text, size_t len)
{
    struct tk_json *node = add(ctx, TK_JSON_NUMBER);
    if (node == NULL)
        return 0;
    node->text = keep(ctx, text, len);
    return 1;
}

static int on_string(void *ctx, const unsigned char *text, size_t len)
{
    struct tk_json *node = add(ctx, TK_JSON_STRING);
    if (node == NULL)
        return 0;
    node->text = keep(ctx, text, len);
    return 1;
}

static int on_map_key(void *ctx, const unsigned char *text, size_t len)
{
    struct parser *p = ctx;
    p->key = keep(p, text, len);
    return 1;
}

static int open_container(struct parser *p, enum tk_json_type type)
{
    if (p->depth == TK_JSON_MAX_DEPTH)
        return refuse(p, "nested too deeply");
    struct tk_json *node = add(p, type);
    if (node == NULL)
        return 0;
    p->open[p->depth] = node;
    p->last[p->depth] = NULL;
    p->depth++;
    return 1;
}

static int on_start_map(void *ctx)
{
    return open_container(ctx, TK_JSON_OBJECT);
}

static int on_start_array(void *ctx)
{
    return open_container(ctx, TK_JSON_ARRAY);
}

static int on_end_map(void *ctx)
{
    struct parser *p = ctx;
    assert(p->depth > 0);
    p->depth--;
    if (repeats_member(p->arena, p->open[p->depth]))
        return refuse(p, "an object has two members of the same name");
    return 1;
}

static int on_end_array(void *ctx)
{
    struct parser *p = ctx;
    assert(p->depth > 0);
    p->depth--;
    return 1;
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_boolean,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_start_map = on_start_map,
    .yajl_map_key = on_map_key,
    .yajl_end_map = on_end_map,
    .yajl_start_array = on_start_array,
    .yajl_end_array = on_end_array,
};

/* --- yajl's memory ------------------------------------------------------------------------------------------------ */

/* In front of each piece, so that growing it knows how much to copy. */
struct piece {
    alignas(max_align_t) size_t size;
};

static void *arena_malloc(void *ctx, size_t size)
{
    struct piece *piece = tk_arena_alloc(ctx, sizeof(*piece) + size);
    piece->size = size;
    return piece + 1;
}

static void arena_free(void *ctx, void *ptr)
{
    (void)ctx;
    (void)ptr;
}

static void *arena_realloc(void *ctx, void *ptr, size_t size)
{
    void *grown = arena_malloc(ctx, size);
    if (ptr != NULL) {
        size_t old = ((struct piece *)ptr - 1)->size;
        memcpy(grown, ptr, old < size ? old : size);
    }
    return grown;
}

/* --- public ------------------------------------------------------------------------------------------------------- */

static bool run_yajl(struct parser *p)
{
    yajl_alloc_funcs memory = {.malloc = arena_malloc, .realloc = arena_realloc, .free = arena_free, .ctx = p->arena};
    yajl_handle yajl = yajl_alloc(&callbacks, &memory, p);
    assert(yajl != NULL);
    yajl_config(yajl, yajl_dont_validate_strings, 1); /* scan() is stricter */
    bool stopped = yajl_parse(yajl, (const unsigned char *)p->text.ptr, p->text.len) != yajl_status_ok;
    if (!stopped && yajl_complete_parse(yajl) == yajl_status_ok)
        return true;
    if (p->why == NULL && stopped)
        p->why = tk_arena_printf(p->arena, "syntax error near byte %zu", yajl_get_bytes_consumed(yajl));
    else if (p->why == NULL)
        p->why = "the text ends too soon";
    return false;
}

enum tk_err tk_json_parse(struct tk_arena *arena, struct tk_slice text, const struct tk_json **out, const char **why)
{
    struct parser p = {.arena = arena};
    p.why = text.len == 0 ? "the text is empty" : scan(text);
    if (p.why == NULL) {
        p.text = tk_slice_copy(arena, text);
        if (run_yajl(&p) && p.root != NULL) {
            *out = p.root;
            return TK_OK;
        }
    }
    *why = p.why != NULL ? p.why : "the text holds no value";
    return TK_ERR_INVALID;
}

const struct tk_json *tk_json_get(const struct tk_json *object, const char *key)
{
    if (object == NULL || object->type != TK_JSON_OBJECT)
        return NULL;
    struct tk_slice wanted = tk_slice_of(key);
    for (const struct tk_json *member = object->child; member != NULL; member = member->next) {
        if (tk_slice_eq(member->key, wanted))
            return member;
    }
    return NULL;
}
