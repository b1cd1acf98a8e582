/*
 * SQL of dead letters.
 *
 * A replay deletes and inserts in one statement, so a message is in exactly one of the two tables. A copy that is being
 * stored at the same moment waits for the row's lock and then inserts itself anew: it is not lost.
 */
#include "event-svc/adapters/dead_letters.h"

#include "event-svc/adapters/statements.h"
#include "shared/json/writer.h"

#define COLUMNS(body)                                                                                                      \
    "id, reason, error, routing_key, message_id, traceparent, delivery_count, first_death_at, " body ", body_size, "       \
    "replayable, arrivals, stored_at"

enum dead_letter_column {
    COL_ID,
    COL_REASON,
    COL_ERROR,
    COL_ROUTING_KEY,
    COL_MESSAGE_ID,
    COL_TRACEPARENT,
    COL_DELIVERY_COUNT,
    COL_FIRST_DEATH,
    COL_BODY,
    COL_BODY_SIZE,
    COL_REPLAYABLE,
    COL_ARRIVALS,
    COL_STORED_AT,
};

const struct tk_pg_statement sql_dead_letter_insert = {
    "dead_letter_insert",
    "INSERT INTO dead_letters (id, reason, error, routing_key, message_id, traceparent, delivery_count, first_death_at, "
    "body, body_size, replayable) VALUES ($1::uuid, $2::text, $3::text, $4::text, $5::text, $6::text, $7::int8, "
    "$8::timestamptz, $9::bytea, $10::int8, $11::bool) "
    "ON CONFLICT (id) DO UPDATE SET arrivals = dead_letters.arrivals + 1",
};

const struct tk_pg_statement sql_dead_letter_count = {
    "dead_letter_count", "SELECT count(*) FROM (SELECT FROM dead_letters LIMIT $1::int8) AS found"};

const struct tk_pg_statement sql_dead_letter_list = {
    "dead_letter_list",
    "SELECT " COLUMNS("substr(body, 1, 2048)") " FROM dead_letters WHERE id > $1::uuid ORDER BY id LIMIT $2::int8"};

const struct tk_pg_statement sql_dead_letter_select = {"dead_letter_select",
                                                       "SELECT " COLUMNS("body") " FROM dead_letters WHERE id = $1::uuid"};

const struct tk_pg_statement sql_dead_letter_delete = {"dead_letter_delete",
                                                       "DELETE FROM dead_letters WHERE id = $1::uuid RETURNING id"};

/* The outbox may still hold an earlier copy under the same id: it is the same message. */
#define PUBLISH                                                                                                            \
    "published AS (INSERT INTO outbox (id, routing_key, body, traceparent) "                                               \
    "SELECT m.id, m.routing_key, convert_from(m.body, 'UTF8'), nullif(m.traceparent, '') FROM moved m "                    \
    "ON CONFLICT (id) DO NOTHING) "

const struct tk_pg_statement sql_dead_letter_replay = {
    "dead_letter_replay",
    "WITH moved AS (DELETE FROM dead_letters WHERE id = $1::uuid AND replayable RETURNING *), " PUBLISH
    "SELECT d.replayable FROM dead_letters d WHERE d.id = $1::uuid"};

const struct tk_pg_statement sql_dead_letter_replay_all = {
    "dead_letter_replay_all",
    "WITH chosen AS MATERIALIZED (SELECT id FROM dead_letters WHERE replayable ORDER BY id LIMIT $1::int8), "
    "moved AS (DELETE FROM dead_letters d USING chosen c WHERE d.id = c.id RETURNING d.*), " PUBLISH
    "SELECT m.moved, (SELECT count(*) FROM dead_letters WHERE replayable) - m.moved "
    "FROM (SELECT count(*) AS moved FROM moved) m"};

static void add_time(struct tk_params *p, int64_t unix_us)
{
    tk_params_time(p, unix_us > 0 ? unix_us : TK_TIME_NONE);
}

void dead_letter_store(struct tk_pg_op *op, const struct dead_letter *letter)
{
    struct tk_params *p = tk_pg_op_step(op, &sql_dead_letter_insert);
    tk_params_uuid(p, &letter->id);
    tk_params_text(p, letter->reason);
    tk_params_text(p, letter->error);
    tk_params_text(p, letter->routing_key);
    tk_params_text(p, letter->message_id);
    tk_params_text(p, letter->traceparent);
    tk_params_i64(p, letter->delivery_count);
    add_time(p, letter->first_death_us);
    tk_params_text(p, letter->body);
    tk_params_i64(p, (int64_t)letter->body_size);
    tk_params_bool(p, letter->replayable);
}

void dead_letter_count(struct tk_pg_op *op, int64_t most)
{
    tk_params_i64(tk_pg_op_step(op, &sql_dead_letter_count), most);
}

void dead_letter_list(struct tk_pg_op *op, const struct tk_uuid *after, int64_t limit)
{
    statement_with_page(op, &sql_dead_letter_list, after, limit);
}

void dead_letter_select(struct tk_pg_op *op, const struct tk_uuid *id)
{
    statement_with_id(op, &sql_dead_letter_select, id);
}

void dead_letter_delete(struct tk_pg_op *op, const struct tk_uuid *id)
{
    statement_with_id(op, &sql_dead_letter_delete, id);
}

void dead_letter_replay(struct tk_pg_op *op, const struct tk_uuid *id)
{
    statement_with_id(op, &sql_dead_letter_replay, id);
}

void dead_letter_replay_all(struct tk_pg_op *op)
{
    tk_params_i64(tk_pg_op_step(op, &sql_dead_letter_replay_all), DEAD_LETTERS_AT_A_TIME);
}

struct stored_dead_letter dead_letter_read(const PGresult *rows, int row)
{
    return (struct stored_dead_letter){
        .letter = {.id = tk_row_uuid(rows, row, COL_ID),
                   .reason = tk_row_text(rows, row, COL_REASON),
                   .error = tk_row_text(rows, row, COL_ERROR),
                   .routing_key = tk_row_text(rows, row, COL_ROUTING_KEY),
                   .message_id = tk_row_text(rows, row, COL_MESSAGE_ID),
                   .traceparent = tk_row_text(rows, row, COL_TRACEPARENT),
                   .delivery_count = tk_row_i64(rows, row, COL_DELIVERY_COUNT),
                   .body = tk_row_text(rows, row, COL_BODY),
                   .body_size = (uint64_t)tk_row_i64(rows, row, COL_BODY_SIZE),
                   .replayable = tk_row_bool(rows, row, COL_REPLAYABLE)},
        .first_death_us = tk_row_time(rows, row, COL_FIRST_DEATH),
        .arrivals = tk_row_i64(rows, row, COL_ARRIVALS),
        .stored_at_us = tk_row_time(rows, row, COL_STORED_AT),
    };
}
