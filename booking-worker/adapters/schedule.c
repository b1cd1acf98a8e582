/**
 * libuv glue. Everything here runs on the loop's thread except run_on_pool().
 */
#include <assert.h>
#include <signal.h>

#include "booking-worker/adapters/schedule.h"
#include "shared/base/clock.h"
#include "shared/base/list.h"
#include "shared/log/log.h"
#include "shared/metrics/metrics.h"

static struct tk_metric failures_total =
    TK_COUNTER("worker_job_failures_total", NULL, "Job runs that could not do their work.");

void schedule_register_metrics(void)
{
    tk_metrics_register(&failures_total);
}

static void on_timer(uv_timer_t *timer);

static bool any_running(const struct schedule *schedule)
{
    for (size_t i = 0; i < schedule->job_count; i++)
        if (atomic_load(&schedule->jobs[i].running))
            return true;
    return false;
}

static void start_timer(struct scheduled_job *job, int64_t delay_ms)
{
    if (!atomic_load(&job->schedule->stopping))
        uv_timer_start(&job->timer, on_timer, (uint64_t)(delay_ms > 0 ? delay_ms : 0), 0);
}

/* The follower looks after `follower_delay_ms`, unless it is due before that anyway or runs right now. */
static void nudge(struct scheduled_job *job)
{
    struct scheduled_job *follower = job->follower;
    if (follower == NULL || atomic_load(&follower->running))
        return;
    if (!uv_is_active((uv_handle_t *)&follower->timer) ||
        uv_timer_get_due_in(&follower->timer) > (uint64_t)job->follower_delay_ms)
        start_timer(follower, job->follower_delay_ms);
}

static void run_on_pool(uv_work_t *work)
{
    struct scheduled_job *job = TK_CONTAINER_OF(work, struct scheduled_job, work);
    int64_t started_us = tk_mono_us();
    atomic_store(&job->started_us, tk_unix_us());
    job->outcome = job->run(job->arg, &job->schedule->stopping);
    atomic_store(&job->took_us, tk_mono_us() - started_us);
}

static void on_done(uv_work_t *work, int status)
{
    struct scheduled_job *job = TK_CONTAINER_OF(work, struct scheduled_job, work);
    struct schedule *schedule = job->schedule;
    assert(status == 0);
    atomic_store(&job->finished_us, tk_unix_us());
    atomic_store(&job->last_ok, job->outcome.ok);
    atomic_fetch_add(&job->runs, 1);
    if (!job->outcome.ok) {
        atomic_fetch_add(&job->failures, 1);
        tk_metric_add(&failures_total, 1);
    }
    atomic_store(&job->running, false);
    tk_log(TK_LOG_DEBUG, "job done", TK_KV_STR("job", job->name), TK_KV_STR("result", job->outcome.ok ? "ok" : "failed"),
           TK_KV_INT("took_us", atomic_load(&job->took_us)), TK_KV_INT("next_ms", job->outcome.next_ms));
    start_timer(job, job->outcome.next_ms);
    if (job->outcome.wrote)
        nudge(job);
    if (atomic_load(&schedule->stopping) && !any_running(schedule))
        uv_stop(&schedule->loop);
}

static void on_timer(uv_timer_t *timer)
{
    struct scheduled_job *job = TK_CONTAINER_OF(timer, struct scheduled_job, timer);
    atomic_store(&job->running, true);
    int err = uv_queue_work(&job->schedule->loop, &job->work, run_on_pool, on_done);
    assert(err == 0);
    (void)err;
}

static void on_drain_timeout(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

static void on_signal(uv_signal_t *handle, int signal_number)
{
    struct schedule *schedule = handle->data;
    if (atomic_exchange(&schedule->stopping, true))
        return;
    tk_log(TK_LOG_INFO, "draining", TK_KV_INT("signal", signal_number));
    for (size_t i = 0; i < schedule->job_count; i++)
        uv_timer_stop(&schedule->jobs[i].timer);
    if (any_running(schedule))
        uv_timer_start(&schedule->drain_timer, on_drain_timeout, (uint64_t)schedule->drain_ms, 0);
    else
        uv_stop(&schedule->loop);
}

static void init(struct schedule *schedule)
{
    atomic_store(&schedule->stopping, false);
    uv_loop_init(&schedule->loop);
    uv_timer_init(&schedule->loop, &schedule->drain_timer);
    uv_signal_init(&schedule->loop, &schedule->on_term);
    uv_signal_init(&schedule->loop, &schedule->on_int);
    schedule->on_term.data = schedule;
    schedule->on_int.data = schedule;
    uv_signal_start(&schedule->on_term, on_signal, SIGTERM);
    uv_signal_start(&schedule->on_int, on_signal, SIGINT);
    for (size_t i = 0; i < schedule->job_count; i++) {
        schedule->jobs[i].schedule = schedule;
        uv_timer_init(&schedule->loop, &schedule->jobs[i].timer);
        start_timer(&schedule->jobs[i], 0);
    }
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    uv_close(handle, NULL);
}

bool schedule_run(struct schedule *schedule)
{
    init(schedule);
    uv_run(&schedule->loop, UV_RUN_DEFAULT);
    if (any_running(schedule))
        return false;
    uv_walk(&schedule->loop, close_handle, NULL);
    uv_run(&schedule->loop, UV_RUN_DEFAULT);
    uv_loop_close(&schedule->loop);
    return true;
}
