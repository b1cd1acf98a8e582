/*
 * The two queues. A batch is refused or lost as a whole: refused (deadlock, statement timeout) means rolled back, so each
 * call FAILED and may be asked again; lost means UNKNOWN, and asking again with the same reservation id tells.
 */
#include "event-svc/app/seat_desk.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/clock.h"
#include "shared/base/mem.h"
#include "shared/log/log.h"
#include "shared/metrics/metrics.h"

struct seat_desk {
    struct tk_pg *pg;
    struct tk_batch *holds;
    struct tk_batch *settles;
    struct tk_uuid_map claimed_by_holds; /* reservations and seats the batch being formed touches */
    struct tk_uuid_map claimed_by_settles;
    int64_t deadline_us; /* for the queue, and again for Postgres */
    size_t in_flight;    /* calls */
};

/* One batch on its way: the operation and what is needed to read its answer. */
struct flight_job {
    struct tk_pg_op op;
    struct seat_desk *desk;
    struct tk_flight *flight;
};

static struct tk_metric hold_outcomes[] = {
    TK_COUNTER("seat_holds_total", "outcome=\"held\"", "Reserve requests by outcome"),
    TK_COUNTER("seat_holds_total", "outcome=\"seats_taken\"", "Reserve requests by outcome"),
    TK_COUNTER("seat_holds_total", "outcome=\"unknown_seats\"", "Reserve requests by outcome"),
    TK_COUNTER("seat_holds_total", "outcome=\"session_not_found\"", "Reserve requests by outcome"),
    TK_COUNTER("seat_holds_total", "outcome=\"sales_closed\"", "Reserve requests by outcome"),
    TK_COUNTER("seat_holds_total", "outcome=\"released\"", "Reserve requests by outcome"),
    TK_COUNTER("seat_holds_total", "outcome=\"mismatch\"", "Reserve requests by outcome"),
};
static struct tk_metric holds_failed = TK_COUNTER("seat_holds_failed_total", NULL, "Reserve requests not applied");
static struct tk_metric holds_unknown = TK_COUNTER("seat_holds_unknown_total", NULL, "Reserve requests of unknown outcome");

static void register_metrics(void)
{
    for (size_t i = 0; i < sizeof(hold_outcomes) / sizeof(hold_outcomes[0]); i++)
        tk_metrics_register(&hold_outcomes[i]);
    tk_metrics_register(&holds_failed);
    tk_metrics_register(&holds_unknown);
}

static struct hold_call *hold_of(struct tk_batch_item *item)
{
    return TK_CONTAINER_OF(item, struct hold_call, item);
}

static struct settle_call *settle_of(struct tk_batch_item *item)
{
    return TK_CONTAINER_OF(item, struct settle_call, item);
}

/* What is known after a transaction that did not succeed. */
static enum tk_step failure_of(const struct tk_pg_outcome *outcome, const char *what, size_t calls)
{
    assert(outcome->step != TK_STEP_OK);
    tk_log(TK_LOG_WARNING, "seat batch failed", TK_KV_STR("what", what), TK_KV_STR("result", tk_step_name(outcome->step)),
           TK_KV_INT("calls", calls), TK_KV_STR("sqlstate", outcome->sqlstate), TK_KV_STR("why", outcome->message));
    return outcome->step == TK_STEP_UNKNOWN ? TK_STEP_UNKNOWN : TK_STEP_FAILED;
}

static struct flight_job *job_new(struct seat_desk *desk, struct tk_flight *flight, tk_pg_done_fn *done)
{
    struct flight_job *job = tk_alloc(sizeof(*job));
    tk_pg_op_init(&job->op);
    job->op.done = done;
    job->op.arg = job;
    job->op.deadline_us = tk_mono_us() + desk->deadline_us;
    job->desk = desk;
    job->flight = flight;
    desk->in_flight += flight->count;
    return job;
}

/* The calls have been finished; whatever they were, they are gone now. */
static void job_end(struct flight_job *job, size_t count)
{
    job->desk->in_flight -= count;
    tk_batch_landed(job->flight);
    tk_pg_op_release(&job->op);
    free(job);
}

/* --- holds -------------------------------------------------------------------------------------------------------- */

