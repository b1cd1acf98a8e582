/**
 * Queries of the auditor on event_service. Both kinds answer with the same columns.
 */
#include <stdlib.h>

#include "booking-worker/adapters/event_ledger.h"
#include "shared/log/log.h"

/* A seat's hash is positive, and small enough for the sum over a reservation. The function is as old as hash indexes. */
#define HOLD_COLUMNS                                                                                                       \
    "h.state::text, (extract(epoch FROM now() - h.reserved_until) * 1000000)::bigint,"                                     \
    " cardinality(h.session_seat_ids)::bigint,"                                                                            \
    " (SELECT sum(uuid_hash_extended(x, 0) >> 16 & 281474976710655)::bigint FROM unnest(h.session_seat_ids) AS x)"

#define SEAT_COUNTS                                                                                                        \
    "count(session_seat_id) AS own,"                                                                                       \
    " sum(uuid_hash_extended(session_seat_id, 0) >> 16 & 281474976710655)::bigint AS digest,"                              \
    " count(*) FILTER (WHERE status = 'reserved') AS reserved, count(*) FILTER (WHERE status = 'sold') AS sold"

static const struct tk_pg_statement declare_statement = {
    "event_ledger",
    "DECLARE ledger NO SCROLL CURSOR FOR "
    "SELECT reservation_id, session_id, " HOLD_COLUMNS ", s.own, s.digest, s.reserved, s.sold, 0::bigint "
    "FROM holds h FULL JOIN ("
    "  SELECT session_id, reservation_id, " SEAT_COUNTS " FROM session_seats WHERE reservation_id IS NOT NULL"
    "  GROUP BY session_id, reservation_id) s USING (session_id, reservation_id) "
    "ORDER BY reservation_id"};

static const struct tk_pg_statement ownerless_statement = {
    "event_ownerless", "SELECT session_seat_id FROM session_seats WHERE reservation_id IS NULL AND status IN "
                       "('reserved', 'sold') LIMIT $1::bigint"};

/* A slice is PAGE_OF, which holds, PAGE_LOOK. Seats that are not the hold's own any more come as NULL. */
#define PAGE_OF "WITH page AS MATERIALIZED ("
#define PAGE_LOOK                                                                                                          \
    ") SELECT h.reservation_id, h.session_id, " HOLD_COLUMNS ", s.own, s.digest, s.reserved, s.sold, s.lost "              \
    "FROM page h, LATERAL ("                                                                                               \
    "  SELECT " SEAT_COUNTS ", count(*) FILTER (WHERE owner <> h.reservation_id) AS lost FROM ("                           \
    "    SELECT q.reservation_id AS owner, mine.session_seat_id, mine.status FROM unnest(h.session_seat_ids) AS x"         \
    "    JOIN session_seats q ON q.session_id = h.session_id AND q.session_seat_id = x,"                                   \
    "    LATERAL (SELECT CASE WHEN q.reservation_id = h.reservation_id THEN q.session_seat_id END AS session_seat_id,"     \
    "      CASE WHEN q.reservation_id = h.reservation_id THEN q.status END AS status) mine) seats) s"

static const struct tk_pg_statement slice_statement = {
    "event_slice", PAGE_OF "SELECT * FROM holds WHERE (session_id, reservation_id) > ($1::uuid, $2::uuid) "
                           "ORDER BY session_id, reservation_id LIMIT $3::bigint" PAGE_LOOK};

static const struct tk_pg_statement look_statement = {
    "event_look", PAGE_OF "SELECT f.* FROM unnest($1::uuid[], $2::uuid[]) AS k (session_id, reservation_id) "
                          "JOIN holds f USING (session_id, reservation_id)" PAGE_LOOK};

static const struct tk_pg_statement *const statements[] = {&ledger_fetch_statement, &declare_statement,
                                                           &ownerless_statement, &slice_statement, &look_statement};

struct event_ledger {
    struct tk_pgs *pg;
    struct ledger_cursor cursor;
};

struct event_ledger *event_ledger_new(const char *name, const char *database_url, int64_t timeout_ms)
{
    struct event_ledger *ledger = tk_alloc(sizeof(*ledger));
    ledger->pg =
        ledger_database_new(name, database_url, timeout_ms, statements, sizeof(statements) / sizeof(statements[0]));
    return ledger;
}

