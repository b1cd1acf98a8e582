/* Batched writes of reservations: persisting new ones, cancelling. One transaction per batch, a result per item. */
#include <stdlib.h>
#include <string.h>

#include "booking-svc/adapters/reservation_store.h"
#include "booking-svc/adapters/statements.h"
#include "shared/base/clock.h"

#define CLOCK_SLACK_US (300 * TK_US_PER_S) /* between the clocks of two instances that count for one user */

/* --- persist ------------------------------------------------------------------------------------------------------- */

/*
 * The seat limit. Two requests of one user must not both see room for one: the batch first takes a transaction lock for
 * each of its users and sessions, in the order of the numbers, so that batches on other connections and in other processes
 * wait instead of deadlocking; the insert is the next statement, whose snapshot is younger than the locks. Two users whose
 * numbers are equal wait for each other, no more.
 */
const struct tk_pg_statement sql_persist_lock = {
    "persist_lock",
    "SELECT count(pg_advisory_xact_lock(k)) FROM unnest($1::bigint[]) AS k",
};

/*
 * `fits`: what the user holds in that session, and what the batch would add. Small ones are counted first: none is refused
 * that would have fitted beside those accepted. Only the user's latest reservations are looked at, by the index that lists
 * them; (user, id) is compared as a row so that no other index can be taken for it. How late is late enough: an id made
 * more than a hold's time ago ($24) is not stored, so whatever is still held has an id of less than two ($23). Nobody's
 * past, be it a night of reserving and cancelling, is read by the batch of everybody else.
 *
 * Which of the batch was stored is answered from a hash table: (x IN (SELECT …)) IS TRUE stays a hashed subplan. As a join
 * it would be a nested loop of batch times seats, the only kind TK_PG_KEY_LOOKUPS leaves.
 */
const struct tk_pg_statement sql_persist_insert = {
    "persist_insert",
    "WITH want AS ("
    " SELECT w.*, $22::bigint = 0 OR CASE WHEN $22 > 0 THEN ("
    "   SELECT coalesce(sum(r.seats_count), 0) FROM reservations r"
    "    WHERE r.user_id = w.user_id AND r.session_id = w.session_id"
    "     AND (r.user_id, r.id) >= (w.user_id, $23::uuid) AND " STILL_HELD
    "     AND r.status IN ('active', 'paying') AND r.id <> w.id"
    "  ) END + sum(w.seats) OVER (PARTITION BY w.user_id, w.session_id ORDER BY w.seats, w.ord) <= $22 AS fits"
    " FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[], $5::timestamptz[], $6::integer[],"
    "  $7::bigint[], $8::text[], $9::text[], $10::text[], $11::text[]) WITH ORDINALITY"
    "  AS w(id, user_id, session_id, booked, expiry, seats, total, currency, key, response, request_id, ord)"
    "), stored AS ("
    " INSERT INTO reservations (id, user_id, session_id, status, booking_time, expiry_time, seats_count, total_minor,"
    "  currency, created_at, updated_at)"
    " SELECT id, user_id, session_id, 'active', booked, expiry, seats, total, currency, booked, booked FROM want"
    " WHERE expiry > now() AND id >= $24::uuid AND fits ORDER BY id ON CONFLICT (id) DO NOTHING RETURNING id"
    "), items AS ("
    " INSERT INTO reservation_items (reservation_id, item_no, id, session_seat_id, row_number, seat_number, price_minor,"
    "  discount_minor, final_minor, price_tier_id)"
    " SELECT i.* FROM unnest($12::uuid[], $13::integer[], $14::uuid[], $15::uuid[], $16::text[], $17::text[],"
    "  $18::bigint[], $19::bigint[], $20::bigint[], $21::uuid[])"
    "  AS i(reservation_id, item_no, id, session_seat_id, row_number, seat_number, price, discount, final, tier)"
    " WHERE (i.reservation_id IN (SELECT id FROM stored)) IS TRUE"
    "), history AS ("
    " INSERT INTO reservation_history (reservation_id, revision, to_status, actor, reason, request_id)"
    " SELECT id, 1, 'active', 'user', 'created', request_id FROM want WHERE (id IN (SELECT id FROM stored)) IS TRUE"
    "), keys AS ("
    " UPDATE idempotency_keys k SET status = 201, response = w.response FROM want w"
    " WHERE w.key IS NOT NULL AND k.user_id = w.user_id AND k.key = w.key AND k.reservation_id = w.id"
    "  AND (w.id IN (SELECT id FROM stored)) IS TRUE"
    ") SELECT ord, fits FROM want WHERE (id IN (SELECT id FROM stored)) IS TRUE OR NOT fits",
};

