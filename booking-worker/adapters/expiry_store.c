/**
 * The expiry transaction: BEGIN → take overdue rows that nobody has locked → history and outbox rows → COMMIT.
 * Two workers share the work: each skips what the other has locked, and the compare-and-set on status decides.
 */
#include <stdlib.h>

#include "booking-worker/adapters/expiry_store.h"
#include "booking-worker/adapters/outbox_rows.h"
#include "shared/base/clock.h"
#include "shared/log/log.h"

#define TIMEOUT_MS 5000

static const struct tk_pg_statement expire_statement = {
    "worker_expire",
    "WITH due AS ("
    "  SELECT id, expiry_time FROM reservations"
    "  WHERE expiry_time >= coalesce((SELECT upto FROM sweep_watermarks WHERE name = 'expiry'), '-infinity')"
    "    AND expiry_time <= now() AND status = 'active'"
    "  ORDER BY expiry_time LIMIT $1::bigint FOR UPDATE SKIP LOCKED),"
    " gone AS ("
    "  UPDATE reservations r SET status = 'expired', revision = r.revision + 1, updated_at = now()"
    "  FROM due WHERE r.id = due.id AND r.status = 'active'"
    "  RETURNING r.id, r.revision, r.session_id, r.user_id, r.expiry_time) "
    "SELECT id, revision, session_id, user_id, (extract(epoch FROM clock_timestamp() - expiry_time) * 1000000)::bigint,"
    " (SELECT array_agg(i.session_seat_id ORDER BY i.item_no) FROM reservation_items i WHERE i.reservation_id = gone.id) "
    "FROM gone"};

static const struct tk_pg_statement history_statement = {
    "worker_expire_history",
    "INSERT INTO reservation_history (reservation_id, revision, from_status, to_status, actor, reason) "
    "SELECT id, revision, 'active', 'expired', 'worker', 'hold expired' "
    "FROM unnest($1::uuid[], $2::bigint[]) AS t (id, revision)"};

/* Losing this update in a crash only means looking again, so it does not wait for the disk. */
static const struct tk_pg_statement lazy_statement = {"worker_lazy_commit",
                                                      "SELECT set_config('synchronous_commit', 'off', true)"};

static const struct tk_pg_statement advance_statement = {
    "worker_expiry_advance",
    "INSERT INTO sweep_watermarks AS w (name, upto) "
    "SELECT 'expiry', coalesce(min(expiry_time), now()) FROM reservations "
    "WHERE expiry_time >= coalesce((SELECT upto FROM sweep_watermarks WHERE name = 'expiry'), '-infinity') "
    "  AND expiry_time <= now() "
    "  AND (status = 'active' OR (status = 'paying' AND expiry_time > now() - interval '5 minutes')) "
    "ON CONFLICT (name) DO UPDATE SET upto = excluded.upto WHERE w.upto < excluded.upto"};

static const struct tk_pg_statement next_statement = {
    "worker_expiry_next",
    "SELECT greatest(0, extract(epoch FROM expiry_time - clock_timestamp()) * 1000)::bigint FROM reservations "
    "WHERE expiry_time > now() AND expiry_time <= now() + $1::bigint * interval '1 millisecond' AND status = 'active' "
    "ORDER BY expiry_time LIMIT 1"};

static const struct tk_pg_statement *const statements[] = {
    &expire_statement, &history_statement, &lazy_statement, &advance_statement, &next_statement, &outbox_insert_statement};

struct expiry_store {
    struct tk_pgs *pg;
};

struct expiry_store *expiry_store_new(const char *database_url)
{
    /* The ranges are narrow, but a plan made while the table was empty would scan all of it for ever. */
    struct tk_pgs_config config = {.name = "worker-expiry",
                                   .url = database_url,
                                   .server_options = "-c enable_seqscan=off -c jit=off",
                                   .timeout_ms = TIMEOUT_MS,
                                   .statements = statements,
                                   .statement_count = sizeof(statements) / sizeof(statements[0])};
    struct expiry_store *store = tk_alloc(sizeof(*store));
    store->pg = tk_pgs_new(&config);
    return store;
}

void expiry_store_free(struct expiry_store *store)
{
    if (store == NULL)
        return;
    tk_pgs_free(store->pg);
    free(store);
}

/* --- the transaction ---------------------------------------------------------------------------------------------- */

