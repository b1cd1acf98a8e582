/*
 * The consuming thread.
 *
 *   OFF --connect both--> ON --batch--> ON
 *    ^                     |  ^         |
 *    `--back-off, broker---'  |         v Postgres is away, refuses to commit, or does not answer
 *             lost            `--- HOLDING the batch: back-off 0.2-5 s, run again
 *
 * What can fail and who repairs it:
 *   - Postgres fails for any reason of its own, or the commit's outcome is unknown: the batch stays in hand,
 *     unacknowledged, and is run again after a pause, harmlessly, since revisions are compared. The broker's prefetch
 *     keeps the rest in the queue, and nothing is returned to it: each return would count towards its delivery limit,
 *     and an outage would turn good messages into dead letters. Postgres is also connected before the queue is consumed.
 *   - Postgres refuses what one message carries (SQLSTATE class 22 or 23): the batch is run message by message, and
 *     that one is dead-lettered.
 *   - the broker goes away: reconnect; unacknowledged messages come again.
 *   - a message makes no sense, or contradicts what is stored: dead letter, an error in the log, a metric. Never a requeue.
 */
#include "event-svc/app/consumer.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "event-svc/adapters/seat_store.h"
#include "event-svc/adapters/statements.h"
#include "event-svc/app/queue_reader.h"
#include "event-svc/domain/backoff.h"
#include "event-svc/domain/fold.h"
#include "shared/base/clock.h"
#include "shared/base/fault.h"
#include "shared/base/mem.h"
#include "shared/contract/message.h"
#include "shared/log/log.h"
#include "shared/metrics/metrics.h"

#define BATCH_MAX       200 /* also the prefetch */
#define RECEIVE_WAIT_MS 200 /* how soon a stop is noticed */
#define HOLD_SLICE_MS   50
#define TAKEN_MAX       (2 * BATCH_MAX) /* deliveries in hand: those that come while a batch is held wait behind it */

struct consumer {
    struct tk_loop *loop;
    struct seat_pictures *pictures;
    const atomic_bool *read_only;
    struct queue_reader reader;
    pthread_t thread;
    atomic_bool up;
};

/*
 * What is in hand: deliveries [first, end) are being applied, those behind came meanwhile. Parallel arrays: message i came
 * as delivery message_delivery[i].
 */
struct batch {
    struct tk_arena arena;
    struct tk_mq_delivery deliveries[TAKEN_MAX];
    bool rejected[TAKEN_MAX]; /* by delivery */
    size_t delivery_count;
    size_t first;
    size_t end;
    struct tk_reservation_message messages[BATCH_MAX];
    size_t message_delivery[BATCH_MAX];
    size_t message_count;
    size_t picked[BATCH_MAX]; /* messages to apply */
    struct settle_line lines[BATCH_MAX];
    enum settle_verdict verdicts[BATCH_MAX];
    bool refused[BATCH_MAX]; /* by the database, for what the message carries */
    size_t picked_count;
};

static struct tk_metric consumed = TK_COUNTER("messages_consumed_total", NULL, "Messages acknowledged");
static struct tk_metric poison = TK_COUNTER("messages_poison_total", NULL, "Messages that make no sense, dead-lettered");
static struct tk_metric contradictions = TK_COUNTER(
    "messages_contradiction_total", NULL, "Messages that contradict stored holds, dead-lettered: look into these");
static struct tk_metric stale = TK_COUNTER("messages_stale_total", NULL, "Messages that were not news");
static struct tk_metric up_gauge = TK_GAUGE("consumer_up", NULL, "1 while the queue is being consumed");
static struct tk_metric held_back =
    TK_COUNTER("messages_held_back_total", NULL, "Pauses because the database could not take messages");
static struct tk_metric lag = TK_HISTOGRAM("message_lag_seconds", NULL, "From the reservation's change to its effect here");

static void set_up(struct consumer *consumer, bool up)
{
    if (atomic_exchange(&consumer->up, up) == up)
        return;
    tk_metric_set(&up_gauge, up);
    tk_log(up ? TK_LOG_INFO : TK_LOG_WARNING, up ? "consuming messages" : "not consuming messages",
           TK_KV_INT("backoff_ms", consumer->reader.backoff_ms));
}

/* --- one batch ---------------------------------------------------------------------------------------------------- */

static enum tk_err reject(struct consumer *consumer, struct batch *batch, size_t delivery)
{
    FAULT_POINT(consumer_before_dead_letter);
    batch->rejected[delivery] = true;
    return tk_mq_dead_letter(consumer->reader.mq, batch->deliveries[delivery].tag);
}

