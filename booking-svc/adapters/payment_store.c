/* Payment attempts: begin, settle, find the pending one. */
#include "booking-svc/adapters/payment_store.h"

#include <stdlib.h>

#include "booking-svc/adapters/statements.h"

/* --- begin --------------------------------------------------------------------------------------------------------- */

const struct tk_pg_statement sql_begin_cas = {
    "begin_cas",
    "WITH want AS ("
    " SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[])"
    "  AS w(id, user_id, attempt_id, payment_id, request_id)"
    "), begun AS ("
    " UPDATE reservations r SET status = 'paying', revision = r.revision + 1, updated_at = now() FROM want w"
    " WHERE r.id = w.id AND r.user_id = w.user_id AND r.status = 'active' AND r.expiry_time > now()"
    " RETURNING r.id, r.revision, r.total_minor, r.currency, w.attempt_id, w.payment_id, w.request_id"
    "), attempts AS ("
    " INSERT INTO payment_attempts (reservation_id, id, payment_id, amount_minor, currency)"
    " SELECT id, attempt_id, payment_id, total_minor, currency FROM begun"
    "), history AS ("
    " INSERT INTO reservation_history (reservation_id, revision, from_status, to_status, actor, reason, request_id)"
    " SELECT id, revision, 'active', 'paying', 'user', 'payment begun', request_id FROM begun"
    ") SELECT count(*) FROM begun",
};

const struct tk_pg_statement sql_begin_reread = {
    "begin_reread",
    "SELECT w.ord, EXISTS (SELECT 1 FROM payment_attempts a WHERE a.reservation_id = r.id AND a.id = w.attempt_id"
    "  AND a.status = 'pending'), " RESERVATION_COLUMNS
    " FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) WITH ORDINALITY AS w(id, user_id, attempt_id, ord)"
    " JOIN reservations r ON r.id = w.id AND r.user_id = w.user_id",
};

const struct tk_pg_statement sql_begin_items = {
    "begin_items",
    "SELECT w.ord, " RESERVATION_ITEM_COLUMNS " FROM unnest($1::uuid[]) WITH ORDINALITY AS w(id, ord)"
    " JOIN reservation_items i ON i.reservation_id = w.id ORDER BY w.ord, i.item_no",
};

static struct begin_item *begin_of(struct write_item *item)
{
    return TK_CONTAINER_OF(item, struct begin_item, base);
}

static void fill_begin(struct tk_pg_op *op, struct write_item *const *items, size_t count)
{
    struct tk_params *p = tk_pg_op_step(op, &sql_lock_reservations);
    ARRAY_PARAM(p, count, UUID, uuid, &items[i]->id);
    p = tk_pg_op_step(op, &sql_begin_cas);
    ARRAY_PARAM(p, count, UUID, uuid, &items[i]->id);
    ARRAY_PARAM(p, count, UUID, uuid, &begin_of(items[i])->user_id);
    ARRAY_PARAM(p, count, UUID, uuid, &begin_of(items[i])->attempt_id);
    ARRAY_PARAM(p, count, UUID, uuid, &begin_of(items[i])->payment_id);
    ARRAY_PARAM(p, count, TEXT, text, tk_slice_of(begin_of(items[i])->request_id));
    p = tk_pg_op_step(op, &sql_begin_reread);
    ARRAY_PARAM(p, count, UUID, uuid, &items[i]->id);
    ARRAY_PARAM(p, count, UUID, uuid, &begin_of(items[i])->user_id);
    ARRAY_PARAM(p, count, UUID, uuid, &begin_of(items[i])->attempt_id);
    p = tk_pg_op_step(op, &sql_begin_items);
    ARRAY_PARAM(p, count, UUID, uuid, &items[i]->id);
}

