/*
 * Expiring holds: the two walks of booking-worker/adapters/expiry_store.c, its transaction, which stays open between calls,
 * and the release of the seats (app/expire_holds.c). Which holds of a backlog go first is nothing but order: here the
 * youngest.
 */
#include <string.h>

#include "tests/sim/worker.h"

#define IDLE_TIMEOUT  (5 * SECOND) /* idle_in_transaction_session_timeout */
#define AGAIN         (15 * 60 * SECOND)
#define CALL_PAUSE    (2 * SECOND)
#define SCAN_ROWS     6 /* small, so that walks are cut off in the middle */
#define SCAN_ROWS_MAX 256
#define SCAN_PIECES   3
#define BACKLOG_HOLDS 12
#define EXPIRE_BATCH  4
#define LOOK_EVERY    SECOND

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

static struct job_call *job_new(struct worker *w)
{
    struct job_call *job = sim_alloc(sizeof(*job));
    job->w = w;
    return job;
}

/* --- expiry: the scan -------------------------------------------------------------------------------------------- */

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
    const int64_t from = w->walks[w->walk].from != NEVER ? w->walks[w->walk].from : sim.expiry_mark;
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
static void scan_piece(struct worker *w);

static void expire_backlog(struct worker *w)
{
    w->tried = 0;
    for (int i = 0, k = w->count - 1; w->count > EXPIRE_BATCH && i < k; i++, k--) { /* order_backlog() */
        const int id = w->ids[i];
        w->ids[i] = w->ids[k];
        w->ids[k] = id;
    }
    w->look_at = sim.now + LOOK_EVERY;
    expire_next(w);
}

/* read_piece() */
static void on_scanned(struct call *call)
{
    struct job_call *job = (struct job_call *)call;
    struct worker *w = job->w;
    if (call->step != TK_STEP_OK) {
        worker_job_ends(w);
        return;
    }
    for (int i = 0; i < job->count; i++)
        list_add(w, job->ids[i]);
    w->walks[w->walk].full = job->full;
    w->walks[w->walk].more = job->full && (w->walk == FORWARD || job->count > 0);
    w->walks[w->walk].end = job->end;
    const bool longer = job->full && job->one_moment && w->walks[w->walk].rows < SCAN_ROWS_MAX;
    w->walks[w->walk].rows = longer ? w->walks[w->walk].rows * 2 : SCAN_ROWS;
    if (w->walk == FORWARD)
        w->walks[FORWARD].from = job->end;
    w->pieces++;
    if (w->walk == FORWARD && job->full && w->pieces < SCAN_PIECES && w->count - w->tried < BACKLOG_HOLDS)
        scan_piece(w);
    else
        expire_backlog(w);
}

static void scan_piece(struct worker *w)
{
    struct job_call *job = job_new(w);
    db_start(&job->call, w->process, BOOKING_DB, NOBODY, apply_scan, on_scanned, WORKER_DB_TIMEOUT);
}

/* expiry_store_scan() */
static void scan(struct worker *w, enum walk walk)
{
    w->walk = walk;
    w->pieces = 0;
    w->walks[walk].more = true;
    if (walk == FORWARD && w->count - w->tried >= BACKLOG_HOLDS)
        expire_backlog(w);
    else
        scan_piece(w);
}

/* --- expiry: the transaction ------------------------------------------------------------------------------------- */

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
    worker_job_ends(w);
}

/* backlog_settle(), but for the order of those that stay */
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
               WORKER_CALL_TIMEOUT);
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
        db_start(&job->commit, job->w->process, BOOKING_DB, NOBODY, apply_commit, on_committed, WORKER_DB_TIMEOUT);
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
        db_start(&job->consequences, job->w->process, BOOKING_DB, NOBODY, apply_consequences, on_consequences,
                 WORKER_DB_TIMEOUT);
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
        scan(w, w->walk);
    } else if (w->walk == FORWARD && sim.now - w->walked_again >= SECOND) {
        w->walked_again = sim.now;
        scan(w, ONCE_MORE);
    } else {
        worker_job_ends(w);
    }
}

static void on_advanced(struct call *call)
{
    struct worker *w = ((struct job_call *)call)->w;
    if (call->step != TK_STEP_OK) {
        worker_job_ends(w);
        return;
    }
    w->walks[FORWARD].from = NEVER;
    walk_ends(w);
}

static void advance(struct worker *w)
{
    struct job_call *job = job_new(w);
    if (w->walk == ONCE_MORE) {
        w->walks[ONCE_MORE].from = w->walks[ONCE_MORE].full ? w->walks[ONCE_MORE].end : w->walks[ONCE_MORE].end - AGAIN;
        walk_ends(w);
        return;
    }
    job->end = w->walks[FORWARD].end;
    db_start(&job->call, w->process, BOOKING_DB, NOBODY, apply_advance, on_advanced, WORKER_DB_TIMEOUT);
}

static void expire_next(struct worker *w)
{
    const int untried = w->count - w->tried;
    if (untried == 0) {
        advance(w);
        return;
    }
    if (sim.now >= w->look_at) {
        scan(w, w->walk);
        return;
    }
    struct job_call *job = job_new(w);
    job->count = untried < EXPIRE_BATCH ? untried : EXPIRE_BATCH;
    memcpy(job->ids, &w->ids[w->tried], (size_t)job->count * sizeof(job->ids[0]));
    db_start(&job->call, w->process, BOOKING_DB, NOBODY, apply_expire, on_expired, WORKER_DB_TIMEOUT);
}

void worker_expire(struct worker *w)
{
    scan(w, FORWARD);
}

void worker_expiry_reset(struct worker *w)
{
    close_transaction(transaction_of(w->process));
    w->walks[FORWARD].rows = w->walks[ONCE_MORE].rows = SCAN_ROWS;
    w->walks[FORWARD].from = w->walks[ONCE_MORE].from = NEVER;
}
