/**
 * Which published messages the broker has not spoken about yet. Pure bookkeeping, no I/O.
 *
 * Delivery tags count publishes on a channel from 1. Acks arrive in any order, one by one or "everything up to" (multiple);
 * a returned message is acked, too, after its return: it reached the broker but no queue, so it must not count as
 * confirmed. The window is bounded by messages and by bytes. Bytes matter because unconfirmed data must fit into the
 * socket's send buffer: then a write never blocks, even when the broker has stopped reading.
 */
#ifndef TK_MQ_WINDOW_H
#define TK_MQ_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/mq/mq.h"

#define TK_MQ_WINDOW_MESSAGES 256
#define TK_MQ_WINDOW_BYTES                                                                                                 \
    (128u << 10) /* half of what net.core.wmem_max grants by default; one larger message goes alone */

struct tk_mq_slot {
    struct tk_mq_message *message; /* NULL: settled */
    size_t bytes;
    bool returned;
};

struct tk_mq_window {
    struct tk_mq_slot slots[TK_MQ_WINDOW_MESSAGES]; /* tag modulo size */
    uint64_t oldest;                                /* smallest unsettled tag, or `next` */
    uint64_t next;                                  /* tag of the next publish */
    size_t open;
    size_t bytes;
};

/** A fresh channel in confirm mode. */
void tk_mq_window_reset(struct tk_mq_window *window);

/** Forgets what is open (the connection is gone); the messages stay unconfirmed. Tags go on. */
void tk_mq_window_abandon(struct tk_mq_window *window);

bool tk_mq_window_has_room(const struct tk_mq_window *window, size_t bytes);

/** `message` is being published under the next tag. Needs room (asserted). */
void tk_mq_window_open(struct tk_mq_window *window, struct tk_mq_message *message, size_t bytes);

/** The broker returned the message with this id as unroutable; its ack is still to come. False: no such message. */
bool tk_mq_window_returned(struct tk_mq_window *window, const struct tk_uuid *id);

/**
 * basic.ack (taken) or basic.nack for `tag`, or for every open tag up to it; sets `confirmed` on the messages concerned.
 * Returns how many were settled; tags that are not open are ignored. Tag 0 with `multiple` means all.
 */
size_t tk_mq_window_settle(struct tk_mq_window *window, uint64_t tag, bool multiple, bool taken);

#endif
