#include <criterion/criterion.h>
#include <h2o/memory.h>
#include <h2o/socket.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/loop/loop.h"

struct trace {
    char text[64];
    size_t len;
};

struct mark {
    struct trace *trace;
    char letter;
};

static void put_mark(void *arg)
{
    struct mark *mark = arg;
    mark->trace->text[mark->trace->len++] = mark->letter;
}

static void turn_for(struct tk_loop *loop, int64_t milliseconds)
{
    int64_t end = tk_mono_us() + milliseconds * TK_US_PER_MS;
    while (tk_mono_us() < end)
        tk_loop_turn(loop, 5);
    tk_loop_turn(loop, 0); /* for what became due while somebody else had the processor */
}

Test(loop, timers_fire_once_in_due_order)
{
    struct tk_loop *loop = tk_loop_create();
    struct trace trace = {0};
    struct mark marks[] = {{&trace, 'a'}, {&trace, 'b'}, {&trace, 'c'}, {&trace, 'd'}};
    struct tk_timer timers[4] = {0};
    const int64_t delays[] = {30, 10, 20, 15};
    for (size_t i = 0; i < 4; i++)
        tk_timer_start(loop, &timers[i], delays[i], put_mark, &marks[i]);
    tk_timer_stop(loop, &timers[3]);
    turn_for(loop, 80);
    cr_assert_str_eq(trace.text, "bca");
}

Test(loop, restarting_a_timer_moves_it)
{
    struct tk_loop *loop = tk_loop_create();
    struct trace trace = {0};
    struct mark a = {&trace, 'a'};
    struct mark b = {&trace, 'b'};
    struct tk_timer first = {0};
    struct tk_timer second = {0};
    tk_timer_start(loop, &first, 5, put_mark, &a);
    tk_timer_start(loop, &second, 15, put_mark, &b);
    tk_timer_start(loop, &first, 30, put_mark, &a);
    turn_for(loop, 60);
    cr_assert_str_eq(trace.text, "ba");
}

Test(loop, many_timers_keep_heap_order_under_removal)
{
    enum { COUNT = 500 };
    struct tk_loop *loop = tk_loop_create();
    static struct trace trace;
    static struct mark marks[COUNT];
    static struct tk_timer timers[COUNT];
    for (int i = 0; i < COUNT; i++) {
        marks[i] = (struct mark){&trace, 'x'};
        tk_timer_start(loop, &timers[i], (i * 7919) % 40, put_mark, &marks[i]);
    }
    for (int i = 0; i < COUNT; i++)
        if (i % 10 != 0)
            tk_timer_stop(loop, &timers[i]);
    turn_for(loop, 80);
    cr_assert_eq(trace.len, COUNT / 10);
}

struct again {
    struct tk_loop *loop;
    struct tk_deferred deferred;
    int runs;
};

static void defer_again(void *arg)
{
    struct again *again = arg;
    if (++again->runs < 3)
        tk_loop_defer(again->loop, &again->deferred, defer_again, again);
}

Test(loop, deferred_work_runs_at_the_end_of_the_turn_once)
{
    struct tk_loop *loop = tk_loop_create();
    struct again again = {.loop = loop};
    tk_loop_defer(loop, &again.deferred, defer_again, &again);
    tk_loop_defer(loop, &again.deferred, defer_again, &again);
    cr_assert_eq(again.runs, 0, "never inside the call");
    tk_loop_turn(loop, 1000);
    cr_assert_eq(again.runs, 1, "deferred while running: next turn");
    tk_loop_turn(loop, 1000);
    tk_loop_turn(loop, 1000);
    cr_assert_eq(again.runs, 3);
}

Test(loop, cancelled_work_does_not_run)
{
    struct tk_loop *loop = tk_loop_create();
    struct again again = {.loop = loop};
    tk_loop_defer(loop, &again.deferred, defer_again, &again);
    tk_deferred_cancel(&again.deferred);
    tk_loop_turn(loop, 0);
    cr_assert_eq(again.runs, 0);
}

struct counted {
    struct tk_loop_message message;
    int *counter;
};

static void count_message(void *arg)
{
    ++*((struct counted *)arg)->counter;
}

struct poster {
    struct tk_loop *loop;
    struct counted messages[1000];
};

