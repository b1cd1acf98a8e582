/* Totals and what readers see of a reservation: tables of inputs. */
#include <criterion/criterion.h>

#include "booking-svc/app/cancel_reservation.h"
#include "booking-svc/app/reservation_view.h"
#include "booking-svc/domain/reservation.h"
#include "shared/base/clock.h"
#include "shared/base/money.h"

#define MAX_SEATS 10

struct total_case {
    const char *name;
    size_t count;
    int64_t prices[MAX_SEATS];
    int64_t multipliers[MAX_SEATS];
    int64_t total;
};

static const struct total_case total_cases[] = {
    {"one seat", 1, {10000}, {10000}, 10000},
    {"half up at the half", 1, {1}, {15000}, 2}, /* 1.5 cents */
    {"down below the half", 1, {1}, {14999}, 1}, /* 1.4999 cents */
    {"rounded per seat, not per total", 3, {1, 1, 1}, {15000, 15000, 15000}, 6},
    {"tiers differ by seat", 2, {10050, 10050}, {15000, 10000}, 25125},
    {"free seats", 2, {0, 0}, {20000, 10000}, 0},
    {"smallest multiplier", 1, {10000}, {1}, 1},
    {"largest of all, ten times",
     10,
     {TK_MONEY_MAX_MINOR, TK_MONEY_MAX_MINOR, TK_MONEY_MAX_MINOR, TK_MONEY_MAX_MINOR, TK_MONEY_MAX_MINOR,
      TK_MONEY_MAX_MINOR, TK_MONEY_MAX_MINOR, TK_MONEY_MAX_MINOR, TK_MONEY_MAX_MINOR, TK_MONEY_MAX_MINOR},
     {TK_MULTIPLIER_MAX, TK_MULTIPLIER_MAX, TK_MULTIPLIER_MAX, TK_MULTIPLIER_MAX, TK_MULTIPLIER_MAX, TK_MULTIPLIER_MAX,
      TK_MULTIPLIER_MAX, TK_MULTIPLIER_MAX, TK_MULTIPLIER_MAX, TK_MULTIPLIER_MAX},
     TK_MONEY_MAX_MINOR * 100 * 10},
};

struct priced {
    struct tk_uuid seats[MAX_SEATS];
    struct tk_hold_seat held[MAX_SEATS];
    struct seat_pricing pricing[MAX_SEATS];
    struct tk_hold_answer answer;
    struct reservation r;
    struct tk_arena arena;
};

static void set_up(struct priced *p, const struct total_case *c)
{
    *p = (struct priced){0};
    for (size_t i = 0; i < c->count; i++) {
        p->seats[i] = tk_uuid_v7();
        p->held[i] = (struct tk_hold_seat){.session_seat_id = p->seats[i],
                                           .status = TK_SEAT_RESERVED,
                                           .price_minor = c->prices[i],
                                           .row_number = TK_SLICE("12"),
                                           .seat_number = TK_SLICE("7")};
        p->pricing[i].multiplier = c->multipliers[i];
    }
    p->answer = (struct tk_hold_answer){.outcome = TK_HOLD_HELD,
                                        .reserved_until_us = 1000 * TK_US_PER_S,
                                        .currency = "EUR",
                                        .seats = p->held,
                                        .seat_count = c->count};
}

Test(pricing, totals)
{
    for (size_t i = 0; i < sizeof(total_cases) / sizeof(total_cases[0]); i++) {
        const struct total_case *c = &total_cases[i];
        struct priced p;
        set_up(&p, c);
        cr_assert_eq(reservation_price(&p.r, &p.answer, p.seats, p.pricing, c->count, 600, &p.arena), TK_OK);
        cr_assert_eq(p.r.total_minor, c->total, "%s: %lld", c->name, (long long)p.r.total_minor);
        cr_assert_eq(p.r.booking_time_us, 400 * TK_US_PER_S, "booking_time is reserved_until minus the hold");
        cr_assert_eq(p.r.item_count, c->count);
        tk_arena_release(&p.arena);
    }
}

Test(pricing, seats_that_event_svc_chose_are_taken_as_they_come)
{
    const struct total_case two = {"two", 2, {10050, 10050}, {15000, 15000}, 30150};
    struct priced p;
    set_up(&p, &two);
    cr_assert_eq(reservation_price(&p.r, &p.answer, NULL, p.pricing, 2, 600, &p.arena), TK_OK);
    cr_assert_eq(p.r.total_minor, two.total);
    cr_assert(tk_uuid_eq(&p.r.items[1].session_seat_id, &p.seats[1]));
    cr_assert_eq(reservation_price(&p.r, &p.answer, NULL, p.pricing, 3, 600, &p.arena), TK_ERR_INVALID, "one too few");
    tk_arena_release(&p.arena);
}

Test(pricing, seats_are_matched_by_id_whatever_their_order)
{
    const struct total_case c = {"", 2, {100, 900}, {20000, 10000}, 0};
    struct priced p;
    set_up(&p, &c);
    const struct tk_hold_seat first = p.held[0];
    p.held[0] = p.held[1];
    p.held[1] = first;
    cr_assert_eq(reservation_price(&p.r, &p.answer, p.seats, p.pricing, 2, 600, &p.arena), TK_OK);
    cr_assert_eq(p.r.items[0].final_minor, 200);
    cr_assert_eq(p.r.items[1].final_minor, 900);
    tk_arena_release(&p.arena);
}

