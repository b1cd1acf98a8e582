/**
 * The rules by which both databases agree: a healthy entry of each state, and one thing wrong at a time.
 */
#include <criterion/criterion.h>

#include "booking-worker/app/suspects.h"

TestSuite(ledger);

#define KIND(kind) (UINT32_C(1) << (kind))
#define LATE       1000000
#define MONEY      20000

static const struct ledger_patience patience = {.grace_us = LATE - 1, .stuck_us = LATE - 1};
static const struct ledger_seats two = {.count = 2, .digest = 77};
static const struct ledger_seats other_two = {.count = 2, .digest = 78};
static const struct ledger_seats no_seats = {0};

static struct ledger_entry healthy(enum ledger_hold hold, enum ledger_status status)
{
    struct ledger_entry e = {0};
    bool taken = hold == LEDGER_HOLD_HELD || hold == LEDGER_HOLD_SOLD;
    e.held = (struct ledger_held){.state = hold, .late_us = -LATE, .named = two, .own = taken ? two : no_seats};
    e.held.reserved = hold == LEDGER_HOLD_HELD ? 2 : 0;
    e.held.sold = hold == LEDGER_HOLD_SOLD ? 2 : 0;
    e.booked = (struct ledger_booked){
        .status = status, .late_us = -LATE, .seats_count = 2, .total_minor = MONEY, .items = two, .items_minor = MONEY};
    if (status == LEDGER_STATUS_CONFIRMED) {
        e.booked.tickets = two;
        e.booked.payments = 1;
        e.booked.paid_minor = MONEY;
    }
    if (status == LEDGER_STATUS_PAYING)
        e.booked.pending = 1;
    return e;
}

static struct ledger_entry held(void)
{
    return healthy(LEDGER_HOLD_HELD, LEDGER_STATUS_ACTIVE);
}

static struct ledger_entry sold(void)
{
    return healthy(LEDGER_HOLD_SOLD, LEDGER_STATUS_CONFIRMED);
}

Test(ledger, healthy_states_agree)
{
    static const struct {
        enum ledger_hold hold;
        enum ledger_status status;
    } cases[] = {
        {LEDGER_HOLD_HELD, LEDGER_STATUS_ACTIVE},        {LEDGER_HOLD_HELD, LEDGER_STATUS_PAYING},
        {LEDGER_HOLD_SOLD, LEDGER_STATUS_CONFIRMED},     {LEDGER_HOLD_RELEASED, LEDGER_STATUS_CANCELLED},
        {LEDGER_HOLD_RELEASED, LEDGER_STATUS_EXPIRED},   {LEDGER_HOLD_NONE, LEDGER_STATUS_EXPIRED},
        {LEDGER_HOLD_RELEASED, LEDGER_STATUS_CANCELLED},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ledger_entry e = healthy(cases[i].hold, cases[i].status);
        cr_expect_eq(ledger_judge(&e, &patience), 0, "%s, %s", ledger_hold_name(cases[i].hold),
                     ledger_status_name(cases[i].status));
    }
    struct ledger_entry unborn = {.held = {.state = LEDGER_HOLD_HELD, .named = two, .own = two, .reserved = 2}};
    cr_expect_eq(ledger_judge(&unborn, &patience), 0, "a young hold whose reservation is on its way");
    struct ledger_entry tombstone = {.held = {.state = LEDGER_HOLD_RELEASED}, .booked = {.status = LEDGER_STATUS_EXPIRED}};
    cr_expect_eq(ledger_judge(&tombstone, &patience), 0, "a tombstone");
}

#define EXPECT_KIND(e, kind) cr_expect(ledger_judge(&(e), &patience) & KIND(kind), "%s is not seen", ledger_kind_name(kind))

Test(ledger, seats_and_holds)
{
    struct ledger_entry e = sold();
    e.held.state = LEDGER_HOLD_NONE;
    EXPECT_KIND(e, LEDGER_SEATS_WITHOUT_HOLD);
    EXPECT_KIND(e, LEDGER_CONFIRMED_UNSOLD);
    e = sold();
    e.held.sold = 1;
    EXPECT_KIND(e, LEDGER_FREE_SEAT_WITH_OWNER);
    EXPECT_KIND(e, LEDGER_HOLD_AND_SEATS_DIFFER);
    e = held();
    e.held.own = other_two;
    cr_expect_eq(ledger_judge(&e, &patience), KIND(LEDGER_HOLD_AND_SEATS_DIFFER));
    e = held();
    e.held.reserved = 1;
    e.held.sold = 1;
    cr_expect_eq(ledger_judge(&e, &patience), KIND(LEDGER_HOLD_AND_SEATS_DIFFER));
    e = healthy(LEDGER_HOLD_RELEASED, LEDGER_STATUS_EXPIRED);
    e.held.own = two;
    e.held.reserved = 2;
    cr_expect_eq(ledger_judge(&e, &patience), KIND(LEDGER_HOLD_AND_SEATS_DIFFER));
}

