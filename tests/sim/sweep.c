/*
 * The orphan sweep: booking-worker/adapters/orphan_store.c, app/sweep_orphans.c. The verdicts are the product's own
 * domain/orphan.
 */
#include <string.h>

#include "booking-worker/domain/orphan.h"
#include "tests/sim/worker.h"

#define REEMIT_QUIET (60 * SECOND)
#define MAX_PAGES    50

/* --- the orphan sweep: orphan_store.c, sweep_orphans.c ----------------------------------------------------------- */

struct sweep {
    struct overdue_call page;
    struct call look;
    struct {
        bool read, overdue;
        enum reservation_status status;
        int64_t revision;
    } fates[OVERDUE_PAGE];
    enum orphan_verdict verdicts[OVERDUE_PAGE];
    int at, pages;
    struct worker *w;
};

/** One verdict being carried out. */
struct act {
    struct call call;
    struct sweep *s;
    int id;
    int64_t revision, until;
};

static void carry_out(struct sweep *s);
static void sweep_page(struct sweep *s);

static struct sweep *sweep_of(struct call *look)
{
    return (struct sweep *)(void *)((char *)look - offsetof(struct sweep, look));
}

/* worker_entomb, and, with a snapshot of its own, worker_look */
static void apply_look(struct call *call)
{
    struct sweep *s = sweep_of(call);
    for (int i = 0; i < s->page.count; i++) {
        const int id = s->page.ids[i];
        struct row *row = &sim.rows[id];
        if (!row->exists && sim.mutant == MUTANT_SWEEP_NO_TOMBSTONE) {
            s->fates[i].read = true;
            s->fates[i].status = RESERVATION_EXPIRED;
            continue;
        }
        if (!row->exists)
            booking_db_store(id, &(struct row){.status = RESERVATION_EXPIRED, .revision = 1, .expiry = s->page.until[i]});
        s->fates[i].read = true;
        s->fates[i].status = row->status;
        s->fates[i].overdue = row->expiry <= call->now;
        s->fates[i].revision = row->revision;
    }
    call_reply(call, TK_STEP_OK);
}

/* worker_outbox_insert_if_idle: a queue that moves slowly is no reason to repeat everything */
static void apply_reemit(struct call *call)
{
    const struct act *act = (struct act *)call;
    const int id = act->id;
    for (int i = sim.outbox_first; i < sim.outbox_count; i++)
        if (sim.outbox[i].there && sim.outbox[i].created < call->now - 2 * SECOND) {
            call_reply(call, TK_STEP_REFUSED);
            return;
        }
    if (sim.rows[id].status == RESERVATION_CONFIRMED)
        booking_db_say(id, TK_RESERVATION_CONFIRMED, act->revision, call->from);
    call_reply(call, TK_STEP_OK);
}

static void on_reemitted(struct call *call)
{
    struct sweep *s = ((struct act *)call)->s;
    if (call->step == TK_STEP_OK)
        s->w->reemitted[s->page.ids[s->at]] = true;
    s->at++;
    carry_out(s);
}

/* worker_rewind */
static void apply_rewind(struct call *call)
{
    const struct act *act = (struct act *)call;
    if (act->until < sim.expiry_mark)
        sim.expiry_mark = act->until;
    call_reply(call, TK_STEP_OK);
}

static void on_carried_out(struct call *call)
{
    struct sweep *s = ((struct act *)call)->s;
    s->at++;
    carry_out(s);
}

static void on_released(struct call *call)
{
    struct sweep *s = ((struct release_call *)call)->arg;
    if (call->step == TK_STEP_OK)
        SIM_CHECK(((struct release_call *)call)->outcome != TK_RELEASE_SOLD, "seats sold for a reservation that is over",
                  ((struct release_call *)call)->id, 0);
    s->at++;
    carry_out(s);
}

static void release(struct sweep *s)
{
    struct release_call *call = sim_alloc(sizeof(*call));
    call->id = s->page.ids[s->at];
    call->arg = s;
    call_start(&call->call, s->w->process, sim_chance(512) ? EVENT_A : EVENT_B, event_svc_release, on_released,
               WORKER_CALL_TIMEOUT);
}

struct sweep_settle {
    struct confirm_call confirm;
    struct sweep *s;
};

static void on_swept_settle(struct call *call)
{
    struct sweep *s = ((struct sweep_settle *)call)->s;
    s->at++;
    carry_out(s);
}

