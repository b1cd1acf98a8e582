/*
 * The client against our own server, and against a scripted peer that misbehaves. Everything runs in one thread.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/http/client.h"
#include "shared/http/server_private.h"
#include "shared/tests/http_fixture.h"

static struct web web;

struct answer {
    int calls;
    enum tk_step step;
    int status;
    char body[256];
    size_t body_len;
    struct tk_http_client *again; /* call once more from inside `done` */
    struct answer *next;
};

static void on_done(void *arg, enum tk_step step, int status, struct tk_slice body);

static struct tk_http_client *open_client(uint16_t port, size_t max_in_flight)
{
    char url[64];
    struct tk_http_client *client = NULL;
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", (unsigned)port);
    struct tk_http_client_config config = {
        .base_url = url, .max_in_flight = max_in_flight, .max_response = 1 << 20, .internal_api_key = "k3y"};
    cr_assert_eq(tk_http_client_open(web.loop, &config, &client), TK_OK);
    return client;
}

static void call(struct tk_http_client *client, struct answer *answer, const char *method, const char *path,
                 const char *text, int64_t deadline_ms)
{
    struct tk_buf body = TK_BUF_INIT(4096);
    if (text != NULL)
        tk_buf_append_str(&body, text);
    cr_assert_eq(
        tk_http_client_call(client, method, path, text != NULL ? &body : NULL, "req-1", "", deadline_ms, on_done, answer),
        TK_OK);
    cr_assert_eq(answer->calls, 0, "never inside the call");
    cr_assert_eq(body.len, 0, "taken over");
}

static void on_done(void *arg, enum tk_step step, int status, struct tk_slice body)
{
    struct answer *answer = arg;
    answer->calls++;
    answer->step = step;
    answer->status = status;
    answer->body_len = body.len;
    (void)snprintf(answer->body, sizeof(answer->body), "%.*s", (int)body.len, body.ptr != NULL ? body.ptr : "");
    if (answer->again != NULL)
        call(answer->again, answer->next, "GET", "/things/2", NULL, 1000);
}

static void wait_for(struct answer *answer)
{
    int64_t end = tk_mono_us() + 5 * TK_US_PER_S;
    while (answer->calls == 0 && tk_mono_us() < end)
        tk_loop_turn(web.loop, 5);
    cr_assert_eq(answer->calls, 1);
}

static struct answer ask(struct tk_http_client *client, const char *method, const char *path, const char *text,
                         int64_t deadline_ms)
{
    struct answer answer = {0};
    call(client, &answer, method, path, text, deadline_ms);
    wait_for(&answer);
    return answer;
}

/* --- our own server as the peer ---------------------------------------------------------------------------------- */

Test(http_client, any_status_is_an_answer)
{
    web_open(&web, 3000, NULL);
    struct tk_http_client *client = open_client(tk_http_server_port(web.server), 8);
    struct answer answer = ask(client, "GET", "/things/7", NULL, 1000);
    cr_assert_eq(answer.step, TK_STEP_OK);
    cr_assert_eq(answer.status, 200);
    cr_assert_str_eq(answer.body, "{\"param\":\"7\",\"q\":\"\"}");
    answer = ask(client, "POST", "/things", "{\"a\":1}", 1000);
    cr_assert_eq(answer.status, 201);
    cr_assert_eq(web.last_body_len, 7);
    answer = ask(client, "POST", "/things", "nonsense", 1000);
    cr_assert_eq(answer.step, TK_STEP_OK);
    cr_assert_eq(answer.status, 400);
    answer = ask(client, "GET", "/internal", NULL, 1000);
    cr_assert_eq(answer.status, 204);
    cr_assert_eq(answer.body_len, 0);
    answer = ask(client, "POST", "/maybe", NULL, 1000);
    cr_assert_eq(answer.status, 201);
}

