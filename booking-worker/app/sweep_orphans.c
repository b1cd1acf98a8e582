/**
 * Orphan sweep. A hold outlives its deadline when booking-svc died between holding the seats and storing the reservation,
 * or when a release or confirmation got lost or is late.
 *
 *   page of overdue holds from event-svc → tombstones for unknown reservations, then re-read all (orphan_store.c)
 *   → judge each (domain/orphan.h) → release at event-svc / confirm again by outbox / let the expiry job look again /
 *     have the payment settled
 *
 * When either side cannot be reached, nothing is concluded and the seat stays held: late is better than twice. A release
 * that races with anything is harmless, because event-svc acts only on seats which that very reservation holds.
 */
#include <string.h>

#include "booking-worker/app/sweep_orphans.h"
#include "booking-worker/domain/orphan.h"
#include "booking-worker/domain/pace.h"
#include "shared/base/clock.h"
#include "shared/base/fault.h"
#include "shared/log/log.h"
#include "shared/metrics/metrics.h"

#define MAX_PAGES       50
#define MAX_SETTLEMENTS 10
#define REEMIT_QUIET_US (60 * TK_US_PER_S) /* a confirmation said again gets this long to arrive */

static struct tk_metric entombed_total =
    TK_COUNTER("worker_orphans_entombed_total", NULL, "Holds without a reservation that got a tombstone.");
static struct tk_metric released_total =
    TK_COUNTER("worker_orphans_released_total", NULL, "Overdue holds released at event-svc by the sweep.");
static struct tk_metric reemitted_total =
    TK_COUNTER("worker_confirmations_reemitted_total", NULL, "Confirmations written to the outbox again.");
static struct tk_metric contradictions_total =
    TK_COUNTER("worker_contradictions_total", NULL, "Seats sold for a reservation that is over. Must stay 0.");
static struct tk_metric overdue_holds =
    TK_GAUGE("worker_overdue_holds", NULL, "Holds past deadline and grace, at the last sweep.");

void sweep_orphans_register_metrics(void)
{
    tk_metrics_register(&entombed_total);
    tk_metrics_register(&released_total);
    tk_metrics_register(&reemitted_total);
    tk_metrics_register(&contradictions_total);
    tk_metrics_register(&overdue_holds);
}

struct page {
    struct overdue_hold holds[EVENT_CLIENT_PAGE];
    struct orphan_fate fates[EVENT_CLIENT_PAGE];
    enum orphan_verdict verdicts[EVENT_CLIENT_PAGE];
    size_t count;
};

/* While the consumer is down every confirmed hold shows up in each sweep: that is not news. */
static enum tk_log_level log_level_for(enum orphan_verdict verdict, const struct orphan_fate *fate)
{
    if (fate->entombed || verdict == ORPHAN_VERDICT_REVISIT)
        return TK_LOG_WARNING;
    return verdict == ORPHAN_VERDICT_RELEASE ? TK_LOG_INFO : TK_LOG_DEBUG;
}

static void judge(struct page *page)
{
    for (size_t i = 0; i < page->count; i++) {
        const struct orphan_fate *fate = &page->fates[i];
        page->verdicts[i] = orphan_judge(fate->status, fate->overdue);
        tk_metric_add(&entombed_total, fate->entombed);
        tk_log(log_level_for(page->verdicts[i], fate), "overdue hold",
               TK_KV_UUID("reservation", &page->holds[i].reservation_id), TK_KV_UUID("session", &page->holds[i].session_id),
               TK_KV_SLICE("status", fate->status), TK_KV_STR("verdict", orphan_verdict_name(page->verdicts[i])),
               TK_KV_STR("tombstone", fate->entombed ? "new" : "no"));
    }
}

/* --- carrying out verdicts ---------------------------------------------------------------------------------------- */

static void account_release(const struct tk_release_request *request, enum tk_release_outcome outcome)
{
    if (outcome != TK_RELEASE_SOLD) {
        tk_metric_add(&released_total, 1);
        return;
    }
    tk_metric_add(&contradictions_total, 1);
    tk_log(TK_LOG_ERROR, "seats are sold for a reservation that is over",
           TK_KV_UUID("reservation", &request->reservation_id), TK_KV_UUID("session", &request->session_id));
}

static bool release(struct sweep_orphans *job, const struct page *page, struct tk_arena *arena)
{
    struct tk_release_request requests[EVENT_CLIENT_PAGE];
    enum tk_release_outcome outcomes[EVENT_CLIENT_PAGE];
    size_t count = 0;
    for (size_t i = 0; i < page->count; i++)
        if (page->verdicts[i] == ORPHAN_VERDICT_RELEASE)
            requests[count++] = (struct tk_release_request){.reservation_id = page->holds[i].reservation_id,
                                                            .session_id = page->holds[i].session_id,
                                                            .reason = TK_RELEASE_REASON_ORPHANED};
    if (count == 0)
        return true;
    bool ok = event_client_release(job->client, requests, count, arena, outcomes) == TK_OK;
    for (size_t i = 0; ok && i < count; i++)
        account_release(&requests[i], outcomes[i]);
    return ok;
}

