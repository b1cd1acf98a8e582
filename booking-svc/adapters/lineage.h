/**
 * The pulse of booking_db. Every two seconds (every second while something is wrong) one row is written: proof that the
 * database commits. What it says travels to event-svc, which answers with its own: each database remembers how far the
 * other had got, so one that was restored from a backup, or replaced, finds out that less is known of it here than there.
 */
#ifndef BOOKING_ADAPTERS_LINEAGE_H
#define BOOKING_ADAPTERS_LINEAGE_H

#include "booking-svc/adapters/event_client.h"
#include "booking-svc/domain/commit_gate.h"
#include "shared/pg/pg.h"

struct lineage;

/** Starts the pulse. `gate` is told of every write of its own. Lives as long as the process. */
struct lineage *lineage_new(struct tk_loop *loop, struct tk_pg *pg, struct event_client *events, struct commit_gate *gate);

/** One of the databases does not belong to the other any more. As last seen. */
bool lineage_has_diverged(const struct lineage *lineage);

/** event-svc was asked since the start, if it could be. Until then nothing should be changed either. */
bool lineage_is_known(const struct lineage *lineage);

#endif
