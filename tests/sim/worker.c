/*
 * booking-worker: expiry with its two walks, the orphan sweep, the settlement of stuck payments; one job at a time. The
 * sweep's verdicts are the product's own domain/orphan; the statements are those of booking-worker/adapters.
 */
#include <string.h>

#include "booking-svc/domain/confirm_flow.h"
#include "booking-worker/domain/orphan.h"
#include "tests/sim/sim.h"

#define DB_TIMEOUT     (5 * SECOND)
#define CALL_TIMEOUT   (5 * SECOND)
#define SETTLE_TIMEOUT (15 * SECOND)
#define IDLE_TIMEOUT   (5 * SECOND) /* idle_in_transaction_session_timeout */
#define EXPIRE_EVERY   SECOND
#define SWEEP_EVERY    (10 * SECOND)
#define SETTLE_EVERY   (5 * SECOND)
#define AGAIN          (15 * 60 * SECOND)
#define REEMIT_QUIET   (60 * SECOND)
#define CALL_PAUSE     (2 * SECOND)
#define SCAN_ROWS      6 /* small, so that walks are cut off in the middle */
#define SCAN_ROWS_MAX  256
#define EXPIRE_BATCH   4
#define STUCK_MAX      4
#define MAX_PAGES      50

enum walk { FORWARD, ONCE_MORE };

struct worker {
    int process;
    int64_t expire_at, sweep_at, settle_at;
    /* expiry_store.c: ids[0 … tried) are undecided, ids[tried … count) wait for their turn */
    int ids[IDS], count, tried;
    enum walk walk;
    struct {
        int rows;
        int64_t end;
        bool full, more;
    } walks[2];
    int64_t again_from, walked_again, call_again;
    /* sweep_orphans.c */
    int64_t cursor, reemitted_since;
    int cursor_id;
    bool reemitted[IDS];
};

struct job_call;

/** A transaction that stays open between calls; the server ends it when its owner is gone or silent. */
struct transaction {
    bool open;
    const struct job_call *owner;
    int64_t silent_since;
    int ids[EXPIRE_BATCH], count;
    bool written;
};

static struct transaction transactions[2];

struct job_call {
    struct call call, consequences, commit;
    struct worker *w;
    int from, ids[SCAN_ROWS_MAX], count, kept[EXPIRE_BATCH], kept_count, gone[EXPIRE_BATCH], gone_count;
    int64_t revisions[EXPIRE_BATCH];
    bool full, one_moment;
    int64_t end;
};

#define JOB_OF(call_, member) ((struct job_call *)(void *)((char *)(call_)-offsetof(struct job_call, member)))

static void next_job(void *ctx);

static struct job_call *job_new(struct worker *w)
{
    struct job_call *job = sim_alloc(sizeof(*job));
    job->w = w;
    return job;
}

static void end_job(struct worker *w)
{
    sim_at(w->process, sim_between(MS, 20 * MS), next_job, w);
}

/* --- expiry: the scan
 * ------------------------------------------------------------------------------------------------------- */

