/**
 * Broker addresses.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "shared/mq/url.h"

TestSuite(mq_url);

Test(mq_url, all_parts)
{
    struct tk_mq_url url;
    cr_assert_eq(tk_mq_url_parse("amqp://anna:s%40crt@broker.example:5673/tick%2Fets", &url), TK_OK);
    cr_expect_str_eq(url.host, "broker.example");
    cr_expect_eq(url.port, 5673);
    cr_expect_str_eq(url.user, "anna");
    cr_expect_str_eq(url.password, "s@crt");
    cr_expect_str_eq(url.vhost, "tick/ets");
    tk_mq_url_release(&url);
    tk_mq_url_release(&url);
}

Test(mq_url, defaults)
{
    struct tk_mq_url url;
    cr_assert_eq(tk_mq_url_parse("amqp://localhost", &url), TK_OK);
    cr_expect_eq(url.port, 5672);
    cr_expect_str_eq(url.user, "guest");
    cr_expect_str_eq(url.vhost, "/");
    tk_mq_url_release(&url);
    cr_assert_eq(tk_mq_url_parse("amqp://localhost:5672/", &url), TK_OK);
    cr_expect_str_eq(url.vhost, "/");
    tk_mq_url_release(&url);
    cr_assert_eq(tk_mq_url_parse("amqp://guest:guest@127.0.0.1:5672/%2F", &url), TK_OK);
    cr_expect_str_eq(url.vhost, "/");
    tk_mq_url_release(&url);
}

Test(mq_url, tls)
{
    struct tk_mq_url url;
    cr_assert_eq(tk_mq_url_parse("amqps://broker.example", &url), TK_OK);
    cr_expect(url.tls);
    cr_expect_eq(url.port, 5671);
    tk_mq_url_release(&url);
    cr_assert_eq(tk_mq_url_parse("amqp://broker.example:5671", &url), TK_OK);
    cr_expect_not(url.tls);
    tk_mq_url_release(&url);
}

Test(mq_url, nonsense_is_refused)
{
    static const char *const bad[] = {"",
                                      "localhost:5672",
                                      "http://localhost",
                                      "amqps://localhost:0",
                                      "amqp://localhost:0",
                                      "amqp://localhost:70000",
                                      "amqp://localhost:port",
                                      "amqp://user:pass%4@localhost"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct tk_mq_url url;
        cr_expect_eq(tk_mq_url_parse(bad[i], &url), TK_ERR_INVALID, "%s", bad[i]);
        tk_mq_url_release(&url);
    }
}

Test(mq_url, composing_encodes_what_a_url_would_misread)
{
    struct tk_mq_url url;
    char *text = tk_mq_url_compose("broker", 5671, "an@na", "p:w/d%?#");
    cr_expect_str_eq(text, "amqp://an%40na:p%3Aw%2Fd%25%3F%23@broker:5671/%2F");
    cr_assert_eq(tk_mq_url_parse(text, &url), TK_OK);
    cr_expect_str_eq(url.user, "an@na");
    cr_expect_str_eq(url.password, "p:w/d%?#");
    cr_expect_str_eq(url.host, "broker");
    tk_mq_url_release(&url);
    free(text);
}
