/**
 * A thread with a Postgres connection of its own for reads that would stand still the event loop: whole sessions at a time.
 */
#ifndef EVENT_SVC_APP_READ_THREAD_H
#define EVENT_SVC_APP_READ_THREAD_H

#include "event-svc/adapters/statements.h"
#include "shared/base/list.h"
#include "shared/loop/loop.h"
#include "shared/pg/sync.h"

struct read_thread;
struct read_job;

/** On the thread. */
typedef void read_work_fn(struct read_job *job, struct tk_pgs *pg);
/** Back on the loop. */
typedef void read_done_fn(struct read_job *job);

/** Caller-owned from submit until `done` has started. Embed it in what the work needs. */
struct read_job {
    struct tk_link link;
    struct tk_loop_message message;
    read_work_fn *work;
    read_done_fn *done;
};

struct read_thread_config {
    const char *name; /* of the connection */
    const char *url;  /* lives as long as the process */
    const char *server_options;
    int64_t timeout_ms;
    const struct statement_list *statements;
};

struct read_thread *read_thread_start(struct tk_loop *loop, const struct read_thread_config *config);

/** Loop thread only. Jobs run one at a time, in the order of submission. */
void read_thread_submit(struct read_thread *thread, struct read_job *job);

/** Finishes the current job and ends the thread; jobs still queued are dropped without `done`. */
void read_thread_stop(struct read_thread *thread);

/**
 * Runs the operation that `fill(op, arg)` fills; twice when need be, since a connection that broke while it was idle is
 * noticed only by using it, and reading again is harmless. The caller releases `op`.
 */
enum tk_step read_twice(struct tk_pgs *pg, struct tk_pg_op *op, void (*fill)(struct tk_pg_op *op, const void *arg),
                        const void *arg);

#endif
