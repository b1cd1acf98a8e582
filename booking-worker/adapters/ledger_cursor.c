/**
 * Snapshot and cursor.
 */
#include "booking-worker/adapters/ledger_cursor.h"
#include "shared/log/log.h"

#define PAGE "2000" /* rows; a few hundred kilobytes */

#define SERVER_OPTIONS                                                                                                     \
    "-c default_transaction_isolation=repeatable\\ read -c default_transaction_read_only=on -c jit=off -c work_mem=64MB "  \
    "-c max_parallel_workers_per_gather=0 -c cursor_tuple_fraction=1"

const struct tk_pg_statement ledger_fetch_statement = {"ledger_fetch", "FETCH " PAGE " FROM ledger"};

struct tk_pgs *ledger_database_new(const char *name, const char *database_url, int64_t timeout_ms,
                                   const struct tk_pg_statement *const *statements, size_t count)
{
    const struct tk_pgs_config config = {.name = name,
                                         .url = database_url,
                                         .server_options = SERVER_OPTIONS,
                                         .timeout_ms = timeout_ms,
                                         .statements = statements,
                                         .statement_count = count};
    return tk_pgs_new(&config);
}

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