void event_ledger_free(struct event_ledger *ledger)
{
    if (ledger == NULL)
        return;
    tk_pgs_free(ledger->pg);
    free(ledger);
}

static enum tk_err read_entry(const PGresult *rows, int row, struct ledger_entry *entry)
{
    entry->reservation_id = tk_row_uuid(rows, row, 0);
    entry->held = (struct ledger_held){
        .session_id = tk_row_uuid(rows, row, 1),
        .late_us = tk_row_i64(rows, row, 3),
        .named = {.count = tk_row_i64(rows, row, 4), .digest = tk_row_i64(rows, row, 5)},
        .own = {.count = tk_row_i64(rows, row, 6), .digest = tk_row_i64(rows, row, 7)},
        .reserved = tk_row_i64(rows, row, 8),
        .sold = tk_row_i64(rows, row, 9),
        .lost = tk_row_i64(rows, row, 10),
    };
    return ledger_hold_parse(tk_row_text(rows, row, 2), &entry->held.state);
}

enum tk_err event_ledger_open(struct event_ledger *ledger)
{
    return ledger_cursor_open(&ledger->cursor, ledger->pg, &declare_statement);
}

void event_ledger_close(struct event_ledger *ledger)
{
    ledger_cursor_close(&ledger->cursor);
}

enum tk_err event_ledger_next(struct event_ledger *ledger, struct ledger_entry *entry, bool *more)
{
    const PGresult *rows;
    int row;
    enum tk_err err = ledger_cursor_next(&ledger->cursor, &rows, &row);
    *more = !err && rows != NULL;
    return *more ? read_entry(rows, row, entry) : err;
}

enum tk_err event_ledger_ownerless(struct event_ledger *ledger, struct tk_uuid *out, size_t cap, size_t *count)
{
    struct tk_pg_op op;
    tk_pg_op_init(&op);
    tk_params_i64(tk_pg_op_step(&op, &ownerless_statement), (int64_t)cap);
    enum tk_step step = tk_pgs_run(ledger->pg, &op);
    *count = 0;
    for (int row = 0; step == TK_STEP_OK && row < PQntuples(op.outcome.rows[0]); row++)
        out[(*count)++] = tk_row_uuid(op.outcome.rows[0], row, 0);
    tk_pgs_release(&op);
    return step == TK_STEP_OK ? TK_OK : TK_ERR_UNAVAILABLE;
}

/* --- slices ------------------------------------------------------------------------------------------------------- */

/* Frees op. `cap` entries have room in `out`, no more were asked for. */
static enum tk_err run_slice(struct event_ledger *ledger, struct tk_pg_op *op, struct ledger_entry *out, size_t *count)
{
    enum tk_err err = TK_OK;
    enum tk_step step = tk_pgs_run(ledger->pg, op);
    *count = 0;
    if (step != TK_STEP_OK) {
        tk_log(TK_LOG_DEBUG, "holds cannot be audited", TK_KV_STR("result", tk_step_name(step)),
               TK_KV_STR("reason", op->outcome.message));
        err = TK_ERR_UNAVAILABLE;
    }
    for (int row = 0; !err && row < PQntuples(op->outcome.rows[0]); row++) {
        out[*count] = (struct ledger_entry){0};
        err = read_entry(op->outcome.rows[0], row, &out[(*count)++]);
    }
    tk_pgs_release(op);
    return err;
}

enum tk_err event_ledger_slice(struct event_ledger *ledger, const struct hold_key *after, size_t limit,
                               struct ledger_entry *out, size_t *count)
{
    struct tk_pg_op op;
    tk_pg_op_init(&op);
    struct tk_params *params = tk_pg_op_step(&op, &slice_statement);
    tk_params_uuid(params, &after->session_id);
    tk_params_uuid(params, &after->reservation_id);
    tk_params_i64(params, (int64_t)limit);
    return run_slice(ledger, &op, out, count);
}

enum tk_err event_ledger_look(struct event_ledger *ledger, const struct hold_key *keys, size_t key_count,
                              struct ledger_entry *out, size_t *count)
{
    struct tk_pg_op op;
    tk_pg_op_init(&op);
    struct tk_params *params = tk_pg_op_step(&op, &look_statement);
    TK_ARRAY_PARAM(params, key_count, UUID, uuid, &keys[i].session_id);
    TK_ARRAY_PARAM(params, key_count, UUID, uuid, &keys[i].reservation_id);
    return run_slice(ledger, &op, out, count);
}
