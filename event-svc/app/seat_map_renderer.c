/*
 * What the thread does for seat maps.
 */
#include "event-svc/app/seat_map_renderer.h"

#include "event-svc/adapters/seat_reads.h"
#include "event-svc/adapters/statements.h"
#include "shared/base/clock.h"
#include "shared/log/log.h"
#include "shared/metrics/metrics.h"

static struct tk_metric renderings = TK_HISTOGRAM("seat_map_render_seconds", NULL, "Reading and rendering a seat map");

static void fill(struct tk_pg_op *op, const void *session_id)
{
    seat_map_select(op, session_id);
}

static void render(struct tk_pgs *pg, struct render_job *job)
{
    struct tk_pg_op op;
    int64_t started_us = tk_mono_us();
    if (read_twice(pg, &op, fill, &job->session_id) == TK_STEP_OK) {
        seat_map_free(job->map);
        job->map = seat_map_render(&job->session_id, op.outcome.rows[0]);
        job->err = job->map != NULL ? TK_OK : TK_ERR_NOT_FOUND;
        tk_metric_observe_us(&renderings, tk_mono_us() - started_us);
    } else {
        tk_log(TK_LOG_WARNING, "seat map cannot be read", TK_KV_UUID("session", &job->session_id),
               TK_KV_STR("why", op.outcome.message));
        job->err = TK_ERR_UNAVAILABLE;
    }
    tk_pgs_release(&op);
}

static void work(struct render_job *job, struct tk_pgs *pg)
{
    job->err = TK_OK;
    if (job->map == NULL || job->map->version < job->version)
        render(pg, job);
    for (enum seat_map_form form = 0; !job->err && form < SEAT_MAP_FORMS; form++)
        if (job->compress[form])
            seat_map_compress(job->map, form);
}

static void run(struct read_job *read, struct tk_pgs *pg)
{
    work(TK_CONTAINER_OF(read, struct render_job, read), pg);
}

static void on_rendered(struct read_job *read)
{
    struct render_job *job = TK_CONTAINER_OF(read, struct render_job, read);
    job->done(job);
}

struct read_thread *seat_map_renderer_start(struct tk_loop *loop, const char *url, int64_t timeout_ms)
{
    const struct read_thread_config config = {
        .name = "event-svc seat maps", .url = url, .timeout_ms = timeout_ms, .statements = &seat_map_statements};
    tk_metrics_register(&renderings);
    return read_thread_start(loop, &config);
}

void seat_map_renderer_submit(struct read_thread *renderer, struct render_job *job)
{
    job->read = (struct read_job){.work = run, .done = on_rendered};
    read_thread_submit(renderer, &job->read);
}
