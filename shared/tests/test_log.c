/* Records: shape, escaping, cutting, levels. Standard error is a pipe here, as it is under a supervisor. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "shared/json/reader.h"
#include "shared/log/log.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int pipe_end;
static char record[8192];

static void capture(void)
{
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    cr_assert_geq(dup2(ends[1], STDERR_FILENO), 0);
    close(ends[1]);
    pipe_end = ends[0];
}

/* One read: a record must have left with one write. */
static size_t read_record(void)
{
    ssize_t len = read(pipe_end, record, sizeof(record) - 1);
    cr_assert_gt(len, 0);
    record[len] = '\0';
    cr_assert_eq(record[len - 1], '\n');
    return (size_t)len;
}

static const struct tk_json *read_json(struct tk_arena *arena)
{
    const struct tk_json *root = NULL;
    const char *why = "";
    size_t len = read_record();
    cr_assert_eq(tk_json_parse(arena, (struct tk_slice){.ptr = record, .len = len}, &root, &why), TK_OK, "%s: %s", why,
                 record);
    return root;
}

/* The record without its time, which differs. */
static const char *after_time(void)
{
    static const char time[] = "time=2026-11-21T09:30:00.123456Z";
    cr_assert_eq(strncmp(record, time, 7), 0, "%s", record);
    const char *space = strchr(record, ' ');
    cr_assert_not_null(space);
    return space + 1;
}

Test(log, kv_record, .init = capture)
{
    struct tk_uuid id;
    cr_assert_eq(tk_uuid_parse(TK_SLICE("0194a7f0-1234-7abc-8def-0123456789ab"), &id), TK_OK);
    tk_log_init("booking-svc", TK_LOG_INFO, false);
    tk_log(TK_LOG_WARNING, "reserve outcome unknown", TK_KV_UUID("reservation", &id), TK_KV_STR("flow", "HOLDING"),
           TK_KV_INT("took_ms", -250), TK_KV_SLICE("path", TK_SLICE("/a/b")), TK_KV_STR("none", NULL),
           TK_KV_UUID("no_id", NULL));
    read_record();
    cr_assert_str_eq(after_time(), "level=warning service=booking-svc msg=\"reserve outcome unknown\" "
                                   "reservation=0194a7f0-1234-7abc-8def-0123456789ab flow=HOLDING took_ms=-250 path=/a/b "
                                   "none=null no_id=null\n");
}

Test(log, kv_escaping, .init = capture)
{
    static const struct {
        const char *value;
        const char *shown;
    } rows[] = {
        {"", "v=\"\"\n"},
        {"bare:/?-_.", "v=bare:/?-_.\n"},
        {"two words", "v=\"two words\"\n"},
        {"a=b", "v=\"a=b\"\n"},
        {"say \"hi\"\\", "v=\"say \\\"hi\\\"\\\\\"\n"},
        {"line\nbreak\r\t", "v=\"line\\nbreak\\r\\t\"\n"},
        {"\x1B[31m", "v=\"\\u001b[31m\"\n"},
        {"\x7F", "v=\"\\u007f\"\n"},
        {"caf\xC3\xA9", "v=\"caf\xC3\xA9\"\n"},
        {"\xC2\x9B", "v=\"\\u009b\"\n"}, /* a terminal's other escape */
        {"\xFF\xC3", "v=\"\\u00ff\\u00c3\"\n"},
    };
    tk_log_init("s", TK_LOG_DEBUG, false);
    for (size_t i = 0; i < COUNT(rows); i++) {
        tk_log(TK_LOG_DEBUG, "m", TK_KV_STR("v", rows[i].value));
        read_record();
        const char *at = strstr(record, "msg=m ");
        cr_assert_not_null(at);
        cr_expect_str_eq(at + strlen("msg=m "), rows[i].shown);
    }
}

