/*
 * Tree to struct, by table. Members are walked once; each is matched to its row, read by the row's type and marked as
 * seen. What is required and was not seen is reported at the end, so one answer names every problem.
 */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "shared/base/clock.h"
#include "shared/base/money.h"
#include "shared/json/reader.h"

#define MAX_FIELDS     64
#define MAX_ECHOED_KEY ((size_t)128) /* a longer unknown member is reported without its name */
#define SMALL_SET      ((size_t)32)  /* below, comparing each with each beats a map */

void tk_json_errors_add(struct tk_json_errors *errors, const char *pointer, const char *detail)
{
    if (errors->count < TK_JSON_MAX_ERRORS) {
        errors->items[errors->count] = (struct tk_json_error){
            .pointer = tk_slice_dup(errors->arena, tk_slice_of(pointer)),
            .detail = tk_slice_dup(errors->arena, tk_slice_of(detail)),
        };
    }
    errors->count++;
}

/* --- one value ---------------------------------------------------------------------------------------------------- */

/* Readers return NULL when the value was stored in `out`, else what is wrong with it. */
typedef const char *read_fn(const struct tk_json *value, const struct tk_field *field, void *out, struct tk_arena *arena);

static bool is_blank(struct tk_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (strchr(" \t\r\n", text.ptr[i]) == NULL)
            return false;
    }
    return true;
}

static const char *read_text(const struct tk_json *value, const struct tk_field *field, void *out, struct tk_arena *arena)
{
    if (value->type != TK_JSON_STRING)
        return "must be a string";
    if (!tk_utf8_is_text(value->text))
        return "must not contain control characters";
    if (value->text.len < (size_t)field->min || value->text.len > (size_t)field->max)
        return tk_arena_printf(arena, "must be %" PRId64 " to %" PRId64 " bytes long", field->min, field->max);
    if (field->min > 0 && is_blank(value->text))
        return "must not be blank";
    *(struct tk_slice *)out = value->text;
    return NULL;
}

static const char *read_label(const struct tk_json *value, const struct tk_field *field, void *out, struct tk_arena *arena)
{
    int64_t ignored;
    if (value->type != TK_JSON_NUMBER)
        return value->type == TK_JSON_STRING ? read_text(value, field, out, arena) : "must be a string or an integer";
    if (tk_parse_i64(value->text, &ignored))
        return "must be a string or an integer";
    struct tk_json as_text = {.type = TK_JSON_STRING, .text = value->text};
    return read_text(&as_text, field, out, arena);
}

static const char *read_uuid(const struct tk_json *value, const struct tk_field *field, void *out, struct tk_arena *arena)
{
    (void)field;
    (void)arena;
    if (value->type != TK_JSON_STRING || tk_uuid_parse(value->text, out))
        return "must be a UUID";
    return NULL;
}

static bool is_integer_text(struct tk_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '.' || text.ptr[i] == 'e' || text.ptr[i] == 'E')
            return false;
    }
    return true;
}

static const char *read_int(const struct tk_json *value, const struct tk_field *field, void *out, struct tk_arena *arena)
{
    int64_t number;
    if (value->type != TK_JSON_NUMBER || !is_integer_text(value->text))
        return "must be an integer";
    if (tk_parse_i64(value->text, &number) || number < field->min || number > field->max)
        return tk_arena_printf(arena, "must be from %" PRId64 " to %" PRId64, field->min, field->max);
    *(int64_t *)out = number;
    return NULL;
}

static const char *read_bool(const struct tk_json *value, const struct tk_field *field, void *out, struct tk_arena *arena)
{
    (void)field;
    (void)arena;
    if (value->type != TK_JSON_BOOL)
        return "must be true or false";
    *(bool *)out = value->boolean;
    return NULL;
}

static bool is_decimal(const struct tk_json *value)
{
    return value->type == TK_JSON_NUMBER || value->type == TK_JSON_STRING;
}

static const char *money_range(const struct tk_field *field, struct tk_arena *arena)
{
    struct tk_buf text = TK_BUF_INIT(128);
    tk_buf_append_str(&text, "must be an amount from ");
    tk_money_append(&text, field->min);
    tk_buf_append_str(&text, " to ");
    tk_money_append(&text, field->max);
    tk_buf_append_str(&text, " with at most two decimals");
    const char *copy = tk_slice_dup(arena, tk_buf_slice(&text));
    tk_buf_release(&text);
    return copy;
}

static const char *read_money(const struct tk_json *value, const struct tk_field *field, void *out, struct tk_arena *arena)
{
    int64_t minor;
    if (!is_decimal(value))
        return "must be a number";
    if (tk_money_parse(value->text, &minor) || minor < field->min || minor > field->max)
        return money_range(field, arena);
    *(int64_t *)out = minor;
    return NULL;
}

