/**
 * Wiring. One thread at a time runs a job, and no two jobs share a connection.
 */
#include "booking-worker/app/worker.h"
#include "shared/base/clock.h"

#define CALL_TIMEOUT_MS   5000
#define SETTLE_TIMEOUT_MS 15000 /* booking-svc asks the payment provider meanwhile */
#define MAX_ANSWER        (1u << 20)
#define AUDIT_TIMEOUT_MS  5000
#define DRAIN_MS          10000
#define LAST_PASS_MS      2000

enum job_index { JOB_LINEAGE, JOB_EXPIRE, JOB_RELAY, JOB_SWEEP, JOB_SETTLE, JOB_PURGE, JOB_AUDIT };

void worker_register_metrics(void)
{
    expire_holds_register_metrics();
    sweep_orphans_register_metrics();
    settle_payments_register_metrics();
    purge_old_register_metrics();
    audit_register_metrics();
    fence_register_metrics();
    schedule_register_metrics();
}

static struct http_caller *caller_for(const struct worker_config *config, const char *url, int64_t timeout_ms)
{
    struct http_caller_config caller = {
        .base_url = url,
        .ca_file = config->tls_ca,
        .internal_api_key = config->internal_api_key,
        .timeout_ms = timeout_ms,
        .max_answer = MAX_ANSWER,
    };
    return http_caller_new(&caller);
}

static enum tk_err init_relay(struct worker *worker, const struct worker_config *config)
{
    struct tk_outbox_config outbox = {
        .name = "worker-relay",
        .database_url = config->database_url,
        .mq = tk_mq_settings_connection(&config->broker, "booking-worker", config->tls_ca),
        .min_age_ms = RELAY_MIN_AGE_MS,
    };
    worker->relay.health = &worker->health;
    return tk_outbox_relay_new(&outbox, &worker->relay.relay);
}

static enum tk_err init_expire(struct worker *worker, const struct worker_config *config)
{
    worker->expire = (struct expire_holds){.store = expiry_store_new(config->database_url),
                                           .client.caller = caller_for(config, config->event_service_url, CALL_TIMEOUT_MS),
                                           .fence = &worker->fence,
                                           .health = &worker->health,
                                           .batch_size = config->expiry_batch_size,
                                           .interval_ms = config->expiry_interval_s * 1000};
    return seat_locks_new(config->redis_url, &worker->expire.locks);
}

static void init_sweep(struct worker *worker, const struct worker_config *config)
{
    worker->event_svc.caller = caller_for(config, config->event_service_url, CALL_TIMEOUT_MS);
    worker->sweep =
        (struct sweep_orphans){.client = &worker->event_svc,
                               .booking_svc = caller_for(config, config->booking_service_url, SETTLE_TIMEOUT_MS),
                               .store = orphan_store_new(config->database_url),
                               .fence = &worker->fence,
                               .health = &worker->health,
                               .grace_s = config->orphan_grace_s,
                               .interval_ms = config->orphan_interval_s * 1000};
}

static void init_upkeep(struct worker *worker, const struct worker_config *config)
{
    worker->settle =
        (struct settle_payments){.store = upkeep_store_new("worker-payments", config->database_url),
                                 .booking_svc = caller_for(config, config->booking_service_url, SETTLE_TIMEOUT_MS),
                                 .health = &worker->health,
                                 .after_s = config->paying_settle_after_s};
    worker->purge = (struct purge_old){.store = upkeep_store_new("worker-purge", config->database_url),
                                       .client.caller = caller_for(config, config->event_service_url, CALL_TIMEOUT_MS),
                                       .history_days = config->history_retention_days};
}

static void init_audit(struct worker *worker, const struct worker_config *config)
{
    int64_t grace_us = config->consistency_grace_s * TK_US_PER_S;
    worker->audit.events = event_ledger_new("worker-audit", config->event_database_url, AUDIT_TIMEOUT_MS);
    worker->audit.bookings = booking_ledger_new("worker-audit", config->database_url, AUDIT_TIMEOUT_MS);
    worker->audit.patience.grace_us = grace_us;
    worker->audit.patience.stuck_us = grace_us + config->paying_settle_after_s * TK_US_PER_S;
    worker->audit.grace_us = grace_us;
    worker->audit.interval_ms = config->audit_interval_s * 1000;
}

