/**
 * A look at a whole database as it was at one moment, in bounded memory: a read-only transaction with one snapshot, and a
 * server-side cursor in it. The server sorts, on its disk if need be; a page of rows at a time is here.
 *
 * One connection, one thread. Everything else that is asked meanwhile over the same connection sees the same moment.
 */
#ifndef BOOKING_WORKER_ADAPTERS_LEDGER_CURSOR_H
#define BOOKING_WORKER_ADAPTERS_LEDGER_CURSOR_H

#include <stdbool.h>

#include "shared/pg/sync.h"

/** For tk_pgs_config.server_options: read only, one snapshot per transaction, sorts in 64 MB and beyond that on disk. */
#define LEDGER_SERVER_OPTIONS                                                                                              \
    "-c default_transaction_isolation=repeatable\\ read -c default_transaction_read_only=on -c jit=off -c work_mem=64MB "  \
    "-c max_parallel_workers_per_gather=0 -c cursor_tuple_fraction=1"

/** Goes into the connection's statements, with one `DECLARE ledger NO SCROLL CURSOR FOR …`. */
extern const struct tk_pg_statement ledger_fetch_statement;

struct ledger_cursor {
    struct tk_pgs *pg;
    struct tk_pg_op page;
    int row; /* the next one of the page */
};

/** Begins the transaction and declares the cursor, which sets the moment; nothing is read yet. Logs why it cannot. */
TK_MUSTCHECK enum tk_err ledger_cursor_open(struct ledger_cursor *cursor, struct tk_pgs *pg,
                                            const struct tk_pg_statement *declare);

/** The next row, until the next call; *rows is NULL after the last one. */
TK_MUSTCHECK enum tk_err ledger_cursor_next(struct ledger_cursor *cursor, const PGresult **rows, int *row);

/** Ends the transaction. Harmless on a cursor that could not be opened. */
void ledger_cursor_close(struct ledger_cursor *cursor);

#endif
