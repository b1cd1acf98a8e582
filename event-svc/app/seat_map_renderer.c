/*
 * One thread, one queue under a mutex, answers posted back to the loop.
 */
#include "event-svc/app/seat_map_renderer.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "event-svc/adapters/seat_reads.h"
#include "event-svc/adapters/statements.h"
#include "shared/base/clock.h"
#include "shared/base/mem.h"
#include "shared/log/log.h"
#include "shared/metrics/metrics.h"
#include "shared/pg/sync.h"

struct seat_map_renderer {
    struct tk_loop *loop;
    struct tk_pgs *pg;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    struct tk_link queue;
    bool stopping;
};

static struct tk_metric renderings = TK_HISTOGRAM("seat_map_render_seconds", NULL, "Reading and rendering a seat map");

/* Twice: a connection that broke while it was idle is noticed only by using it, and reading again is harmless. */
static enum tk_step read_rows(struct seat_map_renderer *renderer, const struct tk_uuid *session_id, struct tk_pg_op *op)
{
    enum tk_step step = TK_STEP_UNKNOWN;
    for (int attempt = 0; attempt < 2 && step == TK_STEP_UNKNOWN; attempt++) {
        if (attempt > 0)
            tk_pgs_release(op);
        tk_pg_op_init(op);
        seat_map_select(op, session_id);
        step = tk_pgs_run(renderer->pg, op);
    }
    return step;
}

static void render(struct seat_map_renderer *renderer, struct render_job *job)
{
    struct tk_pg_op op;
    int64_t started_us = tk_mono_us();
    if (read_rows(renderer, &job->session_id, &op) == TK_STEP_OK) {
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

static void work(struct seat_map_renderer *renderer, struct render_job *job)
{
    job->err = TK_OK;
    if (job->map == NULL || job->map->version < job->version)
        render(renderer, job);
    for (enum seat_map_form form = 0; !job->err && form < SEAT_MAP_FORMS; form++)
        if (job->compress[form])
            seat_map_compress(job->map, form);
}

/* The next job; NULL when the thread is to end. */
static struct render_job *take_job(struct seat_map_renderer *renderer)
{
    pthread_mutex_lock(&renderer->mutex);
    while (!renderer->stopping && tk_list_is_empty(&renderer->queue))
        pthread_cond_wait(&renderer->wake, &renderer->mutex);
    struct tk_link *link = renderer->stopping ? NULL : tk_list_pop_front(&renderer->queue);
    pthread_mutex_unlock(&renderer->mutex);
    return link != NULL ? TK_CONTAINER_OF(link, struct render_job, link) : NULL;
}

static void on_rendered(void *arg)
{
    struct render_job *job = arg;
    job->done(job);
}

static void *run(void *arg)
{
    struct seat_map_renderer *renderer = arg;
    struct render_job *job;
    while ((job = take_job(renderer)) != NULL) {
        work(renderer, job);
        job->message = (struct tk_loop_message){.fn = on_rendered, .arg = job};
        tk_loop_post(renderer->loop, &job->message);
    }
    return NULL;
}

struct seat_map_renderer *seat_map_renderer_start(struct tk_loop *loop, const char *url, int64_t timeout_ms)
{
    struct seat_map_renderer *renderer = tk_alloc(sizeof(*renderer));
    const struct tk_pgs_config pg = {
        .name = "event-svc seat maps",
        .url = url,
        .timeout_ms = timeout_ms,
        .statements = seat_map_statements.items,
        .statement_count = seat_map_statements.count,
    };
    tk_metrics_register(&renderings);
    renderer->loop = loop;
    renderer->pg = tk_pgs_new(&pg);
    tk_list_init(&renderer->queue);
    pthread_mutex_init(&renderer->mutex, NULL);
    pthread_cond_init(&renderer->wake, NULL);
    int rc = pthread_create(&renderer->thread, NULL, run, renderer);
    assert(rc == 0);
    (void)rc;
    return renderer;
}

void seat_map_renderer_submit(struct seat_map_renderer *renderer, struct render_job *job)
{
    pthread_mutex_lock(&renderer->mutex);
    tk_list_push_back(&renderer->queue, &job->link);
    pthread_cond_signal(&renderer->wake);
    pthread_mutex_unlock(&renderer->mutex);
}

void seat_map_renderer_stop(struct seat_map_renderer *renderer)
{
    pthread_mutex_lock(&renderer->mutex);
    renderer->stopping = true;
    pthread_cond_signal(&renderer->wake);
    pthread_mutex_unlock(&renderer->mutex);
    pthread_join(renderer->thread, NULL);
    tk_pgs_free(renderer->pg);
    pthread_cond_destroy(&renderer->wake);
    pthread_mutex_destroy(&renderer->mutex);
    free(renderer);
}
