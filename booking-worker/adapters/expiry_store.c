/**
 * The expiry transaction: BEGIN → expire those of some ids that nobody has locked → history and outbox rows → COMMIT.
 * Two workers share the work: each skips what the other has locked, and the compare-and-set on status decides.
 */
#include <stdlib.h>

#include "booking-worker/adapters/expiry_store.h"
#include "booking-worker/adapters/outbox_rows.h"
#include "shared/base/clock.h"
#include "shared/json/writer.h" /* TK_TIME_NONE */
#include "shared/log/log.h"

#define TIMEOUT_MS    5000
#define SCAN_ROWS     20000 /* about 20 ms of index walk */
#define SCAN_ROWS_MAX (1 << 20)
#define SCAN_US       TK_US_PER_S             /* how long a forward scan goes on */
#define BACKLOG_HOLDS (1 << 17)               /* waiting for their turn: about 12 MB */
#define AGAIN_US      (15 * 60 * TK_US_PER_S) /* how far back the second walk goes */

/* The undecided rows, and a last row that says where the walk ended. */
static const struct tk_pg_statement scan_statement = {
    "worker_expiry_scan",
    "WITH seen AS MATERIALIZED ("
    "  SELECT id, session_id, expiry_time, status FROM reservations"
    "  WHERE expiry_time >= coalesce($2::timestamptz, (SELECT upto FROM sweep_watermarks WHERE name = 'expiry'),"
    "                                 '-infinity')"
    "    AND expiry_time <= now() ORDER BY expiry_time LIMIT $1::bigint) "
    "SELECT id, session_id, NULL::bigint, NULL::timestamptz, NULL::bool FROM seen WHERE status IN ('active', 'paying') "
    "UNION ALL "
    "SELECT NULL, NULL, count(*), CASE WHEN count(*) < $1::bigint THEN now() ELSE max(expiry_time) END,"
    " min(expiry_time) = max(expiry_time) FROM seen"};

static const struct tk_pg_statement expire_statement = {
    "worker_expire",
    "WITH due AS ("
    "  SELECT id FROM reservations WHERE id = ANY($1::uuid[]) AND status = 'active' AND expiry_time <= now()"
    "  FOR UPDATE SKIP LOCKED),"
    " gone AS ("
    "  UPDATE reservations r SET status = 'expired', revision = r.revision + 1, updated_at = now()"
    "  FROM due WHERE r.id = due.id AND r.status = 'active'"
    "  RETURNING r.id, r.revision, r.session_id, r.user_id, r.expiry_time) "
    "SELECT id, revision, session_id, user_id, (extract(epoch FROM clock_timestamp() - expiry_time) * 1000000)::bigint,"
    " (SELECT array_agg(i.session_seat_id ORDER BY i.item_no) FROM reservation_items i WHERE i.reservation_id = gone.id) "
    "FROM gone"};

static const struct tk_pg_statement undecided_statement = {
    "worker_undecided", "SELECT id FROM reservations WHERE id = ANY($1::uuid[]) AND status IN ('active', 'paying')"};

static const struct tk_pg_statement history_statement = {
    "worker_expire_history",
    "INSERT INTO reservation_history (reservation_id, revision, from_status, to_status, actor, reason, request_id) "
    "SELECT id, revision, 'active', 'expired', 'worker', 'hold expired', $3::text "
    "FROM unnest($1::uuid[], $2::bigint[]) AS t (id, revision)"};

/* Losing this update in a crash only means looking again, so it does not wait for the disk. */
static const struct tk_pg_statement lazy_statement = {"worker_lazy_commit",
                                                      "SELECT set_config('synchronous_commit', 'off', true)"};

static const struct tk_pg_statement advance_statement = {
    "worker_expiry_advance", "INSERT INTO sweep_watermarks AS w (name, upto) VALUES ('expiry', $1::timestamptz) "
                             "ON CONFLICT (name) DO UPDATE SET upto = excluded.upto WHERE w.upto < excluded.upto"};

static const struct tk_pg_statement next_statement = {
    "worker_expiry_next",
    "SELECT greatest(0, extract(epoch FROM expiry_time - clock_timestamp()) * 1000)::bigint FROM reservations "
    "WHERE expiry_time > now() AND expiry_time <= now() + $1::bigint * interval '1 millisecond' AND status = 'active' "
    "ORDER BY expiry_time LIMIT 1"};

static const struct tk_pg_statement *const statements[] = {
    &scan_statement, &expire_statement,  &undecided_statement, &history_statement,
    &lazy_statement, &advance_statement, &next_statement,      &outbox_insert_statement,
};

