/* The binder: one table of fields, many bodies, and the errors with their pointers. */
#include <criterion/criterion.h>
#include <string.h>

#include "shared/base/money.h"
#include "shared/json/reader.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct target {
    struct tk_slice title;
    struct tk_slice label;
    struct tk_uuid id;
    int64_t count;
    bool open;
    int64_t price;
    int64_t multiplier;
    int64_t start;
    const struct tk_json *seats;
    const struct tk_json *venue;
    bool has_count;
    bool has_open;
};

#define ROW(n, a, t, f, present, lo, hi)                                                                                   \
    {                                                                                                                      \
        .name = #n, .alias = (a), .type = (t), .flags = (f), .offset = offsetof(struct target, n),                         \
        .present_offset = (present), .min = (lo), .max = (hi)                                                              \
    }

static const struct tk_field fields[] = {
    ROW(title, NULL, TK_FIELD_TEXT, TK_FIELD_REQUIRED, TK_FIELD_NO_PRESENCE, 1, 10),
    ROW(label, NULL, TK_FIELD_LABEL, TK_FIELD_OPTIONAL, TK_FIELD_NO_PRESENCE, 1, 4),
    ROW(id, NULL, TK_FIELD_UUID, TK_FIELD_OPTIONAL, TK_FIELD_NO_PRESENCE, 0, 0),
    ROW(count, "number", TK_FIELD_INT, TK_FIELD_NULLABLE, offsetof(struct target, has_count), 1, 10),
    ROW(open, NULL, TK_FIELD_BOOL, TK_FIELD_OPTIONAL, offsetof(struct target, has_open), 0, 0),
    ROW(price, NULL, TK_FIELD_MONEY, TK_FIELD_OPTIONAL, TK_FIELD_NO_PRESENCE, 100, TK_MONEY_MAX_MINOR),
    ROW(multiplier, "base_multiplier", TK_FIELD_MULTIPLIER, TK_FIELD_OPTIONAL, TK_FIELD_NO_PRESENCE, 0, 0),
    ROW(start, NULL, TK_FIELD_TIME, TK_FIELD_OPTIONAL, TK_FIELD_NO_PRESENCE, 0, 0),
    ROW(seats, NULL, TK_FIELD_ARRAY, TK_FIELD_OPTIONAL, TK_FIELD_NO_PRESENCE, 1, 2),
    ROW(venue, NULL, TK_FIELD_OBJECT, TK_FIELD_OPTIONAL, TK_FIELD_NO_PRESENCE, 0, 0),
};

static const struct tk_json *tree(struct tk_arena *arena, const char *text)
{
    const struct tk_json *root = NULL;
    const char *why = "";
    cr_assert_eq(tk_json_parse(arena, tk_slice_of(text), &root, &why), TK_OK, "%s: %s", text, why);
    return root;
}

static enum tk_err bind(struct tk_arena *arena, const char *text, struct target *target, struct tk_json_errors *errors)
{
    *errors = (struct tk_json_errors){.arena = arena};
    return tk_json_bind(tree(arena, text), "", fields, COUNT(fields), target, errors);
}

Test(json_bind, fills_every_type)
{
    struct tk_arena arena = {0};
    struct tk_json_errors errors;
    struct target t = {0};
    cr_assert_eq(
        bind(&arena,
             "{\"title\":\"T\",\"label\":12,\"id\":\"0194a7f0-1234-7abc-8def-0123456789ab\",\"number\":7,\"open\":true,"
             "\"price\":12.5,\"multiplier\":\"1.25\",\"start\":\"1970-01-01T00:00:01Z\",\"seats\":[1],\"venue\":{}}",
             &t, &errors),
        TK_OK);
    cr_assert(tk_slice_eq_str(t.title, "T"));
    cr_assert(tk_slice_eq_str(t.label, "12"));
    cr_assert_eq(t.id.bytes[15], 0xab);
    cr_assert_eq(t.count, 7);
    cr_assert(t.has_count);
    cr_assert(t.open && t.has_open);
    cr_assert_eq(t.price, 1250);
    cr_assert_eq(t.multiplier, 12500);
    cr_assert_eq(t.start, 1000000);
    cr_assert_eq(t.seats->count, 1);
    cr_assert_eq(t.venue->type, TK_JSON_OBJECT);
    tk_arena_release(&arena);
}

