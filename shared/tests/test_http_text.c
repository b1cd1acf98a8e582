/*
 * Problem documents, query strings, header values, gzip: everything of shared/http that needs no server.
 */
#include <criterion/criterion.h>
#include <string.h>
#include <zlib.h>

#include "shared/http/gzip.h"
#include "shared/http/problem.h"
#include "shared/http/text.h"

static struct tk_arena arena;

/* --- problem ---------------------------------------------------------------------------------------------------------- */

static struct tk_slice problem_of(struct tk_slice instance, const char *request_id, const struct tk_json_errors *errors,
                                  const struct tk_buf *members)
{
    static struct tk_buf out;
    tk_buf_release(&out);
    out = TK_BUF_INIT(65536);
    tk_problem_write(&out, &TK_PROBLEM_CONFLICT, "say \"why\"", instance, request_id, errors, members);
    return tk_buf_slice(&out);
}

Test(http_text, a_problem_has_its_members_in_order)
{
    struct tk_buf members = TK_BUF_INIT(100);
    struct tk_json_errors errors = {.arena = &arena};
    tk_buf_append_str(&members, "\"lost\":[1,2]");
    tk_json_errors_add(&errors, "/a/0", "wrong");
    struct tk_slice text = problem_of(TK_SLICE("/things/7"), "r1", &errors, &members);
    const char *expected = "{\"type\":\"urn:ticketing:problem:conflict\",\"title\":\"The resource's state forbids this\","
                           "\"status\":409,\"detail\":\"say \\\"why\\\"\",\"instance\":\"/things/7\",\"code\":\"conflict\","
                           "\"request_id\":\"r1\",\"errors\":[{\"pointer\":\"/a/0\",\"detail\":\"wrong\"}],\"lost\":[1,2]}";
    cr_assert(tk_slice_eq_str(text, expected), "%.*s", (int)text.len, text.ptr);
    tk_buf_release(&members);
}

Test(http_text, a_problem_is_valid_json_whatever_the_path_was)
{
    static char long_path[1000];
    memset(long_path, 'a', sizeof(long_path));
    const struct tk_slice paths[] = {
        TK_SLICE("/\xff\xfe"), TK_SLICE("/\"quoted\\"), TK_SLICE("/\x01"), TK_SLICE(""), {long_path, sizeof(long_path)}};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        const struct tk_json *json = NULL;
        const char *why = NULL;
        struct tk_slice text = problem_of(paths[i], NULL, NULL, NULL);
        cr_expect_eq(tk_json_parse(&arena, text, &json, &why), TK_OK, "%s: %.*s", why, (int)text.len, text.ptr);
    }
}

Test(http_text, more_errors_than_are_kept_are_counted)
{
    struct tk_json_errors errors = {.arena = &arena};
    for (int i = 0; i < 40; i++)
        tk_json_errors_add(&errors, "/x", "wrong");
    struct tk_slice text = problem_of(TK_SLICE("/"), "r", &errors, NULL);
    const struct tk_json *json = NULL;
    const char *why = NULL;
    cr_assert_eq(tk_json_parse(&arena, text, &json, &why), TK_OK);
    cr_assert_leq(tk_json_get(json, "errors")->count, 20);
    cr_assert_not_null(tk_json_get(json, "more_errors"));
}

/* --- query ------------------------------------------------------------------------------------------------------------ */

struct query_row {
    const char *query;
    const char *name;
    const char *value; /* NULL: absent */
};

static const struct query_row QUERIES[] = {
    {"a=1&b=2", "b", "2"},
    {"a=1&a=2", "a", "1"},
    {"a=1", "b", NULL},
    {"", "a", NULL},
    {"a", "a", ""},
    {"a=", "a", ""},
    {"=1", "a", NULL},
    {"&&a=1&&", "a", "1"},
    {"ab=1", "a", NULL},
    {"a=b=c", "a", "b=c"},
    {"a=%41%62", "a", "Ab"},
    {"%61=1", "a", "1"},
    {"a=x+y%2Bz", "a", "x y+z"},
    {"a=%", "a", "%"},
    {"a=%4", "a", "%4"},
    {"a=%zz", "a", "%zz"},
    {"a=1%00", "a", "1%00"},
    {"a=%e4%bd%a0", "a", "\xe4\xbd\xa0"},
};

