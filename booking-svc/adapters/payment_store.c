/* Payment attempts: begin, settle, find the pending one. */
#include "booking-svc/adapters/payment_store.h"

#include <stdlib.h>
#include <string.h>

#include "booking-svc/adapters/statements.h"

/* --- begin --------------------------------------------------------------------------------------------------------- */

/*
 * Waiting for a row's lock ends in a second look at the row as it is then, so the conditions on it need no lock of their
 * own beforehand. Rows are locked in the order of the array (write_queue.h).
 */
const struct tk_pg_statement sql_begin_cas = {
    "begin_cas",
    "WITH begun AS ("
    " UPDATE reservations r SET status = 'paying', revision = r.revision + 1, updated_at = now()"
    " FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[]) WITH ORDINALITY"
    "  AS w(id, user_id, attempt_id, payment_id, request_id, ord)"
    " WHERE r.id = w.id AND r.user_id = w.user_id AND r.status = 'active' AND " STILL_HELD
    " RETURNING r.*, w.attempt_id, w.payment_id, w.request_id, w.ord"
    "), attempts AS ("
    " INSERT INTO payment_attempts (reservation_id, id, payment_id, amount_minor, currency)"
    " SELECT id, attempt_id, payment_id, total_minor, currency FROM begun"
    "), history AS ("
    " INSERT INTO reservation_history (reservation_id, revision, from_status, to_status, actor, reason, request_id)"
    " SELECT id, revision, 'active', 'paying', 'user', 'payment begun', request_id FROM begun"
    ") SELECT r.ord, true, " RESERVATION_COLUMNS " FROM begun r",
};

