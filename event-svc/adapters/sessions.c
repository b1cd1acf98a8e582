/*
 * Sessions. A session seat's id is a prefix made by tk_uuid_v7() and the seat's ordinal in natural order in the low 32
 * bits: ids of one session are neighbours in the index, and sorted by id is sorted for people.
 */
#include "event-svc/adapters/sessions.h"

#include "event-svc/adapters/statements.h"

#define SESSION_COLUMNS                                                                                                    \
    "session_id, event_id, hall_id, start_time, end_time, base_price_minor, currency, seat_count, created_at"

const struct tk_pg_statement sql_session_insert = {
    "session_insert",
    "INSERT INTO sessions (session_id, event_id, hall_id, start_time, end_time, base_price_minor, currency, seat_count) "
    "SELECT $1::uuid, $2::uuid, $3::uuid, $4::timestamptz, $5::timestamptz, $6::int8, $7::text, c.n "
    "FROM (SELECT count(*)::int4 AS n FROM seats WHERE hall_id = $3::uuid) c WHERE c.n > 0 "
    "RETURNING " SESSION_COLUMNS,
};
const struct tk_pg_statement sql_session_insert_seats = {
    "session_insert_seats",
    "INSERT INTO session_seats (session_id, session_seat_id, seat_id, price_minor, seat_order) "
    "SELECT s.session_id, (left($2::uuid::text, 28) || lpad(to_hex(p.n), 8, '0'))::uuid, p.seat_id, s.base_price_minor, "
    "p.n "
    "FROM sessions s CROSS JOIN LATERAL ("
    "SELECT seat_id, (row_number() OVER (ORDER BY section, row_number, seat_number))::int4 AS n "
    "FROM seats WHERE hall_id = s.hall_id ORDER BY section, row_number, seat_number LIMIT s.seat_count) p "
    "WHERE s.session_id = $1::uuid ORDER BY p.n",
};
const struct tk_pg_statement sql_session_insert_version = {
    "session_insert_version",
    "INSERT INTO session_versions (session_id, version) SELECT session_id, 1 FROM sessions WHERE session_id = $1::uuid",
};
const struct tk_pg_statement sql_session_select = {
    "session_select",
    "SELECT " SESSION_COLUMNS " FROM sessions WHERE session_id = $1::uuid",
};
const struct tk_pg_statement sql_session_list = {
    "session_list",
    "SELECT " SESSION_COLUMNS " FROM sessions WHERE session_id > $1::uuid ORDER BY session_id LIMIT $2::int8",
};
const struct tk_pg_statement sql_sessions_by_start = {
    "sessions_by_start",
    "SELECT s.session_id FROM unnest($1::uuid[]) AS u (id) JOIN sessions s ON s.session_id = u.id "
    "ORDER BY s.start_time <= now(), s.start_time, s.session_id",
};
const struct tk_pg_statement sql_hall_exists = {
    "hall_exists",
    "SELECT hall_id FROM halls WHERE hall_id = $1::uuid",
};

void session_insert(struct tk_pg_op *op, const struct session *session)
{
    struct tk_params *p = tk_pg_op_step(op, &sql_session_insert);
    tk_params_uuid(p, &session->session_id);
    tk_params_uuid(p, &session->event_id);
    tk_params_uuid(p, &session->hall_id);
    tk_params_time(p, session->start_time_us);
    tk_params_time(p, session->end_time_us);
    tk_params_i64(p, session->base_price_minor);
    tk_params_text(p, session->currency);
    p = tk_pg_op_step(op, &sql_session_insert_seats);
    struct tk_uuid prefix = tk_uuid_v7();
    tk_params_uuid(p, &session->session_id);
    tk_params_uuid(p, &prefix);
    statement_with_id(op, &sql_session_insert_version, &session->session_id);
    statement_with_id(op, &sql_hall_exists, &session->hall_id);
}

void session_select(struct tk_pg_op *op, const struct tk_uuid *id)
{
    statement_with_id(op, &sql_session_select, id);
}

void session_list(struct tk_pg_op *op, const struct tk_uuid *after, int64_t limit)
{
    statement_with_page(op, &sql_session_list, after, limit);
}

void sessions_by_start(struct tk_pg_op *op, const struct tk_uuid *ids, size_t count)
{
    struct tk_params *p = tk_pg_op_step(op, &sql_sessions_by_start);
    TK_ARRAY_PARAM(p, count, UUID, uuid, &ids[i]);
}

struct session session_read(const PGresult *rows, int row)
{
    return (struct session){
        .session_id = tk_row_uuid(rows, row, 0),
        .event_id = tk_row_uuid(rows, row, 1),
        .hall_id = tk_row_uuid(rows, row, 2),
        .start_time_us = tk_row_time(rows, row, 3),
        .end_time_us = tk_row_time(rows, row, 4),
        .base_price_minor = tk_row_i64(rows, row, 5),
        .currency = tk_row_text(rows, row, 6),
        .seat_count = tk_row_i32(rows, row, 7),
        .created_at_us = tk_row_time(rows, row, 8),
    };
}
