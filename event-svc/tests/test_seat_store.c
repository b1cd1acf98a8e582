/*
 * Reading what reserve and settle answered, and filling their parameters.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "event-svc/adapters/seat_store.h"
#include "event-svc/tests/fake_rows.h"
#include "shared/json/writer.h"

#define COLUMNS     10
#define DEADLINE_US (INT64_C(1800000000) * 1000000)

static PGresult *rows;
static struct tk_arena arena;
static struct seat_plan *plan; /* seats 1 to 9 in row 2 of Stalls, numbered from 10 */

static void set_up(void)
{
    rows = fake_rows(COLUMNS);
    plan = seat_plan_new(9);
    for (uint8_t i = 1; i <= 9; i++) {
        const char number[] = {'1', (char)('0' + i - 1), '\0'};
        const struct plan_seat seat = {.session_seat_id = fake_id(i),
                                       .section = TK_SLICE("Stalls"),
                                       .row_number = TK_SLICE("2"),
                                       .seat_number = tk_slice_of(number)};
        seat_plan_add(plan, &seat);
    }
    seat_plan_finish(plan);
}

static void tear_down(void)
{
    PQclear(rows);
    tk_arena_release(&arena);
    seat_plan_free(plan);
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
}

/* A row without item: a session and its new version. */
static void bump_row(int row, uint8_t session, int64_t version)
{
    struct tk_uuid id = fake_id(session);
    blank_row(row, 0, false);
    fake_null(rows, row, 0);
    fake_uuid(rows, row, 7, &id);
    fake_i64(rows, row, 9, version);
}

static struct hold_line line_of(const struct tk_uuid *asked, const struct tk_uuid *sorted, size_t count)
{
    return (struct hold_line){.reservation_id = fake_id(200),
                              .session_id = fake_id(100),
                              .seats = asked,
                              .sorted_seats = sorted,
                              .seat_count = count,
                              .plan = plan,
                              .arena = &arena};
}

static void read(struct hold_line *lines, size_t count, struct tk_hold_answer *answers, enum tk_err *errs,
                 struct seat_changes *changes)
{
    struct tk_pg_outcome outcome = {.step = TK_STEP_OK, .rows = {NULL, rows}};
    seat_store_read_reserve(&outcome, lines, count, answers, errs, changes);
}

Test(seat_store, a_fresh_hold_answers_in_the_order_asked)
{
    struct tk_uuid asked[] = {fake_id(9), fake_id(3)};
    struct tk_uuid sorted[] = {fake_id(3), fake_id(9)};
    struct hold_line line = line_of(asked, sorted, 2);
    struct seat_changes changes;
    struct tk_hold_answer answer;
    enum tk_err err;
    seat_row(0, 1, true, 3, "available");
    head_row(1, 1, true, "held", true, "EUR"); /* rows may come in any order */
    seat_row(2, 1, true, 9, "available");
    bump_row(3, 100, 42);
    read(&line, 1, &answer, &err, &changes);
    cr_assert_eq(err, TK_OK);
    cr_expect_eq(answer.outcome, TK_HOLD_HELD);
    cr_expect_eq(answer.reserved_until_us, DEADLINE_US);
    cr_expect_str_eq(answer.currency, "EUR");
    cr_assert_eq(answer.seat_count, 2);
    cr_expect(tk_uuid_eq(&answer.seats[0].session_seat_id, &asked[0]));
    cr_expect_eq(answer.seats[0].status, TK_SEAT_RESERVED);
    cr_expect_eq(answer.seats[1].price_minor, 10000);
    cr_expect(tk_slice_eq_str(answer.seats[1].section, "Stalls"));
    cr_expect(tk_slice_eq_str(answer.seats[1].seat_number, "12"));
    cr_assert_eq(changes.count, 2);
    cr_expect_eq(changes.items[0].status, TK_SEAT_RESERVED);
    cr_assert_eq(changes.bump_count, 1);
    cr_expect_eq(changes.bumps[0].version, 42);
    seat_changes_release(&changes);
}

Test(seat_store, a_replayed_choice_tells_the_seats_it_has)
{
    struct tk_uuid chosen[] = {fake_id(7), fake_id(8)};
    struct hold_line line = line_of(chosen, chosen, 2);
    struct seat_changes changes;
    struct tk_hold_answer answer;
    enum tk_err err;
    line.quantity = 2;
    seat_row(0, 1, false, 3, "reserved");
    seat_row(1, 1, false, 7, "reserved"); /* one of them chosen again */
    head_row(2, 1, false, "held", true, "EUR");
    read(&line, 1, &answer, &err, &changes);
    cr_expect_eq(answer.outcome, TK_HOLD_HELD);
    cr_assert_eq(answer.seat_count, 2);
    struct tk_uuid stored[] = {fake_id(3), fake_id(7)};
    cr_expect(tk_uuid_eq(&answer.seats[0].session_seat_id, &stored[0]));
    cr_expect(tk_uuid_eq(&answer.seats[1].session_seat_id, &stored[1]));
    cr_expect(tk_slice_eq_str(answer.seats[0].seat_number, "12"));
    cr_expect_eq(changes.count, 0);
    seat_changes_release(&changes);
}