Test(http_client, calls_one_after_the_other_share_one_connection)
{
    web_open(&web, 3000, NULL);
    struct tk_http_client *client = open_client(tk_http_server_port(web.server), 8);
    for (int i = 0; i < 50; i++)
        cr_assert_eq(ask(client, "GET", "/things/7", NULL, 1000).status, 200);
    cr_assert_eq(web.server->conn_count, 1);
    cr_assert_eq(tk_http_client_in_flight(client), 0);
}

Test(http_client, calls_at_once_are_bounded)
{
    static struct answer answers[65];
    web_open(&web, 3000, NULL);
    struct tk_http_client *client = open_client(tk_http_server_port(web.server), 64);
    for (int i = 0; i < 64; i++)
        call(client, &answers[i], "GET", "/things/7", NULL, 2000);
    cr_assert_eq(tk_http_client_call(client, "GET", "/things/7", NULL, "", "", 2000, on_done, &answers[64]), TK_ERR_LIMIT);
    for (int i = 0; i < 64; i++) {
        wait_for(&answers[i]);
        cr_assert_eq(answers[i].status, 200);
    }
    cr_assert_eq(answers[64].calls, 0, "a refused call reports nothing");
}

Test(http_client, a_callback_may_call_again)
{
    web_open(&web, 3000, NULL);
    struct tk_http_client *client = open_client(tk_http_server_port(web.server), 1);
    struct answer second = {0};
    struct answer first = {.again = client, .next = &second};
    call(client, &first, "GET", "/things/1", NULL, 1000);
    wait_for(&first);
    wait_for(&second);
    cr_assert_eq(second.status, 200);
}

Test(http_client, a_silent_server_is_unknown_after_the_deadline)
{
    web_open(&web, 3000, NULL);
    struct tk_http_client *client = open_client(tk_http_server_port(web.server), 8);
    int64_t start_us = tk_mono_us();
    struct answer answer = ask(client, "GET", "/park", NULL, 150);
    int64_t took_ms = (tk_mono_us() - start_us) / TK_US_PER_MS;
    cr_assert_eq(answer.step, TK_STEP_UNKNOWN);
    cr_assert(took_ms >= 140 && took_ms < 2500, "%d ms", (int)took_ms);
    cr_assert_not_null(web.parked);
    web_answer_parked(&web);
    web_turn_for(&web, 30);
    cr_assert_eq(ask(client, "GET", "/things/7", NULL, 1000).status, 200);
}

Test(http_client, a_pooled_connection_the_server_has_closed_is_replaced)
{
    web_open(&web, 300, NULL);
    struct tk_http_client *client = open_client(tk_http_server_port(web.server), 8);
    cr_assert_eq(ask(client, "GET", "/things/7", NULL, 1000).status, 200);
    web_turn_for(&web, 900);
    cr_assert_eq(web.server->conn_count, 0, "idle, closed by the server");
    cr_assert_eq(ask(client, "GET", "/things/7", NULL, 1000).status, 200);
}

Test(http_client, names_are_resolved_and_unknown_ones_fail)
{
    char url[64];
    struct tk_http_client *client = NULL;
    web_open(&web, 3000, NULL);
    (void)snprintf(url, sizeof(url), "http://localhost:%u/", (unsigned)tk_http_server_port(web.server));
    struct tk_http_client_config config = {.base_url = url, .max_in_flight = 4, .max_response = 4096};
    cr_assert_eq(tk_http_client_open(web.loop, &config, &client), TK_OK);
    cr_assert_eq(ask(client, "GET", "/things/7", NULL, 2000).status, 200);
    config.base_url = "http://no-such-host.invalid:80";
    cr_assert_eq(tk_http_client_open(web.loop, &config, &client), TK_OK);
    cr_assert_eq(ask(client, "GET", "/things/7", NULL, 3000).step, TK_STEP_FAILED);
}

