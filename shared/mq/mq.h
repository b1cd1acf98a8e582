/**
 * RabbitMQ for threads that may block: librabbitmq 0.11 with its traps fenced off. One thread owns one connection.
 *
 * Traps of this very version, and what is done here:
 *   - amqp_basic_publish never returns once heartbeats have lapsed (upstream issue 780): every 32 messages, and
 *     whenever 50 ms have passed since, frames are drained with a zero wait, which reports the dead connection instead;
 *     socket writes are bounded by SO_SNDTIMEO and TCP_USER_TIMEOUT.
 *   - no helper waits for publisher confirms: basic.ack, basic.nack and basic.return frames are read here.
 *   - a producer learns of a blocked broker only if it announces the capability connection.blocked: it does.
 *   - with amqps the broker's certificate must bear the URL's host as a DNS name (addresses are not compared), and nothing
 *     is sent before that is known. The limits above hold unchanged: below TLS it is the same non-blocking socket.
 *   - SIGPIPE: the program ignores it (main.c).
 */
#ifndef TK_MQ_MQ_H
#define TK_MQ_MQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/id.h"
#include "shared/base/mem.h"
#include "shared/base/result.h"
#include "shared/base/str.h"

struct tk_mq;

struct tk_mq_config {
    const char *name;                /* connection name in the management UI, and log object */
    const char *url;                 /* amqp://user:password@host:port/vhost, or amqps:// */
    const char *ca_file;             /* amqps: authorities to trust (PEM); "" or NULL: those of the system */
    const char *exchange;            /* topic, durable */
    const char *queue;               /* quorum; its dead letters go to <exchange>.dlx → <queue>.dlq */
    const char *const *routing_keys; /* bindings of the queue */
    size_t routing_key_count;
    int64_t timeout_ms;  /* connecting, one RPC, waiting for confirms: 5000 */
    int64_t heartbeat_s; /* 5 */
    uint16_t prefetch;   /* consumers: unacknowledged messages at a time */
};

/** Does not connect yet. Copies the struct, not what it points to. TK_ERR_INVALID when the URL makes no sense. */
TK_MUSTCHECK enum tk_err tk_mq_new(const struct tk_mq_config *config, struct tk_mq **out);
void tk_mq_free(struct tk_mq *mq);

/** Connected and not known to be dead. */
bool tk_mq_is_up(const struct tk_mq *mq);

/**
 * Connects, opens a channel and declares the topology with its final arguments: exchange; queue (quorum, x-delivery-limit
 * 5, dead-letter-strategy at-least-once with x-overflow reject-publish, single active consumer); dead-letter exchange
 * (fanout, durable) and queue (quorum). A no-op when connected. TK_ERR_UNAVAILABLE (logged) when the broker is away.
 */
TK_MUSTCHECK enum tk_err tk_mq_connect(struct tk_mq *mq);

/** Drops the connection; unacknowledged deliveries go back to the queue. */
void tk_mq_disconnect(struct tk_mq *mq);

/* --- publishing --------------------------------------------------------------------------------------------------- */

struct tk_mq_message {
    struct tk_uuid id; /* message-id */
    struct tk_slice routing_key;
    struct tk_slice body;        /* application/json */
    struct tk_slice traceparent; /* header, omitted when empty */
    bool confirmed;              /* out: the broker has taken responsibility */
};

/**
 * Publishes persistent, mandatory messages and waits for the broker's word on each; at most 256 are unconfirmed at a time.
 * `confirmed` tells per message: nacked and returned ones stay false. TK_ERR_TIMEOUT / TK_ERR_UNAVAILABLE: the connection
 * was dropped; those not confirmed may or may not have arrived.
 */
TK_MUSTCHECK enum tk_err tk_mq_publish(struct tk_mq *mq, struct tk_mq_message *messages, size_t count);

/* --- consuming ---------------------------------------------------------------------------------------------------- */

struct tk_mq_delivery {
    uint64_t tag;
    struct tk_slice routing_key; /* arena memory, as the rest */
    struct tk_slice message_id;
    struct tk_slice traceparent;
    struct tk_slice body; /* its first 64 KiB with `oversized` set when larger than 1 MiB */
    uint64_t size;        /* of the whole body, bytes */
    bool oversized;
    struct tk_slice death_reason; /* why it was dead-lettered first ("rejected", "delivery_limit"); empty: it never was */
    int64_t death_us;             /* the first time, Unix microseconds (the broker counts seconds); 0: unknown */
    int64_t delivery_count;       /* failed deliveries before that, as far as the broker says; else 0 */
};

/** Starts consuming config->queue. Call after each tk_mq_connect(). */
TK_MUSTCHECK enum tk_err tk_mq_consume(struct tk_mq *mq);

/** The same with the queue's dead letters, <queue>.dlq. */
TK_MUSTCHECK enum tk_err tk_mq_consume_dead_letters(struct tk_mq *mq);

/**
 * Waits up to `wait_ms` for a first delivery, then takes what has already arrived, up to `max`. TK_OK with *count == 0 when
 * none came. TK_ERR_UNAVAILABLE: the connection is gone (dropped); all earlier deliveries will come again.
 */
TK_MUSTCHECK enum tk_err tk_mq_receive(struct tk_mq *mq, struct tk_arena *arena, struct tk_mq_delivery *out, size_t max,
                                       int64_t wait_ms, size_t *count);

/** Acknowledges everything up to and including `tag`. */
TK_MUSTCHECK enum tk_err tk_mq_ack_up_to(struct tk_mq *mq, uint64_t tag);

/** Rejects one delivery without requeueing: it goes to the dead-letter queue. */
TK_MUSTCHECK enum tk_err tk_mq_dead_letter(struct tk_mq *mq, uint64_t tag);

#endif
