/**
 * Orphans: tombstone first, then the re-read that decides.
 *
 * Both statements travel under one Sync, yet each has its own snapshot (READ COMMITTED): a reservation inserted by
 * booking-svc at the same moment either loses against the tombstone, or makes it a no-op and is seen by the second
 * statement. A single statement could see neither.
 */
#include <stdlib.h>

#include "booking-worker/adapters/orphan_store.h"
#include "booking-worker/adapters/outbox_rows.h"
#include "shared/log/log.h"

#define TIMEOUT_MS 5000

static const struct tk_pg_statement entomb_statement = {
    "worker_entomb",
    "WITH put AS ("
    "  INSERT INTO reservations (id, session_id, status, expiry_time)"
    "  SELECT id, session_id, 'expired', expiry_time"
    "  FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS t (id, session_id, expiry_time) ORDER BY id"
    "  ON CONFLICT (id) DO NOTHING RETURNING id) "
    "INSERT INTO reservation_history (reservation_id, revision, to_status, actor, reason) "
    "SELECT id, 1, 'expired', 'worker', 'hold without a reservation' FROM put "
    "ON CONFLICT DO NOTHING RETURNING reservation_id"};

static const struct tk_pg_statement look_statement = {
    "worker_look", "SELECT r.id, r.status::text, r.expiry_time <= now(), r.revision, r.session_id, coalesce(r.user_id, "
                   "'00000000-0000-0000-0000-000000000000'),"
                   " CASE WHEN r.status = 'confirmed' THEN (SELECT array_agg(i.session_seat_id ORDER BY i.item_no)"
                   "  FROM reservation_items i WHERE i.reservation_id = r.id) END "
                   "FROM reservations r WHERE r.id = ANY($1::uuid[])"};

static const struct tk_pg_statement rewind_statement = {
    "worker_rewind", "UPDATE sweep_watermarks SET upto = least(upto, $1::timestamptz) WHERE name = 'expiry'"};

static const struct tk_pg_statement *const statements[] = {&entomb_statement, &look_statement, &rewind_statement,
                                                           &outbox_insert_if_idle_statement};

struct orphan_store {
    struct tk_pgs *pg;
};

struct orphan_store *orphan_store_new(const char *database_url)
{
    struct tk_pgs_config config = {.name = "worker-orphans",
                                   .url = database_url,
                                   .server_options = "-c enable_seqscan=off -c jit=off",
                                   .timeout_ms = TIMEOUT_MS,
                                   .statements = statements,
                                   .statement_count = sizeof(statements) / sizeof(statements[0])};
    struct orphan_store *store = tk_alloc(sizeof(*store));
    store->pg = tk_pgs_new(&config);
    return store;
}

void orphan_store_free(struct orphan_store *store)
{
    if (store == NULL)
        return;
    tk_pgs_free(store->pg);
    free(store);
}

static void add_reservation_ids(struct tk_params *params, const struct overdue_hold *holds, size_t count)
{
    TK_ARRAY_PARAM(params, count, UUID, uuid, &holds[i].reservation_id);
}

static void add_entomb(struct tk_pg_op *op, const struct overdue_hold *holds, size_t count)
{
    struct tk_params *params = tk_pg_op_step(op, &entomb_statement);
    add_reservation_ids(params, holds, count);
    TK_ARRAY_PARAM(params, count, UUID, uuid, &holds[i].session_id);
    TK_ARRAY_PARAM(params, count, TIMESTAMPTZ, time, holds[i].reserved_until_us);
}

