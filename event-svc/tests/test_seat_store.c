/*
 * Reading what reserve and settle answered, and filling their parameters.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "event-svc/adapters/seat_store.h"
#include "event-svc/tests/fake_rows.h"
#include "shared/json/writer.h"

#define COLUMNS     13
#define DEADLINE_US (INT64_C(1800000000) * 1000000)

static PGresult *rows;
static struct tk_arena arena;

static void set_up(void)
{
    rows = fake_rows(COLUMNS);
}

static void tear_down(void)
{
    PQclear(rows);
    tk_arena_release(&arena);
}

TestSuite(seat_store, .init = set_up, .fini = tear_down);

static void blank_row(int row, int ord, bool fresh)
{
    for (int column = 0; column < COLUMNS; column++)
        fake_null(rows, row, column);
    fake_i32(rows, row, 0, ord);
    fake_bool(rows, row, 1, fresh);
}

/* state NULL: no hold; currency NULL: no session */
static void head_row(int row, int ord, bool fresh, const char *state, bool same, const char *currency)
{
    blank_row(row, ord, fresh);
    if (state != NULL) {
        fake_text(rows, row, 2, state);
        fake_bool(rows, row, 3, same);
        fake_time(rows, row, 4, DEADLINE_US);
    }
    if (currency != NULL) {
        fake_text(rows, row, 5, currency);
        fake_bool(rows, row, 6, true);
    }
}

static void seat_row(int row, int ord, bool fresh, uint8_t seat, const char *status)
{
    struct tk_uuid id = fake_id(seat);
    blank_row(row, ord, fresh);
    fake_uuid(rows, row, 7, &id);
    fake_text(rows, row, 8, status);
    fake_i64(rows, row, 9, 10000);
    fake_text(rows, row, 10, "Stalls");
    fake_text(rows, row, 11, "2");
    fake_text(rows, row, 12, "10");
}

static void read(struct hold_line *lines, size_t count, struct tk_hold_answer *answers, enum tk_err *errs)
{
    struct tk_pg_outcome outcome = {.step = TK_STEP_OK, .rows = {NULL, rows}};
    struct tk_arena *arenas[4] = {&arena, &arena, &arena, &arena};
    seat_store_read_reserve(&outcome, lines, count, arenas, answers, errs);
}

Test(seat_store, a_fresh_hold_answers_in_the_order_asked)
{
    struct tk_uuid asked[] = {fake_id(9), fake_id(3)};
    struct tk_uuid sorted[] = {fake_id(3), fake_id(9)};
    struct tk_hold_request request = {.reservation_id = fake_id(200), .seats = asked, .seat_count = 2};
    struct hold_line line = {.request = &request, .sorted_seats = sorted};
    struct tk_hold_answer answer;
    enum tk_err err;
    seat_row(0, 1, true, 3, "available");
    head_row(1, 1, true, "held", true, "EUR"); /* rows may come in any order */
    seat_row(2, 1, true, 9, "available");
    read(&line, 1, &answer, &err);
    cr_assert_eq(err, TK_OK);
    cr_expect_eq(answer.outcome, TK_HOLD_HELD);
    cr_expect_eq(answer.reserved_until_us, DEADLINE_US);
    cr_expect_str_eq(answer.currency, "EUR");
    cr_assert_eq(answer.seat_count, 2);
    cr_expect(tk_uuid_eq(&answer.seats[0].session_seat_id, &asked[0]));
    cr_expect_eq(answer.seats[0].status, TK_SEAT_RESERVED);
    cr_expect_eq(answer.seats[1].price_minor, 10000);
    cr_expect(tk_slice_eq_str(answer.seats[1].seat_number, "10"));
}

Test(seat_store, lost_seats_are_named_and_only_those)
{
    struct tk_uuid seats[] = {fake_id(1), fake_id(2), fake_id(3)};
    struct tk_hold_request request = {.reservation_id = fake_id(200), .seats = seats, .seat_count = 3};
    struct hold_line line = {.request = &request, .sorted_seats = seats};
    struct tk_hold_answer answer;
    enum tk_err err;
    head_row(0, 1, true, "held", true, "EUR");
    seat_row(1, 1, true, 1, "available");
    seat_row(2, 1, true, 2, "sold");
    seat_row(3, 1, true, 3, "reserved");
    read(&line, 1, &answer, &err);
    cr_expect_eq(answer.outcome, TK_HOLD_SEATS_TAKEN);
    cr_expect_eq(answer.reserved_until_us, TK_TIME_NONE);
    cr_assert_eq(answer.seat_count, 2);
    cr_expect_eq(answer.seats[0].status, TK_SEAT_SOLD);
    cr_expect_eq(answer.seats[1].status, TK_SEAT_RESERVED);
}

