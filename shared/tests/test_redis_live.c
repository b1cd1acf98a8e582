/*
 * Redis on the loop, against a real redis-server that is stopped, killed and brought back.
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "shared/base/clock.h"
#include "shared/redis/redis.h"
#include "shared/tests/redis_fixture.h"

#define DEADLINE_MS 1000 /* a busy machine's Redis may take its time */
#define RETRY_MS    100

static struct tk_loop *loop;
static struct tk_redis *redis;
static struct redis_process process;

struct answer {
    int calls;
    enum tk_step step;
    char text[128];
    bool had_reply;
};

static void on_done(void *arg, enum tk_step step, const redisReply *reply)
{
    struct answer *answer = arg;
    answer->calls++;
    answer->step = step;
    answer->had_reply = reply != NULL;
    if (reply != NULL && reply->str != NULL)
        (void)snprintf(answer->text, sizeof(answer->text), "%s", reply->str);
}

static void turn_for(int64_t milliseconds)
{
    int64_t end = tk_mono_us() + milliseconds * TK_US_PER_MS;
    do {
        tk_loop_turn(loop, 2);
    } while (tk_mono_us() < end);
}

static void wait_for(const struct answer *answer)
{
    int64_t end = tk_mono_us() + 30 * TK_US_PER_S;
    while (answer->calls == 0 && tk_mono_us() < end)
        tk_loop_turn(loop, 2);
    cr_assert_eq(answer->calls, 1);
}

static bool wait_up(bool up, int64_t milliseconds)
{
    int64_t end = tk_mono_us() + milliseconds * TK_US_PER_MS;
    while (tk_redis_is_up(redis) != up && tk_mono_us() < end)
        tk_loop_turn(loop, 2);
    return tk_redis_is_up(redis) == up;
}

static void open_url(const char *url, size_t max_pending)
{
    struct tk_redis_config config = {
        .url = url, .deadline_ms = DEADLINE_MS, .retry_ms = RETRY_MS, .max_pending = max_pending};
    if (loop == NULL)
        loop = tk_loop_create();
    cr_assert_eq(tk_redis_open(loop, &config, &redis), TK_OK);
}

static void open_all(void)
{
    redis_process_open(&process);
    open_url(process.url, 10000);
    cr_assert(wait_up(true, 30000));
}

static void close_all(void)
{
    redis_process_close(&process);
}

static enum tk_err command(struct answer *answer, int argc, const char *const *argv)
{
    *answer = (struct answer){0};
    enum tk_err err = tk_redis_command(redis, argc, argv, NULL, on_done, answer);
    cr_assert_eq(answer->calls, 0, "never inside the call");
    return err;
}

static void expect(enum tk_step step, const char *text, int argc, const char *const *argv)
{
    struct answer answer;
    cr_assert_eq(command(&answer, argc, argv), TK_OK);
    wait_for(&answer);
    cr_assert_eq(answer.step, step, "%s %s", tk_step_name(answer.step), answer.text);
    cr_assert_eq(strncmp(answer.text, text, strlen(text)), 0, "%s", answer.text);
}

static const char *const PING[] = {"PING"};
static const char *const SET[] = {"SET", "k", "v", "NX", "PX", "10000"};
static const char *const GET[] = {"GET", "k"};
static const char *const WRONG[] = {"LPUSH", "k", "x"};

TestSuite(redis_live, .fini = close_all, .timeout = 120);

Test(redis_live, commands_are_answered)
{
    open_all();
    expect(TK_STEP_OK, "OK", 6, SET);
    expect(TK_STEP_OK, "v", 2, GET);
    expect(TK_STEP_OK, "", 6, SET); /* NX: nil */
    expect(TK_STEP_REFUSED, "WRONGTYPE", 3, WRONG);
    const char *const binary[] = {"SET", "b", "a\0b"};
    const size_t lengths[] = {3, 1, 3};
    struct answer answer = {0};
    cr_assert_eq(tk_redis_command(redis, 3, binary, lengths, on_done, &answer), TK_OK);
    wait_for(&answer);
    cr_assert_eq(answer.step, TK_STEP_OK);
    tk_redis_close(redis);
}

Test(redis_live, a_turns_commands_are_pipelined_and_answered_in_order)
{
    static struct answer answers[5000];
    open_all();
    for (int i = 0; i < 5000; i++) {
        char number[16];
        (void)snprintf(number, sizeof(number), "%d", i);
        const char *const echo[] = {"ECHO", number};
        cr_assert_eq(command(&answers[i], 2, echo), TK_OK);
    }
    wait_for(&answers[4999]);
    for (int i = 0; i < 5000; i++) {
        char number[16];
        (void)snprintf(number, sizeof(number), "%d", i);
        cr_assert_str_eq(answers[i].text, number);
    }
    tk_redis_close(redis);
}

Test(redis_live, pending_commands_are_bounded)
{
    struct answer answers[4];
    redis_process_open(&process);
    open_url(process.url, 3);
    cr_assert(wait_up(true, 30000));
    for (int i = 0; i < 3; i++)
        cr_assert_eq(command(&answers[i], 1, PING), TK_OK);
    cr_assert_eq(command(&answers[3], 1, PING), TK_ERR_UNAVAILABLE);
    wait_for(&answers[2]);
    cr_assert_eq(answers[3].calls, 0);
    tk_redis_close(redis);
}

