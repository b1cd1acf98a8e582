/**
 * SQL of locations, their halls, and the physical seats in them.
 */
#ifndef EVENT_SVC_ADAPTERS_PLACES_H
#define EVENT_SVC_ADAPTERS_PLACES_H

#include "shared/pg/pg.h"

/** Seats in one hall; also the largest session. Measured: 100,000 seats are inserted in 1.3 s. */
#define HALL_MAX_SEATS 100000

struct location {
    struct tk_uuid location_id;
    struct tk_slice name;
    struct tk_slice address;
    struct tk_slice city;
    struct tk_slice country;
    struct tk_slice timezone;
    int64_t created_at_us;
};

/** sqlstate 22023: Postgres does not know the time zone. */
void location_insert(struct tk_pg_op *op, const struct location *location);
void location_select(struct tk_pg_op *op, const struct tk_uuid *id);
void location_list(struct tk_pg_op *op, const struct tk_uuid *after, int64_t limit);
struct location location_read(const PGresult *rows, int row);

struct hall {
    struct tk_uuid hall_id;
    struct tk_uuid location_id;
    struct tk_slice name;
    int64_t capacity;
    int64_t created_at_us;
};

/** Constraint halls_location_fk: no such location. */
void hall_insert(struct tk_pg_op *op, const struct hall *hall);
void hall_select(struct tk_pg_op *op, const struct tk_uuid *id);
/** Two steps: the location itself (no row: it does not exist), then its halls. */
void hall_list(struct tk_pg_op *op, const struct tk_uuid *location_id, const struct tk_uuid *after, int64_t limit);
struct hall hall_read(const PGresult *rows, int row);

struct seat {
    struct tk_uuid seat_id;
    struct tk_uuid hall_id;
    struct tk_slice section;
    struct tk_slice row_number;
    struct tk_slice seat_number;
    struct tk_slice seat_type;
};

/** A block of seats; rows and seats in a row are labelled "1", "2", … */
struct seat_grid {
    struct tk_slice section;
    int64_t row_count;
    int64_t col_count;
    struct tk_slice seat_type;
};

/**
 * Two steps: the hall, locked (no row: it does not exist), then the inserted seat (no row: the hall's capacity is reached).
 * Constraint seats_unique_in_hall: there is such a seat.
 */
void seat_insert(struct tk_pg_op *op, const struct seat *seat);

/** The same for `total` seats in grids, all or nothing. The second step answers one row: how many were inserted. */
void seat_insert_grids(struct tk_pg_op *op, const struct tk_uuid *hall_id, const struct seat_grid *grids, size_t count,
                       int64_t total);

/** Two steps: the hall (no row: it does not exist), then seats in natural order. `after` is a seat id. */
void seat_list(struct tk_pg_op *op, const struct tk_uuid *hall_id, const struct tk_uuid *after, int64_t limit);
struct seat seat_read(const PGresult *rows, int row);

#endif
