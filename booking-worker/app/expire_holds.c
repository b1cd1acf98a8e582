/**
 * Happy path: look for overdue holds → more than a batch: ask event-svc which sessions begin soonest, theirs go first →
 * expire them in batches, one transaction each → release the seats of each batch at event-svc → drop their Redis locks →
 * move the watermark → again while there is more → likewise for a piece of the recent past → ask when the next hold ends →
 * sleep until then, at most the interval. While there is a backlog it looks every second what has become overdue since.
 *
 * What can fail: Postgres (nothing changed or the commit is unknown; list and watermark stay, so the next run tries again,
 * and the compare-and-set on status makes that harmless), event-svc (the messages, which wait in the outbox for the relay,
 * free the seats as well; the backlog stays in the order of its deadlines) and Redis (locks end by themselves).
 *
 * A storm of expiries leaves the machine to the sales by itself: one batch is on its way at a time, and each waits for its
 * turn in event-svc's queue. The release says the revision, so the message finds nothing left to do.
 */
#include "booking-worker/app/expire_holds.h"
#include "booking-worker/domain/pace.h"
#include "shared/base/clock.h"
#include "shared/base/fault.h"
#include "shared/log/log.h"
#include "shared/metrics/metrics.h"

#define LONGEST_BACKOFF_MS  2000
#define UNDECIDED_PAUSE_MS  1000
#define WALK_AGAIN_EVERY_US TK_US_PER_S
#define LOOK_EVERY_US       TK_US_PER_S       /* at what has become overdue while a backlog is worked off */
#define CALL_PAUSE_US       (2 * TK_US_PER_S) /* after a call to event-svc that failed */

static struct tk_metric expired_total = TK_COUNTER("worker_holds_expired_total", NULL, "Holds expired by this worker.");
static struct tk_metric delay =
    TK_HISTOGRAM("worker_expiry_delay_seconds", NULL, "Time from a hold's deadline to its expiry.");

static struct tk_metric undecided =
    TK_GAUGE("worker_undecided_holds", NULL, "Overdue holds that are being paid for or locked by somebody else.");

void expire_holds_register_metrics(void)
{
    tk_metrics_register(&undecided);
    tk_metrics_register(&expired_total);
    tk_metrics_register(&delay);
}

static void account(const struct expired_holds *holds)
{
    tk_metric_add(&expired_total, (int64_t)holds->count);
    for (size_t i = 0; i < holds->count; i++) {
        tk_metric_observe_us(&delay, holds->late_us[i]);
        tk_log(TK_LOG_DEBUG, "hold expired", TK_KV_UUID("reservation", &holds->items[i].reservation_id),
               TK_KV_INT("revision", holds->items[i].revision), TK_KV_INT("seats", holds->items[i].seat_count),
               TK_KV_INT("late_ms", holds->late_us[i] / 1000));
    }
    tk_log(TK_LOG_INFO, "holds expired", TK_KV_INT("count", holds->count),
           TK_KV_UUID("first", &holds->items[0].reservation_id), TK_KV_INT("late_ms", holds->late_us[0] / 1000));
}

static bool may_call(const struct expire_holds *job)
{
    return tk_mono_us() >= job->call_again_us;
}

static void note_call(struct expire_holds *job, bool ok)
{
    health_note(job->health, HEALTH_DEPENDENCY_EVENT_SVC, ok);
    if (!ok)
        job->call_again_us = tk_mono_us() + CALL_PAUSE_US;
}

/* Only event-svc knows when sessions begin. Without its word the order stays as it is. */
static void order_backlog(struct expire_holds *job)
{
    struct backlog *backlog = expiry_store_backlog(job->store);
    struct tk_uuid sessions[TK_SEAT_API_MAX_SESSIONS];
    size_t count = backlog_sessions(backlog, sessions, TK_SEAT_API_MAX_SESSIONS);
    if (count < 2 || !may_call(job))
        return;
    bool ok = event_client_soonest_first(&job->client, sessions, &count) == TK_OK;
    note_call(job, ok);
    if (!ok)
        return;
    backlog_order(backlog, sessions, count);
    tk_log(TK_LOG_INFO, "backlog ordered, soonest session first", TK_KV_INT("holds", backlog_untried(backlog)),
           TK_KV_INT("sessions", count));
}

static bool release_some(struct expire_holds *job, const struct tk_reservation_message *holds, size_t count,
                         struct tk_arena *arena)
{
    struct tk_release_request requests[TK_SEAT_API_MAX_ITEMS];
    enum tk_release_outcome outcomes[TK_SEAT_API_MAX_ITEMS];
    for (size_t i = 0; i < count; i++)
        requests[i] = (struct tk_release_request){.reservation_id = holds[i].reservation_id,
                                                  .session_id = holds[i].session_id,
                                                  .revision = holds[i].revision,
                                                  .reason = TK_RELEASE_REASON_EXPIRED,
                                                  .request_id = holds[i].request_id};
    return event_client_release(&job->client, requests, count, arena, outcomes) == TK_OK;
}