Test(http_text, query_parameters_are_found_and_decoded)
{
    for (size_t i = 0; i < sizeof(QUERIES) / sizeof(QUERIES[0]); i++) {
        struct tk_slice value = tk_http_query_find(&arena, tk_slice_of(QUERIES[i].query), QUERIES[i].name);
        if (QUERIES[i].value == NULL)
            cr_expect_null(value.ptr, "%s in %s", QUERIES[i].name, QUERIES[i].query);
        else
            cr_expect(value.ptr != NULL && tk_slice_eq_str(value, QUERIES[i].value), "%s in %s: %.*s", QUERIES[i].name,
                      QUERIES[i].query, (int)value.len, value.ptr);
    }
}

struct check_row {
    const char *query;
    const char *known;
    enum tk_http_query_fault fault;
    const char *name;
};

static const struct check_row CHECKS[] = {
    {"", NULL, TK_HTTP_QUERY_FINE, ""},
    {"&&", NULL, TK_HTTP_QUERY_FINE, ""},
    {"limit=1&cursor=x&", "limit cursor", TK_HTTP_QUERY_FINE, ""},
    {"cursor&limit", "limit cursor", TK_HTTP_QUERY_FINE, ""},
    {"%6cimit=1", "limit", TK_HTTP_QUERY_FINE, ""},
    {"limit=1", NULL, TK_HTTP_QUERY_UNKNOWN, "limit"},
    {"sicne=5", "since", TK_HTTP_QUERY_UNKNOWN, "sicne"},
    {"=5", "since", TK_HTTP_QUERY_UNKNOWN, ""},
    {"Limit=5", "limit cursor", TK_HTTP_QUERY_UNKNOWN, "Limit"},
    {"limi=5", "limit cursor", TK_HTTP_QUERY_UNKNOWN, "limi"},
    {"limit cursor=5", "limit cursor", TK_HTTP_QUERY_UNKNOWN, "limit cursor"},
    {"limit=1&x=2&limit=3", "limit", TK_HTTP_QUERY_UNKNOWN, "x"},
    {"limit=1&limit=1", "limit", TK_HTTP_QUERY_TWICE, "limit"},
    {"cursor=&limit=1&%63ursor=", "limit cursor", TK_HTTP_QUERY_TWICE, "cursor"},
};

Test(http_text, query_parameters_are_known_and_given_once)
{
    for (size_t i = 0; i < sizeof(CHECKS) / sizeof(CHECKS[0]); i++) {
        const struct check_row *row = &CHECKS[i];
        struct tk_slice name = {0};
        cr_expect_eq(tk_http_query_check(&arena, tk_slice_of(row->query), row->known, &name), row->fault, "%s", row->query);
        if (row->fault != TK_HTTP_QUERY_FINE)
            cr_expect(tk_slice_eq_str(name, row->name), "%s: %.*s", row->query, (int)name.len, name.ptr);
    }
}

