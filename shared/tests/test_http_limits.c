/*
 * Limits at the door: 429 with its headers before anything is parsed, whom they concern, and connections by address.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shared/tests/http_fixture.h"

#define IO_MS     500
#define BURST     4 /* as many seconds, with a token each: so seldom that none comes while a test asks */
#define SOMEBODY  "x-user-id: 5b0c1f60-3c7e-4c55-9d0e-6a2f6f1f9b10\r\n"
#define SOMEONE   "x-user-id: 5b0c1f60-3c7e-4c55-9d0e-6a2f6f1f9b11\r\n"
#define CREATE(h) "POST /things HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n" h "\r\n{}"
#define READ(h)   "GET /things/1 HTTP/1.1\r\nhost: x\r\n" h "\r\n"

static struct web web;
static struct tk_peer_networks proxies;
static struct tk_peer_networks exempt;
static struct tk_ratelimit_config rates;
static size_t connections;

static void configure(struct tk_http_config *config)
{
    rates.service = "test";
    rates.burst_seconds = BURST;
    config->limits = tk_ratelimit_new(web.loop, &rates);
    config->trusted_proxies = &proxies;
    config->unlimited_networks = &exempt;
    config->max_connections_per_address = connections;
}

static int ask(const char *request, struct reply *reply)
{
    web_ask(&web, request, reply);
    return reply->status;
}

/** How many of ten get another answer than 429. */
static int of_ten(const char *request)
{
    static struct reply reply;
    int passes = 0;
    for (int i = 0; i < 10; i++)
        passes += ask(request, &reply) != 429;
    return passes;
}

Test(http_limits, a_refusal_says_when_to_come_back)
{
    static struct reply reply;
    rates.per_second[TK_RATELIMIT_USER_WRITES] = 1;
    web_open(&web, IO_MS, configure);
    cr_assert_eq(ask(CREATE(SOMEBODY), &reply), 201);
    cr_expect_str_eq(reply_header(&reply, "ratelimit-limit"), "", "far from the limit");
    (void)ask(CREATE(SOMEBODY), &reply);
    cr_assert_eq(ask(CREATE(SOMEBODY), &reply), 201);
    cr_expect_str_eq(reply_header(&reply, "ratelimit-limit"), "4");
    cr_expect_str_eq(reply_header(&reply, "ratelimit-remaining"), "1");
    (void)ask(CREATE(SOMEBODY), &reply);
    cr_assert_eq(ask(CREATE(SOMEBODY), &reply), 429);
    cr_expect_str_eq(reply_header(&reply, "ratelimit-remaining"), "0");
    cr_expect_str_eq(reply_header(&reply, "ratelimit-reset"), "4");
    cr_expect_str_eq(reply_header(&reply, "retry-after"), "1");
    cr_expect_str_eq(reply_header(&reply, "content-type"), "application/problem+json");
    cr_expect(reply_body_contains(&reply, "\"code\":\"rate_limited\""));
    cr_expect_eq(ask(CREATE(SOMEONE), &reply), 201, "somebody else is not concerned");
    cr_expect_eq(ask(CREATE(""), &reply), 201, "who has no name has no limit of a user");
    cr_expect_eq(ask(READ(SOMEBODY), &reply), 200, "reads are counted apart");
}

Test(http_limits, nothing_is_parsed_for_a_refusal)
{
    static struct reply reply;
    rates.per_second[TK_RATELIMIT_USER_WRITES] = 1;
    web_open(&web, IO_MS, configure);
    cr_expect_eq(of_ten(CREATE(SOMEBODY)), BURST);
    cr_assert_eq(ask("POST /things HTTP/1.1\r\nhost: x\r\ncontent-type: text/html\r\ncontent-length: 1\r\n" SOMEBODY
                     "\r\n{",
                     &reply),
                 429, "neither its type nor its text is looked at");
}

Test(http_limits, by_address_whoever_asks)
{
    rates.per_second[TK_RATELIMIT_ADDRESS_WRITES] = 1;
    rates.per_second[TK_RATELIMIT_ADDRESS_READS] = 1;
    web_open(&web, IO_MS, configure);
    cr_expect_eq(of_ten(CREATE("")), BURST);
    cr_expect_eq(of_ten(CREATE(SOMEBODY)), 0);
    cr_expect_eq(of_ten(READ("")), BURST);
    cr_expect_eq(of_ten("GET /internal HTTP/1.1\r\nhost: x\r\nx-internal-api-key: key\r\n\r\n"), 10, "our own programs");
    cr_expect_eq(of_ten("GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"), 10, "probes");
}

Test(http_limits, the_address_comes_before_the_name)
{
    static struct reply reply;
    rates.per_second[TK_RATELIMIT_ADDRESS_READS] = 1;
    web_open(&web, IO_MS, configure);
    cr_expect_eq(ask("GET /user HTTP/1.1\r\nhost: x\r\n\r\n", &reply), 401);
    cr_expect_eq(of_ten("GET /user HTTP/1.1\r\nhost: x\r\n\r\n"), BURST - 1, "who guesses at names is counted");
}

Test(http_limits, exempt_networks_are_exempt)
{
    rates.per_second[TK_RATELIMIT_ADDRESS_WRITES] = 1;
    cr_assert_eq(tk_peer_networks_parse(TK_SLICE("127.0.0.0/8"), &exempt), TK_OK);
    web_open(&web, IO_MS, configure);
    cr_expect_eq(of_ten(CREATE("")), 10);
}

Test(http_limits, clients_behind_a_proxy_of_ours_are_told_apart)
{
    rates.per_second[TK_RATELIMIT_ADDRESS_WRITES] = 1;
    cr_assert_eq(tk_peer_networks_parse(TK_SLICE("127.0.0.1"), &proxies), TK_OK);
    cr_assert_eq(tk_peer_networks_parse(TK_SLICE("127.0.0.0/8"), &exempt), TK_OK);
    web_open(&web, IO_MS, configure);
    cr_expect_eq(of_ten(CREATE("x-forwarded-for: 203.0.113.1\r\n")), BURST);
    cr_expect_eq(of_ten(CREATE("x-forwarded-for: 8.8.8.8, 203.0.113.1\r\n")), 0,
                 "what the client wrote itself does not help");
    cr_expect_eq(of_ten(CREATE("X-Forwarded-For: 203.0.113.2\r\n")), BURST);
}

Test(http_limits, without_proxies_the_header_is_nothing)
{
    rates.per_second[TK_RATELIMIT_ADDRESS_WRITES] = 1;
    web_open(&web, IO_MS, configure);
    cr_expect_eq(of_ten(CREATE("x-forwarded-for: 203.0.113.1\r\n")), BURST);
    cr_expect_eq(of_ten(CREATE("x-forwarded-for: 203.0.113.2\r\n")), 0);
}

Test(http_limits, connections_of_an_address_have_a_limit)
{
    static struct reply kept, reply;
    int fds[4];
    connections = 3;
    web_open(&web, IO_MS * 20, configure);
    for (int i = 0; i < 4; i++) {
        fds[i] = web_connect(&web);
        (void)web_say(&web, fds[i], READ(""));
    }
    for (int i = 0; i < 3; i++) {
        kept.len = 0;
        web_read(&web, fds[i], false, 1000, &kept, &reply);
        cr_expect_eq(reply.status, 200, "connection %d", i);
    }
    cr_expect_geq(web_wait_closed(&web, fds[3], 1000), 0, "the fourth is closed at once");
    (void)close(fds[0]);
    web_turn_for(&web, 50);
    cr_expect_eq(ask(READ(""), &reply), 200, "who leaves makes room");
}
