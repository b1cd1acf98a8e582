/* The parser: what it accepts, what it refuses, and what the tree holds. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "shared/json/reader.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static enum tk_err parse(struct tk_arena *arena, struct tk_slice text, const struct tk_json **root)
{
    const char *why = NULL;
    enum tk_err err = tk_json_parse(arena, text, root, &why);
    if (err)
        cr_expect(why != NULL && *why != '\0' && strchr(why, '\n') == NULL, "a reason on one line");
    return err;
}

static const char *reason(struct tk_arena *arena, struct tk_slice text)
{
    const struct tk_json *root;
    const char *why = "accepted";
    return tk_json_parse(arena, text, &root, &why) ? why : "accepted";
}

Test(json_reader, accepts)
{
    static const char *const rows[] = {
        "null",
        "true",
        "0",
        "-0",
        "-1.5e+10",
        "\"\"",
        "[]",
        "{}",
        " [ 1 , 2 ] \n",
        "{\"a\":{\"b\":[null,false]}}",
        "\"\\u00e9\\n\\/\\\"\"",
        "\"\\ud83c\\udfab\"",
        "\"\xF0\x9F\x8E\xAB\"",
        "\"\\\\ud800\"",
        "\"\\u0001\"",
        "1e999",
        "123456789012345678901234567890",
        "{\"\":1}",
        "\"\x7F\"",
        "{\"a\":1,\"A\":2}",
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct tk_arena arena = {0};
        const struct tk_json *root;
        cr_expect_eq(parse(&arena, tk_slice_of(rows[i]), &root), TK_OK, "%s", rows[i]);
        tk_arena_release(&arena);
    }
}

Test(json_reader, refuses)
{
    static const char *const rows[] = {
        "",
        " ",
        "\n",
        "nul",
        "nulll",
        "True",
        "NaN",
        "Infinity",
        "-Infinity",
        "-",
        "+1",
        "01",
        "-01",
        "1.",
        ".5",
        "1e",
        "1e+",
        "0x10",
        "1 2",
        "[1]]",
        "{}{}",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{\"a\":1,}",
        "{\"a\"}",
        "{\"a\":}",
        "{a:1}",
        "{'a':1}",
        "{1:2}",
        "[",
        "{",
        "\"",
        "\"a",
        "[\"a]",
        "// x\n1",
        "/* x */ 1",
        "[1] // x",
        "\xEF\xBB\xBF{}",
        "\"\t\"",
        "\"\n\"",
        "\"\x01\"",
        "\"\\x41\"",
        "\"\\\"",
        "\"\\u12\"",
        "\"\\u12G4\"",
        "\"\\u",
        "\\u0041",
        "\"\\u0000\"",
        "\"a\\u0000b\"",
        "{\"a\\u0000\":1}",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800x\"",
        "\"\\ud800\\n\"",
        "\"\\ud800\\u0041\"",
        "\"\\ud800\\ud800\"",
        "\"\\udfff\\ud800\"",
        "\"\\uD83C\"",
        "{\"\\ud800\":1}",
        "\"\\ud800\\udc0\"",
        "\"\x80\"",
        "\"\xC0\xAF\"",
        "\"\xED\xA0\x80\"",
        "\"\xF5\x80\x80\x80\"",
        "\"\xC3\"",
        "{\"\xFF\":1}",
        "\xFF",
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"\\u0061\":2}",
        "[{\"x\":{\"b\":1,\"b\":1}}]",
        "{\"\":1,\"\":2}",
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct tk_arena arena = {0};
        const struct tk_json *root;
        cr_expect_eq(parse(&arena, tk_slice_of(rows[i]), &root), TK_ERR_INVALID, "%s", rows[i]);
        tk_arena_release(&arena);
    }
}

Test(json_reader, refuses_raw_nul)
{
    struct tk_arena arena = {0};
    const struct tk_json *root;
    cr_expect_eq(parse(&arena, (struct tk_slice){.ptr = "\"a\0b\"", .len = 5}, &root), TK_ERR_INVALID);
    cr_expect_eq(parse(&arena, (struct tk_slice){.ptr = "{}\0", .len = 3}, &root), TK_ERR_INVALID);
    cr_expect_eq(parse(&arena, (struct tk_slice){0}, &root), TK_ERR_INVALID);
    tk_arena_release(&arena);
}