static void settle_stuck(struct sweep *s)
{
    struct sweep_settle *settle = sim_alloc(sizeof(*settle));
    settle->s = s;
    settle->confirm.id = s->page.ids[s->at];
    settle->confirm.resume = true;
    call_start(&settle->confirm.call, s->w->process, sim_chance(512) ? BOOKING_A : BOOKING_B, booking_confirm,
               on_swept_settle, SETTLE_TIMEOUT);
}

static void act(struct sweep *s, call_fn *apply, call_fn *done)
{
    struct act *a = sim_alloc(sizeof(*a));
    a->s = s;
    a->id = s->page.ids[s->at];
    a->until = s->page.until[s->at];
    a->revision = s->fates[s->at].revision;
    db_start(&a->call, s->w->process, BOOKING_DB, NOBODY, apply, done, WORKER_DB_TIMEOUT);
}

static bool carry_out_one(struct sweep *s)
{
    const int id = s->page.ids[s->at];
    switch (s->verdicts[s->at]) {
    case ORPHAN_VERDICT_RELEASE:
        release(s);
        return true;
    case ORPHAN_VERDICT_REEMIT:
        if (s->w->reemitted[id])
            return false;
        act(s, apply_reemit, on_reemitted);
        return true;
    case ORPHAN_VERDICT_REVISIT:
        act(s, apply_rewind, on_carried_out);
        return true;
    case ORPHAN_VERDICT_SETTLE:
        if (sim.mutant == MUTANT_SETTLE_OFF)
            return false;
        settle_stuck(s);
        return true;
    default:
        return false;
    }
}

static void carry_out(struct sweep *s)
{
    for (; s->at < s->page.count; s->at++)
        if (carry_out_one(s))
            return;
    if (s->w->cursor != INT64_MIN && ++s->pages < MAX_PAGES)
        sweep_page(s);
    else
        worker_job_ends(s->w);
}

static void on_looked(struct call *call)
{
    struct sweep *s = sweep_of(call);
    if (call->step != TK_STEP_OK) {
        worker_job_ends(s->w);
        return;
    }
    for (int i = 0; i < s->page.count; i++) {
        const struct tk_slice status =
            s->fates[i].read ? tk_slice_of(reservation_status_name(s->fates[i].status)) : (struct tk_slice){0};
        s->verdicts[i] = orphan_judge(status, s->fates[i].overdue);
        if (sim.mutant == MUTANT_SWEEP_RELEASES_PAYING && s->fates[i].status == RESERVATION_PAYING)
            s->verdicts[i] = ORPHAN_VERDICT_RELEASE;
        sim_note(orphan_verdict_name(s->verdicts[i]), s->page.ids[i], s->fates[i].status, s->fates[i].overdue);
    }
    s->at = 0;
    carry_out(s);
}

static void on_page(struct call *call)
{
    struct overdue_call *page = (struct overdue_call *)call;
    struct sweep *s = page->arg;
    const bool ok = call->step == TK_STEP_OK;
    s->w->cursor = !ok || page->cursor == NEVER ? INT64_MIN : page->cursor;
    s->w->cursor_id = page->cursor_id;
    sim_note("sweep", page->count, s->w->cursor, ok);
    if (!ok || page->count == 0) {
        worker_job_ends(s->w);
        return;
    }
    memset(s->fates, 0, sizeof(s->fates));
    db_start(&s->look, s->w->process, BOOKING_DB, NOBODY, apply_look, on_looked, WORKER_DB_TIMEOUT);
}

static void sweep_page(struct sweep *s)
{
    struct worker *w = s->w;
    const int pages = s->pages;
    s = sim_alloc(sizeof(*s)); /* what is still on its way writes into the old one */
    s->w = w;
    s->pages = pages;
    s->page.cursor = w->cursor;
    s->page.cursor_id = w->cursor_id;
    s->page.grace = sim.p.grace;
    s->page.arg = s;
    call_start(&s->page.call, w->process, sim_chance(512) ? EVENT_A : EVENT_B, event_svc_overdue, on_page,
               WORKER_CALL_TIMEOUT);
}

void worker_sweep(struct worker *w)
{
    struct sweep first = {.w = w};
    if (sim.now - w->reemitted_since >= REEMIT_QUIET) {
        memset(w->reemitted, 0, sizeof(w->reemitted));
        w->reemitted_since = sim.now;
    }
    sweep_page(&first);
}
