/**
 * The relay. One pass:
 *
 *   broker up? → BEGIN → try the outbox's advisory lock, read ≤ 200 rows, oldest first → publish, wait for confirms
 *              → DELETE what was confirmed → COMMIT; again while batches are full
 *
 * What can fail, and who repairs it:
 *   - broker away, blocked, nack, return: the rows stay, the next pass publishes them again (back-off in the thread);
 *   - crash or lost COMMIT after publishing: the rows stay and are published twice, which consumers ignore;
 *   - another relay (booking-svc and each worker has one) holds the lock: it is doing the work, this pass ends. The lock
 *     belongs to the transaction, and the server ends a transaction that sits idle longer than the statement timeout, so a
 *     relay that was paused or cut off cannot keep the others out.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/base/fault.h"
#include "shared/log/log.h"
#include "shared/metrics/metrics.h"
#include "shared/outbox/outbox.h"

#define BATCH_ROWS         200
#define PG_TIMEOUT_MS      10000 /* longer than a publish may wait for confirms, or the lock would go away under us */
#define THREAD_MAX_BATCHES 1000
#define BACKOFF_MIN_MS     100
#define BACKOFF_MAX_MS     2000
#define HEARTBEAT_SLICE_MS 1000 /* an idle relay serves broker heartbeats this often */
#define BUSY_RETRY_MS      20   /* another relay had the lock */

/*
 * The lock's number spells "outbox". The removal need not survive a crash of the server (the rows would be published once
 * more), so it does not pay for a flush of the log. Reading is planned when the table is empty, when scanning the whole
 * table looks cheapest; a minute into a rush that would be the space of everything ever sent.
 */
static const struct tk_pg_statement lock_statement = {
    "outbox_lock",
    "SELECT pg_try_advisory_xact_lock(122550254464888), set_config('synchronous_commit', 'off', true) IS NOT NULL,"
    " set_config('enable_seqscan', 'off', true) IS NOT NULL"};

static const struct tk_pg_statement read_statement = {
    "outbox_read", "SELECT id, routing_key, body, traceparent FROM outbox "
                   "WHERE created_at <= now() - $1::bigint * interval '1 millisecond' ORDER BY id LIMIT $2::bigint"};

static const struct tk_pg_statement delete_statement = {"outbox_delete", "DELETE FROM outbox WHERE id = ANY($1::uuid[])"};

static const struct tk_pg_statement age_statement = {
    "outbox_age", "SELECT (extract(epoch FROM now() - created_at) * 1000)::bigint FROM outbox ORDER BY id LIMIT 1"};

static const struct tk_pg_statement *const statements[] = {&lock_statement, &read_statement, &delete_statement,
                                                           &age_statement};

static struct tk_metric relayed_total =
    TK_COUNTER("outbox_relayed_total", NULL, "Messages the broker took from the outbox.");
static struct tk_metric unconfirmed_total =
    TK_COUNTER("outbox_unconfirmed_total", NULL, "Publishes without a confirmation; they are repeated.");
static struct tk_metric age_seconds =
    TK_GAUGE("outbox_age_seconds", NULL, "Age of the oldest message that waits in the outbox.");
static struct tk_metric broker_up = TK_GAUGE("outbox_broker_up", NULL, "1 while the relay is connected to the broker.");

struct tk_outbox_relay {
    struct tk_outbox_config config;
    struct tk_pgs *pg;
    struct tk_mq *mq;
    int wake_fd; /* eventfd */
    bool has_thread;
    pthread_t thread;
    atomic_bool notified;
    atomic_bool stopping;
    atomic_bool broker_up;
};

enum batch_end {
    BATCH_END_EMPTY, /* nothing (more) to relay */
    BATCH_END_FULL,  /* probably more */
    BATCH_END_BUSY,  /* another relay is at it */
    BATCH_END_FAILED,
};

static void register_metrics(void)
{
    tk_metrics_register(&relayed_total);
    tk_metrics_register(&unconfirmed_total);
    tk_metrics_register(&age_seconds);
    tk_metrics_register(&broker_up);
}

enum tk_err tk_outbox_relay_new(const struct tk_outbox_config *config, struct tk_outbox_relay **out)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct tk_pgs_config pg = {.name = config->name,
                               .url = config->database_url,
                               .timeout_ms = PG_TIMEOUT_MS,
                               .statements = statements,
                               .statement_count = sizeof(statements) / sizeof(statements[0])};
    struct tk_mq *mq;
    enum tk_err err = tk_mq_new(&config->mq, &mq);
    if (err)
        return err;
    pthread_once(&once, register_metrics);
    struct tk_outbox_relay *relay = tk_alloc(sizeof(*relay));
    relay->config = *config;
    relay->mq = mq;
    relay->pg = tk_pgs_new(&pg);
    relay->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    *out = relay;
    return relay->wake_fd >= 0 ? TK_OK : TK_ERR_IO;
}

/* --- one batch ---------------------------------------------------------------------------------------------------- */

