/**
 * SQL that reads session seats and holds.
 */
#ifndef EVENT_SVC_ADAPTERS_SEAT_READS_H
#define EVENT_SVC_ADAPTERS_SEAT_READS_H

#include "event-svc/domain/seat_plan.h"
#include "shared/pg/pg.h"

/** Two steps: the session's id (no row: it does not exist), then (session_seat_id, status text) of every seat that is not
 * available, "unknown" included, in the order asked. */
void seats_unavailable(struct tk_pg_op *op, const struct tk_uuid *session_id, const struct tk_uuid *seats, size_t count);

/** (session_id, version) of those that exist. */
void versions_select(struct tk_pg_op *op, const struct tk_uuid *const *session_ids, size_t count);

/** Everything on the seat map of one session, in seat order, as of one moment. */
void seat_map_select(struct tk_pg_op *op, const struct tk_uuid *session_id);

struct seat_map_row {
    int64_t version; /* the same in every row; so is the hall */
    struct tk_uuid hall_id;
    struct tk_uuid session_seat_id;
    struct tk_uuid seat_id;
    struct tk_slice section;
    struct tk_slice row_number;
    struct tk_slice seat_number;
    int64_t price_minor;
    struct tk_slice status;
    int64_t reserved_until_us; /* TK_TIME_NONE when free */
};

struct seat_map_row seat_map_read(const PGresult *rows, int row);

/** The geometry of one session, a row per seat in natural order; no row: there is no such session. */
void plan_select(struct tk_pg_op *op, const struct tk_uuid *session_id);

struct plan_head {
    struct tk_uuid hall_id;
    int64_t start_time_us;
};

struct plan_head plan_read_head(const PGresult *rows);
struct plan_seat plan_read_seat(const PGresult *rows, int row); /* its labels point into `rows` */

/** All seats of one session as of one moment: one row with the version and PICTURE_SEAT_BYTES per seat, or none. */
void seats_snapshot(struct tk_pg_op *op, const struct tk_uuid *session_id);
int64_t seats_snapshot_read(const PGresult *rows, struct tk_slice *seats);

/** A place in the order (reserved_until, reservation_id) of all holds. */
struct hold_place {
    int64_t reserved_until_us; /* Unix */
    struct tk_uuid reservation_id;
};

#define HOLD_SCAN_ROWS 20000 /* looked at per statement, whatever their state: about 15 ms */

/**
 * Looks at the next HOLD_SCAN_ROWS holds after `from` whose deadline passed more than `older_than_s` seconds ago. Rows: up
 * to `limit` that are still held, in order; then one summary row without session_id (see hold_scan_read).
 */
void holds_scan(struct tk_pg_op *op, const struct hold_place *from, int64_t older_than_s, int64_t limit);

struct stale_hold {
    struct tk_uuid session_id;
    struct tk_uuid reservation_id;
    int64_t reserved_until_us;
};

struct hold_scan {
    int held;               /* rows 0 … held-1 are stale holds */
    int64_t scanned;        /* rows looked at; fewer than HOLD_SCAN_ROWS: there are no more */
    struct hold_place last; /* the last row looked at */
    int64_t settled_us;     /* a minute ago by the database's clock: no new row will carry an older deadline */
};

struct hold_scan hold_scan_read(const PGresult *rows);
struct stale_hold stale_hold_read(const PGresult *rows, int row);

#endif
