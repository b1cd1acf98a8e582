/*
 * One turn: wait for I/O and run its callbacks (h2o), run due timers (binary heap), run the clients' portion (h2o again,
 * its epoll nested in the first one's), run deferred work (one pass; what a deferred function defers runs in the next turn,
 * which then does not wait, so that I/O is never starved).
 */
#include "shared/loop/loop.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <h2o/memory.h>
#include <h2o/socket.h>
#include <h2o/timeout.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/base/mem.h"

#define MAX_WAIT_MS 1000 /* a turn at least every second keeps h2o's cached clock fresh */

struct tk_loop {
    h2o_evloop_t *h2o;
    h2o_evloop_t *clients;
    struct tk_watch *clients_watch; /* wakes a turn that waits */
    bool stopping;
    struct tk_timer **heap; /* heap[1] is due first; slot 0 unused */
    size_t heap_len;
    size_t heap_cap;
    struct tk_link deferred;
    struct tk_link pass_end; /* marks the end of a pass over `deferred` */
    int wake_fd;
    struct tk_watch *wake_watch;
    pthread_mutex_t posted_lock;
    struct tk_link posted; /* under posted_lock */
};

static void on_wake(void *arg, unsigned ready);

/* --- clients ------------------------------------------------------------------------------------------------------ */

/** Nothing to do here: every turn looks after the clients. */
static void on_clients(void *arg, unsigned ready)
{
    (void)arg;
    (void)ready;
}

/*
 * h2o does not say which descriptor its epoll has. POSIX does: a new descriptor is the lowest that is free, and this runs
 * before there are threads. An epoll descriptor can be watched by another epoll.
 */
static void open_clients(struct tk_loop *loop)
{
    int lowest = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    if (lowest >= 0)
        close(lowest);
    loop->clients = h2o_evloop_create();
    loop->clients_watch = tk_watch_open(loop, lowest, on_clients, NULL);
    tk_watch_want(loop->clients_watch, TK_WATCH_READ);
}

static void run_clients(struct tk_loop *loop)
{
    h2o_evloop_run(loop->clients, 0);
}

/* A write begun by a timer or by deferred work is finished by h2o's next turn, which must not sleep first. */
static bool has_pending_sockets(const h2o_evloop_t *h2o)
{
    return h2o->_pending_as_client != NULL || h2o->_pending_as_server != NULL;
}

/** What was changed about a client's socket, and what was written to it, is looked at by the next run only. */
static bool clients_need_another_run(const struct tk_loop *loop)
{
    return loop->clients->_statechanged.head != NULL || has_pending_sockets(loop->clients);
}

/* --- the loop ----------------------------------------------------------------------------------------------------- */

struct tk_loop *tk_loop_create(void)
{
    struct tk_loop *loop = tk_alloc(sizeof(*loop));
    loop->h2o = h2o_evloop_create();
    tk_list_init(&loop->deferred);
    tk_list_init(&loop->posted);
    open_clients(loop);
    pthread_mutex_init(&loop->posted_lock, NULL);
    loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (loop->wake_fd < 0)
        abort(); /* no descriptors at start-up: nothing could run */
    loop->wake_watch = tk_watch_open(loop, loop->wake_fd, on_wake, loop);
    tk_watch_want(loop->wake_watch, TK_WATCH_READ);
    return loop;
}

struct st_h2o_evloop_t *tk_loop_h2o(struct tk_loop *loop)
{
    return loop->h2o;
}

struct st_h2o_evloop_t *tk_loop_h2o_clients(struct tk_loop *loop)
{
    return loop->clients;
}

/* --- timers: a binary heap ordered by due time -------------------------------------------------------------------- */

static void heap_place(struct tk_loop *loop, size_t slot, struct tk_timer *timer)
{
    loop->heap[slot] = timer;
    timer->slot = slot;
}

static void heap_sift_up(struct tk_loop *loop, size_t slot, struct tk_timer *timer)
{
    while (slot > 1 && loop->heap[slot / 2]->due_us > timer->due_us) {
        heap_place(loop, slot, loop->heap[slot / 2]);
        slot /= 2;
    }
    heap_place(loop, slot, timer);
}

