/**
 * Writing messages into the outbox as a step of somebody's transaction.
 */
#ifndef BOOKING_WORKER_ADAPTERS_OUTBOX_ROWS_H
#define BOOKING_WORKER_ADAPTERS_OUTBOX_ROWS_H

#include <stddef.h>

#include "shared/contract/message.h"
#include "shared/pg/pg.h"

extern const struct tk_pg_statement outbox_insert_statement;
/** Inserts only while no older row waits: what is on its way already need not be said again. */
extern const struct tk_pg_statement outbox_insert_if_idle_statement;

/**
 * Adds the step (one of the statements above). Sets a fresh event_id on each message, which for an expiry sorts behind all
 * other messages of the next ten minutes. `count` may be 0.
 */
void outbox_rows_add(struct tk_pg_op *op, const struct tk_pg_statement *statement, struct tk_reservation_message *messages,
                     size_t count);

#endif
