/* SQL of the trail. */
#include "event-svc/adapters/trail.h"

#include "event-svc/adapters/statements.h"

const struct tk_pg_statement sql_trail_seat = {
    "trail_seat",
    "SELECT session_seat_id FROM session_seats WHERE session_id = $1::uuid AND session_seat_id = $2::uuid",
};

/* By the session's holds: tens of milliseconds in the largest session. A support question is not worth an index on seats.
 */
const struct tk_pg_statement sql_trail_page = {
    "trail_page",
    "SELECT t.at, t.reservation_id,"
    " CASE t.from_state WHEN 'held' THEN 'reserved' WHEN 'sold' THEN 'sold' WHEN 'released' THEN 'available' END,"
    " CASE t.to_state WHEN 'held' THEN 'reserved' WHEN 'sold' THEN 'sold' ELSE 'available' END,"
    " t.revision, t.actor, t.reason, t.request_id "
    "FROM holds h JOIN hold_history t ON t.reservation_id = h.reservation_id AND t.session_id = h.session_id "
    "WHERE h.session_id = $1::uuid AND $2::uuid = ANY (h.session_seat_ids) "
    "AND ($3::timestamptz IS NULL OR (t.at, t.reservation_id) > ($3::timestamptz, $4::uuid)) "
    "ORDER BY t.at, t.reservation_id LIMIT $5::int8",
};

const struct tk_pg_statement sql_purge_keys = {
    "purge_keys",
    "DELETE FROM idempotency_keys k USING (SELECT user_id, key FROM idempotency_keys "
    "WHERE created_at < now() - interval '24 hours' LIMIT $1::int8 FOR UPDATE SKIP LOCKED) old "
    "WHERE k.user_id = old.user_id AND k.key = old.key",
};

/* Trail rows never move, so their place is a name. */
const struct tk_pg_statement sql_purge_trail = {
    "purge_trail",
    "DELETE FROM hold_history t USING ("
    " SELECT o.ctid AS place FROM hold_history o WHERE o.at < now() - $1::int8 * interval '1 day'"
    " AND NOT EXISTS (SELECT FROM holds h WHERE h.session_id = o.session_id AND h.reservation_id = o.reservation_id"
    "  AND h.state = 'held')"
    " AND NOT EXISTS (SELECT FROM hold_history n WHERE n.reservation_id = o.reservation_id"
    "  AND n.at >= now() - $1::int8 * interval '1 day')"
    " LIMIT $2::int8 FOR UPDATE OF o SKIP LOCKED) old WHERE t.ctid = old.place",
};

void trail_of_seat(struct tk_pg_op *op, const struct tk_uuid *session_id, const struct tk_uuid *seat_id,
                   const struct trail_place *after, int64_t limit)
{
    struct tk_params *p = tk_pg_op_step(op, &sql_trail_seat);
    tk_params_uuid(p, session_id);
    tk_params_uuid(p, seat_id);
    p = tk_pg_op_step(op, &sql_trail_page);
    tk_params_uuid(p, session_id);
    tk_params_uuid(p, seat_id);
    tk_params_time(p, after->at_us);
    tk_params_uuid(p, &after->reservation_id);
    tk_params_i64(p, limit);
}

struct trail_entry trail_read(const PGresult *rows, int row)
{
    return (struct trail_entry){
        .place = {.at_us = tk_row_time(rows, row, 0), .reservation_id = tk_row_uuid(rows, row, 1)},
        .from_status = tk_row_text(rows, row, 2),
        .to_status = tk_row_text(rows, row, 3),
        .revision = tk_row_i64(rows, row, 4),
        .actor = tk_row_text(rows, row, 5),
        .reason = tk_row_text(rows, row, 6),
        .request_id = tk_row_text(rows, row, 7),
    };
}

void trail_purge(struct tk_pg_op *op, int64_t history_days, int64_t limit)
{
    tk_params_i64(tk_pg_op_step(op, &sql_purge_keys), limit);
    struct tk_params *p = tk_pg_op_step(op, &sql_purge_trail);
    tk_params_i64(p, history_days);
    tk_params_i64(p, limit);
}
