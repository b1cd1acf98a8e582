/*
 * The async client: connections, the queue in front of them, and the reading of pipelined results.
 *
 * A connection goes DOWN → CONNECTING → PREPARING → UP and back to DOWN from anywhere. While UP it carries up to max_depth
 * operations; the server answers in order, so the first in `in_flight` is the one whose results arrive next:
 *
 *     row result, NULL, row result, NULL, …, PIPELINE_SYNC       applied
 *     error, NULL, PIPELINE_ABORTED, NULL, …, PIPELINE_SYNC      rolled back
 *     nothing before the deadline, or the socket breaks          unknown
 *
 * An operation with `more` is sent without its Sync; when its rows are here it may add a step, and then the Sync goes out.
 *
 * One timer per connection watches the deadline of the first operation in flight. When it fires the connection is dropped:
 * what the server was doing ends by its own statement_timeout.
 *
 * Callbacks run from I/O and timers only. An error found while sending (inside the caller's submit) is put off to the end
 * of the turn with `broken`.
 */
#include "shared/pg/pg.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/clock.h"
#include "shared/base/mem.h"
#include "shared/log/log.h"
#include "shared/metrics/metrics.h"

#define CONNECT_TIMEOUT_MS 5000
#define RETRY_FIRST_MS     50
#define RETRY_MAX_MS       2000
#define OVERDUE_CHECK_MS   100 /* how late a queued operation may learn that its deadline has passed */

enum conn_state { CONN_DOWN, CONN_CONNECTING, CONN_PREPARING, CONN_UP };

struct conn {
    struct tk_pg *pg;
    enum conn_state state;
    bool tried;
    PGconn *pq;
    struct tk_watch *watch;
    struct tk_timer timer; /* DOWN: next attempt; CONNECTING, PREPARING: give up; UP: first deadline in flight */
    int64_t retry_ms;
    size_t unprepared;        /* PREPARING: prepare results still to come */
    struct tk_link in_flight; /* tk_pg_op, oldest first */
    size_t depth;
    struct tk_pg_op *open; /* the last in flight, as long as its Sync is held back for `more`; nothing may follow it */
    struct tk_deferred broken;
};

struct tk_pg {
    struct tk_loop *loop;
    struct tk_pg_config config;
    struct conn *conns;
    struct tk_link queue; /* tk_pg_op waiting for room */
    size_t queued;
    struct tk_timer overdue;
    bool closing;
    char labels[64];
    struct tk_metric up;
    struct tk_metric unknown;
};

static void conn_start(void *arg);
static void conn_drop(struct conn *conn, const char *why);
static void on_conn_ready(void *arg, unsigned ready);
static void send_queued(struct tk_pg *pg);

/* --- operations --------------------------------------------------------------------------------------------------- */

void tk_pg_op_init(struct tk_pg_op *op)
{
    *op = (struct tk_pg_op){0};
}

struct tk_params *tk_pg_op_step(struct tk_pg_op *op, const struct tk_pg_statement *statement)
{
    assert(op->step_count < TK_PG_MAX_STEPS);
    struct tk_pg_query *query = &op->steps[op->step_count++];
    query->statement = statement;
    tk_params_init(&query->params);
    return &query->params;
}

void tk_pg_op_release(struct tk_pg_op *op)
{
    for (size_t i = 0; i < op->step_count; i++)
        tk_params_release(&op->steps[i].params);
}

static struct tk_pg_op *first_op(struct tk_link *list)
{
    return tk_list_is_empty(list) ? NULL : TK_CONTAINER_OF(list->next, struct tk_pg_op, link);
}

/* The operation is the caller's from here on, and may be freed by `done`. */
static void finish(struct tk_pg_op *op, enum tk_step step)
{
    struct tk_pg_outcome outcome = op->outcome;
    outcome.sqlstate = outcome.message = outcome.constraint = "";
    PGresult *rows[TK_PG_MAX_STEPS];
    memcpy(rows, outcome.rows, sizeof(rows));
    PGresult *error = op->error;
    outcome.step = step;
    if (error) {
        const char *sqlstate = PQresultErrorField(error, PG_DIAG_SQLSTATE);
        const char *constraint = PQresultErrorField(error, PG_DIAG_CONSTRAINT_NAME);
        outcome.sqlstate = sqlstate ? sqlstate : "";
        outcome.constraint = constraint ? constraint : "";
        outcome.message = PQresultErrorMessage(error);
    }
    tk_pg_op_release(op);
    op->done(op, &outcome);
    for (size_t i = 0; i < TK_PG_MAX_STEPS; i++)
        PQclear(rows[i]);
    PQclear(error);
}