static void hold_finish(struct hold_call *call, enum tk_step step)
{
    call->step = step;
    if (step == TK_STEP_OK)
        tk_metric_add(&hold_outcomes[call->answer.outcome], 1);
    else
        tk_metric_add(step == TK_STEP_UNKNOWN ? &holds_unknown : &holds_failed, 1);
    call->done(call);
}

static void holds_begin(void *ctx)
{
    struct seat_desk *desk = ctx;
    tk_uuid_map_clear(&desk->claimed_by_holds);
}

/* True when the key was free; claims it either way, so that nobody overtakes a call that has to wait. */
static bool claim(struct tk_uuid_map *claimed, const struct tk_uuid *key)
{
    bool was_free = tk_uuid_map_get(claimed, key) == NULL;
    tk_uuid_map_put(claimed, key, claimed);
    return was_free;
}

static bool holds_join(void *ctx, struct tk_batch_item *item)
{
    struct seat_desk *desk = ctx;
    const struct tk_hold_request *request = &hold_of(item)->request;
    bool fits = claim(&desk->claimed_by_holds, &request->reservation_id);
    for (size_t i = 0; i < request->seat_count; i++)
        fits = claim(&desk->claimed_by_holds, &request->seats[i]) && fits;
    return fits;
}

static void fill_lines(const struct tk_flight *flight, struct hold_line *lines)
{
    for (size_t i = 0; i < flight->count; i++) {
        const struct hold_call *call = hold_of(flight->items[i]);
        lines[i] = (struct hold_line){.request = &call->request, .sorted_seats = call->sorted_seats};
    }
}

/* All answers are read before the first call is finished: finishing one may free its neighbours in the same HTTP request.
 */
static void deliver_holds(struct tk_flight *flight, const struct tk_pg_outcome *outcome)
{
    size_t count = flight->count;
    struct hold_line *lines = tk_alloc(count * sizeof(*lines));
    struct tk_arena **arenas = tk_alloc(count * sizeof(struct tk_arena *));
    struct tk_hold_answer *answers = tk_alloc(count * sizeof(*answers));
    enum tk_err *errs = tk_alloc(count * sizeof(*errs));
    fill_lines(flight, lines);
    for (size_t i = 0; i < count; i++)
        arenas[i] = hold_of(flight->items[i])->arena;
    seat_store_read_reserve(outcome, lines, count, arenas, answers, errs);
    for (size_t i = 0; i < count; i++) {
        struct hold_call *call = hold_of(flight->items[i]);
        call->answer = answers[i];
        hold_finish(call, errs[i] ? TK_STEP_FAILED : TK_STEP_OK);
    }
    free(errs);
    free(answers);
    free((void *)arenas);
    free(lines);
}

static void fail_holds(struct tk_flight *flight, enum tk_step step)
{
    for (size_t i = 0; i < flight->count; i++)
        hold_finish(hold_of(flight->items[i]), step);
}

static void on_holds_done(struct tk_pg_op *op, const struct tk_pg_outcome *outcome)
{
    struct flight_job *job = op->arg;
    size_t count = job->flight->count;
    if (outcome->step == TK_STEP_OK)
        deliver_holds(job->flight, outcome);
    else
        fail_holds(job->flight, failure_of(outcome, "reserve", count));
    job_end(job, count);
}

static void holds_send(void *ctx, struct tk_flight *flight)
{
    struct seat_desk *desk = ctx;
    struct flight_job *job = job_new(desk, flight, on_holds_done);
    struct hold_line *lines = tk_alloc(flight->count * sizeof(*lines));
    fill_lines(flight, lines);
    seat_store_reserve(&job->op, lines, flight->count);
    free(lines);
    if (tk_pg_submit(desk->pg, &job->op)) {
        fail_holds(flight, TK_STEP_FAILED);
        job_end(job, flight->count);
    }
}

static void holds_drop(void *ctx, struct tk_batch_item *item)
{
    (void)ctx;
    hold_finish(hold_of(item), TK_STEP_FAILED);
}

static int compare_ids(const void *a, const void *b)
{
    return tk_uuid_cmp(a, b);
}