/* At once, ahead of the messages: those are the safety net, and may take their time. */
static void release_seats(struct expire_holds *job, const struct expired_holds *holds, struct tk_arena *arena)
{
    size_t done = 0;
    bool ok = may_call(job);
    while (ok && done < holds->count) {
        size_t left = holds->count - done;
        size_t count = left < TK_SEAT_API_MAX_ITEMS ? left : TK_SEAT_API_MAX_ITEMS;
        ok = release_some(job, holds->items + done, count, arena);
        note_call(job, ok);
        done += count;
    }
}

static bool expire_batch(struct expire_holds *job, bool *wrote)
{
    struct tk_arena arena = {0};
    struct expired_holds holds;
    bool ok = expiry_store_expire(job->store, job->batch_size, &arena, &holds) == TK_STEP_OK;
    if (holds.count > 0) {
        FAULT_POINT(expiry_committed);
        account(&holds);
        release_seats(job, &holds, &arena);
        FAULT_POINT(expiry_released);
        (void)!seat_locks_release(job->locks, holds.items, holds.count); /* logged; locks end by themselves */
        *wrote = true;
    }
    tk_arena_release(&arena);
    return ok;
}

/* What the walk found, for as long as it is worth while without another look. *done: all of it. */
static bool expire_backlog(struct expire_holds *job, const atomic_bool *stopping, bool *wrote, bool *done)
{
    const struct backlog *backlog = expiry_store_backlog(job->store);
    int64_t look_us = tk_mono_us() + LOOK_EVERY_US;
    bool ok = true;
    while (ok && backlog_untried(backlog) > 0 && tk_mono_us() < look_us && !atomic_load(stopping) &&
           fence_is_open(job->fence))
        ok = expire_batch(job, wrote);
    tk_metric_set(&undecided, (int64_t)backlog->tried);
    *done = backlog_untried(backlog) == 0;
    return ok;
}

/* A stretch of a walk and what it found. Unless all of that is done the walk stays where it was. */
static bool expire_found(struct expire_holds *job, enum expiry_walk walk, const atomic_bool *stopping, bool *wrote,
                         bool *more)
{
    bool done;
    bool ok = expiry_store_scan(job->store, walk, more) == TK_OK;
    health_note(job->health, HEALTH_DEPENDENCY_POSTGRES, ok); /* a first run with a backlog may take minutes */
    if (!ok)
        return false;
    if (backlog_untried(expiry_store_backlog(job->store)) > (size_t)job->batch_size)
        order_backlog(job);
    ok = expire_backlog(job, stopping, wrote, &done);
    if (ok && done)
        return expiry_store_advance(job->store) == TK_OK;
    *more = true;
    return ok;
}

static bool walk(struct expire_holds *job, enum expiry_walk direction, const atomic_bool *stopping, bool *wrote)
{
    bool more = true;
    bool ok = true;
    while (ok && more && !atomic_load(stopping) && fence_is_open(job->fence))
        ok = expire_found(job, direction, stopping, wrote, &more);
    return ok;
}

/* The second walk takes a piece now and then, however often the job runs. */
static bool is_time_to_walk_again(struct expire_holds *job)
{
    int64_t now_us = tk_mono_us();
    if (now_us - job->walked_again_us < WALK_AGAIN_EVERY_US)
        return false;
    job->walked_again_us = now_us;
    return true;
}

static struct job_outcome finish(struct expire_holds *job, bool ok, bool wrote)
{
    int64_t until_ms = PACE_NONE;
    int64_t longest_ms = expiry_store_backlog(job->store)->tried > 0 ? UNDECIDED_PAUSE_MS : job->interval_ms;
    if (ok)
        ok = expiry_store_until_next(job->store, job->interval_ms, &until_ms) == TK_OK;
    health_note(job->health, HEALTH_DEPENDENCY_POSTGRES, ok);
    health_note(job->health, HEALTH_DEPENDENCY_REDIS, seat_locks_is_up(job->locks));
    job->failures = ok ? 0 : job->failures + 1;
    return (struct job_outcome){
        .ok = ok,
        .wrote = wrote,
        .next_ms = ok ? pace_until_expiry(until_ms, longest_ms < job->interval_ms ? longest_ms : job->interval_ms)
                      : pace_after_failure(job->failures, LONGEST_BACKOFF_MS),
    };
}

struct job_outcome expire_holds_run(void *arg, const atomic_bool *stopping)
{
    struct expire_holds *job = arg;
    bool wrote = false;
    bool ok = walk(job, EXPIRY_WALK_FORWARD, stopping, &wrote);
    if (ok && is_time_to_walk_again(job))
        ok = walk(job, EXPIRY_WALK_AGAIN, stopping, &wrote);
    return finish(job, ok, wrote);
}
