/* One run, from the first request to the last check: what goes wrong in it, how long it lasts. */
#include "tests/sim/sim.h"

#define EVENTS_MAX 3000000

/* --- the faults of a run ---------------------------------------------------------------------------------------------- */

static void every_second(void *ctx)
{
    (void)ctx;
    if (sim_fault(sim.p.crash))
        sim_crash(sim_below(APPS));
    if (sim_fault(sim.p.stop))
        sim_stop(sim_below(REDIS));
    if (sim_fault(sim.p.db_crash))
        sim_crash(sim_chance(512) ? BOOKING_DB : EVENT_DB);
    if (sim_fault(sim.p.broker_crash))
        sim_crash(BROKER);
    if (sim_fault(sim.p.redis_away))
        sim_crash(REDIS);
    if (sim_fault(sim.p.redis_flush)) {
        sim_note("redis flushed", 0, 0, 0);
        for (int i = 0; i < SEATS; i++)
            sim.locks[i].owner = NOBODY;
    }
    if (sim.now < sim.calm) {
        sim_at(WORLD, SECOND, every_second, NULL);
        return;
    }
    sim_note("calm", 0, 0, 0);
}

/* --- one run ---------------------------------------------------------------------------------------------------------- */

/** Each kind of fault is on in about half of the runs, mildly or badly: runs differ more than with all of them always on.
 */
static int draw(int most)
{
    const int how = sim_below(4);
    const int amount = 1 + sim_below(most);
    return how < 2 ? 0 : how == 2 ? 1 + amount / 4 : amount;
}

static void draw_profile(void)
{
    struct profile *p = &sim.p;
    static const int64_t holds[] = {4, 10, 30};
    p->seats = 3 + sim_below(SEATS - 2);
    p->clients = 3 + sim_below(CLIENTS - 3);
    p->bookings = 3 + sim_below(7);
    p->hold = holds[sim_below(3)] * SECOND;
    p->grace = (1 + sim_below(15)) * SECOND;
    p->settle_after = (3 + sim_below(20)) * SECOND;
    p->calm_at = (15 + sim_below(40)) * SECOND;
    p->lost_request = draw(60);
    p->lost_reply = draw(60);
    p->late = draw(40);
    p->not_sent = draw(60);
    p->refused = draw(40);
    p->crash = draw(400);
    p->stop = draw(200);
    p->crash_here = draw(16);
    p->stop_here = draw(16);
    p->db_crash = draw(60);
    p->broker_crash = draw(60);
    p->redis_flush = draw(300);
    p->redis_away = draw(100);
    p->duplicate = draw(300);
    p->reorder = draw(500);
    p->nack = draw(200);
    p->poison = draw(60);
    p->declined = draw(300);
    p->late_charge = draw(200);
    p->provider_away = draw(200);
    p->skewed = sim_chance(512);
    p->two_workers = sim_chance(700);
}

static void reset(uint64_t seed, enum mutant mutant, bool tracing)
{
    sim_start_over();
    sim.seed = seed;
    sim.random = seed * UINT64_C(0xd1342543de82ef95) + 1;
    sim.hash = UINT64_C(0xcbf29ce484222325);
    sim.mutant = mutant;
    sim.tracing = tracing;
    draw_profile();
    sim.calm = sim.p.calm_at;
    event_db_reset();
    booking_db_reset();
    for (int i = 0; i < APPS; i++)
        sim.processes[i].skew = sim.p.skewed ? sim_between(-3600 * SECOND, 3600 * SECOND) : 0;
}

static bool is_quiet(void)
{
    if (!clients_done() || !booking_db_is_idle() || !broker_is_idle())
        return false;
    for (int i = 0; i < PROCESSES; i++)
        if ((sim.processes[i].down && (i != WORKER_B || sim.p.two_workers)) || sim.processes[i].stopped_until > sim.now)
            return false;
    for (int i = 0; i < sim.ids; i++)
        if (sim.holds[i].state == HOLD_HELD)
            return false;
    return true;
}

/** Runs until nothing is left to be done. Whatever takes longer than the product promises is a rule broken, too. */
static void run_until_quiet(int64_t longest)
{
    const int64_t end = (sim.now > sim.calm ? sim.now : sim.calm) + longest;
    int64_t look = sim.calm;
    while (sim.now < end) {
        sim_run_next();
        SIM_CHECK(sim.events_run < EVENTS_MAX, "it never ends", 0, 0);
        if (sim.now < look)
            continue;
        if (is_quiet())
            return;
        look = sim.now + SECOND;
    }
}

static void live(void)
{
    for (int i = 0; i < APPS; i++)
        if (i != WORKER_B || sim.p.two_workers)
            sim_boot(i);
        else
            sim.processes[i].down = true;
    sim_at(WORLD, SECOND, every_second, NULL);
    clients_start();
    run_until_quiet(600 * SECOND);
    check_end();
    clients_check();
    sim.over = true;
    clients_ask_again();
    run_until_quiet(300 * SECOND);
    check_end();
    clients_check();
}

const char *sim_run(uint64_t seed, enum mutant mutant, bool tracing)
{
    reset(seed, mutant, tracing);
    const char *rule = sim_protect(live);
    sim_note("end", sim.ids, (int64_t)sim.events_run, 0);
    return rule;
}
