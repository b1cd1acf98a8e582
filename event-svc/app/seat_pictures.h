/**
 * The pictures of all sessions somebody asked about lately (domain/seat_picture.h), kept up to date.
 *
 *   first question → plan and seats read once (picture reader's thread)
 *   our commits    → seat_pictures_apply(), on the loop; the consumer's thread posts its own
 *   others' commits→ found by the version probe: asked before a refusal older than PICTURE_TRUST_MS, after a lost race, and
 *                    by every reader; when a version is missing, the seats are read again
 *
 * At most a configured number of bytes; the least recently used picture goes first and is read again when asked for.
 */
#ifndef EVENT_SVC_APP_SEAT_PICTURES_H
#define EVENT_SVC_APP_SEAT_PICTURES_H

#include "event-svc/adapters/seat_store.h"
#include "event-svc/app/availability.h"
#include "event-svc/app/picture_reader.h"
#include "event-svc/app/version_probe.h"
#include "event-svc/domain/seat_picture.h"

/** A refusal may rest on knowledge this old: half of the second within which a freed seat must be sellable again. */
#define PICTURE_TRUST_MS 500

struct seat_pictures;

/** The geometry's rendering; app/geometry.h's. */
struct geometry {
    struct tk_buf json;
    struct tk_buf gzipped;
    struct tk_link waiting;
    struct tk_deferred answer;
    bool rendering;
};

/** One session. Others read `picture` and `verified_us`, and render `texts`. */
struct session_picture {
    struct tk_uuid session_id;
    struct seat_picture *picture; /* NULL until it has been read */
    int64_t verified_us;          /* monotonic: every commit answered before is in the picture */
    struct availability texts;
    struct geometry geometry;
    struct seat_pictures *all; /* this and the following: the cache's */
    struct tk_link recent;     /* in all->recent, most recently used last */
    struct tk_link waiting;    /* for the next look */
    struct tk_link looking;    /* for the look under way */
    struct tk_deferred start;
    struct version_ask ask;
    enum { LOOK_NONE, LOOK_ASKING, LOOK_MISSING } look;
    int64_t look_us;         /* when the look's question was sent */
    int64_t look_version;    /* LOOK_MISSING: what the picture has to reach */
    bool reading;            /* a read is under way */
    int64_t seen_taken_us;   /* when a seat was last seen taken */
    int64_t bump;            /* version of the commit being applied */
    struct tk_timer overdue; /* our own commits should have told by then */
    size_t pins;
    size_t size; /* counted in all->bytes */
};

struct picture_wait;
typedef void picture_wait_fn(struct picture_wait *wait, enum tk_err err);

/** Caller-owned until `done` runs: exactly once, later. Fill done. */
struct picture_wait {
    struct tk_link link;
    picture_wait_fn *done;
    bool exact; /* not only complete, but exact: seat_picture_is_exact() */
};

/** Lives as long as the process. */
struct seat_pictures *seat_pictures_new(struct tk_loop *loop, struct version_probe *probe, struct read_thread *reader,
                                        size_t max_bytes);

/** The session's picture, pinned: it stays until seat_pictures_unpin(). Never NULL; reads nothing yet. */
struct session_picture *seat_pictures_pin(struct seat_pictures *all, const struct tk_uuid *session_id);
void seat_pictures_unpin(struct session_picture *session);

/**
 * Looks at Postgres: `done` runs when the picture is there and shows every commit answered before this call.
 * TK_ERR_NOT_FOUND: no such session. TK_ERR_UNAVAILABLE: Postgres is away.
 */
void seat_pictures_look(struct session_picture *session, struct picture_wait *wait);

/** The geometry takes so many more bytes. */
void seat_pictures_grew(struct session_picture *session, size_t bytes);
struct tk_loop *seat_pictures_loop(const struct session_picture *session);
struct read_thread *seat_pictures_reader(const struct session_picture *session);

/** A statement found seats taken that the picture shows free: looks soon, whoever waits. */
void seat_pictures_doubt(struct session_picture *session);

/** A transaction of ours committed; it was sent at `sent_us` (monotonic). Loop thread only. */
void seat_pictures_apply(struct seat_pictures *all, const struct seat_changes *changes, int64_t sent_us);

/** Any thread: between these a commit of ours may be known to others, but not yet to us. */
void seat_pictures_write_begins(struct seat_pictures *all);
void seat_pictures_write_ends(struct seat_pictures *all);

#endif
