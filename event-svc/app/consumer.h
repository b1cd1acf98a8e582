/**
 * The consumer of reservation messages: a thread with its own broker and Postgres connections.
 *
 * receive ≤ 200 → decode (poison: dead letter at once) → one message per reservation → one transaction → contradictions:
 * dead letter and alarm → acknowledge the rest with one frame. Acknowledged only after the commit; a message that comes
 * again finds its revision stored and has no effect.
 */
#ifndef EVENT_SVC_APP_CONSUMER_H
#define EVENT_SVC_APP_CONSUMER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "event-svc/app/seat_pictures.h"
#include "shared/mq/settings.h"

struct consumer;

struct consumer_config {
    const char *database_url;
    const struct tk_mq_settings *broker;
    const char *tls_ca; /* for amqps; "": the system's authorities */
    int64_t timeout_ms; /* of one transaction */
    struct tk_loop *loop;
    struct seat_pictures *pictures; /* on that loop; told of every commit */
    const atomic_bool *read_only;   /* while true the queue is left alone */
};

/** Starts the thread. TK_ERR_INVALID when the broker's URL makes no sense. The texts live as long as the process. */
TK_MUSTCHECK enum tk_err consumer_start(const struct consumer_config *config, struct consumer **out);

/** Thread-safe: the queue is being consumed, as last seen. For /health. */
bool consumer_is_up(const struct consumer *consumer);

/** Finishes the batch in hand, leaves the queue, ends the thread. Returns within timeout_ms and a second. */
void consumer_stop(struct consumer *consumer);

#endif
