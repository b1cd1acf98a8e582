/**
 * What the files of this module share: the connection, and the pump that turns frames into facts.
 */
#ifndef TK_MQ_INTERNAL_H
#define TK_MQ_INTERNAL_H

#include <amqp.h>

#include "shared/mq/mq.h"
#include "shared/mq/url.h"
#include "shared/mq/window.h"

#define TK_MQ_CHANNEL           1
#define TK_MQ_MAX_BODY          (1u << 20)
#define TK_MQ_DEAD_LETTER_QUEUE "%s.dlq"    /* of which queue */
#define TK_MQ_KEPT_BODY         (64u << 10) /* of a body that is too large */
#define TK_MQ_SHORT_TEXT        256         /* AMQP short strings have at most 255 bytes */

enum tk_mq_content_kind {
    TK_MQ_CONTENT_NONE,
    TK_MQ_CONTENT_HEADER_OF_DELIVERY, /* basic.deliver came, its header has not */
    TK_MQ_CONTENT_HEADER_OF_RETURN,
    TK_MQ_CONTENT_BODY_OF_DELIVERY,
    TK_MQ_CONTENT_BODY_OF_RETURN,
    TK_MQ_CONTENT_DELIVERY, /* complete, waits for tk_mq_receive() */
};

/** A message arrives in pieces: method, header, body frames. One at a time per channel. */
struct tk_mq_content {
    enum tk_mq_content_kind kind;
    uint64_t tag;
    bool oversized;
    uint64_t size;
    uint64_t missing; /* body bytes still to come */
    int64_t death_us;
    int64_t delivery_count;
    char death_reason[TK_MQ_SHORT_TEXT];
    char routing_key[TK_MQ_SHORT_TEXT];
    char message_id[TK_MQ_SHORT_TEXT];
    char traceparent[TK_MQ_SHORT_TEXT];
    struct tk_buf body;
};

struct tk_mq {
    struct tk_mq_config config;
    struct tk_mq_url url;
    amqp_connection_state_t link; /* NULL when not connected */
    struct tk_mq_window window;
    struct tk_mq_content content;
    int64_t silence_checked_us;
    bool blocked;          /* by the broker: it is out of memory or disk */
    bool topology_suspect; /* a message was returned: declare again before the next pass */
    bool consuming;
    bool down_logged; /* one warning per outage, not one per attempt */
};

/** Closes the socket without a word and forgets everything that was open. */
void tk_mq_drop(struct tk_mq *mq);

/** Logs why, drops, and returns the error to hand up. */
enum tk_err tk_mq_lost(struct tk_mq *mq, int amqp_status, const char *doing);

/** Declares exchanges, queues and bindings. The channel is open. */
TK_MUSTCHECK enum tk_err tk_mq_declare_topology(struct tk_mq *mq);

/** Logs a refused RPC, with the broker's words. TK_OK when `reply` is normal. */
TK_MUSTCHECK enum tk_err tk_mq_check_reply(struct tk_mq *mq, amqp_rpc_reply_t reply, const char *doing);

/** As a C string, cut where it does not fit. */
void tk_mq_copy_short(char out[TK_MQ_SHORT_TEXT], amqp_bytes_t bytes);

/** Notes what the headers of a message say: trace, deaths, deliveries. Unknown ones and wrong types are passed over. */
void tk_mq_read_headers(struct tk_mq_content *content, const amqp_table_t *headers);

/**
 * Waits up to `wait_ms` (0: takes only what is there) for one frame and acts on it: settles confirms, marks returns,
 * gathers a delivery, notes blocked and unblocked. *got says whether there was one. Any error means that the connection was
 * dropped.
 */
TK_MUSTCHECK enum tk_err tk_mq_pump(struct tk_mq *mq, int64_t wait_ms, bool *got);

#endif
