/**
 * Status pages. Everything is read from memory; nothing here waits.
 */
#include "booking-worker/app/status_pages.h"
#include "shared/json/writer.h"
#include "shared/metrics/metrics.h"

static const char *state_word(enum health_state state)
{
    static const char *const words[] = {
        [HEALTH_STATE_UNKNOWN] = "unknown", [HEALTH_STATE_UP] = "up", [HEALTH_STATE_DOWN] = "down"};
    return words[state];
}

static bool is_ready(const struct status_pages *pages)
{
    return health_of(pages->health, HEALTH_DEPENDENCY_POSTGRES) == HEALTH_STATE_UP;
}

static const char *overall(const struct status_pages *pages)
{
    if (!is_ready(pages))
        return "down";
    if (fence_has_diverged(pages->fence))
        return "degraded";
    for (int i = 0; i < HEALTH_DEPENDENCY_COUNT; i++)
        if (health_of(pages->health, (enum health_dependency)i) == HEALTH_STATE_DOWN)
            return "degraded";
    return "ok";
}

static void write_time(struct tk_jsonw *w, const char *key, int64_t unix_us)
{
    tk_jsonw_time(w, key, unix_us == 0 ? TK_TIME_NONE : unix_us);
}

static void write_job(struct tk_jsonw *w, const struct scheduled_job *job)
{
    int64_t runs = atomic_load(&job->runs);
    tk_jsonw_begin_object(w, job->name);
    tk_jsonw_str(w, "last_result", runs == 0 ? NULL : atomic_load(&job->last_ok) ? "ok" : "failed");
    tk_jsonw_bool(w, "running", atomic_load(&job->running));
    write_time(w, "last_started", atomic_load(&job->started_us));
    write_time(w, "last_finished", atomic_load(&job->finished_us));
    tk_jsonw_i64(w, "took_us", atomic_load(&job->took_us));
    tk_jsonw_i64(w, "runs", runs);
    tk_jsonw_i64(w, "failures", atomic_load(&job->failures));
    tk_jsonw_end_object(w);
}

unsigned status_page_health(void *arg, struct tk_buf *body)
{
    const struct status_pages *pages = arg;
    struct tk_jsonw w = TK_JSONW(body);
    tk_jsonw_begin_object(&w, NULL);
    tk_jsonw_str(&w, "status", overall(pages));
    tk_jsonw_str(&w, "service", "booking-worker");
    tk_jsonw_begin_object(&w, "checks");
    for (int i = 0; i < HEALTH_DEPENDENCY_COUNT; i++)
        tk_jsonw_str(&w, health_dependency_name((enum health_dependency)i),
                     state_word(health_of(pages->health, (enum health_dependency)i)));
    tk_jsonw_end_object(&w);
    tk_jsonw_begin_object(&w, "details");
    tk_jsonw_bool(&w, "read_only", fence_has_diverged(pages->fence));
    tk_jsonw_end_object(&w);
    tk_jsonw_begin_object(&w, "jobs");
    for (size_t i = 0; i < pages->schedule->job_count; i++)
        write_job(&w, &pages->schedule->jobs[i]);
    tk_jsonw_end_object(&w);
    tk_jsonw_end_object(&w);
    return is_ready(pages) ? 200 : 503;
}

unsigned status_page_livez(void *arg, struct tk_buf *body)
{
    (void)arg;
    tk_buf_append_str(body, "{\"status\":\"ok\"}");
    return 200;
}

unsigned status_page_readyz(void *arg, struct tk_buf *body)
{
    const struct status_pages *pages = arg;
    const char *word = atomic_load(&pages->schedule->stopping) ? "draining" : is_ready(pages) ? "ok" : "down";
    tk_buf_appendf(body, "{\"status\":\"%s\"}", word);
    return word[0] == 'o' ? 200 : 503;
}

unsigned status_page_metrics(void *arg, struct tk_buf *body)
{
    const struct status_pages *pages = arg;
    if (!pages->metrics_enabled) {
        tk_buf_append_str(body, "# metrics are off (ENABLE_METRICS)\n");
        return 404;
    }
    tk_metrics_render(body);
    return 200;
}
