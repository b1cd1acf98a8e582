/*
 * Locations, halls, physical seats.
 *
 * Seats are counted against the hall's capacity under a lock on the hall's row: the count stands in the statement after the
 * lock, so its snapshot sees what an earlier holder of the lock inserted.
 */
#include "event-svc/adapters/places.h"

#include "event-svc/adapters/statements.h"

#define LOCATION_COLUMNS "location_id, name, address, city, country, timezone, created_at"
#define HALL_COLUMNS     "hall_id, location_id, name, capacity, created_at"
#define SEAT_COLUMNS     "seat_id, hall_id, section, row_number, seat_number, seat_type"

const struct tk_pg_statement sql_location_insert = {
    "location_insert",
    "INSERT INTO locations (location_id, name, address, city, country, timezone) "
    "SELECT $1::uuid, $2::text, $3::text, $4::text, $5::text, $6::text WHERE (now() AT TIME ZONE $6::text) IS NOT NULL "
    "RETURNING " LOCATION_COLUMNS,
};
const struct tk_pg_statement sql_location_select = {
    "location_select",
    "SELECT " LOCATION_COLUMNS " FROM locations WHERE location_id = $1::uuid",
};
const struct tk_pg_statement sql_location_list = {
    "location_list",
    "SELECT " LOCATION_COLUMNS " FROM locations WHERE location_id > $1::uuid ORDER BY location_id LIMIT $2::int8",
};
const struct tk_pg_statement sql_hall_insert = {
    "hall_insert",
    "INSERT INTO halls (hall_id, location_id, name, capacity) VALUES ($1::uuid, $2::uuid, $3::text, $4::int4) "
    "RETURNING " HALL_COLUMNS,
};
const struct tk_pg_statement sql_hall_select = {
    "hall_select",
    "SELECT " HALL_COLUMNS " FROM halls WHERE hall_id = $1::uuid",
};
const struct tk_pg_statement sql_hall_list = {
    "hall_list",
    "SELECT " HALL_COLUMNS
    " FROM halls WHERE location_id = $1::uuid AND hall_id > $2::uuid ORDER BY hall_id LIMIT $3::int8",
};
const struct tk_pg_statement sql_hall_lock = {
    "hall_lock",
    "SELECT " HALL_COLUMNS " FROM halls WHERE hall_id = $1::uuid FOR NO KEY UPDATE",
};
const struct tk_pg_statement sql_seat_insert = {
    "seat_insert",
    "INSERT INTO seats (seat_id, hall_id, section, row_number, seat_number, seat_type) "
    "SELECT $1::uuid, h.hall_id, $3::text, $4::text, $5::text, $6::text FROM halls h "
    "WHERE h.hall_id = $2::uuid AND (SELECT count(*) FROM seats s WHERE s.hall_id = h.hall_id) < h.capacity "
    "RETURNING " SEAT_COLUMNS,
};
/* Ids are a prefix made by tk_uuid_v7() and the ordinal: they grow in the order of the grids. */
const struct tk_pg_statement sql_seat_insert_grids = {
    "seat_insert_grids",
    "WITH added AS ("
    "INSERT INTO seats (seat_id, hall_id, section, row_number, seat_number, seat_type) "
    "SELECT (left($1::uuid::text, 28) || lpad(to_hex(row_number() OVER (ORDER BY g.ord, r, c)), 8, '0'))::uuid, "
    "h.hall_id, g.section, r::text, c::text, g.seat_type "
    "FROM halls h "
    "CROSS JOIN unnest($4::text[], $5::int4[], $6::int4[], $7::text[]) WITH ORDINALITY "
    "AS g (section, row_count, col_count, seat_type, ord) "
    "CROSS JOIN LATERAL generate_series(1, g.row_count) AS r CROSS JOIN LATERAL generate_series(1, g.col_count) AS c "
    "WHERE h.hall_id = $2::uuid AND (SELECT count(*) FROM seats s WHERE s.hall_id = $2::uuid) + $3::int8 <= h.capacity "
    "ORDER BY g.ord, r, c RETURNING 1) "
    "SELECT count(*) FROM added",
};
const struct tk_pg_statement sql_seat_list = {
    "seat_list",
    "SELECT " SEAT_COLUMNS " FROM seats WHERE hall_id = $1::uuid ORDER BY section, row_number, seat_number LIMIT $2::int8",
};
const struct tk_pg_statement sql_seat_list_after = {
    "seat_list_after",
    "SELECT " SEAT_COLUMNS " FROM seats WHERE hall_id = $1::uuid AND (section, row_number, seat_number) > "
    "(SELECT a.section, a.row_number, a.seat_number FROM seats a WHERE a.seat_id = $2::uuid AND a.hall_id = $1::uuid) "
    "ORDER BY section, row_number, seat_number LIMIT $3::int8",
};