static enum confirm_answer refusal_of(const struct reservation *r)
{
    switch (reservation_visible_status(r)) {
    case RESERVATION_CONFIRMED:
        return CONFIRM_ANSWER_CONFIRMED;
    case RESERVATION_PAYING:
        return CONFIRM_ANSWER_PAYMENT_IN_PROGRESS;
    case RESERVATION_EXPIRED:
        return CONFIRM_ANSWER_HOLD_EXPIRED;
    case RESERVATION_ACTIVE: /* became payable after the compare-and-set had looked at it: another payment just failed */
        return CONFIRM_ANSWER_PAYMENT_IN_PROGRESS;
    default:
        return CONFIRM_ANSWER_WRONG_STATE;
    }
}

static void read_begin_row(struct begin_item *item, const PGresult *rows, int row)
{
    const bool ours = tk_row_bool(rows, row, 1);
    item->reservation = tk_arena_alloc(item->arena, sizeof(*item->reservation));
    reservation_from_row(rows, row, 2, item->arena, item->reservation);
    if (ours && item->reservation->status == RESERVATION_PAYING)
        item->base.step = TK_STEP_OK;
    else
        item->refusal = refusal_of(item->reservation);
}

static void read_begin(const struct tk_pg_outcome *outcome, struct write_item *const *items, size_t count)
{
    const PGresult *found = outcome->rows[2];
    const PGresult *seats = outcome->rows[3];
    for (size_t i = 0; i < count; i++) {
        begin_of(items[i])->reservation = NULL;
        begin_of(items[i])->refusal = CONFIRM_ANSWER_NOT_FOUND;
    }
    for (int row = 0; row < PQntuples(found); row++)
        read_begin_row(begin_of(items[tk_row_i64(found, row, 0) - 1]), found, row);
    for (int row = 0; row < PQntuples(seats); row++) {
        struct begin_item *item = begin_of(items[tk_row_i64(seats, row, 0) - 1]);
        if (item->reservation != NULL)
            reservation_add_item(item->reservation, seats, row, 1, item->arena);
    }
}

const struct write_kind payment_begin_kind = {
    .name = "begin_payment",
    .fill = fill_begin,
    .read = read_begin,
};

/* --- settle -------------------------------------------------------------------------------------------------------- */

/*
 * The tickets' ids come as one array; a reservation's begin behind $11's element. Joined to unnest() they would be looked
 * through once per reservation.
 */
const struct tk_pg_statement sql_settle_apply = {
    "settle_apply",
    "WITH want AS ("
    " SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::boolean[], $4::bigint[], $5::uuid[], $6::text[], $7::text[],"
    "  $8::text[], $9::text[], $11::integer[], $12::integer[])"
    "  AS w(id, attempt_id, paid, revision, outbox_id, message, traceparent, request_id, actor, ticket_base, tickets)"
    "), attempts AS ("
    " UPDATE payment_attempts a SET settled_at = now(),"
    "  status = CASE WHEN w.paid THEN 'succeeded' ELSE 'failed' END::payment_status"
    " FROM want w JOIN reservations r ON r.id = w.id AND r.status = 'paying' AND r.revision = w.revision"
    " WHERE a.reservation_id = w.id AND a.id = w.attempt_id AND a.status = 'pending' RETURNING w.*"
    "), settled AS ("
    " UPDATE reservations r SET status = CASE WHEN a.paid THEN 'confirmed' ELSE 'active' END::reservation_status,"
    "  revision = r.revision + 1, updated_at = now() FROM attempts a WHERE r.id = a.id"
    " RETURNING r.id, r.user_id, r.session_id, r.currency, r.revision AS new_revision, r.status, a.paid, a.outbox_id,"
    "  a.message, a.traceparent, a.request_id, a.actor, a.ticket_base, a.tickets"
    "), sold AS ("
    " INSERT INTO tickets (id, reservation_id, user_id, session_id, session_seat_id, row_number, seat_number, price_minor,"
    "  currency)"
    " SELECT ($10::uuid[])[s.ticket_base + i.item_no], s.id, s.user_id, s.session_id, i.session_seat_id, i.row_number,"
    "  i.seat_number, i.final_minor, s.currency"
    " FROM settled s JOIN reservation_items i ON i.reservation_id = s.id AND i.item_no <= s.tickets WHERE s.paid"
    "), messages AS ("
    " INSERT INTO outbox (id, routing_key, body, traceparent)"
    " SELECT outbox_id, 'reservation.confirmed', message, traceparent FROM settled WHERE paid"
    "), history AS ("
    " INSERT INTO reservation_history (reservation_id, revision, from_status, to_status, actor, reason, request_id)"
    " SELECT id, new_revision, 'paying', status, actor, CASE WHEN paid THEN 'paid' ELSE 'payment failed' END, request_id"
    " FROM settled"
    ") SELECT count(*) FROM settled",
};

