/* Batched writes; the header says what they promise. */
#include "booking-svc/adapters/write_queue.h"

#include <assert.h>
#include <stdlib.h>

#include "shared/base/clock.h"
#include "shared/log/log.h"

#define MIN_BATCH_MS 50 /* for items whose time ran out while they waited */

struct write_queue {
    struct tk_loop *loop;
    struct tk_pg *pg;
    struct tk_batch *batch;
    const struct write_kind *kind;
    int64_t timeout_ms;
    struct commit_gate *gate;
    struct tk_uuid_map ids; /* of the batch being formed */
};

/** A flight's own memory: allocated by send, freed when the flight has landed. */
struct write_flight {
    struct write_queue *queue;
    struct tk_flight *flight;
    struct write_item **items;
    size_t count;
    size_t unanswered; /* items without a result, when they were sent one by one */
    struct tk_deferred deferred;
};

/** One transaction of a flight: all of it, a single item after a refusal, or a look at those that were not written. */
struct write_op {
    struct tk_pg_op op;
    struct write_flight *wf;
    size_t first;
    size_t count;
    bool is_look;
};

static void on_begin(void *ctx)
{
    struct write_queue *queue = ctx;
    tk_uuid_map_clear(&queue->ids);
}

static bool on_join(void *ctx, struct tk_batch_item *base)
{
    struct write_queue *queue = ctx;
    struct write_item *item = (struct write_item *)base;
    if (tk_uuid_map_get(&queue->ids, &item->id) != NULL)
        return false;
    tk_uuid_map_put(&queue->ids, &item->id, item);
    return true;
}

static void on_drop(void *ctx, struct tk_batch_item *base)
{
    (void)ctx;
    struct write_item *item = (struct write_item *)base;
    item->step = TK_STEP_FAILED;
    item->done(item);
}

/** Lands before the callbacks run: they free their items, which the flight must not see again. */
static void land(struct write_flight *wf)
{
    struct write_item **items = wf->items;
    const size_t count = wf->count;
    tk_batch_landed(wf->flight);
    free(wf);
    for (size_t i = 0; i < count; i++)
        items[i]->done(items[i]);
    free(items);
}

static void set_steps(struct write_flight *wf, size_t first, size_t count, enum tk_step step)
{
    for (size_t i = 0; i < count; i++)
        wf->items[first + i]->step = step;
}

static void count_down(struct write_flight *wf, size_t answered)
{
    assert(wf->unanswered >= answered);
    wf->unanswered -= answered;
    if (wf->unanswered == 0)
        land(wf);
}

static enum tk_err send_part(struct write_flight *wf, size_t first, size_t count, bool is_look);

static void send_one_by_one(struct write_flight *wf)
{
    size_t unsent = 0;
    for (size_t i = 0; i < wf->count; i++) {
        if (send_part(wf, i, 1, false)) {
            wf->items[i]->step = TK_STEP_FAILED;
            unsent++;
        }
    }
    if (unsent > 0)
        count_down(wf, unsent);
}

static void log_refusal(const struct write_flight *wf, size_t count, const struct tk_pg_outcome *outcome)
{
    tk_log(TK_LOG_WARNING, "write refused by the database", TK_KV_STR("queue", wf->queue->kind->name),
           TK_KV_INT("items", count), TK_KV_STR("sqlstate", outcome->sqlstate),
           TK_KV_STR("constraint", outcome->constraint), TK_KV_STR("error", outcome->message));
}

/** Moves the items that were not written behind the others; returns how many were written. */
static size_t part_losers(struct write_item **items, size_t count)
{
    size_t written = 0;
    for (size_t i = 0; i < count; i++) {
        struct write_item *item = items[i];
        if (item->step != TK_STEP_OK)
            continue;
        items[i] = items[written];
        items[written++] = item;
    }
    return written;
}

/** A look that fails leaves the question open: an earlier attempt of the same item may have been applied. */
static void look_at_losers(struct write_flight *wf, size_t first, size_t count)
{
    const size_t written = wf->queue->kind->look_fill ? part_losers(wf->items + first, count) : count;
    const size_t losers = count - written;
    size_t answered = written;
    if (losers > 0 && send_part(wf, first + written, losers, true)) {
        set_steps(wf, first + written, losers, TK_STEP_UNKNOWN);
        answered = count;
    }
    if (answered > 0)
        count_down(wf, answered);
}

static void on_written(struct write_flight *wf, size_t first, size_t count, const struct tk_pg_outcome *outcome)
{
    const bool split = outcome->step == TK_STEP_REFUSED && count > 1 && commit_gate_blames_item(outcome->sqlstate);
    set_steps(wf, first, count, outcome->step);
    if (outcome->step == TK_STEP_OK) {
        set_steps(wf, first, count, TK_STEP_REFUSED);
        wf->queue->kind->read(outcome, wf->items + first, count);
        look_at_losers(wf, first, count);
    } else if (split) {
        send_one_by_one(wf);
    } else {
        if (outcome->step == TK_STEP_REFUSED && count == 1 && wf->queue->kind->refused)
            wf->queue->kind->refused(wf->items[first], outcome->constraint);
        count_down(wf, count);
    }
}

