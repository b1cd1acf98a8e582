/*
 * The consuming thread.
 *
 *   OFF --connect both--> ON --batch--> ON
 *    ^                     |
 *    `---back-off 0.2-2 s--'  broker lost, or the same batch failed BATCH_ATTEMPTS times
 *
 * What can fail and who repairs it:
 *   - Postgres refuses, or the commit's outcome is unknown: the same batch is run again, harmlessly, since revisions are
 *     compared. When that does not help, the broker connection is dropped: the messages stay in the queue. Each return
 *     counts towards the queue's delivery limit, hence the attempts here first, and Postgres is connected before the queue
 *     is consumed again: an outage costs one return, however long it lasts.
 *   - the broker goes away: reconnect; unacknowledged messages come again.
 *   - a message makes no sense, or contradicts what is stored: dead letter, an error in the log, a metric. Never a requeue.
 */
#include "event-svc/app/consumer.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "event-svc/adapters/seat_store.h"
#include "event-svc/adapters/statements.h"
#include "event-svc/domain/fold.h"
#include "shared/base/clock.h"
#include "shared/base/fault.h"
#include "shared/base/mem.h"
#include "shared/contract/message.h"
#include "shared/log/log.h"
#include "shared/metrics/metrics.h"
#include "shared/mq/mq.h"
#include "shared/pg/sync.h"

#define BATCH_MAX         200 /* also the prefetch */
#define RECEIVE_WAIT_MS   200 /* how soon a stop is noticed */
#define BACKOFF_FIRST_MS  200
#define BACKOFF_MAX_MS    2000
#define BATCH_ATTEMPTS    3
#define ATTEMPT_PAUSE_MS  200
#define BROKER_TIMEOUT_MS 5000
#define HEARTBEAT_S       5

struct consumer {
    struct tk_loop *loop;
    struct seat_pictures *pictures;
    struct tk_mq *mq;
    struct tk_pgs *pg;
    pthread_t thread;
    atomic_bool stopping;
    atomic_bool up;
    int64_t backoff_ms;
};

/* One round. Parallel arrays: message i came as delivery message_delivery[i]. */
struct batch {
    struct tk_arena arena;
    struct tk_mq_delivery deliveries[BATCH_MAX];
    bool rejected[BATCH_MAX]; /* by delivery */
    size_t delivery_count;
    struct tk_reservation_message messages[BATCH_MAX];
    size_t message_delivery[BATCH_MAX];
    size_t message_count;
    size_t picked[BATCH_MAX]; /* messages to apply */
    struct settle_line lines[BATCH_MAX];
    enum settle_verdict verdicts[BATCH_MAX];
    size_t picked_count;
};

static struct tk_metric consumed = TK_COUNTER("messages_consumed_total", NULL, "Messages acknowledged");
static struct tk_metric poison = TK_COUNTER("messages_poison_total", NULL, "Messages that make no sense, dead-lettered");
static struct tk_metric contradictions = TK_COUNTER(
    "messages_contradiction_total", NULL, "Messages that contradict stored holds, dead-lettered: look into these");
static struct tk_metric stale = TK_COUNTER("messages_stale_total", NULL, "Messages that were not news");
static struct tk_metric up_gauge = TK_GAUGE("consumer_up", NULL, "1 while the queue is being consumed");
static struct tk_metric lag = TK_HISTOGRAM("message_lag_seconds", NULL, "From the reservation's change to its effect here");

static bool is_stopping(const struct consumer *consumer)
{
    return atomic_load_explicit(&consumer->stopping, memory_order_relaxed);
}

static void set_up(struct consumer *consumer, bool up)
{
    if (atomic_exchange(&consumer->up, up) == up)
        return;
    tk_metric_set(&up_gauge, up);
    tk_log(up ? TK_LOG_INFO : TK_LOG_WARNING, up ? "consuming messages" : "not consuming messages",
           TK_KV_INT("backoff_ms", consumer->backoff_ms));
}

static void pause_ms(const struct consumer *consumer, int64_t ms)
{
    const struct timespec slice = {.tv_nsec = 50 * 1000 * 1000};
    int64_t until_us = tk_mono_us() + ms * TK_US_PER_MS;
    while (!is_stopping(consumer) && tk_mono_us() < until_us)
        nanosleep(&slice, NULL);
}

