/*
 * The server as a hostile or broken client sees it: sizes, slowness, garbage, floods.
 */
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/http/server_private.h"
#include "shared/tests/http_fixture.h"

static struct web web;
static struct reply reply;

#define POST_JSON "POST /things HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n"

static void expect_too_large(void)
{
    cr_expect_eq(reply.status, 413);
    cr_expect_str_eq(reply_header(&reply, "content-type"), "application/problem+json");
    cr_expect(reply_body_contains(&reply, "\"code\":\"body_too_large\""), "%s", reply.text);
}

/** A JSON document of exactly `size` bytes. */
static char *document(size_t size)
{
    char *text = malloc(size + 1);
    memset(text, ' ', size);
    text[0] = '{';
    text[size - 1] = '}';
    text[size] = '\0';
    return text;
}

static void post_document(size_t size)
{
    char head[256];
    char *body = document(size);
    int fd = web_connect(&web);
    (void)snprintf(head, sizeof(head), POST_JSON "Content-Length: %zu\r\n\r\n", size);
    (void)web_say(&web, fd, head);
    (void)web_send(&web, fd, body, size);
    web_read(&web, fd, false, 2000, NULL, &reply);
    (void)close(fd);
    free(body);
}

Test(http_abuse, a_body_of_exactly_the_limit_passes_and_one_byte_more_does_not)
{
    web_open(&web, 5000, NULL);
    post_document(1u << 20);
    cr_expect_eq(reply.status, 201);
    cr_expect_eq(web.last_body_len, 1u << 20);
    post_document((1u << 20) + 1);
    expect_too_large();
    post_document((1u << 20) + 2);
    expect_too_large();
    post_document(8u << 20);
    expect_too_large();
}

Test(http_abuse, an_announced_giant_is_refused_before_it_is_sent)
{
    web_open(&web, 5000, NULL);
    web_ask(&web, POST_JSON "X-Request-ID: giant-1\r\nContent-Length: 1000000000000\r\n\r\n", &reply);
    expect_too_large();
    cr_assert_str_eq(reply_header(&reply, "x-request-id"), "giant-1");
    cr_assert_str_eq(reply_header(&reply, "connection"), "close");
    web_ask(&web, POST_JSON "Expect: 100-continue\r\nContent-Length: 1000000000000\r\n\r\n", &reply);
    expect_too_large();
}

Test(http_abuse, a_streamed_giant_is_refused_on_the_way)
{
    char block[4096 + 16];
    web_open(&web, 5000, NULL);
    int fd = web_connect(&web);
    (void)web_say(&web, fd, POST_JSON "Transfer-Encoding: chunked\r\n\r\n");
    memset(block, ' ', sizeof(block));
    memcpy(block, "1000\r\n", 6);
    memcpy(block + 6 + 4096, "\r\n", 2);
    bool sent = true;
    for (int i = 0; i < 1024 && sent; i++)
        sent = web_send(&web, fd, block, 4096 + 8);
    web_read(&web, fd, false, 2000, NULL, &reply);
    expect_too_large();
}

Test(http_abuse, a_routes_own_limit_keeps_the_connection)
{
    web_open(&web, 5000, NULL);
    int fd = web_connect(&web);
    char *body = document(65);
    (void)web_say(&web, fd,
                  "POST /small HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\nContent-Length: 65\r\n\r\n");
    (void)web_say(&web, fd, body);
    web_read(&web, fd, false, 1000, NULL, &reply);
    expect_too_large();
    (void)web_say(&web, fd,
                  "POST /small HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\nContent-Length: 64\r\n\r\n");
    (void)web_say(&web, fd, body + 1);
    web_read(&web, fd, false, 1000, NULL, &reply);
    cr_assert_eq(reply.status, 400, "the same connection went on: %s", reply.text);
    free(body);
}