enum tk_err seat_desk_reserve(struct seat_desk *desk, struct hold_call *call)
{
    const struct tk_hold_request *request = &call->request;
    assert(request->seat_count > 0 && call->done != NULL && call->arena != NULL);
    size_t bytes = request->seat_count * sizeof(*call->sorted_seats);
    call->sorted_seats = tk_arena_alloc(call->arena, bytes);
    memcpy(call->sorted_seats, request->seats, bytes);
    qsort(call->sorted_seats, request->seat_count, sizeof(*call->sorted_seats), compare_ids);
    call->item.weight = (unsigned)request->seat_count;
    call->item.deadline_us = tk_mono_us() + desk->deadline_us;
    return tk_batch_submit(desk->holds, &call->item);
}

/* --- settles ------------------------------------------------------------------------------------------------------ */

static void settles_begin(void *ctx)
{
    struct seat_desk *desk = ctx;
    tk_uuid_map_clear(&desk->claimed_by_settles);
}

static bool settles_join(void *ctx, struct tk_batch_item *item)
{
    struct seat_desk *desk = ctx;
    return claim(&desk->claimed_by_settles, &settle_of(item)->line.reservation_id);
}

static void settle_finish(struct settle_call *call, enum tk_step step)
{
    call->step = step;
    call->done(call);
}

static void fail_settles(struct tk_flight *flight, enum tk_step step)
{
    for (size_t i = 0; i < flight->count; i++)
        settle_finish(settle_of(flight->items[i]), step);
}

static void on_settles_done(struct tk_pg_op *op, const struct tk_pg_outcome *outcome)
{
    struct flight_job *job = op->arg;
    struct tk_flight *flight = job->flight;
    size_t count = flight->count;
    if (outcome->step == TK_STEP_OK) {
        enum settle_verdict *verdicts = tk_alloc(count * sizeof(*verdicts));
        seat_store_read_settle(outcome, verdicts, count);
        for (size_t i = 0; i < count; i++) {
            settle_of(flight->items[i])->verdict = verdicts[i];
            settle_finish(settle_of(flight->items[i]), TK_STEP_OK);
        }
        free(verdicts);
    } else {
        fail_settles(flight, failure_of(outcome, "settle", count));
    }
    job_end(job, count);
}

static void settles_send(void *ctx, struct tk_flight *flight)
{
    struct seat_desk *desk = ctx;
    struct flight_job *job = job_new(desk, flight, on_settles_done);
    struct settle_line *lines = tk_alloc(flight->count * sizeof(*lines));
    for (size_t i = 0; i < flight->count; i++)
        lines[i] = settle_of(flight->items[i])->line;
    seat_store_settle(&job->op, lines, flight->count);
    free(lines);
    if (tk_pg_submit(desk->pg, &job->op)) {
        fail_settles(flight, TK_STEP_FAILED);
        job_end(job, flight->count);
    }
}

static void settles_drop(void *ctx, struct tk_batch_item *item)
{
    (void)ctx;
    settle_finish(settle_of(item), TK_STEP_FAILED);
}

enum tk_err seat_desk_settle(struct seat_desk *desk, struct settle_call *call)
{
    assert(call->done != NULL);
    call->item.deadline_us = tk_mono_us() + desk->deadline_us;
    return tk_batch_submit(desk->settles, &call->item);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

struct seat_desk *seat_desk_new(struct tk_loop *loop, struct tk_pg *pg, const struct seat_desk_config *config)
{
    static const struct tk_batch_ops HOLDS = {holds_begin, holds_join, holds_send, holds_drop};
    static const struct tk_batch_ops SETTLES = {settles_begin, settles_join, settles_send, settles_drop};
    struct seat_desk *desk = tk_alloc(sizeof(*desk));
    struct tk_batch_config batch = {
        .name = "reserve",
        .max_items = config->batch_items,
        .max_weight = config->batch_seats,
        .max_in_flight = config->batches_in_flight,
        .max_queued = config->max_queued,
        .max_wait_us = config->max_wait_ms * TK_US_PER_MS,
    };
    register_metrics();
    desk->pg = pg;
    desk->deadline_us = config->deadline_ms * TK_US_PER_MS / 2;
    desk->holds = tk_batch_new(loop, &batch, &HOLDS, desk);
    batch.name = "settle";
    batch.max_weight = 0;
    batch.max_in_flight = 1;
    desk->settles = tk_batch_new(loop, &batch, &SETTLES, desk);
    return desk;
}

size_t seat_desk_pending(const struct seat_desk *desk)
{
    return desk->in_flight + tk_batch_queued(desk->holds) + tk_batch_queued(desk->settles);
}
