/*
 * The dead letters' thread.
 *
 *   OFF --connect both--> COLLECTING --queue empty, a moment passed--> look: publish what waits in the outbox, count
 *    ^                        |   ^                                      |
 *    `---back-off-------------'   `--------------------------------------'
 *
 * What can fail and who repairs it:
 *   - Postgres refuses or is away: the broker connection is dropped, its unacknowledged letters come again after a
 *     back-off. The dead-letter queue has no delivery limit, so nothing is lost however often that happens.
 *   - the table is full: collecting ends until somebody has made room; letters wait in the broker's queue meanwhile.
 *   - the broker is away: rows wait in the outbox.
 */
#include "event-svc/app/dead_letters.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "event-svc/adapters/dead_letters.h"
#include "event-svc/adapters/statements.h"
#include "event-svc/app/queue_reader.h"
#include "shared/base/clock.h"
#include "shared/base/mem.h"
#include "shared/contract/message.h"
#include "shared/log/log.h"
#include "shared/metrics/metrics.h"
#include "shared/outbox/outbox.h"

#define AT_A_TIME       16 /* also the prefetch: at most 16 MiB of bodies in memory */
#define RECEIVE_WAIT_MS 200
#define LOOK_EVERY_US   (5 * TK_US_PER_S)
#define RELAY_BATCHES   10
#define RELAY_STOP_MS   1000

struct dead_letters {
    struct queue_reader reader;
    struct tk_outbox_relay *relay;
    pthread_t thread;
    atomic_bool notified;
    _Atomic int64_t waiting; /* rows, as last counted */
    int64_t most;
    int64_t look_us; /* monotonic: the next look */
    bool full;
};

static struct tk_metric waiting_gauge =
    TK_GAUGE("dead_letters", NULL, "Dead letters that wait for a decision: look into them");
static struct tk_metric collected =
    TK_COUNTER("dead_letters_total", NULL, "Messages moved from the dead-letter queue into the table");

/* --- one letter --------------------------------------------------------------------------------------------------- */

/* Properties of a foreign message may be any bytes; a column of text may not. */
static struct tk_slice readable(struct tk_arena *arena, struct tk_slice text)
{
    char *copy = tk_slice_dup(arena, text);
    if (!tk_utf8_is_text(text))
        for (size_t i = 0; i < text.len; i++)
            if (copy[i] < ' ' || copy[i] > '~')
                copy[i] = '?';
    return (struct tk_slice){.ptr = copy, .len = text.len};
}

static const char *error_of(const struct tk_mq_delivery *delivery, struct tk_arena *arena)
{
    struct tk_reservation_message message;
    const char *why = "larger than 1 MiB";
    if (delivery->oversized || tk_reservation_message_decode(delivery->body, arena, &message, &why) != TK_OK)
        return why;
    if (tk_slice_eq_str(delivery->death_reason, "rejected"))
        return "contradicts the hold that is stored";
    if (tk_slice_eq_str(delivery->death_reason, "delivery_limit"))
        return "delivered too often: whoever took it never got as far as acknowledging it";
    return NULL;
}

static struct dead_letter letter_of(const struct tk_mq_delivery *delivery, struct tk_arena *arena)
{
    struct dead_letter letter = {
        .reason = delivery->death_reason,
        .routing_key = delivery->routing_key,
        .message_id = delivery->message_id,
        .traceparent = delivery->traceparent,
        .delivery_count = delivery->delivery_count,
        .first_death_us = delivery->death_us,
        .body = {.ptr = delivery->body.ptr != NULL ? delivery->body.ptr : "", .len = delivery->body.len},
        .body_size = delivery->size,
    };
    letter.id = dead_letter_id(&letter);
    letter.replayable = dead_letter_is_replayable(&letter);
    letter.error = tk_slice_of(error_of(delivery, arena));
    letter.reason = readable(arena, letter.reason);
    letter.routing_key = readable(arena, letter.routing_key);
    letter.message_id = readable(arena, letter.message_id);
    letter.traceparent = readable(arena, letter.traceparent);
    return letter;
}

static enum tk_err store(struct dead_letters *letters, const struct tk_mq_delivery *delivery, struct tk_arena *arena)
{
    struct tk_pg_op op;
    struct dead_letter letter = letter_of(delivery, arena);
    tk_pg_op_init(&op);
    dead_letter_store(&op, &letter);
    enum tk_step step = tk_pgs_run(letters->reader.pg, &op);
    tk_log(step == TK_STEP_OK ? TK_LOG_ERROR : TK_LOG_WARNING,
           step == TK_STEP_OK ? "dead letter" : "dead letter not stored", TK_KV_UUID("letter", &letter.id),
           TK_KV_SLICE("message", letter.message_id), TK_KV_SLICE("routing_key", letter.routing_key),
           TK_KV_SLICE("reason", letter.reason), TK_KV_SLICE("error", letter.error),
           TK_KV_STR("sqlstate", op.outcome.sqlstate), TK_KV_STR("why", op.outcome.message));
    tk_pgs_release(&op);
    return step == TK_STEP_OK ? TK_OK : TK_ERR_UNAVAILABLE;
}

