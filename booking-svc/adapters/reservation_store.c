/* Plain reads of reservations, and the tombstone. */
#include "booking-svc/adapters/reservation_store.h"

#include <stdlib.h>
#include <string.h>

#include "booking-svc/adapters/statements.h"

const struct tk_pg_statement sql_read_one = {
    "read_one",
    "SELECT " RESERVATION_COLUMNS " FROM reservations r"
    " WHERE r.id = $1::uuid AND ($2::uuid IS NULL OR r.user_id = $2::uuid)",
};

/* The transaction that confirmed wrote one now() into both rows. */
const struct tk_pg_statement sql_read_confirmed = {
    "read_confirmed",
    "SELECT " RESERVATION_COLUMNS " FROM (SELECT r.id, r.user_id, r.session_id, h.to_status AS status, h.revision,"
    " r.booking_time, r.expiry_time, r.seats_count, r.total_minor, r.currency, r.created_at, h.at AS updated_at"
    " FROM reservations r JOIN reservation_history h ON h.reservation_id = r.id AND h.to_status = 'confirmed'"
    " WHERE r.id = $1::uuid AND r.user_id = $2::uuid ORDER BY h.revision LIMIT 1) r",
};

const struct tk_pg_statement sql_read_items = {
    "read_items",
    "SELECT " RESERVATION_ITEM_COLUMNS " FROM reservation_items i WHERE i.reservation_id = $1::uuid ORDER BY i.item_no",
};

#define LIST_PAGE                                                                                                          \
    "SELECT * FROM reservations WHERE user_id = $1::uuid AND ($2::uuid IS NULL OR id < $2::uuid)"                          \
    " ORDER BY id DESC LIMIT $3::bigint"

const struct tk_pg_statement sql_list_page = {
    "list_page",
    "SELECT " RESERVATION_COLUMNS " FROM (" LIST_PAGE ") r ORDER BY r.id DESC",
};

const struct tk_pg_statement sql_list_items = {
    "list_items",
    "SELECT r.id, " RESERVATION_ITEM_COLUMNS " FROM (" LIST_PAGE ") r JOIN reservation_items i ON i.reservation_id = r.id"
    " ORDER BY r.id DESC, i.item_no",
};

const struct tk_pg_statement sql_fence_insert = {
    "fence_insert",
    "WITH tombstone AS ("
    " INSERT INTO reservations (id, session_id, status, expiry_time) VALUES ($1::uuid, $2::uuid, 'expired', now())"
    " ON CONFLICT (id) DO NOTHING RETURNING id"
    ") INSERT INTO reservation_history (reservation_id, revision, to_status, actor, reason, request_id)"
    " SELECT id, 1, 'expired', 'system', 'tombstone before release', $3::text FROM tombstone",
};

const struct tk_pg_statement sql_fence_reread = {
    "fence_reread",
    "SELECT r.status IN ('expired', 'cancelled') FROM reservations r WHERE r.id = $1::uuid",
};

/** What every read carries; freed when its callback has returned. */
struct read_op {
    struct tk_pg_op op;
    struct tk_arena *arena;
    int64_t limit;
    void *arg;
    union {
        reservation_read_done *read;
        reservation_list_done *list;
        reservation_fence_done *fence;
    } done;
};

static struct read_op *read_op_new(struct tk_arena *arena, int64_t deadline_us, tk_pg_done_fn *done, void *arg)
{
    struct read_op *read = tk_alloc(sizeof(*read));
    tk_pg_op_init(&read->op);
    read->op.deadline_us = deadline_us;
    read->op.done = done;
    read->op.arg = read;
    read->arena = arena;
    read->arg = arg;
    return read;
}

static enum tk_err read_op_submit(struct tk_pg *pg, struct read_op *read)
{
    const enum tk_err err = tk_pg_submit(pg, &read->op);
    if (err)
        free(read);
    return err;
}

/* --- one ----------------------------------------------------------------------------------------------------------- */

static void on_read(struct tk_pg_op *op, const struct tk_pg_outcome *outcome)
{
    struct read_op *read = op->arg;
    struct reservation *r = NULL;
    if (outcome->step == TK_STEP_OK && PQntuples(outcome->rows[0]) > 0) {
        r = tk_arena_alloc(read->arena, sizeof(*r));
        reservation_from_row(outcome->rows[0], 0, 0, read->arena, r);
        for (int row = 0; row < PQntuples(outcome->rows[1]); row++)
            reservation_add_item(r, outcome->rows[1], row, 0, read->arena);
    }
    reservation_read_done *done = read->done.read;
    void *arg = read->arg;
    free(read);
    done(arg, outcome->step, r);
}

