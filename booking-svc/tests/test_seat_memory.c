/* What is known about seats: how long it counts, what makes it void, and that it never knows more than it was told. */
#include <criterion/criterion.h>

#include "booking-svc/domain/seat_memory.h"
#include "shared/base/clock.h"

#define NOW (1000 * TK_US_PER_S)

static struct seat_memory *memory;
static struct tk_uuid session;

static void set_up(void)
{
    memory = seat_memory_new();
    session = tk_uuid_v7();
}

static void tear_down(void)
{
    seat_memory_free(memory);
}

TestSuite(seat_memory, .init = set_up, .fini = tear_down);

/* --- seats --------------------------------------------------------------------------------------------------------- */

Test(seat_memory, a_taken_seat_is_known_for_half_a_second)
{
    const struct tk_uuid seat = tk_uuid_v7();
    const struct tk_uuid other = tk_uuid_v7();
    enum tk_seat_status status = TK_SEAT_AVAILABLE;
    cr_assert_not(seat_memory_is_taken(memory, &seat, NOW, &status));
    seat_memory_learn_taken(memory, &seat, TK_SEAT_SOLD, NOW - 1000, NOW);
    cr_assert(seat_memory_is_taken(memory, &seat, NOW, &status));
    cr_assert_eq(status, TK_SEAT_SOLD);
    cr_assert_not(seat_memory_is_taken(memory, &other, NOW, &status));
    cr_assert(seat_memory_is_taken(memory, &seat, NOW + SEAT_MEMORY_TAKEN_US - 1, &status));
    cr_assert_not(seat_memory_is_taken(memory, &seat, NOW + SEAT_MEMORY_TAKEN_US, &status));
}

Test(seat_memory, a_seat_given_back_is_forgotten_at_once)
{
    const struct tk_uuid seat = tk_uuid_v7();
    enum tk_seat_status status;
    seat_memory_learn_taken(memory, &seat, TK_SEAT_RESERVED, NOW, NOW);
    seat_memory_forget_seat(memory, &seat);
    cr_assert_not(seat_memory_is_taken(memory, &seat, NOW, &status));
    seat_memory_forget_seat(memory, &seat);
}

/** However late an answer comes, what it says ends before a second has passed since the question. */
Test(seat_memory, an_answer_that_took_long_counts_for_less)
{
    const struct tk_uuid seat = tk_uuid_v7();
    const int64_t asked_us = NOW - 600000;
    enum tk_seat_status status;
    cr_assert_lt(SEAT_MEMORY_OLDEST_US, TK_US_PER_S);
    seat_memory_learn_taken(memory, &seat, TK_SEAT_SOLD, asked_us, NOW);
    cr_assert(seat_memory_is_taken(memory, &seat, asked_us + SEAT_MEMORY_OLDEST_US - 1, &status));
    cr_assert_not(seat_memory_is_taken(memory, &seat, asked_us + SEAT_MEMORY_OLDEST_US, &status));
    seat_memory_learn_taken(memory, &seat, TK_SEAT_SOLD, NOW - TK_US_PER_S, NOW);
    cr_assert_not(seat_memory_is_taken(memory, &seat, NOW, &status));
}

/** More seats than there is room for: whatever is still known must be true. */
Test(seat_memory, table_is_bounded_and_never_invents)
{
    enum { SEATS = 300000 };
    static struct tk_uuid seats[SEATS];
    size_t known = 0;
    enum tk_seat_status status;
    for (size_t i = 0; i < SEATS; i++) {
        seats[i] = tk_uuid_v7();
        if (i % 2 == 0)
            seat_memory_learn_taken(memory, &seats[i], TK_SEAT_SOLD, NOW, NOW);
    }
    for (size_t i = 0; i < SEATS; i++) {
        const bool taken = seat_memory_is_taken(memory, &seats[i], NOW, &status);
        cr_assert(!taken || i % 2 == 0);
        known += taken;
    }
    cr_assert_gt(known, 60000, "the table is used evenly: %zu", known);
}

/* --- sections ------------------------------------------------------------------------------------------------------ */

static struct tk_best_available want(struct tk_slice section, int64_t quantity, bool adjacent)
{
    return (struct tk_best_available){section, quantity, adjacent};
}

static void learn(struct tk_slice section, int64_t quantity, bool adjacent, struct tk_hold_answer answer)
{
    const struct tk_best_available best = want(section, quantity, adjacent);
    seat_memory_learn_refusal(memory, &session, &best, &answer, NOW, NOW);
}

/** HELD stands for "not refused". */
static enum tk_hold_outcome ask(struct tk_slice section, int64_t quantity, bool adjacent, int64_t now_us)
{
    const struct tk_best_available best = want(section, quantity, adjacent);
    struct tk_hold_answer answer = {.outcome = TK_HOLD_HELD};
    const bool refused = seat_memory_refuses(memory, &session, &best, now_us, &answer);
    cr_assert_eq(refused, answer.outcome != TK_HOLD_HELD);
    return answer.outcome;
}

