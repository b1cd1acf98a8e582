/**
 * Every prepared statement of this service, by store, and what stores share when they read reservations.
 */
#ifndef BOOKING_ADAPTERS_STATEMENTS_H
#define BOOKING_ADAPTERS_STATEMENTS_H

#include "booking-svc/domain/reservation.h"
#include "shared/pg/pg.h"

extern const struct tk_pg_statement sql_persist_lock, sql_persist_insert, sql_persist_look, sql_cancel_cas, sql_cancel_look,
    sql_read_one, sql_read_items, sql_list_page, sql_list_items, sql_fence_insert, sql_fence_reread;
extern const struct tk_pg_statement sql_read_confirmed, sql_history_owner, sql_history_page;
extern const struct tk_pg_statement sql_begin_cas, sql_begin_look, sql_begin_items, sql_settle_apply, sql_settle_look,
    sql_pending_take_over, sql_pending_reservation, sql_pending_attempt, sql_lineage_beat, sql_lineage_judge;
extern const struct tk_pg_statement sql_refund_void, sql_refund_look, sql_refund_due, sql_refund_paid;
extern const struct tk_pg_statement sql_bind_insert, sql_bind_reread, sql_rebind_update, sql_rebind_reread;
extern const struct tk_pg_statement sql_tickets_of_user, sql_ticket_one;
extern const struct tk_pg_statement sql_tier_insert, sql_tier_page, sql_tiers_by_id;

extern const struct tk_pg_statement *const booking_statements[];
extern const size_t booking_statement_count;

/**
 * "The deadline of alias r has not passed", for statements that find their rows by key. Compared as part of a row, so that
 * no index can serve it: on a database whose holds are all over, the planner believes that hardly a row fulfils a plain
 * `expiry_time > now()`, takes the index of deadlines instead of the key, and reads every hold of a rush for each item.
 */
#define STILL_HELD "(r.id, r.expiry_time) > (r.id, now())"

/** Columns of alias r for reservation_from_row(), in its order. */
#define RESERVATION_COLUMNS                                                                                                \
    "r.id, r.user_id, r.session_id, r.status, r.revision, r.booking_time, r.expiry_time, r.seats_count, r.total_minor, "   \
    "r.currency, r.created_at, r.updated_at, r.expiry_time <= now(), "                                                     \
    "greatest(0, ceil(extract(epoch FROM r.expiry_time - now())))::bigint"

/** Columns of alias i for reservation_add_item(), in its order. */
#define RESERVATION_ITEM_COLUMNS                                                                                           \
    "i.id, i.session_seat_id, i.row_number, i.seat_number, i.price_minor, i.discount_minor, i.final_minor, "               \
    "i.price_tier_id"

/** Reads RESERVATION_COLUMNS from column `first` on, with room for its items in `arena`. */
void reservation_from_row(const PGresult *rows, int row, int first, struct tk_arena *arena, struct reservation *out);

/** Appends the item in RESERVATION_ITEM_COLUMNS from column `first` on; text is copied into `arena`. */
void reservation_add_item(struct reservation *r, const PGresult *rows, int row, int first, struct tk_arena *arena);

/** A copy of a text column that outlives the result. */
struct tk_slice row_text_copy(const PGresult *rows, int row, int column, struct tk_arena *arena);

#endif