static void fail_list(struct tk_link *list, enum tk_step step)
{
    struct tk_link *link;
    while ((link = tk_list_pop_front(list)) != NULL)
        finish(TK_CONTAINER_OF(link, struct tk_pg_op, link), step);
}

/* --- connecting --------------------------------------------------------------------------------------------------- */

static void conn_close(struct conn *conn)
{
    if (conn->watch)
        tk_watch_close(conn->watch);
    conn->watch = NULL;
    PQfinish(conn->pq);
    conn->pq = NULL;
    tk_timer_stop(conn->pg->loop, &conn->timer);
    tk_deferred_cancel(&conn->broken);
}

/* At the start the first connection has the processor to itself until its outcome is known: one is enough to serve. */
static void start_untried(struct tk_pg *pg)
{
    for (size_t i = 0; i < pg->config.connections && !pg->closing; i++)
        if (!pg->conns[i].tried)
            conn_start(&pg->conns[i]);
}

/* Everything in flight is UNKNOWN; the next attempt follows after the back-off. */
static void conn_drop(struct conn *conn, const char *why)
{
    struct tk_pg *pg = conn->pg;
    struct tk_link lost = TK_LIST_INIT(lost);
    bool was_up = conn->state == CONN_UP;
    size_t lost_count = conn->depth;
    while (!tk_list_is_empty(&conn->in_flight)) {
        struct tk_link *link = tk_list_pop_front(&conn->in_flight);
        tk_list_push_back(&lost, link);
    }
    tk_log(pg->closing && lost_count == 0 ? TK_LOG_DEBUG : TK_LOG_WARNING,
           pg->closing ? "database connection closed" : "database connection lost", TK_KV_STR("database", pg->config.name),
           TK_KV_STR("why", why), TK_KV_INT("unknown_operations", lost_count), TK_KV_INT("retry_ms", conn->retry_ms));
    conn->depth = 0;
    conn->open = NULL;
    conn->state = CONN_DOWN;
    conn_close(conn);
    if (was_up)
        tk_metric_add(&pg->up, -1);
    tk_metric_add(&pg->unknown, (int64_t)lost_count);
    if (!pg->closing) {
        tk_timer_start(pg->loop, &conn->timer, conn->retry_ms, conn_start, conn);
        conn->retry_ms = conn->retry_ms * 2 < RETRY_MAX_MS ? conn->retry_ms * 2 : RETRY_MAX_MS;
    }
    fail_list(&lost, TK_STEP_UNKNOWN);
    if (!tk_pg_is_up(pg)) {
        pg->queued = 0;
        fail_list(&pg->queue, TK_STEP_FAILED);
    }
    start_untried(pg);
}

static void on_broken(void *arg)
{
    struct conn *conn = arg;
    conn_drop(conn, conn->pq ? PQerrorMessage(conn->pq) : "");
}

static void on_conn_timeout(void *arg)
{
    conn_drop(arg, "deadline passed");
}

/* libpq may change sockets between connection attempts, so the watch is made anew each time. */
static void rewatch(struct conn *conn, unsigned interest)
{
    if (conn->watch)
        tk_watch_close(conn->watch);
    conn->watch = tk_watch_open(conn->pg->loop, PQsocket(conn->pq), on_conn_ready, conn);
    tk_watch_want(conn->watch, interest);
}

static void prepare_all(struct conn *conn)
{
    struct tk_pg *pg = conn->pg;
    bool sent = PQsetnonblocking(conn->pq, 1) == 0 && PQenterPipelineMode(conn->pq) == 1;
    for (size_t i = 0; sent && i < pg->config.statement_count; i++) {
        const struct tk_pg_statement *statement = pg->config.statements[i];
        sent = PQsendPrepare(conn->pq, statement->name, statement->sql, 0, NULL) == 1;
    }
    if (!sent || PQpipelineSync(conn->pq) != 1) {
        conn_drop(conn, PQerrorMessage(conn->pq));
        return;
    }
    conn->state = CONN_PREPARING;
    conn->unprepared = pg->config.statement_count;
    rewatch(conn, TK_WATCH_READ | (PQflush(conn->pq) == 1 ? TK_WATCH_WRITE : 0));
}