static void heap_sift_down(struct tk_loop *loop, size_t slot, struct tk_timer *timer)
{
    for (size_t child = slot * 2; child <= loop->heap_len; child = slot * 2) {
        if (child < loop->heap_len && loop->heap[child + 1]->due_us < loop->heap[child]->due_us)
            child++;
        if (timer->due_us <= loop->heap[child]->due_us)
            break;
        heap_place(loop, slot, loop->heap[child]);
        slot = child;
    }
    heap_place(loop, slot, timer);
}

void tk_timer_start(struct tk_loop *loop, struct tk_timer *timer, int64_t delay_ms, tk_loop_fn *fn, void *arg)
{
    assert(delay_ms >= 0);
    tk_timer_stop(loop, timer);
    timer->due_us = tk_mono_us() + delay_ms * TK_US_PER_MS;
    timer->fn = fn;
    timer->arg = arg;
    if (loop->heap_len + 2 > loop->heap_cap) {
        loop->heap_cap = loop->heap_cap ? loop->heap_cap * 2 : 64;
        loop->heap = tk_realloc(loop->heap, loop->heap_cap * sizeof(*loop->heap));
    }
    heap_sift_up(loop, ++loop->heap_len, timer);
}

void tk_timer_stop(struct tk_loop *loop, struct tk_timer *timer)
{
    size_t slot = timer->slot;
    if (slot == 0)
        return;
    timer->slot = 0;
    struct tk_timer *last = loop->heap[loop->heap_len--];
    if (last == timer)
        return;
    if (slot > 1 && loop->heap[slot / 2]->due_us > last->due_us)
        heap_sift_up(loop, slot, last);
    else
        heap_sift_down(loop, slot, last);
}

static void run_due_timers(struct tk_loop *loop)
{
    int64_t now = tk_mono_us();
    while (loop->heap_len > 0 && loop->heap[1]->due_us <= now) {
        struct tk_timer *timer = loop->heap[1];
        tk_timer_stop(loop, timer);
        timer->fn(timer->arg);
    }
}

static int64_t timer_wait_ms(const struct tk_loop *loop)
{
    if (loop->heap_len == 0)
        return INT64_MAX;
    const int64_t until_us = loop->heap[1]->due_us - tk_mono_us();
    return until_us <= 0 ? 0 : (until_us + TK_US_PER_MS - 1) / TK_US_PER_MS;
}

/** h2o ends an answer and begins the next request by timeouts of zero. */
static int64_t clients_wait_ms(const struct tk_loop *loop)
{
    const uint64_t wake_at = h2o_timeout_get_wake_at(&loop->clients->_timeouts);
    const uint64_t now = loop->clients->_now;
    if (wake_at <= now || clients_need_another_run(loop))
        return 0;
    return wake_at - now > INT32_MAX ? INT32_MAX : (int64_t)(wake_at - now);
}

static int next_wait_ms(const struct tk_loop *loop, int wait_ms)
{
    const int64_t timer_ms = timer_wait_ms(loop);
    const int64_t clients_ms = clients_wait_ms(loop);
    if (!tk_list_is_empty(&loop->deferred) || has_pending_sockets(loop->h2o))
        return 0;
    const int64_t least_ms = timer_ms < clients_ms ? timer_ms : clients_ms;
    return least_ms < wait_ms ? (int)least_ms : wait_ms;
}

/* --- deferred work ------------------------------------------------------------------------------------------------ */

void tk_loop_defer(struct tk_loop *loop, struct tk_deferred *deferred, tk_loop_fn *fn, void *arg)
{
    if (tk_link_is_linked(&deferred->link))
        return;
    deferred->fn = fn;
    deferred->arg = arg;
    tk_list_push_back(&loop->deferred, &deferred->link);
}

void tk_deferred_cancel(struct tk_deferred *deferred)
{
    tk_list_remove(&deferred->link);
}

static void run_deferred(struct tk_loop *loop)
{
    /* The mark bounds the pass to what was queued before it began, even when functions cancel each other. */
    tk_list_push_back(&loop->deferred, &loop->pass_end);
    for (;;) {
        struct tk_link *link = tk_list_pop_front(&loop->deferred);
        if (link == &loop->pass_end)
            return;
        struct tk_deferred *deferred = TK_CONTAINER_OF(link, struct tk_deferred, link);
        deferred->fn(deferred->arg);
    }
}