static enum tk_err decode(struct consumer *consumer, struct batch *batch)
{
    batch->message_count = 0;
    for (size_t i = batch->first; i < batch->end; i++) {
        const struct tk_mq_delivery *delivery = &batch->deliveries[i];
        const char *why = "larger than 1 MiB";
        struct tk_reservation_message *message = &batch->messages[batch->message_count];
        if (!delivery->oversized && tk_reservation_message_decode(delivery->body, &batch->arena, message, &why) == TK_OK) {
            batch->message_delivery[batch->message_count++] = i;
            continue;
        }
        tk_metric_add(&poison, 1);
        tk_log(TK_LOG_ERROR, "poison message", TK_KV_SLICE("message", delivery->message_id),
               TK_KV_SLICE("routing_key", delivery->routing_key), TK_KV_STR("why", why));
        enum tk_err err = reject(consumer, batch, i);
        if (err)
            return err;
    }
    return TK_OK;
}

static const struct tk_uuid *sorted_seats(struct batch *batch, const struct tk_reservation_message *message)
{
    size_t bytes = message->seat_count * sizeof(struct tk_uuid);
    struct tk_uuid *seats = tk_arena_alloc(&batch->arena, bytes);
    memcpy(seats, message->seats, bytes);
    qsort(seats, message->seat_count, sizeof(*seats), tk_uuid_order);
    return seats;
}

static void plan(struct batch *batch)
{
    batch->picked_count = messages_fold(batch->messages, batch->message_count, batch->picked);
    for (size_t i = 0; i < batch->picked_count; i++) {
        const struct tk_reservation_message *message = &batch->messages[batch->picked[i]];
        batch->lines[i] = (struct settle_line){
            .session_id = message->session_id,
            .reservation_id = message->reservation_id,
            .sell = message->event == TK_RESERVATION_CONFIRMED,
            .revision = message->revision,
            .seats = sorted_seats(batch, message),
            .seat_count = message->seat_count,
            .cause = cause_of_message(message->event),
            .request_id = message->request_id,
        };
        batch->refused[i] = false;
    }
}

/* One commit on its way to the loop, which knows the pictures. */
struct commit_news {
    struct tk_loop_message message;
    struct seat_pictures *pictures;
    struct seat_changes changes;
    int64_t sent_us;
};

static void on_news(void *arg)
{
    struct commit_news *news = arg;
    seat_pictures_write_ends(news->pictures);
    seat_pictures_apply(news->pictures, &news->changes, news->sent_us);
    seat_changes_release(&news->changes);
    free(news);
}

static void take_outcome(struct consumer *consumer, struct batch *batch, size_t first, size_t count,
                         const struct tk_pg_outcome *outcome, int64_t sent_us)
{
    struct commit_news *news = tk_alloc(sizeof(*news));
    seat_store_read_settle(outcome, batch->lines + first, count, batch->verdicts + first, &news->changes);
    news->pictures = consumer->pictures;
    news->sent_us = sent_us;
    news->message = (struct tk_loop_message){.fn = on_news, .arg = news};
    tk_loop_post(consumer->loop, &news->message);
}

static enum apply_end apply_once(struct consumer *consumer, struct batch *batch, size_t first, size_t count)
{
    struct tk_pg_op op;
    tk_pg_op_init(&op);
    seat_store_settle(&op, batch->lines + first, count);
    int64_t sent_us = tk_mono_us();
    seat_pictures_write_begins(consumer->pictures);
    enum tk_step step = tk_pgs_run(consumer->reader.pg, &op);
    enum apply_end end = apply_end_of(step, op.outcome.sqlstate);
    if (step == TK_STEP_OK) {
        take_outcome(consumer, batch, first, count, &op.outcome, sent_us);
    } else {
        seat_pictures_write_ends(consumer->pictures);
        tk_log(TK_LOG_WARNING, "messages not applied", TK_KV_STR("result", tk_step_name(step)),
               TK_KV_INT("messages", count), TK_KV_STR("sqlstate", op.outcome.sqlstate),
               TK_KV_STR("why", op.outcome.message), TK_KV_INT("backoff_ms", consumer->reader.backoff_ms));
    }
    tk_pgs_release(&op);
    return end;
}

