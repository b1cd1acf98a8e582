/* Reading reservation_history. */
#include "booking-svc/adapters/history_store.h"

#include <assert.h>
#include <stdlib.h>

#include "booking-svc/adapters/statements.h"

const struct tk_pg_statement sql_history_owner = {
    "history_owner",
    "SELECT (SELECT array_agg(i.session_seat_id ORDER BY i.item_no) FROM reservation_items i WHERE i.reservation_id = r.id)"
    " FROM reservations r WHERE r.id = $1::uuid AND r.user_id = $2::uuid",
};

const struct tk_pg_statement sql_history_page = {
    "history_page",
    "SELECT revision, from_status, to_status, actor, reason, request_id, at FROM reservation_history"
    " WHERE reservation_id = $1::uuid AND revision > $2::bigint ORDER BY revision LIMIT $3::bigint",
};

struct history_op {
    struct tk_pg_op op;
    struct tk_arena *arena;
    int64_t limit;
    history_read_done *done;
    void *arg;
};

static enum reservation_status status_of(const PGresult *rows, int row, int column)
{
    enum reservation_status status = RESERVATION_ACTIVE;
    const enum tk_err err = reservation_status_parse(tk_row_text(rows, row, column), &status);
    assert(err == TK_OK); /* the enum type allows nothing else */
    (void)err;
    return status;
}

static void read_entry(const PGresult *rows, int row, struct tk_arena *arena, struct history_entry *out)
{
    out->revision = tk_row_i64(rows, row, 0);
    out->is_first = tk_row_is_null(rows, row, 1);
    if (!out->is_first)
        out->from_status = status_of(rows, row, 1);
    out->to_status = status_of(rows, row, 2);
    out->actor = row_text_copy(rows, row, 3, arena);
    out->reason = row_text_copy(rows, row, 4, arena);
    out->request_id = row_text_copy(rows, row, 5, arena);
    out->at_us = tk_row_time(rows, row, 6);
}

static void read_page(const struct history_op *history, const struct tk_pg_outcome *outcome, struct history_page *page)
{
    const PGresult *owner = outcome->rows[0];
    const PGresult *rows = outcome->rows[1];
    page->found = PQntuples(owner) == 1;
    if (!page->found)
        return;
    if (!tk_row_is_null(owner, 0, 0))
        page->seat_count = tk_row_uuid_array(owner, 0, 0, page->seats, TK_MESSAGE_MAX_SEATS);
    const size_t found = (size_t)PQntuples(rows);
    page->more = found > (size_t)history->limit;
    page->count = page->more ? (size_t)history->limit : found;
    page->entries = tk_arena_alloc(history->arena, (page->count + 1) * sizeof(*page->entries));
    for (size_t i = 0; i < page->count; i++)
        read_entry(rows, (int)i, history->arena, &page->entries[i]);
}

static void on_read(struct tk_pg_op *op, const struct tk_pg_outcome *outcome)
{
    struct history_op *history = op->arg;
    struct history_page *page = tk_arena_alloc(history->arena, sizeof(*page));
    if (outcome->step == TK_STEP_OK)
        read_page(history, outcome, page);
    history_read_done *done = history->done;
    void *arg = history->arg;
    free(history);
    done(arg, outcome->step, page);
}

enum tk_err history_store_read(struct tk_pg *pg, const struct tk_uuid *id, const struct tk_uuid *user,
                               int64_t after_revision, int64_t limit, int64_t deadline_us, struct tk_arena *arena,
                               history_read_done *done, void *arg)
{
    struct history_op *history = tk_alloc(sizeof(*history));
    tk_pg_op_init(&history->op);
    *history = (struct history_op){.op = history->op, .arena = arena, .limit = limit, .done = done, .arg = arg};
    history->op.deadline_us = deadline_us;
    history->op.done = on_read;
    history->op.arg = history;
    struct tk_params *p = tk_pg_op_step(&history->op, &sql_history_owner);
    tk_params_uuid(p, id);
    tk_params_uuid(p, user);
    p = tk_pg_op_step(&history->op, &sql_history_page);
    tk_params_uuid(p, id);
    tk_params_i64(p, after_revision);
    tk_params_i64(p, limit + 1);
    const enum tk_err err = tk_pg_submit(pg, &history->op);
    if (err)
        free(history);
    return err;
}