struct expiry_store {
    struct tk_pgs *pg;
    struct backlog backlog;
    enum expiry_walk walk; /* the last scan's */
    struct {
        int64_t from_us; /* where the next scan begins; TK_TIME_NONE: at the watermark */
        int64_t rows;    /* bound of its next piece */
        int64_t end_us;  /* where the last one ended */
        bool full;       /* it ended at its bound */
    } walks[2];
};

struct expiry_store *expiry_store_new(const char *database_url)
{
    /* Only walks along an index, in its order: a plan made while the tables were empty must not say otherwise later. */
    struct tk_pgs_config config = {.name = "worker-expiry",
                                   .url = database_url,
                                   .server_options =
                                       "-c enable_seqscan=off -c enable_bitmapscan=off -c enable_sort=off -c jit=off",
                                   .timeout_ms = TIMEOUT_MS,
                                   .statements = statements,
                                   .statement_count = sizeof(statements) / sizeof(statements[0])};
    struct expiry_store *store = tk_alloc(sizeof(*store));
    store->pg = tk_pgs_new(&config);
    for (int walk = 0; walk < 2; walk++) {
        store->walks[walk].from_us = TK_TIME_NONE;
        store->walks[walk].rows = SCAN_ROWS;
    }
    return store;
}

void expiry_store_free(struct expiry_store *store)
{
    if (store == NULL)
        return;
    tk_pgs_free(store->pg);
    backlog_release(&store->backlog);
    free(store);
}

struct backlog *expiry_store_backlog(struct expiry_store *store)
{
    return &store->backlog;
}

/* --- the walks ---------------------------------------------------------------------------------------------------- */

static void read_piece(struct expiry_store *store, enum expiry_walk walk, const PGresult *rows, bool *more)
{
    int summary = PQntuples(rows) - 1; /* UNION ALL keeps the order of its parts */
    bool one_moment = tk_row_bool(rows, summary, 4);
    for (int row = 0; row < summary; row++) {
        struct backlog_hold hold = {.reservation_id = tk_row_uuid(rows, row, 0), .session_id = tk_row_uuid(rows, row, 1)};
        backlog_add(&store->backlog, &hold);
    }
    bool full = tk_row_i64(rows, summary, 2) >= store->walks[walk].rows;
    *more = full && (walk == EXPIRY_WALK_FORWARD || summary > 0);
    store->walks[walk].full = full;
    store->walks[walk].end_us = tk_row_time(rows, summary, 3);
    if (walk == EXPIRY_WALK_FORWARD)
        store->walks[walk].from_us = store->walks[walk].end_us;
    /* So many holds with one and the same deadline that a walk does not get past it: take longer ones. */
    bool longer = full && one_moment && store->walks[walk].rows < SCAN_ROWS_MAX;
    store->walks[walk].rows = longer ? store->walks[walk].rows * 2 : SCAN_ROWS;
}

static enum tk_err scan_piece(struct expiry_store *store, enum expiry_walk walk, bool *more)
{
    struct tk_pg_op op;
    tk_pg_op_init(&op);
    struct tk_params *params = tk_pg_op_step(&op, &scan_statement);
    tk_params_i64(params, store->walks[walk].rows);
    tk_params_time(params, store->walks[walk].from_us);
    enum tk_step step = tk_pgs_run(store->pg, &op);
    *more = false;
    if (step == TK_STEP_OK)
        read_piece(store, walk, op.outcome.rows[0], more);
    tk_pgs_release(&op);
    return step == TK_STEP_OK ? TK_OK : TK_ERR_UNAVAILABLE;
}

enum tk_err expiry_store_scan(struct expiry_store *store, enum expiry_walk walk, bool *more)
{
    int64_t until_us = tk_mono_us() + SCAN_US;
    enum tk_err err = TK_OK;
    *more = true;
    while (!err && *more && backlog_untried(&store->backlog) < BACKLOG_HOLDS && tk_mono_us() < until_us) {
        err = scan_piece(store, walk, more);
        if (walk == EXPIRY_WALK_AGAIN)
            break;
    }
    store->walk = walk;
    backlog_retry(&store->backlog); /* whatever stayed undecided gets another try, too */
    return err;
}

/* --- the transaction ---------------------------------------------------------------------------------------------- */

static void add_ids(struct tk_params *params, const struct backlog_hold *holds, size_t count)
{
    TK_ARRAY_PARAM(params, count, UUID, uuid, &holds[i].reservation_id);
}

/* What the trails on both sides show as the request: nobody asked, so each batch has an id of its own. */
static struct tk_slice batch_id(struct tk_arena *arena)
{
    const struct tk_uuid id = tk_uuid_v7();
    return tk_slice_of(tk_arena_printf(arena, "expiry-%s", TK_UUID_TEXT(&id)));
}