Test(http_text, json_content_types_are_recognised)
{
    static const char *const good[] = {"application/json", "application/JSON; charset=utf-8", "application/json ;x=y"};
    static const char *const bad[] = {"",
                                      "application/problem+json",
                                      "text/json",
                                      "application/jsonx",
                                      "application/jso",
                                      "application/json, text/plain",
                                      "*/*"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        cr_expect(tk_http_is_json_type(tk_slice_of(good[i])), "%s", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_expect_not(tk_http_is_json_type(tk_slice_of(bad[i])), "%s", bad[i]);
}

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN  "00f067aa0ba902b7"

Test(http_text, traceparents_are_checked)
{
    static const char *const good[] = {"00-" TRACE "-" SPAN "-01", "cc-" TRACE "-" SPAN "-00-future",
                                       "01-" TRACE "-" SPAN "-00"};
    static const char *const bad[] = {"",
                                      "00-" TRACE "-" SPAN "-0",
                                      "00-" TRACE "-" SPAN "-01-more",
                                      "00-" TRACE "-" SPAN "-01x",
                                      "01-" TRACE "-" SPAN "-01x",
                                      "ff-" TRACE "-" SPAN "-01",
                                      "00-00000000000000000000000000000000-" SPAN "-01",
                                      "00-" TRACE "-0000000000000000-01",
                                      "00-4BF92F3577b34da6a3ce929d0e0e4736-" SPAN "-01",
                                      "00-" TRACE "_" SPAN "-01",
                                      "0g-" TRACE "-" SPAN "-01"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        char out[56] = "";
        tk_http_traceparent_accept(tk_slice_of(good[i]), out);
        cr_expect_eq(strlen(out), 55, "%s", good[i]);
        cr_expect_eq(strncmp(out, good[i], 55), 0);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char out[56] = "";
        tk_http_traceparent_accept(tk_slice_of(bad[i]), out);
        cr_expect_str_eq(out, "", "%s", bad[i]);
    }
}

/* --- gzip ------------------------------------------------------------------------------------------------------------- */

Test(http_text, accept_encoding_is_negotiated)
{
    static const char *const yes[] = {"gzip", "GZIP", "x-gzip", "deflate, gzip;q=0.5", " br ,\tgzip ; q=1", "*", "*;q=0.1"};
    static const char *const no[] = {"",      "identity", "br", "gzip;q=0", "gzip; q=0.000", "*, gzip;q=0",
                                     "*;q=0", "gzipx",    ",,;"};
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
        cr_expect(tk_gzip_accepted(tk_slice_of(yes[i])), "%s", yes[i]);
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
        cr_expect_not(tk_gzip_accepted(tk_slice_of(no[i])), "%s", no[i]);
    cr_expect_not(tk_gzip_accepted((struct tk_slice){NULL, 0}));
}

static size_t gunzip(struct tk_slice packed, char *out, size_t cap)
{
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)packed.ptr,
                       .avail_in = (uInt)packed.len,
                       .next_out = (Bytef *)out,
                       .avail_out = (uInt)cap};
    cr_assert_eq(inflateInit2(&stream, 15 + 16), Z_OK);
    cr_assert_eq(inflate(&stream, Z_FINISH), Z_STREAM_END);
    (void)inflateEnd(&stream);
    return stream.total_out;
}

Test(http_text, gzip_round_trips_and_respects_its_maximum)
{
    static char plain[300000];
    static char back[300001];
    for (size_t i = 0; i < sizeof(plain); i++)
        plain[i] = "{\"seat\":"[(i + i / 4096) % 8];
    struct tk_buf packed = TK_BUF_INIT(1 << 20);
    struct tk_buf again = TK_BUF_INIT(1 << 20);
    cr_assert_eq(tk_gzip_append(&packed, (struct tk_slice){plain, sizeof(plain)}, 6), TK_OK);
    cr_assert_eq(tk_gzip_append(&again, (struct tk_slice){plain, sizeof(plain)}, 6), TK_OK);
    cr_assert(tk_slice_eq(tk_buf_slice(&packed), tk_buf_slice(&again)), "equal input, equal bytes");
    cr_assert_lt(packed.len, sizeof(plain) / 10);
    cr_assert_eq(gunzip(tk_buf_slice(&packed), back, sizeof(back)), sizeof(plain));
    cr_assert_eq(memcmp(plain, back, sizeof(plain)), 0);
    struct tk_buf small = TK_BUF_INIT(16);
    cr_assert_eq(tk_gzip_append(&small, (struct tk_slice){plain, sizeof(plain)}, 1), TK_ERR_LIMIT);
    struct tk_buf empty = TK_BUF_INIT(100);
    cr_assert_eq(tk_gzip_append(&empty, (struct tk_slice){NULL, 0}, 9), TK_OK);
    cr_assert_eq(gunzip(tk_buf_slice(&empty), back, sizeof(back)), 0);
    tk_buf_release(&packed);
    tk_buf_release(&again);
    tk_buf_release(&small);
    tk_buf_release(&empty);
}
