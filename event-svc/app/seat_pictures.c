/*
 * The cache of pictures. A look at Postgres, per session at most one:
 *
 *   NONE --wanted--> ASKING --version there--> NONE                      (whoever waited goes on)
 *                      `-----version missing--> MISSING --commit or read--> NONE
 *
 * A version may be missing for two reasons. Our own commit has been answered to Postgres' side of the socket, but not read
 * yet: it will be in a moment. Or another instance wrote: the seats have to be read again. While no write of ours is under
 * way it can only be the latter; otherwise OVERDUE_MS tell.
 */
#include "event-svc/app/seat_pictures.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "shared/base/clock.h"
#include "shared/base/mem.h"
#include "shared/metrics/metrics.h"

#define OVERDUE_MS 20 /* ten batches */

struct seat_pictures {
    struct tk_loop *loop;
    struct version_probe *probe;
    struct read_thread *reader;
    struct tk_uuid_map sessions;
    struct tk_link recent;
    size_t bytes;
    size_t max_bytes;
    atomic_int writes; /* commits of ours that may be known to others but not yet to us */
};

/* One read; apart from the session, which may not move meanwhile: it is not freed while `reading`. */
struct session_read {
    struct picture_read job;
    struct session_picture *session;
};

static struct tk_metric picture_bytes = TK_GAUGE("seat_picture_bytes", NULL, "Memory of seats known");
static struct tk_metric first_reads = TK_COUNTER("seat_picture_reads_total", "why=\"first\"", "Sessions read into memory");
static struct tk_metric more_reads = TK_COUNTER("seat_picture_reads_total", "why=\"behind\"", "Sessions read into memory");

static void start_look(void *arg);
static void check(struct session_picture *session);

/* --- memory ------------------------------------------------------------------------------------------------------- */

static bool is_idle(const struct session_picture *session)
{
    return session->pins == 0 && session->look == LOOK_NONE && !session->reading && tk_list_is_empty(&session->waiting) &&
           tk_list_is_empty(&session->looking);
}

static void session_free(struct session_picture *session)
{
    struct seat_pictures *all = session->all;
    assert(is_idle(session));
    (void)tk_uuid_map_remove(&all->sessions, &session->session_id);
    tk_list_remove(&session->recent);
    tk_deferred_cancel(&session->start);
    tk_timer_stop(all->loop, &session->overdue);
    all->bytes -= session->size;
    availability_release(&session->texts);
    tk_buf_release(&session->geometry.json);
    tk_buf_release(&session->geometry.gzipped);
    seat_picture_free(session->picture);
    free(session);
    tk_metric_set(&picture_bytes, (int64_t)all->bytes);
}

static void evict(struct seat_pictures *all)
{
    struct tk_link *next;
    for (struct tk_link *link = all->recent.next; link != &all->recent && all->bytes > all->max_bytes; link = next) {
        struct session_picture *session = TK_CONTAINER_OF(link, struct session_picture, recent);
        next = link->next;
        if (is_idle(session))
            session_free(session);
    }
}

struct session_picture *seat_pictures_pin(struct seat_pictures *all, const struct tk_uuid *session_id)
{
    struct session_picture *session = tk_uuid_map_get(&all->sessions, session_id);
    if (session == NULL) {
        session = tk_alloc(sizeof(*session));
        session->session_id = *session_id;
        session->all = all;
        tk_list_init(&session->waiting);
        tk_list_init(&session->looking);
        tk_list_init(&session->geometry.waiting);
        tk_uuid_map_put(&all->sessions, session_id, session);
    }
    tk_list_remove(&session->recent);
    tk_list_push_back(&all->recent, &session->recent);
    session->pins++;
    return session;
}

void seat_pictures_unpin(struct session_picture *session)
{
    assert(session->pins > 0);
    session->pins--;
    if (session->picture == NULL && is_idle(session))
        session_free(session);
    else if (session->all->bytes > session->all->max_bytes)
        evict(session->all);
}

void seat_pictures_grew(struct session_picture *session, size_t bytes)
{
    session->size += bytes;
    session->all->bytes += bytes;
    tk_metric_set(&picture_bytes, (int64_t)session->all->bytes);
}

struct tk_loop *seat_pictures_loop(const struct session_picture *session)
{
    return session->all->loop;
}

