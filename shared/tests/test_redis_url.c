#include <criterion/criterion.h>
#include <string.h>

#include "shared/redis/url.h"

struct row {
    const char *url;
    const char *user;
    const char *password;
    const char *host; /* or the socket's path */
    int port;
    const char *db;
};

static const struct row GOOD[] = {
    {"redis://127.0.0.1:6379/0", "", "", "127.0.0.1", 6379, "0"},
    {"redis://redis", "", "", "redis", 6379, ""},
    {"redis://redis/", "", "", "redis", 6379, ""},
    {"redis://redis:7000", "", "", "redis", 7000, ""},
    {"redis://:secret@host:1/12", "", "secret", "host", 1, "12"},
    {"redis://secret@host", "", "secret", "host", 6379, ""},
    {"redis://ann:s%40c%2Fret@host", "ann", "s@c/ret", "host", 6379, ""},
    {"redis://ann:p@ss@host", "ann", "p@ss", "host", 6379, ""},
    {"redis://[::1]:6380/3", "", "", "::1", 6380, "3"},
    {"redis://[::1]", "", "", "::1", 6379, ""},
};

static const char *const BAD[] = {
    "",
    "redis:/",
    "http://host",
    "redis://",
    "redis://:6379",
    "redis://host:0",
    "redis://h:x",
    "redis://h:65536",
    "redis://h/x",
    "redis://h/-1",
    "redis://h/0/1",
    "redis://h?db=1",
    "unix://",
    "unix:///",
    "redis://@",
    "redis://a%00@h",
    "redis://h:6379x",
    "redis://[::1",
};

Test(redis_url, good_ones_are_taken_apart)
{
    for (size_t i = 0; i < sizeof(GOOD) / sizeof(GOOD[0]); i++) {
        struct tk_redis_url url;
        cr_expect_eq(tk_redis_url_parse(GOOD[i].url, &url), TK_OK, "%s", GOOD[i].url);
        cr_expect_str_eq(url.user, GOOD[i].user, "%s", GOOD[i].url);
        cr_expect_str_eq(url.password, GOOD[i].password, "%s", GOOD[i].url);
        cr_expect_str_eq(url.host, GOOD[i].host, "%s", GOOD[i].url);
        cr_expect_str_eq(url.db, GOOD[i].db, "%s", GOOD[i].url);
        cr_expect_eq(url.port, GOOD[i].port, "%s", GOOD[i].url);
        cr_expect_null(strstr(url.label, "s@c"), "the label shows no secret");
    }
}

Test(redis_url, a_unix_socket_has_a_path)
{
    struct tk_redis_url url;
    cr_assert_eq(tk_redis_url_parse("unix:///run/redis.sock", &url), TK_OK);
    cr_assert_str_eq(url.path, "/run/redis.sock");
    cr_assert_str_eq(url.host, "");
}

Test(redis_url, bad_ones_are_refused)
{
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        struct tk_redis_url url;
        cr_expect_eq(tk_redis_url_parse(BAD[i], &url), TK_ERR_INVALID, "%s", BAD[i]);
    }
    cr_expect_eq(tk_redis_url_parse(NULL, &(struct tk_redis_url){0}), TK_ERR_INVALID);
}