static void connect_step(struct conn *conn)
{
    switch (PQconnectPoll(conn->pq)) {
    case PGRES_POLLING_READING:
        rewatch(conn, TK_WATCH_READ);
        break;
    case PGRES_POLLING_WRITING:
        rewatch(conn, TK_WATCH_WRITE);
        break;
    case PGRES_POLLING_OK:
        prepare_all(conn);
        break;
    default:
        conn_drop(conn, PQerrorMessage(conn->pq));
        break;
    }
}

static void conn_start(void *arg)
{
    struct conn *conn = arg;
    struct tk_pg *pg = conn->pg;
    char options[320];
    snprintf(options, sizeof(options), "-c statement_timeout=%lld -c plan_cache_mode=force_generic_plan -c jit=off %s",
             (long long)pg->config.statement_timeout_ms, pg->config.server_options ? pg->config.server_options : "");
    const char *keys[] = {"dbname", "fallback_application_name", "options", "client_encoding", "tcp_user_timeout", NULL};
    const char *values[] = {pg->config.url, pg->config.name, options, "UTF8", "10000", NULL};
    conn->tried = true;
    conn->pq = PQconnectStartParams(keys, values, 1);
    conn->state = CONN_CONNECTING;
    tk_timer_start(pg->loop, &conn->timer, CONNECT_TIMEOUT_MS, on_conn_timeout, conn);
    if (conn->pq == NULL || PQstatus(conn->pq) == CONNECTION_BAD)
        conn_drop(conn, conn->pq ? PQerrorMessage(conn->pq) : "out of memory");
    else
        rewatch(conn, TK_WATCH_WRITE);
}

static void conn_is_up(struct conn *conn)
{
    struct tk_pg *pg = conn->pg;
    conn->state = CONN_UP;
    conn->retry_ms = RETRY_FIRST_MS;
    tk_timer_stop(pg->loop, &conn->timer);
    tk_metric_add(&pg->up, 1);
    tk_log(TK_LOG_INFO, "database connected", TK_KV_STR("database", pg->config.name));
    start_untried(pg);
    send_queued(pg);
}

/* --- sending ------------------------------------------------------------------------------------------------------ */

static bool send_step(PGconn *pq, const struct tk_pg_query *query)
{
    const char *values[TK_PARAMS_MAX];
    int lengths[TK_PARAMS_MAX];
    int formats[TK_PARAMS_MAX];
    const struct tk_params *params = &query->params;
    for (int i = 0; i < params->count; i++) {
        values[i] = params->items[i].len < 0 ? NULL : params->data.ptr + params->items[i].offset;
        lengths[i] = params->items[i].len < 0 ? 0 : params->items[i].len;
        formats[i] = 1;
    }
    return PQsendQueryPrepared(pq, query->statement->name, params->count, values, lengths, formats, 1) == 1;
}

static void watch_deadline(struct conn *conn)
{
    struct tk_pg_op *op = first_op(&conn->in_flight);
    if (op == NULL) {
        tk_timer_stop(conn->pg->loop, &conn->timer);
        return;
    }
    int64_t left_us = op->deadline_us - tk_mono_us();
    int64_t left_ms = left_us > 0 ? left_us / TK_US_PER_MS + 1 : 0;
    tk_timer_start(conn->pg->loop, &conn->timer, left_ms, on_conn_timeout, conn);
}

static void conn_flush(struct conn *conn, bool sent)
{
    int unflushed = sent ? PQflush(conn->pq) : -1;
    if (unflushed < 0)
        tk_loop_defer(conn->pg->loop, &conn->broken, on_broken, conn);
    else if (unflushed > 0)
        tk_watch_want(conn->watch, TK_WATCH_READ | TK_WATCH_WRITE);
}

static void conn_send(struct conn *conn, struct tk_pg_op *op)
{
    bool sent = true;
    for (size_t i = 0; sent && i < op->step_count; i++)
        sent = send_step(conn->pq, &op->steps[i]);
    if (op->more)
        conn->open = op;
    sent = sent && (op->more ? PQsendFlushRequest(conn->pq) : PQpipelineSync(conn->pq)) == 1;
    tk_pg_op_release(op); /* libpq has copied the parameters */
    tk_list_push_back(&conn->in_flight, &op->link);
    conn->depth++;
    if (conn->depth == 1)
        watch_deadline(conn);
    conn_flush(conn, sent);
}

