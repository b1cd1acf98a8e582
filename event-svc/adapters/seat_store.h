/**
 * The hot writes: reserve and settle (confirm, release, messages), for many reservations at once.
 *
 * Each is one operation of two statements under one Sync. The first takes the hold rows, in key order; the second reads
 * them afresh, locks their seats in key order, decides, writes, and bumps the versions of the touched sessions. As a single
 * statement a release that overtakes its reserve would read an old snapshot and strand the seats. Since every writer locks
 * holds, then seats, then versions, each in key order, writers never deadlock.
 *
 * Within one operation no reservation id and no seat may occur twice: the second statement could not see its own work.
 */
#ifndef EVENT_SVC_ADAPTERS_SEAT_STORE_H
#define EVENT_SVC_ADAPTERS_SEAT_STORE_H

#include "event-svc/domain/cause.h"
#include "event-svc/domain/seat_plan.h"
#include "event-svc/domain/verdict.h"
#include "shared/contract/seat_api.h"
#include "shared/pg/pg.h"

/** One hold; all caller-owned. */
struct hold_line {
    struct tk_uuid session_id;
    struct tk_uuid reservation_id;
    int64_t hold_seconds;
    const struct tk_uuid *seats;        /* in the answer's order */
    const struct tk_uuid *sorted_seats; /* in key order, as the hold row keeps them */
    size_t seat_count;
    size_t quantity;              /* best available: a hold there is already counts if it has so many; 0: exactly these */
    const struct seat_plan *plan; /* for the labels */
    struct tk_slice request_id;   /* for the trail */
    struct tk_arena *arena;       /* for the answer */
};

/** What a transaction changed, by seat, and the version of each session it changed. Release with seat_changes_release(). */
struct seat_change {
    struct tk_uuid session_id;
    struct tk_uuid session_seat_id;
    struct tk_uuid reservation_id;
    enum tk_seat_status status;
};

struct session_bump {
    struct tk_uuid session_id;
    int64_t version;
};

struct seat_changes {
    struct seat_change *items;
    size_t count;
    struct session_bump *bumps;
    size_t bump_count;
};

void seat_changes_release(struct seat_changes *changes);

void seat_store_reserve(struct tk_pg_op *op, const struct hold_line *lines, size_t count);

/**
 * Reads the answers of an operation that is OK. answers[i] belongs to lines[i]. errs[i] is TK_ERR_CONFLICT where nothing
 * can be said (see hold_judge).
 */
void seat_store_read_reserve(const struct tk_pg_outcome *outcome, const struct hold_line *lines, size_t count,
                             struct tk_hold_answer *answers, enum tk_err *errs, struct seat_changes *changes);

/** One confirm or release. */
struct settle_line {
    struct tk_uuid session_id;
    struct tk_uuid reservation_id;
    bool sell;                   /* held → sold, else held → released */
    int64_t revision;            /* of a message; 0 for a command, which is not compared with what is stored */
    const struct tk_uuid *seats; /* a message's seats in key order, compared with the hold's; NULL: not compared */
    size_t seat_count;
    struct cause cause; /* for the trail, as the next */
    struct tk_slice request_id;
};

void seat_store_settle(struct tk_pg_op *op, const struct settle_line *lines, size_t count);

/** Fills verdicts[i] for lines[i] of an operation that is OK. */
void seat_store_read_settle(const struct tk_pg_outcome *outcome, const struct settle_line *lines, size_t count,
                            enum settle_verdict *verdicts, struct seat_changes *changes);

#endif