static enum tk_err collect(struct dead_letters *letters)
{
    struct tk_mq_delivery deliveries[AT_A_TIME];
    struct tk_arena arena = {0};
    size_t count;
    enum tk_err err = tk_mq_receive(letters->reader.mq, &arena, deliveries, AT_A_TIME, RECEIVE_WAIT_MS, &count);
    for (size_t i = 0; !err && i < count; i++)
        err = store(letters, &deliveries[i], &arena);
    if (!err && count > 0)
        err = tk_mq_ack_up_to(letters->reader.mq, deliveries[count - 1].tag);
    if (!err && count > 0) {
        tk_metric_add(&collected, (int64_t)count);
        queue_reader_calm(&letters->reader);
        letters->look_us = 0;
    }
    tk_arena_release(&arena);
    return err;
}

/* --- looking round ------------------------------------------------------------------------------------------------ */

static void note_waiting(struct dead_letters *letters, int64_t count)
{
    atomic_store(&letters->waiting, count);
    tk_metric_set(&waiting_gauge, count);
}

static enum tk_err count_waiting(struct dead_letters *letters)
{
    struct tk_pg_op op;
    tk_pg_op_init(&op);
    dead_letter_count(&op, letters->most);
    enum tk_step step = tk_pgs_run(letters->reader.pg, &op);
    if (step == TK_STEP_OK)
        note_waiting(letters, tk_row_i64(op.outcome.rows[0], 0, 0));
    tk_pgs_release(&op);
    return step == TK_STEP_OK ? TK_OK : TK_ERR_UNAVAILABLE;
}

static void note_fullness(struct dead_letters *letters)
{
    bool full = dead_letters_waiting(letters) >= letters->most;
    if (full && !letters->full)
        tk_log(TK_LOG_ERROR, "the table of dead letters is full, the others wait in the broker's queue",
               TK_KV_INT("rows", letters->most));
    if (full)
        tk_mq_disconnect(letters->reader.mq);
    letters->full = full;
}

static enum tk_err look(struct dead_letters *letters)
{
    size_t relayed;
    bool notified = atomic_exchange(&letters->notified, false);
    if (!notified && tk_mono_us() < letters->look_us)
        return TK_OK;
    letters->look_us = tk_mono_us() + LOOK_EVERY_US;
    enum tk_err err = count_waiting(letters);
    if (!err)
        note_fullness(letters);
    bool done = !err && tk_outbox_relay_run(letters->relay, RELAY_BATCHES, &relayed) == TK_OK;
    if (notified && !done)
        atomic_store(&letters->notified, true); /* the broker is away, or another relay is at it: soon again */
    return err;
}

/* --- the thread --------------------------------------------------------------------------------------------------- */

static void back_off(struct dead_letters *letters)
{
    tk_mq_disconnect(letters->reader.mq);
    queue_reader_pause(&letters->reader, queue_reader_next_pause_ms(&letters->reader));
}

static enum tk_err turn(struct dead_letters *letters)
{
    enum tk_err err = look(letters);
    if (err)
        return err;
    if (letters->full) {
        queue_reader_pause(&letters->reader, RECEIVE_WAIT_MS);
        return TK_OK;
    }
    return tk_mq_is_up(letters->reader.mq) ? collect(letters)
                                           : queue_reader_connect(&letters->reader, tk_mq_consume_dead_letters);
}

static void *run(void *arg)
{
    struct dead_letters *letters = arg;
    while (!queue_reader_is_stopping(&letters->reader))
        if (turn(letters) != TK_OK)
            back_off(letters);
    tk_mq_disconnect(letters->reader.mq);
    return NULL;
}

static struct tk_pgs *open_database(const struct dead_letters_config *config)
{
    const struct tk_pgs_config pg = {
        .name = "event-svc dead letters",
        .url = config->database_url,
        .timeout_ms = config->timeout_ms,
        .statements = collect_statements.items,
        .statement_count = collect_statements.count,
    };
    return tk_pgs_new(&pg);
}

enum tk_err dead_letters_start(const struct dead_letters_config *config, struct dead_letters **out)
{
    struct tk_outbox_config outbox = {
        .name = "event-svc replay",
        .database_url = config->database_url,
        .mq = tk_mq_settings_connection(config->broker, "event-svc dead letters", config->tls_ca),
    };
    outbox.mq.prefetch = AT_A_TIME;
    struct dead_letters *letters = tk_alloc(sizeof(*letters));
    if (tk_mq_new(&outbox.mq, &letters->reader.mq) != TK_OK || tk_outbox_relay_new(&outbox, &letters->relay) != TK_OK)
        return TK_ERR_INVALID; /* the process ends */
    tk_metrics_register(&waiting_gauge);
    tk_metrics_register(&collected);
    letters->most = config->most;
    queue_reader_calm(&letters->reader);
    letters->reader.pg = open_database(config);
    int rc = pthread_create(&letters->thread, NULL, run, letters);
    assert(rc == 0);
    (void)rc;
    *out = letters;
    return TK_OK;
}

void dead_letters_notify(struct dead_letters *letters)
{
    atomic_store(&letters->notified, true);
}

int64_t dead_letters_waiting(const struct dead_letters *letters)
{
    return atomic_load(&letters->waiting);
}

void dead_letters_stop(struct dead_letters *letters)
{
    atomic_store(&letters->reader.stopping, true);
    pthread_join(letters->thread, NULL);
    tk_outbox_relay_stop(letters->relay, RELAY_STOP_MS);
    queue_reader_release(&letters->reader);
    free(letters);
}