static void read_expired(const PGresult *rows, struct tk_arena *arena, struct expired_holds *out)
{
    size_t count = (size_t)PQntuples(rows);
    const struct tk_slice batch = batch_id(arena);
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
            .request_id = batch,
            .session_id = tk_row_uuid(rows, row, 2),
            .user_id = tk_row_uuid(rows, row, 3),
            .seats = seats,
            .seat_count = tk_row_uuid_array(rows, row, 5, seats, TK_MESSAGE_MAX_SEATS),
        };
    }
}

static struct tk_uuid *read_ids(const PGresult *rows, struct tk_arena *arena)
{
    size_t count = (size_t)PQntuples(rows);
    struct tk_uuid *ids = tk_arena_alloc(arena, (count + 1) * sizeof(*ids));
    for (size_t i = 0; i < count; i++)
        ids[i] = tk_row_uuid(rows, (int)i, 0);
    return ids;
}

struct attempt {
    const struct backlog_hold *holds;
    size_t count;
    struct tk_uuid *kept; /* still undecided afterwards */
    size_t kept_count;
};

static enum tk_step take_overdue(struct expiry_store *store, struct attempt *attempt, struct tk_arena *arena,
                                 struct expired_holds *out)
{
    struct tk_pg_op op;
    tk_pg_op_init(&op);
    add_ids(tk_pg_op_step(&op, &expire_statement), attempt->holds, attempt->count);
    add_ids(tk_pg_op_step(&op, &undecided_statement), attempt->holds, attempt->count);
    enum tk_step step = tk_pgs_run(store->pg, &op);
    if (step == TK_STEP_OK) {
        read_expired(op.outcome.rows[0], arena, out);
        attempt->kept = read_ids(op.outcome.rows[1], arena);
        attempt->kept_count = (size_t)PQntuples(op.outcome.rows[1]);
    } else {
        tk_log(TK_LOG_WARNING, "overdue holds cannot be expired", TK_KV_STR("result", tk_step_name(step)),
               TK_KV_STR("reason", op.outcome.message));
    }
    tk_pgs_release(&op);
    return step;
}

static void add_history(struct tk_pg_op *op, const struct expired_holds *holds)
{
    struct tk_params *params = tk_pg_op_step(op, &history_statement);
    TK_ARRAY_PARAM(params, holds->count, UUID, uuid, &holds->items[i].reservation_id);
    TK_ARRAY_PARAM(params, holds->count, INT8, i64, holds->items[i].revision);
    tk_params_text(params, holds->items[0].request_id);
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

static enum tk_step expire_in_transaction(struct expiry_store *store, struct attempt *attempt, struct tk_arena *arena,
                                          struct expired_holds *out)
{
    if (tk_pgs_begin(store->pg) != TK_OK)
        return TK_STEP_FAILED;
    enum tk_step step = take_overdue(store, attempt, arena, out);
    if (step == TK_STEP_OK && out->count > 0)
        step = write_consequences(store, out);
    if (step == TK_STEP_OK && out->count > 0)
        return tk_pgs_commit(store->pg);
    tk_pgs_rollback(store->pg);
    return step;
}

enum tk_step expiry_store_expire(struct expiry_store *store, int64_t limit, struct tk_arena *arena,
                                 struct expired_holds *out)
{
    size_t untried = backlog_untried(&store->backlog);
    struct attempt attempt = {.holds = backlog_next(&store->backlog),
                              .count = untried < (size_t)limit ? untried : (size_t)limit};
    *out = (struct expired_holds){0};
    enum tk_step step = expire_in_transaction(store, &attempt, arena, out);
    if (step == TK_STEP_OK)
        backlog_settle(&store->backlog, attempt.count, attempt.kept, attempt.kept_count);
    else
        *out = (struct expired_holds){0};
    return step;
}

/* --- watermark and next expiry ------------------------------------------------------------------------------------ */

static enum tk_err move_watermark(struct expiry_store *store)
{
    struct tk_pg_op op;
    tk_pg_op_init(&op);
    tk_pg_op_step(&op, &lazy_statement);
    tk_params_time(tk_pg_op_step(&op, &advance_statement), store->walks[EXPIRY_WALK_FORWARD].end_us);
    enum tk_step step = tk_pgs_run(store->pg, &op);
    tk_pgs_release(&op);
    return step == TK_STEP_OK ? TK_OK : TK_ERR_UNAVAILABLE;
}

enum tk_err expiry_store_advance(struct expiry_store *store)
{
    int64_t end_us = store->walks[store->walk].end_us;
    if (store->walk == EXPIRY_WALK_AGAIN) { /* round and round */
        store->walks[EXPIRY_WALK_AGAIN].from_us = store->walks[EXPIRY_WALK_AGAIN].full ? end_us : end_us - AGAIN_US;
        return TK_OK;
    }
    enum tk_err err = move_watermark(store);
    if (!err)
        store->walks[EXPIRY_WALK_FORWARD].from_us = TK_TIME_NONE;
    return err;
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