static int first_from(int64_t from)
{
    int low = 0, high = sim.stored;
    while (low < high) {
        const int middle = (low + high) / 2;
        if (sim.rows[sim.by_expiry[middle]].expiry < from)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* worker_expiry_scan */
static void apply_scan(struct call *call)
{
    struct job_call *job = (struct job_call *)call;
    const struct worker *w = job->w;
    const int64_t now = sim.mutant == MUTANT_EXPIRE_EARLY ? call->now + sim.processes[w->process].skew : call->now;
    const int64_t from = w->walk == ONCE_MORE && w->again_from != NEVER ? w->again_from : sim.expiry_mark;
    const int limit = w->walks[w->walk].rows;
    int seen = 0, first = first_from(from);
    job->count = 0;
    for (int i = first; i < sim.stored && seen < limit && sim.rows[sim.by_expiry[i]].expiry <= now; i++, seen++) {
        const struct row *row = &sim.rows[sim.by_expiry[i]];
        if (row->status == RESERVATION_ACTIVE || row->status == RESERVATION_PAYING)
            job->ids[job->count++] = sim.by_expiry[i];
        job->end = row->expiry;
    }
    job->full = seen == limit;
    job->one_moment = seen > 0 && sim.rows[sim.by_expiry[first]].expiry == job->end;
    job->end = job->full ? job->end : call->now;
    call_reply(call, TK_STEP_OK);
}

static void list_add(struct worker *w, int id)
{
    for (int i = 0; i < w->count; i++)
        if (w->ids[i] == id)
            return;
    w->ids[w->count++] = id;
}

static void expire_next(struct worker *w);

/* read_scan() */
static void on_scanned(struct call *call)
{
    struct job_call *job = (struct job_call *)call;
    struct worker *w = job->w;
    if (call->step != TK_STEP_OK) {
        end_job(w);
        return;
    }
    for (int i = 0; i < job->count; i++)
        list_add(w, job->ids[i]);
    w->walks[w->walk].full = job->full;
    w->walks[w->walk].more = job->full && (w->walk == FORWARD || job->count > 0);
    w->walks[w->walk].end = job->end;
    const bool longer = job->full && job->one_moment && w->walks[w->walk].rows < SCAN_ROWS_MAX;
    w->walks[w->walk].rows = longer ? w->walks[w->walk].rows * 2 : SCAN_ROWS;
    w->tried = 0;
    expire_next(w);
}

static void start_walk(struct worker *w, enum walk walk)
{
    struct job_call *job = job_new(w);
    w->walk = walk;
    db_start(&job->call, w->process, BOOKING_DB, NOBODY, apply_scan, on_scanned, DB_TIMEOUT);
}

/* --- expiry: the transaction
 * ---------------------------------------------------------------------------------------------------- */

static struct transaction *transaction_of(int process)
{
    return &transactions[process == WORKER_B];
}

static void close_transaction(struct transaction *t)
{
    for (int i = 0; t->open && i < t->count; i++)
        sim.rows[t->ids[i]].locked_by = NOBODY;
    t->open = false;
}

void worker_transactions_lost(int process)
{
    if (process == WORKER_A || process == WORKER_B)
        close_transaction(transaction_of(process));
}

static void on_idle(void *ctx)
{
    struct transaction *t = ctx;
    if (t->open && sim.now - t->silent_since >= IDLE_TIMEOUT) {
        sim_note("rolled back after idling", t->count, 0, 0);
        close_transaction(t);
    }
}

static void speak(struct transaction *t)
{
    t->silent_since = sim.now;
    sim_at_any(BOOKING_DB, IDLE_TIMEOUT, on_idle, t);
}

static bool is_due(const struct row *row, int64_t now)
{
    const bool paying = row->status == RESERVATION_PAYING && sim.mutant == MUTANT_EXPIRE_PAYING;
    return (row->status == RESERVATION_ACTIVE || paying) && row->expiry <= now && row->locked_by == NOBODY;
}

/* BEGIN; worker_expire (FOR UPDATE SKIP LOCKED); worker_undecided */
static void apply_expire(struct call *call)
{
    struct job_call *job = (struct job_call *)call;
    struct transaction *t = transaction_of(call->from);
    const int64_t now = sim.mutant == MUTANT_EXPIRE_EARLY ? call->now + sim.processes[call->from].skew : call->now;
    close_transaction(t);
    *t = (struct transaction){.open = true, .owner = job};
    speak(t);
    for (int i = 0; i < job->count; i++) {
        struct row *row = &sim.rows[job->ids[i]];
        if (is_due(row, now)) {
            row->locked_by = sim.mutant == MUTANT_NO_ROW_LOCK ? NOBODY : call->from;
            t->ids[t->count++] = job->ids[i];
        } else if (row->status == RESERVATION_ACTIVE || row->status == RESERVATION_PAYING) {
            job->kept[job->kept_count++] = job->ids[i];
        }
    }
    call_reply(call, TK_STEP_OK);
}

/* worker_expire_history, worker_outbox_insert */
static void apply_consequences(struct call *call)
{
    struct transaction *t = transaction_of(call->from);
    const bool fine = t->open && t->owner == JOB_OF(call, consequences);
    if (fine) {
        speak(t);
        t->written = true;
    }
    call_reply(call, fine ? TK_STEP_OK : TK_STEP_REFUSED);
}

static void apply_commit(struct call *call)
{
    struct transaction *t = transaction_of(call->from);
    const bool fine = t->open && t->written && t->owner == JOB_OF(call, commit);
    for (int i = 0; fine && i < t->count; i++) {
        SIM_CHECK(sim.rows[t->ids[i]].expiry <= sim.now, "a hold expired early", t->ids[i], sim.rows[t->ids[i]].expiry);
        booking_db_end(t->ids[i], RESERVATION_EXPIRED);
        booking_db_say(t->ids[i], TK_RESERVATION_EXPIRED, sim.rows[t->ids[i]].revision, call->from);
        sim.outbox[sim.outbox_count - 1].order += (uint64_t)(600 * SECOND); /* id_of_later() of outbox_rows.c */
        JOB_OF(call, commit)->gone[i] = t->ids[i];
        JOB_OF(call, commit)->revisions[i] = sim.rows[t->ids[i]].revision;
        JOB_OF(call, commit)->gone_count = i + 1;
    }
    if (fine)
        close_transaction(t);
    call_reply(call, fine ? TK_STEP_OK : TK_STEP_REFUSED);
}

/** The connection is closed after anything that did not work out, and the server notices. */
static void give_up_transaction(struct worker *w)
{
    transaction_of(w->process)->silent_since = sim.now - IDLE_TIMEOUT;
    sim_at_any(BOOKING_DB, MS, on_idle, transaction_of(w->process));
    end_job(w);
}

/* list_settle() */
static void settle_list(struct worker *w, const struct job_call *job)
{
    const int first = w->tried;
    memmove(&w->ids[first + job->kept_count], &w->ids[first + job->count],
            (size_t)(w->count - first - job->count) * sizeof(w->ids[0]));
    memcpy(&w->ids[first], job->kept, (size_t)job->kept_count * sizeof(w->ids[0]));
    w->count -= job->count - job->kept_count;
    w->tried += job->kept_count;
}

static void release_next(struct job_call *job);

/** Not answered: the messages free the seats as well, and event-svc is left alone for a while. */
static void on_expiry_released(struct call *call)
{
    struct job_call *job = ((struct release_call *)call)->arg;
    if (call->step != TK_STEP_OK)
        job->w->call_again = sim.now + CALL_PAUSE;
    release_next(job);
}

static void release_next(struct job_call *job)
{
    if (job->from == job->gone_count || sim.now < job->w->call_again) {
        expire_next(job->w);
        return;
    }
    struct release_call *release = sim_alloc(sizeof(*release));
    release->id = job->gone[job->from];
    release->revision = job->revisions[job->from++];
    release->arg = job;
    call_start(&release->call, job->w->process, sim_chance(512) ? EVENT_A : EVENT_B, event_svc_release, on_expiry_released,
               CALL_TIMEOUT);
}

static void on_committed(struct call *call)
{
    struct job_call *job = JOB_OF(call, commit);
    if (call->step != TK_STEP_OK) {
        give_up_transaction(job->w);
        return;
    }
    settle_list(job->w, job);
    release_next(job);
}

static void on_consequences(struct call *call)
{
    struct job_call *job = JOB_OF(call, consequences);
    if (call->step != TK_STEP_OK)
        give_up_transaction(job->w);
    else
        db_start(&job->commit, job->w->process, BOOKING_DB, NOBODY, apply_commit, on_committed, DB_TIMEOUT);
}

static void on_expired(struct call *call)
{
    struct job_call *job = (struct job_call *)call;
    if (call->step != TK_STEP_OK) {
        give_up_transaction(job->w);
    } else if (job->kept_count == job->count || transaction_of(job->w->process)->count == 0) {
        close_transaction(transaction_of(job->w->process)); /* ROLLBACK: nothing to write */
        settle_list(job->w, job);
        expire_next(job->w);
    } else {
        db_start(&job->consequences, job->w->process, BOOKING_DB, NOBODY, apply_consequences, on_consequences, DB_TIMEOUT);
    }
}

/* worker_expiry_advance, committed lazily */
static void apply_advance(struct call *call)
{
    const struct job_call *job = (struct job_call *)call;
    if (job->end > sim.expiry_mark)
        sim.expiry_mark = job->end;
    call_reply(call, TK_STEP_OK);
}

static void walk_ends(struct worker *w)
{
    if (w->walks[w->walk].more) {
        start_walk(w, w->walk);
    } else if (w->walk == FORWARD && sim.now - w->walked_again >= SECOND) {
        w->walked_again = sim.now;
        start_walk(w, ONCE_MORE);
    } else {
        end_job(w);
    }
}

static void on_advanced(struct call *call)
{
    struct worker *w = ((struct job_call *)call)->w;
    if (call->step == TK_STEP_OK)
        walk_ends(w);
    else
        end_job(w);
}

static void advance(struct worker *w)
{
    struct job_call *job = job_new(w);
    if (w->walk == ONCE_MORE) {
        w->again_from = w->walks[ONCE_MORE].full ? w->walks[ONCE_MORE].end : w->walks[ONCE_MORE].end - AGAIN;
        walk_ends(w);
        return;
    }
    job->end = w->walks[FORWARD].end;
    db_start(&job->call, w->process, BOOKING_DB, NOBODY, apply_advance, on_advanced, DB_TIMEOUT);
}

static void expire_next(struct worker *w)
{
    const int untried = w->count - w->tried;
    if (untried == 0) {
        advance(w);
        return;
    }
    struct job_call *job = job_new(w);
    job->count = untried < EXPIRE_BATCH ? untried : EXPIRE_BATCH;
    memcpy(job->ids, &w->ids[w->tried], (size_t)job->count * sizeof(job->ids[0]));
    db_start(&job->call, w->process, BOOKING_DB, NOBODY, apply_expire, on_expired, DB_TIMEOUT);
}

/* --- stuck payments: upkeep_store.c, settle_payments.c
 * ------------------------------------------------------------------------------ */

/* worker_stuck_payments, worker_payments_advance */
static void apply_stuck(struct call *call)
{
    struct job_call *job = (struct job_call *)call;
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

static void settle_next(struct job_call *job);

struct settle_call {
    struct confirm_call confirm;
    struct job_call *job;
};

static void on_asked(struct call *call)
{
    settle_next(((struct settle_call *)call)->job);
}

static void ask_to_settle(struct job_call *job, int id, call_fn *done)
{
    struct settle_call *settle = sim_alloc(sizeof(*settle));
    settle->job = job;
    settle->confirm.id = id;
    settle->confirm.resume = true;
    call_start(&settle->confirm.call, job->w->process, sim_chance(512) ? BOOKING_A : BOOKING_B, booking_confirm, done,
               SETTLE_TIMEOUT);
}

static void settle_next(struct job_call *job)
{
    if (job->from == job->count)
        end_job(job->w);
    else
        ask_to_settle(job, job->ids[job->from++], on_asked);
}

static void on_stuck(struct call *call)
{
    struct job_call *job = (struct job_call *)call;
    job->count = call->step == TK_STEP_OK ? job->count : 0;
    settle_next(job);
}

/* --- the orphan sweep: orphan_store.c, sweep_orphans.c
 * -------------------------------------------------------------------------------- */

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
               CALL_TIMEOUT);
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
    db_start(&a->call, s->w->process, BOOKING_DB, NOBODY, apply, done, DB_TIMEOUT);
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
        end_job(s->w);
}

static void on_looked(struct call *call)
{
    struct sweep *s = sweep_of(call);
    if (call->step != TK_STEP_OK) {
        end_job(s->w);
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
        end_job(s->w);
        return;
    }
    memset(s->fates, 0, sizeof(s->fates));
    db_start(&s->look, s->w->process, BOOKING_DB, NOBODY, apply_look, on_looked, DB_TIMEOUT);
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
    call_start(&s->page.call, w->process, sim_chance(512) ? EVENT_A : EVENT_B, event_svc_overdue, on_page, CALL_TIMEOUT);
}

static void start_sweep(struct worker *w)
{
    struct sweep first = {.w = w};
    if (sim.now - w->reemitted_since >= REEMIT_QUIET) {
        memset(w->reemitted, 0, sizeof(w->reemitted));
        w->reemitted_since = sim.now;
    }
    sweep_page(&first);
}

/* --- the schedule
 * ------------------------------------------------------------------------------------------------------------------------
 */

static void start_settling(struct worker *w)
{
    struct job_call *job = job_new(w);
    db_start(&job->call, w->process, BOOKING_DB, NOBODY, apply_stuck, on_stuck, DB_TIMEOUT);
}

static void next_job(void *ctx)
{
    struct worker *w = ctx;
    if (w->expire_at <= sim.now) {
        w->expire_at = sim.now + EXPIRE_EVERY;
        start_walk(w, FORWARD);
    } else if (w->sweep_at <= sim.now && sim.mutant != MUTANT_SWEEP_OFF) {
        w->sweep_at = sim.now + SWEEP_EVERY;
        start_sweep(w);
    } else if (w->settle_at <= sim.now && sim.mutant != MUTANT_SETTLE_OFF) {
        w->settle_at = sim.now + SETTLE_EVERY;
        start_settling(w);
    } else {
        sim_at(w->process, 200 * MS, next_job, w);
    }
}

void worker_boot(int process)
{
    struct worker *w = sim_alloc(sizeof(*w));
    close_transaction(transaction_of(process));
    w->process = process;
    w->walks[FORWARD].rows = w->walks[ONCE_MORE].rows = SCAN_ROWS;
    w->again_from = NEVER;
    w->cursor = INT64_MIN;
    w->sweep_at = sim.now + sim_between(0, SWEEP_EVERY);
    next_job(w);
    relay_boot(process);
}
