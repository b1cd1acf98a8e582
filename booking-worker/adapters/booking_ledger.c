/**
 * Queries of the auditor on booking_db.
 */
#include <stdlib.h>

#include "booking-worker/adapters/booking_ledger.h"
#include "shared/log/log.h"

/* As in event_ledger.c. */
#define SEAT_DIGEST   "sum(uuid_hash_extended(session_seat_id, 0) >> 16 & 281474976710655)::bigint AS digest"
#define LIVE_STATUSES "('active', 'paying', 'confirmed')"

/* Tombstones have no items, and may have no history; history of yesterday may have been purged. */
static const struct tk_pg_statement declare_statement = {
    "booking_ledger",
    "DECLARE ledger NO SCROLL CURSOR FOR "
    "SELECT id, r.session_id, r.status::text, (extract(epoch FROM now() - r.expiry_time) * 1000000)::bigint,"
    " r.seats_count::bigint, r.total_minor, i.n, i.digest, i.total, t.n, t.digest, p.succeeded, p.amount, p.pending,"
    " (extract(epoch FROM now() - p.pending_since) * 1000000)::bigint, f.n,"
    " (extract(epoch FROM now() - f.due_since) * 1000000)::bigint,"
    " coalesce(r.seats_count > 0 AND h.to_status IS DISTINCT FROM r.status"
    "  AND (h.to_status IS NOT NULL OR r.updated_at > now() - interval '1 day'), false) "
    "FROM reservations r "
    "FULL JOIN (SELECT reservation_id AS id, count(*) AS n, " SEAT_DIGEST ", sum(final_minor)::bigint AS total"
    "  FROM reservation_items GROUP BY reservation_id) i USING (id) "
    "FULL JOIN (SELECT reservation_id AS id, count(*) AS n, " SEAT_DIGEST
    "  FROM tickets WHERE status <> 'refunded' GROUP BY reservation_id) t USING (id) "
    "FULL JOIN (SELECT reservation_id AS id, count(*) FILTER (WHERE status = 'succeeded') AS succeeded,"
    "  sum(amount_minor) FILTER (WHERE status = 'succeeded')::bigint AS amount,"
    "  count(*) FILTER (WHERE status = 'pending') AS pending,"
    "  min(created_at) FILTER (WHERE status = 'pending') AS pending_since"
    "  FROM payment_attempts GROUP BY reservation_id) p USING (id) "
    "LEFT JOIN (SELECT reservation_id AS id, count(*) AS n, min(created_at) FILTER (WHERE refunded_at IS NULL) AS due_since"
    "  FROM refunds GROUP BY reservation_id) f USING (id) "
    "LEFT JOIN reservation_history h ON h.reservation_id = r.id AND h.revision = r.revision "
    "ORDER BY id"};

static const struct tk_pg_statement booked_twice_statement = {
    "booking_twice", "(SELECT session_seat_id FROM reservation_items i"
                     " JOIN reservations r ON r.id = i.reservation_id AND r.status IN " LIVE_STATUSES
                     " GROUP BY session_seat_id HAVING count(*) > 1 LIMIT $1::bigint) "
                     "UNION "
                     "(SELECT session_seat_id FROM tickets WHERE status <> 'refunded'"
                     " GROUP BY session_seat_id HAVING count(*) > 1 LIMIT $1::bigint) "
                     "LIMIT $1::bigint"};

static const struct tk_pg_statement old_messages_statement = {
    "booking_old_messages", "SELECT id FROM outbox WHERE created_at < now() - $1::bigint * interval '1 second' "
                            "LIMIT $2::bigint"};

static const struct tk_pg_statement look_statement = {
    "booking_look",
    "SELECT id, session_id, status::text, (extract(epoch FROM now() - expiry_time) * 1000000)::bigint FROM reservations "
    "WHERE id = ANY($1::uuid[])"};

static const struct tk_pg_statement *const statements[] = {
    &ledger_fetch_statement, &declare_statement, &booked_twice_statement, &old_messages_statement, &look_statement};

struct booking_ledger {
    struct tk_pgs *pg;
    struct ledger_cursor cursor;
};

struct booking_ledger *booking_ledger_new(const char *name, const char *database_url, int64_t timeout_ms)
{
    struct booking_ledger *ledger = tk_alloc(sizeof(*ledger));
    ledger->pg =
        ledger_database_new(name, database_url, timeout_ms, statements, sizeof(statements) / sizeof(statements[0]));
    return ledger;
}

void booking_ledger_free(struct booking_ledger *ledger)
{
    if (ledger == NULL)
        return;
    tk_pgs_free(ledger->pg);
    free(ledger);
}

/* --- everything --------------------------------------------------------------------------------------------------- */

enum tk_err booking_ledger_open(struct booking_ledger *ledger)
{
    return ledger_cursor_open(&ledger->cursor, ledger->pg, &declare_statement);
}