/* All steps of the open operation have answered, or one has failed: what it still wants to write, and its Sync. */
static void conn_send_rest(struct conn *conn)
{
    struct tk_pg_op *op = conn->open;
    size_t known = op->step_count;
    conn->open = NULL;
    if (op->error == NULL)
        op->more(op, &op->outcome);
    assert(op->step_count <= known + 1);
    bool sent = op->step_count == known || send_step(conn->pq, &op->steps[known]);
    sent = sent && PQpipelineSync(conn->pq) == 1;
    tk_pg_op_release(op);
    conn_flush(conn, sent);
}

/* The connection with the fewest operations in flight, NULL when all are full. */
static struct conn *roomiest(struct tk_pg *pg)
{
    struct conn *best = NULL;
    for (size_t i = 0; i < pg->config.connections; i++) {
        struct conn *conn = &pg->conns[i];
        if (conn->state != CONN_UP || conn->depth >= pg->config.max_depth || conn->open != NULL ||
            tk_link_is_linked(&conn->broken.link))
            continue;
        if (best == NULL || conn->depth < best->depth)
            best = conn;
    }
    return best;
}

static void on_overdue(void *arg)
{
    struct tk_pg *pg = arg;
    int64_t now = tk_mono_us();
    struct tk_link late = TK_LIST_INIT(late);
    struct tk_link *next;
    for (struct tk_link *link = pg->queue.next; link != &pg->queue; link = next) {
        next = link->next;
        if (TK_CONTAINER_OF(link, struct tk_pg_op, link)->deadline_us > now)
            continue;
        tk_list_remove(link);
        tk_list_push_back(&late, link);
        pg->queued--;
    }
    if (pg->queued > 0)
        tk_timer_start(pg->loop, &pg->overdue, OVERDUE_CHECK_MS, on_overdue, pg);
    fail_list(&late, TK_STEP_FAILED);
}

static void send_queued(struct tk_pg *pg)
{
    struct conn *conn;
    while (pg->queued > 0 && (conn = roomiest(pg)) != NULL) {
        struct tk_link *link = tk_list_pop_front(&pg->queue);
        pg->queued--;
        conn_send(conn, TK_CONTAINER_OF(link, struct tk_pg_op, link));
    }
}

static enum tk_err send_or_queue(struct tk_pg *pg, struct tk_pg_op *op)
{
    if (!tk_pg_is_up(pg))
        return TK_ERR_UNAVAILABLE;
    for (size_t i = 0; i < op->step_count; i++)
        if (op->steps[i].params.data.overflow)
            return TK_ERR_LIMIT;
    struct conn *conn = pg->queued == 0 ? roomiest(pg) : NULL;
    if (conn) {
        conn_send(conn, op);
        return TK_OK;
    }
    if (pg->queued >= pg->config.max_queued)
        return TK_ERR_LIMIT;
    tk_list_push_back(&pg->queue, &op->link);
    if (pg->queued++ == 0)
        tk_timer_start(pg->loop, &pg->overdue, OVERDUE_CHECK_MS, on_overdue, pg);
    return TK_OK;
}

enum tk_err tk_pg_submit(struct tk_pg *pg, struct tk_pg_op *op)
{
    assert(op->step_count > 0 && op->done && op->deadline_us > 0);
    enum tk_err err = send_or_queue(pg, op);
    if (err)
        tk_pg_op_release(op);
    return err;
}

/* --- receiving ---------------------------------------------------------------------------------------------------- */

static void take_result(struct tk_pg_op *op, PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    if ((status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) && op->steps_answered < op->step_count) {
        op->outcome.rows[op->steps_answered++] = result;
    } else if (status == PGRES_FATAL_ERROR && op->error == NULL) {
        op->error = result;
    } else {
        PQclear(result); /* PIPELINE_ABORTED: a step after the failed one */
    }
}

/* The operation's Sync came back: its fate is known. */
static void complete_first(struct conn *conn)
{
    struct tk_pg_op *op = first_op(&conn->in_flight);
    tk_list_remove(&op->link);
    conn->depth--;
    watch_deadline(conn);
    bool applied = op->error == NULL && op->steps_answered == op->step_count;
    finish(op, applied ? TK_STEP_OK : TK_STEP_REFUSED);
}