void location_insert(struct tk_pg_op *op, const struct location *location)
{
    struct tk_params *p = tk_pg_op_step(op, &sql_location_insert);
    tk_params_uuid(p, &location->location_id);
    tk_params_text(p, location->name);
    tk_params_text(p, location->address);
    tk_params_text(p, location->city);
    tk_params_text(p, location->country);
    tk_params_text(p, location->timezone);
}

void location_select(struct tk_pg_op *op, const struct tk_uuid *id)
{
    statement_with_id(op, &sql_location_select, id);
}

void location_list(struct tk_pg_op *op, const struct tk_uuid *after, int64_t limit)
{
    statement_with_page(op, &sql_location_list, after, limit);
}

struct location location_read(const PGresult *rows, int row)
{
    return (struct location){
        .location_id = tk_row_uuid(rows, row, 0),
        .name = tk_row_text(rows, row, 1),
        .address = tk_row_text(rows, row, 2),
        .city = tk_row_text(rows, row, 3),
        .country = tk_row_text(rows, row, 4),
        .timezone = tk_row_text(rows, row, 5),
        .created_at_us = tk_row_time(rows, row, 6),
    };
}

void hall_insert(struct tk_pg_op *op, const struct hall *hall)
{
    struct tk_params *p = tk_pg_op_step(op, &sql_hall_insert);
    tk_params_uuid(p, &hall->hall_id);
    tk_params_uuid(p, &hall->location_id);
    tk_params_text(p, hall->name);
    tk_params_i32(p, (int32_t)hall->capacity);
}

void hall_select(struct tk_pg_op *op, const struct tk_uuid *id)
{
    statement_with_id(op, &sql_hall_select, id);
}

void hall_list(struct tk_pg_op *op, const struct tk_uuid *location_id, const struct tk_uuid *after, int64_t limit)
{
    statement_with_id(op, &sql_location_select, location_id);
    struct tk_params *p = tk_pg_op_step(op, &sql_hall_list);
    tk_params_uuid(p, location_id);
    tk_params_uuid(p, after);
    tk_params_i64(p, limit);
}

struct hall hall_read(const PGresult *rows, int row)
{
    return (struct hall){
        .hall_id = tk_row_uuid(rows, row, 0),
        .location_id = tk_row_uuid(rows, row, 1),
        .name = tk_row_text(rows, row, 2),
        .capacity = tk_row_i32(rows, row, 3),
        .created_at_us = tk_row_time(rows, row, 4),
    };
}

void seat_insert(struct tk_pg_op *op, const struct seat *seat)
{
    statement_with_id(op, &sql_hall_lock, &seat->hall_id);
    struct tk_params *p = tk_pg_op_step(op, &sql_seat_insert);
    tk_params_uuid(p, &seat->seat_id);
    tk_params_uuid(p, &seat->hall_id);
    tk_params_text(p, seat->section);
    tk_params_text(p, seat->row_number);
    tk_params_text(p, seat->seat_number);
    tk_params_text(p, seat->seat_type);
}

static void fill_grids(struct tk_params *p, const struct seat_grid *grids, size_t count)
{
    TK_ARRAY_PARAM(p, count, TEXT, text, grids[i].section);
    TK_ARRAY_PARAM(p, count, INT4, i32, (int32_t)grids[i].row_count);
    TK_ARRAY_PARAM(p, count, INT4, i32, (int32_t)grids[i].col_count);
    TK_ARRAY_PARAM(p, count, TEXT, text, grids[i].seat_type);
}

void seat_insert_grids(struct tk_pg_op *op, const struct tk_uuid *hall_id, const struct seat_grid *grids, size_t count,
                       int64_t total)
{
    statement_with_id(op, &sql_hall_lock, hall_id);
    struct tk_params *p = tk_pg_op_step(op, &sql_seat_insert_grids);
    struct tk_uuid prefix = tk_uuid_v7();
    tk_params_uuid(p, &prefix);
    tk_params_uuid(p, hall_id);
    tk_params_i64(p, total);
    fill_grids(p, grids, count);
}

void seat_list(struct tk_pg_op *op, const struct tk_uuid *hall_id, const struct tk_uuid *after, int64_t limit)
{
    statement_with_id(op, &sql_hall_select, hall_id);
    struct tk_params *p = tk_pg_op_step(op, tk_uuid_is_nil(after) ? &sql_seat_list : &sql_seat_list_after);
    tk_params_uuid(p, hall_id);
    if (!tk_uuid_is_nil(after))
        tk_params_uuid(p, after);
    tk_params_i64(p, limit);
}

struct seat seat_read(const PGresult *rows, int row)
{
    return (struct seat){
        .seat_id = tk_row_uuid(rows, row, 0),
        .hall_id = tk_row_uuid(rows, row, 1),
        .section = tk_row_text(rows, row, 2),
        .row_number = tk_row_text(rows, row, 3),
        .seat_number = tk_row_text(rows, row, 4),
        .seat_type = tk_row_text(rows, row, 5),
    };
}
