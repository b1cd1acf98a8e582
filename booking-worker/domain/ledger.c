/**
 * The rules by which both databases agree (docs/FLOWS.md): one function per pair of things that must fit.
 */
#include <assert.h>
#include <stddef.h>

#include "booking-worker/domain/ledger.h"

#define KIND(kind) (UINT32_C(1) << (kind))

static const struct {
    const char *name;
    const char *meaning;
} kinds[LEDGER_KINDS] = {
    [LEDGER_SEATS_WITHOUT_HOLD] = {"seats_without_hold", "seats carry a reservation that event-svc has no hold for"},
    [LEDGER_FREE_SEAT_WITH_OWNER] = {"free_seat_with_owner", "a seat that is not taken carries a reservation"},
    [LEDGER_HOLD_AND_SEATS_DIFFER] = {"hold_and_seats_differ", "the seats are not as their hold says"},
    [LEDGER_ORPHAN_HOLD] = {"orphan_hold", "a hold past its deadline, and no reservation behind it"},
    [LEDGER_STRANDED_SEATS] = {"stranded_seats", "the reservation is over, its seats are still held"},
    [LEDGER_OVERDUE_HOLD] = {"overdue_hold", "the reservation's time is over, and nobody expired it"},
    [LEDGER_LIVE_WITHOUT_HOLD] = {"live_without_hold", "a live reservation whose seats are not held"},
    [LEDGER_SOLD_UNCONFIRMED] = {"sold_unconfirmed", "seats are sold for a reservation that is not confirmed"},
    [LEDGER_CONFIRMED_UNSOLD] = {"confirmed_unsold", "a confirmed reservation whose seats are not sold"},
    [LEDGER_SEATS_DIFFER] = {"seats_differ", "hold and reservation name different seats or sessions"},
    [LEDGER_TICKETS_DIFFER] = {"tickets_differ", "the tickets are not those of the reservation's seats"},
    [LEDGER_TICKET_WITHOUT_SALE] = {"ticket_without_sale", "valid tickets of a reservation that is not confirmed"},
    [LEDGER_TOTALS_DIFFER] = {"totals_differ", "count or sum of the items is not the reservation's"},
    [LEDGER_PAYMENT_DIFFERS] = {"payment_differs", "confirmed, but not paid once and in full"},
    [LEDGER_PAID_TWICE] = {"paid_twice", "more than one payment succeeded"},
    [LEDGER_PAID_WITHOUT_SALE] = {"paid_without_sale", "paid, not confirmed, and not refunded: the money is owed"},
    [LEDGER_STUCK_PAYMENT] = {"stuck_payment", "a payment under way that nobody settles"},
    [LEDGER_REFUND_DUE] = {"refund_due", "a refund that nobody makes"},
    [LEDGER_ROWS_WITHOUT_RESERVATION] = {"rows_without_reservation", "items or payments of no reservation"},
    [LEDGER_HISTORY_DIFFERS] = {"history_differs", "the history does not end in the reservation's status"},
    [LEDGER_SEAT_WITHOUT_OWNER] = {"seat_without_owner", "a seat is taken, and nobody has it"},
    [LEDGER_SEAT_BOOKED_TWICE] = {"seat_booked_twice", "two live reservations or two tickets for one seat"},
    [LEDGER_OLD_MESSAGE] = {"old_message", "a message has been waiting in the outbox for too long"},
};

static const char *const hold_names[] = {
    [LEDGER_HOLD_NONE] = "none",
    [LEDGER_HOLD_HELD] = "held",
    [LEDGER_HOLD_SOLD] = "sold",
    [LEDGER_HOLD_RELEASED] = "released",
};

static const char *const status_names[] = {
    [LEDGER_STATUS_NONE] = "none",           [LEDGER_STATUS_ACTIVE] = "active",       [LEDGER_STATUS_PAYING] = "paying",
    [LEDGER_STATUS_CONFIRMED] = "confirmed", [LEDGER_STATUS_CANCELLED] = "cancelled", [LEDGER_STATUS_EXPIRED] = "expired",
    [LEDGER_STATUS_REFUNDED] = "refunded",
};

static bool is_same(struct ledger_seats a, struct ledger_seats b)
{
    return a.count == b.count && a.digest == b.digest;
}

static bool is_live(const struct ledger_entry *e)
{
    return e->booked.status == LEDGER_STATUS_ACTIVE || e->booked.status == LEDGER_STATUS_PAYING;
}

static bool is_over(const struct ledger_entry *e)
{
    return e->booked.status >= LEDGER_STATUS_CANCELLED;
}

static uint32_t when(bool applies, enum ledger_kind kind)
{
    return applies ? KIND(kind) : 0;
}

static bool seats_follow(const struct ledger_entry *e)
{
    switch (e->held.state) {
    case LEDGER_HOLD_HELD:
        return is_same(e->held.named, e->held.own) && e->held.reserved == e->held.own.count;
    case LEDGER_HOLD_SOLD:
        return is_same(e->held.named, e->held.own) && e->held.sold == e->held.own.count;
    case LEDGER_HOLD_NONE: /* has a kind of its own */
        return true;
    case LEDGER_HOLD_RELEASED:
        return e->held.own.count == 0;
    }
    return false;
}

static uint32_t judge_seats(const struct ledger_entry *e)
{
    return when(e->held.state == LEDGER_HOLD_NONE && e->held.own.count > 0, LEDGER_SEATS_WITHOUT_HOLD) |
           when(e->held.reserved + e->held.sold < e->held.own.count, LEDGER_FREE_SEAT_WITH_OWNER) |
           when(!seats_follow(e), LEDGER_HOLD_AND_SEATS_DIFFER);
}