const struct tk_pg_statement sql_begin_look = {
    "begin_look",
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

static void fill_begin_items(struct tk_pg_op *op, struct write_item *const *items, size_t count)
{
    struct tk_params *p = tk_pg_op_step(op, &sql_begin_items);
    TK_ARRAY_PARAM(p, count, UUID, uuid, &items[i]->id);
}

static void fill_begin(struct tk_pg_op *op, struct write_item *const *items, size_t count)
{
    struct tk_params *p = tk_pg_op_step(op, &sql_begin_cas);
    TK_ARRAY_PARAM(p, count, UUID, uuid, &items[i]->id);
    TK_ARRAY_PARAM(p, count, UUID, uuid, &begin_of(items[i])->user_id);
    TK_ARRAY_PARAM(p, count, UUID, uuid, &begin_of(items[i])->attempt_id);
    TK_ARRAY_PARAM(p, count, UUID, uuid, &begin_of(items[i])->payment_id);
    TK_ARRAY_PARAM(p, count, TEXT, text, tk_slice_of(begin_of(items[i])->request_id));
    fill_begin_items(op, items, count);
}

static void fill_begin_look(struct tk_pg_op *op, struct write_item *const *items, size_t count)
{
    struct tk_params *p = tk_pg_op_step(op, &sql_begin_look);
    TK_ARRAY_PARAM(p, count, UUID, uuid, &items[i]->id);
    TK_ARRAY_PARAM(p, count, UUID, uuid, &begin_of(items[i])->user_id);
    TK_ARRAY_PARAM(p, count, UUID, uuid, &begin_of(items[i])->attempt_id);
    fill_begin_items(op, items, count);
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

/** Both statements, the one that begins and the one that looks, answer with the same columns. */
static void read_begin(const struct tk_pg_outcome *outcome, struct write_item *const *items, size_t count)
{
    const PGresult *found = outcome->rows[0];
    const PGresult *seats = outcome->rows[1];
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
    .look_fill = fill_begin_look,
    .look_read = read_begin,
};

/* --- settle -------------------------------------------------------------------------------------------------------- */

/*
 * A revision belongs to one attempt: who knows that of the paying reservation has read them together. So the reservation's
 * row decides, and the attempt is found by the place it was seen at, since only the winner of that row changes it.
 */
const struct tk_pg_statement sql_settle_apply = {
    "settle_apply",
    "WITH settled AS ("
    " UPDATE reservations r SET status = CASE WHEN w.paid THEN 'confirmed' ELSE 'active' END::reservation_status,"
    "  revision = r.revision + 1, updated_at = now()"
    " FROM unnest($1::uuid[], $2::uuid[], $3::boolean[], $4::bigint[], $5::uuid[], $6::text[], $7::text[], $8::text[],"
    "  $9::text[], $13::text[], $14::text[]) WITH ORDINALITY"
    "  AS w(id, attempt_id, paid, revision, outbox_id, message, traceparent, request_id, actor, key, declined, ord)"
    " JOIN payment_attempts a ON a.reservation_id = w.id AND a.id = w.attempt_id AND a.status = 'pending'"
    " WHERE r.id = w.id AND r.status = 'paying' AND r.revision = w.revision"
    " RETURNING r.id, r.revision, r.status, r.updated_at, w.paid, a.ctid AS attempt, w.outbox_id, w.message,"
    "  w.traceparent, w.request_id, w.actor, w.key, w.declined, r.user_id, w.ord"
    "), attempts AS ("
    " UPDATE payment_attempts a SET settled_at = now(),"
    "  status = CASE WHEN s.paid THEN 'succeeded' ELSE 'failed' END::payment_status"
    " FROM settled s WHERE a.ctid = s.attempt"
    "), sold AS ("
    " INSERT INTO tickets (id, reservation_id, session_seat_id)"
    " SELECT t.id, t.reservation_id, t.session_seat_id FROM unnest($10::uuid[], $11::uuid[], $12::uuid[])"
    "  AS t(id, reservation_id, session_seat_id)"
    " WHERE (t.reservation_id IN (SELECT id FROM settled WHERE paid)) IS TRUE"
    "), messages AS ("
    " INSERT INTO outbox (id, routing_key, body, traceparent)"
    " SELECT outbox_id, 'reservation.confirmed', message, traceparent FROM settled WHERE paid"
    "), history AS ("
    " INSERT INTO reservation_history (reservation_id, revision, from_status, to_status, actor, reason, request_id)"
    " SELECT id, revision, 'paying', status, actor, CASE WHEN paid THEN 'paid' ELSE 'payment failed' END, request_id"
    " FROM settled"
    "), keys AS ("
    " UPDATE idempotency_keys k SET status = CASE WHEN s.paid THEN 200 ELSE 402 END, response = s.declined FROM settled s"
    " WHERE s.key IS NOT NULL AND k.user_id = s.user_id AND k.key = s.key AND k.reservation_id = s.id"
    ") SELECT ord, status, revision, updated_at, paid, NOT paid FROM settled",
};

const struct tk_pg_statement sql_settle_look = {
    "settle_look",
    "SELECT w.ord, r.status, r.revision, r.updated_at, a.status = 'succeeded', a.status = 'failed'"
    " FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS w(id, attempt_id, ord)"
    " JOIN reservations r ON r.id = w.id JOIN payment_attempts a ON a.reservation_id = w.id AND a.id = w.attempt_id",
};

static struct settle_item *settle_of(struct write_item *item)
{
    return TK_CONTAINER_OF(item, struct settle_item, base);
}

/** One array parameter with an element per ticket; `r` and `seat` are in scope of `value`. */
#define TICKET_ARRAY_PARAM(p, value)                                                                                       \
    do {                                                                                                                   \
        tk_params_array_begin((p), TK_OID_UUID);                                                                           \
        for (size_t i = 0; i < count; i++) {                                                                               \
            const struct reservation *r = settle_of(items[i])->reservation;                                                \
            for (size_t seat = 0; seat < r->item_count && settle_of(items[i])->paid; seat++)                               \
                tk_params_array_uuid((p), (value));                                                                        \
        }                                                                                                                  \
        tk_params_array_end(p);                                                                                            \
    } while (0)

/** A ticket has the id of the reservation's item, so confirming again could never make a second one. */
static void fill_tickets(struct tk_params *p, struct write_item *const *items, size_t count)
{
    TICKET_ARRAY_PARAM(p, &r->items[seat].id);
    TICKET_ARRAY_PARAM(p, &r->id);
    TICKET_ARRAY_PARAM(p, &r->items[seat].session_seat_id);
}

static void fill_settle(struct tk_pg_op *op, struct write_item *const *items, size_t count)
{
    struct tk_params *p = tk_pg_op_step(op, &sql_settle_apply);
    TK_ARRAY_PARAM(p, count, UUID, uuid, &items[i]->id);
    TK_ARRAY_PARAM(p, count, UUID, uuid, &settle_of(items[i])->attempt_id);
    TK_ARRAY_PARAM(p, count, BOOL, bool, settle_of(items[i])->paid);
    TK_ARRAY_PARAM(p, count, INT8, i64, settle_of(items[i])->reservation->revision);
    TK_ARRAY_PARAM(p, count, UUID, uuid, &settle_of(items[i])->outbox_id);
    TK_ARRAY_PARAM(p, count, TEXT, text, settle_of(items[i])->message);
    TK_ARRAY_PARAM(p, count, TEXT, text, tk_slice_of(settle_of(items[i])->traceparent));
    TK_ARRAY_PARAM(p, count, TEXT, text, tk_slice_of(settle_of(items[i])->request_id));
    TK_ARRAY_PARAM(p, count, TEXT, text, tk_slice_of(settle_of(items[i])->actor));
    fill_tickets(p, items, count);
    TK_ARRAY_PARAM(p, count, TEXT, text, settle_of(items[i])->key);
    TK_ARRAY_PARAM(p, count, TEXT, text, settle_of(items[i])->declined);
}

static void fill_settle_look(struct tk_pg_op *op, struct write_item *const *items, size_t count)
{
    struct tk_params *p = tk_pg_op_step(op, &sql_settle_look);
    TK_ARRAY_PARAM(p, count, UUID, uuid, &items[i]->id);
    TK_ARRAY_PARAM(p, count, UUID, uuid, &settle_of(items[i])->attempt_id);
}

static void read_settle(const struct tk_pg_outcome *outcome, struct write_item *const *items, size_t count)
{
    (void)count;
    const PGresult *rows = outcome->rows[0];
    for (int row = 0; row < PQntuples(rows); row++) {
        struct settle_item *item = settle_of(items[tk_row_i64(rows, row, 0) - 1]);
        const bool parsed = reservation_status_parse(tk_row_text(rows, row, 1), &item->status) == TK_OK;
        item->new_revision = tk_row_i64(rows, row, 2);
        item->updated_at_us = tk_row_time(rows, row, 3);
        if (parsed && tk_row_bool(rows, row, item->paid ? 4 : 5))
            item->base.step = TK_STEP_OK;
    }
}

static void settle_refused(struct write_item *item, const char *constraint)
{
    settle_of(item)->seat_has_ticket = strcmp(constraint, "tickets_one_per_seat") == 0;
}

const struct write_kind payment_settle_kind = {
    .name = "settle_payment",
    .fill = fill_settle,
    .read = read_settle,
    .look_fill = fill_settle_look,
    .look_read = read_settle,
    .refused = settle_refused,
};

/* --- the pending attempt ------------------------------------------------------------------------------------------- */

/* Whoever read the reservation before, and still means to settle it, is refused from now on. */
const struct tk_pg_statement sql_pending_take_over = {
    "pending_take_over",
    "WITH taken AS ("
    " UPDATE reservations r SET revision = r.revision + 1, updated_at = now()"
    " WHERE r.id = $1::uuid AND r.status = 'paying' RETURNING r.id, r.revision"
    ") INSERT INTO reservation_history (reservation_id, revision, from_status, to_status, actor, reason, request_id)"
    " SELECT id, revision, 'paying', 'paying', 'worker', 'payment taken over', $2::text FROM taken",
};

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
    if (PQntuples(outcome->rows[1]) == 0)
        return NULL;
    struct reservation *r = tk_arena_alloc(arena, sizeof(*r));
    reservation_from_row(outcome->rows[1], 0, 0, arena, r);
    for (int row = 0; row < PQntuples(outcome->rows[2]); row++)
        reservation_add_item(r, outcome->rows[2], row, 0, arena);
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
        has_attempt = r != NULL && r->status == RESERVATION_PAYING && PQntuples(outcome->rows[3]) == 1;
    }
    if (has_attempt) {
        attempt.attempt_id = tk_row_uuid(outcome->rows[3], 0, 0);
        attempt.payment_id = tk_row_uuid(outcome->rows[3], 0, 1);
    }
    pending.done(pending.arg, outcome->step, r, has_attempt ? &attempt : NULL);
}

enum tk_err payment_store_pending(struct tk_pg *pg, const struct tk_uuid *reservation_id, const char *request_id,
                                  int64_t deadline_us, struct tk_arena *arena, payment_pending_done *done, void *arg)
{
    struct pending_op *pending = tk_alloc(sizeof(*pending));
    tk_pg_op_init(&pending->op);
    pending->arena = arena;
    pending->done = done;
    pending->arg = arg;
    pending->op.deadline_us = deadline_us;
    pending->op.done = on_pending;
    pending->op.arg = pending;
    struct tk_params *p = tk_pg_op_step(&pending->op, &sql_pending_take_over);
    tk_params_uuid(p, reservation_id);
    tk_params_text(p, tk_slice_of(request_id));
    tk_params_uuid(tk_pg_op_step(&pending->op, &sql_pending_reservation), reservation_id);
    tk_params_uuid(tk_pg_op_step(&pending->op, &sql_read_items), reservation_id);
    tk_params_uuid(tk_pg_op_step(&pending->op, &sql_pending_attempt), reservation_id);
    const enum tk_err err = tk_pg_submit(pg, &pending->op);
    if (err)
        free(pending);
    return err;
}
