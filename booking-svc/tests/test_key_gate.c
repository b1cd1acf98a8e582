/* Twins by Idempotency-Key in one process: one runs, the others wait in line or until their time is up. */
#include <criterion/criterion.h>

#include "booking-svc/app/key_gate.h"

struct guest {
    struct key_pass pass;
    int entered;
    int turned_away;
};

static struct key_gate gate;
static struct tk_uuid slot;

static void set_up(void)
{
    gate = (struct key_gate){.loop = tk_loop_create()};
    slot = tk_uuid_v7();
}

TestSuite(key_gate, .init = set_up);

static void on_done(struct key_pass *pass, bool entered)
{
    struct guest *guest = TK_CONTAINER_OF(pass, struct guest, pass);
    guest->entered += entered;
    guest->turned_away += !entered;
}

static bool arrive(struct guest *guest, int64_t wait_ms)
{
    return key_gate_enter(&gate, &guest->pass, &slot, wait_ms, on_done);
}

static void turn(int times)
{
    while (times-- > 0)
        tk_loop_turn(gate.loop, 1);
}

Test(key_gate, twins_go_in_one_after_the_other)
{
    struct guest guests[4] = {0};
    cr_assert(arrive(&guests[0], 1000));
    for (size_t i = 1; i < 4; i++)
        cr_assert_not(arrive(&guests[i], 1000));
    for (size_t i = 1; i < 4; i++) {
        key_gate_leave(&guests[i - 1].pass);
        cr_assert_eq(guests[i].entered, 0, "never inside leave");
        turn(3);
        cr_assert_eq(guests[i].entered, 1);
        cr_assert(i == 3 || guests[i + 1].entered == 0);
    }
    key_gate_leave(&guests[3].pass);
    struct guest late = {0};
    cr_assert(arrive(&late, 1000), "nobody is inside any more");
}

Test(key_gate, other_keys_do_not_wait)
{
    struct guest one = {0};
    struct guest other = {0};
    cr_assert(arrive(&one, 1000));
    slot = tk_uuid_v7();
    cr_assert(arrive(&other, 1000));
}

Test(key_gate, waiting_ends_at_the_deadline_and_the_line_moves_on)
{
    struct guest guests[3] = {0};
    cr_assert(arrive(&guests[0], 1000));
    cr_assert_not(arrive(&guests[1], 0));
    cr_assert_not(arrive(&guests[2], 1000));
    turn(5);
    cr_assert_eq(guests[1].turned_away, 1);
    cr_assert_eq(guests[1].entered, 0);
    key_gate_leave(&guests[0].pass);
    turn(5);
    cr_assert_eq(guests[2].entered, 1);
    cr_assert_eq(guests[2].turned_away, 0);
    cr_assert_eq(guests[1].turned_away, 1);
    key_gate_leave(&guests[2].pass);
}
