/**
 * Outbox rows from reservation messages.
 */
#include <assert.h>
#include <string.h>

#include "booking-worker/adapters/outbox_rows.h"
#include "shared/base/clock.h"

#define YIELD_MS    (10 * 60 * 1000) /* how long an expiry lets other messages go first */
#define MAX_MESSAGE (32u << 10)      /* TK_MESSAGE_MAX_SEATS seats of about 90 bytes, and the head */

const struct tk_pg_statement outbox_insert_statement = {"worker_outbox_insert",
                                                        "INSERT INTO outbox (id, routing_key, body) "
                                                        "SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[])"};

const struct tk_pg_statement outbox_insert_if_idle_statement = {
    "worker_outbox_insert_if_idle",
    "INSERT INTO outbox (id, routing_key, body) SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[]) "
    "WHERE NOT EXISTS (SELECT FROM outbox WHERE created_at < now() - interval '2 seconds')"};

/*
 * The relay takes rows in the order of their ids. An expiry's seats have been released by then, so its message may wait:
 * thousands of them at once must not stand between a confirmation and its seats.
 */
static struct tk_uuid id_of_later(void)
{
    struct tk_uuid id = tk_uuid_v7();
    uint64_t ms = 0;
    for (int i = 0; i < 6; i++)
        ms = ms << 8 | id.bytes[i];
    ms += YIELD_MS;
    for (int i = 0; i < 6; i++)
        id.bytes[i] = (uint8_t)(ms >> (40 - 8 * i));
    return id;
}

static void add_bodies(struct tk_params *params, const struct tk_reservation_message *messages, size_t count)
{
    struct tk_buf body = TK_BUF_INIT(MAX_MESSAGE);
    tk_params_array_begin(params, TK_OID_TEXT);
    for (size_t i = 0; i < count; i++) {
        tk_buf_reset(&body);
        tk_reservation_message_encode(&messages[i], &body);
        assert(!body.overflow);
        tk_params_array_text(params, tk_buf_slice(&body));
    }
    tk_params_array_end(params);
    tk_buf_release(&body);
}

void outbox_rows_add(struct tk_pg_op *op, const struct tk_pg_statement *statement, struct tk_reservation_message *messages,
                     size_t count)
{
    int64_t now_us = tk_unix_us();
    for (size_t i = 0; i < count; i++) {
        messages[i].event_id = messages[i].event == TK_RESERVATION_EXPIRED ? id_of_later() : tk_uuid_v7();
        messages[i].occurred_at_us = now_us;
    }
    struct tk_params *params = tk_pg_op_step(op, statement);
    TK_ARRAY_PARAM(params, count, UUID, uuid, &messages[i].event_id);
    TK_ARRAY_PARAM(params, count, TEXT, text, tk_slice_of(tk_reservation_routing_keys[messages[i].event]));
    add_bodies(params, messages, count);
}
