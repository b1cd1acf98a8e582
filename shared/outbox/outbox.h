/**
 * Transactional outbox. A state change and the message about it are committed in one transaction; the relay publishes with
 * publisher confirms and removes a row only after the broker took it. A crash in between publishes twice, never zero times:
 * consumers are idempotent by (reservation, revision).
 *
 *   booking-svc: INSERT … + outbox row (COMMIT) → tk_outbox_relay_notify() → relay thread: read ≤ 200, publish, delete
 *   relay or broker down: rows wait; the relay retries with back-off; booking-worker relays what is older than its min_age.
 *
 * The table is in the owner's migrations:
 *   outbox(id uuid PRIMARY KEY, routing_key text, body text, traceparent text, created_at timestamptz)
 */
#ifndef TK_OUTBOX_OUTBOX_H
#define TK_OUTBOX_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/result.h"
#include "shared/mq/mq.h"
#include "shared/pg/params.h"
#include "shared/pg/sync.h"

struct tk_outbox_config {
    const char *name; /* log object, application_name */
    const char *database_url;
    struct tk_mq_config mq;
    int64_t min_age_ms; /* leave younger rows to the other relay; 0 in booking-svc */
    int64_t poll_ms;    /* look even when nobody notified */
};

/** One pass: publishes up to `max_batches` × 200 rows, oldest first; *relayed counts those taken by the broker. */
struct tk_outbox_relay;

/** TK_ERR_INVALID when a URL makes no sense. */
TK_MUSTCHECK enum tk_err tk_outbox_relay_new(const struct tk_outbox_config *config, struct tk_outbox_relay **out);

/** Runs one pass on the calling thread (the worker). TK_ERR_UNAVAILABLE when Postgres or the broker is away. */
TK_MUSTCHECK enum tk_err tk_outbox_relay_run(struct tk_outbox_relay *relay, size_t max_batches, size_t *relayed);

/** Starts a thread of its own that relays whenever notified or after poll_ms (booking-svc). */
void tk_outbox_relay_start(struct tk_outbox_relay *relay);

/** Rows may be waiting. Thread-safe, cheap, never blocks. */
void tk_outbox_relay_notify(struct tk_outbox_relay *relay);

/** The broker connection as last seen; for /health. Thread-safe. */
bool tk_outbox_relay_broker_up(const struct tk_outbox_relay *relay);

/** One last pass (bounded by timeout_ms; 0: none), then ends the thread if there is one and frees the relay. */
void tk_outbox_relay_stop(struct tk_outbox_relay *relay, int64_t timeout_ms);

#endif