static void forget_old_reemissions(struct sweep_orphans *job)
{
    int64_t now_us = tk_mono_us();
    if (now_us - job->reemitted_since_us < REEMIT_QUIET_US)
        return;
    tk_uuid_map_clear(&job->reemitted);
    job->reemitted_since_us = now_us;
}

static bool reemit(struct sweep_orphans *job, const struct page *page)
{
    struct tk_reservation_message messages[EVENT_CLIENT_PAGE];
    size_t count = 0;
    size_t written = 0;
    for (size_t i = 0; i < page->count; i++)
        if (page->verdicts[i] == ORPHAN_VERDICT_REEMIT &&
            tk_uuid_map_get(&job->reemitted, &page->holds[i].reservation_id) == NULL)
            messages[count++] = page->fates[i].confirmed;
    if (count == 0)
        return true;
    bool ok = orphan_store_reemit(job->store, messages, count, &written) == TK_STEP_OK;
    tk_metric_add(&reemitted_total, (int64_t)written);
    if (written > 0)
        tk_log(TK_LOG_WARNING, "confirmations said again", TK_KV_INT("count", written));
    for (size_t i = 0; written > 0 && i < count; i++)
        tk_uuid_map_put(&job->reemitted, &messages[i].reservation_id, job);
    return ok;
}

static bool revisit(struct sweep_orphans *job, const struct page *page)
{
    int64_t earliest_us = INT64_MAX;
    for (size_t i = 0; i < page->count; i++)
        if (page->verdicts[i] == ORPHAN_VERDICT_REVISIT && page->holds[i].reserved_until_us < earliest_us)
            earliest_us = page->holds[i].reserved_until_us;
    return earliest_us == INT64_MAX || orphan_store_rewind(job->store, earliest_us) == TK_STEP_OK;
}

/* The settlement job has long asked for these, unless it died in between; a few per page, since each may take seconds. */
static bool settle(struct sweep_orphans *job, const struct page *page)
{
    int left = MAX_SETTLEMENTS;
    for (size_t i = 0; i < page->count && left > 0; i++) {
        bool settled;
        if (page->verdicts[i] != ORPHAN_VERDICT_SETTLE)
            continue;
        if (booking_client_settle(job->booking_svc, &page->holds[i].reservation_id, &settled) != TK_OK)
            return false;
        left--;
    }
    return true;
}

static bool sweep_page(struct sweep_orphans *job, struct page *page, struct tk_arena *arena)
{
    if (page->count == 0)
        return true;
    if (orphan_store_look(job->store, page->holds, page->count, arena, page->fates) != TK_STEP_OK)
        return false;
    FAULT_POINT(orphan_tombstoned);
    judge(page);
    bool revisited = revisit(job, page);
    bool reemitted = reemit(job, page);
    bool released = release(job, page, arena);
    FAULT_POINT(orphan_released);
    return settle(job, page) && released && reemitted && revisited;
}

/* --- the job ------------------------------------------------------------------------------------------------------ */

/* Where the next page starts; a sweep that is too long for one run goes on there in the next. */
static void keep_cursor(struct sweep_orphans *job, const char *cursor)
{
    size_t len = strlen(cursor);
    if (len >= sizeof(job->cursor))
        len = 0; /* longer than anything our own service makes: start over */
    memcpy(job->cursor, cursor, len);
    job->cursor[len] = '\0';
}

static bool sweep_next_page(struct sweep_orphans *job, struct page *page, struct tk_arena *arena)
{
    const char *next;
    enum tk_err err =
        event_client_overdue_holds(job->client, job->grace_s, job->cursor, arena, page->holds, &page->count, &next);
    health_note(job->health, HEALTH_DEPENDENCY_EVENT_SVC, !err);
    keep_cursor(job, err ? "" : next);
    return !err && sweep_page(job, page, arena);
}

static bool sweep(struct sweep_orphans *job, struct page *page, struct tk_arena *arena, const atomic_bool *stopping)
{
    bool ok = true;
    if (job->cursor[0] == '\0')
        job->seen = 0;
    for (int i = 0; ok && i < MAX_PAGES && !atomic_load(stopping) && fence_is_open(job->fence); i++) {
        ok = sweep_next_page(job, page, arena);
        job->seen += (int64_t)page->count;
        if (job->cursor[0] == '\0')
            break;
    }
    if (ok && job->cursor[0] == '\0')
        tk_metric_set(&overdue_holds, job->seen);
    return ok;
}

struct job_outcome sweep_orphans_run(void *arg, const atomic_bool *stopping)
{
    struct sweep_orphans *job = arg;
    struct tk_arena arena = {0};
    int64_t reemitted_before = tk_metric_get(&reemitted_total);
    struct page *page = tk_arena_alloc(&arena, sizeof(*page));
    forget_old_reemissions(job);
    bool ok = sweep(job, page, &arena, stopping);
    tk_arena_release(&arena);
    bool wrote = tk_metric_get(&reemitted_total) > reemitted_before;
    job->failures = ok ? 0 : job->failures + 1;
    int64_t next_ms = ok ? job->interval_ms : pace_after_failure(job->failures, job->interval_ms);
    return (struct job_outcome){.ok = ok, .wrote = wrote, .next_ms = next_ms};
}
