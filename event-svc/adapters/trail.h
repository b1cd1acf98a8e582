/**
 * The trail of holds (hold_history): reading what happened to a seat, and forgetting what is old.
 */
#ifndef EVENT_SVC_ADAPTERS_TRAIL_H
#define EVENT_SVC_ADAPTERS_TRAIL_H

#include "shared/base/id.h"
#include "shared/pg/pg.h"

/** A place in a seat's trail. */
struct trail_place {
    int64_t at_us; /* TK_TIME_NONE: before the first */
    struct tk_uuid reservation_id;
};

struct trail_entry {
    struct trail_place place;
    struct tk_slice from_status; /* of the seat; {NULL, 0}: there was no hold */
    struct tk_slice to_status;
    int64_t revision; /* of the reservation, 0 when the change did not say */
    struct tk_slice actor;
    struct tk_slice reason;
    struct tk_slice request_id;
};

/** Adds two steps: the seat's row (none: no such seat), and up to `limit` entries after `after`, oldest first. */
void trail_of_seat(struct tk_pg_op *op, const struct tk_uuid *session_id, const struct tk_uuid *seat_id,
                   const struct trail_place *after, int64_t limit);

/** Slices point into `rows`. */
struct trail_entry trail_read(const PGresult *rows, int row);

/**
 * Adds two steps that each delete up to `limit` rows: idempotency keys older than a day, and the trail of holds that ended
 * and changed last more than `history_days` ago. How many is in the results' command tags.
 */
void trail_purge(struct tk_pg_op *op, int64_t history_days, int64_t limit);

#endif
