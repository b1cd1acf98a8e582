/*
 * The JSON reader and the binder behind every request body. A text that is accepted is walked (depth, counts, UTF-8) and
 * bound to a table with a field of each type.
 */
#include <string.h>

#include "shared/json/reader.h"
#include "tests/fuzz/fuzz.h"

struct everything {
    struct tk_slice text;
    struct tk_slice label;
    struct tk_uuid id;
    int64_t count;
    bool flag;
    int64_t price;
    int64_t factor;
    int64_t when;
    const struct tk_json *list;
    const struct tk_json *object;
    bool has_count;
};

#define AT(member) offsetof(struct everything, member)
#define FIELD(name, type, a, b)                                                                                            \
    {                                                                                                                      \
#name, NULL, TK_FIELD_##type, TK_FIELD_NULLABLE, AT(name), TK_FIELD_NO_PRESENCE, a, b                              \
    }

static const struct tk_field FIELDS[] = {
    FIELD(text, TEXT, 1, 20),
    FIELD(label, LABEL, 1, 8),
    FIELD(id, UUID, 0, 0),
    {"count", "number", TK_FIELD_INT, TK_FIELD_REQUIRED, AT(count), AT(has_count), -5, INT64_MAX},
    FIELD(flag, BOOL, 0, 0),
    FIELD(price, MONEY, 0, 1000000),
    FIELD(factor, MULTIPLIER, 0, 0),
    FIELD(when, TIME, 0, 0),
    FIELD(list, ARRAY, 0, 5),
    FIELD(object, OBJECT, 0, 0),
};

#define FIELD_COUNT (sizeof(FIELDS) / sizeof(FIELDS[0]))

static void walk(const struct tk_json *value, unsigned depth)
{
    size_t children = 0;
    MUST(depth <= TK_JSON_MAX_DEPTH);
    if (value->type == TK_JSON_STRING)
        MUST(value->text.len == 0 || memchr(value->text.ptr, '\0', value->text.len) == NULL);
    for (const struct tk_json *child = value->child; child != NULL; child = child->next) {
        children++;
        walk(child, depth + 1);
    }
    MUST(children == value->count);
}

static void bind(const struct tk_json *json, struct tk_arena *arena)
{
    struct everything out = {0};
    struct tk_json_errors errors = {.arena = arena};
    struct tk_json_errors lenient = {.arena = arena};
    bool strict = tk_json_bind(json, "", FIELDS, FIELD_COUNT, &out, &errors) == TK_OK;
    bool known = tk_json_bind_known(json, "", FIELDS, FIELD_COUNT, &out, &lenient) == TK_OK;
    MUST(strict == (errors.count == 0));
    MUST(known || !strict);
    MUST(!known || (out.has_count && out.count >= -5 && out.price >= 0 && out.price <= 1000000));
    if (out.list != NULL) {
        struct tk_uuid *ids;
        size_t count;
        struct tk_json_errors wrong = {.arena = arena};
        if (tk_json_read_uuids(out.list, "/list", 1, 4, arena, &ids, &count, &wrong) == TK_OK)
            MUST(count >= 1 && count <= 4);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tk_arena arena = {0};
    const struct tk_json *json = NULL;
    const char *why = NULL;
    if (tk_json_parse(&arena, input_slice(data, size), &json, &why) == TK_OK) {
        walk(json, 0);
        bind(json, &arena);
    } else {
        MUST(why != NULL);
    }
    tk_arena_release(&arena);
    return 0;
}