static void read_expired(const PGresult *rows, struct tk_arena *arena, struct expired_holds *out)
{
    size_t count = (size_t)PQntuples(rows);
    out->items = tk_arena_alloc(arena, (count + 1) * sizeof(*out->items));
    out->late_us = tk_arena_alloc(arena, (count + 1) * sizeof(*out->late_us));
    out->count = count;
    for (size_t i = 0; i < count; i++) {
        int row = (int)i;
        struct tk_uuid *seats = tk_arena_alloc(arena, TK_MESSAGE_MAX_SEATS * sizeof(*seats));
        out->late_us[i] = tk_row_i64(rows, row, 4);
        out->items[i] = (struct tk_reservation_message){
            .event = TK_RESERVATION_EXPIRED,
            .reservation_id = tk_row_uuid(rows, row, 0),
            .revision = tk_row_i64(rows, row, 1),
            .session_id = tk_row_uuid(rows, row, 2),
            .user_id = tk_row_uuid(rows, row, 3),
            .seats = seats,
            .seat_count = tk_row_uuid_array(rows, row, 5, seats, TK_MESSAGE_MAX_SEATS),
        };
    }
}

static enum tk_step take_overdue(struct expiry_store *store, int64_t limit, struct tk_arena *arena,
                                 struct expired_holds *out)
{
    struct tk_pg_op op;
    tk_pg_op_init(&op);
    tk_params_i64(tk_pg_op_step(&op, &expire_statement), limit);
    enum tk_step step = tk_pgs_run(store->pg, &op);
    if (step == TK_STEP_OK)
        read_expired(op.outcome.rows[0], arena, out);
    else
        tk_log(TK_LOG_WARNING, "overdue holds cannot be expired", TK_KV_STR("result", tk_step_name(step)),
               TK_KV_STR("reason", op.outcome.message));
    tk_pgs_release(&op);
    return step;
}

static void add_history(struct tk_pg_op *op, const struct expired_holds *holds)
{
    struct tk_params *params = tk_pg_op_step(op, &history_statement);
    tk_params_array_begin(params, TK_OID_UUID);
    for (size_t i = 0; i < holds->count; i++)
        tk_params_array_uuid(params, &holds->items[i].reservation_id);
    tk_params_array_end(params);
    tk_params_array_begin(params, TK_OID_INT8);
    for (size_t i = 0; i < holds->count; i++)
        tk_params_array_i64(params, holds->items[i].revision);
    tk_params_array_end(params);
}

static enum tk_step write_consequences(struct expiry_store *store, const struct expired_holds *holds)
{
    struct tk_pg_op op;
    tk_pg_op_init(&op);
    add_history(&op, holds);
    outbox_rows_add(&op, &outbox_insert_statement, holds->items, holds->count);
    enum tk_step step = tk_pgs_run(store->pg, &op);
    if (step != TK_STEP_OK)
        tk_log(TK_LOG_WARNING, "expiry rolled back", TK_KV_STR("result", tk_step_name(step)),
               TK_KV_STR("reason", op.outcome.message));
    tk_pgs_release(&op);
    return step;
}

static enum tk_step finish_expiry(struct expiry_store *store, enum tk_step step, struct expired_holds *out)
{
    if (step == TK_STEP_OK && out->count > 0)
        step = write_consequences(store, out);
    if (step == TK_STEP_OK && out->count > 0)
        step = tk_pgs_commit(store->pg);
    else
        tk_pgs_rollback(store->pg);
    if (step != TK_STEP_OK)
        *out = (struct expired_holds){0};
    return step;
}

enum tk_step expiry_store_expire(struct expiry_store *store, int64_t limit, struct tk_arena *arena,
                                 struct expired_holds *out)
{
    *out = (struct expired_holds){0};
    if (tk_pgs_begin(store->pg) != TK_OK)
        return TK_STEP_FAILED;
    return finish_expiry(store, take_overdue(store, limit, arena, out), out);
}

/* --- watermark and next expiry ------------------------------------------------------------------------------------ */

enum tk_err expiry_store_advance(struct expiry_store *store)
{
    struct tk_pg_op op;
    tk_pg_op_init(&op);
    tk_pg_op_step(&op, &lazy_statement);
    tk_pg_op_step(&op, &advance_statement);
    enum tk_step step = tk_pgs_run(store->pg, &op);
    tk_pgs_release(&op);
    return step == TK_STEP_OK ? TK_OK : TK_ERR_UNAVAILABLE;
}

enum tk_err expiry_store_until_next(struct expiry_store *store, int64_t horizon_ms, int64_t *until_ms)
{
    struct tk_pg_op op;
    tk_pg_op_init(&op);
    tk_params_i64(tk_pg_op_step(&op, &next_statement), horizon_ms);
    enum tk_step step = tk_pgs_run(store->pg, &op);
    *until_ms = -1;
    if (step == TK_STEP_OK && PQntuples(op.outcome.rows[0]) > 0)
        *until_ms = tk_row_i64(op.outcome.rows[0], 0, 0);
    tk_pgs_release(&op);
    return step == TK_STEP_OK ? TK_OK : TK_ERR_UNAVAILABLE;
}
