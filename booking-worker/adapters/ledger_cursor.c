/**
 * Snapshot and cursor.
 */
#include "booking-worker/adapters/ledger_cursor.h"
#include "shared/log/log.h"

#define PAGE "2000" /* rows; a few hundred kilobytes */

const struct tk_pg_statement ledger_fetch_statement = {"ledger_fetch", "FETCH " PAGE " FROM ledger"};

static enum tk_err run(struct ledger_cursor *cursor, const struct tk_pg_statement *statement)
{
    tk_pgs_release(&cursor->page);
    tk_pg_op_init(&cursor->page);
    tk_pg_op_step(&cursor->page, statement);
    cursor->row = 0;
    enum tk_step step = tk_pgs_run(cursor->pg, &cursor->page);
    if (step == TK_STEP_OK)
        return TK_OK;
    tk_log(TK_LOG_ERROR, "the database cannot be read through", TK_KV_STR("statement", statement->name),
           TK_KV_STR("result", tk_step_name(step)), TK_KV_STR("reason", cursor->page.outcome.message));
    return TK_ERR_UNAVAILABLE;
}

enum tk_err ledger_cursor_open(struct ledger_cursor *cursor, struct tk_pgs *pg, const struct tk_pg_statement *declare)
{
    *cursor = (struct ledger_cursor){.pg = pg};
    tk_pg_op_init(&cursor->page);
    enum tk_err err = tk_pgs_begin(pg);
    if (err) {
        cursor->pg = NULL;
        return err; /* logged */
    }
    return run(cursor, declare);
}

enum tk_err ledger_cursor_next(struct ledger_cursor *cursor, const PGresult **rows, int *row)
{
    const PGresult *page = cursor->page.outcome.rows[0];
    *rows = NULL;
    if (cursor->row >= PQntuples(page)) {
        enum tk_err err = run(cursor, &ledger_fetch_statement);
        if (err)
            return err;
        page = cursor->page.outcome.rows[0];
    }
    if (cursor->row < PQntuples(page)) {
        *rows = page;
        *row = cursor->row++;
    }
    return TK_OK;
}

void ledger_cursor_close(struct ledger_cursor *cursor)
{
    tk_pgs_release(&cursor->page);
    if (cursor->pg != NULL)
        tk_pgs_rollback(cursor->pg);
    cursor->pg = NULL;
}