static enum tk_err read_by(const struct tk_pg_statement *statement, struct tk_pg *pg, const struct tk_uuid *id,
                           const struct tk_uuid *user, int64_t deadline_us, struct tk_arena *arena,
                           reservation_read_done *done, void *arg)
{
    struct read_op *read = read_op_new(arena, deadline_us, on_read, arg);
    read->done.read = done;
    struct tk_params *p = tk_pg_op_step(&read->op, statement);
    tk_params_uuid(p, id);
    tk_params_uuid(p, user);
    tk_params_uuid(tk_pg_op_step(&read->op, &sql_read_items), id);
    return read_op_submit(pg, read);
}

enum tk_err reservation_store_read(struct tk_pg *pg, const struct tk_uuid *id, const struct tk_uuid *user,
                                   int64_t deadline_us, struct tk_arena *arena, reservation_read_done *done, void *arg)
{
    return read_by(&sql_read_one, pg, id, user, deadline_us, arena, done, arg);
}

enum tk_err reservation_store_read_confirmed(struct tk_pg *pg, const struct tk_uuid *id, const struct tk_uuid *user,
                                             int64_t deadline_us, struct tk_arena *arena, reservation_read_done *done,
                                             void *arg)
{
    return read_by(&sql_read_confirmed, pg, id, user, deadline_us, arena, done, arg);
}

/* --- list ---------------------------------------------------------------------------------------------------------- */

/**
 * Both results are in descending id order. The second statement may see a newer reservation that the first did not, and one
 * beyond the page: their items have nowhere to go.
 */
static void attach_items(struct reservation *list, size_t count, const PGresult *rows, struct tk_arena *arena)
{
    size_t at = 0;
    for (int row = 0; row < PQntuples(rows); row++) {
        const struct tk_uuid id = tk_row_uuid(rows, row, 0);
        while (at < count && tk_uuid_cmp(&list[at].id, &id) > 0)
            at++;
        if (at < count && tk_uuid_eq(&list[at].id, &id))
            reservation_add_item(&list[at], rows, row, 1, arena);
    }
}

static void on_list(struct tk_pg_op *op, const struct tk_pg_outcome *outcome)
{
    struct read_op *read = op->arg;
    struct reservation *list = NULL;
    size_t count = 0;
    bool more = false;
    if (outcome->step == TK_STEP_OK) {
        const size_t found = (size_t)PQntuples(outcome->rows[0]);
        more = found > (size_t)read->limit;
        count = more ? (size_t)read->limit : found;
        list = tk_arena_alloc(read->arena, (count + 1) * sizeof(*list));
        for (size_t i = 0; i < count; i++)
            reservation_from_row(outcome->rows[0], (int)i, 0, read->arena, &list[i]);
        attach_items(list, count, outcome->rows[1], read->arena);
    }
    reservation_list_done *done = read->done.list;
    void *arg = read->arg;
    free(read);
    done(arg, outcome->step, list, count, more);
}

static void fill_page(struct tk_params *p, const struct tk_uuid *user, const struct tk_uuid *before, int64_t rows)
{
    tk_params_uuid(p, user);
    tk_params_uuid(p, tk_uuid_is_nil(before) ? NULL : before);
    tk_params_i64(p, rows);
}

enum tk_err reservation_store_list(struct tk_pg *pg, const struct tk_uuid *user, const struct tk_uuid *before,
                                   int64_t limit, int64_t deadline_us, struct tk_arena *arena, reservation_list_done *done,
                                   void *arg)
{
    struct read_op *read = read_op_new(arena, deadline_us, on_list, arg);
    read->done.list = done;
    read->limit = limit;
    fill_page(tk_pg_op_step(&read->op, &sql_list_page), user, before, limit + 1);
    fill_page(tk_pg_op_step(&read->op, &sql_list_items), user, before, limit);
    return read_op_submit(pg, read);
}

/* --- tombstone ----------------------------------------------------------------------------------------------------- */

static void on_fence(struct tk_pg_op *op, const struct tk_pg_outcome *outcome)
{
    struct read_op *read = op->arg;
    enum tk_step step = outcome->step;
    if (step == TK_STEP_OK && !(PQntuples(outcome->rows[1]) == 1 && tk_row_bool(outcome->rows[1], 0, 0)))
        step = TK_STEP_REFUSED;
    reservation_fence_done *done = read->done.fence;
    void *arg = read->arg;
    free(read);
    done(arg, step);
}

enum tk_err reservation_store_fence(struct tk_pg *pg, const struct tk_uuid *id, const struct tk_uuid *session_id,
                                    const char *request_id, int64_t deadline_us, reservation_fence_done *done, void *arg)
{
    struct read_op *read = read_op_new(NULL, deadline_us, on_fence, arg);
    read->done.fence = done;
    struct tk_params *p = tk_pg_op_step(&read->op, &sql_fence_insert);
    tk_params_uuid(p, id);
    tk_params_uuid(p, session_id);
    tk_params_text(p, tk_slice_of(request_id));
    tk_params_uuid(tk_pg_op_step(&read->op, &sql_fence_reread), id);
    return read_op_submit(pg, read);
}