/** Requests h2o cannot read: whatever it answers, it answers 400 and closes, and the server lives on. */
static const char *const GARBAGE[] = {
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 this is TLS\r\n\r\n",
    "GET\r\n\r\n",
    "GET / HTTP/9.9\r\n\r\n",
    "GET / HTTP/1.1\r\nno colon here\r\n\r\n",
    "GET /\x01 HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nX: a\x01z\r\n\r\n",
    "GET / HTTP/1.1\r\n: empty name\r\n\r\n",
    POST_JSON "Content-Length: -5\r\n\r\n",
    POST_JSON "Content-Length: 5x\r\n\r\n12345",
    POST_JSON "Transfer-Encoding: gzip\r\n\r\n",
    POST_JSON "Transfer-Encoding: chunked\r\n\r\nZZ\r\n",
};

Test(http_abuse, garbage_gets_400_and_harms_nobody)
{
    web_open(&web, 3000, NULL);
    for (size_t i = 0; i < sizeof(GARBAGE) / sizeof(GARBAGE[0]); i++) {
        int fd = web_connect(&web);
        (void)web_say(&web, fd, GARBAGE[i]);
        web_read(&web, fd, false, 1000, NULL, &reply);
        cr_expect_eq(reply.status, 400, "%d for %s", reply.status, GARBAGE[i]);
        cr_expect_geq(web_wait_closed(&web, fd, 2500), 0, "left open after %s", GARBAGE[i]);
        (void)close(fd);
    }
    web_ask(&web, "GET /livez HTTP/1.1\r\nHost: t\r\n\r\n", &reply);
    cr_assert_eq(reply.status, 200);
}

/** Bodies framed twice: what a proxy in front might read otherwise than we do (request smuggling). */
static const char *const AMBIGUOUS[] = {
    POST_JSON "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    POST_JSON "Content-Length: 2\r\ncontent-LENGTH: 40\r\n\r\n{}",
    POST_JSON "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    POST_JSON "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    POST_JSON "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
};

static const char *const STRANGE[] = {
    "GET /livez HTTP/1.1\r\n\r\n",
    "GET /livez HTTP/1.1\r\nX-Host: t\r\n\r\n",
    "GET /livez HTTP/1.1\r\nHost: t\r\nHost: u\r\n\r\n",
    "GET /livez HTTP/1.1\r\nHost: t\r\nX-Long: a\r\n b\r\n\r\n",
    "GET /livez HTTP/1.1\r\nHost: t\r\nX-Long: a\r\n\tHost: b\r\n\r\n",
    "GET /livez HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n",
    "POST /things HTTP/1.0\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
};

Test(http_abuse, headers_that_others_may_read_otherwise_are_refused)
{
    web_open(&web, 3000, NULL);
    for (size_t i = 0; i < sizeof(STRANGE) / sizeof(STRANGE[0]); i++) {
        web_ask(&web, STRANGE[i], &reply);
        cr_expect_eq(reply.status, 400, "%d for %s", reply.status, STRANGE[i]);
        cr_expect_str_eq(reply_header(&reply, "connection"), "close");
    }
    web_ask(&web, "GET /livez HTTP/1.0\r\n\r\n", &reply);
    cr_expect_eq(reply.status, 200, "HTTP/1.0 knows no Host");
    web_ask(&web, "\r\nGET /livez HTTP/1.1\r\nhost:t\r\nX-Hosts: a\r\n\r\n", &reply);
    cr_expect_eq(reply.status, 200, "an empty line before the request is no end of its header");
}

Test(http_abuse, encoded_bodies_are_refused)
{
    web_open(&web, 3000, NULL);
    web_ask(&web, POST_JSON "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", &reply);
    cr_expect_eq(reply.status, 415);
    web_ask(&web, POST_JSON "Content-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}", &reply);
    cr_expect_eq(reply.status, 201);
}

Test(http_abuse, bodies_framed_twice_are_refused_and_the_connection_closed)
{
    web_open(&web, 3000, NULL);
    for (size_t i = 0; i < sizeof(AMBIGUOUS) / sizeof(AMBIGUOUS[0]); i++) {
        int fd = web_connect(&web);
        (void)web_say(&web, fd, AMBIGUOUS[i]);
        web_read(&web, fd, false, 1000, NULL, &reply);
        cr_expect_eq(reply.status, 400, "%d for %s", reply.status, AMBIGUOUS[i]);
        cr_expect(reply_body_contains(&reply, "\"code\":\"bad_request\""), "%s", reply.text);
        cr_expect_str_eq(reply_header(&reply, "connection"), "close");
        cr_expect_geq(web_wait_closed(&web, fd, 1000), 0);
        (void)close(fd);
    }
    web_ask(&web, POST_JSON "X-Note: content-length: 5\r\nContent-Length: 2\r\n\r\n{}", &reply);
    cr_assert_eq(reply.status, 201, "the words inside a value are no header");
}

