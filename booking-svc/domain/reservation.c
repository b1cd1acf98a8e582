/* Reservation statuses, visibility and pricing. */
#include "booking-svc/domain/reservation.h"

#include <assert.h>
#include <string.h>

#include "shared/base/clock.h"
#include "shared/base/money.h"

static const char *const status_names[] = {
    [RESERVATION_ACTIVE] = "active",       [RESERVATION_PAYING] = "paying",   [RESERVATION_CONFIRMED] = "confirmed",
    [RESERVATION_CANCELLED] = "cancelled", [RESERVATION_EXPIRED] = "expired", [RESERVATION_REFUNDED] = "refunded",
};

#define STATUS_COUNT (sizeof(status_names) / sizeof(status_names[0]))

const char *reservation_status_name(enum reservation_status status)
{
    assert((size_t)status < STATUS_COUNT);
    return status_names[status];
}

enum tk_err reservation_status_parse(struct tk_slice text, enum reservation_status *out)
{
    for (size_t i = 0; i < STATUS_COUNT; i++) {
        if (tk_slice_eq_str(text, status_names[i])) {
            *out = (enum reservation_status)i;
            return TK_OK;
        }
    }
    return TK_ERR_INVALID;
}

enum reservation_status reservation_visible_status(const struct reservation *r)
{
    return r->status == RESERVATION_ACTIVE && r->overdue ? RESERVATION_EXPIRED : r->status;
}

int64_t reservation_visible_remaining_s(const struct reservation *r)
{
    const bool running = r->status == RESERVATION_ACTIVE || r->status == RESERVATION_PAYING;
    return running && !r->overdue && r->remaining_s > 0 ? r->remaining_s : 0;
}

bool reservation_is_tombstone(enum reservation_status status, int64_t seats_count)
{
    return status == RESERVATION_EXPIRED && seats_count == 0;
}

static const struct tk_hold_seat *find_seat(const struct tk_hold_answer *answer, size_t hint, const struct tk_uuid *id)
{
    if (hint < answer->seat_count && tk_uuid_eq(&answer->seats[hint].session_seat_id, id))
        return &answer->seats[hint];
    for (size_t i = 0; i < answer->seat_count; i++) {
        if (tk_uuid_eq(&answer->seats[i].session_seat_id, id))
            return &answer->seats[i];
    }
    return NULL;
}

static void price_item(struct reservation_item *item, const struct tk_hold_seat *seat, const struct seat_pricing *pricing,
                       struct tk_arena *arena)
{
    item->id = tk_uuid_v7();
    item->session_seat_id = seat->session_seat_id;
    item->row_number = tk_slice_copy(arena, seat->row_number);
    item->seat_number = tk_slice_copy(arena, seat->seat_number);
    item->price_minor = tk_money_multiply(seat->price_minor, pricing->multiplier);
    item->discount_minor = 0;
    item->final_minor = item->price_minor;
    item->price_tier_id = pricing->price_tier_id;
}

enum tk_err reservation_price(struct reservation *r, const struct tk_hold_answer *answer, const struct tk_uuid *seats,
                              const struct seat_pricing *pricing, size_t count, int64_t hold_seconds,
                              struct tk_arena *arena)
{
    if (answer->seat_count != count)
        return TK_ERR_INVALID;
    r->items = tk_arena_alloc(arena, count * sizeof(*r->items));
    r->total_minor = 0;
    for (size_t i = 0; i < count; i++) {
        const struct tk_hold_seat *seat = seats == NULL ? &answer->seats[i] : find_seat(answer, i, &seats[i]);
        if (seat == NULL || seat->price_minor < 0 || seat->price_minor > TK_MONEY_MAX_MINOR)
            return TK_ERR_INVALID;
        price_item(&r->items[i], seat, &pricing[i], arena);
        r->total_minor += r->items[i].final_minor;
    }
    r->item_count = count;
    r->seats_count = (int64_t)count;
    memcpy(r->currency, answer->currency, sizeof(r->currency));
    r->expiry_time_us = answer->reserved_until_us;
    r->booking_time_us = answer->reserved_until_us - hold_seconds * TK_US_PER_S;
    r->created_at_us = r->booking_time_us;
    r->updated_at_us = r->booking_time_us;
    r->status = RESERVATION_ACTIVE;
    r->revision = 1;
    return TK_OK;
}

void reservation_encode_message(const struct reservation *r, enum tk_reservation_event event,
                                const struct tk_uuid *message_id, int64_t revision, int64_t now_unix_us,
                                const char *request_id, struct tk_buf *out)
{
    struct tk_uuid seats[TK_MESSAGE_MAX_SEATS];
    assert(r->item_count <= TK_MESSAGE_MAX_SEATS);
    for (size_t i = 0; i < r->item_count; i++)
        seats[i] = r->items[i].session_seat_id;
    const struct tk_reservation_message message = {
        .event_id = *message_id,
        .event = event,
        .occurred_at_us = now_unix_us,
        .reservation_id = r->id,
        .revision = revision,
        .session_id = r->session_id,
        .user_id = r->user_id,
        .seats = seats,
        .seat_count = r->item_count,
        .request_id = tk_slice_of(request_id),
    };
    tk_reservation_message_encode(&message, out);
}