Test(ledger, holds_and_reservations)
{
    struct ledger_entry e = held();
    e.booked = (struct ledger_booked){0};
    e.held.late_us = LATE;
    cr_expect_eq(ledger_judge(&e, &patience), KIND(LEDGER_ORPHAN_HOLD));
    e = healthy(LEDGER_HOLD_HELD, LEDGER_STATUS_EXPIRED);
    cr_expect_eq(ledger_judge(&e, &patience), KIND(LEDGER_STRANDED_SEATS));
    e = held();
    e.booked.late_us = LATE;
    cr_expect_eq(ledger_judge(&e, &patience), KIND(LEDGER_OVERDUE_HOLD));
    e = healthy(LEDGER_HOLD_RELEASED, LEDGER_STATUS_ACTIVE);
    cr_expect_eq(ledger_judge(&e, &patience), KIND(LEDGER_LIVE_WITHOUT_HOLD));
    e = healthy(LEDGER_HOLD_SOLD, LEDGER_STATUS_CANCELLED);
    cr_expect_eq(ledger_judge(&e, &patience), KIND(LEDGER_SOLD_UNCONFIRMED));
    e = healthy(LEDGER_HOLD_HELD, LEDGER_STATUS_CONFIRMED);
    cr_expect_eq(ledger_judge(&e, &patience), KIND(LEDGER_CONFIRMED_UNSOLD));
    e = held();
    e.booked.items = other_two;
    cr_expect_eq(ledger_judge(&e, &patience), KIND(LEDGER_SEATS_DIFFER));
    e = held();
    e.booked.session_id.bytes[0] = 1;
    cr_expect_eq(ledger_judge(&e, &patience), KIND(LEDGER_SEATS_DIFFER));
}

Test(ledger, tickets_and_sums)
{
    struct ledger_entry e = sold();
    e.booked.tickets.count = 1;
    cr_expect_eq(ledger_judge(&e, &patience), KIND(LEDGER_TICKETS_DIFFER));
    e = held();
    e.booked.tickets = two;
    cr_expect_eq(ledger_judge(&e, &patience), KIND(LEDGER_TICKET_WITHOUT_SALE));
    e = held();
    e.booked.total_minor++;
    cr_expect_eq(ledger_judge(&e, &patience), KIND(LEDGER_TOTALS_DIFFER));
    e = held();
    e.booked.seats_count = 3;
    cr_expect_eq(ledger_judge(&e, &patience), KIND(LEDGER_TOTALS_DIFFER));
    e = (struct ledger_entry){.booked = {.items = two}};
    cr_expect_eq(ledger_judge(&e, &patience), KIND(LEDGER_ROWS_WITHOUT_RESERVATION));
    e = held();
    e.booked.history_differs = true;
    cr_expect_eq(ledger_judge(&e, &patience), KIND(LEDGER_HISTORY_DIFFERS));
}

Test(ledger, money)
{
    struct ledger_entry e = sold();
    e.booked.payments = 0;
    e.booked.paid_minor = 0;
    cr_expect_eq(ledger_judge(&e, &patience), KIND(LEDGER_PAYMENT_DIFFERS));
    e = sold();
    e.booked.paid_minor--;
    cr_expect_eq(ledger_judge(&e, &patience), KIND(LEDGER_PAYMENT_DIFFERS));
    e = sold();
    e.booked.payments = 2;
    e.booked.paid_minor *= 2;
    cr_expect_eq(ledger_judge(&e, &patience), KIND(LEDGER_PAID_TWICE));
    e = healthy(LEDGER_HOLD_RELEASED, LEDGER_STATUS_CANCELLED);
    e.booked.payments = 1;
    e.booked.paid_minor = MONEY;
    cr_expect_eq(ledger_judge(&e, &patience), KIND(LEDGER_PAID_WITHOUT_SALE));
    e.booked.status = LEDGER_STATUS_REFUNDED;
    e.booked.refunds = 1;
    cr_expect_eq(ledger_judge(&e, &patience), 0, "given back, or about to be");
    e.booked.refund_age_us = LATE;
    cr_expect_eq(ledger_judge(&e, &patience), KIND(LEDGER_REFUND_DUE));
    e = healthy(LEDGER_HOLD_HELD, LEDGER_STATUS_PAYING);
    e.booked.pending_age_us = LATE;
    cr_expect_eq(ledger_judge(&e, &patience), KIND(LEDGER_STUCK_PAYMENT));
    e.booked.pending = 0;
    e.booked.pending_age_us = 0;
    cr_expect_eq(ledger_judge(&e, &patience), KIND(LEDGER_STUCK_PAYMENT), "paying, and nothing is being paid");
}