Test(http_abuse, an_h2c_upgrade_is_ignored)
{
    web_open(&web, 3000, NULL);
    web_ask(&web,
            "GET /livez HTTP/1.1\r\nHost: t\r\nConnection: Upgrade, HTTP2-Settings, keep-alive\r\nUpgrade: h2c\r\n"
            "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n",
            &reply);
    cr_assert_eq(reply.status, 200);
}

Test(http_abuse, header_floods_get_400)
{
    web_open(&web, 3000, NULL);
    size_t cap = 1u << 20;
    char *flood = malloc(cap);
    size_t len = (size_t)snprintf(flood, cap, "GET /livez HTTP/1.1\r\n");
    for (int i = 0; i < 150; i++)
        len += (size_t)snprintf(flood + len, cap - len, "X-Flood-%d: 1\r\n", i);
    len += (size_t)snprintf(flood + len, cap - len, "\r\n");
    int fd = web_connect(&web);
    (void)web_send(&web, fd, flood, len);
    web_read(&web, fd, false, 1000, NULL, &reply);
    cr_expect_eq(reply.status, 400, "too many headers");
    (void)close(fd);

    fd = web_connect(&web);
    len = (size_t)snprintf(flood, cap, "GET /livez HTTP/1.1\r\nX-Flood: ");
    memset(flood + len, 'x', cap - len);
    (void)web_send(&web, fd, flood, cap);
    cr_expect_geq(web_wait_closed(&web, fd, 1000), 0, "a header of 1 MiB");
    (void)close(fd);
    free(flood);
}

Test(http_abuse, a_very_long_path_is_just_unknown)
{
    web_open(&web, 3000, NULL);
    char *request = malloc(40000);
    size_t len = (size_t)snprintf(request, 40000, "GET /");
    memset(request + len, 'a', 30000);
    len += 30000;
    len += (size_t)snprintf(request + len, 1000, " HTTP/1.1\r\nHost: t\r\n\r\n");
    int fd = web_connect(&web);
    cr_assert(web_send(&web, fd, request, len));
    web_read(&web, fd, false, 1000, NULL, &reply);
    cr_assert_eq(reply.status, 404);
    cr_assert_not(reply_body_contains(&reply, "instance"), "it is not echoed");
    free(request);
}

/* --- slowness -------------------------------------------------------------------------------------------------------- */

static const char *const SLOW_STARTS[] = {
    "GET /livez HTT",                                     /* stops inside the request line */
    "GET /livez HTTP/1.1\r\nHost: t\r\n",                 /* stops inside the header */
    POST_JSON "Content-Length: 10\r\n\r\n{",              /* stops inside the body */
    POST_JSON "Transfer-Encoding: chunked\r\n\r\n5\r\n{", /* stops inside a chunk */
};

Test(http_abuse, slow_clients_are_closed_after_the_io_timeout)
{
    web_open(&web, 600, NULL);
    for (size_t i = 0; i < sizeof(SLOW_STARTS) / sizeof(SLOW_STARTS[0]); i++) {
        int fd = web_connect(&web);
        (void)web_say(&web, fd, SLOW_STARTS[i]);
        int64_t took_ms = web_wait_closed(&web, fd, 6000);
        cr_expect(took_ms >= 400 && took_ms < 6000, "%d ms for %s", (int)took_ms, SLOW_STARTS[i]);
        (void)close(fd);
    }
}

Test(http_abuse, a_client_that_says_nothing_is_closed)
{
    web_open(&web, 1000, NULL);
    int fd = web_connect(&web);
    /* The kernel keeps it back first (TCP_DEFER_ACCEPT): it costs us no descriptor, but a few retransmissions of time. */
    cr_assert_geq(web_wait_closed(&web, fd, 12000), 0);
}

