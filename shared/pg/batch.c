#include "shared/pg/batch.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "shared/base/clock.h"
#include "shared/base/mem.h"
#include "shared/metrics/metrics.h"

#define SCAN_FACTOR     4 /* items looked at per batch, in multiples of max_items, while skipping those that cannot join */
#define SMOOTHING_SHIFT 3 /* moving average over about eight batches */

struct tk_batch {
    struct tk_loop *loop;
    struct tk_batch_config config;
    struct tk_batch_ops ops;
    void *ctx;
    struct tk_link queue;
    size_t queued;
    struct tk_flight *flights; /* max_in_flight of them */
    size_t in_flight;
    int64_t flight_us; /* moving average of a batch's time from send to landing */
    struct tk_deferred pump;
    char labels[64];
    struct tk_metric items_sent;
    struct tk_metric batches_sent;
    struct tk_metric refused;
    struct tk_metric dropped;
    struct tk_metric overtaken;
    struct tk_metric waited_us;
    struct tk_metric flown_us;
};

static void pump(void *arg);
static bool may_send(const struct tk_batch *batch);

static void register_metrics(struct tk_batch *batch)
{
    const char *labels = batch->labels;
    snprintf(batch->labels, sizeof(batch->labels), "queue=\"%s\"", batch->config.name);
    batch->items_sent = (struct tk_metric)TK_COUNTER("batch_items_total", labels, "Items sent in batches");
    batch->batches_sent = (struct tk_metric)TK_COUNTER("batches_total", labels, "Batches sent");
    batch->refused =
        (struct tk_metric)TK_COUNTER("batch_refused_total", labels, "Items refused because the queue was full or slow");
    batch->dropped =
        (struct tk_metric)TK_COUNTER("batch_dropped_total", labels, "Items whose deadline passed in the queue");
    batch->overtaken =
        (struct tk_metric)TK_COUNTER("batch_overtaken_total", labels, "Items that need not be sent any more");
    batch->waited_us =
        (struct tk_metric)TK_COUNTER("batch_wait_us_total", labels, "Time items spent in the queue, microseconds");
    batch->flown_us = (struct tk_metric)TK_COUNTER("batch_flight_us_total", labels, "Time batches took, microseconds");
    tk_metrics_register(&batch->items_sent);
    tk_metrics_register(&batch->batches_sent);
    tk_metrics_register(&batch->refused);
    tk_metrics_register(&batch->dropped);
    tk_metrics_register(&batch->overtaken);
    tk_metrics_register(&batch->waited_us);
    tk_metrics_register(&batch->flown_us);
}

struct tk_batch *tk_batch_new(struct tk_loop *loop, const struct tk_batch_config *config, const struct tk_batch_ops *ops,
                              void *ctx)
{
    assert(config->max_items > 0 && config->max_in_flight > 0 && config->max_queued > 0);
    struct tk_batch *batch = tk_alloc(sizeof(*batch));
    batch->loop = loop;
    batch->config = *config;
    batch->ops = *ops;
    batch->ctx = ctx;
    tk_list_init(&batch->queue);
    batch->flights = tk_alloc(config->max_in_flight * sizeof(*batch->flights));
    for (size_t i = 0; i < config->max_in_flight; i++) {
        batch->flights[i].batch = batch;
        batch->flights[i].items = tk_alloc(config->max_items * sizeof(struct tk_batch_item *));
    }
    register_metrics(batch);
    return batch;
}

static void drop_all(struct tk_batch *batch, struct tk_link *doomed)
{
    struct tk_link *link;
    while ((link = tk_list_pop_front(doomed)) != NULL) {
        batch->ops.drop(batch->ctx, TK_CONTAINER_OF(link, struct tk_batch_item, link));
    }
}

void tk_batch_free(struct tk_batch *batch)
{
    assert(batch->in_flight == 0);
    drop_all(batch, &batch->queue);
    tk_deferred_cancel(&batch->pump);
    for (size_t i = 0; i < batch->config.max_in_flight; i++)
        free(batch->flights[i].items);
    free(batch->flights);
    free(batch); /* its metrics stay registered, so only tests and shutdown end a queue */
}

size_t tk_batch_queued(const struct tk_batch *batch)
{
    return batch->queued;
}

size_t tk_batch_in_flight(const struct tk_batch *batch)
{
    return batch->in_flight;
}

/* How long a batch takes, as far as is known: as the latest ones did, or as one that is out for longer already. */
static int64_t known_flight_us(const struct tk_batch *batch)
{
    int64_t sent_us = INT64_MAX;
    for (size_t i = 0; i < batch->config.max_in_flight; i++)
        if (batch->flights[i].busy && batch->flights[i].sent_us < sent_us)
            sent_us = batch->flights[i].sent_us;
    const int64_t out_us = sent_us == INT64_MAX ? 0 : tk_mono_us() - sent_us;
    return out_us > batch->flight_us ? out_us : batch->flight_us;
}

/* Full batches ahead of a newcomer, shared by the flights that run at a time. */
int64_t tk_batch_estimated_wait_us(const struct tk_batch *batch)
{
    int64_t ahead = (int64_t)(batch->queued / batch->config.max_items);
    if (batch->in_flight == batch->config.max_in_flight)
        ahead++;
    return known_flight_us(batch) * ahead / (int64_t)batch->config.max_in_flight;
}

