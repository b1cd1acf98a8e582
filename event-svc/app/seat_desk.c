/*
 * The two queues and what stands before the first: a look at the picture, which may have to be read or verified. A batch is
 * refused or lost as a whole: refused (deadlock, statement timeout) means rolled back, so each call FAILED and may be asked
 * again; lost means UNKNOWN, and asking again with the same reservation id tells.
 */
#include "event-svc/app/seat_desk.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "event-svc/app/hold_choice.h"
#include "shared/base/clock.h"
#include "shared/base/fault.h"
#include "shared/base/mem.h"
#include "shared/log/log.h"
#include "shared/metrics/metrics.h"

struct seat_desk {
    struct tk_loop *loop;
    struct tk_pg *pg;
    struct seat_pictures *pictures;
    struct tk_batch *holds;
    struct tk_batch *settles;
    struct tk_uuid_map claimed_by_holds; /* reservations and seats the batch being formed touches */
    struct tk_uuid_map claimed_by_settles;
    int64_t deadline_us; /* for the queue, and again for Postgres */
    size_t waiting;      /* calls that wait for a picture */
    size_t max_waiting;
    struct tk_link refused; /* to be answered at the end of this turn */
    struct tk_deferred answer;
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
    TK_COUNTER("seat_holds_total", "outcome=\"no_adjacent_block\"", "Reserve requests by outcome"),
    TK_COUNTER("seat_holds_total", "outcome=\"sold_out\"", "Reserve requests by outcome"),
};
static struct tk_metric holds_from_memory =
    TK_COUNTER("seat_holds_refused_in_memory_total", NULL, "Reserve requests refused without asking Postgres");
static struct tk_metric holds_lost = TK_COUNTER("seat_holds_lost_races_total", NULL, "Choices of seats made again");
static struct tk_metric holds_failed = TK_COUNTER("seat_holds_failed_total", NULL, "Reserve requests not applied");
static struct tk_metric holds_unknown = TK_COUNTER("seat_holds_unknown_total", NULL, "Reserve requests of unknown outcome");

static void register_metrics(void)
{
    for (size_t i = 0; i < sizeof(hold_outcomes) / sizeof(hold_outcomes[0]); i++)
        tk_metrics_register(&hold_outcomes[i]);
    tk_metrics_register(&holds_from_memory);
    tk_metrics_register(&holds_lost);
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
    seat_pictures_write_begins(desk->pictures);
    return job;
}

/* The calls have been finished; whatever they were, they are gone now. */
static void job_end(struct flight_job *job)
{
    tk_batch_landed(job->flight);
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
    hold_unclaim(call);
    seat_pictures_unpin(call->session);
    call->done(call);
}

static void answer_refused(void *arg)
{
    struct seat_desk *desk = arg;
    struct tk_link now = TK_LIST_INIT(now);
    struct tk_link *link;
    while ((link = tk_list_pop_front(&desk->refused)) != NULL)
        tk_list_push_back(&now, link);
    while ((link = tk_list_pop_front(&now)) != NULL) {
        desk->waiting--;
        hold_finish(TK_CONTAINER_OF(link, struct hold_call, refused), TK_STEP_OK);
    }
}

static void refuse_later(struct hold_call *call)
{
    struct seat_desk *desk = call->desk;
    tk_metric_add(&holds_from_memory, 1);
    desk->waiting++;
    tk_list_push_back(&desk->refused, &call->refused);
    tk_loop_defer(desk->loop, &desk->answer, answer_refused, desk);
}

static void on_looked(struct picture_wait *wait, enum tk_err err);

static void hold_look(struct hold_call *call)
{
    call->wait = (struct picture_wait){.done = on_looked};
    call->desk->waiting++;
    seat_pictures_look(call->session, &call->wait);
}

/* The picture is there: send, refuse, or make sure first. TK_ERR_LIMIT: the queue is full. */
static enum tk_err hold_proceed(struct hold_call *call)
{
    enum hold_choice choice = hold_choose(call, tk_mono_us(), tk_unix_us());
    if (choice == HOLD_LOOK)
        hold_look(call);
    else if (choice == HOLD_REFUSE)
        refuse_later(call);
    if (choice != HOLD_GO)
        return TK_OK;
    call->item.weight = (unsigned)call->seat_count;
    enum tk_err err = tk_batch_submit(call->desk->holds, &call->item);
    if (err)
        hold_unclaim(call);
    return err;
}