/** A thousand connections of mutated requests: whatever comes back is an answer or a close, and the server lives on. */
Test(http_abuse, random_mutations_harm_nobody)
{
    static const char *const seeds[] = {
        "GET /things/%41?q=%zz&limit=1 HTTP/1.1\r\nHost: t\r\nX-User-ID: 7\r\n\r\n",
        POST_JSON "Content-Length: 11\r\n\r\n{\"a\":[1,2]}",
        POST_JSON "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n2\r\n1}\r\n0\r\n\r\n",
        "DELETE /things/1 HTTP/1.0\r\nConnection: keep-alive\r\ntraceparent: 00-1-1-1\r\nX-Request-ID: a\r\n\r\n",
    };
    unsigned seed = 7;
    web_open(&web, 3000, NULL);
    for (int round = 0; round < 1000; round++) {
        char bytes[512];
        size_t len = (size_t)snprintf(bytes, sizeof(bytes), "%s", seeds[round % 4]);
        for (int change = rand_r(&seed) % 6; change > 0; change--)
            bytes[(size_t)rand_r(&seed) % len] = (char)rand_r(&seed);
        int fd = web_connect(&web);
        (void)web_send(&web, fd, bytes, len - (size_t)rand_r(&seed) % 8);
        for (int turn = 0; turn < 4; turn++)
            tk_loop_turn(web.loop, 0);
        (void)close(fd);
    }
    web_ask(&web, "GET /livez HTTP/1.1\r\nHost: t\r\n\r\n", &reply);
    cr_assert_eq(reply.status, 200);
    web_turn_for(&web, 100);
    cr_assert_eq(tk_http_server_in_flight(web.server), 0);
}

Test(http_abuse, dripping_bytes_does_not_extend_the_timeout)
{
    web_open(&web, 600, NULL);
    int fd = web_connect(&web);
    const int64_t start_us = tk_mono_us();
    bool closed = false;
    (void)web_say(&web, fd, "GET /livez HTTP/1.1\r\nX: ");
    for (int i = 0; i < 60 && !closed; i++) {
        (void)web_say(&web, fd, "a");
        closed = web_wait_closed(&web, fd, 100) >= 0;
    }
    cr_assert(closed && tk_mono_us() - start_us >= 300 * TK_US_PER_MS);
}

Test(http_abuse, an_idle_keep_alive_connection_is_closed)
{
    web_open(&web, 600, NULL);
    int fd = web_connect(&web);
    (void)web_say(&web, fd, "GET /livez HTTP/1.1\r\nHost: t\r\n\r\n");
    web_read(&web, fd, false, 1000, NULL, &reply);
    cr_assert_eq(reply.status, 200);
    int64_t took_ms = web_wait_closed(&web, fd, 6000);
    cr_assert(took_ms >= 400 && took_ms < 6000, "%d ms", (int)took_ms);
}

Test(http_abuse, a_client_that_never_reads_a_big_answer_is_cut_off)
{
    web_open(&web, 1000, NULL);
    int fd = web_connect(&web);
    int small = 4096;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    (void)web_say(&web, fd, "GET /big HTTP/1.1\r\nHost: t\r\n\r\n");
    web_turn_for(&web, 100);
    cr_assert_eq(tk_http_server_in_flight(web.server), 1, "the answer is still on its way");
    /* 20 MiB are allowed ten minutes at the slowest rate; the kernel's own timeout ends it after one second of silence. */
    for (int i = 0; i < 200 && tk_http_server_in_flight(web.server) > 0; i++)
        web_turn_for(&web, 100);
    cr_assert_eq(tk_http_server_in_flight(web.server), 0, "cut off");
}