static const char *read_multiplier(const struct tk_json *value, const struct tk_field *field, void *out,
                                   struct tk_arena *arena)
{
    (void)field;
    (void)arena;
    if (!is_decimal(value))
        return "must be a number";
    if (tk_multiplier_parse(value->text, out))
        return "must be above 0, at most 100, with at most four decimals";
    return NULL;
}

static const char *read_time(const struct tk_json *value, const struct tk_field *field, void *out, struct tk_arena *arena)
{
    (void)field;
    (void)arena;
    if (value->type != TK_JSON_STRING || tk_time_parse(value->text, out))
        return "must be an RFC 3339 time such as 2026-11-21T09:30:00Z";
    return NULL;
}

static const char *read_array(const struct tk_json *value, const struct tk_field *field, void *out, struct tk_arena *arena)
{
    if (value->type != TK_JSON_ARRAY)
        return "must be an array";
    if (value->count < (size_t)field->min || value->count > (size_t)field->max)
        return tk_arena_printf(arena, "must have %" PRId64 " to %" PRId64 " elements", field->min, field->max);
    *(const struct tk_json **)out = value;
    return NULL;
}

static const char *read_object(const struct tk_json *value, const struct tk_field *field, void *out, struct tk_arena *arena)
{
    (void)field;
    (void)arena;
    if (value->type != TK_JSON_OBJECT)
        return "must be an object";
    *(const struct tk_json **)out = value;
    return NULL;
}

static read_fn *const readers[] = {
    [TK_FIELD_TEXT] = read_text,
    [TK_FIELD_LABEL] = read_label,
    [TK_FIELD_UUID] = read_uuid,
    [TK_FIELD_INT] = read_int,
    [TK_FIELD_BOOL] = read_bool,
    [TK_FIELD_MONEY] = read_money,
    [TK_FIELD_MULTIPLIER] = read_multiplier,
    [TK_FIELD_TIME] = read_time,
    [TK_FIELD_ARRAY] = read_array,
    [TK_FIELD_OBJECT] = read_object,
};

/* --- one object --------------------------------------------------------------------------------------------------- */

struct binding {
    const char *pointer;
    const struct tk_field *fields;
    size_t field_count;
    char *target;
    struct tk_json_errors *errors;
    uint64_t seen; /* a bit per row */
};

/* RFC 6901: "~" is written ~0 and "/" is ~1. */
static const char *child_pointer(struct tk_arena *arena, const char *parent, struct tk_slice key)
{
    struct tk_buf text = TK_BUF_INIT(strlen(parent) + key.len * 2 + 1);
    tk_buf_append_str(&text, parent);
    tk_buf_append_char(&text, '/');
    for (size_t i = 0; i < key.len; i++) {
        if (key.ptr[i] == '~' || key.ptr[i] == '/')
            tk_buf_append_str(&text, key.ptr[i] == '~' ? "~0" : "~1");
        else
            tk_buf_append_char(&text, key.ptr[i]);
    }
    const char *copy = tk_slice_dup(arena, tk_buf_slice(&text));
    tk_buf_release(&text);
    return copy;
}

static void report(struct binding *b, struct tk_slice key, const char *detail)
{
    tk_json_errors_add(b->errors, child_pointer(b->errors->arena, b->pointer, key), detail);
}

static size_t find_row(const struct binding *b, struct tk_slice key)
{
    for (size_t i = 0; i < b->field_count; i++) {
        const struct tk_field *field = &b->fields[i];
        if (tk_slice_eq_str(key, field->name) || (field->alias != NULL && tk_slice_eq_str(key, field->alias)))
            return i;
    }
    return b->field_count;
}

static void mark_present(struct binding *b, const struct tk_field *field, bool present)
{
    if (field->present_offset != TK_FIELD_NO_PRESENCE)
        *(bool *)(b->target + field->present_offset) = present;
}

static void bind_member(struct binding *b, const struct tk_json *member, size_t row)
{
    const struct tk_field *field = &b->fields[row];
    uint64_t bit = UINT64_C(1) << row;
    if (member->type == TK_JSON_NULL && (field->flags & TK_FIELD_NULLABLE))
        return;
    if (b->seen & bit) {
        report(b, member->key, "must not be given together with its other name");
        return;
    }
    b->seen |= bit;
    const char *wrong = readers[field->type](member, field, b->target + field->offset, b->errors->arena);
    if (wrong != NULL)
        report(b, member->key, wrong);
    mark_present(b, field, wrong == NULL);
}

