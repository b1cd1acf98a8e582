/*
 * The oracle. It sees both databases, the broker and the provider at the same moment, so that a mistake is caught when it
 * happens, and at the end it compares them all.
 */
#include "tests/sim/sim.h"

static bool holds_its_seats(int id)
{
    const struct hold *hold = &sim.holds[id];
    const struct row *row = &sim.rows[id];
    if (hold->state != HOLD_HELD || hold->count != row->count)
        return false;
    for (int i = 0; i < row->count; i++) {
        const struct seat *seat = &sim.seats[row->seats[i]];
        if (seat->status != TK_SEAT_RESERVED || seat->id != id || hold->seats[i] != row->seats[i])
            return false;
    }
    return true;
}

void check_held_for(int id, const char *rule)
{
    SIM_CHECK(holds_its_seats(id), rule, id, sim.holds[id].state);
}

void check_stored(int id)
{
    const struct row *row = &sim.rows[id];
    sim.stored_total++;
    SIM_CHECK(booking_matches(sim.origins[id], row->user, row->seats, row->count), "stored what nobody asked for", id, 0);
    check_held_for(id, "stored a reservation whose seats are not held");
}

/** The reservation's row alone says when a seat is free again (docs/FLOWS.md "Expiry"). */
void check_freed(int id)
{
    const struct row *row = &sim.rows[id];
    if (!row->exists)
        return;
    SIM_CHECK(row->status != RESERVATION_CONFIRMED, "freed the seats of a confirmed reservation", id, 0);
    SIM_CHECK(row->status != RESERVATION_PAYING, "freed seats that are being paid for", id, 0);
    SIM_CHECK(row->status != RESERVATION_ACTIVE || row->expiry <= sim.now, "freed the seats of a living reservation", id,
              0);
}

void check_sold(int id)
{
    SIM_CHECK(sim.rows[id].status == RESERVATION_CONFIRMED, "sold seats nobody has paid for", id, sim.rows[id].status);
}

/* --- at rest ----------------------------------------------------------------------------------------------------- */

static void check_rows(void)
{
    for (int id = 0; id < sim.ids; id++) {
        const struct row *row = &sim.rows[id];
        SIM_CHECK(row->locked_by == NOBODY, "a lock was never given back", id, row->locked_by);
        if (!row->exists)
            continue;
        SIM_CHECK(row->status != RESERVATION_ACTIVE, "a hold never expired", id, row->expiry);
        SIM_CHECK(row->status != RESERVATION_PAYING, "a payment was never settled", id, row->revision);
        SIM_CHECK(row->count == 0 || row->said, "a change went without its message", id, row->status);
    }
}

/** Sold here exactly when confirmed there, and nothing is kept for anybody else. */
static void check_seats(void)
{
    for (int i = 0; i < sim.p.seats; i++) {
        const struct seat *seat = &sim.seats[i];
        SIM_CHECK(seat->status != TK_SEAT_RESERVED, "a seat is stranded", i, seat->id);
        SIM_CHECK((seat->status == TK_SEAT_SOLD) == (sim.tickets[i] != NOBODY), "the two databases disagree about a seat",
                  i, sim.tickets[i]);
        SIM_CHECK(sim.tickets[i] == NOBODY || seat->id == sim.tickets[i], "a seat is sold to another one", i, seat->id);
    }
    for (int id = 0; id < sim.ids; id++) {
        SIM_CHECK(sim.holds[id].state != HOLD_HELD, "a hold was never decided", id, sim.holds[id].until);
        SIM_CHECK((sim.holds[id].state == HOLD_SOLD) ==
                      (sim.rows[id].status == RESERVATION_CONFIRMED && sim.rows[id].exists),
                  "the two databases disagree about a hold", id, sim.holds[id].state);
    }
}

static int64_t end_of(const struct row *row)
{
    if (row->status == RESERVATION_CONFIRMED)
        return NEVER;
    const int64_t end = row->ended < row->expiry ? row->ended : row->expiry;
    return end > row->paid_until ? end : row->paid_until;
}

static bool shares_a_seat(const struct row *a, const struct row *b)
{
    for (int i = 0; i < a->count; i++)
        for (int k = 0; k < b->count; k++)
            if (a->seats[i] == b->seats[k])
                return true;
    return false;
}

/** Per seat, the times for which it was promised to somebody must not overlap. */
static void check_promises(void)
{
    for (int i = 0; i < sim.ids; i++) {
        const struct row *a = &sim.rows[i];
        if (!a->exists || a->count == 0)
            continue;
        for (int k = i + 1; k < sim.ids; k++) {
            const struct row *b = &sim.rows[k];
            if (b->exists && b->count > 0 && shares_a_seat(a, b))
                SIM_CHECK(end_of(a) <= b->stored || end_of(b) <= a->stored, "a seat was promised twice", i, k);
        }
    }
}

/** Every charge has a confirmed reservation, every confirmed reservation exactly one charge. */
static void check_money(void)
{
    int taken[IDS] = {0};
    for (int i = 0; i < sim.attempt_count; i++) {
        const struct attempt *a = &sim.attempts[i];
        if (a->id == NOBODY || a->charge != CHARGE_TAKEN)
            continue;
        SIM_CHECK(sim.rows[a->id].status == RESERVATION_CONFIRMED, "money was taken for nothing", a->id, i);
        SIM_CHECK(a->status == PAYMENT_SUCCEEDED, "money was taken for an attempt said to have failed", a->id, i);
        taken[a->id]++;
    }
    for (int id = 0; id < sim.ids; id++)
        if (sim.rows[id].exists && sim.rows[id].status == RESERVATION_CONFIRMED)
            SIM_CHECK(taken[id] == 1, taken[id] == 0 ? "sold without a charge" : "charged twice", id, taken[id]);
}

void check_end(void)
{
    check_rows();
    SIM_CHECK(booking_db_is_idle(), "the outbox was never emptied", sim.outbox_first, 0);
    SIM_CHECK(broker_is_idle(), "messages were never consumed", sim.message_first, 0);
    SIM_CHECK(clients_done(), "a client was never answered", 0, 0);
    check_seats();
    check_promises();
    check_money();
}