/** A crowd that reads slowly may not fill the memory: large answers wait for room, small ones and writes go on. */
Test(http_abuse, answers_nobody_takes_have_a_limit)
{
    int fds[3];
    int small = 4096;
    web_open(&web, 5000, NULL);
    web.server->max_sending_bytes = 50u << 20;
    for (int i = 0; i < 3; i++) {
        fds[i] = web_connect(&web);
        (void)setsockopt(fds[i], SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
        (void)web_say(&web, fds[i], "GET /big HTTP/1.1\r\nHost: t\r\n\r\n");
        for (int turn = 0; turn < 300 && i < 2 && tk_http_server_in_flight(web.server) <= (size_t)i; turn++)
            web_turn_for(&web, 10);
    }
    web_read(&web, fds[2], false, 3000, NULL, &reply);
    cr_expect_eq(reply.status, 503, "the third of 20 MiB");
    cr_expect_str_eq(reply_header(&reply, "retry-after"), "1");
    cr_expect_str_eq(reply_header(&reply, "etag"), "", "nothing is left of the answer that was begun");
    web_ask(&web, "GET /things/1 HTTP/1.1\r\nHost: t\r\n\r\n", &reply);
    cr_expect_eq(reply.status, 200);
    for (int i = 0; i < 3; i++)
        (void)close(fds[i]);
    while (tk_http_server_in_flight(web.server) > 0)
        web_turn_for(&web, 10);
    cr_expect_eq(web.server->sending_bytes, 0);
    web_ask(&web, "GET /big HTTP/1.1\r\nHost: t\r\n\r\n", &reply);
    cr_expect_eq(reply.status, 200, "room again");
}

/** The server's end of `fd`'s connection, found by its port: this process holds both ends. */
static int server_end_of(int fd)
{
    struct sockaddr_in mine = {0};
    socklen_t len = sizeof(mine);
    (void)getsockname(fd, (struct sockaddr *)&mine, &len);
    for (int other = 3; other < 128; other++) {
        struct sockaddr_in peer = {0};
        len = sizeof(peer);
        if (getpeername(other, (struct sockaddr *)&peer, &len) == 0 && peer.sin_port == mine.sin_port)
            return other;
    }
    return -1;
}

Test(http_abuse, a_client_that_drips_its_reads_is_cut_off)
{
    char some[2000];
    int small = 4096;
    struct tk_buf body = TK_BUF_INIT(1 << 20);
    web_open(&web, 1500, NULL);
    int fd = web_connect(&web);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    (void)web_say(&web, fd, "GET /park HTTP/1.1\r\nHost: t\r\n\r\n");
    web_turn_for(&web, 20);
    (void)setsockopt(server_end_of(fd), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    /* Without the kernel's timeout, which would come first, so that ours is seen to work. */
    (void)setsockopt(server_end_of(fd), IPPROTO_TCP, TCP_USER_TIMEOUT, &(unsigned){0}, sizeof(unsigned));
    char *text = document(1 << 20); /* 1.5 s and one more for the size */
    web.server->slowest_bytes_per_s = 1 << 20;
    tk_buf_append(&body, text, 1 << 20);
    tk_http_respond_json(web.parked, 200, &body);
    const int64_t start_us = tk_mono_us();
    for (int i = 0; tk_http_server_in_flight(web.server) == 1 && i < 240; i++) {
        web_turn_for(&web, 50);
        (void)recv(fd, some, sizeof(some), 0);
    }
    const int64_t took_ms = (tk_mono_us() - start_us) / TK_US_PER_MS;
    cr_assert(took_ms >= 2000 && tk_http_server_in_flight(web.server) == 0, "cut off after %d ms", (int)took_ms);
    cr_assert_eq(tk_metric_get(&web.server->stalled), 1);
    free(text);
}

static void count_release(void *count)
{
    ++*(int *)count;
}

/* Bytes that many clients are being sent are owned until the last of them has them, or is given up. */
Test(http_abuse, who_takes_nothing_is_given_up_by_the_kernel_and_counted)
{
    const int small = 4096;
    const size_t size = 1 << 20; /* what the kernel would take of its own accord */
    int released = 0;
    web_open(&web, 1500, NULL);
    int fd = web_connect(&web);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    (void)web_say(&web, fd, "GET /park HTTP/1.1\r\nHost: t\r\n\r\n");
    web_turn_for(&web, 20);
    char *text = document(size);
    tk_http_respond_shared(web.parked, 200, "application/json", (struct tk_slice){text, size}, count_release, &released);
    web_turn_for(&web, 100);
    cr_assert_eq(released, 0);
    cr_assert_eq(tk_http_server_in_flight(web.server), 1, "the kernel has taken all of it");
    for (int i = 0; i < 200 && released == 0; i++)
        web_turn_for(&web, 50);
    cr_assert_eq(released, 1);
    cr_assert_eq(tk_metric_get(&web.server->stalled), 1);
    free(text);
}

Test(http_abuse, shared_bytes_are_let_go_when_they_have_left)
{
    const size_t size = 8 << 20;
    int released = 0;
    web_open(&web, 3000, NULL);
    int fd = web_connect(&web);
    (void)web_say(&web, fd, "GET /park HTTP/1.1\r\nHost: t\r\n\r\n");
    web_turn_for(&web, 20);
    char *text = document(size);
    tk_http_respond_shared(web.parked, 200, "application/json", (struct tk_slice){text, size}, count_release, &released);
    for (int i = 0; i < 60 && released == 0; i++)
        cr_assert_eq(web_wait_closed(&web, fd, 100), -1, "it stays open");
    cr_assert_eq(released, 1);
    cr_assert_eq(tk_metric_get(&web.server->stalled), 0);
    free(text);
}

Test(http_abuse, accepted_sockets_carry_the_listeners_options)
{
    web_open(&web, 1500, NULL);
    int fd = web_connect(&web);
    (void)web_say(&web, fd, "GET /park HTTP/1.1\r\nHost: t\r\n\r\n");
    web_turn_for(&web, 20);
    cr_assert_not_null(web.parked);
    unsigned timeout_ms = 0;
    int nodelay = 0;
    int unsent = 0;
    socklen_t len = sizeof(timeout_ms);
    cr_assert_eq(getsockopt(server_end_of(fd), IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, &len), 0);
    len = sizeof(nodelay);
    cr_assert_eq(getsockopt(server_end_of(fd), IPPROTO_TCP, TCP_NODELAY, &nodelay, &len), 0);
    len = sizeof(unsent);
    cr_assert_eq(getsockopt(server_end_of(fd), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, &len), 0);
    cr_assert_eq(timeout_ms, 1500);
    cr_assert_neq(nodelay, 0);
    cr_assert_eq(unsent, 128 << 10);
    web_answer_parked(&web);
    web_turn_for(&web, 20);
}

static void few_connections(struct tk_http_config *config)
{
    config->max_connections = 3;
}

Test(http_abuse, connections_beyond_the_cap_are_closed_at_once)
{
    int held[3];
    web_open(&web, 3000, few_connections);
    for (int i = 0; i < 3; i++) {
        held[i] = web_connect(&web);
        (void)web_say(&web, held[i], "GET /livez HTTP/1.1\r\nHost: t\r\n\r\n");
        web_read(&web, held[i], false, 1000, NULL, &reply);
        cr_assert_eq(reply.status, 200);
    }
    int beyond = web_connect(&web);
    (void)web_say(&web, beyond, "GET /livez HTTP/1.1\r\nHost: t\r\n\r\n");
    int64_t took_ms = web_wait_closed(&web, beyond, 1000);
    cr_assert(took_ms >= 0, "long before its time to be idle is over");
    (void)close(held[0]);
    web_turn_for(&web, 20);
    web_ask(&web, "GET /livez HTTP/1.1\r\nHost: t\r\n\r\n", &reply);
    cr_assert_eq(reply.status, 200, "room again");
}

Test(http_abuse, a_client_that_resets_in_mid_flow_harms_nobody)
{
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    web_open(&web, 3000, NULL);
    for (int i = 0; i < 50; i++) {
        int fd = web_connect(&web);
        (void)web_say(&web, fd, i % 2 ? "GET /big HTTP/1.1\r\nHost: t\r\n\r\n" : "GET /park HTTP/1.1\r\nHost: t\r\n\r\n");
        web_turn_for(&web, 5);
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        (void)close(fd);
        web_turn_for(&web, 5);
        if (web.parked != NULL)
            web_answer_parked(&web);
    }
    web_turn_for(&web, 50);
    cr_assert_eq(tk_http_server_in_flight(web.server), 0);
}