/* --- running ------------------------------------------------------------------------------------------------------ */

void tk_loop_turn(struct tk_loop *loop, int wait_ms)
{
    h2o_evloop_run(loop->h2o, next_wait_ms(loop, wait_ms));
    run_due_timers(loop);
    run_clients(loop);
    run_deferred(loop);
}

void tk_loop_run(struct tk_loop *loop)
{
    loop->stopping = false;
    while (!loop->stopping)
        tk_loop_turn(loop, MAX_WAIT_MS);
}

void tk_loop_stop(struct tk_loop *loop)
{
    loop->stopping = true;
}

/* --- messages from other threads ---------------------------------------------------------------------------------- */

void tk_loop_post(struct tk_loop *loop, struct tk_loop_message *message)
{
    pthread_mutex_lock(&loop->posted_lock);
    bool was_empty = tk_list_is_empty(&loop->posted);
    tk_list_push_back(&loop->posted, &message->link);
    pthread_mutex_unlock(&loop->posted_lock);
    if (was_empty) {
        ssize_t written = write(loop->wake_fd, &(uint64_t){1}, sizeof(uint64_t));
        (void)written; /* EAGAIN means the counter is already non-zero: the loop will wake */
    }
}

static struct tk_loop_message *take_posted(struct tk_loop *loop)
{
    pthread_mutex_lock(&loop->posted_lock);
    struct tk_link *link = tk_list_pop_front(&loop->posted);
    pthread_mutex_unlock(&loop->posted_lock);
    return link ? TK_CONTAINER_OF(link, struct tk_loop_message, link) : NULL;
}

static void on_wake(void *arg, unsigned ready)
{
    struct tk_loop *loop = arg;
    (void)ready;
    uint64_t count;
    ssize_t got = read(loop->wake_fd, &count, sizeof(count));
    (void)got; /* EAGAIN: a message was taken by an earlier wake */
    struct tk_loop_message *message;
    while ((message = take_posted(loop)) != NULL)
        message->fn(message->arg);
}

/* --- descriptors of other libraries ------------------------------------------------------------------------------- */

struct tk_watch {
    h2o_socket_t *sock;
    tk_watch_fn *fn;
    void *arg;
    bool writing; /* a write notification is outstanding */
};

/* The callbacks below must not touch the watch after calling out: the callee may have closed it. */

static void on_readable(h2o_socket_t *sock, const char *err)
{
    struct tk_watch *watch = sock->data;
    (void)err; /* the library that owns the socket finds the error itself when it reads */
    watch->fn(watch->arg, TK_WATCH_READ);
}

static void on_writable(h2o_socket_t *sock, const char *err)
{
    struct tk_watch *watch = sock->data;
    (void)err;
    watch->writing = false;
    watch->fn(watch->arg, TK_WATCH_WRITE);
}

struct tk_watch *tk_watch_open(struct tk_loop *loop, int fd, tk_watch_fn *fn, void *arg)
{
    struct tk_watch *watch = tk_alloc(sizeof(*watch));
    int own_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (own_fd < 0)
        abort(); /* out of descriptors: limits are set far above what the server's connection cap allows */
    watch->sock = h2o_evloop_socket_create(loop->h2o, own_fd, H2O_SOCKET_FLAG_DONT_READ);
    watch->sock->data = watch;
    watch->fn = fn;
    watch->arg = arg;
    return watch;
}

void tk_watch_want(struct tk_watch *watch, unsigned interest)
{
    bool reading = h2o_socket_is_reading(watch->sock) != 0;
    if ((interest & TK_WATCH_READ) && !reading)
        h2o_socket_read_start(watch->sock, on_readable);
    else if (!(interest & TK_WATCH_READ) && reading)
        h2o_socket_read_stop(watch->sock);
    if ((interest & TK_WATCH_WRITE) && !watch->writing) {
        watch->writing = true;
        h2o_socket_notify_write(watch->sock, on_writable);
    }
}

void tk_watch_close(struct tk_watch *watch)
{
    h2o_socket_close(watch->sock);
    free(watch);
}