static uint32_t judge_hold(const struct ledger_entry *e, const struct ledger_patience *p)
{
    const bool held = e->held.state == LEDGER_HOLD_HELD;
    const bool sold = e->held.state == LEDGER_HOLD_SOLD;
    const bool both = (held || sold) && e->booked.status != LEDGER_STATUS_NONE && e->booked.seats_count > 0;
    const bool same = is_same(e->held.named, e->booked.items) && tk_uuid_eq(&e->held.session_id, &e->booked.session_id);
    return when(held && e->booked.status == LEDGER_STATUS_NONE && e->held.late_us > p->grace_us, LEDGER_ORPHAN_HOLD) |
           when(held && is_over(e), LEDGER_STRANDED_SEATS) |
           when(e->booked.status == LEDGER_STATUS_ACTIVE && e->booked.late_us > p->grace_us, LEDGER_OVERDUE_HOLD) |
           when(is_live(e) && !held && !sold, LEDGER_LIVE_WITHOUT_HOLD) |
           when(sold && e->booked.status != LEDGER_STATUS_CONFIRMED, LEDGER_SOLD_UNCONFIRMED) |
           when(!sold && e->booked.status == LEDGER_STATUS_CONFIRMED, LEDGER_CONFIRMED_UNSOLD) |
           when(both && !same, LEDGER_SEATS_DIFFER);
}

static uint32_t judge_booking(const struct ledger_entry *e)
{
    const bool confirmed = e->booked.status == LEDGER_STATUS_CONFIRMED;
    const bool exists = e->booked.status != LEDGER_STATUS_NONE;
    const bool leftovers = e->booked.items.count > 0 || e->booked.payments > 0 || e->booked.pending > 0;
    return when(confirmed && !is_same(e->booked.items, e->booked.tickets), LEDGER_TICKETS_DIFFER) |
           when(!confirmed && e->booked.tickets.count > 0, LEDGER_TICKET_WITHOUT_SALE) |
           when(exists &&
                    (e->booked.items.count != e->booked.seats_count || e->booked.items_minor != e->booked.total_minor),
                LEDGER_TOTALS_DIFFER) |
           when(!exists && leftovers, LEDGER_ROWS_WITHOUT_RESERVATION) |
           when(e->booked.history_differs, LEDGER_HISTORY_DIFFERS);
}

static uint32_t judge_money(const struct ledger_entry *e, const struct ledger_patience *p)
{
    const bool confirmed = e->booked.status == LEDGER_STATUS_CONFIRMED;
    const bool in_full = e->booked.payments > 0 && e->booked.paid_minor == e->booked.payments * e->booked.total_minor;
    const bool waits = e->booked.pending > 0 && e->booked.pending_age_us <= p->stuck_us;
    return when(confirmed && !in_full, LEDGER_PAYMENT_DIFFERS) | when(e->booked.payments > 1, LEDGER_PAID_TWICE) |
           when(!confirmed && e->booked.payments > e->booked.refunds, LEDGER_PAID_WITHOUT_SALE) |
           when(e->booked.refund_age_us > p->stuck_us, LEDGER_REFUND_DUE) |
           when(e->booked.status == LEDGER_STATUS_PAYING && !waits, LEDGER_STUCK_PAYMENT);
}

uint32_t ledger_judge(const struct ledger_entry *entry, const struct ledger_patience *patience)
{
    return judge_seats(entry) | judge_hold(entry, patience) | judge_booking(entry) | judge_money(entry, patience);
}

struct ledger_weight ledger_weigh(const struct ledger_entry *e, const struct ledger_patience *patience)
{
    const uint32_t stranding = KIND(LEDGER_ORPHAN_HOLD) | KIND(LEDGER_STRANDED_SEATS) | KIND(LEDGER_OVERDUE_HOLD);
    const uint32_t found = judge_hold(e, patience);
    const bool sold = e->held.state == LEDGER_HOLD_SOLD || e->booked.status == LEDGER_STATUS_CONFIRMED;
    const bool stranded = (found & stranding) != 0 || e->held.state == LEDGER_HOLD_RELEASED;
    return (struct ledger_weight){
        .double_sold_seats = sold ? e->held.lost : 0,
        .stranded_seats = stranded ? e->held.reserved : 0,
        .orphan_holds = (found & KIND(LEDGER_ORPHAN_HOLD)) != 0,
    };
}

const char *ledger_kind_name(enum ledger_kind kind)
{
    assert((size_t)kind < LEDGER_KINDS);
    return kinds[kind].name;
}

const char *ledger_kind_meaning(enum ledger_kind kind)
{
    assert((size_t)kind < LEDGER_KINDS);
    return kinds[kind].meaning;
}

const char *ledger_hold_name(enum ledger_hold hold)
{
    return hold_names[hold];
}

const char *ledger_status_name(enum ledger_status status)
{
    return status_names[status];
}

/* NONE comes first and is no word of the databases. */
static enum tk_err parse(struct tk_slice text, const char *const *names, int count, int *out)
{
    *out = 0;
    if (text.len == 0)
        return TK_OK;
    for (int i = 1; i < count; i++) {
        if (tk_slice_eq_str(text, names[i])) {
            *out = i;
            return TK_OK;
        }
    }
    return TK_ERR_INVALID;
}

enum tk_err ledger_hold_parse(struct tk_slice text, enum ledger_hold *out)
{
    int found;
    enum tk_err err = parse(text, hold_names, sizeof(hold_names) / sizeof(hold_names[0]), &found);
    *out = (enum ledger_hold)found;
    return err;
}

enum tk_err ledger_status_parse(struct tk_slice text, enum ledger_status *out)
{
    int found;
    enum tk_err err = parse(text, status_names, sizeof(status_names) / sizeof(status_names[0]), &found);
    *out = (enum ledger_status)found;
    return err;
}