static void init_job(struct worker *worker, enum job_index index, const char *name, job_fn *run, void *arg)
{
    worker->jobs[index].name = name;
    worker->jobs[index].run = run;
    worker->jobs[index].arg = arg;
    worker->jobs[index].follower = index == JOB_RELAY ? NULL : &worker->jobs[JOB_RELAY];
    worker->jobs[index].follower_delay_ms = RELAY_MIN_AGE_MS + 10;
}

/* What changes anything; the audit only reads. */
static void init_fenced_job(struct worker *worker, enum job_index index, const char *name, job_fn *run, void *arg)
{
    worker->fenced[index] = (struct fenced_job){.fence = &worker->fence, .run = run, .arg = arg};
    init_job(worker, index, name, fence_pass, &worker->fenced[index]);
}

static void init_schedule(struct worker *worker)
{
    init_job(worker, JOB_LINEAGE, "lineage", fence_look, &worker->fence);
    init_fenced_job(worker, JOB_EXPIRE, "expire_holds", expire_holds_run, &worker->expire);
    init_fenced_job(worker, JOB_RELAY, "relay_outbox", relay_outbox_run, &worker->relay);
    init_fenced_job(worker, JOB_SWEEP, "sweep_orphans", sweep_orphans_run, &worker->sweep);
    init_fenced_job(worker, JOB_SETTLE, "settle_payments", settle_payments_run, &worker->settle);
    init_fenced_job(worker, JOB_PURGE, "purge_old", purge_old_run, &worker->purge);
    init_job(worker, JOB_AUDIT, "audit", audit_run, &worker->audit);
    worker->schedule.jobs = worker->jobs;
    worker->schedule.job_count = WORKER_JOBS;
    worker->schedule.drain_ms = DRAIN_MS;
}

static void init_pages(struct worker *worker, const struct worker_config *config)
{
    static const char json[] = "application/json";
    worker->pages = (struct status_pages){.schedule = &worker->schedule,
                                          .health = &worker->health,
                                          .fence = &worker->fence,
                                          .metrics_enabled = config->enable_metrics};
    worker->page_table[0] = (struct status_page){"/health", json, status_page_health, &worker->pages};
    worker->page_table[1] = (struct status_page){"/livez", json, status_page_livez, &worker->pages};
    worker->page_table[2] = (struct status_page){"/readyz", json, status_page_readyz, &worker->pages};
    worker->page_table[3] =
        (struct status_page){"/metrics", "text/plain; version=0.0.4; charset=utf-8", status_page_metrics, &worker->pages};
}

enum tk_err worker_init(struct worker *worker, const struct worker_config *config)
{
    enum tk_err err = init_relay(worker, config);
    if (!err)
        err = init_expire(worker, config);
    if (err)
        return err;
    worker->fence = (struct fence){.store = lineage_store_new(config->database_url, config->event_database_url),
                                   .health = &worker->health};
    init_sweep(worker, config);
    init_upkeep(worker, config);
    init_audit(worker, config);
    init_schedule(worker);
    init_pages(worker, config);
    return TK_OK;
}

void worker_release(struct worker *worker)
{
    tk_outbox_relay_stop(worker->relay.relay, fence_is_open(&worker->fence) ? LAST_PASS_MS : 0);
    lineage_store_free(worker->fence.store);
    expiry_store_free(worker->expire.store);
    seat_locks_free(worker->expire.locks);
    http_caller_free(worker->expire.client.caller);
    orphan_store_free(worker->sweep.store);
    tk_uuid_map_release(&worker->sweep.reemitted);
    http_caller_free(worker->event_svc.caller);
    http_caller_free(worker->sweep.booking_svc);
    upkeep_store_free(worker->settle.store);
    http_caller_free(worker->settle.booking_svc);
    upkeep_store_free(worker->purge.store);
    http_caller_free(worker->purge.client.caller);
    event_ledger_free(worker->audit.events);
    booking_ledger_free(worker->audit.bookings);
}