static void on_looked(struct picture_wait *wait, enum tk_err err)
{
    struct hold_call *call = TK_CONTAINER_OF(wait, struct hold_call, wait);
    call->desk->waiting--;
    call->looked = true;
    if (err == TK_ERR_NOT_FOUND) {
        call->answer = (struct tk_hold_answer){.reservation_id = call->request.reservation_id,
                                               .outcome = TK_HOLD_SESSION_NOT_FOUND,
                                               .reserved_until_us = TK_TIME_NONE};
        hold_finish(call, TK_STEP_OK);
    } else if (err || call->item.deadline_us <= tk_mono_us() || hold_proceed(call)) {
        hold_finish(call, TK_STEP_FAILED);
    }
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
    const struct hold_call *call = hold_of(item);
    bool fits = claim(&desk->claimed_by_holds, &call->request.reservation_id);
    for (size_t i = 0; i < call->seat_count; i++)
        fits = claim(&desk->claimed_by_holds, &call->sorted_seats[i]) && fits;
    return fits;
}

static struct hold_line *lines_of(const struct tk_flight *flight)
{
    struct hold_line *lines = tk_alloc(flight->count * sizeof(*lines));
    for (size_t i = 0; i < flight->count; i++) {
        const struct hold_call *call = hold_of(flight->items[i]);
        lines[i] = (struct hold_line){
            .session_id = call->request.session_id,
            .reservation_id = call->request.reservation_id,
            .hold_seconds = call->request.hold_seconds,
            .seats = call->seats,
            .sorted_seats = call->sorted_seats,
            .seat_count = call->seat_count,
            .quantity = call->request.best_available ? (size_t)call->request.best.quantity : 0,
            .plan = call->session->picture->plan,
            .request_id = call->request.request_id,
            .arena = call->arena,
        };
    }
    return lines;
}

/* A choice that lost its race is made again; true when the call goes on. */
static bool hold_again(struct hold_call *call)
{
    bool lost = call->answer.outcome == TK_HOLD_SEATS_TAKEN || call->answer.outcome == TK_HOLD_UNKNOWN_SEATS;
    if (!call->request.best_available || !lost || ++call->tries >= HOLD_TRIES)
        return false;
    tk_metric_add(&holds_lost, 1);
    hold_unclaim(call);
    hold_look(call);
    return true;
}

/* What was chosen in vain to the end is no answer about seats: nothing was applied, ask again. */
static enum tk_step step_of(const struct hold_call *call, enum tk_err err)
{
    bool lost = call->answer.outcome == TK_HOLD_SEATS_TAKEN || call->answer.outcome == TK_HOLD_UNKNOWN_SEATS;
    bool in_vain = call->request.best_available && lost;
    return err || in_vain ? TK_STEP_FAILED : TK_STEP_OK;
}

/* The picture first: who is finished may ask again at once. */
static void take_answers(struct seat_desk *desk, struct tk_flight *flight, const struct tk_hold_answer *answers,
                         const enum tk_err *errs, const struct seat_changes *changes)
{
    for (size_t i = 0; i < flight->count; i++) {
        struct hold_call *call = hold_of(flight->items[i]);
        call->answer = answers[i];
        if (!errs[i] && call->answer.outcome == TK_HOLD_SEATS_TAKEN && hold_learn(call))
            seat_pictures_doubt(call->session);
    }
    seat_pictures_apply(desk->pictures, changes, flight->sent_us);
}

/* All answers are read before the first call is finished: finishing one may free its neighbours in the same HTTP request.
 */
static void deliver_holds(struct seat_desk *desk, struct tk_flight *flight, const struct tk_pg_outcome *outcome)
{
    FAULT_POINT(hold_committed);
    size_t count = flight->count;
    struct hold_line *lines = lines_of(flight);
    struct tk_hold_answer *answers = tk_alloc(count * sizeof(*answers));
    enum tk_err *errs = tk_alloc(count * sizeof(*errs));
    struct seat_changes changes;
    seat_store_read_reserve(outcome, lines, count, answers, errs, &changes);
    take_answers(desk, flight, answers, errs, &changes);
    for (size_t i = 0; i < count; i++) {
        struct hold_call *call = hold_of(flight->items[i]);
        if (errs[i] || !hold_again(call))
            hold_finish(call, step_of(call, errs[i]));
    }
    seat_changes_release(&changes);
    free(errs);
    free(answers);
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
    seat_pictures_write_ends(job->desk->pictures);
    if (outcome->step == TK_STEP_OK)
        deliver_holds(job->desk, job->flight, outcome);
    else
        fail_holds(job->flight, failure_of(outcome, "reserve", job->flight->count));
    job_end(job);
}

static void holds_send(void *ctx, struct tk_flight *flight)
{
    struct seat_desk *desk = ctx;
    struct flight_job *job = job_new(desk, flight, on_holds_done);
    struct hold_line *lines = lines_of(flight);
    seat_store_reserve(&job->op, lines, flight->count);
    free(lines);
    if (tk_pg_submit(desk->pg, &job->op)) {
        seat_pictures_write_ends(desk->pictures);
        fail_holds(flight, TK_STEP_FAILED);
        job_end(job);
        return;
    }
    FAULT_POINT(hold_sent);
}

