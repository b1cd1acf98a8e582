/**
 * Stuck payments and purges.
 *
 * The search for stuck payments reads payment attempts from a persisted watermark on, by the block-range index on
 * created_at; the reservation's own status says whether one is stuck. The watermark waits for those, but not longer than a
 * few minutes, or the range would grow with every sale: what is stuck for longer comes to light when its hold is overdue,
 * by the orphan sweep.
 */
#include <stdlib.h>

#include "booking-worker/adapters/upkeep_store.h"

#define TIMEOUT_MS 5000

/* The attempts first, few as they are; planned the other way round it would walk through all reservations. */
#define STUCK_ATTEMPTS                                                                                                     \
    "WITH pending AS MATERIALIZED ("                                                                                       \
    "  SELECT reservation_id, created_at FROM payment_attempts"                                                            \
    "  WHERE created_at >= coalesce((SELECT upto FROM sweep_watermarks WHERE name = 'payments'),"                          \
    "                               now() - interval '1 hour')"                                                            \
    "    AND created_at <= now() - $1::bigint * interval '1 second' AND status = 'pending'),"                              \
    " stuck AS (SELECT p.reservation_id, p.created_at FROM pending p,"                                                     \
    "  LATERAL (SELECT FROM reservations r WHERE r.id = p.reservation_id AND r.status = 'paying' OFFSET 0) paying) "

static const struct tk_pg_statement stuck_statement = {"worker_stuck_payments", STUCK_ATTEMPTS
                                                       "SELECT reservation_id FROM stuck UNION "
                                                       "SELECT reservation_id FROM refunds WHERE refunded_at IS NULL "
                                                       "AND created_at <= now() - $1::bigint * interval '1 second' "
                                                       "LIMIT $2::bigint"};

/* Losing this update in a crash only means looking again, so it does not wait for the disk. */
static const struct tk_pg_statement lazy_statement = {"worker_lazy_commit",
                                                      "SELECT set_config('synchronous_commit', 'off', true)"};

static const struct tk_pg_statement advance_statement = {
    "worker_payments_advance",
    STUCK_ATTEMPTS "INSERT INTO sweep_watermarks AS w (name, upto) "
                   "SELECT 'payments', coalesce(min(created_at), now() - $1::bigint * interval '1 second') FROM stuck "
                   "WHERE created_at > now() - $1::bigint * interval '1 second' - interval '5 minutes' "
                   "ON CONFLICT (name) DO UPDATE SET upto = excluded.upto WHERE w.upto < excluded.upto"};

static const struct tk_pg_statement purge_keys_statement = {
    "worker_purge_keys", "DELETE FROM idempotency_keys k USING (SELECT user_id, key FROM idempotency_keys "
                         "WHERE created_at < now() - interval '24 hours' LIMIT $1::bigint FOR UPDATE SKIP LOCKED) old "
                         "WHERE k.user_id = old.user_id AND k.key = old.key"};

/* Of reservations that are over and have not changed since. History rows never move, so their place is a name. */
static const struct tk_pg_statement purge_history_statement = {
    "worker_purge_history",
    "DELETE FROM reservation_history t USING ("
    " SELECT o.ctid AS place FROM reservation_history o WHERE o.at < now() - $1::bigint * interval '1 day'"
    " AND NOT EXISTS (SELECT FROM reservations r WHERE r.id = o.reservation_id AND (r.status IN ('active', 'paying')"
    "  OR r.updated_at >= now() - $1::bigint * interval '1 day'))"
    " LIMIT $2::bigint FOR UPDATE OF o SKIP LOCKED) old WHERE t.ctid = old.place"};

static const struct tk_pg_statement *const statements[] = {&stuck_statement, &lazy_statement, &advance_statement,
                                                           &purge_keys_statement, &purge_history_statement};

struct upkeep_store {
    struct tk_pgs *pg;
};

struct upkeep_store *upkeep_store_new(const char *name, const char *database_url)
{
    struct tk_pgs_config config = {.name = name,
                                   .url = database_url,
                                   .server_options = "-c enable_seqscan=off -c jit=off",
                                   .timeout_ms = TIMEOUT_MS,
                                   .statements = statements,
                                   .statement_count = sizeof(statements) / sizeof(statements[0])};
    struct upkeep_store *store = tk_alloc(sizeof(*store));
    store->pg = tk_pgs_new(&config);
    return store;
}

void upkeep_store_free(struct upkeep_store *store)
{
    if (store == NULL)
        return;
    tk_pgs_free(store->pg);
    free(store);
}

enum tk_err upkeep_store_stuck_payments(struct upkeep_store *store, int64_t older_than_s,
                                        struct tk_uuid out[STUCK_PAYMENTS_MAX], size_t *count)
{
    struct tk_pg_op op;
    tk_pg_op_init(&op);
    tk_pg_op_step(&op, &lazy_statement);
    struct tk_params *params = tk_pg_op_step(&op, &stuck_statement);
    tk_params_i64(params, older_than_s);
    tk_params_i64(params, STUCK_PAYMENTS_MAX);
    tk_params_i64(tk_pg_op_step(&op, &advance_statement), older_than_s);
    enum tk_step step = tk_pgs_run(store->pg, &op);
    *count = 0;
    for (int row = 0; step == TK_STEP_OK && row < PQntuples(op.outcome.rows[1]); row++)
        out[(*count)++] = tk_row_uuid(op.outcome.rows[1], row, 0);
    tk_pgs_release(&op);
    return step == TK_STEP_OK ? TK_OK : TK_ERR_UNAVAILABLE;
}

static enum tk_err run_purge(struct upkeep_store *store, struct tk_pg_op *op, int64_t *deleted)
{
    enum tk_step step = tk_pgs_run(store->pg, op);
    *deleted = 0;
    if (step == TK_STEP_OK && tk_parse_i64(tk_slice_of(PQcmdTuples(op->outcome.rows[0])), deleted) != TK_OK)
        *deleted = 0;
    tk_pgs_release(op);
    return step == TK_STEP_OK ? TK_OK : TK_ERR_UNAVAILABLE;
}

enum tk_err upkeep_store_purge_keys(struct upkeep_store *store, int64_t limit, int64_t *deleted)
{
    struct tk_pg_op op;
    tk_pg_op_init(&op);
    tk_params_i64(tk_pg_op_step(&op, &purge_keys_statement), limit);
    return run_purge(store, &op, deleted);
}

enum tk_err upkeep_store_purge_history(struct upkeep_store *store, int64_t days, int64_t limit, int64_t *deleted)
{
    struct tk_pg_op op;
    tk_pg_op_init(&op);
    struct tk_params *params = tk_pg_op_step(&op, &purge_history_statement);
    tk_params_i64(params, days);
    tk_params_i64(params, limit);
    return run_purge(store, &op, deleted);
}
