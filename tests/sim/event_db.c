/*
 * The tables holds and session_seats, with the statements of event-svc/adapters/seat_store.c. Each function is what one
 * item of a batch does in one transaction; the seat rows are locked in key order there, so transactions follow each other.
 */
#include <string.h>

#include "tests/sim/sim.h"

void event_db_reset(void)
{
    for (int i = 0; i < SEATS; i++)
        sim.seats[i] = (struct seat){.status = i < sim.p.seats ? TK_SEAT_AVAILABLE : TK_SEAT_BLOCKED, .id = NOBODY};
}

static bool is_free(int seat)
{
    const struct seat *s = &sim.seats[seat];
    if (sim.mutant == MUTANT_NO_SEAT_CHECK)
        return s->status != TK_SEAT_SOLD;
    if (sim.mutant == MUTANT_LAPSED_IS_FREE && s->status == TK_SEAT_RESERVED && sim.holds[s->id].until < sim.now)
        return true;
    return s->status == TK_SEAT_AVAILABLE;
}

static int count_free(const int *seats, int count)
{
    int n = 0;
    for (int i = 0; i < count; i++)
        n += is_free(seats[i]);
    return n;
}

static void take(int id, const int *seats, int count)
{
    for (int i = 0; i < count; i++)
        if (is_free(seats[i]))
            sim.seats[seats[i]] = (struct seat){.status = TK_SEAT_RESERVED, .id = id};
}

/*
 * sql_reserve_holds: INSERT … ON CONFLICT DO NOTHING makes the row `fresh`; then sql_reserve_seats: all seats available →
 * reserved, else the fresh row is deleted again ("undone"), so that a loser's id stays free.
 */
enum tk_err event_db_reserve(int id, const int *seats, int count, int64_t now, struct hold_facts *facts)
{
    struct hold *hold = &sim.holds[id];
    *facts = (struct hold_facts){.session_exists = true, .session_open = true, .wanted = (size_t)count};
    facts->fresh = hold->state == HOLD_NONE;
    facts->state = facts->fresh ? HOLD_HELD : hold->state;
    facts->same_seats = hold->count == count && memcmp(hold->seats, seats, (size_t)count * sizeof(*seats)) == 0;
    if (!facts->fresh)
        return TK_OK;
    facts->found = (size_t)count;
    facts->available = (size_t)count_free(seats, count);
    if (sim.mutant == MUTANT_HALF_HOLDS && facts->available > 0)
        facts->available = facts->wanted;
    if (facts->available < facts->wanted)
        return TK_OK;
    SIM_CHECK(!hold->given_up, "held again after its release", id, 0);
    take(id, seats, count);
    *hold = (struct hold){.state = HOLD_HELD, .until = now + sim.p.hold, .count = count};
    memcpy(hold->seats, seats, (size_t)count * sizeof(*seats));
    sim_note("held", id, seats[0], count);
    return TK_OK;
}

static bool is_mine(int id, int seat)
{
    return sim.seats[seat].status == TK_SEAT_RESERVED && sim.seats[seat].id == id;
}

/** The CASE of sql_settle_seats, in its order. `fresh`: sql_settle_holds has just inserted a tombstone. */
static enum settle_verdict judge(const struct hold *hold, bool fresh, bool sell, int64_t revision, const int *seats,
                                 int count)
{
    if (fresh)
        return SETTLE_TOMBSTONED;
    if (hold->state == HOLD_NONE)
        return SETTLE_UNKNOWN;
    if (revision > 0 && revision <= hold->revision)
        return SETTLE_STALE;
    if (sell && hold->state == HOLD_RELEASED)
        return SETTLE_CONFLICT;
    if (sell && seats != NULL && (hold->count != count || memcmp(hold->seats, seats, (size_t)count * sizeof(*seats)) != 0))
        return SETTLE_CONFLICT;
    if (!sell && hold->state == HOLD_SOLD)
        return SETTLE_CONFLICT;
    return SETTLE_APPLIED;
}

/** "judged": a sale needs every seat of the hold, a release gives back those that are still its own. */
static bool change_seats(int id, const struct hold *hold, bool sell)
{
    int mine = 0;
    for (int i = 0; i < hold->count; i++)
        mine += is_mine(id, hold->seats[i]);
    if (sell && mine < hold->count)
        return false;
    for (int i = 0; i < hold->count; i++)
        if (is_mine(id, hold->seats[i]))
            sim.seats[hold->seats[i]] =
                (struct seat){.status = sell ? TK_SEAT_SOLD : TK_SEAT_AVAILABLE, .id = sell ? id : NOBODY};
    return true;
}

/** The mutant's consumer: the message names seats, so they are freed. */
static void free_unfenced(const int *seats, int count)
{
    for (int i = 0; i < count; i++)
        if (sim.seats[seats[i]].status == TK_SEAT_RESERVED)
            sim.seats[seats[i]] = (struct seat){.status = TK_SEAT_AVAILABLE, .id = NOBODY};
}

static bool entomb(struct hold *hold, int64_t revision)
{
    if (hold->state != HOLD_NONE || sim.mutant == MUTANT_NO_EVENT_TOMBSTONE)
        return false;
    sim_note("entombed at event-svc", 0, revision, 0);
    *hold = (struct hold){.state = HOLD_RELEASED, .revision = revision, .until = sim.now};
    return true;
}

/* sql_settle_holds and sql_settle_seats. `revision` 0: a command, not a message. `seats` NULL: it names none. */
enum settle_verdict event_db_settle(int id, bool sell, int64_t revision, const int *seats, int count)
{
    struct hold *hold = &sim.holds[id];
    const bool fresh = !sell && entomb(hold, revision);
    enum settle_verdict verdict = judge(hold, fresh, sell, revision, seats, count);
    if (sim.mutant == MUTANT_NO_EVENT_TOMBSTONE && !sell && verdict == SETTLE_UNKNOWN)
        verdict = SETTLE_TOMBSTONED;
    if (sim.mutant == MUTANT_NO_FENCE && !sell && seats != NULL)
        free_unfenced(seats, count);
    sim_note(settle_verdict_name(verdict), id, sell, revision);
    if (verdict == SETTLE_APPLIED && hold->state == HOLD_HELD && !change_seats(id, hold, sell))
        return SETTLE_CONFLICT;
    if (!sell && (verdict == SETTLE_APPLIED || verdict == SETTLE_TOMBSTONED)) {
        check_freed(id);
        hold->given_up = true;
    }
    if (verdict != SETTLE_APPLIED || (hold->state != HOLD_HELD && revision == 0))
        return verdict;
    hold->state = sell ? HOLD_SOLD : HOLD_RELEASED;
    hold->revision = revision > 0 ? revision : hold->revision;
    if (sell)
        check_sold(id);
    return verdict;
}
