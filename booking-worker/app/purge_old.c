/**
 * Idempotency keys are promised for a day. Reservations, tickets and their history are kept; the outbox empties itself.
 */
#include "booking-worker/app/purge_old.h"
#include "shared/metrics/metrics.h"

#define INTERVAL_MS              60000
#define PAUSE_BETWEEN_BATCHES_MS 200 /* leaves room for sales */
#define BATCH                    1000

static struct tk_metric purged_total =
    TK_COUNTER("worker_purged_total", "table=\"idempotency_keys\"", "Rows removed because of their age.");

void purge_old_register_metrics(void)
{
    tk_metrics_register(&purged_total);
}

struct job_outcome purge_old_run(void *arg, const atomic_bool *stopping)
{
    struct purge_old *job = arg;
    int64_t deleted = 0;
    (void)stopping; /* one batch per run */
    bool ok = upkeep_store_purge_keys(job->store, BATCH, &deleted) == TK_OK;
    tk_metric_add(&purged_total, deleted);
    return (struct job_outcome){.ok = ok, .next_ms = deleted == BATCH ? PAUSE_BETWEEN_BATCHES_MS : INTERVAL_MS};
}