Test(seat_store, seats_without_rows_are_unknown)
{
    struct tk_uuid seats[] = {fake_id(1), fake_id(2)};
    struct tk_hold_request request = {.reservation_id = fake_id(200), .seats = seats, .seat_count = 2};
    struct hold_line line = {.request = &request, .sorted_seats = seats};
    struct tk_hold_answer answer;
    enum tk_err err;
    head_row(0, 1, true, "held", true, "EUR");
    seat_row(1, 1, true, 1, "available");
    read(&line, 1, &answer, &err);
    cr_expect_eq(answer.outcome, TK_HOLD_UNKNOWN_SEATS);
    cr_assert_eq(answer.seat_count, 1);
    cr_expect(tk_uuid_eq(&answer.seats[0].session_seat_id, &seats[1]));
}

Test(seat_store, neighbours_in_a_batch_are_judged_alone)
{
    struct tk_uuid first[] = {fake_id(1)};
    struct tk_uuid second[] = {fake_id(2)};
    struct tk_uuid third[] = {fake_id(3)};
    struct tk_hold_request requests[] = {{.seats = first, .seat_count = 1},
                                         {.seats = second, .seat_count = 1},
                                         {.seats = third, .seat_count = 1},
                                         {.seats = third, .seat_count = 1}};
    struct hold_line lines[] = {
        {&requests[0], first}, {&requests[1], second}, {&requests[2], third}, {&requests[3], third}};
    struct tk_hold_answer answers[4];
    enum tk_err errs[4];
    head_row(0, 1, false, "sold", true, "EUR");
    head_row(1, 2, false, "released", false, "EUR");
    head_row(2, 3, false, NULL, false, NULL);
    head_row(3, 4, false, NULL, false, "EUR"); /* neither inserted nor there: no answer */
    seat_row(4, 1, false, 1, "sold");
    read(lines, 4, answers, errs);
    cr_expect_eq(answers[0].outcome, TK_HOLD_HELD);
    cr_expect_eq(answers[0].seats[0].status, TK_SEAT_SOLD, "a replay tells the seat as it is");
    cr_expect_eq(answers[1].outcome, TK_HOLD_RELEASED);
    cr_expect_eq(answers[2].outcome, TK_HOLD_SESSION_NOT_FOUND);
    cr_expect_eq(errs[3], TK_ERR_CONFLICT);
    cr_expect_eq(errs[0] | errs[1] | errs[2], TK_OK);
}

Test(seat_store, verdicts_are_found_by_ordinal)
{
    enum settle_verdict verdicts[2];
    PGresult *answered = fake_rows(2);
    struct tk_pg_outcome outcome = {.step = TK_STEP_OK, .rows = {NULL, answered}};
    fake_i32(answered, 0, 0, 2);
    fake_text(answered, 0, 1, "stale");
    fake_i32(answered, 1, 0, 1);
    fake_text(answered, 1, 1, "tombstoned");
    seat_store_read_settle(&outcome, verdicts, 2);
    cr_expect_eq(verdicts[0], SETTLE_TOMBSTONED);
    cr_expect_eq(verdicts[1], SETTLE_STALE);
    PQclear(answered);
}

/* The int4 at place `index` of the one-dimensional array that is parameter `parameter`. */
static int32_t array_i32(const struct tk_params *p, int parameter, int index)
{
    const char *array = p->data.ptr + p->items[parameter].offset;
    uint32_t wire;
    memcpy(&wire, array + 20 + index * 8 + 4, sizeof(wire));
    return (int32_t)be32toh(wire);
}

Test(seat_store, places_of_seats_count_from_one)
{
    struct tk_uuid seats[] = {fake_id(1), fake_id(2), fake_id(3)};
    struct tk_hold_request requests[] = {{.seats = seats, .seat_count = 2}, {.seats = seats + 2, .seat_count = 1}};
    struct hold_line lines[] = {{&requests[0], seats}, {&requests[1], seats + 2}};
    struct tk_pg_op op;
    tk_pg_op_init(&op);
    seat_store_reserve(&op, lines, 2);
    cr_assert_eq(op.step_count, 2);
    cr_expect_eq(op.steps[0].params.count, 6);
    cr_expect_eq(op.steps[1].params.count, 5);
    const struct tk_params *p = &op.steps[1].params;
    cr_expect_eq(array_i32(p, 2, 0), 1);
    cr_expect_eq(array_i32(p, 3, 0), 2);
    cr_expect_eq(array_i32(p, 2, 1), 3);
    cr_expect_eq(array_i32(p, 3, 1), 3);
    tk_pg_op_release(&op);
}

Test(seat_store, commands_name_no_seats)
{
    struct tk_uuid seats[] = {fake_id(1), fake_id(2)};
    struct settle_line lines[] = {{.sell = false}, {.sell = true, .revision = 3, .seats = seats, .seat_count = 2}};
    struct tk_pg_op op;
    tk_pg_op_init(&op);
    seat_store_settle(&op, lines, 2);
    const struct tk_params *p = &op.steps[1].params;
    cr_assert_eq(p->count, 7);
    cr_expect_eq(array_i32(p, 4, 0), 0);
    cr_expect_eq(array_i32(p, 5, 0), -1);
    cr_expect_eq(array_i32(p, 4, 1), 1);
    cr_expect_eq(array_i32(p, 5, 1), 2);
    tk_pg_op_release(&op);
}