static void report_unknown(struct binding *b, struct tk_slice key)
{
    if (key.len <= MAX_ECHOED_KEY)
        report(b, key, "is not a known member");
    else
        tk_json_errors_add(b->errors, b->pointer, "has an unknown member with a very long name");
}

static void report_missing(struct binding *b)
{
    for (size_t i = 0; i < b->field_count; i++) {
        const struct tk_field *field = &b->fields[i];
        if (b->seen & UINT64_C(1) << i)
            continue;
        mark_present(b, field, false);
        if (field->flags & TK_FIELD_REQUIRED)
            report(b, tk_slice_of(field->name), "is required");
    }
}

static enum tk_err bind(const struct tk_json *object, struct binding *b, bool strict)
{
    assert(b->field_count <= MAX_FIELDS && b->errors->arena != NULL);
    size_t before = b->errors->count;
    if (object == NULL || object->type != TK_JSON_OBJECT) {
        tk_json_errors_add(b->errors, b->pointer, "must be an object");
        return TK_ERR_INVALID;
    }
    for (const struct tk_json *member = object->child; member != NULL; member = member->next) {
        size_t row = find_row(b, member->key);
        if (row < b->field_count)
            bind_member(b, member, row);
        else if (strict)
            report_unknown(b, member->key);
    }
    report_missing(b);
    return b->errors->count == before ? TK_OK : TK_ERR_INVALID;
}

enum tk_err tk_json_bind(const struct tk_json *object, const char *pointer, const struct tk_field *fields,
                         size_t field_count, void *target, struct tk_json_errors *errors)
{
    struct binding b = {
        .pointer = pointer, .fields = fields, .field_count = field_count, .target = target, .errors = errors};
    return bind(object, &b, true);
}

enum tk_err tk_json_bind_known(const struct tk_json *object, const char *pointer, const struct tk_field *fields,
                               size_t field_count, void *target, struct tk_json_errors *errors)
{
    struct binding b = {
        .pointer = pointer, .fields = fields, .field_count = field_count, .target = target, .errors = errors};
    return bind(object, &b, false);
}

/* --- arrays of ids ------------------------------------------------------------------------------------------------ */

/* Whether ids[index] equals an earlier one. `map` is used, and filled, only by arrays too long to compare in pairs. */
static bool is_repeated(const struct tk_uuid *ids, size_t index, size_t total, struct tk_uuid_map *map)
{
    if (total > SMALL_SET) {
        bool known = tk_uuid_map_get(map, &ids[index]) != NULL;
        if (!known)
            tk_uuid_map_put(map, &ids[index], map);
        return known;
    }
    for (size_t i = 0; i < index; i++) {
        if (tk_uuid_eq(&ids[i], &ids[index]))
            return true;
    }
    return false;
}

static void report_element(struct tk_json_errors *errors, const char *pointer, size_t index, const char *detail)
{
    tk_json_errors_add(errors, tk_arena_printf(errors->arena, "%s/%zu", pointer, index), detail);
}

static size_t read_elements(const struct tk_json *array, const char *pointer, struct tk_uuid *ids,
                            struct tk_json_errors *errors)
{
    struct tk_uuid_map map = {0};
    size_t index = 0;
    size_t kept = 0;
    for (const struct tk_json *element = array->child; element != NULL; element = element->next, index++) {
        if (element->type != TK_JSON_STRING || tk_uuid_parse(element->text, &ids[kept]))
            report_element(errors, pointer, index, "must be a UUID");
        else if (is_repeated(ids, kept, array->count, &map))
            report_element(errors, pointer, index, "must not be repeated");
        else
            kept++;
    }
    tk_uuid_map_release(&map);
    return kept;
}

enum tk_err tk_json_read_uuids(const struct tk_json *array, const char *pointer, size_t min, size_t max,
                               struct tk_arena *arena, struct tk_uuid **out, size_t *count, struct tk_json_errors *errors)
{
    if (array == NULL || array->type != TK_JSON_ARRAY) {
        tk_json_errors_add(errors, pointer, "must be an array");
        return TK_ERR_INVALID;
    }
    if (array->count < min || array->count > max) {
        tk_json_errors_add(errors, pointer, tk_arena_printf(arena, "must have %zu to %zu elements", min, max));
        return TK_ERR_INVALID;
    }
    struct tk_uuid *ids = tk_arena_alloc(arena, (array->count + 1) * sizeof(*ids));
    size_t kept = read_elements(array, pointer, ids, errors);
    if (kept != array->count)
        return TK_ERR_INVALID;
    *out = ids;
    *count = kept;
    return TK_OK;
}
