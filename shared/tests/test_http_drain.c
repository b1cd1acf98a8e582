/*
 * The end of a server: whatever the kernel had received from a client before we closed is answered.
 */
#include <criterion/criterion.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/tests/http_fixture.h"

#define CLIENTS  300
#define GRACE_MS 1000
#define ASK      "GET /things/7 HTTP/1.1\r\nHost: t\r\n\r\n"

static struct web web;
static struct reply reply;
static int clients[CLIENTS];

static void connect_all(void)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        clients[i] = web_connect(&web);
        cr_assert_geq(clients[i], 0);
    }
}

/** Into the kernel, without the server getting a turn. */
static void ask_behind_its_back(void)
{
    for (size_t i = 0; i < CLIENTS; i++)
        cr_assert_eq(write(clients[i], ASK, sizeof(ASK) - 1), sizeof(ASK) - 1);
}

static void expect_all_answered(const char *connection)
{
    size_t answered = 0;
    for (size_t i = 0; i < CLIENTS; i++) {
        web_read(&web, clients[i], false, 1000, NULL, &reply);
        answered += reply.complete && reply.status == 200;
        cr_expect_str_eq(reply_header(&reply, "connection"), connection, "client %zu", i);
    }
    cr_expect_eq(answered, CLIENTS, "%zu of %d answered", answered, CLIENTS);
}

static void ask(int fd, const char *connection)
{
    web_say(&web, fd, ASK);
    web_read(&web, fd, false, 1000, NULL, &reply);
    cr_expect_eq(reply.status, 200);
    cr_expect_str_eq(reply_header(&reply, "connection"), connection);
}

/** The grace passes while the server has no turn. */
static void pass_over_the_end(void)
{
    web_turn_for(&web, GRACE_MS / 10);
    (void)usleep((useconds_t)(GRACE_MS * TK_US_PER_MS));
}

/** Milliseconds until nothing is left to answer. */
static int64_t finish(void)
{
    int64_t start_us = tk_mono_us();
    while (tk_http_server_in_flight(web.server) > 0 && tk_mono_us() < start_us + 5 * TK_US_PER_S)
        tk_loop_turn(web.loop, 2);
    cr_expect_eq(tk_http_server_in_flight(web.server), 0);
    cr_expect_eq(web_connect(&web), -1, "nobody listens any more");
    return (tk_mono_us() - start_us) / TK_US_PER_MS;
}

Test(http_drain, an_unused_server_ends_at_once)
{
    web_open(&web, 5000, NULL);
    tk_http_server_drain(web.server);
    cr_expect_lt(finish(), GRACE_MS);
}

Test(http_drain, who_waits_in_the_backlog_is_answered)
{
    web_open(&web, 5000, NULL);
    connect_all();
    ask_behind_its_back();
    tk_http_server_drain(web.server);
    expect_all_answered("close");
    cr_expect_lt(finish(), GRACE_MS);
}

Test(http_drain, for_a_second_everybody_is_served)
{
    web_open(&web, 5000, NULL);
    int old = web_connect(&web);
    int idle = web_connect(&web);
    ask(old, "keep-alive");
    ask(idle, "keep-alive");
    tk_http_server_drain(web.server);
    tk_http_server_drain(web.server);
    web_turn_for(&web, GRACE_MS / 4);
    ask(old, "close");
    cr_expect_geq(web_wait_closed(&web, old, 100), 0);
    ask(web_connect(&web), "close");
    cr_expect_geq(web_wait_closed(&web, idle, 3000), 0, "an idle connection ends with the grace");
    (void)finish();
}

/* The last moment: everybody, known and new, asks after the grace has passed and before the server notices. */
Test(http_drain, a_request_that_came_before_the_end_is_answered)
{
    web_open(&web, 5000, NULL);
    connect_all();
    ask_behind_its_back();
    expect_all_answered("keep-alive");
    tk_http_server_drain(web.server);
    pass_over_the_end();
    int fresh = web_connect(&web);
    cr_assert_eq(write(fresh, ASK, sizeof(ASK) - 1), sizeof(ASK) - 1);
    ask_behind_its_back();
    expect_all_answered("close");
    web_read(&web, fresh, false, 1000, NULL, &reply);
    cr_expect_eq(reply.status, 200, "the one in the backlog");
    cr_expect_lt(finish(), GRACE_MS);
}