int64_t tk_batch_time_us(const struct tk_batch *batch, size_t items)
{
    const struct tk_batch_config *config = &batch->config;
    return known_flight_us(batch) * (int64_t)items / (int64_t)(config->max_items * config->max_in_flight);
}

enum tk_err tk_batch_submit(struct tk_batch *batch, struct tk_batch_item *item)
{
    const struct tk_batch_config *config = &batch->config;
    bool too_slow = config->max_wait_us > 0 && tk_batch_estimated_wait_us(batch) > config->max_wait_us;
    if (batch->queued >= config->max_queued || too_slow) {
        tk_metric_add(&batch->refused, 1);
        return TK_ERR_LIMIT;
    }
    item->queued_us = tk_mono_us();
    tk_list_push_back(&batch->queue, &item->link);
    batch->queued++;
    if (may_send(batch))
        tk_loop_defer(batch->loop, &batch->pump, pump, batch);
    return TK_OK;
}

/* --- forming batches ---------------------------------------------------------------------------------------------- */

static unsigned weight_of(const struct tk_batch_item *item)
{
    return item->weight ? item->weight : 1;
}

static struct tk_flight *idle_flight(struct tk_batch *batch)
{
    for (size_t i = 0; i < batch->config.max_in_flight; i++)
        if (!batch->flights[i].busy)
            return &batch->flights[i];
    return NULL;
}

/* Takes the item out of the queue when it is overdue or overtaken. */
static bool take_doomed(struct tk_batch *batch, struct tk_batch_item *item, int64_t now, struct tk_link *doomed)
{
    bool overdue = item->deadline_us <= now;
    if (!overdue && !(batch->ops.overtaken && batch->ops.overtaken(batch->ctx, item)))
        return false;
    tk_metric_add(overdue ? &batch->dropped : &batch->overtaken, 1);
    tk_list_remove(&item->link);
    tk_list_push_back(doomed, &item->link);
    batch->queued--;
    return true;
}

static bool is_full(const struct tk_batch *batch, const struct tk_flight *flight, size_t weight,
                    const struct tk_batch_item *next)
{
    const struct tk_batch_config *config = &batch->config;
    if (flight->count == config->max_items)
        return true;
    return config->max_weight && flight->count > 0 && weight + weight_of(next) > config->max_weight;
}

/* Moves what may travel together from the queue into `flight`, oldest first; what need not go any more goes to `doomed`. */
static void fill(struct tk_batch *batch, struct tk_flight *flight, struct tk_link *doomed)
{
    size_t scans_left = batch->config.max_items * SCAN_FACTOR;
    size_t weight = 0;
    int64_t waited_us = 0;
    int64_t now = tk_mono_us();
    struct tk_link *next;
    flight->count = 0;
    if (batch->ops.begin)
        batch->ops.begin(batch->ctx);
    for (struct tk_link *link = batch->queue.next; link != &batch->queue; link = next) {
        struct tk_batch_item *item = TK_CONTAINER_OF(link, struct tk_batch_item, link);
        next = link->next;
        if (take_doomed(batch, item, now, doomed))
            continue;
        if (is_full(batch, flight, weight, item) || scans_left-- == 0)
            break;
        bool joins = batch->ops.join == NULL || batch->ops.join(batch->ctx, item);
        if (!joins && flight->count > 0) /* alone it disturbs nobody, whatever it says: the queue must move */
            continue;
        tk_list_remove(link);
        batch->queued--;
        weight += weight_of(item);
        waited_us += now - item->queued_us;
        flight->items[flight->count++] = item;
    }
    tk_metric_add(&batch->waited_us, waited_us);
}

static void send(struct tk_batch *batch, struct tk_flight *flight)
{
    flight->busy = true;
    flight->sent_us = tk_mono_us();
    batch->in_flight++;
    tk_metric_add(&batch->items_sent, (int64_t)flight->count);
    tk_metric_add(&batch->batches_sent, 1);
    batch->ops.send(batch->ctx, flight);
}

/*
 * Another batch beside one in flight pays only when it is full. Half full it would wait for the same locks and processor as
 * the first, and cost as much again.
 */
static bool may_send(const struct tk_batch *batch)
{
    const struct tk_batch_config *config = &batch->config;
    if (batch->in_flight == 0)
        return batch->queued > 0;
    return batch->in_flight < config->max_in_flight && batch->queued >= config->max_items;
}

static void pump(void *arg)
{
    struct tk_batch *batch = arg;
    struct tk_link doomed = TK_LIST_INIT(doomed);
    while (may_send(batch)) {
        struct tk_flight *flight = idle_flight(batch);
        fill(batch, flight, &doomed);
        if (flight->count > 0)
            send(batch, flight);
    }
    drop_all(batch, &doomed);
}

void tk_batch_landed(struct tk_flight *flight)
{
    struct tk_batch *batch = flight->batch;
    assert(flight->busy);
    int64_t took_us = tk_mono_us() - flight->sent_us;
    tk_metric_add(&batch->flown_us, took_us);
    batch->flight_us += (took_us - batch->flight_us) >> SMOOTHING_SHIFT;
    flight->busy = false;
    flight->count = 0;
    batch->in_flight--;
    if (batch->queued > 0)
        tk_loop_defer(batch->loop, &batch->pump, pump, batch);
}