Test(redis_live, a_stopped_redis_costs_one_deadline_and_comes_back)
{
    struct answer first, second;
    open_all();
    redis_process_signal(&process, SIGSTOP);
    int64_t start_us = tk_mono_us();
    cr_assert_eq(command(&first, 1, PING), TK_OK);
    turn_for(40);
    cr_assert_eq(command(&second, 1, PING), TK_OK);
    cr_assert(wait_up(false, 10000));
    int64_t took_ms = (tk_mono_us() - start_us) / TK_US_PER_MS;
    cr_assert(took_ms >= DEADLINE_MS - 5 && took_ms < DEADLINE_MS + 5000, "%d ms", (int)took_ms);
    cr_assert_eq(first.step, TK_STEP_UNKNOWN);
    cr_assert_eq(second.step, TK_STEP_UNKNOWN, "one connection, one fate");
    cr_assert_not(first.had_reply);
    /* It still accepts connections (the kernel does), but must not count as up. */
    for (int i = 0; i < 20; i++) {
        struct answer refused;
        turn_for(100);
        cr_assert_not(tk_redis_is_up(redis));
        cr_assert_eq(command(&refused, 1, PING), TK_ERR_UNAVAILABLE);
    }
    redis_process_signal(&process, SIGCONT);
    cr_assert(wait_up(true, 30000), "back without a restart of ours");
    expect(TK_STEP_OK, "PONG", 1, PING);
    cr_assert_eq(first.calls, 1);
    cr_assert_eq(second.calls, 1);
    tk_redis_close(redis);
}

Test(redis_live, a_killed_redis_is_unknown_at_once_and_comes_back)
{
    struct answer answer;
    open_all();
    redis_process_signal(&process, SIGSTOP);
    cr_assert_eq(command(&answer, 1, PING), TK_OK);
    turn_for(10);
    redis_process_kill(&process);
    wait_for(&answer);
    cr_assert_eq(answer.step, TK_STEP_UNKNOWN);
    cr_assert_not(tk_redis_is_up(redis));
    turn_for(500);
    redis_process_start(&process, NULL);
    cr_assert(wait_up(true, 30000));
    expect(TK_STEP_OK, "PONG", 1, PING);
    tk_redis_close(redis);
}

Test(redis_live, it_may_be_away_when_we_start)
{
    redis_process_open(&process);
    redis_process_kill(&process);
    open_url(process.url, 10);
    turn_for(300);
    cr_assert_not(tk_redis_is_up(redis));
    redis_process_start(&process, NULL);
    cr_assert(wait_up(true, 30000));
    tk_redis_close(redis);
}

Test(redis_live, a_password_and_a_database_are_sent)
{
    char url[128];
    redis_process_open(&process);
    redis_process_kill(&process);
    redis_process_start(&process, "s3cret");
    (void)snprintf(url, sizeof(url), "redis://default:s3cret@localhost:%d/3", process.port);
    open_url(url, 10);
    cr_assert(wait_up(true, 30000));
    expect(TK_STEP_OK, "OK", 6, SET);
    tk_redis_close(redis);
    (void)snprintf(url, sizeof(url), "redis://:s3cret@127.0.0.1:%d", process.port);
    open_url(url, 10);
    cr_assert(wait_up(true, 30000));
    struct answer answer;
    cr_assert_eq(command(&answer, 2, GET), TK_OK);
    wait_for(&answer);
    cr_assert_eq(answer.step, TK_STEP_OK);
    cr_assert_str_eq(answer.text, "", "the key went to database 3");
    tk_redis_close(redis);
}

Test(redis_live, a_wrong_or_missing_password_never_counts_as_up)
{
    char url[128];
    redis_process_open(&process);
    redis_process_kill(&process);
    redis_process_start(&process, "s3cret");
    open_url(process.url, 10);
    cr_assert_not(wait_up(true, 400), "NOAUTH");
    tk_redis_close(redis);
    (void)snprintf(url, sizeof(url), "redis://:wrong@127.0.0.1:%d", process.port);
    open_url(url, 10);
    cr_assert_not(wait_up(true, 400), "WRONGPASS");
    tk_redis_close(redis);
}

Test(redis_live, nobody_listening_is_down_and_stays_cheap)
{
    open_url("redis://127.0.0.1:1", 10);
    cr_assert_not(wait_up(true, 300));
    tk_redis_close(redis);
}

Test(redis_live, an_unknown_host_name_never_blocks_the_loop)
{
    struct tk_redis_config config = {
        .url = "redis://no-such-host.invalid", .deadline_ms = 50, .retry_ms = 50, .max_pending = 10};
    loop = tk_loop_create();
    int64_t start_us = tk_mono_us();
    cr_assert_eq(tk_redis_open(loop, &config, &redis), TK_OK);
    cr_assert_lt(tk_mono_us() - start_us, TK_US_PER_S);
    cr_assert_not(wait_up(true, 500));
    tk_redis_close(redis);
    turn_for(50);
}

Test(redis_live, closing_ends_what_is_pending)
{
    struct answer answer;
    open_all();
    redis_process_signal(&process, SIGSTOP);
    cr_assert_eq(command(&answer, 1, PING), TK_OK);
    turn_for(10);
    tk_redis_close(redis);
    cr_assert_eq(answer.calls, 1);
    cr_assert_eq(answer.step, TK_STEP_UNKNOWN);
    redis_process_signal(&process, SIGCONT);
    turn_for(200);
}

Test(redis_live, a_bad_url_is_refused)
{
    struct tk_redis_config config = {.url = "http://host", .deadline_ms = 50, .retry_ms = 50, .max_pending = 10};
    cr_assert_eq(tk_redis_open(tk_loop_create(), &config, &redis), TK_ERR_INVALID);
}
