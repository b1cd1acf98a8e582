/* booking-worker: the schedule, and the settlement of stuck payments (adapters/upkeep_store.c, app/settle_payments.c). */
#include "tests/sim/worker.h"

#define EXPIRE_EVERY SECOND
#define SWEEP_EVERY  (10 * SECOND)
#define SETTLE_EVERY (5 * SECOND)
#define STUCK_MAX    4

struct stuck_call {
    struct call call;
    struct worker *w;
    int ids[STUCK_MAX], count, from;
};

/* --- stuck payments: upkeep_store.c, settle_payments.c ----------------------------------------------------------- */

/* worker_stuck_payments, worker_payments_advance */
static void apply_stuck(struct call *call)
{
    struct stuck_call *job = (struct stuck_call *)call;
    const int64_t old = call->now - sim.p.settle_after;
    const int64_t from = sim.payments_mark;
    int64_t least = old;
    for (int i = 0; i < sim.attempt_count; i++) {
        const struct attempt *a = &sim.attempts[i];
        if (a->id == NOBODY || a->status != PAYMENT_PENDING || a->created < from || a->created > old)
            continue;
        if (sim.rows[a->id].status != RESERVATION_PAYING)
            continue;
        if (job->count < STUCK_MAX)
            job->ids[job->count++] = a->id;
        if (a->created > old - 300 * SECOND && a->created < least)
            least = a->created;
    }
    if (least > sim.payments_mark)
        sim.payments_mark = least;
    call_reply(call, TK_STEP_OK);
}

static void settle_next(struct stuck_call *job);

struct settle_call {
    struct confirm_call confirm;
    struct stuck_call *job;
};

static void on_asked(struct call *call)
{
    settle_next(((struct settle_call *)call)->job);
}

static void ask_to_settle(struct stuck_call *job, int id, call_fn *done)
{
    struct settle_call *settle = sim_alloc(sizeof(*settle));
    settle->job = job;
    settle->confirm.id = id;
    settle->confirm.resume = true;
    call_start(&settle->confirm.call, job->w->process, sim_chance(512) ? BOOKING_A : BOOKING_B, booking_confirm, done,
               SETTLE_TIMEOUT);
}

static void settle_next(struct stuck_call *job)
{
    if (job->from == job->count)
        worker_job_ends(job->w);
    else
        ask_to_settle(job, job->ids[job->from++], on_asked);
}

static void on_stuck(struct call *call)
{
    struct stuck_call *job = (struct stuck_call *)call;
    job->count = call->step == TK_STEP_OK ? job->count : 0;
    settle_next(job);
}

void worker_settle(struct worker *w)
{
    struct stuck_call *job = sim_alloc(sizeof(*job));
    job->w = w;
    db_start(&job->call, w->process, BOOKING_DB, NOBODY, apply_stuck, on_stuck, WORKER_DB_TIMEOUT);
}

/* --- the schedule ------------------------------------------------------------------------------------------------ */

static void next_job(void *ctx);

void worker_job_ends(struct worker *w)
{
    sim_at(w->process, sim_between(MS, 20 * MS), next_job, w);
}

static void next_job(void *ctx)
{
    struct worker *w = ctx;
    if (w->expire_at <= sim.now) {
        w->expire_at = sim.now + EXPIRE_EVERY;
        worker_expire(w);
    } else if (w->sweep_at <= sim.now && sim.mutant != MUTANT_SWEEP_OFF) {
        w->sweep_at = sim.now + SWEEP_EVERY;
        worker_sweep(w);
    } else if (w->settle_at <= sim.now && sim.mutant != MUTANT_SETTLE_OFF) {
        w->settle_at = sim.now + SETTLE_EVERY;
        worker_settle(w);
    } else {
        sim_at(w->process, 200 * MS, next_job, w);
    }
}

void worker_boot(int process)
{
    struct worker *w = sim_alloc(sizeof(*w));
    w->process = process;
    worker_expiry_reset(w);
    w->cursor = INT64_MIN;
    w->sweep_at = sim.now + sim_between(0, SWEEP_EVERY);
    next_job(w);
    relay_boot(process);
}