static void holds_drop(void *ctx, struct tk_batch_item *item)
{
    (void)ctx;
    hold_finish(hold_of(item), hold_of(item)->answered ? TK_STEP_OK : TK_STEP_FAILED);
}

static bool holds_overtaken(void *ctx, struct tk_batch_item *item)
{
    (void)ctx;
    struct hold_call *call = hold_of(item);
    call->answered = hold_is_overtaken(call, tk_mono_us());
    return call->answered;
}

enum tk_err seat_desk_reserve(struct seat_desk *desk, struct hold_call *call)
{
    assert(call->done != NULL && call->arena != NULL);
    if (desk->waiting >= desk->max_waiting)
        return TK_ERR_LIMIT;
    call->desk = desk;
    call->item.deadline_us = tk_mono_us() + desk->deadline_us;
    hold_prepare(call);
    call->session = seat_pictures_pin(desk->pictures, &call->request.session_id);
    if (call->session->picture == NULL) {
        hold_look(call);
        return TK_OK;
    }
    enum tk_err err = hold_proceed(call);
    if (err)
        seat_pictures_unpin(call->session);
    return err;
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

static struct settle_line *settle_lines_of(const struct tk_flight *flight)
{
    struct settle_line *lines = tk_alloc(flight->count * sizeof(*lines));
    for (size_t i = 0; i < flight->count; i++)
        lines[i] = settle_of(flight->items[i])->line;
    return lines;
}

static void fail_settles(struct tk_flight *flight, enum tk_step step)
{
    for (size_t i = 0; i < flight->count; i++)
        settle_finish(settle_of(flight->items[i]), step);
}

static void deliver_settles(struct seat_desk *desk, struct tk_flight *flight, const struct tk_pg_outcome *outcome)
{
    FAULT_POINT(release_committed);
    struct settle_line *lines = settle_lines_of(flight);
    enum settle_verdict *verdicts = tk_alloc(flight->count * sizeof(*verdicts));
    struct seat_changes changes;
    seat_store_read_settle(outcome, lines, flight->count, verdicts, &changes);
    seat_pictures_apply(desk->pictures, &changes, flight->sent_us);
    for (size_t i = 0; i < flight->count; i++) {
        settle_of(flight->items[i])->verdict = verdicts[i];
        settle_finish(settle_of(flight->items[i]), TK_STEP_OK);
    }
    seat_changes_release(&changes);
    free(verdicts);
    free(lines);
}

static void on_settles_done(struct tk_pg_op *op, const struct tk_pg_outcome *outcome)
{
    struct flight_job *job = op->arg;
    seat_pictures_write_ends(job->desk->pictures);
    if (outcome->step == TK_STEP_OK)
        deliver_settles(job->desk, job->flight, outcome);
    else
        fail_settles(job->flight, failure_of(outcome, "settle", job->flight->count));
    job_end(job);
}

static void settles_send(void *ctx, struct tk_flight *flight)
{
    struct seat_desk *desk = ctx;
    struct flight_job *job = job_new(desk, flight, on_settles_done);
    struct settle_line *lines = settle_lines_of(flight);
    seat_store_settle(&job->op, lines, flight->count);
    free(lines);
    if (tk_pg_submit(desk->pg, &job->op)) {
        seat_pictures_write_ends(desk->pictures);
        fail_settles(flight, TK_STEP_FAILED);
        job_end(job);
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

struct seat_desk *seat_desk_new(struct tk_loop *loop, struct tk_pg *pg, struct seat_pictures *pictures,
                                const struct seat_desk_config *config)
{
    static const struct tk_batch_ops HOLDS = {holds_begin, holds_join, holds_send, holds_drop, holds_overtaken};
    static const struct tk_batch_ops SETTLES = {settles_begin, settles_join, settles_send, settles_drop, NULL};
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
    desk->loop = loop;
    desk->pg = pg;
    desk->pictures = pictures;
    desk->max_waiting = config->max_queued;
    tk_list_init(&desk->refused);
    desk->deadline_us = config->deadline_ms * TK_US_PER_MS / 2;
    desk->holds = tk_batch_new(loop, &batch, &HOLDS, desk);
    batch.name = "settle";
    batch.max_items = 2 * config->batch_items; /* half the work of a hold each, and expiries come by hundreds */
    batch.max_weight = 0;
    batch.max_in_flight = 1;
    desk->settles = tk_batch_new(loop, &batch, &SETTLES, desk);
    return desk;
}