Test(seat_store, lost_seats_are_named_and_only_those)
{
    struct tk_uuid seats[] = {fake_id(1), fake_id(2), fake_id(3)};
    struct hold_line line = line_of(seats, seats, 3);
    struct seat_changes changes;
    struct tk_hold_answer answer;
    enum tk_err err;
    head_row(0, 1, true, "held", true, "EUR");
    seat_row(1, 1, true, 1, "available");
    seat_row(2, 1, true, 2, "sold");
    seat_row(3, 1, true, 3, "reserved");
    read(&line, 1, &answer, &err, &changes);
    cr_expect_eq(answer.outcome, TK_HOLD_SEATS_TAKEN);
    cr_expect_eq(answer.reserved_until_us, TK_TIME_NONE);
    cr_assert_eq(answer.seat_count, 2);
    cr_expect_eq(answer.seats[0].status, TK_SEAT_SOLD);
    cr_expect_eq(answer.seats[1].status, TK_SEAT_RESERVED);
    seat_changes_release(&changes);
}

Test(seat_store, seats_without_rows_are_unknown)
{
    struct tk_uuid seats[] = {fake_id(1), fake_id(2)};
    struct hold_line line = line_of(seats, seats, 2);
    struct seat_changes changes;
    struct tk_hold_answer answer;
    enum tk_err err;
    head_row(0, 1, true, "held", true, "EUR");
    seat_row(1, 1, true, 1, "available");
    read(&line, 1, &answer, &err, &changes);
    cr_expect_eq(answer.outcome, TK_HOLD_UNKNOWN_SEATS);
    cr_assert_eq(answer.seat_count, 1);
    cr_expect(tk_uuid_eq(&answer.seats[0].session_seat_id, &seats[1]));
    seat_changes_release(&changes);
}

Test(seat_store, neighbours_in_a_batch_are_judged_alone)
{
    struct tk_uuid first[] = {fake_id(1)};
    struct tk_uuid second[] = {fake_id(2)};
    struct tk_uuid third[] = {fake_id(3)};
    struct hold_line lines[] = {line_of(first, first, 1), line_of(second, second, 1), line_of(third, third, 1),
                                line_of(third, third, 1)};
    struct seat_changes changes;
    struct tk_hold_answer answers[4];
    enum tk_err errs[4];
    head_row(0, 1, false, "sold", true, "EUR");
    head_row(1, 2, false, "released", false, "EUR");
    head_row(2, 3, false, NULL, false, NULL);
    head_row(3, 4, false, NULL, false, "EUR"); /* neither inserted nor there: no answer */
    seat_row(4, 1, false, 1, "sold");
    read(lines, 4, answers, errs, &changes);
    cr_expect_eq(answers[0].outcome, TK_HOLD_HELD);
    cr_expect_eq(answers[0].seats[0].status, TK_SEAT_SOLD, "a replay tells the seat as it is");
    cr_expect_eq(answers[1].outcome, TK_HOLD_RELEASED);
    cr_expect_eq(answers[2].outcome, TK_HOLD_SESSION_NOT_FOUND);
    cr_expect_eq(errs[3], TK_ERR_CONFLICT);
    cr_expect_eq(errs[0] | errs[1] | errs[2], TK_OK);
    seat_changes_release(&changes);
}

Test(seat_store, verdicts_are_found_by_ordinal)
{
    enum settle_verdict verdicts[2];
    struct settle_line lines[2] = {{.session_id = fake_id(100), .sell = true}, {.session_id = fake_id(100)}};
    struct seat_changes changes;
    struct tk_uuid seat = fake_id(5);
    PGresult *answered = fake_rows(4);
    struct tk_pg_outcome outcome = {.step = TK_STEP_OK, .rows = {NULL, answered}};
    for (int row = 0; row < 4; row++)
        for (int column = 0; column < 4; column++)
            fake_null(answered, row, column);
    fake_i32(answered, 0, 0, 2);
    fake_text(answered, 0, 1, "stale");
    fake_i32(answered, 1, 0, 1);
    fake_text(answered, 1, 1, "applied");
    fake_i32(answered, 2, 0, 1);
    fake_uuid(answered, 2, 2, &seat);
    fake_uuid(answered, 3, 2, &lines[0].session_id);
    fake_i64(answered, 3, 3, 7);
    seat_store_read_settle(&outcome, lines, 2, verdicts, &changes);
    cr_expect_eq(verdicts[0], SETTLE_APPLIED);
    cr_expect_eq(verdicts[1], SETTLE_STALE);
    cr_assert(changes.count == 1 && changes.bump_count == 1);
    cr_expect_eq(changes.items[0].status, TK_SEAT_SOLD);
    cr_expect(tk_uuid_eq(&changes.items[0].session_seat_id, &seat));
    cr_expect_eq(changes.bumps[0].version, 7);
    seat_changes_release(&changes);
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
    struct hold_line lines[] = {line_of(seats, seats, 2), line_of(seats + 2, seats + 2, 1)};
    struct tk_pg_op op;
    tk_pg_op_init(&op);
    seat_store_reserve(&op, lines, 2);
    cr_assert_eq(op.step_count, 2);
    cr_expect_eq(op.steps[0].params.count, 6);
    cr_expect_eq(op.steps[1].params.count, 7);
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
    cr_assert_eq(p->count, 10);
    cr_expect_eq(array_i32(p, 4, 0), 0);
    cr_expect_eq(array_i32(p, 5, 0), -1);
    cr_expect_eq(array_i32(p, 4, 1), 1);
    cr_expect_eq(array_i32(p, 5, 1), 2);
    tk_pg_op_release(&op);
}