static void take_prepare_result(struct conn *conn, PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_COMMAND_OK) {
        conn->unprepared--;
    } else if (status == PGRES_PIPELINE_SYNC && conn->unprepared == 0) {
        conn_is_up(conn);
    } else {
        tk_log(TK_LOG_ERROR, "statement cannot be prepared", TK_KV_STR("database", conn->pg->config.name),
               TK_KV_STR("why", PQresultErrorMessage(result)));
        tk_loop_defer(conn->pg->loop, &conn->broken, on_broken, conn);
    }
    PQclear(result);
}

/* True while there may be more to read: a result, or the NULL that ends one. */
static bool take_next(struct conn *conn, int *nulls)
{
    bool waiting = conn->state == CONN_PREPARING || conn->depth > 0;
    if (!waiting || PQisBusy(conn->pq))
        return false;
    PGresult *result = PQgetResult(conn->pq);
    if (result == NULL)
        return ++*nulls < 2; /* one separates results; two in a row: nothing more has arrived */
    *nulls = 0;
    if (conn->state == CONN_PREPARING) {
        take_prepare_result(conn, result);
    } else if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
        PQclear(result);
        complete_first(conn);
    } else {
        struct tk_pg_op *op = first_op(&conn->in_flight);
        take_result(op, result);
        if (op == conn->open && (op->error != NULL || op->steps_answered == op->step_count))
            conn_send_rest(conn);
    }
    return conn->pq != NULL && !tk_link_is_linked(&conn->broken.link);
}

static void on_conn_ready(void *arg, unsigned ready)
{
    struct conn *conn = arg;
    if (conn->state == CONN_CONNECTING) {
        connect_step(conn);
        return;
    }
    if ((ready & TK_WATCH_READ) && PQconsumeInput(conn->pq) != 1) {
        conn_drop(conn, PQerrorMessage(conn->pq));
        return;
    }
    int unflushed = PQflush(conn->pq);
    if (unflushed > 0)
        tk_watch_want(conn->watch, TK_WATCH_READ | TK_WATCH_WRITE);
    int nulls = 0;
    while (take_next(conn, &nulls))
        ;
    if (conn->pq && (unflushed < 0 || PQstatus(conn->pq) == CONNECTION_BAD))
        conn_drop(conn, PQerrorMessage(conn->pq));
    send_queued(conn->pg);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

struct tk_pg *tk_pg_open(struct tk_loop *loop, const struct tk_pg_config *config)
{
    assert(config->connections > 0 && config->max_depth > 0);
    struct tk_pg *pg = tk_alloc(sizeof(*pg));
    pg->loop = loop;
    pg->config = *config;
    tk_list_init(&pg->queue);
    snprintf(pg->labels, sizeof(pg->labels), "database=\"%s\"", config->name);
    pg->up = (struct tk_metric)TK_GAUGE("database_connections", pg->labels, "Connections that are up and prepared");
    pg->unknown = (struct tk_metric)TK_COUNTER("database_unknown_total", pg->labels, "Operations whose outcome was lost");
    tk_metrics_register(&pg->up);
    tk_metrics_register(&pg->unknown);
    pg->conns = tk_alloc(config->connections * sizeof(*pg->conns));
    for (size_t i = 0; i < config->connections; i++) {
        struct conn *conn = &pg->conns[i];
        conn->pg = pg;
        conn->retry_ms = RETRY_FIRST_MS;
        tk_list_init(&conn->in_flight);
    }
    conn_start(&pg->conns[0]);
    return pg;
}

size_t tk_pg_connections_up(const struct tk_pg *pg)
{
    size_t up = 0;
    for (size_t i = 0; i < pg->config.connections; i++)
        up += pg->conns[i].state == CONN_UP;
    return up;
}

bool tk_pg_is_up(const struct tk_pg *pg)
{
    return tk_pg_connections_up(pg) > 0;
}

size_t tk_pg_pending(const struct tk_pg *pg)
{
    size_t pending = pg->queued;
    for (size_t i = 0; i < pg->config.connections; i++)
        pending += pg->conns[i].depth;
    return pending;
}

void tk_pg_close(struct tk_pg *pg)
{
    pg->closing = true;
    tk_timer_stop(pg->loop, &pg->overdue);
    for (size_t i = 0; i < pg->config.connections; i++) {
        struct conn *conn = &pg->conns[i];
        if (conn->pq)
            conn_drop(conn, "closing");
        conn_close(conn);
    }
    pg->queued = 0;
    fail_list(&pg->queue, TK_STEP_FAILED);
    /* The structure itself stays: its metrics are registered for the life of the process. */
}
