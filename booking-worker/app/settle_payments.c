/**
 * A reservation stays `paying` when booking-svc died, or lost Postgres, between the charge and its settlement. Nobody may
 * guess how the payment went: booking-svc asks the provider again, by the attempt's id, and settles. The payment rules and
 * the provider thus stand in one place; this job only finds the stuck ones and knocks.
 */
#include <stdio.h>

#include "booking-worker/app/settle_payments.h"
#include "shared/log/log.h"
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

/* Asks for one settlement; *settled: it answered and had no fault of its own. An error: it is away, do not go on asking. */
static enum tk_err ask(struct settle_payments *job, const struct tk_uuid *reservation, bool *settled)
{
    char path[128];
    long status = 0;
    struct tk_slice answer;
    snprintf(path, sizeof(path), "/api/internal/reservations/%s/settle", TK_UUID_TEXT(reservation));
    enum tk_err err = http_call(job->booking_svc, "POST", path, (struct tk_slice){0}, &status, &answer);
    health_note(job->health, HEALTH_DEPENDENCY_BOOKING_SVC, !err);
    tk_metric_add(&asked_total, 1);
    tk_log(TK_LOG_WARNING, "stuck payment", TK_KV_UUID("reservation", reservation), TK_KV_STR("result", tk_err_name(err)),
           TK_KV_INT("status", status));
    *settled = !err && status < 500;
    return err;
}

/* Nothing to ask for: at least /health then knows whether booking-svc would answer. */
static void probe(struct settle_payments *job)
{
    long status;
    struct tk_slice answer;
    enum tk_err err = http_call(job->booking_svc, "GET", "/livez", (struct tk_slice){0}, &status, &answer);
    health_note(job->health, HEALTH_DEPENDENCY_BOOKING_SVC, !err);
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
        err = ask(job, &ids[i], &settled);
        ok &= settled;
    }
    if (ok && count == 0)
        probe(job);
    return (struct job_outcome){.ok = ok, .next_ms = INTERVAL_MS};
}
