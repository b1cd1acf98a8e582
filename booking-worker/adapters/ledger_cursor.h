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

/**
 * A connection for such looks: read only, one snapshot per transaction, sorts in 64 MB and beyond that on disk. Never
 * fails; connects when first used. `timeout_ms` for each statement; `statements` stay valid. Free with tk_pgs_free().
 */
struct tk_pgs *ledger_database_new(const char *name, const char *database_url, int64_t timeout_ms,
                                   const struct tk_pg_statement *const *statements, size_t count);

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
