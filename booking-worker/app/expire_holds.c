/**
 * Happy path: expire a batch (one transaction) → drop its Redis locks → again while batches are full → move the watermark →
 * ask when the next hold ends → sleep until then, at most the interval.
 *
 * What can fail: Postgres (nothing changed or the commit is unknown; the next run looks again, the compare-and-set on
 * status makes that harmless) and Redis (locks end by themselves). The messages wait in the outbox for the relay.
 */
#include "booking-worker/app/expire_holds.h"
#include "booking-worker/domain/pace.h"
#include "shared/log/log.h"
#include "shared/metrics/metrics.h"

#define LONGEST_BACKOFF_MS 2000

static struct tk_metric expired_total = TK_COUNTER("worker_holds_expired_total", NULL, "Holds expired by this worker.");
static struct tk_metric delay =
    TK_HISTOGRAM("worker_expiry_delay_seconds", NULL, "Time from a hold's deadline to its expiry.");

void expire_holds_register_metrics(void)
{
    tk_metrics_register(&expired_total);
    tk_metrics_register(&delay);
}

static void account(const struct expired_holds *holds)
{
    tk_metric_add(&expired_total, (int64_t)holds->count);
    for (size_t i = 0; i < holds->count; i++) {
        tk_metric_observe_us(&delay, holds->late_us[i]);
        tk_log(TK_LOG_INFO, "hold expired", TK_KV_UUID("reservation", &holds->items[i].reservation_id),
               TK_KV_INT("revision", holds->items[i].revision), TK_KV_INT("seats", holds->items[i].seat_count),
               TK_KV_INT("late_ms", holds->late_us[i] / 1000));
    }
}

/* One batch; *count says how many. */
static bool expire_batch(struct expire_holds *job, size_t *count)
{
    struct tk_arena arena = {0};
    struct expired_holds holds;
    bool ok = expiry_store_expire(job->store, job->batch_size, &arena, &holds) == TK_STEP_OK;
    *count = holds.count;
    if (holds.count > 0) {
        account(&holds);
        (void)!seat_locks_release(job->locks, holds.items, holds.count); /* logged; locks end by themselves */
    }
    tk_arena_release(&arena);
    return ok;
}

static struct job_outcome finish(struct expire_holds *job, bool ok, bool wrote)
{
    int64_t until_ms = PACE_NONE;
    if (ok)
        ok = expiry_store_advance(job->store) == TK_OK &&
             expiry_store_until_next(job->store, job->interval_ms, &until_ms) == TK_OK;
    health_note(job->health, HEALTH_DEPENDENCY_POSTGRES, ok);
    health_note(job->health, HEALTH_DEPENDENCY_REDIS, seat_locks_is_up(job->locks));
    job->failures = ok ? 0 : job->failures + 1;
    return (struct job_outcome){
        .ok = ok,
        .wrote = wrote,
        .next_ms =
            ok ? pace_until_expiry(until_ms, job->interval_ms) : pace_after_failure(job->failures, LONGEST_BACKOFF_MS),
    };
}

struct job_outcome expire_holds_run(void *arg, const atomic_bool *stopping)
{
    struct expire_holds *job = arg;
    bool wrote = false;
    bool ok = true;
    bool more = true;
    while (ok && more && !atomic_load(stopping)) {
        size_t count;
        ok = expire_batch(job, &count);
        wrote |= count > 0;
        more = count == (size_t)job->batch_size;
    }
    return finish(job, ok, wrote);
}
