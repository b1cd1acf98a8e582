/*
 * Organizers and events.
 */
#include "event-svc/adapters/organizers.h"

#include "event-svc/adapters/statements.h"

#define ORGANIZER_COLUMNS "organizer_id, name, description, contact_email, contact_phone, created_at, updated_at"
#define EVENT_COLUMNS     "event_id, organizer_id, title, description, event_type, created_at"

const struct tk_pg_statement sql_organizer_insert = {
    "organizer_insert",
    "INSERT INTO organizers (organizer_id, name, description, contact_email, contact_phone) "
    "VALUES ($1::uuid, $2::text, $3::text, $4::text, $5::text) RETURNING " ORGANIZER_COLUMNS,
};
const struct tk_pg_statement sql_organizer_select = {
    "organizer_select",
    "SELECT " ORGANIZER_COLUMNS " FROM organizers WHERE organizer_id = $1::uuid",
};
const struct tk_pg_statement sql_organizer_list = {
    "organizer_list",
    "SELECT " ORGANIZER_COLUMNS " FROM organizers WHERE organizer_id > $1::uuid ORDER BY organizer_id LIMIT $2::int8",
};
const struct tk_pg_statement sql_organizer_update = {
    "organizer_update",
    "UPDATE organizers SET name = coalesce($2::text, name), description = coalesce($3::text, description), "
    "contact_email = coalesce($4::text, contact_email), contact_phone = coalesce($5::text, contact_phone), "
    "updated_at = now() WHERE organizer_id = $1::uuid RETURNING " ORGANIZER_COLUMNS,
};
const struct tk_pg_statement sql_organizer_delete = {
    "organizer_delete",
    "DELETE FROM organizers WHERE organizer_id = $1::uuid RETURNING organizer_id",
};
const struct tk_pg_statement sql_event_insert = {
    "event_insert",
    "INSERT INTO events (event_id, organizer_id, title, description, event_type) "
    "VALUES ($1::uuid, $2::uuid, $3::text, $4::text, $5::text) RETURNING " EVENT_COLUMNS,
};
const struct tk_pg_statement sql_event_select = {
    "event_select",
    "SELECT " EVENT_COLUMNS " FROM events WHERE event_id = $1::uuid",
};
const struct tk_pg_statement sql_event_list = {
    "event_list",
    "SELECT " EVENT_COLUMNS " FROM events WHERE event_id > $1::uuid ORDER BY event_id LIMIT $2::int8",
};

static void fill_organizer(struct tk_pg_op *op, const struct tk_pg_statement *statement, const struct organizer *organizer)
{
    struct tk_params *p = tk_pg_op_step(op, statement);
    tk_params_uuid(p, &organizer->organizer_id);
    tk_params_text(p, organizer->name);
    tk_params_text(p, organizer->description);
    tk_params_text(p, organizer->contact_email);
    tk_params_text(p, organizer->contact_phone);
}

void organizer_insert(struct tk_pg_op *op, const struct organizer *organizer)
{
    fill_organizer(op, &sql_organizer_insert, organizer);
}

void organizer_update(struct tk_pg_op *op, const struct organizer *organizer)
{
    fill_organizer(op, &sql_organizer_update, organizer);
}

void organizer_select(struct tk_pg_op *op, const struct tk_uuid *id)
{
    statement_with_id(op, &sql_organizer_select, id);
}

void organizer_list(struct tk_pg_op *op, const struct tk_uuid *after, int64_t limit)
{
    statement_with_page(op, &sql_organizer_list, after, limit);
}

void organizer_delete(struct tk_pg_op *op, const struct tk_uuid *id)
{
    statement_with_id(op, &sql_organizer_delete, id);
}

struct organizer organizer_read(const PGresult *rows, int row)
{
    return (struct organizer){
        .organizer_id = tk_row_uuid(rows, row, 0),
        .name = tk_row_text(rows, row, 1),
        .description = tk_row_text(rows, row, 2),
        .contact_email = tk_row_text(rows, row, 3),
        .contact_phone = tk_row_text(rows, row, 4),
        .created_at_us = tk_row_time(rows, row, 5),
        .updated_at_us = tk_row_time(rows, row, 6),
    };
}

void event_insert(struct tk_pg_op *op, const struct event *event)
{
    struct tk_params *p = tk_pg_op_step(op, &sql_event_insert);
    tk_params_uuid(p, &event->event_id);
    tk_params_uuid(p, &event->organizer_id);
    tk_params_text(p, event->title);
    tk_params_text(p, event->description);
    tk_params_text(p, event->event_type);
}

void event_select(struct tk_pg_op *op, const struct tk_uuid *id)
{
    statement_with_id(op, &sql_event_select, id);
}

void event_list(struct tk_pg_op *op, const struct tk_uuid *after, int64_t limit)
{
    statement_with_page(op, &sql_event_list, after, limit);
}

struct event event_read(const PGresult *rows, int row)
{
    return (struct event){
        .event_id = tk_row_uuid(rows, row, 0),
        .organizer_id = tk_row_uuid(rows, row, 1),
        .title = tk_row_text(rows, row, 2),
        .description = tk_row_text(rows, row, 3),
        .event_type = tk_row_text(rows, row, 4),
        .created_at_us = tk_row_time(rows, row, 5),
    };
}
