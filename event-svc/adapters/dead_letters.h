/**
 * SQL of dead letters. Replaying moves a row to the outbox; the relay publishes it from there.
 */
#ifndef EVENT_SVC_ADAPTERS_DEAD_LETTERS_H
#define EVENT_SVC_ADAPTERS_DEAD_LETTERS_H

#include "event-svc/domain/dead_letter.h"
#include "shared/pg/pg.h"

#define DEAD_LETTERS_AT_A_TIME 500 /* one replay-all moves so many */

/** Stores one; a copy that is there already only counts as another arrival. */
void dead_letter_store(struct tk_pg_op *op, const struct dead_letter *letter);
/** → one row: how many there are, counted up to `most`. */
void dead_letter_count(struct tk_pg_op *op, int64_t most);

/** → rows for dead_letter_read(); bodies of lists are cut to 2048 bytes. */
void dead_letter_list(struct tk_pg_op *op, const struct tk_uuid *after, int64_t limit);
void dead_letter_select(struct tk_pg_op *op, const struct tk_uuid *id);

/** → a row when there was one. */
void dead_letter_delete(struct tk_pg_op *op, const struct tk_uuid *id);
/** → a row when there is one: true, and it now waits in the outbox; false, and it cannot be published again. */
void dead_letter_replay(struct tk_pg_op *op, const struct tk_uuid *id);
/** Oldest first, those that can be. → one row: how many were moved, and how many of the same kind are left. */
void dead_letter_replay_all(struct tk_pg_op *op);

struct stored_dead_letter {
    struct dead_letter letter; /* the texts point into `rows` */
    int64_t first_death_us;    /* TK_TIME_NONE: unknown */
    int64_t arrivals;
    int64_t stored_at_us;
};

struct stored_dead_letter dead_letter_read(const PGresult *rows, int row);

#endif