static void fill_messages(const PGresult *rows, struct tk_mq_message *messages, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int row = (int)i;
        messages[i] = (struct tk_mq_message){.id = tk_row_uuid(rows, row, 0),
                                             .routing_key = tk_row_text(rows, row, 1),
                                             .body = tk_row_text(rows, row, 2),
                                             .traceparent = tk_row_text(rows, row, 3)};
    }
}

static size_t count_confirmed(const struct tk_mq_message *messages, size_t count)
{
    size_t confirmed = 0;
    for (size_t i = 0; i < count; i++)
        confirmed += messages[i].confirmed;
    return confirmed;
}

static enum tk_step delete_confirmed(struct tk_outbox_relay *relay, const struct tk_mq_message *messages, size_t count)
{
    struct tk_pg_op op;
    tk_pg_op_init(&op);
    struct tk_params *params = tk_pg_op_step(&op, &delete_statement);
    tk_params_array_begin(params, TK_OID_UUID);
    for (size_t i = 0; i < count; i++)
        if (messages[i].confirmed)
            tk_params_array_uuid(params, &messages[i].id);
    tk_params_array_end(params);
    enum tk_step step = tk_pgs_run(relay->pg, &op);
    tk_pgs_release(&op);
    return step;
}

/* Locks, reads and publishes, inside the transaction. `messages` keep their ids and verdicts; their texts are gone. */
static enum batch_end publish_locked(struct tk_outbox_relay *relay, struct tk_mq_message messages[BATCH_ROWS],
                                     size_t *count)
{
    struct tk_pg_op op;
    enum batch_end end = BATCH_END_FAILED;
    *count = 0;
    tk_pg_op_init(&op);
    tk_pg_op_step(&op, &lock_statement);
    struct tk_params *params = tk_pg_op_step(&op, &read_statement);
    tk_params_i64(params, relay->config.min_age_ms);
    tk_params_i64(params, BATCH_ROWS);
    if (tk_pgs_run(relay->pg, &op) != TK_STEP_OK) {
        tk_pgs_release(&op);
        return end;
    }
    if (!tk_row_bool(op.outcome.rows[0], 0, 0)) {
        end = BATCH_END_BUSY;
    } else {
        *count = (size_t)PQntuples(op.outcome.rows[1]);
        fill_messages(op.outcome.rows[1], messages, *count);
        FAULT_POINT(relay_before_publish);
        bool published = *count == 0 || tk_mq_publish(relay->mq, messages, *count) == TK_OK;
        if (published && count_confirmed(messages, *count) == *count)
            end = *count == BATCH_ROWS ? BATCH_END_FULL : BATCH_END_EMPTY;
    }
    tk_pgs_release(&op);
    return end;
}

static enum batch_end relay_batch(struct tk_outbox_relay *relay, size_t *relayed)
{
    struct tk_mq_message messages[BATCH_ROWS];
    size_t count;
    if (tk_pgs_begin(relay->pg) != TK_OK)
        return BATCH_END_FAILED;
    enum batch_end end = publish_locked(relay, messages, &count);
    size_t confirmed = count_confirmed(messages, count);
    tk_metric_add(&unconfirmed_total, (int64_t)(count - confirmed));
    if (confirmed == 0) {
        tk_pgs_rollback(relay->pg);
        return end;
    }
    FAULT_POINT(relay_published);
    bool removed = delete_confirmed(relay, messages, count) == TK_STEP_OK;
    removed = tk_pgs_commit(relay->pg) == TK_STEP_OK && removed;
    /* The transaction outlived the server's patience (a very slow broker): remove them on their own. */
    if (!removed && delete_confirmed(relay, messages, count) != TK_STEP_OK)
        return BATCH_END_FAILED;
    FAULT_POINT(relay_deleted);
    tk_metric_add(&relayed_total, (int64_t)confirmed);
    *relayed += confirmed;
    return end;
}

/* --- one pass ----------------------------------------------------------------------------------------------------- */

static void measure_age(struct tk_outbox_relay *relay)
{
    struct tk_pg_op op;
    tk_pg_op_init(&op);
    tk_pg_op_step(&op, &age_statement);
    if (tk_pgs_run(relay->pg, &op) == TK_STEP_OK) {
        const PGresult *rows = op.outcome.rows[0];
        tk_metric_set(&age_seconds, PQntuples(rows) > 0 ? tk_row_i64(rows, 0, 0) / 1000 : 0);
    }
    tk_pgs_release(&op);
}

/* Connects if need be, serves heartbeats, and notices a connection that died while idle. */
static bool check_broker(struct tk_outbox_relay *relay)
{
    bool up = tk_mq_connect(relay->mq) == TK_OK && tk_mq_publish(relay->mq, NULL, 0) == TK_OK;
    atomic_store_explicit(&relay->broker_up, up, memory_order_relaxed);
    tk_metric_set(&broker_up, up);
    return up;
}

