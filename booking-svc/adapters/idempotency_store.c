/* Binding idempotency keys. */
#include "booking-svc/adapters/idempotency_store.h"

#include <stdlib.h>
#include <string.h>

#include "booking-svc/adapters/statements.h"

/* Sorted, so that two batches that wait for each other's keys cannot deadlock. */
const struct tk_pg_statement sql_bind_insert = {
    "bind_insert",
    "INSERT INTO idempotency_keys (user_id, key, reservation_id, request_hash)"
    " SELECT user_id, key, reservation_id, hash FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[])"
    "  AS w(user_id, key, reservation_id, hash) ORDER BY user_id, key ON CONFLICT DO NOTHING",
};

#define BOUND_COLUMNS "k.reservation_id, k.request_hash, k.status::bigint, k.response"

const struct tk_pg_statement sql_bind_reread = {
    "bind_reread",
    "SELECT w.ord, " BOUND_COLUMNS " FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY AS w(user_id, key, ord)"
    " JOIN idempotency_keys k ON k.user_id = w.user_id AND k.key = w.key",
};

const struct tk_pg_statement sql_rebind_update = {
    "rebind_update",
    "UPDATE idempotency_keys SET reservation_id = $4::uuid"
    " WHERE user_id = $1::uuid AND key = $2::text AND reservation_id = $3::uuid AND response IS NULL",
};

const struct tk_pg_statement sql_rebind_reread = {
    "rebind_reread",
    "SELECT 1::bigint, " BOUND_COLUMNS " FROM idempotency_keys k WHERE k.user_id = $1::uuid AND k.key = $2::text",
};

static struct bind_item *bind_of(struct write_item *item)
{
    return TK_CONTAINER_OF(item, struct bind_item, base);
}

static void fill_bind(struct tk_pg_op *op, struct write_item *const *items, size_t count)
{
    struct tk_params *p = tk_pg_op_step(op, &sql_bind_insert);
    TK_ARRAY_PARAM(p, count, UUID, uuid, &bind_of(items[i])->user_id);
    TK_ARRAY_PARAM(p, count, TEXT, text, bind_of(items[i])->key);
    TK_ARRAY_PARAM(p, count, UUID, uuid, &bind_of(items[i])->reservation_id);
    TK_ARRAY_PARAM(p, count, TEXT, text, tk_slice_of(bind_of(items[i])->request_hash));
    p = tk_pg_op_step(op, &sql_bind_reread);
    TK_ARRAY_PARAM(p, count, UUID, uuid, &bind_of(items[i])->user_id);
    TK_ARRAY_PARAM(p, count, TEXT, text, bind_of(items[i])->key);
}

static void read_bound(struct bind_item *item, const PGresult *rows, int row)
{
    if (!tk_slice_eq_str(tk_row_text(rows, row, 2), item->request_hash)) {
        item->base.step = TK_STEP_REFUSED;
        item->detail = RESERVATION_DETAIL_KEY_REUSED;
        return;
    }
    item->base.step = TK_STEP_OK;
    item->detail = RESERVATION_DETAIL_NONE;
    item->reservation_id = tk_row_uuid(rows, row, 1);
    if (tk_row_is_null(rows, row, 3))
        return;
    item->detail = RESERVATION_DETAIL_REPLAY;
    item->status = tk_row_i64(rows, row, 3);
    item->response = row_text_copy(rows, row, 4, item->arena);
}

static void read_bind(const struct tk_pg_outcome *outcome, struct write_item *const *items, size_t count)
{
    const PGresult *rows = outcome->rows[1];
    for (size_t i = 0; i < count; i++) /* stays so only if the key was purged between the two statements */
        bind_of(items[i])->detail = RESERVATION_DETAIL_NONE;
    for (int row = 0; row < PQntuples(rows); row++)
        read_bound(bind_of(items[tk_row_i64(rows, row, 0) - 1]), rows, row);
}

const struct write_kind idempotency_bind_kind = {
    .name = "bind_key",
    .fill = fill_bind,
    .read = read_bind,
};

struct rebind_op {
    struct tk_pg_op op;
    struct bind_item *item;
};

static void on_rebound(struct tk_pg_op *op, const struct tk_pg_outcome *outcome)
{
    struct rebind_op *rebind = op->arg;
    struct bind_item *item = rebind->item;
    free(rebind);
    item->base.step = outcome->step;
    item->detail = RESERVATION_DETAIL_NONE;
    if (outcome->step == TK_STEP_OK && PQntuples(outcome->rows[1]) == 1)
        read_bound(item, outcome->rows[1], 0);
    else if (outcome->step == TK_STEP_OK)
        item->base.step = TK_STEP_REFUSED;
    item->base.done(&item->base);
}

enum tk_err idempotency_store_rebind(struct tk_pg *pg, struct bind_item *item, const struct tk_uuid *fresh,
                                     int64_t deadline_us)
{
    struct rebind_op *rebind = tk_alloc(sizeof(*rebind));
    tk_pg_op_init(&rebind->op);
    rebind->item = item;
    rebind->op.deadline_us = deadline_us;
    rebind->op.done = on_rebound;
    rebind->op.arg = rebind;
    struct tk_params *p = tk_pg_op_step(&rebind->op, &sql_rebind_update);
    tk_params_uuid(p, &item->user_id);
    tk_params_text(p, item->key);
    tk_params_uuid(p, &item->reservation_id);
    tk_params_uuid(p, fresh);
    p = tk_pg_op_step(&rebind->op, &sql_rebind_reread);
    tk_params_uuid(p, &item->user_id);
    tk_params_text(p, item->key);
    const enum tk_err err = tk_pg_submit(pg, &rebind->op);
    if (err)
        free(rebind);
    return err;
}