static void *post_all(void *arg)
{
    struct poster *poster = arg;
    for (size_t i = 0; i < 1000; i++) {
        poster->messages[i].message.fn = count_message;
        poster->messages[i].message.arg = &poster->messages[i];
        tk_loop_post(poster->loop, &poster->messages[i].message);
    }
    return NULL;
}

Test(loop, messages_from_other_threads_all_arrive)
{
    struct tk_loop *loop = tk_loop_create();
    static struct poster posters[4];
    pthread_t threads[4];
    int counter = 0;
    for (size_t t = 0; t < 4; t++) {
        posters[t].loop = loop;
        for (size_t i = 0; i < 1000; i++)
            posters[t].messages[i].counter = &counter;
        cr_assert_eq(pthread_create(&threads[t], NULL, post_all, &posters[t]), 0);
    }
    int64_t give_up = tk_mono_us() + 5 * TK_US_PER_S;
    while (counter < 4000 && tk_mono_us() < give_up)
        tk_loop_turn(loop, 10);
    for (size_t t = 0; t < 4; t++)
        pthread_join(threads[t], NULL);
    cr_assert_eq(counter, 4000);
}

struct pipe_reader {
    int fd;
    int reads;
    struct tk_watch *watch;
};

static void read_and_close(void *arg, unsigned ready)
{
    struct pipe_reader *reader = arg;
    char byte;
    cr_assert_eq(ready, TK_WATCH_READ);
    cr_assert_eq(read(reader->fd, &byte, 1), 1);
    if (++reader->reads == 2)
        tk_watch_close(reader->watch);
}

Test(loop, a_watch_may_be_closed_by_its_own_callback)
{
    struct tk_loop *loop = tk_loop_create();
    int fds[2];
    cr_assert_eq(pipe(fds), 0);
    struct pipe_reader reader = {.fd = fds[0]};
    reader.watch = tk_watch_open(loop, fds[0], read_and_close, &reader);
    tk_watch_want(reader.watch, TK_WATCH_READ);
    cr_assert_eq(write(fds[1], "abc", 3), 3);
    for (int i = 0; i < 5; i++)
        tk_loop_turn(loop, 5);
    cr_assert_eq(reader.reads, 2, "level-triggered until closed");
}

/* --- clients ------------------------------------------------------------------------------------------------------ */

struct chatter {
    struct tk_loop *loop;
    struct trace *trace;
    char letter;
};

static void on_client_bytes(h2o_socket_t *sock, const char *err)
{
    struct chatter *chatter = sock->data;
    cr_assert_null(err);
    h2o_buffer_consume(&sock->input, sock->input->size);
    chatter->trace->text[chatter->trace->len++] = chatter->letter;
}

static void on_own_bytes(void *arg, unsigned ready)
{
    struct chatter *chatter = arg;
    (void)ready;
    chatter->trace->text[chatter->trace->len++] = chatter->letter;
}

/** Bytes from a client wake a waiting turn, and our own servers' answers are taken first whoever wrote first. */
Test(loop, clients_wake_the_loop_and_come_last)
{
    struct tk_loop *loop = tk_loop_create();
    struct trace trace = {0};
    struct chatter client = {loop, &trace, 'c'};
    struct chatter own = {loop, &trace, 'o'};
    int client_fds[2];
    int own_fds[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, client_fds), 0);
    cr_assert_eq(pipe(own_fds), 0);
    h2o_socket_t *sock = h2o_evloop_socket_create(tk_loop_h2o_clients(loop), client_fds[0], 0);
    sock->data = &client;
    h2o_socket_read_start(sock, on_client_bytes);
    struct tk_watch *watch = tk_watch_open(loop, own_fds[0], on_own_bytes, &own);
    tk_watch_want(watch, TK_WATCH_READ);
    tk_loop_turn(loop, 0);
    tk_loop_turn(loop, 0);

    cr_assert_eq(write(client_fds[1], "x", 1), 1);
    const int64_t before_us = tk_mono_us();
    tk_loop_turn(loop, 10000);
    cr_assert_str_eq(trace.text, "c");
    cr_assert_lt(tk_mono_us() - before_us, 5 * TK_US_PER_S);

    cr_assert_eq(write(client_fds[1], "x", 1), 1);
    cr_assert_eq(write(own_fds[1], "x", 1), 1);
    tk_loop_turn(loop, 1000);
    cr_assert_str_eq(trace.text, "coc");
}