Test(http_client, bad_urls_are_refused)
{
    static const char *const bad[] = {"",        "127.0.0.1:80",     "ftp://host",        "https://host/path",
                                      "http://", "http://host/path", "http://host:99999", NULL};
    web_open(&web, 3000, NULL);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct tk_http_client *client = NULL;
        struct tk_http_client_config config = {.base_url = bad[i], .max_in_flight = 4, .max_response = 4096};
        cr_expect_eq(tk_http_client_open(web.loop, &config, &client), TK_ERR_INVALID, "%s", bad[i] ? bad[i] : "(null)");
    }
}

/* --- a scripted peer --------------------------------------------------------------------------------------------- */

struct peer {
    int listener;
    int fd;
    uint16_t port;
    char request[2048];
};

static void peer_open(struct peer *peer)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    web_open(&web, 3000, NULL); /* for its loop, and SIGPIPE ignored */
    *peer = (struct peer){.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), .fd = -1};
    cr_assert_eq(bind(peer->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    cr_assert_eq(listen(peer->listener, 8), 0);
    cr_assert_eq(getsockname(peer->listener, (struct sockaddr *)&address, &len), 0);
    peer->port = ntohs(address.sin_port);
}

/** Waits for a connection and a whole request header on it. */
static void peer_take(struct peer *peer)
{
    size_t len = 0;
    int64_t end = tk_mono_us() + 2 * TK_US_PER_S;
    peer->fd = -1;
    memset(peer->request, 0, sizeof(peer->request));
    while (strstr(peer->request, "\r\n\r\n") == NULL && tk_mono_us() < end) {
        tk_loop_turn(web.loop, 2);
        if (peer->fd < 0)
            peer->fd = accept4(peer->listener, NULL, NULL, SOCK_NONBLOCK);
        ssize_t n = peer->fd >= 0 ? recv(peer->fd, peer->request + len, sizeof(peer->request) - 1 - len, 0) : -1;
        len += n > 0 ? (size_t)n : 0;
    }
    cr_assert_geq(peer->fd, 0);
}

Test(http_client, nobody_listening_is_failed)
{
    struct peer peer;
    peer_open(&peer);
    (void)close(peer.listener);
    struct answer answer = ask(open_client(peer.port, 4), "POST", "/x", "{}", 1000);
    cr_assert_eq(answer.step, TK_STEP_FAILED);
    cr_assert_eq(answer.status, 0);
}

Test(http_client, what_is_sent_is_well_formed)
{
    struct peer peer;
    struct answer answer = {0};
    struct tk_buf body = TK_BUF_INIT(64);
    peer_open(&peer);
    struct tk_http_client *client = open_client(peer.port, 4);
    tk_buf_append_str(&body, "{\"a\":1}");
    cr_assert_eq(tk_http_client_call(client, "POST", "/x?y=1", &body, "req-9", "00-a-b-01", 1000, on_done, &answer), TK_OK);
    peer_take(&peer);
    char expected[512];
    (void)snprintf(expected, sizeof(expected),
                   "POST /x?y=1 HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nX-Internal-Api-Key: k3y\r\nX-Request-ID: req-9\r\n"
                   "traceparent: 00-a-b-01\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}",
                   (unsigned)peer.port);
    cr_assert_str_eq(peer.request, expected);
    (void)close(peer.fd);
    wait_for(&answer);
    cr_assert_eq(answer.step, TK_STEP_UNKNOWN);
}

struct script {
    const char *says; /* then closes */
    enum tk_step step;
    int status;
    const char *body;
};

static const struct script SCRIPTS[] = {
    {"", TK_STEP_UNKNOWN, 0, ""},
    {"garbage\r\n\r\n", TK_STEP_UNKNOWN, 0, ""},
    {"HTTP/1.1 200 OK\r\n", TK_STEP_UNKNOWN, 0, ""},
    {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345", TK_STEP_UNKNOWN, 0, ""},
    {"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", TK_STEP_UNKNOWN, 0, ""},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12", TK_STEP_UNKNOWN, 0, ""},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxx\r\n", TK_STEP_UNKNOWN, 0, ""},
    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345", TK_STEP_OK, 200, "12345"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345trailing", TK_STEP_OK, 200, "12345"},
    {"HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n", TK_STEP_OK, 409, ""},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\n{}", TK_STEP_OK, 503, "{}"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n123\r\n2\r\n45\r\n0\r\n\r\n", TK_STEP_OK, 200, "12345"},
    {"HTTP/1.0 200 OK\r\n\r\nuntil close", TK_STEP_OK, 200, "until close"},
};

