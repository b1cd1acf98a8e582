/**
 * Idempotency keys are promised for a day, the history of what is over for HISTORY_RETENTION_DAYS. Reservations and tickets
 * are kept; the outbox empties itself. A run removes one batch of each, so that sales hardly notice.
 */
#include "booking-worker/app/purge_old.h"
#include "shared/metrics/metrics.h"

#define INTERVAL_MS              60000
#define PAUSE_BETWEEN_BATCHES_MS 200 /* leaves room for sales */
#define BATCH                    1000

#define PURGED(table)                                                                                                      \
    TK_COUNTER("worker_purged_total", "table=\"" table "\"", "Rows removed from booking_db because of their age.")

static struct tk_metric purged_keys = PURGED("idempotency_keys");
static struct tk_metric purged_history = PURGED("reservation_history");

void purge_old_register_metrics(void)
{
    tk_metrics_register(&purged_keys);
    tk_metrics_register(&purged_history);
}

struct job_outcome purge_old_run(void *arg, const atomic_bool *stopping)
{
    struct purge_old *job = arg;
    int64_t keys = 0;
    int64_t history = 0;
    bool full = false;
    (void)stopping; /* one batch of each per run */
    bool ok = upkeep_store_purge_keys(job->store, BATCH, &keys) == TK_OK;
    ok = upkeep_store_purge_history(job->store, job->history_days, BATCH, &history) == TK_OK && ok;
    ok = event_client_purge(&job->client, job->history_days, BATCH, &full) == TK_OK && ok;
    tk_metric_add(&purged_keys, keys);
    tk_metric_add(&purged_history, history);
    full = full || keys == BATCH || history == BATCH;
    return (struct job_outcome){.ok = ok, .next_ms = full ? PAUSE_BETWEEN_BATCHES_MS : INTERVAL_MS};
}