/* --- one batch ---------------------------------------------------------------------------------------------------- */

static enum tk_err reject(struct consumer *consumer, struct batch *batch, size_t delivery)
{
    FAULT_POINT(consumer_before_dead_letter);
    batch->rejected[delivery] = true;
    return tk_mq_dead_letter(consumer->mq, batch->deliveries[delivery].tag);
}

static enum tk_err decode(struct consumer *consumer, struct batch *batch)
{
    for (size_t i = 0; i < batch->delivery_count; i++) {
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

static int compare_ids(const void *a, const void *b)
{
    return tk_uuid_cmp(a, b);
}

static const struct tk_uuid *sorted_seats(struct batch *batch, const struct tk_reservation_message *message)
{
    size_t bytes = message->seat_count * sizeof(struct tk_uuid);
    struct tk_uuid *seats = tk_arena_alloc(&batch->arena, bytes);
    memcpy(seats, message->seats, bytes);
    qsort(seats, message->seat_count, sizeof(*seats), compare_ids);
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
        };
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

static void take_outcome(struct consumer *consumer, struct batch *batch, const struct tk_pg_outcome *outcome,
                         int64_t sent_us)
{
    struct commit_news *news = tk_alloc(sizeof(*news));
    seat_store_read_settle(outcome, batch->lines, batch->picked_count, batch->verdicts, &news->changes);
    news->pictures = consumer->pictures;
    news->sent_us = sent_us;
    news->message = (struct tk_loop_message){.fn = on_news, .arg = news};
    tk_loop_post(consumer->loop, &news->message);
}

static enum tk_step apply_once(struct consumer *consumer, struct batch *batch)
{
    struct tk_pg_op op;
    tk_pg_op_init(&op);
    seat_store_settle(&op, batch->lines, batch->picked_count);
    int64_t sent_us = tk_mono_us();
    seat_pictures_write_begins(consumer->pictures);
    enum tk_step step = tk_pgs_run(consumer->pg, &op);
    if (step == TK_STEP_OK) {
        take_outcome(consumer, batch, &op.outcome, sent_us);
    } else {
        seat_pictures_write_ends(consumer->pictures);
        tk_log(TK_LOG_WARNING, "messages not applied", TK_KV_STR("result", tk_step_name(step)),
               TK_KV_INT("messages", batch->picked_count), TK_KV_STR("sqlstate", op.outcome.sqlstate),
               TK_KV_STR("why", op.outcome.message));
    }
    tk_pgs_release(&op);
    return step;
}

static enum tk_err apply(struct consumer *consumer, struct batch *batch)
{
    for (int attempt = 1; batch->picked_count > 0; attempt++) {
        if (apply_once(consumer, batch) == TK_STEP_OK)
            break;
        if (attempt == BATCH_ATTEMPTS || is_stopping(consumer))
            return TK_ERR_UNAVAILABLE;
        pause_ms(consumer, ATTEMPT_PAUSE_MS);
    }
    return TK_OK;
}

static enum tk_err report_contradiction(struct consumer *consumer, struct batch *batch, size_t i)
{
    const struct tk_reservation_message *message = &batch->messages[batch->picked[i]];
    tk_metric_add(&contradictions, 1);
    tk_log(TK_LOG_ERROR, "message contradicts the stored hold", TK_KV_UUID("reservation", &message->reservation_id),
           TK_KV_UUID("session", &message->session_id), TK_KV_STR("event", tk_reservation_routing_keys[message->event]),
           TK_KV_INT("revision", message->revision), TK_KV_STR("verdict", settle_verdict_name(batch->verdicts[i])),
           TK_KV_UUID("message", &message->event_id));
    return reject(consumer, batch, batch->message_delivery[batch->picked[i]]);
}

static enum tk_err judge(struct consumer *consumer, struct batch *batch)
{
    int64_t now_us = tk_unix_us();
    for (size_t i = 0; i < batch->picked_count; i++) {
        const struct tk_reservation_message *message = &batch->messages[batch->picked[i]];
        tk_log(TK_LOG_DEBUG, "message", TK_KV_UUID("reservation", &message->reservation_id),
               TK_KV_STR("event", tk_reservation_routing_keys[message->event]), TK_KV_INT("revision", message->revision),
               TK_KV_STR("verdict", settle_verdict_name(batch->verdicts[i])));
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
    size_t last = batch->delivery_count;
    size_t accepted = 0;
    for (size_t i = 0; i < batch->delivery_count; i++) {
        if (batch->rejected[i])
            continue;
        last = i;
        accepted++;
    }
    if (accepted == 0)
        return TK_OK;
    tk_metric_add(&consumed, (int64_t)accepted);
    return tk_mq_ack_up_to(consumer->mq, batch->deliveries[last].tag);
}

static enum tk_err consume_batch(struct consumer *consumer, struct batch *batch)
{
    enum tk_err err =
        tk_mq_receive(consumer->mq, &batch->arena, batch->deliveries, BATCH_MAX, RECEIVE_WAIT_MS, &batch->delivery_count);
    if (err || batch->delivery_count == 0)
        return err;
    FAULT_POINT(consumer_received);
    err = decode(consumer, batch);
    if (err)
        return err;
    plan(batch);
    err = apply(consumer, batch);
    if (err)
        return err;
    FAULT_POINT(consumer_committed);
    err = judge(consumer, batch);
    if (!err)
        err = acknowledge(consumer, batch);
    FAULT_POINT(consumer_acknowledged);
    return err;
}

/* --- the thread --------------------------------------------------------------------------------------------------- */

static enum tk_err connect_both(struct consumer *consumer)
{
    enum tk_err err = tk_pgs_connect(consumer->pg);
    if (!err)
        err = tk_mq_connect(consumer->mq);
    if (!err)
        err = tk_mq_consume(consumer->mq);
    return err;
}

static void back_off(struct consumer *consumer)
{
    tk_mq_disconnect(consumer->mq);
    set_up(consumer, false);
    pause_ms(consumer, consumer->backoff_ms);
    consumer->backoff_ms = consumer->backoff_ms * 2 < BACKOFF_MAX_MS ? consumer->backoff_ms * 2 : BACKOFF_MAX_MS;
}

static void run_batch(struct consumer *consumer, struct batch *batch)
{
    memset(batch, 0, sizeof(*batch));
    enum tk_err err = consume_batch(consumer, batch);
    if (err)
        back_off(consumer);
    else if (batch->delivery_count > 0)
        consumer->backoff_ms = BACKOFF_FIRST_MS;
    tk_arena_release(&batch->arena);
}

static void *run(void *arg)
{
    struct consumer *consumer = arg;
    struct batch *batch = tk_alloc(sizeof(*batch));
    while (!is_stopping(consumer)) {
        if (tk_mq_is_up(consumer->mq)) {
            run_batch(consumer, batch);
        } else if (connect_both(consumer)) {
            back_off(consumer);
        } else {
            set_up(consumer, true);
        }
    }
    tk_mq_disconnect(consumer->mq);
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
    struct tk_metric *const all[] = {&consumed, &poison, &contradictions, &stale, &up_gauge, &lag};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        tk_metrics_register(all[i]);
}

enum tk_err consumer_start(const struct consumer_config *config, struct consumer **out)
{
    const struct tk_mq_config mq = {
        .name = "event-svc consumer",
        .url = config->rabbitmq_url,
        .ca_file = config->tls_ca,
        .exchange = config->exchange,
        .queue = config->queue,
        .routing_keys = tk_reservation_routing_keys,
        .routing_key_count = TK_RESERVATION_EVENT_COUNT,
        .timeout_ms = BROKER_TIMEOUT_MS,
        .heartbeat_s = HEARTBEAT_S,
        .prefetch = BATCH_MAX,
    };
    struct consumer *consumer = tk_alloc(sizeof(*consumer));
    enum tk_err err = tk_mq_new(&mq, &consumer->mq);
    if (err) {
        free(consumer);
        return err;
    }
    register_metrics();
    consumer->loop = config->loop;
    consumer->pictures = config->pictures;
    consumer->backoff_ms = BACKOFF_FIRST_MS;
    consumer->pg = open_database(config);
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
    atomic_store(&consumer->stopping, true);
    pthread_join(consumer->thread, NULL);
    tk_mq_free(consumer->mq);
    tk_pgs_free(consumer->pg);
    free(consumer);
}
