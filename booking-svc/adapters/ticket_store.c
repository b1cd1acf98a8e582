/* Reading tickets. */
#include "booking-svc/adapters/ticket_store.h"

#include <stdlib.h>

#include "booking-svc/adapters/statements.h"

/* A ticket's row holds what is its own; the rest stands, unchanging, with the reservation and its items. */
#define TICKET_COLUMNS                                                                                                     \
    "t.id, t.reservation_id, r.user_id, r.session_id, t.session_seat_id, i.row_number, i.seat_number, i.final_minor, "     \
    "t.status, t.used_at IS NOT NULL, t.created_at"

/* No index on the tickets' user: every ticket would pay for it with a page of its own. A user's reservations are few. */
const struct tk_pg_statement sql_tickets_of_user = {
    "tickets_of_user",
    "SELECT " TICKET_COLUMNS " FROM reservations r JOIN reservation_items i ON i.reservation_id = r.id"
    " JOIN tickets t ON t.id = i.id"
    " WHERE r.user_id = $1::uuid AND ($2::uuid IS NULL OR t.id < $2::uuid) ORDER BY t.id DESC LIMIT $3::bigint",
};

const struct tk_pg_statement sql_ticket_one = {
    "ticket_one",
    "SELECT " TICKET_COLUMNS " FROM tickets t JOIN reservations r ON r.id = t.reservation_id"
    " JOIN reservation_items i ON i.reservation_id = t.reservation_id AND i.id = t.id"
    " WHERE t.id = $1::uuid AND ($2::uuid IS NULL OR r.user_id = $2::uuid)",
};

struct ticket_op {
    struct tk_pg_op op;
    struct tk_arena *arena;
    int64_t limit;
    ticket_list_done *done;
    void *arg;
};

static void ticket_from_row(const PGresult *rows, int row, struct tk_arena *arena, struct ticket *out)
{
    out->id = tk_row_uuid(rows, row, 0);
    out->reservation_id = tk_row_uuid(rows, row, 1);
    out->user_id = tk_row_uuid(rows, row, 2);
    out->session_id = tk_row_uuid(rows, row, 3);
    out->session_seat_id = tk_row_uuid(rows, row, 4);
    out->row_number = row_text_copy(rows, row, 5, arena);
    out->seat_number = row_text_copy(rows, row, 6, arena);
    out->price_minor = tk_row_i64(rows, row, 7);
    out->status = row_text_copy(rows, row, 8, arena);
    out->is_used = tk_row_bool(rows, row, 9);
    out->created_at_us = tk_row_time(rows, row, 10);
}

static void on_tickets(struct tk_pg_op *op, const struct tk_pg_outcome *outcome)
{
    const struct ticket_op read = *(struct ticket_op *)op->arg;
    struct ticket *list = NULL;
    size_t count = 0;
    bool more = false;
    free(op->arg);
    if (outcome->step == TK_STEP_OK) {
        const size_t found = (size_t)PQntuples(outcome->rows[0]);
        more = found > (size_t)read.limit;
        count = more ? (size_t)read.limit : found;
        list = tk_arena_alloc(read.arena, (count + 1) * sizeof(*list));
        for (size_t i = 0; i < count; i++)
            ticket_from_row(outcome->rows[0], (int)i, read.arena, &list[i]);
    }
    read.done(read.arg, outcome->step, list, count, more);
}

static struct ticket_op *ticket_op_new(int64_t limit, int64_t deadline_us, struct tk_arena *arena, ticket_list_done *done,
                                       void *arg)
{
    struct ticket_op *read = tk_alloc(sizeof(*read));
    tk_pg_op_init(&read->op);
    read->op.deadline_us = deadline_us;
    read->op.done = on_tickets;
    read->op.arg = read;
    read->arena = arena;
    read->limit = limit;
    read->done = done;
    read->arg = arg;
    return read;
}

static enum tk_err ticket_op_submit(struct tk_pg *pg, struct ticket_op *read)
{
    const enum tk_err err = tk_pg_submit(pg, &read->op);
    if (err)
        free(read);
    return err;
}

enum tk_err ticket_store_list(struct tk_pg *pg, const struct tk_uuid *user, const struct tk_uuid *before, int64_t limit,
                              int64_t deadline_us, struct tk_arena *arena, ticket_list_done *done, void *arg)
{
    struct ticket_op *read = ticket_op_new(limit, deadline_us, arena, done, arg);
    struct tk_params *p = tk_pg_op_step(&read->op, &sql_tickets_of_user);
    tk_params_uuid(p, user);
    tk_params_uuid(p, tk_uuid_is_nil(before) ? NULL : before);
    tk_params_i64(p, limit + 1);
    return ticket_op_submit(pg, read);
}

enum tk_err ticket_store_read(struct tk_pg *pg, const struct tk_uuid *id, const struct tk_uuid *user, int64_t deadline_us,
                              struct tk_arena *arena, ticket_list_done *done, void *arg)
{
    struct ticket_op *read = ticket_op_new(1, deadline_us, arena, done, arg);
    struct tk_params *p = tk_pg_op_step(&read->op, &sql_ticket_one);
    tk_params_uuid(p, id);
    tk_params_uuid(p, user);
    return ticket_op_submit(pg, read);
}
