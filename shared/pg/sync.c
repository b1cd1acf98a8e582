/**
 * Blocking Postgres on top of libpq's pipeline mode.
 *
 * Happy path of one call: connect if need be → send every step and one Sync → flush → read until the Sync's answer. All
 * waiting happens in wait_socket(), which polls against a deadline, so no server state can hold the thread: a server that
 * is stopped, a cut cable and a slow statement all end as UNKNOWN with the connection dropped.
 *
 * An idle connection may have died unnoticed (server restart). It is probed with a zero poll before anything is sent, since
 * "failed, nothing was sent" is a far better answer than "unknown".
 *
 * Server-side limits are set per connection: statement_timeout, and idle_in_transaction_session_timeout so that a process
 * which is paused inside an explicit transaction does not keep its row locks for ever.
 */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/clock.h"
#include "shared/log/log.h"
#include "shared/pg/sync.h"

enum tx_state {
    TX_STATE_NONE,
    TX_STATE_OPEN,
    TX_STATE_LOST, /* the connection broke inside a transaction: nothing may run until commit or rollback */
};

struct tk_pgs {
    struct tk_pgs_config config;
    PGconn *pg; /* NULL when not connected */
    enum tx_state tx;
    bool down_logged; /* one warning per outage, not one per attempt */
};

struct tk_pgs *tk_pgs_new(const struct tk_pgs_config *config)
{
    struct tk_pgs *conn = tk_alloc(sizeof(*conn));
    conn->config = *config;
    assert(config->timeout_ms > 0);
    return conn;
}

static void drop(struct tk_pgs *conn)
{
    if (conn->pg != NULL)
        PQfinish(conn->pg);
    conn->pg = NULL;
    if (conn->tx == TX_STATE_OPEN)
        conn->tx = TX_STATE_LOST;
}

void tk_pgs_free(struct tk_pgs *conn)
{
    if (conn == NULL)
        return;
    drop(conn);
    free(conn);
}

static int64_t deadline_from_now(const struct tk_pgs *conn)
{
    return tk_mono_us() + conn->config.timeout_ms * TK_US_PER_MS;
}

/* True when the socket became ready for `events` before `deadline_us`. */
static bool wait_socket(PGconn *pg, short events, int64_t deadline_us)
{
    for (;;) {
        struct pollfd pfd = {.fd = PQsocket(pg), .events = events};
        int64_t left_ms = (deadline_us - tk_mono_us() + TK_US_PER_MS - 1) / TK_US_PER_MS;
        if (pfd.fd < 0 || left_ms <= 0)
            return false;
        int ready = poll(&pfd, 1, (int)(left_ms > 60000 ? 60000 : left_ms));
        if (ready > 0)
            return true;
        if (ready < 0 && errno != EINTR)
            return false;
    }
}

/* libpq would print these to stderr, past our log. */
static void on_notice(void *arg, const PGresult *notice)
{
    const struct tk_pgs *conn = arg;
    tk_log(TK_LOG_DEBUG, "postgres says", TK_KV_STR("connection", conn->config.name),
           TK_KV_STR("notice", PQresultErrorMessage(notice)));
}

/* --- connecting --------------------------------------------------------------------------------------------------- */

static bool finish_connecting(PGconn *pg, int64_t deadline_us)
{
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;
    while (state != PGRES_POLLING_OK) {
        if (state == PGRES_POLLING_FAILED || PQstatus(pg) == CONNECTION_BAD)
            return false;
        if (!wait_socket(pg, state == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline_us))
            return false;
        state = PQconnectPoll(pg);
    }
    return true;
}

/* Waits for the next result of the pipeline; NULL separates statements. False: deadline or lost connection. */
static bool next_result(PGconn *pg, int64_t deadline_us, PGresult **out)
{
    for (;;) {
        int flushed = PQflush(pg);
        if (flushed < 0)
            return false;
        if (flushed == 0 && !PQisBusy(pg))
            break;
        if (!wait_socket(pg, flushed == 1 ? POLLIN | POLLOUT : POLLIN, deadline_us) || !PQconsumeInput(pg))
            return false;
    }
    *out = PQgetResult(pg);
    return *out != NULL || PQstatus(pg) == CONNECTION_OK;
}