Test(pricing, other_seats_than_those_asked_for_are_an_error)
{
    const struct total_case c = {"", 2, {100, 100}, {10000, 10000}, 0};
    struct priced p;
    set_up(&p, &c);
    p.held[1].session_seat_id = tk_uuid_v7();
    cr_assert_eq(reservation_price(&p.r, &p.answer, p.seats, p.pricing, 2, 600, &p.arena), TK_ERR_INVALID);
    p.answer.seat_count = 1;
    cr_assert_eq(reservation_price(&p.r, &p.answer, p.seats, p.pricing, 2, 600, &p.arena), TK_ERR_INVALID);
    tk_arena_release(&p.arena);
}

struct visible_case {
    int64_t remaining_s;
    enum reservation_status status;
    enum reservation_status visible;
    int cancel; /* enum cancel_answer, or -1: possible */
    bool overdue;
};

Test(pricing, what_readers_see)
{
    static const struct visible_case cases[] = {
        {30, RESERVATION_ACTIVE, RESERVATION_ACTIVE, -1, false},
        {0, RESERVATION_ACTIVE, RESERVATION_EXPIRED, CANCEL_ANSWER_HOLD_EXPIRED, true},
        {30, RESERVATION_PAYING, RESERVATION_PAYING, CANCEL_ANSWER_PAYMENT_IN_PROGRESS, false},
        {0, RESERVATION_PAYING, RESERVATION_PAYING, CANCEL_ANSWER_PAYMENT_IN_PROGRESS, true},
        {0, RESERVATION_CONFIRMED, RESERVATION_CONFIRMED, CANCEL_ANSWER_WRONG_STATE, false},
        {0, RESERVATION_CONFIRMED, RESERVATION_CONFIRMED, CANCEL_ANSWER_WRONG_STATE, true},
        {0, RESERVATION_CANCELLED, RESERVATION_CANCELLED, CANCEL_ANSWER_CANCELLED, true},
        {0, RESERVATION_EXPIRED, RESERVATION_EXPIRED, CANCEL_ANSWER_HOLD_EXPIRED, true},
        {0, RESERVATION_REFUNDED, RESERVATION_REFUNDED, CANCEL_ANSWER_WRONG_STATE, true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct reservation r = {.status = cases[i].status, .overdue = cases[i].overdue, .remaining_s = 30};
        enum cancel_answer answer = CANCEL_ANSWER_NOT_FOUND;
        cr_assert_eq(reservation_visible_status(&r), cases[i].visible, "case %zu", i);
        cr_assert_eq(reservation_visible_remaining_s(&r), cases[i].remaining_s, "case %zu", i);
        cr_assert_eq(cancel_is_possible(&r, &answer), cases[i].cancel < 0, "case %zu", i);
        if (cases[i].cancel >= 0)
            cr_assert_eq((int)answer, cases[i].cancel, "case %zu", i);
    }
}

Test(pricing, statuses_have_one_word_each)
{
    for (int i = RESERVATION_ACTIVE; i <= RESERVATION_REFUNDED; i++) {
        enum reservation_status parsed;
        cr_assert_eq(reservation_status_parse(tk_slice_of(reservation_status_name((enum reservation_status)i)), &parsed),
                     TK_OK);
        cr_assert_eq((int)parsed, i);
    }
    enum reservation_status parsed;
    cr_assert_eq(reservation_status_parse(TK_SLICE("sold"), &parsed), TK_ERR_INVALID);
}

Test(pricing, view_is_the_contract)
{
    const struct total_case c = {"", 1, {10050}, {10000}, 0};
    struct priced p;
    struct tk_buf body = TK_BUF_INIT(4096);
    struct tk_jsonw w = TK_JSONW(&body);
    set_up(&p, &c);
    cr_assert_eq(reservation_price(&p.r, &p.answer, p.seats, p.pricing, 1, 600, &p.arena), TK_OK);
    p.r.remaining_s = 600;
    reservation_view_write(&w, NULL, &p.r);
    tk_buf_append_char(&body, '\0');
    cr_assert_not_null(strstr(body.ptr, "\"total_amount\":100.50,\"status\":\"active\""), "%s", body.ptr);
    cr_assert_not_null(strstr(body.ptr,
                              "\"row_number\":\"12\",\"seat_number\":\"7\",\"price\":100.50,\"discount_amount\":0.00,"
                              "\"final_price\":100.50"),
                       "%s", body.ptr);
    cr_assert_not_null(strstr(body.ptr, "\"expiry_time\":\"1970-01-01T00:16:40Z\""), "%s", body.ptr);
    cr_assert_not_null(strstr(body.ptr, "\"time_remaining_seconds\":600}"), "%s", body.ptr);
    tk_buf_release(&body);
    tk_arena_release(&p.arena);
}