/* ON CONFLICT DO NOTHING says nothing about the row it met: a second statement reads it. */
const struct tk_pg_statement sql_persist_look = {
    "persist_look",
    "SELECT w.ord, r.status, r.seats_count FROM unnest($1::uuid[]) WITH ORDINALITY AS w(id, ord)"
    " JOIN reservations r ON r.id = w.id",
};

static struct persist_item *persist_of(struct write_item *item)
{
    return TK_CONTAINER_OF(item, struct persist_item, base);
}

static const struct reservation *new_reservation(struct write_item *item)
{
    return persist_of(item)->reservation;
}

static void fill_reservations(struct tk_params *p, struct write_item *const *items, size_t count)
{
    TK_ARRAY_PARAM(p, count, UUID, uuid, &items[i]->id);
    TK_ARRAY_PARAM(p, count, UUID, uuid, &new_reservation(items[i])->user_id);
    TK_ARRAY_PARAM(p, count, UUID, uuid, &new_reservation(items[i])->session_id);
    TK_ARRAY_PARAM(p, count, TIMESTAMPTZ, time, new_reservation(items[i])->booking_time_us);
    TK_ARRAY_PARAM(p, count, TIMESTAMPTZ, time, new_reservation(items[i])->expiry_time_us);
    TK_ARRAY_PARAM(p, count, INT4, i32, (int32_t)new_reservation(items[i])->item_count);
    TK_ARRAY_PARAM(p, count, INT8, i64, new_reservation(items[i])->total_minor);
    TK_ARRAY_PARAM(p, count, TEXT, text, tk_slice_of(new_reservation(items[i])->currency));
    TK_ARRAY_PARAM(p, count, TEXT, text, persist_of(items[i])->key);
    TK_ARRAY_PARAM(p, count, TEXT, text,
                   persist_of(items[i])->key.ptr ? persist_of(items[i])->response : (struct tk_slice){0});
    TK_ARRAY_PARAM(p, count, TEXT, text, tk_slice_of(persist_of(items[i])->request_id));
}

/** One array parameter with an element per seat; `r` and `seat` (from 0) are in scope of `value`. */
#define SEAT_ARRAY_PARAM(p, oid, kind, value)                                                                              \
    do {                                                                                                                   \
        tk_params_array_begin((p), TK_OID_##oid);                                                                          \
        for (size_t i = 0; i < count; i++) {                                                                               \
            const struct reservation *r = new_reservation(items[i]);                                                       \
            for (size_t seat = 0; seat < r->item_count; seat++)                                                            \
                tk_params_array_##kind((p), (value));                                                                      \
        }                                                                                                                  \
        tk_params_array_end(p);                                                                                            \
    } while (0)

static const struct tk_uuid *tier_or_null(const struct reservation_item *item)
{
    return tk_uuid_is_nil(&item->price_tier_id) ? NULL : &item->price_tier_id;
}

static void fill_seats(struct tk_params *p, struct write_item *const *items, size_t count)
{
    SEAT_ARRAY_PARAM(p, UUID, uuid, &r->id);
    SEAT_ARRAY_PARAM(p, INT4, i32, (int32_t)seat + 1);
    SEAT_ARRAY_PARAM(p, UUID, uuid, &r->items[seat].id);
    SEAT_ARRAY_PARAM(p, UUID, uuid, &r->items[seat].session_seat_id);
    SEAT_ARRAY_PARAM(p, TEXT, text, r->items[seat].row_number);
    SEAT_ARRAY_PARAM(p, TEXT, text, r->items[seat].seat_number);
    SEAT_ARRAY_PARAM(p, INT8, i64, r->items[seat].price_minor);
    SEAT_ARRAY_PARAM(p, INT8, i64, r->items[seat].discount_minor);
    SEAT_ARRAY_PARAM(p, INT8, i64, r->items[seat].final_minor);
    SEAT_ARRAY_PARAM(p, UUID, uuid, tier_or_null(&r->items[seat]));
}

/** The number of a user and a session, the same in every process. */
static int64_t limit_lock_of(const struct reservation *r)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (size_t i = 0; i < sizeof(r->user_id.bytes); i++)
        hash = (hash ^ r->user_id.bytes[i]) * UINT64_C(0x100000001b3);
    for (size_t i = 0; i < sizeof(r->session_id.bytes); i++)
        hash = (hash ^ r->session_id.bytes[i]) * UINT64_C(0x100000001b3);
    return (int64_t)hash;
}