/* Reads and drops results up to and including the Sync's. False when a statement failed or the connection is lost. */
static bool drain_to_sync(const struct tk_pgs *conn, int64_t deadline_us)
{
    bool ok = true;
    for (;;) {
        PGresult *result;
        if (!next_result(conn->pg, deadline_us, &result))
            return false;
        if (result == NULL)
            continue;
        ExecStatusType status = PQresultStatus(result);
        bool done = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_PIPELINE_SYNC;
        if (!done && ok)
            tk_log(conn->down_logged ? TK_LOG_DEBUG : TK_LOG_WARNING, "statement cannot be prepared",
                   TK_KV_STR("connection", conn->config.name), TK_KV_STR("reason", PQresultErrorMessage(result)));
        ok = ok && done;
        PQclear(result);
        if (status == PGRES_PIPELINE_SYNC)
            return ok;
    }
}

static bool prepare_all(struct tk_pgs *conn, int64_t deadline_us)
{
    PGconn *pg = conn->pg;
    char limit[32];
    snprintf(limit, sizeof(limit), "%lld", (long long)conn->config.timeout_ms);
    const char *const values[] = {limit};
    if (PQsetnonblocking(pg, 1) != 0 || !PQenterPipelineMode(pg) ||
        !PQsendQueryParams(pg,
                           "SELECT set_config('statement_timeout', $1, false), "
                           "set_config('idle_in_transaction_session_timeout', $1, false)",
                           1, NULL, values, NULL, NULL, 0))
        return false;
    for (size_t i = 0; i < conn->config.statement_count; i++) {
        const struct tk_pg_statement *statement = conn->config.statements[i];
        if (!PQsendPrepare(pg, statement->name, statement->sql, 0, NULL))
            return false;
    }
    return PQpipelineSync(pg) && drain_to_sync(conn, deadline_us);
}

static PGconn *start_connecting(const struct tk_pgs_config *config)
{
    char user_timeout[32];
    snprintf(user_timeout, sizeof(user_timeout), "%lld", (long long)config->timeout_ms);
    const char *const keys[] = {"dbname",           "fallback_application_name", "options",
                                "tcp_user_timeout", "client_encoding",           NULL};
    /* libpq ignores keys whose value is NULL */
    const char *const values[] = {config->url, config->name, config->server_options, user_timeout, "UTF8", NULL};
    return PQconnectStartParams(keys, values, 1);
}

static void log_down(struct tk_pgs *conn)
{
    enum tk_log_level level = conn->down_logged ? TK_LOG_DEBUG : TK_LOG_WARNING;
    tk_log(level, "postgres is away", TK_KV_STR("connection", conn->config.name),
           TK_KV_STR("reason", conn->pg != NULL ? PQerrorMessage(conn->pg) : "out of memory"));
    conn->down_logged = true;
}

enum tk_err tk_pgs_connect(struct tk_pgs *conn)
{
    int64_t deadline_us = deadline_from_now(conn);
    if (conn->pg != NULL)
        return TK_OK;
    conn->pg = start_connecting(&conn->config);
    if (conn->pg != NULL)
        PQsetNoticeReceiver(conn->pg, on_notice, conn);
    if (conn->pg == NULL || !finish_connecting(conn->pg, deadline_us) || !prepare_all(conn, deadline_us)) {
        log_down(conn);
        drop(conn);
        return TK_ERR_UNAVAILABLE;
    }
    if (conn->down_logged)
        tk_log(TK_LOG_INFO, "postgres is back", TK_KV_STR("connection", conn->config.name));
    conn->down_logged = false;
    return TK_OK;
}