const struct tk_pg_statement sql_settle_reread = {
    "settle_reread",
    "SELECT w.ord, r.status, r.revision, r.updated_at, a.status = 'succeeded', a.status = 'failed'"
    " FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS w(id, attempt_id, ord)"
    " JOIN reservations r ON r.id = w.id JOIN payment_attempts a ON a.reservation_id = w.id AND a.id = w.attempt_id",
};

static struct settle_item *settle_of(struct write_item *item)
{
    return TK_CONTAINER_OF(item, struct settle_item, base);
}

/** $10 to $12: all tickets' ids, and per item how many come before its own, and how many those are. */
static void fill_tickets(struct tk_params *p, struct write_item *const *items, size_t count)
{
    tk_params_array_begin(p, TK_OID_UUID);
    for (size_t i = 0; i < count; i++) {
        for (size_t ticket = 0; ticket < settle_of(items[i])->ticket_count; ticket++)
            tk_params_array_uuid(p, &settle_of(items[i])->ticket_ids[ticket]);
    }
    tk_params_array_end(p);
    size_t before = 0;
    tk_params_array_begin(p, TK_OID_INT4);
    for (size_t i = 0; i < count; i++) {
        tk_params_array_i32(p, (int32_t)before);
        before += settle_of(items[i])->ticket_count;
    }
    tk_params_array_end(p);
    ARRAY_PARAM(p, count, INT4, i32, (int32_t)settle_of(items[i])->ticket_count);
}

static void fill_settle_apply(struct tk_params *p, struct write_item *const *items, size_t count)
{
    ARRAY_PARAM(p, count, UUID, uuid, &items[i]->id);
    ARRAY_PARAM(p, count, UUID, uuid, &settle_of(items[i])->attempt_id);
    ARRAY_PARAM(p, count, BOOL, bool, settle_of(items[i])->paid);
    ARRAY_PARAM(p, count, INT8, i64, settle_of(items[i])->revision);
    ARRAY_PARAM(p, count, UUID, uuid, &settle_of(items[i])->outbox_id);
    ARRAY_PARAM(p, count, TEXT, text, settle_of(items[i])->message);
    ARRAY_PARAM(p, count, TEXT, text, tk_slice_of(settle_of(items[i])->traceparent));
    ARRAY_PARAM(p, count, TEXT, text, tk_slice_of(settle_of(items[i])->request_id));
    ARRAY_PARAM(p, count, TEXT, text, tk_slice_of(settle_of(items[i])->actor));
    fill_tickets(p, items, count);
}

static void fill_settle(struct tk_pg_op *op, struct write_item *const *items, size_t count)
{
    struct tk_params *p = tk_pg_op_step(op, &sql_lock_reservations);
    ARRAY_PARAM(p, count, UUID, uuid, &items[i]->id);
    fill_settle_apply(tk_pg_op_step(op, &sql_settle_apply), items, count);
    p = tk_pg_op_step(op, &sql_settle_reread);
    ARRAY_PARAM(p, count, UUID, uuid, &items[i]->id);
    ARRAY_PARAM(p, count, UUID, uuid, &settle_of(items[i])->attempt_id);
}