static void on_looked(struct write_flight *wf, size_t first, size_t count, const struct tk_pg_outcome *outcome)
{
    const bool seen = outcome->step == TK_STEP_OK;
    set_steps(wf, first, count, seen ? TK_STEP_REFUSED : TK_STEP_UNKNOWN);
    if (seen)
        wf->queue->kind->look_read(outcome, wf->items + first, count);
    count_down(wf, count);
}

static void on_answer(struct tk_pg_op *op, const struct tk_pg_outcome *outcome)
{
    const struct write_op part = *(struct write_op *)op->arg;
    if (outcome->step == TK_STEP_REFUSED)
        log_refusal(part.wf, part.count, outcome);
    if (part.wf->queue->gate != NULL && !part.is_look &&
        commit_gate_note(part.wf->queue->gate, outcome->step, outcome->sqlstate, tk_mono_us()))
        tk_log(TK_LOG_ERROR, "booking_db does not commit: no new reservations", TK_KV_STR("sqlstate", outcome->sqlstate),
               TK_KV_STR("result", tk_step_name(outcome->step)));
    free(op->arg);
    if (part.is_look)
        on_looked(part.wf, part.first, part.count, outcome);
    else
        on_written(part.wf, part.first, part.count, outcome);
}

/** Long enough for the batch, but no longer than the most patient item waits. */
static int64_t part_deadline_us(const struct write_flight *wf, size_t first, size_t count)
{
    const int64_t now_us = tk_mono_us();
    const int64_t longest_us = now_us + wf->queue->timeout_ms * TK_US_PER_MS;
    int64_t deadline_us = now_us + MIN_BATCH_MS * TK_US_PER_MS;
    for (size_t i = first; i < first + count; i++) {
        if (wf->items[i]->base.deadline_us > deadline_us)
            deadline_us = wf->items[i]->base.deadline_us;
    }
    return deadline_us < longest_us ? deadline_us : longest_us;
}

static enum tk_err send_part(struct write_flight *wf, size_t first, size_t count, bool is_look)
{
    const struct write_kind *kind = wf->queue->kind;
    struct write_op *part = tk_alloc(sizeof(*part));
    part->wf = wf;
    part->first = first;
    part->count = count;
    part->is_look = is_look;
    tk_pg_op_init(&part->op);
    (is_look ? kind->look_fill : kind->fill)(&part->op, wf->items + first, count);
    part->op.deadline_us = part_deadline_us(wf, first, count);
    part->op.done = on_answer;
    part->op.arg = part;
    const enum tk_err err = tk_pg_submit(wf->queue->pg, &part->op);
    if (err)
        free(part);
    return err;
}

static void on_not_sent(void *arg)
{
    struct write_flight *wf = arg;
    set_steps(wf, 0, wf->count, TK_STEP_FAILED);
    land(wf);
}

static int by_id(const void *a, const void *b)
{
    const struct write_item *const *left = (const struct write_item *const *)a;
    const struct write_item *const *right = (const struct write_item *const *)b;
    return tk_uuid_cmp(&(*left)->id, &(*right)->id);
}

static void on_send(void *ctx, struct tk_flight *flight)
{
    struct write_queue *queue = ctx;
    struct write_flight *wf = tk_alloc(sizeof(*wf));
    wf->queue = queue;
    wf->flight = flight;
    wf->count = flight->count;
    wf->unanswered = flight->count;
    wf->items = tk_alloc(flight->count * sizeof(struct write_item *));
    for (size_t i = 0; i < flight->count; i++)
        wf->items[i] = (struct write_item *)flight->items[i];
    qsort(wf->items, wf->count, sizeof(*wf->items), by_id);
    if (send_part(wf, 0, wf->count, false))
        tk_loop_defer(queue->loop, &wf->deferred, on_not_sent, wf);
}

struct write_queue *write_queue_new(struct tk_loop *loop, struct tk_pg *pg, const struct write_kind *kind,
                                    const struct write_queue_config *config)
{
    static const struct tk_batch_ops ops = {.begin = on_begin, .join = on_join, .send = on_send, .drop = on_drop};
    struct write_queue *queue = tk_alloc(sizeof(*queue));
    queue->loop = loop;
    queue->pg = pg;
    queue->kind = kind;
    queue->timeout_ms = config->timeout_ms;
    queue->gate = config->gate;
    const struct tk_batch_config batch = {
        .name = kind->name,
        .max_items = config->max_items,
        .max_in_flight = config->max_in_flight,
        .max_queued = config->max_queued,
    };
    queue->batch = tk_batch_new(loop, &batch, &ops, queue);
    return queue;
}

enum tk_err write_queue_submit(struct write_queue *queue, struct write_item *item)
{
    assert(item->done != NULL);
    return tk_batch_submit(queue->batch, &item->base);
}

int64_t write_queue_time_us(const struct write_queue *queue, size_t items)
{
    return tk_batch_time_us(queue->batch, items);
}

int64_t write_queue_wait_us(const struct write_queue *queue)
{
    return tk_batch_time_us(queue->batch, tk_batch_queued(queue->batch));
}
