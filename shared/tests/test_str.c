/* Slices, bounded buffers, UTF-8, integers, base64, the arena, names of outcomes. */
#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

#include "shared/base/mem.h"
#include "shared/base/result.h"
#include "shared/base/str.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct tk_slice bytes(const char *ptr, size_t len)
{
    return (struct tk_slice){.ptr = ptr, .len = len};
}

Test(str, slices_compare_by_content)
{
    struct tk_slice empty = {0};
    cr_assert(tk_slice_eq(empty, tk_slice_of(NULL)));
    cr_assert(tk_slice_eq(empty, TK_SLICE("")));
    cr_assert(tk_slice_eq_str(TK_SLICE("abc"), "abc"));
    cr_assert_not(tk_slice_eq_str(TK_SLICE("abc"), "abcd"));
    cr_assert_not(tk_slice_eq_str(TK_SLICE("abc"), "ABC"));
    cr_assert(tk_slice_ieq_str(TK_SLICE("Content-Type"), "content-TYPE"));
    cr_assert_not(tk_slice_ieq_str(TK_SLICE("["), "{")); /* only letters fold */
    cr_assert(tk_slice_eq(bytes("a\0b", 3), bytes("a\0b", 3)));
    cr_assert_not(tk_slice_eq(bytes("a\0b", 3), bytes("a\0c", 3)));
}

Test(str, dup_adds_a_nul)
{
    struct tk_arena arena = {0};
    cr_assert_str_eq(tk_slice_dup(&arena, bytes("abcdef", 3)), "abc");
    cr_assert_str_eq(tk_slice_dup(&arena, (struct tk_slice){0}), "");
    cr_assert_str_eq(tk_arena_printf(&arena, "%s/%d", "seats", 7), "seats/7");
    tk_arena_release(&arena);
}

Test(str, buffer_grows_up_to_its_maximum)
{
    struct tk_buf buf = TK_BUF_INIT(1000);
    for (int i = 0; i < 100; i++)
        tk_buf_append_str(&buf, "0123456789");
    cr_assert_not(buf.overflow);
    cr_assert_eq(buf.len, 1000);
    cr_assert_leq(buf.cap, 1000);
    tk_buf_append_char(&buf, 'x');
    cr_assert(buf.overflow);
    cr_assert_eq(buf.len, 1000);
    tk_buf_release(&buf);
    cr_assert_eq(buf.max, 1000);
    cr_assert_not(buf.overflow);
    cr_assert_null(buf.ptr);
}

Test(str, overflow_sticks_until_reset)
{
    struct tk_buf buf = TK_BUF_INIT(4);
    tk_buf_append_str(&buf, "abc");
    tk_buf_append_str(&buf, "de");
    cr_assert(buf.overflow);
    tk_buf_append_char(&buf, 'f'); /* would fit, but the text already has a hole */
    cr_assert_eq(buf.len, 3);
    cr_assert_null(tk_buf_extend(&buf, 1));
    tk_buf_reset(&buf);
    cr_assert_not(buf.overflow);
    tk_buf_append_str(&buf, "wxyz");
    cr_assert(tk_slice_eq_str(tk_buf_slice(&buf), "wxyz"));
    cr_assert_not(buf.overflow);
    tk_buf_release(&buf);
}

Test(str, empty_appends_change_nothing)
{
    struct tk_buf buf = TK_BUF_INIT(0);
    tk_buf_append(&buf, NULL, 0);
    tk_buf_append_slice(&buf, (struct tk_slice){0});
    tk_buf_append_str(&buf, NULL);
    cr_assert_not(buf.overflow);
    cr_assert_eq(buf.len, 0);
    tk_buf_append_char(&buf, 'x');
    cr_assert(buf.overflow);
    tk_buf_release(&buf);
}

Test(str, appendf_fills_to_the_last_byte)
{
    struct tk_buf buf = TK_BUF_INIT(5);
    tk_buf_appendf(&buf, "%d-%s", 12, "ab");
    cr_assert_not(buf.overflow);
    cr_assert(tk_slice_eq_str(tk_buf_slice(&buf), "12-ab"));
    tk_buf_appendf(&buf, "%s", "");
    cr_assert_not(buf.overflow);
    tk_buf_release(&buf);
}

