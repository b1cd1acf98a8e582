/* JSON out: commas, nesting, escaping, our own types, overflow; what is written is read back by our own reader. */
#include <criterion/criterion.h>
#include <string.h>

#include "shared/json/reader.h"
#include "shared/json/writer.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void expect_text(struct tk_buf *buf, const char *expected)
{
    cr_expect(tk_slice_eq_str(tk_buf_slice(buf), expected), "%.*s instead of %s", (int)buf->len, buf->ptr, expected);
    tk_buf_release(buf);
}

Test(json_writer, empty_containers)
{
    struct tk_buf buf = TK_BUF_INIT(100);
    struct tk_jsonw w = TK_JSONW(&buf);
    tk_jsonw_begin_object(&w, NULL);
    tk_jsonw_begin_array(&w, "a");
    tk_jsonw_end_array(&w);
    tk_jsonw_begin_object(&w, "o");
    tk_jsonw_end_object(&w);
    tk_jsonw_end_object(&w);
    expect_text(&buf, "{\"a\":[],\"o\":{}}");
}

Test(json_writer, every_type)
{
    struct tk_uuid id;
    cr_assert_eq(tk_uuid_parse(TK_SLICE("0194a7f0-1234-7abc-8def-0123456789ab"), &id), TK_OK);
    struct tk_buf buf = TK_BUF_INIT(1000);
    struct tk_jsonw w = TK_JSONW(&buf);
    tk_jsonw_begin_object(&w, NULL);
    tk_jsonw_uuid(&w, "id", &id);
    tk_jsonw_money(&w, "price", 10000);
    tk_jsonw_multiplier(&w, "multiplier", 15000);
    tk_jsonw_time(&w, "at", 0);
    tk_jsonw_time(&w, "never", TK_TIME_NONE);
    tk_jsonw_null(&w, "null");
    tk_jsonw_bool(&w, "yes", true);
    tk_jsonw_bool(&w, "no", false);
    tk_jsonw_i64(&w, "n", INT64_MIN);
    tk_jsonw_text(&w, "t", TK_SLICE("x"));
    tk_jsonw_text(&w, "empty", (struct tk_slice){0});
    tk_jsonw_str(&w, "s", "y");
    tk_jsonw_str(&w, "none", NULL);
    tk_jsonw_raw(&w, "raw", TK_SLICE("[1]"));
    tk_jsonw_end_object(&w);
    expect_text(&buf, "{\"id\":\"0194a7f0-1234-7abc-8def-0123456789ab\",\"price\":100.00,\"multiplier\":1.5,"
                      "\"at\":\"1970-01-01T00:00:00Z\",\"never\":null,\"null\":null,\"yes\":true,\"no\":false,"
                      "\"n\":-9223372036854775808,\"t\":\"x\",\"empty\":\"\",\"s\":\"y\",\"none\":null,\"raw\":[1]}");
}

Test(json_writer, arrays_separate_their_elements)
{
    struct tk_buf buf = TK_BUF_INIT(100);
    struct tk_jsonw w = TK_JSONW(&buf);
    tk_jsonw_begin_array(&w, NULL);
    for (int i = 0; i < 3; i++) {
        tk_jsonw_begin_object(&w, NULL);
        tk_jsonw_i64(&w, "i", i);
        tk_jsonw_end_object(&w);
    }
    tk_jsonw_money(&w, NULL, 1);
    tk_jsonw_end_array(&w);
    expect_text(&buf, "[{\"i\":0},{\"i\":1},{\"i\":2},0.01]");
}

Test(json_writer, escapes)
{
    static const struct {
        const char *ptr;
        size_t len;
        const char *json;
    } rows[] = {
        {"", 0, "\"\""},
        {"\"\\/", 3, "\"\\\"\\\\/\""},
        {"\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\""},
        {"a\0b", 3, "\"a\\u0000b\""},
        {"\x1F\x7F", 2, "\"\\u001f\x7F\""},
        {"caf\xC3\xA9 \xF0\x9F\x8E\xAB", 10, "\"caf\xC3\xA9 \xF0\x9F\x8E\xAB\""},
        {"\xFF", 1, "\"\\ufffd\""},
        {"a\xC3", 2, "\"a\\ufffd\""},
        {"\xED\xA0\x80", 3, "\"\\ufffd\\ufffd\\ufffd\""},
        {"plain then \"", 12, "\"plain then \\\"\""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct tk_buf buf = TK_BUF_INIT(100);
        struct tk_jsonw w = TK_JSONW(&buf);
        tk_jsonw_text(&w, NULL, (struct tk_slice){.ptr = rows[i].ptr, .len = rows[i].len});
        expect_text(&buf, rows[i].json);
    }
}

/* Every byte value but NUL (which the reader refuses) survives, or becomes U+FFFD: the result always parses. */
Test(json_writer, what_is_written_can_be_read)
{
    for (int c = 1; c < 256; c++) {
        struct tk_arena arena = {0};
        struct tk_buf buf = TK_BUF_INIT(100);
        struct tk_jsonw w = TK_JSONW(&buf);
        char byte = (char)c;
        const struct tk_json *root = NULL;
        const char *why = "";
        tk_jsonw_text(&w, NULL, (struct tk_slice){.ptr = &byte, .len = 1});
        cr_expect_eq(tk_json_parse(&arena, tk_buf_slice(&buf), &root, &why), TK_OK, "byte %d: %s", c, why);
        cr_expect(tk_slice_eq(root->text, c < 128 ? (struct tk_slice){&byte, 1} : TK_SLICE("\xEF\xBF\xBD")), "byte %d", c);
        tk_buf_release(&buf);
        tk_arena_release(&arena);
    }
}

/* Whatever the limit, the writer never writes past it and always says so. */
Test(json_writer, overflow_surfaces_once_at_the_end)
{
    for (size_t max = 0; max < 40; max++) {
        struct tk_buf buf = TK_BUF_INIT(max);
        struct tk_jsonw w = TK_JSONW(&buf);
        tk_jsonw_begin_object(&w, NULL);
        tk_jsonw_text(&w, "a", TK_SLICE("x\ny"));
        tk_jsonw_time(&w, "b", 0);
        tk_jsonw_end_object(&w);
        cr_expect_eq(buf.overflow, max < strlen("{\"a\":\"x\\ny\",\"b\":\"1970-01-01T00:00:00Z\"}"), "%zu", max);
        cr_expect_leq(buf.len, max);
        tk_buf_release(&buf);
    }
}