Test(log, json_record, .init = capture)
{
    struct tk_arena arena = {0};
    tk_log_init("event-svc", TK_LOG_DEBUG, true);
    tk_log(TK_LOG_ERROR, "bad \"thing\"\n", TK_KV_STR("v", "\x1B\xFF caf\xC3\xA9"), TK_KV_INT("n", 7),
           TK_KV_STR("none", NULL));
    const struct tk_json *root = read_json(&arena);
    cr_assert(tk_slice_eq_str(tk_json_get(root, "level")->text, "error"));
    cr_assert(tk_slice_eq_str(tk_json_get(root, "service")->text, "event-svc"));
    cr_assert(tk_slice_eq_str(tk_json_get(root, "msg")->text, "bad \"thing\"\n"));
    cr_assert(tk_slice_eq_str(tk_json_get(root, "v")->text, "\x1B\xC3\xBF caf\xC3\xA9"));
    cr_assert(tk_slice_eq_str(tk_json_get(root, "n")->text, "7"));
    cr_assert_eq(tk_json_get(root, "none")->type, TK_JSON_NULL);
    cr_assert_not_null(tk_json_get(root, "time"));
    tk_arena_release(&arena);
}

/* Values of every length around the limit: always one line of at most 4 KiB, always valid JSON, cut=true exactly when cut.
 */
Test(log, long_records_are_cut, .init = capture)
{
    static char value[6000];
    memset(value, 'x', sizeof(value));
    for (size_t i = 0; i + 2 < sizeof(value); i += 7)
        memcpy(value + i, i % 2 ? "\xE2\x82\xAC" : "\"\\\n", 3); /* characters that must not be halved */
    for (size_t len = 2000; len < sizeof(value); len += 13) {
        struct tk_arena arena = {0};
        struct tk_slice v = {.ptr = value, .len = len};
        tk_log_init("s", TK_LOG_DEBUG, true);
        tk_log(TK_LOG_INFO, "m", TK_KV_SLICE("v", v), TK_KV_INT("after", 1));
        const struct tk_json *root = read_json(&arena);
        cr_assert_leq(strlen(record), 4096);
        bool whole = tk_json_get(root, "after") != NULL;
        cr_assert_eq(tk_json_get(root, "cut") != NULL, !whole, "%s", record);
        tk_arena_release(&arena);
    }
}

Test(log, long_bare_values_are_cut, .init = capture)
{
    static char value[6000];
    memset(value, 'x', sizeof(value));
    tk_log_init("s", TK_LOG_DEBUG, false);
    for (size_t len = 3900; len < 4200; len++) {
        tk_log(TK_LOG_INFO, "m", TK_KV_SLICE("v", ((struct tk_slice){.ptr = value, .len = len})), TK_KV_INT("after", 1));
        size_t total = read_record();
        cr_assert_leq(total, 4096);
        cr_assert_eq(strstr(record, " after=1\n") == NULL, strstr(record, " cut=true\n") != NULL, "%zu", len);
    }
}

Test(log, levels, .init = capture)
{
    int evaluated = 0;
    tk_log_init("s", TK_LOG_WARNING, false);
    cr_assert_not(tk_log_enabled(TK_LOG_INFO));
    cr_assert(tk_log_enabled(TK_LOG_WARNING));
    tk_log(TK_LOG_INFO, "unseen", TK_KV_INT("n", ++evaluated));
    cr_assert_eq(evaluated, 0);
    tk_log(TK_LOG_ERROR, "seen", TK_KV_INT("n", ++evaluated));
    read_record();
    cr_assert_null(strstr(record, "unseen"));
}

Test(log, keeps_errno, .init = capture)
{
    tk_log_init("s", TK_LOG_INFO, false);
    errno = ENOENT;
    tk_log(TK_LOG_INFO, "m", TK_KV_INT("n", 1));
    cr_assert_eq(errno, ENOENT);
}

Test(log, long_service_names_are_cut, .init = capture)
{
    tk_log_init("a-service-whose-name-is-far-longer-than-anyone-would-like", TK_LOG_INFO, false);
    tk_log(TK_LOG_INFO, "m", TK_KV_INT("n", 1));
    read_record();
    cr_assert_not_null(strstr(record, "service=a-service-whose-name-is-far-lon "));
}