Test(http_drain, who_had_connected_before_the_end_may_still_ask)
{
    web_open(&web, 5000, NULL);
    int old = web_connect(&web);
    ask(old, "keep-alive");
    tk_http_server_drain(web.server);
    pass_over_the_end();
    int fresh = web_connect(&web);
    web_turn_for(&web, 50);
    cr_expect_eq(web_connect(&web), -1, "nobody listens any more");
    ask(fresh, "close");
    (void)close(old);
    cr_expect_lt(finish(), GRACE_MS);
}

/* His request and our end pass each other: without a word of ours he would be in doubt, or reset. */
Test(http_drain, who_asks_too_late_is_told_that_nothing_was_applied)
{
    web_open(&web, 5000, NULL);
    for (size_t i = 0; i < CLIENTS; i++) {
        clients[i] = web_connect(&web);
        ask(clients[i], "keep-alive");
    }
    tk_http_server_drain(web.server);
    web_turn_for(&web, GRACE_MS + 100);
    ask_behind_its_back();
    for (size_t i = 0; i < CLIENTS; i++) {
        web_read(&web, clients[i], false, 1000, NULL, &reply);
        cr_assert_eq(reply.status, 503, "client %zu: %d", i, reply.status);
        cr_expect(reply.complete && reply_body_contains(&reply, "\"overloaded\""));
        cr_expect_str_eq(reply_header(&reply, "connection"), "close");
        cr_expect_str_eq(reply_header(&reply, "retry-after"), "1");
        cr_expect_geq(web_wait_closed(&web, clients[i], 100), 0);
        (void)close(clients[i]);
    }
    cr_expect_lt(finish(), GRACE_MS);
}

Test(http_drain, who_is_being_answered_is_waited_for)
{
    web_open(&web, 5000, NULL);
    int waiting = web_connect(&web);
    web_say(&web, waiting, "GET /park HTTP/1.1\r\nHost: t\r\n\r\n");
    web_turn_for(&web, 20);
    cr_assert_not_null(web.parked);
    tk_http_server_drain(web.server);
    web_turn_for(&web, GRACE_MS + 100);
    cr_expect_eq(web_connect(&web), -1, "nobody listens any more");
    cr_expect_eq(tk_http_server_in_flight(web.server), 1);
    web_answer_parked(&web);
    web_read(&web, waiting, false, 1000, NULL, &reply);
    cr_expect_eq(reply.status, 200);
    cr_expect_str_eq(reply_header(&reply, "connection"), "close");
    cr_expect_str_eq(reply_header(&reply, "x-late"), "1");
    cr_expect_lt(finish(), GRACE_MS);
}

Test(http_drain, a_request_half_read_is_still_answered)
{
    web_open(&web, 5000, NULL);
    int fd = web_connect(&web);
    web_say(&web, fd, "GET /things/7 HTTP/1.1\r\nHo");
    web_turn_for(&web, 20);
    tk_http_server_drain(web.server);
    web_turn_for(&web, GRACE_MS + 100);
    web_say(&web, fd, "st: t\r\n\r\n");
    web_read(&web, fd, false, 1000, NULL, &reply);
    cr_expect_eq(reply.status, 200);
    cr_expect_str_eq(reply_header(&reply, "connection"), "close");
    cr_expect_lt(finish(), GRACE_MS);
}

/* Its head had promised keep-alive before the drain began. */
Test(http_drain, a_long_answer_on_its_way_does_not_keep_the_server)
{
    web_open(&web, 5000, NULL);
    int fd = web_connect(&web);
    web_say(&web, fd, "GET /big HTTP/1.1\r\nHost: t\r\n\r\n");
    web_turn_for(&web, 20);
    tk_http_server_drain(web.server);
    web_turn_for(&web, GRACE_MS + 100);
    cr_expect_eq(tk_http_server_in_flight(web.server), 1);
    cr_expect_geq(web_wait_closed(&web, fd, 20000), 0, "closed when somebody has read it");
    (void)finish();
}
