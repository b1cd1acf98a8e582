/*
 * Reads around seats. None of them locks anything.
 */
#include "event-svc/adapters/seat_reads.h"

#include <assert.h>

#include "event-svc/adapters/statements.h"

const struct tk_pg_statement sql_session_exists = {
    "session_exists",
    "SELECT session_id FROM sessions WHERE session_id = $1::uuid",
};
const struct tk_pg_statement sql_seats_unavailable = {
    "seats_unavailable",
    "SELECT u.seat, coalesce(ss.status::text, 'unknown') FROM unnest($2::uuid[]) WITH ORDINALITY AS u (seat, ord) "
    "LEFT JOIN session_seats ss ON ss.session_id = $1::uuid AND ss.session_seat_id = u.seat "
    "WHERE ss.status IS DISTINCT FROM 'available' ORDER BY u.ord",
};
const struct tk_pg_statement sql_versions_select = {
    "versions_select",
    "SELECT v.session_id, v.version FROM unnest($1::uuid[]) AS u (id) JOIN session_versions v ON v.session_id = u.id",
};
const struct tk_pg_statement sql_seat_map_select = {
    "seat_map_select",
    "SELECT v.version, s.hall_id, ss.session_seat_id, ss.seat_id, p.section, p.row_number, p.seat_number, ss.price_minor, "
    "ss.status::text, h.reserved_until "
    "FROM session_versions v JOIN sessions s ON s.session_id = v.session_id "
    "JOIN session_seats ss ON ss.session_id = v.session_id JOIN seats p ON p.seat_id = ss.seat_id "
    "LEFT JOIN holds h ON h.session_id = ss.session_id AND h.reservation_id = ss.reservation_id "
    "WHERE v.session_id = $1::uuid ORDER BY ss.session_seat_id",
};
const struct tk_pg_statement sql_plan_select = {
    "plan_select",
    "SELECT s.hall_id, s.start_time, ss.session_seat_id, p.section, p.row_number, p.seat_number, ss.price_minor "
    "FROM sessions s JOIN session_seats ss ON ss.session_id = s.session_id JOIN seats p ON p.hall_id = s.hall_id AND "
    "p.seat_id = ss.seat_id "
    "WHERE s.session_id = $1::uuid ORDER BY ss.session_seat_id",
};
/* One value instead of a row per seat: a tenth of the bytes and of the time. The layout is domain/seat_picture.h's. */
const struct tk_pg_statement sql_seats_snapshot = {
    "seats_snapshot",
    "SELECT v.version, (SELECT string_agg(o.seat, ''::bytea) FROM ("
    "SELECT CASE ss.status WHEN 'available' THEN '\\x00'::bytea WHEN 'reserved' THEN '\\x01'::bytea "
    "WHEN 'sold' THEN '\\x02'::bytea ELSE '\\x03'::bytea END "
    "|| coalesce(substr(uuid_send(ss.reservation_id), 13, 4), '\\x00000000'::bytea) AS seat "
    "FROM session_seats ss WHERE ss.session_id = v.session_id ORDER BY ss.session_seat_id) o) "
    "FROM session_versions v WHERE v.session_id = $1::uuid",
};
/* The index on reserved_until also holds millions of finished rows: the caller remembers how far none was left (watermark).
 */
const struct tk_pg_statement sql_holds_scan = {
    "holds_scan",
    "WITH scanned AS MATERIALIZED ("
    "SELECT session_id, reservation_id, reserved_until, state FROM holds "
    "WHERE reserved_until >= $1::timestamptz AND (reserved_until, reservation_id) > ($1::timestamptz, $2::uuid) "
    "AND reserved_until < now() - $3::int8 * interval '1 second' "
    "ORDER BY reserved_until, reservation_id LIMIT $4::int8) "
    "(SELECT session_id, reservation_id, reserved_until, 0::int8, NULL::timestamptz FROM scanned WHERE state = 'held' "
    "ORDER BY reserved_until, reservation_id LIMIT $5::int8) "
    "UNION ALL "
    "SELECT NULL, l.reservation_id, l.reserved_until, (SELECT count(*) FROM scanned), now() - interval '1 minute' "
    "FROM (SELECT 1) AS one LEFT JOIN "
    "(SELECT reservation_id, reserved_until FROM scanned ORDER BY reserved_until DESC, reservation_id DESC LIMIT 1) l ON "
    "true",
};

