/**
 * The worker's clockwork on libuv: timers and signals on the loop, jobs on its thread pool. A job never runs twice at a
 * time; its next run is scheduled when the last one has ended, by what that one asked for.
 *
 *     idle --timer--> running (thread pool) --done--> idle, timer set to outcome.next_ms
 *     SIGTERM/SIGINT: timers stop, running jobs see `stopping` and are waited for
 */
#ifndef BOOKING_WORKER_ADAPTERS_SCHEDULE_H
#define BOOKING_WORKER_ADAPTERS_SCHEDULE_H

#include <stddef.h>
#include <uv.h>

#include "booking-worker/domain/job.h"

/** Fill the first part; the rest is the scheduler's. Lives as long as the schedule runs. */
struct scheduled_job {
    const char *name;
    job_fn *run;
    void *arg;
    struct scheduled_job *follower; /* looks `follower_delay_ms` after a run that wrote outbox rows, or NULL */
    int64_t follower_delay_ms;

    /* For /health, readable by any thread. Times are Unix microseconds, 0: never. */
    _Atomic int64_t runs;
    _Atomic int64_t failures;
    _Atomic int64_t started_us;
    _Atomic int64_t finished_us;
    _Atomic int64_t took_us;
    atomic_bool running;
    atomic_bool last_ok;

    struct schedule *schedule;
    struct job_outcome outcome;
    uv_timer_t timer;
    uv_work_t work;
};

struct schedule {
    struct scheduled_job *jobs;
    size_t job_count;
    int64_t drain_ms;     /* how long running jobs may take to end */
    atomic_bool stopping; /* readable by any thread */
    uv_loop_t loop;
    uv_signal_t on_term;
    uv_signal_t on_int;
    uv_timer_t drain_timer;
};

/** Registers the jobs' metrics; before threads start. */
void schedule_register_metrics(void);

/**
 * Runs every job once at once, then as each asks, until SIGTERM or SIGINT. Returns true when all jobs ended within
 * drain_ms; after false the process must exit without touching what the jobs use.
 */
bool schedule_run(struct schedule *schedule);

#endif
