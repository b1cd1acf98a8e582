/* The list of statements, and reading reservations from rows. */
#include "booking-svc/adapters/statements.h"

#include <assert.h>
#include <string.h>

#include "shared/idempotency/keyed.h"

const struct tk_pg_statement *const booking_statements[] = {
    &sql_persist_lock,        &sql_persist_insert, &sql_persist_look,    &sql_cancel_cas,
    &sql_cancel_look,         &sql_read_one,       &sql_read_items,      &sql_list_page,
    &sql_list_items,          &sql_fence_insert,   &sql_fence_reread,    &sql_begin_cas,
    &sql_begin_look,          &sql_begin_items,    &sql_settle_apply,    &sql_settle_look,
    &sql_pending_attempt,     &sql_bind_insert,    &sql_bind_reread,     &sql_rebind_update,
    &sql_pending_reservation, &sql_rebind_reread,  &sql_tickets_of_user, &sql_ticket_one,
    &sql_refund_void,         &sql_refund_look,    &sql_refund_due,      &sql_refund_paid,
    &sql_tier_insert,         &sql_tier_page,      &sql_tiers_by_id,     &sql_pending_take_over,
    &sql_read_confirmed,      &tk_sql_key_claim,   &tk_sql_key_keep,     &tk_sql_key_give_back,
    &tk_sql_key_look,         &sql_lineage_beat,   &sql_lineage_judge,   &sql_history_owner,
    &sql_history_page,
};

const size_t booking_statement_count = sizeof(booking_statements) / sizeof(booking_statements[0]);

struct tk_slice row_text_copy(const PGresult *rows, int row, int column, struct tk_arena *arena)
{
    return tk_slice_copy(arena, tk_row_text(rows, row, column));
}

static enum reservation_status status_from_row(const PGresult *rows, int row, int column)
{
    enum reservation_status status = RESERVATION_ACTIVE;
    const enum tk_err err = reservation_status_parse(tk_row_text(rows, row, column), &status);
    assert(err == TK_OK); /* the enum type allows nothing else */
    (void)err;
    return status;
}

void reservation_from_row(const PGresult *rows, int row, int first, struct tk_arena *arena, struct reservation *out)
{
    int column = first;
    *out = (struct reservation){0};
    out->id = tk_row_uuid(rows, row, column++);
    out->user_id = tk_row_uuid(rows, row, column++);
    out->session_id = tk_row_uuid(rows, row, column++);
    out->status = status_from_row(rows, row, column++);
    out->revision = tk_row_i64(rows, row, column++);
    out->booking_time_us = tk_row_time(rows, row, column++);
    out->expiry_time_us = tk_row_time(rows, row, column++);
    out->seats_count = tk_row_i32(rows, row, column++);
    out->total_minor = tk_row_i64(rows, row, column++);
    const struct tk_slice currency = tk_row_text(rows, row, column++);
    memcpy(out->currency, currency.ptr, currency.len < 3 ? currency.len : 3);
    out->created_at_us = tk_row_time(rows, row, column++);
    out->updated_at_us = tk_row_time(rows, row, column++);
    out->overdue = tk_row_bool(rows, row, column++);
    out->remaining_s = tk_row_i64(rows, row, column);
    out->items = tk_arena_alloc(arena, ((size_t)out->seats_count + 1) * sizeof(*out->items));
}

void reservation_add_item(struct reservation *r, const PGresult *rows, int row, int first, struct tk_arena *arena)
{
    if (r->item_count >= (size_t)r->seats_count)
        return; /* more items than seats_count says: `verify` reports it, readers see what was counted */
    struct reservation_item *item = &r->items[r->item_count++];
    item->id = tk_row_uuid(rows, row, first);
    item->session_seat_id = tk_row_uuid(rows, row, first + 1);
    item->row_number = row_text_copy(rows, row, first + 2, arena);
    item->seat_number = row_text_copy(rows, row, first + 3, arena);
    item->price_minor = tk_row_i64(rows, row, first + 4);
    item->discount_minor = tk_row_i64(rows, row, first + 5);
    item->final_minor = tk_row_i64(rows, row, first + 6);
    item->price_tier_id = tk_row_uuid(rows, row, first + 7);
}