static void read_settle(const struct tk_pg_outcome *outcome, struct write_item *const *items, size_t count)
{
    (void)count;
    const PGresult *rows = outcome->rows[2];
    for (int row = 0; row < PQntuples(rows); row++) {
        struct settle_item *item = settle_of(items[tk_row_i64(rows, row, 0) - 1]);
        const bool parsed = reservation_status_parse(tk_row_text(rows, row, 1), &item->status) == TK_OK;
        item->new_revision = tk_row_i64(rows, row, 2);
        item->updated_at_us = tk_row_time(rows, row, 3);
        if (parsed && tk_row_bool(rows, row, item->paid ? 4 : 5))
            item->base.step = TK_STEP_OK;
    }
}

const struct write_kind payment_settle_kind = {
    .name = "settle_payment",
    .fill = fill_settle,
    .read = read_settle,
};

/* --- the pending attempt ------------------------------------------------------------------------------------------- */

const struct tk_pg_statement sql_pending_reservation = {
    "pending_reservation",
    "SELECT " RESERVATION_COLUMNS " FROM reservations r WHERE r.id = $1::uuid",
};

const struct tk_pg_statement sql_pending_attempt = {
    "pending_attempt",
    "SELECT id, payment_id FROM payment_attempts WHERE reservation_id = $1::uuid AND status = 'pending'"
    " ORDER BY id DESC LIMIT 1",
};

struct pending_op {
    struct tk_pg_op op;
    struct tk_arena *arena;
    payment_pending_done *done;
    void *arg;
};

static struct reservation *pending_reservation(const struct tk_pg_outcome *outcome, struct tk_arena *arena)
{
    if (PQntuples(outcome->rows[0]) == 0)
        return NULL;
    struct reservation *r = tk_arena_alloc(arena, sizeof(*r));
    reservation_from_row(outcome->rows[0], 0, 0, arena, r);
    for (int row = 0; row < PQntuples(outcome->rows[1]); row++)
        reservation_add_item(r, outcome->rows[1], row, 0, arena);
    return r;
}

static void on_pending(struct tk_pg_op *op, const struct tk_pg_outcome *outcome)
{
    struct pending_op pending = *(struct pending_op *)op->arg;
    struct reservation *r = NULL;
    struct pending_payment attempt;
    bool has_attempt = false;
    free(op->arg);
    if (outcome->step == TK_STEP_OK) {
        r = pending_reservation(outcome, pending.arena);
        has_attempt = r != NULL && r->status == RESERVATION_PAYING && PQntuples(outcome->rows[2]) == 1;
    }
    if (has_attempt) {
        attempt.attempt_id = tk_row_uuid(outcome->rows[2], 0, 0);
        attempt.payment_id = tk_row_uuid(outcome->rows[2], 0, 1);
    }
    pending.done(pending.arg, outcome->step, r, has_attempt ? &attempt : NULL);
}

enum tk_err payment_store_pending(struct tk_pg *pg, const struct tk_uuid *reservation_id, int64_t deadline_us,
                                  struct tk_arena *arena, payment_pending_done *done, void *arg)
{
    struct pending_op *pending = tk_alloc(sizeof(*pending));
    tk_pg_op_init(&pending->op);
    pending->arena = arena;
    pending->done = done;
    pending->arg = arg;
    pending->op.deadline_us = deadline_us;
    pending->op.done = on_pending;
    pending->op.arg = pending;
    tk_params_uuid(tk_pg_op_step(&pending->op, &sql_pending_reservation), reservation_id);
    tk_params_uuid(tk_pg_op_step(&pending->op, &sql_read_items), reservation_id);
    tk_params_uuid(tk_pg_op_step(&pending->op, &sql_pending_attempt), reservation_id);
    const enum tk_err err = tk_pg_submit(pg, &pending->op);
    if (err) {
        tk_pg_op_release(&pending->op);
        free(pending);
    }
    return err;
}