/* Pauses with the batch in hand. Serves the broker's heartbeats; what it still sends waits behind the batch. */
static enum tk_err hold_on(struct consumer *consumer, struct batch *batch)
{
    int64_t until_us = tk_mono_us() + queue_reader_next_pause_ms(&consumer->reader) * TK_US_PER_MS;
    set_up(consumer, false);
    tk_metric_add(&held_back, 1);
    while (!queue_reader_is_stopping(&consumer->reader) && tk_mono_us() < until_us) {
        size_t got;
        size_t room = TAKEN_MAX - batch->delivery_count;
        if (room == 0)
            return TK_ERR_LIMIT; /* 200 poison messages among them: they go back this once */
        enum tk_err err = tk_mq_receive(consumer->reader.mq, &batch->arena, batch->deliveries + batch->delivery_count, room,
                                        HOLD_SLICE_MS, &got);
        if (err)
            return err;
        batch->delivery_count += got;
    }
    return queue_reader_is_stopping(&consumer->reader) ? TK_ERR_UNAVAILABLE : TK_OK;
}

/* Until all of it has an end, however long that takes. */
static enum tk_err apply(struct consumer *consumer, struct batch *batch, size_t first, size_t count)
{
    enum tk_err err = TK_OK;
    enum apply_end end = count > 0 ? apply_once(consumer, batch, first, count) : APPLY_END_DONE;
    while (!err && end == APPLY_END_NOT_NOW) {
        err = hold_on(consumer, batch);
        if (!err)
            end = apply_once(consumer, batch, first, count);
    }
    if (err)
        return err;
    set_up(consumer, true);
    queue_reader_calm(&consumer->reader);
    if (end == APPLY_END_DONE)
        return TK_OK;
    batch->refused[first] = count == 1;
    for (size_t i = 0; !err && count > 1 && i < count; i++)
        err = apply(consumer, batch, first + i, 1);
    return err;
}

static enum tk_err report_refusal(struct consumer *consumer, struct batch *batch, size_t i)
{
    const struct tk_reservation_message *message = &batch->messages[batch->picked[i]];
    tk_metric_add(&poison, 1);
    tk_log(TK_LOG_ERROR, "the database refuses a message", TK_KV_UUID("reservation", &message->reservation_id),
           TK_KV_UUID("message", &message->event_id));
    return reject(consumer, batch, batch->message_delivery[batch->picked[i]]);
}

static enum tk_err report_contradiction(struct consumer *consumer, struct batch *batch, size_t i)
{
    const struct tk_reservation_message *message = &batch->messages[batch->picked[i]];
    tk_metric_add(&contradictions, 1);
    tk_log(TK_LOG_ERROR, "message contradicts the stored hold", TK_KV_UUID("reservation", &message->reservation_id),
           TK_KV_UUID("session", &message->session_id), TK_KV_STR("event", tk_reservation_routing_keys[message->event]),
           TK_KV_INT("revision", message->revision), TK_KV_STR("verdict", settle_verdict_name(batch->verdicts[i])),
           TK_KV_SLICE("request", message->request_id), TK_KV_UUID("message", &message->event_id));
    return reject(consumer, batch, batch->message_delivery[batch->picked[i]]);
}

static enum tk_err judge(struct consumer *consumer, struct batch *batch)
{
    int64_t now_us = tk_unix_us();
    for (size_t i = 0; i < batch->picked_count; i++) {
        const struct tk_reservation_message *message = &batch->messages[batch->picked[i]];
        if (batch->refused[i]) {
            enum tk_err err = report_refusal(consumer, batch, i);
            if (err)
                return err;
            continue;
        }
        tk_log(TK_LOG_DEBUG, "message", TK_KV_UUID("reservation", &message->reservation_id),
               TK_KV_STR("event", tk_reservation_routing_keys[message->event]), TK_KV_INT("revision", message->revision),
               TK_KV_SLICE("request", message->request_id), TK_KV_STR("verdict", settle_verdict_name(batch->verdicts[i])));
        if (settle_is_contradiction(batch->verdicts[i])) {
            enum tk_err err = report_contradiction(consumer, batch, i);
            if (err)
                return err;
        } else if (batch->verdicts[i] == SETTLE_STALE) {
            tk_metric_add(&stale, 1);
        } else {
            tk_metric_observe_us(&lag, now_us > message->occurred_at_us ? now_us - message->occurred_at_us : 0);
        }
    }
    return TK_OK;
}

/* One frame for all: up to the last delivery that was not rejected by itself. */
static enum tk_err acknowledge(struct consumer *consumer, struct batch *batch)
{
    size_t last = batch->end;
    size_t accepted = 0;
    for (size_t i = batch->first; i < batch->end; i++) {
        if (batch->rejected[i])
            continue;
        last = i;
        accepted++;
    }
    if (accepted == 0)
        return TK_OK;
    tk_metric_add(&consumed, (int64_t)accepted);
    return tk_mq_ack_up_to(consumer->reader.mq, batch->deliveries[last].tag);
}

