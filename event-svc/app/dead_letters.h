/**
 * What becomes of dead letters: a thread that moves them from the broker's dead-letter queue into a table, and publishes
 * again those that somebody decided to replay.
 *
 *   dead-letter queue → row in dead_letters (commit) → ack
 *   POST …/replay: row moves to the outbox (one transaction, on the event loop) → publish → broker's confirm → row removed
 *
 * A crash between any two of these repeats a step: the same copy meets its own row, a message published twice finds its
 * revision stored. Nothing is lost, nothing is applied twice.
 */
#ifndef EVENT_SVC_APP_DEAD_LETTERS_H
#define EVENT_SVC_APP_DEAD_LETTERS_H

#include <stdint.h>

#include "shared/mq/settings.h"

struct dead_letters;

struct dead_letters_config {
    const char *database_url;
    const struct tk_mq_settings *broker;
    const char *tls_ca; /* for amqps; "": the system's authorities */
    int64_t timeout_ms; /* of one transaction */
    int64_t most;       /* rows; beyond it further ones wait in the broker's queue */
};

/** Starts the thread. TK_ERR_INVALID when the broker's URL makes no sense. The texts live as long as the process. */
TK_MUSTCHECK enum tk_err dead_letters_start(const struct dead_letters_config *config, struct dead_letters **out);

/** Rows were moved or removed: publish what waits, count again. Thread-safe, cheap. */
void dead_letters_notify(struct dead_letters *letters);

/** How many wait for a decision, as last counted. Thread-safe. For /health. */
int64_t dead_letters_waiting(const struct dead_letters *letters);

/** Ends the thread. Returns within timeout_ms and a few seconds. */
void dead_letters_stop(struct dead_letters *letters);

#endif
