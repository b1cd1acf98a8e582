/*
 * A batch whose items are questions. Each session is asked for once, however many want to know.
 */
#include "event-svc/app/version_probe.h"

#include <stdlib.h>

#include "event-svc/adapters/seat_reads.h"
#include "shared/base/clock.h"
#include "shared/base/mem.h"

#define MAX_ITEMS  1000
#define MAX_QUEUED 20000

struct version_probe {
    struct tk_pg *pg;
    struct tk_batch *batch;
    int64_t deadline_us;
};

struct probe_job {
    struct tk_pg_op op;
    struct tk_flight *flight;
};

static struct version_ask *ask_of(struct tk_batch_item *item)
{
    return TK_CONTAINER_OF(item, struct version_ask, item);
}

/* Versions by session id; none is 0, so none is NULL. */
static void read_versions(const PGresult *rows, struct tk_uuid_map *versions)
{
    for (int row = 0; row < PQntuples(rows); row++) {
        struct tk_uuid id = tk_row_uuid(rows, row, 0);
        tk_uuid_map_put(versions, &id, (void *)(uintptr_t)tk_row_i64(rows, row, 1));
    }
}

static void answer_all(struct tk_flight *flight, const PGresult *rows)
{
    struct tk_uuid_map versions = {0};
    read_versions(rows, &versions);
    for (size_t i = 0; i < flight->count; i++) {
        struct version_ask *ask = ask_of(flight->items[i]);
        ask->sent_us = flight->sent_us;
        ask->done(ask, (int64_t)(uintptr_t)tk_uuid_map_get(&versions, &ask->session_id));
    }
    tk_uuid_map_release(&versions);
}

static void fail_all(struct tk_flight *flight)
{
    for (size_t i = 0; i < flight->count; i++) {
        struct version_ask *ask = ask_of(flight->items[i]);
        ask->done(ask, VERSION_FAILED);
    }
}

static void job_end(struct probe_job *job)
{
    tk_batch_landed(job->flight);
    free(job);
}

static void on_probed(struct tk_pg_op *op, const struct tk_pg_outcome *outcome)
{
    struct probe_job *job = op->arg;
    if (outcome->step == TK_STEP_OK)
        answer_all(job->flight, outcome->rows[0]);
    else
        fail_all(job->flight);
    job_end(job);
}

static void fill(struct tk_pg_op *op, const struct tk_flight *flight)
{
    struct tk_uuid_map seen = {0};
    const struct tk_uuid **ids = tk_alloc(flight->count * sizeof(const struct tk_uuid *));
    size_t count = 0;
    for (size_t i = 0; i < flight->count; i++) {
        struct version_ask *ask = ask_of(flight->items[i]);
        if (tk_uuid_map_get(&seen, &ask->session_id) != NULL)
            continue;
        tk_uuid_map_put(&seen, &ask->session_id, ask);
        ids[count++] = &ask->session_id;
    }
    versions_select(op, ids, count);
    free((void *)ids);
    tk_uuid_map_release(&seen);
}

static void send(void *ctx, struct tk_flight *flight)
{
    struct version_probe *probe = ctx;
    struct probe_job *job = tk_alloc(sizeof(*job));
    job->flight = flight;
    tk_pg_op_init(&job->op);
    fill(&job->op, flight);
    job->op.done = on_probed;
    job->op.arg = job;
    job->op.deadline_us = tk_mono_us() + probe->deadline_us;
    if (tk_pg_submit(probe->pg, &job->op)) {
        fail_all(flight);
        job_end(job);
    }
}

static void drop(void *ctx, struct tk_batch_item *item)
{
    (void)ctx;
    ask_of(item)->done(ask_of(item), VERSION_FAILED);
}

enum tk_err version_probe_ask(struct version_probe *probe, struct version_ask *ask)
{
    ask->item.deadline_us = tk_mono_us() + probe->deadline_us;
    return tk_batch_submit(probe->batch, &ask->item);
}

struct version_probe *version_probe_new(struct tk_loop *loop, struct tk_pg *pg, int64_t deadline_ms)
{
    static const struct tk_batch_ops OPS = {.send = send, .drop = drop};
    const struct tk_batch_config config = {
        .name = "version_probe", .max_items = MAX_ITEMS, .max_in_flight = 1, .max_queued = MAX_QUEUED};
    struct version_probe *probe = tk_alloc(sizeof(*probe));
    probe->pg = pg;
    probe->deadline_us = deadline_ms * TK_US_PER_MS;
    probe->batch = tk_batch_new(loop, &config, &OPS, probe);
    return probe;
}