static enum tk_err run_round(struct consumer *consumer, struct batch *batch)
{
    FAULT_POINT(consumer_received);
    enum tk_err err = decode(consumer, batch);
    if (err)
        return err;
    plan(batch);
    err = apply(consumer, batch, 0, batch->picked_count);
    if (err)
        return err;
    FAULT_POINT(consumer_committed);
    err = judge(consumer, batch);
    if (!err)
        err = acknowledge(consumer, batch);
    FAULT_POINT(consumer_acknowledged);
    return err;
}

static enum tk_err consume_batch(struct consumer *consumer, struct batch *batch)
{
    enum tk_err err = tk_mq_receive(consumer->reader.mq, &batch->arena, batch->deliveries, BATCH_MAX, RECEIVE_WAIT_MS,
                                    &batch->delivery_count);
    while (!err && batch->first < batch->delivery_count) {
        size_t left = batch->delivery_count - batch->first;
        batch->end = batch->first + (left < BATCH_MAX ? left : BATCH_MAX);
        err = run_round(consumer, batch);
        batch->first = batch->end;
    }
    return err;
}

/* --- the thread --------------------------------------------------------------------------------------------------- */

static void back_off(struct consumer *consumer)
{
    tk_mq_disconnect(consumer->reader.mq);
    set_up(consumer, false);
    queue_reader_pause(&consumer->reader, queue_reader_next_pause_ms(&consumer->reader));
}

static void run_batch(struct consumer *consumer, struct batch *batch)
{
    memset(batch, 0, sizeof(*batch));
    enum tk_err err = consume_batch(consumer, batch);
    if (err)
        back_off(consumer);
    tk_arena_release(&batch->arena);
}

static void *run(void *arg)
{
    struct consumer *consumer = arg;
    struct batch *batch = tk_alloc(sizeof(*batch));
    while (!queue_reader_is_stopping(&consumer->reader)) {
        const bool up = tk_mq_is_up(consumer->reader.mq);
        if (atomic_load(consumer->read_only) || (!up && queue_reader_connect(&consumer->reader, tk_mq_consume)))
            back_off(consumer);
        else if (up)
            run_batch(consumer, batch);
        else
            set_up(consumer, true);
    }
    tk_mq_disconnect(consumer->reader.mq);
    set_up(consumer, false);
    free(batch);
    return NULL;
}

static struct tk_pgs *open_database(const struct consumer_config *config)
{
    const struct tk_pgs_config pg = {
        .name = "event-svc consumer",
        .url = config->database_url,
        .timeout_ms = config->timeout_ms,
        .server_options = TK_PG_KEY_LOOKUPS " -c plan_cache_mode=force_generic_plan -c jit=off",
        .statements = settle_statements.items,
        .statement_count = settle_statements.count,
    };
    return tk_pgs_new(&pg);
}

static void register_metrics(void)
{
    struct tk_metric *const all[] = {&consumed, &poison, &contradictions, &stale, &up_gauge, &held_back, &lag};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        tk_metrics_register(all[i]);
}

enum tk_err consumer_start(const struct consumer_config *config, struct consumer **out)
{
    struct tk_mq_config mq = tk_mq_settings_connection(config->broker, "event-svc consumer", config->tls_ca);
    mq.prefetch = BATCH_MAX;
    struct consumer *consumer = tk_alloc(sizeof(*consumer));
    enum tk_err err = tk_mq_new(&mq, &consumer->reader.mq);
    if (err) {
        free(consumer);
        return err;
    }
    register_metrics();
    consumer->loop = config->loop;
    consumer->pictures = config->pictures;
    consumer->read_only = config->read_only;
    queue_reader_calm(&consumer->reader);
    consumer->reader.pg = open_database(config);
    int rc = pthread_create(&consumer->thread, NULL, run, consumer);
    assert(rc == 0);
    (void)rc;
    *out = consumer;
    return TK_OK;
}

bool consumer_is_up(const struct consumer *consumer)
{
    return atomic_load_explicit(&consumer->up, memory_order_relaxed);
}

void consumer_stop(struct consumer *consumer)
{
    atomic_store(&consumer->reader.stopping, true);
    pthread_join(consumer->thread, NULL);
    queue_reader_release(&consumer->reader);
    free(consumer);
}