static struct tk_reservation_message read_confirmed(const PGresult *rows, int row, struct tk_arena *arena)
{
    struct tk_uuid *seats = tk_arena_alloc(arena, TK_MESSAGE_MAX_SEATS * sizeof(*seats));
    return (struct tk_reservation_message){
        .event = TK_RESERVATION_CONFIRMED,
        .reservation_id = tk_row_uuid(rows, row, 0),
        .revision = tk_row_i64(rows, row, 3),
        .session_id = tk_row_uuid(rows, row, 4),
        .user_id = tk_row_uuid(rows, row, 5),
        .seats = seats,
        .seat_count = tk_row_uuid_array(rows, row, 6, seats, TK_MESSAGE_MAX_SEATS),
    };
}

static struct orphan_fate *fate_of(const struct tk_uuid *id, const struct overdue_hold *holds, size_t count,
                                   struct orphan_fate *fates)
{
    for (size_t i = 0; i < count; i++)
        if (tk_uuid_eq(&holds[i].reservation_id, id))
            return &fates[i];
    return NULL;
}

static void read_fates(const PGresult *rows, const struct overdue_hold *holds, size_t count, struct tk_arena *arena,
                       struct orphan_fate *fates)
{
    for (int row = 0; row < PQntuples(rows); row++) {
        struct tk_uuid id = tk_row_uuid(rows, row, 0);
        struct orphan_fate *fate = fate_of(&id, holds, count, fates);
        if (fate == NULL)
            continue;
        struct tk_slice status = tk_row_text(rows, row, 1);
        fate->status = tk_slice_copy(arena, status);
        fate->overdue = tk_row_bool(rows, row, 2);
        if (tk_slice_eq_str(status, "confirmed"))
            fate->confirmed = read_confirmed(rows, row, arena);
    }
}

static void read_entombed(const PGresult *rows, const struct overdue_hold *holds, size_t count, struct orphan_fate *fates)
{
    for (int row = 0; row < PQntuples(rows); row++) {
        struct tk_uuid id = tk_row_uuid(rows, row, 0);
        struct orphan_fate *fate = fate_of(&id, holds, count, fates);
        if (fate != NULL)
            fate->entombed = true;
    }
}

enum tk_step orphan_store_look(struct orphan_store *store, const struct overdue_hold *holds, size_t count,
                               struct tk_arena *arena, struct orphan_fate *fates)
{
    struct tk_pg_op op;
    for (size_t i = 0; i < count; i++)
        fates[i] = (struct orphan_fate){0};
    tk_pg_op_init(&op);
    add_entomb(&op, holds, count);
    add_reservation_ids(tk_pg_op_step(&op, &look_statement), holds, count);
    enum tk_step step = tk_pgs_run(store->pg, &op);
    if (step == TK_STEP_OK) {
        read_entombed(op.outcome.rows[0], holds, count, fates);
        read_fates(op.outcome.rows[1], holds, count, arena, fates);
    } else {
        tk_log(TK_LOG_WARNING, "orphans cannot be looked up", TK_KV_STR("result", tk_step_name(step)),
               TK_KV_STR("reason", op.outcome.message));
    }
    tk_pgs_release(&op);
    return step;
}

enum tk_step orphan_store_reemit(struct orphan_store *store, struct tk_reservation_message *messages, size_t count,
                                 size_t *written)
{
    struct tk_pg_op op;
    int64_t rows = 0;
    tk_pg_op_init(&op);
    outbox_rows_add(&op, &outbox_insert_if_idle_statement, messages, count);
    enum tk_step step = tk_pgs_run(store->pg, &op);
    if (step == TK_STEP_OK && tk_parse_i64(tk_slice_of(PQcmdTuples(op.outcome.rows[0])), &rows) != TK_OK)
        rows = 0;
    *written = (size_t)rows;
    tk_pgs_release(&op);
    return step;
}

enum tk_step orphan_store_rewind(struct orphan_store *store, int64_t expiry_us)
{
    struct tk_pg_op op;
    tk_pg_op_init(&op);
    tk_params_time(tk_pg_op_step(&op, &rewind_statement), expiry_us);
    enum tk_step step = tk_pgs_run(store->pg, &op);
    tk_pgs_release(&op);
    return step;
}