Test(json_reader, says_why)
{
    static const struct {
        const char *text;
        const char *why;
    } rows[] = {
        {"", "the text is empty"},
        {"\"\\ud800\"", "a string contains a lone surrogate escape"},
        {"\"\\u0000\"", "a string contains NUL"},
        {"\"\xFF\"", "the text is not valid UTF-8"},
        {"{\"a\":1,\"a\":1}", "an object has two members of the same name"},
        {"[1,", "the text ends too soon"},
        {"{\"secret\":hunter2}", "syntax error near byte 11"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct tk_arena arena = {0};
        const char *why = reason(&arena, tk_slice_of(rows[i].text));
        cr_expect_str_eq(why, rows[i].why);
        tk_arena_release(&arena);
    }
}

/* No prefix of a document is a document, and no byte behind the slice is looked at (the copy ends where its memory does).
 */
Test(json_reader, refuses_every_prefix)
{
    static const char text[] = "{\"a\\u00e9\":[1.5e3,\"\\ud83c\\udfab\\n\",{\"b\":null}],\"\xE2\x82\xAC\":true}";
    for (size_t len = 0; len < sizeof(text) - 1; len++) {
        struct tk_arena arena = {0};
        const struct tk_json *root;
        char *exact = malloc(len > 0 ? len : 1);
        cr_assert_not_null(exact);
        memcpy(exact, text, len);
        cr_expect_eq(parse(&arena, (struct tk_slice){.ptr = exact, .len = len}, &root), TK_ERR_INVALID, "%zu", len);
        free(exact);
        tk_arena_release(&arena);
    }
}

static void fill(char *at, char c, size_t count)
{
    memset(at, c, count);
}

Test(json_reader, depth_is_limited)
{
    static char text[20001];
    struct tk_arena arena = {0};
    const struct tk_json *root;
    for (size_t depth = 1; depth <= TK_JSON_MAX_DEPTH + 1; depth++) {
        fill(text, '[', depth);
        fill(text + depth, ']', depth);
        enum tk_err expected = depth <= TK_JSON_MAX_DEPTH ? TK_OK : TK_ERR_INVALID;
        cr_expect_eq(parse(&arena, (struct tk_slice){.ptr = text, .len = depth * 2}, &root), expected, "%zu", depth);
    }
    fill(text, '[', 10000);
    fill(text + 10000, ']', 10000);
    cr_expect_str_eq(reason(&arena, (struct tk_slice){.ptr = text, .len = 20000}), "nested too deeply");
    tk_arena_release(&arena);
}

static struct tk_slice array_of_zeros(char *text, size_t count)
{
    size_t len = 0;
    text[len++] = '[';
    for (size_t i = 0; i < count; i++) {
        text[len++] = '0';
        text[len++] = i + 1 < count ? ',' : ']';
    }
    return (struct tk_slice){.ptr = text, .len = len};
}

Test(json_reader, nodes_are_limited)
{
    static char text[TK_JSON_MAX_NODES * 2 + 2];
    struct tk_arena arena = {0};
    const struct tk_json *root;
    cr_expect_eq(parse(&arena, array_of_zeros(text, TK_JSON_MAX_NODES - 1), &root), TK_OK); /* the array is one too */
    cr_expect_eq(root->count, TK_JSON_MAX_NODES - 1);
    cr_expect_str_eq(reason(&arena, array_of_zeros(text, TK_JSON_MAX_NODES)), "too many values");
    tk_arena_release(&arena);
}

/* Thousands of members: duplicates are found, and found fast (a quadratic search would take seconds). */
Test(json_reader, duplicates_in_large_objects, .timeout = 5)
{
    enum { MEMBERS = 15000 };
    struct tk_arena arena = {0};
    const struct tk_json *root;
    struct tk_buf text = TK_BUF_INIT(1 << 20);
    for (int i = 0; i < MEMBERS; i++)
        tk_buf_appendf(&text, "%c\"k%d\":0", i == 0 ? '{' : ',', i);
    size_t whole = text.len;
    tk_buf_append_char(&text, '}');
    cr_expect_eq(parse(&arena, tk_buf_slice(&text), &root), TK_OK);
    cr_expect_eq(root->count, MEMBERS);
    text.len = whole;
    tk_buf_append_str(&text, ",\"k7777\":1}");
    cr_expect_str_eq(reason(&arena, tk_buf_slice(&text)), "an object has two members of the same name");
    tk_buf_release(&text);
    tk_arena_release(&arena);
}

Test(json_reader, tree)
{
    struct tk_arena arena = {0};
    const struct tk_json *root;
    static const char text[] = "{\"n\":-12.50,\"t\":\"a\\n\\u00e9\\ud83c\\udfab\",\"b\":true,\"z\":null,\"a\":[1,[2],{}]}";
    cr_assert_eq(parse(&arena, TK_SLICE(text), &root), TK_OK);
    cr_assert_eq(root->type, TK_JSON_OBJECT);
    cr_assert_eq(root->count, 5);
    const struct tk_json *number = tk_json_get(root, "n");
    cr_assert_eq(number->type, TK_JSON_NUMBER);
    cr_assert(tk_slice_eq_str(number->text, "-12.50"));
    cr_assert(tk_slice_eq_str(number->key, "n"));
    cr_assert(tk_slice_eq_str(tk_json_get(root, "t")->text, "a\n\xC3\xA9\xF0\x9F\x8E\xAB"));
    cr_assert(tk_json_get(root, "b")->boolean);
    cr_assert_eq(tk_json_get(root, "z")->type, TK_JSON_NULL);
    const struct tk_json *array = tk_json_get(root, "a");
    cr_assert_eq(array->count, 3);
    cr_assert_eq(array->child->next->child->text.ptr[0], '2');
    cr_assert_eq(array->child->next->next->type, TK_JSON_OBJECT);
    cr_assert_null(array->child->next->next->next);
    cr_assert_null(tk_json_get(root, "missing"));
    cr_assert_null(tk_json_get(array, "n"));
    cr_assert_null(tk_json_get(NULL, "n"));
    tk_arena_release(&arena);
}

/* The tree outlives the text it was read from. */
Test(json_reader, tree_owns_its_text)
{
    struct tk_arena arena = {0};
    const struct tk_json *root;
    char text[] = "{\"key\":\"value\",\"n\":17}";
    cr_assert_eq(parse(&arena, TK_SLICE(text), &root), TK_OK);
    memset(text, 'x', sizeof(text));
    cr_assert(tk_slice_eq_str(tk_json_get(root, "key")->text, "value"));
    cr_assert(tk_slice_eq_str(tk_json_get(root, "n")->text, "17"));
    tk_arena_release(&arena);
}

Test(json_reader, number_at_the_root_keeps_its_text)
{
    struct tk_arena arena = {0};
    const struct tk_json *root;
    cr_assert_eq(parse(&arena, TK_SLICE("-0.10"), &root), TK_OK);
    cr_assert(tk_slice_eq_str(root->text, "-0.10"));
    tk_arena_release(&arena);
}