void seats_unavailable(struct tk_pg_op *op, const struct tk_uuid *session_id, const struct tk_uuid *seats, size_t count)
{
    statement_with_id(op, &sql_session_exists, session_id);
    struct tk_params *p = tk_pg_op_step(op, &sql_seats_unavailable);
    tk_params_uuid(p, session_id);
    TK_ARRAY_PARAM(p, count, UUID, uuid, &seats[i]);
}

void versions_select(struct tk_pg_op *op, const struct tk_uuid *const *session_ids, size_t count)
{
    struct tk_params *p = tk_pg_op_step(op, &sql_versions_select);
    TK_ARRAY_PARAM(p, count, UUID, uuid, session_ids[i]);
}

void seat_map_select(struct tk_pg_op *op, const struct tk_uuid *session_id)
{
    statement_with_id(op, &sql_seat_map_select, session_id);
}

struct seat_map_row seat_map_read(const PGresult *rows, int row)
{
    return (struct seat_map_row){
        .version = tk_row_i64(rows, row, 0),
        .hall_id = tk_row_uuid(rows, row, 1),
        .session_seat_id = tk_row_uuid(rows, row, 2),
        .seat_id = tk_row_uuid(rows, row, 3),
        .section = tk_row_text(rows, row, 4),
        .row_number = tk_row_text(rows, row, 5),
        .seat_number = tk_row_text(rows, row, 6),
        .price_minor = tk_row_i64(rows, row, 7),
        .status = tk_row_text(rows, row, 8),
        .reserved_until_us = tk_row_time(rows, row, 9),
    };
}

void plan_select(struct tk_pg_op *op, const struct tk_uuid *session_id)
{
    statement_with_id(op, &sql_plan_select, session_id);
}

struct plan_head plan_read_head(const PGresult *rows)
{
    return (struct plan_head){.hall_id = tk_row_uuid(rows, 0, 0), .start_time_us = tk_row_time(rows, 0, 1)};
}

struct plan_seat plan_read_seat(const PGresult *rows, int row)
{
    return (struct plan_seat){
        .session_seat_id = tk_row_uuid(rows, row, 2),
        .section = tk_row_text(rows, row, 3),
        .row_number = tk_row_text(rows, row, 4),
        .seat_number = tk_row_text(rows, row, 5),
        .price_minor = tk_row_i64(rows, row, 6),
    };
}

void seats_snapshot(struct tk_pg_op *op, const struct tk_uuid *session_id)
{
    statement_with_id(op, &sql_seats_snapshot, session_id);
}

int64_t seats_snapshot_read(const PGresult *rows, struct tk_slice *seats)
{
    if (PQntuples(rows) == 0)
        return 0;
    *seats = tk_row_text(rows, 0, 1);
    return tk_row_i64(rows, 0, 0);
}

void holds_scan(struct tk_pg_op *op, const struct hold_place *from, int64_t older_than_s, int64_t limit)
{
    struct tk_params *p = tk_pg_op_step(op, &sql_holds_scan);
    tk_params_time(p, from->reserved_until_us);
    tk_params_uuid(p, &from->reservation_id);
    tk_params_i64(p, older_than_s);
    tk_params_i64(p, HOLD_SCAN_ROWS);
    tk_params_i64(p, limit);
}

struct hold_scan hold_scan_read(const PGresult *rows)
{
    int summary = PQntuples(rows) - 1;
    while (summary > 0 && !tk_row_is_null(rows, summary, 0)) /* UNION ALL keeps the order, but SQL does not promise it */
        summary--;
    assert(summary >= 0 && summary == PQntuples(rows) - 1);
    return (struct hold_scan){
        .held = summary,
        .scanned = tk_row_i64(rows, summary, 3),
        .last = {.reserved_until_us = tk_row_time(rows, summary, 2), .reservation_id = tk_row_uuid(rows, summary, 1)},
        .settled_us = tk_row_time(rows, summary, 4),
    };
}

struct stale_hold stale_hold_read(const PGresult *rows, int row)
{
    return (struct stale_hold){
        .session_id = tk_row_uuid(rows, row, 0),
        .reservation_id = tk_row_uuid(rows, row, 1),
        .reserved_until_us = tk_row_time(rows, row, 2),
    };
}
