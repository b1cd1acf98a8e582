/**
 * Postgres for threads that may block: the outbox relay, the message consumer, the worker's jobs. One thread owns one
 * connection. Prepared statements and binary formats as in pg.h; every wait has a deadline (poll on the socket, never an
 * unbounded PQgetResult), after which the connection is dropped and the outcome is UNKNOWN.
 */
#ifndef TK_PG_SYNC_H
#define TK_PG_SYNC_H

#include "shared/pg/pg.h"

struct tk_pgs;

struct tk_pgs_config {
    const char *name; /* application_name and log object */
    const char *url;
    int64_t timeout_ms;         /* per call, also set as statement_timeout */
    const char *server_options; /* further `-c name=value` words for the session, or NULL */
    const struct tk_pg_statement *const *statements;
    size_t statement_count;
};

/** Does not connect yet. Copies `config`. */
struct tk_pgs *tk_pgs_new(const struct tk_pgs_config *config);
void tk_pgs_free(struct tk_pgs *conn);

/** Connects and prepares if need be. TK_ERR_UNAVAILABLE when the server is away (returns within timeout_ms). */
TK_MUSTCHECK enum tk_err tk_pgs_connect(struct tk_pgs *conn);

/**
 * Runs op->steps as one transaction (connecting first if need be) and fills op->outcome; op->done is not called. Free the
 * outcome with tk_pgs_release(op) afterwards. The same results as tk_pg_submit() would deliver.
 */
enum tk_step tk_pgs_run(struct tk_pgs *conn, struct tk_pg_op *op);

/** Frees op's parameters and results. Harmless twice. */
void tk_pgs_release(struct tk_pg_op *op);

/**
 * An explicit transaction, for jobs that must look at rows before they write: begin, any number of tk_pgs_run(), commit or
 * rollback. A failed tk_pgs_run() inside it makes commit answer REFUSED. Connection loss makes commit answer UNKNOWN when
 * COMMIT had been sent, FAILED otherwise.
 */
TK_MUSTCHECK enum tk_err tk_pgs_begin(struct tk_pgs *conn);
enum tk_step tk_pgs_commit(struct tk_pgs *conn);
void tk_pgs_rollback(struct tk_pgs *conn);

#endif
