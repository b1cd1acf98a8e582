/**
 * Reservations in booking_db. Writes are batched (write_queue.h) and compare-and-set; reads are plain operations.
 */
#ifndef BOOKING_ADAPTERS_RESERVATION_STORE_H
#define BOOKING_ADAPTERS_RESERVATION_STORE_H

#include "booking-svc/adapters/write_queue.h"
#include "booking-svc/domain/reservation.h"
#include "booking-svc/domain/reservation_flow.h"

/** Batch kinds; main makes a queue of each. */
extern const struct write_kind reservation_persist_kind;
extern const struct write_kind reservation_cancel_kind;

/**
 * Stores reservation, items, history and, with a key, the answer to be replayed, in one transaction. base.id is the
 * reservation's id. REFUSED with detail ALREADY_STORED or TOMBSTONE when a row was found; when none was, SEAT_LIMIT if the
 * user would hold more than `seat_limit` seats of the session, OVERDUE if the hold is past its end (a transaction begun
 * before that may still store it), or the id was made more than a hold's time ago; NONE when the server refused.
 */
struct persist_item {
    struct write_item base;
    const struct reservation *reservation;
    struct tk_slice key;      /* {NULL, 0}: none */
    struct tk_slice response; /* the 201 body, stored under the key */
    const char *request_id;
    int64_t seat_limit;             /* 0: none; the same for all items of a queue */
    int64_t hold_seconds;           /* how long seats are held; the same for all, too */
    enum reservation_detail detail; /* out */
};

/**
 * active → cancelled, with its message, if the row still is at `revision`, is `user_id`'s and not overdue. OK when it is
 * cancelled now, by us or before; REFUSED with what stands there instead.
 */
struct cancel_item {
    struct write_item base;
    struct tk_uuid user_id;
    int64_t revision;
    struct tk_uuid outbox_id;
    struct tk_slice message;
    const char *traceparent;
    const char *request_id;
    bool found; /* out, as below */
    enum reservation_status status;
    int64_t updated_at_us;
};

/** `r` is NULL when there is no such reservation of that user; arena memory. */
typedef void reservation_read_done(void *arg, enum tk_step step, struct reservation *r);

/** Reads one with its items; `user` NULL means whoever owns it. */
TK_MUSTCHECK enum tk_err reservation_store_read(struct tk_pg *pg, const struct tk_uuid *id, const struct tk_uuid *user,
                                                int64_t deadline_us, struct tk_arena *arena, reservation_read_done *done,
                                                void *arg);

/** The same, as it stood when it was confirmed, whatever has become of it since. NULL: it never was. */
TK_MUSTCHECK enum tk_err reservation_store_read_confirmed(struct tk_pg *pg, const struct tk_uuid *id,
                                                          const struct tk_uuid *user, int64_t deadline_us,
                                                          struct tk_arena *arena, reservation_read_done *done, void *arg);

/** Newest first; `list` has at most `limit` entries, `more` says whether others follow. */
typedef void reservation_list_done(void *arg, enum tk_step step, struct reservation *list, size_t count, bool more);

TK_MUSTCHECK enum tk_err reservation_store_list(struct tk_pg *pg, const struct tk_uuid *user, const struct tk_uuid *before,
                                                int64_t limit, int64_t deadline_us, struct tk_arena *arena,
                                                reservation_list_done *done, void *arg);

/**
 * Makes sure that `id` can never become a live reservation: stores a tombstone unless a row stands there. OK: the row is a
 * tombstone, expired or cancelled, the seats may go. REFUSED: it lives.
 */
typedef void reservation_fence_done(void *arg, enum tk_step step);

TK_MUSTCHECK enum tk_err reservation_store_fence(struct tk_pg *pg, const struct tk_uuid *id,
                                                 const struct tk_uuid *session_id, const char *request_id,
                                                 int64_t deadline_us, reservation_fence_done *done, void *arg);

#endif