/*
 * An idle connection with something to read got a notice, or is being closed. A server that ends a session says why first
 * and closes then, so one look is not enough.
 */
static void drop_if_dead(struct tk_pgs *conn)
{
    for (int look = 0; conn->pg != NULL && look < 4; look++) {
        struct pollfd pfd = {.fd = PQsocket(conn->pg), .events = POLLIN};
        if (poll(&pfd, 1, 0) == 0)
            return;
        if (!PQconsumeInput(conn->pg) || PQstatus(conn->pg) != CONNECTION_OK)
            drop(conn);
    }
}

static enum tk_err ensure_connected(struct tk_pgs *conn)
{
    drop_if_dead(conn);
    if (conn->tx != TX_STATE_NONE) /* a new connection would not be inside the transaction */
        return conn->pg != NULL ? TK_OK : TK_ERR_UNAVAILABLE;
    return tk_pgs_connect(conn);
}

/* --- running ------------------------------------------------------------------------------------------------------ */

static bool send_step(PGconn *pg, const struct tk_pg_query *query)
{
    const char *values[TK_PARAMS_MAX];
    int lengths[TK_PARAMS_MAX];
    int formats[TK_PARAMS_MAX];
    const struct tk_params *params = &query->params;
    assert(!params->data.overflow);
    for (int i = 0; i < params->count; i++) {
        bool is_null = params->items[i].len < 0;
        values[i] = is_null ? NULL : params->data.ptr + params->items[i].offset;
        lengths[i] = is_null ? 0 : params->items[i].len;
        formats[i] = 1;
        if (!is_null && lengths[i] == 0)
            values[i] = ""; /* a zero-length value, not NULL: the buffer may be unallocated */
    }
    return PQsendQueryPrepared(pg, query->statement->name, params->count, values, lengths, formats, 1) == 1;
}

static bool send_steps(PGconn *pg, const struct tk_pg_op *op)
{
    for (size_t i = 0; i < op->step_count; i++)
        if (!send_step(pg, &op->steps[i]))
            return false;
    return PQpipelineSync(pg) == 1;
}

static const char *field_or_empty(const PGresult *result, int field)
{
    const char *text = PQresultErrorField(result, field);
    return text != NULL ? text : "";
}

static void keep_result(struct tk_pg_op *op, PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    bool failed = status == PGRES_FATAL_ERROR || status == PGRES_PIPELINE_ABORTED;
    if (failed && op->outcome.step == TK_STEP_OK) {
        op->outcome.step = TK_STEP_REFUSED;
        op->outcome.sqlstate = field_or_empty(result, PG_DIAG_SQLSTATE);
        op->outcome.message = field_or_empty(result, PG_DIAG_MESSAGE_PRIMARY);
        op->outcome.constraint = field_or_empty(result, PG_DIAG_CONSTRAINT_NAME);
    }
    if (op->steps_answered < op->step_count)
        op->outcome.rows[op->steps_answered++] = result; /* errors too: the texts above live in it */
    else
        PQclear(result);
}

/* Reads every step's answer and the Sync's. False: deadline passed or connection lost. */
static bool collect(PGconn *pg, struct tk_pg_op *op, int64_t deadline_us)
{
    for (;;) {
        PGresult *result;
        if (!next_result(pg, deadline_us, &result))
            return false;
        if (result == NULL)
            continue;
        if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
            PQclear(result);
            return op->steps_answered == op->step_count;
        }
        keep_result(op, result);
    }
}

static void clear_rows(struct tk_pg_op *op)
{
    for (size_t i = 0; i < TK_PG_MAX_STEPS; i++) {
        PQclear(op->outcome.rows[i]);
        op->outcome.rows[i] = NULL;
    }
    op->steps_answered = 0;
}

static enum tk_step fail(struct tk_pgs *conn, struct tk_pg_op *op, enum tk_step step)
{
    clear_rows(op);
    op->outcome = (struct tk_pg_outcome){.step = step, .sqlstate = "", .message = "", .constraint = ""};
    if (step == TK_STEP_UNKNOWN)
        tk_log(TK_LOG_WARNING, "postgres gave no answer", TK_KV_STR("connection", conn->config.name),
               TK_KV_STR("statement", op->steps[0].statement->name));
    return step;
}