static enum batch_end run_pass(struct tk_outbox_relay *relay, size_t max_batches, size_t *relayed)
{
    enum batch_end end = BATCH_END_FAILED;
    *relayed = 0;
    if (check_broker(relay)) {
        end = BATCH_END_FULL;
        for (size_t i = 0; i < max_batches && end == BATCH_END_FULL; i++)
            end = relay_batch(relay, relayed);
    }
    if (*relayed == 0 || end == BATCH_END_FAILED)
        measure_age(relay);
    else
        tk_metric_set(&age_seconds, 0);
    if (!tk_mq_is_up(relay->mq))
        atomic_store_explicit(&relay->broker_up, false, memory_order_relaxed);
    return end;
}

enum tk_err tk_outbox_relay_run(struct tk_outbox_relay *relay, size_t max_batches, size_t *relayed)
{
    return run_pass(relay, max_batches, relayed) == BATCH_END_FAILED ? TK_ERR_UNAVAILABLE : TK_OK;
}

/* --- the thread --------------------------------------------------------------------------------------------------- */

/* Sleeps until notified, stopping or `wait_ms` later, whichever comes first; serves heartbeats meanwhile. */
static void wait_for_work(struct tk_outbox_relay *relay, int64_t wait_ms, bool notifiable)
{
    int64_t until_us = tk_mono_us() + wait_ms * TK_US_PER_MS;
    for (;;) {
        int64_t left_ms = (until_us - tk_mono_us() + TK_US_PER_MS - 1) / TK_US_PER_MS;
        uint64_t count;
        if (left_ms <= 0 || atomic_load(&relay->stopping) || (notifiable && atomic_load(&relay->notified)))
            return;
        struct pollfd pfd = {.fd = relay->wake_fd, .events = POLLIN};
        int slice = (int)(left_ms < HEARTBEAT_SLICE_MS ? left_ms : HEARTBEAT_SLICE_MS);
        if (poll(&pfd, 1, slice) > 0) {
            ssize_t got = read(relay->wake_fd, &count, sizeof(count));
            (void)got; /* EAGAIN cannot matter: the flags are what counts */
        } else if (tk_mq_is_up(relay->mq) && tk_mq_publish(relay->mq, NULL, 0) != TK_OK) {
            atomic_store_explicit(&relay->broker_up, false, memory_order_relaxed);
        }
    }
}

static int64_t next_backoff_ms(int64_t backoff_ms)
{
    if (backoff_ms == 0)
        return BACKOFF_MIN_MS;
    return backoff_ms * 2 < BACKOFF_MAX_MS ? backoff_ms * 2 : BACKOFF_MAX_MS;
}

static void *thread_main(void *arg)
{
    struct tk_outbox_relay *relay = arg;
    int64_t backoff_ms = 0;
    while (!atomic_load(&relay->stopping)) {
        size_t relayed;
        atomic_store(&relay->notified, false);
        enum batch_end end = run_pass(relay, THREAD_MAX_BATCHES, &relayed);
        backoff_ms = end == BATCH_END_FAILED ? next_backoff_ms(backoff_ms) : 0;
        if (end == BATCH_END_FAILED)
            wait_for_work(relay, backoff_ms, false);
        else if (end == BATCH_END_BUSY)
            wait_for_work(relay, BUSY_RETRY_MS, false);
        else if (end == BATCH_END_EMPTY)
            wait_for_work(relay, relay->config.poll_ms, true);
    }
    size_t relayed;
    run_pass(relay, THREAD_MAX_BATCHES, &relayed);
    return NULL;
}

void tk_outbox_relay_start(struct tk_outbox_relay *relay)
{
    relay->has_thread = pthread_create(&relay->thread, NULL, thread_main, relay) == 0;
    if (!relay->has_thread)
        tk_log(TK_LOG_ERROR, "relay thread cannot be started", TK_KV_STR("relay", relay->config.name));
}

static void wake(struct tk_outbox_relay *relay)
{
    uint64_t one = 1;
    ssize_t put = write(relay->wake_fd, &one, sizeof(one));
    (void)put; /* a full eventfd is as awake as it gets */
}

void tk_outbox_relay_notify(struct tk_outbox_relay *relay)
{
    if (!atomic_exchange(&relay->notified, true))
        wake(relay);
}

bool tk_outbox_relay_broker_up(const struct tk_outbox_relay *relay)
{
    return atomic_load_explicit(&relay->broker_up, memory_order_relaxed);
}

static bool join_within(pthread_t thread, int64_t timeout_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (time_t)(timeout_ms / 1000);
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    return pthread_timedjoin_np(thread, NULL, &until) == 0;
}

void tk_outbox_relay_stop(struct tk_outbox_relay *relay, int64_t timeout_ms)
{
    size_t relayed;
    atomic_store(&relay->stopping, true);
    wake(relay);
    if (relay->has_thread && !join_within(relay->thread, timeout_ms)) {
        tk_log(TK_LOG_WARNING, "relay did not finish in time; its rows wait for the next one",
               TK_KV_STR("relay", relay->config.name));
        return; /* the process is about to end; the thread still uses this memory */
    }
    if (!relay->has_thread && timeout_ms > 0 && tk_mq_is_up(relay->mq))
        run_pass(relay, 1, &relayed);
    tk_mq_free(relay->mq);
    tk_pgs_free(relay->pg);
    close(relay->wake_fd);
    free(relay);
}