Test(str, integers_append_in_decimal)
{
    static const struct {
        int64_t value;
        const char *text;
    } rows[] = {{0, "0"}, {7, "7"}, {-1, "-1"}, {INT64_MAX, "9223372036854775807"}, {INT64_MIN, "-9223372036854775808"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct tk_buf buf = TK_BUF_INIT(64);
        tk_buf_append_i64(&buf, rows[i].value);
        cr_expect(tk_slice_eq_str(tk_buf_slice(&buf), rows[i].text), "%s", rows[i].text);
        tk_buf_release(&buf);
    }
}

Test(str, integers_parse_strictly)
{
    static const struct {
        const char *text;
        enum tk_err err;
        int64_t value;
    } rows[] = {
        {"0", TK_OK, 0},
        {"-0", TK_OK, 0},
        {"42", TK_OK, 42},
        {"-42", TK_OK, -42},
        {"9223372036854775807", TK_OK, INT64_MAX},
        {"-9223372036854775808", TK_OK, INT64_MIN},
        {"9223372036854775808", TK_ERR_INVALID, 0},
        {"-9223372036854775809", TK_ERR_INVALID, 0},
        {"99999999999999999999999999", TK_ERR_INVALID, 0},
        {"", TK_ERR_INVALID, 0},
        {"-", TK_ERR_INVALID, 0},
        {"+1", TK_ERR_INVALID, 0},
        {"01", TK_ERR_INVALID, 0},
        {"-01", TK_ERR_INVALID, 0},
        {"00", TK_ERR_INVALID, 0},
        {" 1", TK_ERR_INVALID, 0},
        {"1 ", TK_ERR_INVALID, 0},
        {"1.0", TK_ERR_INVALID, 0},
        {"1e3", TK_ERR_INVALID, 0},
        {"0x10", TK_ERR_INVALID, 0},
        {"--1", TK_ERR_INVALID, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t value = 0;
        cr_expect_eq(tk_parse_i64(tk_slice_of(rows[i].text), &value), rows[i].err, "%s", rows[i].text);
        cr_expect_eq(value, rows[i].value, "%s", rows[i].text);
    }
}

Test(str, integers_parse_no_further_than_the_slice)
{
    int64_t value;
    cr_assert_eq(tk_parse_i64(bytes("1234", 2), &value), TK_OK);
    cr_assert_eq(value, 12);
}

Test(str, utf8_text)
{
    static const struct {
        const char *name;
        const char *ptr;
        size_t len;
        bool ok;
    } rows[] = {
        {"empty", "", 0, true},
        {"ascii", "row A\t1\r\n", 9, true},
        {"two bytes", "\xC3\xA9", 2, true},
        {"three bytes", "\xE2\x82\xAC", 3, true},
        {"four bytes", "\xF0\x9F\x8E\xAB", 4, true},
        {"largest", "\xF4\x8F\xBF\xBF", 4, true},
        {"before the surrogates", "\xED\x9F\xBF", 3, true},
        {"nul", "a\0b", 3, false},
        {"escape", "\x1B[0m", 4, false},
        {"bell", "\a", 1, false},
        {"lone continuation", "\x80", 1, false},
        {"overlong slash", "\xC0\xAF", 2, false},
        {"overlong in three", "\xE0\x80\xAF", 3, false},
        {"overlong in four", "\xF0\x80\x80\xAF", 4, false},
        {"surrogate", "\xED\xA0\x80", 3, false},
        {"beyond unicode", "\xF4\x90\x80\x80", 4, false},
        {"five bytes", "\xF8\x88\x80\x80\x80", 5, false},
        {"cut in two", "\xC3", 1, false},
        {"cut in three", "\xE2\x82", 2, false},
        {"cut in four", "\xF0\x9F\x8E", 3, false},
        {"latin-1", "caf\xE9!", 5, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        cr_expect_eq(tk_utf8_is_text(bytes(rows[i].ptr, rows[i].len)), rows[i].ok, "%s", rows[i].name);
}

/* RFC 4648 section 10 */
Test(str, base64_vectors)
{
    static const struct {
        const char *plain;
        const char *padded;
        const char *url;
    } rows[] = {
        {"", "", ""},
        {"f", "Zg==", "Zg"},
        {"fo", "Zm8=", "Zm8"},
        {"foo", "Zm9v", "Zm9v"},
        {"foob", "Zm9vYg==", "Zm9vYg"},
        {"fooba", "Zm9vYmE=", "Zm9vYmE"},
        {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
        {"\xFB\xEF\xFF", "++//", "--__"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct tk_buf padded = TK_BUF_INIT(64);
        struct tk_buf url = TK_BUF_INIT(64);
        char back[16];
        size_t len = 99;
        tk_base64_append(&padded, rows[i].plain, strlen(rows[i].plain));
        tk_base64url_append(&url, rows[i].plain, strlen(rows[i].plain));
        cr_expect(tk_slice_eq_str(tk_buf_slice(&padded), rows[i].padded), "%s", rows[i].padded);
        cr_expect(tk_slice_eq_str(tk_buf_slice(&url), rows[i].url), "%s", rows[i].url);
        cr_expect_eq(tk_base64url_decode(tk_buf_slice(&url), back, sizeof(back), &len), TK_OK);
        cr_expect(tk_slice_eq_str(bytes(back, len), rows[i].plain), "%s", rows[i].url);
        tk_buf_release(&padded);
        tk_buf_release(&url);
    }
}

Test(str, base64url_refuses)
{
    static const char *const rows[] = {"A", "AAAAA", "Zg==", "Z+8", "Z/8", "Z 8", "Zh", "Zm9", "AAAAAAAAAAAA"};
    for (size_t i = 0; i < COUNT(rows); i++) {
        char out[8]; /* the last row is nine bytes */
        size_t len;
        cr_expect_eq(tk_base64url_decode(tk_slice_of(rows[i]), out, sizeof(out), &len), TK_ERR_INVALID, "%s", rows[i]);
    }
}

Test(mem, arena_memory_is_zeroed_aligned_and_disjoint)
{
    struct tk_arena arena = {0};
    unsigned char *pieces[600];
    for (size_t i = 0; i < COUNT(pieces); i++) {
        pieces[i] = tk_arena_alloc(&arena, i);
        cr_assert_eq((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
        for (size_t j = 0; j < i; j++)
            cr_assert_eq(pieces[i][j], 0);
        memset(pieces[i], (int)(i & 0xFF), i);
    }
    for (size_t i = 0; i < COUNT(pieces); i++) {
        for (size_t j = 0; j < i; j++)
            cr_assert_eq(pieces[i][j], i & 0xFF);
    }
    tk_arena_release(&arena);
    cr_assert_null(arena.head);
}

Test(mem, arena_takes_pieces_larger_than_a_block)
{
    struct tk_arena arena = {0};
    memset(tk_arena_alloc(&arena, 1 << 20), 1, 1 << 20);
    memset(tk_arena_alloc(&arena, 100), 2, 100);
    tk_arena_release(&arena);
    memset(tk_arena_alloc(&arena, 100), 3, 100); /* usable again */
    tk_arena_release(&arena);
    tk_arena_release(&arena);
}

Test(result, every_outcome_has_its_own_name)
{
    for (int a = TK_OK; a <= TK_ERR_IO; a++) {
        cr_expect_str_neq(tk_err_name((enum tk_err)a), "unnamed");
        for (int b = TK_OK; b < a; b++)
            cr_expect_str_neq(tk_err_name((enum tk_err)a), tk_err_name((enum tk_err)b));
    }
    cr_expect_str_eq(tk_err_name((enum tk_err)99), "unnamed");
    cr_expect_str_eq(tk_step_name(TK_STEP_OK), "ok");
    cr_expect_str_eq(tk_step_name(TK_STEP_REFUSED), "refused");
    cr_expect_str_eq(tk_step_name(TK_STEP_FAILED), "failed");
    cr_expect_str_eq(tk_step_name(TK_STEP_UNKNOWN), "unknown");
    cr_expect_str_eq(tk_step_name((enum tk_step)99), "unnamed");
}