#define ANY ((struct tk_slice){NULL, 0})

Test(seat_memory, sold_out_counts_from_what_was_refused_or_not_offered)
{
    learn(TK_SLICE("A"), 4, true,
          (struct tk_hold_answer){.outcome = TK_HOLD_SOLD_OUT, .offer_available = 2, .offer_largest_block = 1});
    cr_assert_eq(ask(TK_SLICE("A"), 4, true, NOW), TK_HOLD_SOLD_OUT);
    cr_assert_eq(ask(TK_SLICE("A"), 3, false, NOW), TK_HOLD_SOLD_OUT);
    cr_assert_eq(ask(TK_SLICE("A"), 2, true, NOW), TK_HOLD_NO_ADJACENT_BLOCK);
    cr_assert_eq(ask(TK_SLICE("A"), 2, false, NOW), TK_HOLD_HELD);
    cr_assert_eq(ask(TK_SLICE("A"), 1, true, NOW), TK_HOLD_HELD);
    cr_assert_eq(ask(TK_SLICE("B"), 4, true, NOW), TK_HOLD_HELD, "another section");
    cr_assert_eq(ask(ANY, 4, true, NOW), TK_HOLD_HELD, "the rest of the house");
    cr_assert_eq(ask(TK_SLICE("A"), 4, true, NOW + SEAT_MEMORY_SOLD_OUT_US), TK_HOLD_HELD, "too long ago");
}

Test(seat_memory, no_block_says_nothing_about_scattered_seats)
{
    learn(TK_SLICE("A"), 3, true,
          (struct tk_hold_answer){.outcome = TK_HOLD_NO_ADJACENT_BLOCK, .offer_available = 50, .offer_largest_block = 2});
    cr_assert_eq(ask(TK_SLICE("A"), 3, true, NOW), TK_HOLD_NO_ADJACENT_BLOCK);
    cr_assert_eq(ask(TK_SLICE("A"), 3, false, NOW), TK_HOLD_HELD);
    cr_assert_eq(ask(TK_SLICE("A"), 2, true, NOW), TK_HOLD_HELD);
    cr_assert_eq(ask(TK_SLICE("A"), 51, true, NOW), TK_HOLD_SOLD_OUT);
}

Test(seat_memory, a_session_without_seats_has_no_section_with_some)
{
    learn(ANY, 2, true,
          (struct tk_hold_answer){.outcome = TK_HOLD_SOLD_OUT, .offer_available = 1, .offer_largest_block = 1});
    cr_assert_eq(ask(TK_SLICE("A"), 2, true, NOW), TK_HOLD_SOLD_OUT);
    cr_assert_eq(ask(TK_SLICE("A"), 1, true, NOW), TK_HOLD_HELD);
    session = tk_uuid_v7();
    cr_assert_eq(ask(TK_SLICE("A"), 2, true, NOW), TK_HOLD_HELD, "another session");
}

Test(seat_memory, what_was_asked_before_a_release_is_void_even_if_answered_after)
{
    const struct tk_hold_answer sold_out = {.outcome = TK_HOLD_SOLD_OUT};
    const struct tk_best_available best = want(TK_SLICE("A"), 1, true);
    learn(TK_SLICE("A"), 1, true, sold_out);
    cr_assert_eq(ask(TK_SLICE("A"), 1, true, NOW + 1), TK_HOLD_SOLD_OUT);
    seat_memory_forget_session(memory, &session, NOW + 2);
    cr_assert_eq(ask(TK_SLICE("A"), 1, true, NOW + 3), TK_HOLD_HELD);
    seat_memory_learn_refusal(memory, &session, &best, &sold_out, NOW + 1, NOW + 4);
    cr_assert_eq(ask(TK_SLICE("A"), 1, true, NOW + 5), TK_HOLD_HELD);
    seat_memory_learn_refusal(memory, &session, &best, &sold_out, NOW + 5, NOW + 6);
    cr_assert_eq(ask(TK_SLICE("A"), 1, true, NOW + 7), TK_HOLD_SOLD_OUT);
}

Test(seat_memory, names_too_long_to_remember_are_asked_every_time)
{
    char name[SEAT_MEMORY_SECTION_MAX + 1];
    memset(name, 'x', sizeof(name));
    const struct tk_slice longest = {name, SEAT_MEMORY_SECTION_MAX};
    const struct tk_slice too_long = {name, sizeof(name)};
    learn(longest, 1, true, (struct tk_hold_answer){.outcome = TK_HOLD_SOLD_OUT});
    learn(too_long, 1, true, (struct tk_hold_answer){.outcome = TK_HOLD_SOLD_OUT});
    cr_assert_eq(ask(longest, 1, true, NOW), TK_HOLD_SOLD_OUT);
    cr_assert_eq(ask(too_long, 1, true, NOW), TK_HOLD_HELD);
    cr_assert_eq(ask(ANY, 1, true, NOW), TK_HOLD_HELD);
}