void booking_ledger_close(struct booking_ledger *ledger)
{
    ledger_cursor_close(&ledger->cursor);
}

static enum tk_err read_reservation(const PGresult *rows, int row, struct ledger_booked *booked)
{
    booked->session_id = tk_row_uuid(rows, row, 1);
    booked->late_us = tk_row_i64(rows, row, 3);
    return ledger_status_parse(tk_row_text(rows, row, 2), &booked->status);
}

static enum tk_err read_entry(const PGresult *rows, int row, struct ledger_entry *entry)
{
    entry->reservation_id = tk_row_uuid(rows, row, 0);
    entry->booked = (struct ledger_booked){
        .seats_count = tk_row_i64(rows, row, 4),
        .total_minor = tk_row_i64(rows, row, 5),
        .items = {.count = tk_row_i64(rows, row, 6), .digest = tk_row_i64(rows, row, 7)},
        .items_minor = tk_row_i64(rows, row, 8),
        .tickets = {.count = tk_row_i64(rows, row, 9), .digest = tk_row_i64(rows, row, 10)},
        .payments = tk_row_i64(rows, row, 11),
        .paid_minor = tk_row_i64(rows, row, 12),
        .pending = tk_row_i64(rows, row, 13),
        .pending_age_us = tk_row_i64(rows, row, 14),
        .refunds = tk_row_i64(rows, row, 15),
        .refund_age_us = tk_row_i64(rows, row, 16),
        .history_differs = tk_row_bool(rows, row, 17),
    };
    return read_reservation(rows, row, &entry->booked);
}

enum tk_err booking_ledger_next(struct booking_ledger *ledger, struct ledger_entry *entry, bool *more)
{
    const PGresult *rows;
    int row;
    enum tk_err err = ledger_cursor_next(&ledger->cursor, &rows, &row);
    *more = !err && rows != NULL;
    return *more ? read_entry(rows, row, entry) : err;
}

/* Frees op. */
static enum tk_err run_ids(struct booking_ledger *ledger, struct tk_pg_op *op, struct tk_uuid *out, size_t *count)
{
    enum tk_step step = tk_pgs_run(ledger->pg, op);
    *count = 0;
    for (int row = 0; step == TK_STEP_OK && row < PQntuples(op->outcome.rows[0]); row++)
        out[(*count)++] = tk_row_uuid(op->outcome.rows[0], row, 0);
    tk_pgs_release(op);
    return step == TK_STEP_OK ? TK_OK : TK_ERR_UNAVAILABLE;
}

enum tk_err booking_ledger_booked_twice(struct booking_ledger *ledger, struct tk_uuid *out, size_t cap, size_t *count)
{
    struct tk_pg_op op;
    tk_pg_op_init(&op);
    tk_params_i64(tk_pg_op_step(&op, &booked_twice_statement), (int64_t)cap);
    return run_ids(ledger, &op, out, count);
}

enum tk_err booking_ledger_old_messages(struct booking_ledger *ledger, int64_t age_s, struct tk_uuid *out, size_t cap,
                                        size_t *count)
{
    struct tk_pg_op op;
    tk_pg_op_init(&op);
    struct tk_params *params = tk_pg_op_step(&op, &old_messages_statement);
    tk_params_i64(params, age_s);
    tk_params_i64(params, (int64_t)cap);
    return run_ids(ledger, &op, out, count);
}

/* --- slices ------------------------------------------------------------------------------------------------------- */

/* The entries, by id: rows come in the server's order. */
static struct tk_uuid_map index_of(struct ledger_entry *entries, size_t count)
{
    struct tk_uuid_map map = {0};
    for (size_t i = 0; i < count; i++)
        tk_uuid_map_put(&map, &entries[i].reservation_id, &entries[i]);
    return map;
}

static enum tk_err read_look(const PGresult *rows, struct ledger_entry *entries, size_t count)
{
    enum tk_err err = TK_OK;
    struct tk_uuid_map map = index_of(entries, count);
    for (int row = 0; !err && row < PQntuples(rows); row++) {
        struct tk_uuid id = tk_row_uuid(rows, row, 0);
        struct ledger_entry *entry = tk_uuid_map_get(&map, &id);
        if (entry != NULL)
            err = read_reservation(rows, row, &entry->booked);
    }
    tk_uuid_map_release(&map);
    return err;
}

enum tk_err booking_ledger_look(struct booking_ledger *ledger, struct ledger_entry *entries, size_t count)
{
    struct tk_pg_op op;
    tk_pg_op_init(&op);
    struct tk_params *params = tk_pg_op_step(&op, &look_statement);
    TK_ARRAY_PARAM(params, count, UUID, uuid, &entries[i].reservation_id);
    enum tk_step step = tk_pgs_run(ledger->pg, &op);
    enum tk_err err = step == TK_STEP_OK ? read_look(op.outcome.rows[0], entries, count) : TK_ERR_UNAVAILABLE;
    tk_pgs_release(&op);
    return err;
}