Test(ledger, weights)
{
    struct ledger_entry e = sold();
    e.held.lost = 1;
    cr_expect_eq(ledger_weigh(&e, &patience).double_sold_seats, 1);
    e = held();
    e.held.lost = 1;
    cr_expect_eq(ledger_weigh(&e, &patience).double_sold_seats, 0, "nothing was sold yet");
    cr_expect_eq(ledger_weigh(&e, &patience).stranded_seats, 0);
    e = healthy(LEDGER_HOLD_HELD, LEDGER_STATUS_CANCELLED);
    cr_expect_eq(ledger_weigh(&e, &patience).stranded_seats, 2);
    cr_expect_eq(ledger_weigh(&e, &patience).orphan_holds, 0);
    e = held();
    e.booked = (struct ledger_booked){0};
    e.held.late_us = LATE;
    cr_expect_eq(ledger_weigh(&e, &patience).stranded_seats, 2);
    cr_expect_eq(ledger_weigh(&e, &patience).orphan_holds, 1);
    e = healthy(LEDGER_HOLD_RELEASED, LEDGER_STATUS_EXPIRED);
    e.held.reserved = 2;
    cr_expect_eq(ledger_weigh(&e, &patience).stranded_seats, 2);
}

Test(ledger, words)
{
    enum ledger_hold hold;
    enum ledger_status status;
    cr_expect_eq(ledger_hold_parse(TK_SLICE("released"), &hold), TK_OK);
    cr_expect_eq(hold, LEDGER_HOLD_RELEASED);
    cr_expect_eq(ledger_status_parse(TK_SLICE(""), &status), TK_OK);
    cr_expect_eq(status, LEDGER_STATUS_NONE);
    cr_expect_eq(ledger_status_parse(TK_SLICE("none"), &status), TK_ERR_INVALID);
    for (int kind = 0; kind < LEDGER_KINDS; kind++)
        cr_expect(ledger_kind_name((enum ledger_kind)kind)[0] != '\0' &&
                  ledger_kind_meaning((enum ledger_kind)kind)[0] != '\0');
}

static struct tk_uuid id_of(uint8_t n)
{
    return (struct tk_uuid){.bytes = {n}};
}

Test(ledger, only_what_is_found_again_stays)
{
    struct suspects s = {0};
    struct tk_uuid one = id_of(1);
    struct tk_uuid two_ids = id_of(2);
    struct tk_uuid three = id_of(3);
    suspects_begin(&s);
    suspects_note(&s, &one, 1, NULL);
    suspects_note(&s, &two_ids, 2 | 4, NULL);
    suspects_begin_again(&s);
    suspects_note(&s, &two_ids, 4 | 8, NULL);
    suspects_note(&s, &three, 1, NULL);
    suspects_settle(&s);
    cr_assert_eq(s.count, 1);
    cr_expect(tk_uuid_eq(&s.items[0].id, &two_ids));
    cr_expect_eq(s.items[0].kinds, 4);
    suspects_begin_again(&s);
    suspects_settle(&s);
    cr_expect_eq(s.count, 0);
    suspects_release(&s);
}

Test(ledger, room_for_suspects_is_bounded)
{
    struct suspects s = {0};
    suspects_begin(&s);
    for (uint32_t i = 0; i < SUSPECTS_MAX + 3; i++) {
        struct tk_uuid id = {.bytes = {(uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i, 1}};
        suspects_note(&s, &id, 1, NULL);
    }
    cr_expect_eq(s.count, SUSPECTS_MAX);
    cr_expect_eq(s.dropped, 3);
    suspects_release(&s);
}
