/**
 * Postgres on the service's event loop: libpq in non-blocking pipeline mode, prepared statements, binary both ways.
 *
 * An operation (tk_pg_op) is one to six statements followed by one Sync: one implicit transaction, one commit. Statements
 * of different operations never share a Sync, since they would fail together. Operations are pipelined: the next is sent
 * before the first has answered, up to a depth per connection; beyond that they wait in a bounded queue.
 *
 * What can go wrong, and what the caller sees:
 *   - no connection, or the deadline passed before sending      → FAILED: certainly not applied
 *   - the server answered with an error (constraint, timeout)   → REFUSED: rolled back; `sqlstate` says why
 *   - sent, then the connection broke or the deadline passed    → UNKNOWN: may be committed. The connection is dropped (not
 *     PQcancel: the answer would still be lost) and every operation in flight on it is UNKNOWN too.
 * A broken connection is re-established in the background, with back-off from 50 ms to 2 s.
 */
#ifndef TK_PG_PG_H
#define TK_PG_PG_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/list.h"
#include "shared/base/result.h"
#include "shared/loop/loop.h"
#include "shared/pg/params.h"
#include "shared/pg/rows.h" /* IWYU pragma: export */

#define TK_PG_MAX_STEPS 6

/** A statement, prepared on every connection as it comes up. Static; `name` is unique per database. */
struct tk_pg_statement {
    const char *name;
    const char *sql;
};

/**
 * `server_options` for a pool whose every statement looks rows up by key. Generic plans are made once, perhaps on tables
 * that are still empty, and would scan them for ever after: a new database then reserves 80 seats a second until
 * autoanalyze comes round, with these options 8,700 (measured). High tuple costs make the planner prefer the most selective
 * index.
 */
#define TK_PG_KEY_LOOKUPS                                                                                                  \
    "-c enable_seqscan=off -c enable_bitmapscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c cpu_tuple_cost=1 "   \
    "-c random_page_cost=1.1"

struct tk_pg_config {
    const char *name; /* for logs, metrics and application_name */
    const char *url;  /* libpq URI or keyword string */
    size_t connections;
    size_t max_depth;             /* operations in flight per connection */
    size_t max_queued;            /* operations waiting for a connection */
    int64_t statement_timeout_ms; /* set on the server, so that an abandoned statement ends by itself */
    const char *server_options;   /* further `-c name=value` words for the sessions, or NULL */
    const struct tk_pg_statement *const *statements;
    size_t statement_count;
};

struct tk_pg;
struct tk_pg_op;

struct tk_pg_outcome {
    enum tk_step step;
    const char *sqlstate;            /* five characters when REFUSED, else "" */
    const char *message;             /* the server's words, for the log only, never for a client */
    const char *constraint;          /* violated constraint's name, "" when none */
    PGresult *rows[TK_PG_MAX_STEPS]; /* when OK: one per step; freed after `done` returns */
};

typedef void tk_pg_done_fn(struct tk_pg_op *op, const struct tk_pg_outcome *outcome);

/** Sees the rows of all steps before anything is committed; may add one more step, which then ends the transaction. */
typedef void tk_pg_more_fn(struct tk_pg_op *op, const struct tk_pg_outcome *so_far);

struct tk_pg_query {
    const struct tk_pg_statement *statement;
    struct tk_params params;
};

/** Caller-owned; must live until `done` is entered, which may free it. Fill steps, deadline_us, done, more, arg. */
struct tk_pg_op {
    struct tk_link link;
    struct tk_pg_query steps[TK_PG_MAX_STEPS];
    size_t step_count;
    int64_t deadline_us; /* monotonic */
    tk_pg_done_fn *done;
    tk_pg_more_fn *more; /* NULL, or called once all steps have answered, not after an error; costs the connection a wait */
    void *arg;
    struct tk_pg_outcome outcome; /* this and the following: the module's */
    size_t steps_answered;
    PGresult *error;
};

/** Starts connecting; never fails here. Copies `config`; the statements are the caller's, static. */
struct tk_pg *tk_pg_open(struct tk_loop *loop, const struct tk_pg_config *config);

/** True when at least one connection is up and prepared. */
bool tk_pg_is_up(const struct tk_pg *pg);
size_t tk_pg_connections_up(const struct tk_pg *pg);

/** Operations queued or in flight; 0 means drained. */
size_t tk_pg_pending(const struct tk_pg *pg);

/** Drops the connections; everything pending ends FAILED or UNKNOWN now. For shutdown, after draining. */
void tk_pg_close(struct tk_pg *pg);

/** Prepares `op` for filling: zeroed, parameters initialised. */
void tk_pg_op_init(struct tk_pg_op *op);

/** Adds a step and returns its parameters, to be filled before submit. */
struct tk_params *tk_pg_op_step(struct tk_pg_op *op, const struct tk_pg_statement *statement);

/** Frees the parameters; harmless twice. Submitting does it: this is for those who never submit. */
void tk_pg_op_release(struct tk_pg_op *op);

/**
 * Sends `op`, at the latest when a connection has room. `done` runs exactly once, later, never inside this call; the
 * parameters are released, whatever is answered.
 * TK_ERR_LIMIT: max_queued reached. TK_ERR_UNAVAILABLE: no connection is up. Either way nothing happened and `done` will
 * not run.
 */
TK_MUSTCHECK enum tk_err tk_pg_submit(struct tk_pg *pg, struct tk_pg_op *op);

/* --- blocking, for start-up and tools ----------------------------------------------------------------------------- */

struct tk_migration {
    int version; /* ascending */
    const char *name;
    struct tk_slice (*sql)(void);
};

/**
 * Applies what is missing, each migration in its own transaction, under an advisory lock so that several instances may
 * start at once. Keeps its record in table schema_migrations(version, name, applied_at). Logs what it does.
 * TK_ERR_UNAVAILABLE: no connection within 10 s. TK_ERR_INVALID: a migration failed (rolled back), or the database is newer
 * than this program.
 */
TK_MUSTCHECK enum tk_err tk_pg_migrate(const char *url, const struct tk_migration *migrations, size_t count);

/** Runs one statement for a person at a terminal. TK_ERR_INVALID (logged): refused; TK_ERR_UNAVAILABLE: no connection. */
TK_MUSTCHECK enum tk_err tk_pg_execute(const char *url, const char *sql);

/** TK_OK when the database is exactly at `version`; TK_ERR_CONFLICT otherwise; TK_ERR_UNAVAILABLE when it is away. */
TK_MUSTCHECK enum tk_err tk_pg_check_version(const char *url, int version);

#endif