Test(json_bind, absent_members_leave_the_target_alone)
{
    struct tk_arena arena = {0};
    struct tk_json_errors errors;
    struct target t = {.count = 42, .price = 43, .has_count = true, .has_open = true};
    cr_assert_eq(bind(&arena, "{\"title\":\"T\",\"count\":null}", &t, &errors), TK_OK);
    cr_assert_eq(t.count, 42);
    cr_assert_eq(t.price, 43);
    cr_assert_not(t.has_count); /* null counts as absent */
    cr_assert_not(t.has_open);
    tk_arena_release(&arena);
}

/* One wrong member each: the pointer names it, the detail says what would be right. */
Test(json_bind, one_error)
{
    static const struct {
        const char *body;
        const char *pointer;
        const char *detail;
    } rows[] = {
        {"[]", "", "must be an object"},
        {"null", "", "must be an object"},
        {"{}", "/title", "is required"},
        {"{\"title\":null}", "/title", "must be a string"},
        {"{\"title\":5}", "/title", "must be a string"},
        {"{\"title\":\"\"}", "/title", "must be 1 to 10 bytes long"},
        {"{\"title\":\"12345678901\"}", "/title", "must be 1 to 10 bytes long"},
        {"{\"title\":\" \\t\\n \"}", "/title", "must not be blank"},
        {"{\"title\":\"a\\u0001\"}", "/title", "must not contain control characters"},
        {"{\"title\":\"T\",\"label\":1.5}", "/label", "must be a string or an integer"},
        {"{\"title\":\"T\",\"label\":1e2}", "/label", "must be a string or an integer"},
        {"{\"title\":\"T\",\"label\":true}", "/label", "must be a string or an integer"},
        {"{\"title\":\"T\",\"label\":12345}", "/label", "must be 1 to 4 bytes long"},
        {"{\"title\":\"T\",\"label\":99999999999999999999}", "/label", "must be a string or an integer"},
        {"{\"title\":\"T\",\"id\":\"x\"}", "/id", "must be a UUID"},
        {"{\"title\":\"T\",\"id\":7}", "/id", "must be a UUID"},
        {"{\"title\":\"T\",\"count\":0}", "/count", "must be from 1 to 10"},
        {"{\"title\":\"T\",\"count\":-1}", "/count", "must be from 1 to 10"},
        {"{\"title\":\"T\",\"count\":11}", "/count", "must be from 1 to 10"},
        {"{\"title\":\"T\",\"count\":123456789012345678901234567890}", "/count", "must be from 1 to 10"},
        {"{\"title\":\"T\",\"count\":1.0}", "/count", "must be an integer"},
        {"{\"title\":\"T\",\"count\":1e999}", "/count", "must be an integer"},
        {"{\"title\":\"T\",\"count\":\"5\"}", "/count", "must be an integer"},
        {"{\"title\":\"T\",\"number\":true}", "/number", "must be an integer"},
        {"{\"title\":\"T\",\"count\":1,\"number\":1}", "/number", "must not be given together with its other name"},
        {"{\"title\":\"T\",\"open\":1}", "/open", "must be true or false"},
        {"{\"title\":\"T\",\"open\":null}", "/open", "must be true or false"},
        {"{\"title\":\"T\",\"price\":true}", "/price", "must be a number"},
        {"{\"title\":\"T\",\"price\":0.99}", "/price",
         "must be an amount from 1.00 to 9999999999.99 with at most two decimals"},
        {"{\"title\":\"T\",\"price\":-5}", "/price",
         "must be an amount from 1.00 to 9999999999.99 with at most two decimals"},
        {"{\"title\":\"T\",\"price\":1.005}", "/price",
         "must be an amount from 1.00 to 9999999999.99 with at most two decimals"},
        {"{\"title\":\"T\",\"price\":1e999}", "/price",
         "must be an amount from 1.00 to 9999999999.99 with at most two decimals"},
        {"{\"title\":\"T\",\"price\":\"NaN\"}", "/price",
         "must be an amount from 1.00 to 9999999999.99 with at most two decimals"},
        {"{\"title\":\"T\",\"price\":10000000000}", "/price",
         "must be an amount from 1.00 to 9999999999.99 with at most two decimals"},
        {"{\"title\":\"T\",\"base_multiplier\":0}", "/base_multiplier",
         "must be above 0, at most 100, with at most four decimals"},
        {"{\"title\":\"T\",\"multiplier\":[]}", "/multiplier", "must be a number"},
        {"{\"title\":\"T\",\"start\":\"2024-02-30T00:00:00Z\"}", "/start",
         "must be an RFC 3339 time such as 2026-11-21T09:30:00Z"},
        {"{\"title\":\"T\",\"start\":0}", "/start", "must be an RFC 3339 time such as 2026-11-21T09:30:00Z"},
        {"{\"title\":\"T\",\"seats\":{}}", "/seats", "must be an array"},
        {"{\"title\":\"T\",\"seats\":[]}", "/seats", "must have 1 to 2 elements"},
        {"{\"title\":\"T\",\"seats\":[1,2,3]}", "/seats", "must have 1 to 2 elements"},
        {"{\"title\":\"T\",\"venue\":[]}", "/venue", "must be an object"},
        {"{\"title\":\"T\",\"Open\":true}", "/Open", "is not a known member"},
        {"{\"title\":\"T\",\"\":1}", "/", "is not a known member"},
        {"{\"title\":\"T\",\"a/b~c\":1}", "/a~1b~0c", "is not a known member"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct tk_arena arena = {0};
        struct tk_json_errors errors;
        struct target t = {0};
        cr_expect_eq(bind(&arena, rows[i].body, &t, &errors), TK_ERR_INVALID, "%s", rows[i].body);
        cr_assert_eq(errors.count, 1, "%s", rows[i].body);
        cr_expect_str_eq(errors.items[0].pointer, rows[i].pointer);
        cr_expect_str_eq(errors.items[0].detail, rows[i].detail);
        tk_arena_release(&arena);
    }
}

Test(json_bind, names_every_problem_at_once)
{
    struct tk_arena arena = {0};
    struct tk_json_errors errors;
    struct target t = {0};
    cr_assert_eq(bind(&arena, "{\"x\":1,\"count\":0,\"open\":\"no\"}", &t, &errors), TK_ERR_INVALID);
    cr_assert_eq(errors.count, 4); /* x, count, open, and the missing title */
    cr_assert_str_eq(errors.items[3].pointer, "/title");
    cr_assert_not(t.has_count); /* given, but not usable */
    tk_arena_release(&arena);
}

Test(json_bind, stores_no_more_errors_than_fit)
{
    struct tk_arena arena = {0};
    struct tk_json_errors errors = {.arena = &arena};
    for (int i = 0; i < 100; i++)
        tk_json_errors_add(&errors, "/x", "is wrong");
    cr_assert_eq(errors.count, 100);
    cr_assert_str_eq(errors.items[TK_JSON_MAX_ERRORS - 1].detail, "is wrong");
    tk_arena_release(&arena);
}

Test(json_bind, does_not_echo_very_long_names)
{
    struct tk_arena arena = {0};
    struct tk_json_errors errors;
    struct target t = {0};
    struct tk_buf body = TK_BUF_INIT(1 << 16);
    tk_buf_append_str(&body, "{\"title\":\"T\",\"");
    for (int i = 0; i < 5000; i++)
        tk_buf_append_char(&body, 'k');
    tk_buf_append(&body, "\":1}", 5); /* with its NUL */
    cr_assert_eq(bind(&arena, body.ptr, &t, &errors), TK_ERR_INVALID);
    cr_assert_eq(errors.count, 1);
    cr_assert_str_eq(errors.items[0].pointer, "");
    tk_buf_release(&body);
    tk_arena_release(&arena);
}

Test(json_bind, pointers_start_at_the_object)
{
    struct tk_arena arena = {0};
    struct tk_json_errors errors = {.arena = &arena};
    struct target t = {0};
    cr_assert_eq(
        tk_json_bind(tree(&arena, "{\"title\":\"T\",\"id\":\"?\"}"), "/seats/0", fields, COUNT(fields), &t, &errors),
        TK_ERR_INVALID);
    cr_assert_str_eq(errors.items[0].pointer, "/seats/0/id");
    tk_arena_release(&arena);
}

Test(json_bind, known_ignores_the_rest)
{
    struct tk_arena arena = {0};
    struct tk_json_errors errors = {.arena = &arena};
    struct target t = {0};
    cr_assert_eq(tk_json_bind_known(tree(&arena, "{\"new\":[1],\"title\":\"T\"}"), "", fields, COUNT(fields), &t, &errors),
                 TK_OK);
    cr_assert_eq(tk_json_bind_known(tree(&arena, "{\"new\":[1]}"), "", fields, COUNT(fields), &t, &errors), TK_ERR_INVALID);
    tk_arena_release(&arena);
}

#define ID_A "0194a7f0-0000-7000-8000-00000000000a"
#define ID_B "0194a7f0-0000-7000-8000-00000000000b"

Test(json_bind, read_uuids)
{
    static const struct {
        const char *body;
        const char *pointer; /* of the only error; NULL: fine */
        const char *detail;
        size_t count;
    } rows[] = {
        {"[\"" ID_A "\"]", NULL, NULL, 1},
        {"[\"" ID_A "\",\"" ID_B "\"]", NULL, NULL, 2},
        {"{}", "/ids", "must be an array", 0},
        {"[]", "/ids", "must have 1 to 3 elements", 0},
        {"[1,2,3,4]", "/ids", "must have 1 to 3 elements", 0},
        {"[\"" ID_A "\",7]", "/ids/1", "must be a UUID", 0},
        {"[\"x\",\"" ID_A "\"]", "/ids/0", "must be a UUID", 0},
        {"[\"" ID_A "\",\"" ID_B "\",\"0194A7F0-0000-7000-8000-00000000000A\"]", "/ids/2", "must not be repeated", 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct tk_arena arena = {0};
        struct tk_json_errors errors = {.arena = &arena};
        struct tk_uuid *ids = NULL;
        size_t count = 0;
        enum tk_err err = tk_json_read_uuids(tree(&arena, rows[i].body), "/ids", 1, 3, &arena, &ids, &count, &errors);
        cr_expect_eq(err, rows[i].pointer ? TK_ERR_INVALID : TK_OK, "%s", rows[i].body);
        cr_expect_eq(count, rows[i].count, "%s", rows[i].body);
        cr_assert_eq(errors.count, rows[i].pointer ? 1 : 0, "%s", rows[i].body);
        if (rows[i].pointer != NULL) {
            cr_expect_str_eq(errors.items[0].pointer, rows[i].pointer);
            cr_expect_str_eq(errors.items[0].detail, rows[i].detail);
        }
        tk_arena_release(&arena);
    }
}

Test(json_bind, read_many_uuids)
{
    enum { TOTAL = 5000 };
    struct tk_arena arena = {0};
    struct tk_json_errors errors = {.arena = &arena};
    struct tk_buf body = TK_BUF_INIT(1 << 20);
    struct tk_uuid *ids = NULL;
    struct tk_uuid first = tk_uuid_v7();
    size_t count = 0;
    tk_buf_appendf(&body, "[\"%s\"", TK_UUID_TEXT(&first));
    for (int i = 1; i < TOTAL; i++) {
        struct tk_uuid id = tk_uuid_v7();
        tk_buf_appendf(&body, ",\"%s\"", TK_UUID_TEXT(&id));
    }
    size_t whole = body.len;
    tk_buf_append(&body, "]", 2);
    cr_assert_eq(tk_json_read_uuids(tree(&arena, body.ptr), "", 0, TOTAL, &arena, &ids, &count, &errors), TK_OK);
    cr_assert_eq(count, TOTAL);
    body.len = whole;
    tk_buf_appendf(&body, ",\"%s\"]", TK_UUID_TEXT(&first));
    tk_buf_append_char(&body, '\0');
    cr_assert_eq(tk_json_read_uuids(tree(&arena, body.ptr), "", 0, TOTAL + 1, &arena, &ids, &count, &errors),
                 TK_ERR_INVALID);
    cr_assert_str_eq(errors.items[0].pointer, "/5000");
    tk_buf_release(&body);
    tk_arena_release(&arena);
}
