/**
 * A reservation stays `paying` when booking-svc died, or lost Postgres, between the charge and its settlement. Nobody may
 * guess how the payment went: booking-svc asks the provider again, by the attempt's id, and settles. The payment rules and
 * the provider thus stand in one place; this job only finds the stuck ones and knocks.
 */
#include "booking-worker/app/settle_payments.h"
#include "shared/base/fault.h"
#include "shared/metrics/metrics.h"

#define INTERVAL_MS 5000

static struct tk_metric asked_total =
    TK_COUNTER("worker_settlements_asked_total", NULL, "Stuck payments booking-svc was asked to settle.");
static struct tk_metric stuck = TK_GAUGE("worker_stuck_payments", NULL, "Stuck payments found at the last look.");

void settle_payments_register_metrics(void)
{
    tk_metrics_register(&asked_total);
    tk_metrics_register(&stuck);
}

struct job_outcome settle_payments_run(void *arg, const atomic_bool *stopping)
{
    struct settle_payments *job = arg;
    struct tk_uuid ids[STUCK_PAYMENTS_MAX];
    size_t count;
    enum tk_err err = upkeep_store_stuck_payments(job->store, job->after_s, ids, &count);
    bool ok = !err;
    tk_metric_set(&stuck, (int64_t)count);
    for (size_t i = 0; !err && i < count && !atomic_load(stopping); i++) {
        bool settled;
        FAULT_POINT(settle_requested);
        err = booking_client_settle(job->booking_svc, &ids[i], &settled);
        tk_metric_add(&asked_total, 1);
        ok &= settled;
    }
    /* Nothing to ask for: at least /health then knows whether booking-svc would answer. */
    health_note(job->health, HEALTH_DEPENDENCY_BOOKING_SVC, count > 0 ? !err : booking_client_is_up(job->booking_svc));
    return (struct job_outcome){.ok = ok, .next_ms = INTERVAL_MS};
}