enum tk_step tk_pgs_run(struct tk_pgs *conn, struct tk_pg_op *op)
{
    assert(op->step_count > 0);
    clear_rows(op);
    op->outcome = (struct tk_pg_outcome){.step = TK_STEP_OK, .sqlstate = "", .message = "", .constraint = ""};
    if (op->deadline_us != 0 && op->deadline_us <= tk_mono_us())
        return fail(conn, op, TK_STEP_FAILED);
    if (ensure_connected(conn) != TK_OK)
        return fail(conn, op, TK_STEP_FAILED);
    int64_t deadline_us = deadline_from_now(conn);
    if (op->deadline_us != 0 && op->deadline_us < deadline_us)
        deadline_us = op->deadline_us;
    if (!send_steps(conn->pg, op) || !collect(conn->pg, op, deadline_us)) {
        drop(conn);
        return fail(conn, op, TK_STEP_UNKNOWN);
    }
    return op->outcome.step;
}

void tk_pgs_release(struct tk_pg_op *op)
{
    clear_rows(op);
    tk_pg_op_release(op);
}

/* --- explicit transactions ---------------------------------------------------------------------------------------- */

/* Runs a command without parameters; `tag` receives what the server says it did. */
static enum tk_step run_command(struct tk_pgs *conn, const char *sql, char *tag, size_t tag_size)
{
    PGconn *pg = conn->pg;
    int64_t deadline_us = deadline_from_now(conn);
    enum tk_step step = TK_STEP_OK;
    tag[0] = '\0';
    bool alive = PQsendQueryParams(pg, sql, 0, NULL, NULL, NULL, NULL, 0) && PQpipelineSync(pg);
    for (bool synced = false; alive && !synced;) {
        PGresult *result;
        alive = next_result(pg, deadline_us, &result);
        if (!alive || result == NULL)
            continue;
        ExecStatusType status = PQresultStatus(result);
        synced = status == PGRES_PIPELINE_SYNC;
        if (status == PGRES_COMMAND_OK)
            snprintf(tag, tag_size, "%s", PQcmdStatus(result));
        else if (!synced)
            step = TK_STEP_REFUSED;
        PQclear(result);
    }
    if (alive)
        return step;
    drop(conn);
    return TK_STEP_UNKNOWN;
}

enum tk_err tk_pgs_begin(struct tk_pgs *conn)
{
    char tag[32];
    assert(conn->tx == TX_STATE_NONE);
    if (ensure_connected(conn) != TK_OK)
        return TK_ERR_UNAVAILABLE;
    if (run_command(conn, "BEGIN", tag, sizeof(tag)) != TK_STEP_OK) {
        drop(conn);
        return TK_ERR_UNAVAILABLE;
    }
    conn->tx = TX_STATE_OPEN;
    return TK_OK;
}

enum tk_step tk_pgs_commit(struct tk_pgs *conn)
{
    char tag[32];
    assert(conn->tx != TX_STATE_NONE);
    bool lost = ensure_connected(conn) != TK_OK;
    conn->tx = TX_STATE_NONE;
    if (lost)
        return TK_STEP_FAILED;
    enum tk_step step = run_command(conn, "COMMIT", tag, sizeof(tag));
    if (step == TK_STEP_OK && strcmp(tag, "COMMIT") != 0)
        return TK_STEP_REFUSED; /* a failed statement inside turned it into ROLLBACK */
    return step;
}

void tk_pgs_rollback(struct tk_pgs *conn)
{
    char tag[32];
    conn->tx = TX_STATE_NONE;
    if (conn->pg != NULL && run_command(conn, "ROLLBACK", tag, sizeof(tag)) == TK_STEP_REFUSED)
        drop(conn);
}