static int by_number(const void *a, const void *b)
{
    const int64_t left = *(const int64_t *)a;
    const int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static void fill_limit_locks(struct tk_params *p, struct write_item *const *items, size_t count)
{
    int64_t *locks = tk_alloc(count * sizeof(*locks));
    for (size_t i = 0; i < count; i++)
        locks[i] = limit_lock_of(new_reservation(items[i]));
    qsort(locks, count, sizeof(*locks), by_number);
    TK_ARRAY_PARAM(p, count, INT8, i64, locks[i]);
    free(locks);
}

static void fill_id_bounds(struct tk_params *p, int64_t hold_seconds)
{
    const int64_t hold_us = hold_seconds * TK_US_PER_S;
    const int64_t oldest_us = tk_unix_us() - hold_us - CLOCK_SLACK_US;
    const struct tk_uuid counted_from = tk_uuid_v7_since(oldest_us - hold_us);
    const struct tk_uuid stored_from = tk_uuid_v7_since(oldest_us);
    tk_params_uuid(p, &counted_from);
    tk_params_uuid(p, &stored_from);
}

/** Every item of a queue has the same limit and the same time. */
static void fill_persist(struct tk_pg_op *op, struct write_item *const *items, size_t count)
{
    const int64_t seat_limit = persist_of(items[0])->seat_limit;
    if (seat_limit > 0)
        fill_limit_locks(tk_pg_op_step(op, &sql_persist_lock), items, count);
    struct tk_params *p = tk_pg_op_step(op, &sql_persist_insert);
    fill_reservations(p, items, count);
    fill_seats(p, items, count);
    tk_params_i64(p, seat_limit);
    fill_id_bounds(p, persist_of(items[0])->hold_seconds);
}

static void fill_persist_look(struct tk_pg_op *op, struct write_item *const *items, size_t count)
{
    struct tk_params *p = tk_pg_op_step(op, &sql_persist_look);
    TK_ARRAY_PARAM(p, count, UUID, uuid, &items[i]->id);
}

static struct write_item *item_of_row(const PGresult *rows, int row, struct write_item *const *items)
{
    return items[tk_row_i64(rows, row, 0) - 1];
}

static void read_persist(const struct tk_pg_outcome *outcome, struct write_item *const *items, size_t count)
{
    const PGresult *rows = outcome->rows[persist_of(items[0])->seat_limit > 0 ? 1 : 0];
    for (size_t i = 0; i < count; i++)
        persist_of(items[i])->detail = RESERVATION_DETAIL_NONE;
    for (int row = 0; row < PQntuples(rows); row++) {
        struct write_item *item = item_of_row(rows, row, items);
        if (tk_row_bool(rows, row, 1))
            item->step = TK_STEP_OK;
        else
            persist_of(item)->detail = RESERVATION_DETAIL_SEAT_LIMIT;
    }
}

static void read_persist_look(const struct tk_pg_outcome *outcome, struct write_item *const *items, size_t count)
{
    const PGresult *found = outcome->rows[0];
    for (size_t i = 0; i < count; i++) { /* until a row is read */
        if (persist_of(items[i])->detail != RESERVATION_DETAIL_SEAT_LIMIT)
            persist_of(items[i])->detail = RESERVATION_DETAIL_OVERDUE;
    }
    for (int row = 0; row < PQntuples(found); row++) {
        enum reservation_status status = RESERVATION_ACTIVE;
        const bool live = reservation_status_parse(tk_row_text(found, row, 1), &status) == TK_OK &&
                          !reservation_is_tombstone(status, tk_row_i32(found, row, 2));
        persist_of(item_of_row(found, row, items))->detail =
            live ? RESERVATION_DETAIL_ALREADY_STORED : RESERVATION_DETAIL_TOMBSTONE;
    }
}

const struct write_kind reservation_persist_kind = {
    .name = "persist_reservation",
    .fill = fill_persist,
    .read = read_persist,
    .look_fill = fill_persist_look,
    .look_read = read_persist_look,
};

/* --- cancel -------------------------------------------------------------------------------------------------------- */

const struct tk_pg_statement sql_cancel_cas = {
    "cancel_cas",
    "WITH cancelled AS ("
    " UPDATE reservations r SET status = 'cancelled', revision = r.revision + 1, updated_at = now()"
    " FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::uuid[], $5::text[], $6::text[], $7::text[]) WITH ORDINALITY"
    "  AS w(id, user_id, revision, outbox_id, message, traceparent, request_id, ord)"
    " WHERE r.id = w.id AND r.user_id = w.user_id AND r.status = 'active' AND r.revision = w.revision"
    "  AND " STILL_HELD
    " RETURNING r.id, r.status, r.updated_at, r.revision, w.outbox_id, w.message, w.traceparent, w.request_id, w.ord"
    "), messages AS ("
    " INSERT INTO outbox (id, routing_key, body, traceparent)"
    " SELECT outbox_id, 'reservation.cancelled', message, traceparent FROM cancelled"
    "), history AS ("
    " INSERT INTO reservation_history (reservation_id, revision, from_status, to_status, actor, reason, request_id)"
    " SELECT id, revision, 'active', 'cancelled', 'user', 'cancelled', request_id FROM cancelled"
    ") SELECT ord, status, updated_at FROM cancelled",
};

const struct tk_pg_statement sql_cancel_look = {
    "cancel_look",
    "SELECT w.ord, r.status, r.updated_at FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS w(id, user_id, ord)"
    " JOIN reservations r ON r.id = w.id AND r.user_id = w.user_id",
};

static struct cancel_item *cancel_of(struct write_item *item)
{
    return TK_CONTAINER_OF(item, struct cancel_item, base);
}

static void fill_cancel(struct tk_pg_op *op, struct write_item *const *items, size_t count)
{
    struct tk_params *p = tk_pg_op_step(op, &sql_cancel_cas);
    TK_ARRAY_PARAM(p, count, UUID, uuid, &items[i]->id);
    TK_ARRAY_PARAM(p, count, UUID, uuid, &cancel_of(items[i])->user_id);
    TK_ARRAY_PARAM(p, count, INT8, i64, cancel_of(items[i])->revision);
    TK_ARRAY_PARAM(p, count, UUID, uuid, &cancel_of(items[i])->outbox_id);
    TK_ARRAY_PARAM(p, count, TEXT, text, cancel_of(items[i])->message);
    TK_ARRAY_PARAM(p, count, TEXT, text, tk_slice_of(cancel_of(items[i])->traceparent));
    TK_ARRAY_PARAM(p, count, TEXT, text, tk_slice_of(cancel_of(items[i])->request_id));
}

static void fill_cancel_look(struct tk_pg_op *op, struct write_item *const *items, size_t count)
{
    struct tk_params *p = tk_pg_op_step(op, &sql_cancel_look);
    TK_ARRAY_PARAM(p, count, UUID, uuid, &items[i]->id);
    TK_ARRAY_PARAM(p, count, UUID, uuid, &cancel_of(items[i])->user_id);
}

static void read_cancel(const struct tk_pg_outcome *outcome, struct write_item *const *items, size_t count)
{
    const PGresult *rows = outcome->rows[0];
    for (size_t i = 0; i < count; i++)
        cancel_of(items[i])->found = false;
    for (int row = 0; row < PQntuples(rows); row++) {
        struct cancel_item *item = cancel_of(item_of_row(rows, row, items));
        item->found = reservation_status_parse(tk_row_text(rows, row, 1), &item->status) == TK_OK;
        item->updated_at_us = tk_row_time(rows, row, 2);
        if (item->found && item->status == RESERVATION_CANCELLED)
            item->base.step = TK_STEP_OK;
    }
}

const struct write_kind reservation_cancel_kind = {
    .name = "cancel_reservation",
    .fill = fill_cancel,
    .read = read_cancel,
    .look_fill = fill_cancel_look,
    .look_read = read_cancel,
};