Test(http_client, a_broken_peer_is_unknown_never_ok)
{
    struct peer peer;
    peer_open(&peer);
    struct tk_http_client *client = open_client(peer.port, 4);
    for (size_t i = 0; i < sizeof(SCRIPTS) / sizeof(SCRIPTS[0]); i++) {
        struct answer answer = {0};
        call(client, &answer, "POST", "/x", "{}", 1000);
        peer_take(&peer);
        (void)send(peer.fd, SCRIPTS[i].says, strlen(SCRIPTS[i].says), MSG_NOSIGNAL);
        web_turn_for(&web, 10);
        (void)shutdown(peer.fd, SHUT_WR);
        (void)close(peer.fd);
        wait_for(&answer);
        cr_expect_eq(answer.step, SCRIPTS[i].step, "%s for %s", tk_step_name(answer.step), SCRIPTS[i].says);
        cr_expect_eq(answer.status, SCRIPTS[i].status);
        cr_expect_str_eq(answer.body, SCRIPTS[i].body);
    }
    cr_assert_eq(tk_http_client_in_flight(client), 0);
}

Test(http_client, an_answer_beyond_the_limit_is_unknown)
{
    static char block[65536];
    struct peer peer;
    struct answer answer = {0};
    peer_open(&peer);
    struct tk_http_client *client = open_client(peer.port, 4);
    call(client, &answer, "GET", "/x", NULL, 3000);
    peer_take(&peer);
    const char *head = "HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n";
    (void)send(peer.fd, head, strlen(head), MSG_NOSIGNAL);
    for (int i = 0; i < 200 && answer.calls == 0; i++) {
        (void)send(peer.fd, block, sizeof(block), MSG_NOSIGNAL);
        tk_loop_turn(web.loop, 1);
    }
    cr_assert_eq(answer.calls, 1);
    cr_assert_eq(answer.step, TK_STEP_UNKNOWN);
}

Test(http_client, a_dripping_peer_does_not_extend_the_deadline)
{
    struct peer peer;
    struct answer answer = {0};
    peer_open(&peer);
    struct tk_http_client *client = open_client(peer.port, 4);
    int64_t start_us = tk_mono_us();
    call(client, &answer, "GET", "/x", NULL, 300);
    peer_take(&peer);
    const char *head = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
    (void)send(peer.fd, head, strlen(head), MSG_NOSIGNAL);
    for (int i = 0; i < 400 && answer.calls == 0; i++) {
        (void)send(peer.fd, "x", 1, MSG_NOSIGNAL);
        web_turn_for(&web, 10);
    }
    cr_assert_eq(answer.step, TK_STEP_UNKNOWN);
    cr_assert_lt(tk_mono_us() - start_us, 5 * TK_US_PER_S);
}

Test(http_client, a_connection_that_never_opens_is_failed_at_the_deadline)
{
    struct peer peer;
    int fillers[16];
    peer_open(&peer);
    cr_assert_eq(listen(peer.listener, 0), 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(peer.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int i = 0; i < 16; i++) { /* fill the backlog: further SYNs are dropped */
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(fillers[i], (struct sockaddr *)&address, sizeof(address));
    }
    struct answer answer = ask(open_client(peer.port, 4), "GET", "/x", NULL, 200);
    cr_assert_eq(answer.step, TK_STEP_FAILED);
    for (int i = 0; i < 16; i++)
        (void)close(fillers[i]);
}