struct read_thread *seat_pictures_reader(const struct session_picture *session)
{
    return session->all->reader;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static void finish_looking(struct session_picture *session, enum tk_err err)
{
    struct tk_link ready = TK_LIST_INIT(ready);
    struct tk_link *next;
    bool exact = session->picture != NULL && seat_picture_is_exact(session->picture);
    for (struct tk_link *link = session->looking.next; link != &session->looking; link = next) {
        next = link->next;
        if (!err && !exact && TK_CONTAINER_OF(link, struct picture_wait, link)->exact)
            continue;
        tk_list_remove(link);
        tk_list_push_back(&ready, link);
    }
    struct tk_link *link;
    while ((link = tk_list_pop_front(&ready)) != NULL) {
        struct picture_wait *wait = TK_CONTAINER_OF(link, struct picture_wait, link);
        wait->done(wait, err);
    }
}

static bool is_wanted(const struct session_picture *session)
{
    bool doubted = session->picture != NULL && session->picture->seen_taken > 0;
    return doubted || !tk_list_is_empty(&session->waiting);
}

/* Nobody waits for this look any more. */
static void end_look(struct session_picture *session, enum tk_err err)
{
    session->pins++;
    session->look = LOOK_NONE;
    tk_timer_stop(session->all->loop, &session->overdue);
    if (err)
        finish_looking(session, err);
    if (!tk_list_is_empty(&session->waiting) || (!err && is_wanted(session)))
        tk_loop_defer(session->all->loop, &session->start, start_look, session);
    seat_pictures_unpin(session);
}

static void take_read(struct session_picture *session, struct picture_read *job)
{
    struct seat_pictures *all = session->all;
    if (session->picture != NULL) {
        assert(job->seats_size == (size_t)session->picture->plan->seat_count * PICTURE_SEAT_BYTES); /* seats never go */
        seat_picture_refresh(session->picture, job->seats, job->version);
    } else {
        session->picture = seat_picture_new(job->plan, job->seats, job->version);
        job->plan = NULL;
        session->size = sizeof(*session) + seat_picture_size(session->picture);
        all->bytes += session->size;
        tk_metric_set(&picture_bytes, (int64_t)all->bytes);
        session->look_us = job->started_us;
        session->look_version = job->version;
    }
    if (session->verified_us < job->started_us)
        session->verified_us = job->started_us;
}

static void on_read(struct read_job *read)
{
    struct session_read *job = TK_CONTAINER_OF(TK_CONTAINER_OF(read, struct picture_read, read), struct session_read, job);
    struct session_picture *session = job->session;
    session->pins++;
    session->reading = false;
    if (!job->job.err)
        take_read(session, &job->job);
    if (job->job.err)
        end_look(session, job->job.err);
    else
        check(session);
    seat_plan_free(job->job.plan);
    free(job->job.seats);
    free(job);
    seat_pictures_unpin(session);
}

static void start_read(struct session_picture *session)
{
    if (session->reading)
        return;
    struct session_read *job = tk_alloc(sizeof(*job));
    job->session = session;
    job->job.session_id = session->session_id;
    job->job.with_plan = session->picture == NULL;
    job->job.read.done = on_read;
    session->reading = true;
    tk_metric_add(session->picture == NULL ? &first_reads : &more_reads, 1);
    picture_read_submit(session->all->reader, &job->job);
}

/* --- looking ------------------------------------------------------------------------------------------------------ */

static void on_overdue(void *arg)
{
    struct session_picture *session = arg;
    if (session->look == LOOK_MISSING)
        start_read(session);
}

static void await_version(struct session_picture *session)
{
    struct seat_pictures *all = session->all;
    if (session->reading)
        return;
    if (atomic_load(&all->writes) == 0)
        start_read(session);
    else if (session->overdue.slot == 0)
        tk_timer_start(all->loop, &session->overdue, OVERDUE_MS, on_overdue, session);
}

static void forget_doubt(struct session_picture *session)
{
    if (session->picture->seen_taken > 0 && session->seen_taken_us < session->look_us)
        seat_picture_confirm(session->picture);
}

/* Something changed; is it what the look waits for? */
static void check(struct session_picture *session)
{
    if (session->look != LOOK_MISSING)
        return;
    if (session->picture->version < session->look_version) {
        await_version(session);
        return;
    }
    session->pins++;
    if (session->verified_us < session->look_us)
        session->verified_us = session->look_us;
    forget_doubt(session);
    finish_looking(session, TK_OK);
    if (tk_list_is_empty(&session->looking))
        end_look(session, TK_OK);
    else
        await_version(session);
    seat_pictures_unpin(session);
}

static void on_version(struct version_ask *ask, int64_t version)
{
    struct session_picture *session = TK_CONTAINER_OF(ask, struct session_picture, ask);
    if (version == VERSION_FAILED || version == VERSION_NO_SESSION) {
        end_look(session, version == VERSION_FAILED ? TK_ERR_UNAVAILABLE : TK_ERR_NOT_FOUND);
        return;
    }
    session->look = LOOK_MISSING;
    session->look_us = ask->sent_us;
    session->look_version = version;
    check(session);
}

static void start_look(void *arg)
{
    struct session_picture *session = arg;
    struct tk_link *link;
    if (session->look != LOOK_NONE || !is_wanted(session))
        return;
    while ((link = tk_list_pop_front(&session->waiting)) != NULL)
        tk_list_push_back(&session->looking, link);
    if (session->picture == NULL) {
        session->look = LOOK_MISSING;
        start_read(session);
        return;
    }
    session->look = LOOK_ASKING;
    session->ask = (struct version_ask){.session_id = session->session_id, .done = on_version};
    if (version_probe_ask(session->all->probe, &session->ask))
        end_look(session, TK_ERR_UNAVAILABLE);
}

void seat_pictures_look(struct session_picture *session, struct picture_wait *wait)
{
    assert(session->pins > 0);
    tk_list_push_back(&session->waiting, &wait->link);
    if (session->look == LOOK_NONE)
        tk_loop_defer(session->all->loop, &session->start, start_look, session);
}

void seat_pictures_doubt(struct session_picture *session)
{
    session->seen_taken_us = tk_mono_us();
    if (session->look == LOOK_NONE)
        tk_loop_defer(session->all->loop, &session->start, start_look, session);
}

/* --- our own commits ---------------------------------------------------------------------------------------------- */

static void apply_change(struct seat_pictures *all, const struct seat_change *change)
{
    struct session_picture *session = tk_uuid_map_get(&all->sessions, &change->session_id);
    if (session == NULL || session->picture == NULL)
        return;
    uint32_t place = seat_plan_find(session->picture->plan, &change->session_seat_id);
    if (place != SEAT_NOWHERE)
        seat_picture_change(session->picture, place, change->status, seat_tag(&change->reservation_id), session->bump);
}

static void apply_bump(struct seat_pictures *all, const struct session_bump *bump, int64_t sent_us)
{
    struct session_picture *session = tk_uuid_map_get(&all->sessions, &bump->session_id);
    if (session == NULL || session->picture == NULL)
        return;
    if (seat_picture_commit(session->picture, bump->version) && session->verified_us < sent_us)
        session->verified_us = sent_us;
    check(session);
}

void seat_pictures_apply(struct seat_pictures *all, const struct seat_changes *changes, int64_t sent_us)
{
    for (size_t i = 0; i < changes->bump_count; i++) {
        struct session_picture *session = tk_uuid_map_get(&all->sessions, &changes->bumps[i].session_id);
        if (session != NULL)
            session->bump = changes->bumps[i].version;
    }
    for (size_t i = 0; i < changes->count; i++)
        apply_change(all, &changes->items[i]);
    for (size_t i = 0; i < changes->bump_count; i++)
        apply_bump(all, &changes->bumps[i], sent_us);
}

void seat_pictures_write_begins(struct seat_pictures *all)
{
    atomic_fetch_add(&all->writes, 1);
}

void seat_pictures_write_ends(struct seat_pictures *all)
{
    atomic_fetch_sub(&all->writes, 1);
}

struct seat_pictures *seat_pictures_new(struct tk_loop *loop, struct version_probe *probe, struct read_thread *reader,
                                        size_t max_bytes)
{
    struct seat_pictures *all = tk_alloc(sizeof(*all));
    tk_metrics_register(&picture_bytes);
    tk_metrics_register(&first_reads);
    tk_metrics_register(&more_reads);
    all->loop = loop;
    all->probe = probe;
    all->reader = reader;
    all->max_bytes = max_bytes;
    tk_list_init(&all->recent);
    return all;
}
