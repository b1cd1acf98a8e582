/* Refunds: void a paid reservation, find what is due, write down that it was given back. */
#include "booking-svc/adapters/refund_store.h"

#include <stdlib.h>
#include <string.h>

#include "booking-svc/adapters/statements.h"

/* A compare-and-set as in payment_store.c: whoever knows the revision of the paying reservation knows its attempt. */
const struct tk_pg_statement sql_refund_void = {
    "refund_void",
    "WITH voided AS ("
    " UPDATE reservations r SET status = 'refunded', revision = r.revision + 1, updated_at = now()"
    " WHERE r.id = $1::uuid AND r.status = 'paying' AND r.revision = $2::bigint"
    " RETURNING r.id, r.revision, r.total_minor, r.currency"
    "), attempts AS ("
    " UPDATE payment_attempts a SET status = 'succeeded', settled_at = now()"
    " FROM voided v WHERE a.reservation_id = v.id AND a.id = $3::uuid"
    "), refund AS ("
    " INSERT INTO refunds (attempt_id, reservation_id, amount_minor, currency, reason)"
    " SELECT $3::uuid, id, total_minor, currency, 'seat has another ticket' FROM voided"
    "), messages AS ("
    " INSERT INTO outbox (id, routing_key, body, traceparent)"
    " SELECT $4::uuid, 'reservation.cancelled', $5::text, $6::text FROM voided"
    ") INSERT INTO reservation_history (reservation_id, revision, from_status, to_status, actor, reason, request_id)"
    " SELECT id, revision, 'paying', 'refunded', $7::text, 'seat has another ticket', $8::text FROM voided",
};

/* A statement of its own, so that it sees what an earlier try, whose answer was lost, has written. */
const struct tk_pg_statement sql_refund_look = {
    "refund_look",
    "SELECT r.revision FROM refunds f JOIN reservations r ON r.id = f.reservation_id AND r.status = 'refunded'"
    " WHERE f.attempt_id = $1::uuid",
};

const struct tk_pg_statement sql_refund_due = {
    "refund_due",
    "SELECT attempt_id, amount_minor, currency FROM refunds WHERE reservation_id = $1::uuid AND refunded_at IS NULL"
    " ORDER BY created_at LIMIT 1",
};

const struct tk_pg_statement sql_refund_paid = {
    "refund_paid",
    "UPDATE refunds SET refunded_at = now() WHERE attempt_id = $1::uuid AND refunded_at IS NULL",
};

struct refund_op {
    struct tk_pg_op op;
    union {
        refund_voided *voided;
        refund_found *found;
        refund_stored *stored;
    } done;
    void *arg;
};

static struct refund_op *refund_op_new(int64_t deadline_us, tk_pg_done_fn *on_answer, void *arg)
{
    struct refund_op *r = tk_alloc(sizeof(*r));
    tk_pg_op_init(&r->op);
    r->op.deadline_us = deadline_us;
    r->op.done = on_answer;
    r->op.arg = r;
    r->arg = arg;
    return r;
}

static enum tk_err send(struct tk_pg *pg, struct refund_op *r)
{
    const enum tk_err err = tk_pg_submit(pg, &r->op);
    if (err)
        free(r);
    return err;
}

static void on_voided(struct tk_pg_op *op, const struct tk_pg_outcome *outcome)
{
    const struct refund_op r = *(struct refund_op *)op->arg;
    enum tk_step step = outcome->step;
    int64_t revision = 0;
    free(op->arg);
    if (step == TK_STEP_OK && PQntuples(outcome->rows[1]) == 0)
        step = TK_STEP_REFUSED;
    if (step == TK_STEP_OK)
        revision = tk_row_i64(outcome->rows[1], 0, 0);
    r.done.voided(r.arg, step, revision);
}

enum tk_err refund_store_void(struct tk_pg *pg, const struct refund_void *what, int64_t deadline_us, refund_voided *done,
                              void *arg)
{
    struct refund_op *r = refund_op_new(deadline_us, on_voided, arg);
    r->done.voided = done;
    struct tk_params *p = tk_pg_op_step(&r->op, &sql_refund_void);
    tk_params_uuid(p, &what->reservation->id);
    tk_params_i64(p, what->reservation->revision);
    tk_params_uuid(p, &what->attempt_id);
    tk_params_uuid(p, &what->outbox_id);
    tk_params_text(p, what->message);
    tk_params_text(p, tk_slice_of(what->traceparent));
    tk_params_text(p, tk_slice_of(what->actor));
    tk_params_text(p, tk_slice_of(what->request_id));
    tk_params_uuid(tk_pg_op_step(&r->op, &sql_refund_look), &what->attempt_id);
    return send(pg, r);
}

static void on_found(struct tk_pg_op *op, const struct tk_pg_outcome *outcome)
{
    const struct refund_op r = *(struct refund_op *)op->arg;
    struct refund_due due = {0};
    const bool found = outcome->step == TK_STEP_OK && PQntuples(outcome->rows[0]) == 1;
    free(op->arg);
    if (found) {
        struct tk_slice currency = tk_row_text(outcome->rows[0], 0, 2);
        due.attempt_id = tk_row_uuid(outcome->rows[0], 0, 0);
        due.amount_minor = tk_row_i64(outcome->rows[0], 0, 1);
        memcpy(due.currency, currency.ptr, currency.len < 3 ? currency.len : 3);
    }
    r.done.found(r.arg, outcome->step, found ? &due : NULL);
}

enum tk_err refund_store_find(struct tk_pg *pg, const struct tk_uuid *reservation_id, int64_t deadline_us,
                              refund_found *done, void *arg)
{
    struct refund_op *r = refund_op_new(deadline_us, on_found, arg);
    r->done.found = done;
    tk_params_uuid(tk_pg_op_step(&r->op, &sql_refund_due), reservation_id);
    return send(pg, r);
}

static void on_stored(struct tk_pg_op *op, const struct tk_pg_outcome *outcome)
{
    const struct refund_op r = *(struct refund_op *)op->arg;
    free(op->arg);
    r.done.stored(r.arg, outcome->step);
}

enum tk_err refund_store_paid(struct tk_pg *pg, const struct tk_uuid *attempt_id, int64_t deadline_us, refund_stored *done,
                              void *arg)
{
    struct refund_op *r = refund_op_new(deadline_us, on_stored, arg);
    r->done.stored = done;
    tk_params_uuid(tk_pg_op_step(&r->op, &sql_refund_paid), attempt_id);
    return send(pg, r);
}
