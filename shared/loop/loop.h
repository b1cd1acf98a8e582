/**
 * The event loop of a service: h2o's evloop plus what it lacks — one-shot timers of any duration, work deferred to the end
 * of the current turn, file descriptors of other libraries, and messages from other threads.
 *
 * One thread owns a loop and everything on it; only tk_loop_post() may be called from elsewhere. The worker does not use
 * this module: it schedules blocking jobs on libuv (docs/DECISIONS.md).
 *
 * Clients come last: their connections live on a second h2o loop, of which a turn takes one portion (256 events). Otherwise
 * thousands of clients who want something keep the answers of Postgres and of our own services waiting, since epoll hands
 * out what is ready in turns, and a busy service would get slower with every request it turns away.
 *
 * A turn is: wait for I/O, run its callbacks, run due timers, take a portion of the clients, run deferred work. Deferred
 * work is what makes batches: all requests read in one turn are queued before the queue is sent.
 */
#ifndef TK_LOOP_LOOP_H
#define TK_LOOP_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/list.h"
#include "shared/base/result.h"

struct tk_loop;
struct st_h2o_evloop_t;

typedef void tk_loop_fn(void *arg);

/** Never NULL. Lives as long as the process. */
struct tk_loop *tk_loop_create(void);

/** h2o's own loop, for sockets to our own services and servers. */
struct st_h2o_evloop_t *tk_loop_h2o(struct tk_loop *loop);

/** The one for listeners and the connections of clients. */
struct st_h2o_evloop_t *tk_loop_h2o_clients(struct tk_loop *loop);

/** Runs turns until tk_loop_stop(). */
void tk_loop_run(struct tk_loop *loop);

/** One turn that waits at most `wait_ms` milliseconds; for tests and for draining. */
void tk_loop_turn(struct tk_loop *loop, int wait_ms);

/** Makes tk_loop_run() return after the current turn. Loop thread only. */
void tk_loop_stop(struct tk_loop *loop);

/* --- timers ------------------------------------------------------------------------------------------------------- */

/** Caller-owned memory; zero-initialised is stopped. Must be stopped before it is freed. */
struct tk_timer {
    int64_t due_us;
    tk_loop_fn *fn;
    void *arg;
    size_t slot; /* 1-based heap position; 0 when stopped */
};

/** Runs `fn(arg)` once, `delay_ms` (>= 0) milliseconds from now. Restarts a running timer. */
void tk_timer_start(struct tk_loop *loop, struct tk_timer *timer, int64_t delay_ms, tk_loop_fn *fn, void *arg);
void tk_timer_stop(struct tk_loop *loop, struct tk_timer *timer); /* harmless when stopped */

/* --- deferred work ------------------------------------------------------------------------------------------------ */

/** Caller-owned; zero-initialised is idle. Must not be freed while queued. */
struct tk_deferred {
    struct tk_link link;
    tk_loop_fn *fn;
    void *arg;
};

/** Runs `fn(arg)` at the end of this turn, never inside this call. Queueing twice runs it once. */
void tk_loop_defer(struct tk_loop *loop, struct tk_deferred *deferred, tk_loop_fn *fn, void *arg);
void tk_deferred_cancel(struct tk_deferred *deferred);

/* --- messages from other threads ---------------------------------------------------------------------------------- */

struct tk_loop_message {
    struct tk_link link;
    tk_loop_fn *fn;
    void *arg;
};

/** Thread-safe. `message` is the caller's and must live until `fn(arg)` has started on the loop's thread. */
void tk_loop_post(struct tk_loop *loop, struct tk_loop_message *message);

/* --- file descriptors of other libraries -------------------------------------------------------------------------- */

#define TK_WATCH_READ  1u
#define TK_WATCH_WRITE 2u

struct tk_watch;
typedef void tk_watch_fn(void *arg, unsigned ready);

/**
 * Watches a descriptor that another library reads, writes and closes (libpq, hiredis). The descriptor is duplicated, so
 * either side may close first. Never NULL; starts with no interest.
 */
struct tk_watch *tk_watch_open(struct tk_loop *loop, int fd, tk_watch_fn *fn, void *arg);

/** Sets the interest. READ stays until changed; WRITE fires once and must be asked for again. */
void tk_watch_want(struct tk_watch *watch, unsigned interest);

/** Safe inside the watch's own callback. */
void tk_watch_close(struct tk_watch *watch);

#endif
