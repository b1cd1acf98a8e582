/**
 * Publishing with confirms.
 *
 *   cork the socket
 *   for each message: every few take what the broker has said so far → wait for room in the window → send
 *   uncork, then wait until the broker has spoken about every one of them
 *
 * Corked, the kernel fills its segments with the frames of many messages, and the broker wakes up per segment instead of
 * per message. Whoever waits for the broker uncorks first: it can only answer what it has got.
 *
 * "Wait" always means: no progress for config.timeout_ms ends the call, and drops the connection, since what is still in
 * its buffers may or may not arrive. A blocked broker (disk or memory alarm) makes no progress either.
 */
#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "shared/base/clock.h"
#include "shared/mq/internal.h"

#define FRAMING_BYTES 512 /* per message beyond its body: method, properties, frame headers; generous */
#define PUMP_SLICE_MS 250
#define DRAIN_EVERY   32                  /* messages: reading takes a system call or two */
#define DRAIN_WITHIN  (50 * TK_US_PER_MS) /* this process may have been stopped between two of them (mq.h, traps) */

static bool may_send(const struct tk_mq *mq, size_t bytes)
{
    return !mq->blocked && tk_mq_window_has_room(&mq->window, bytes);
}

static enum tk_err drain(struct tk_mq *mq)
{
    bool got = true;
    while (got) {
        enum tk_err err = tk_mq_pump(mq, 0, &got);
        if (err)
            return err;
    }
    return TK_OK;
}

static void cork(const struct tk_mq *mq, int on)
{
    setsockopt(amqp_get_sockfd(mq->link), IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
}

/* Pumps until a message of `bytes` may be sent (`all` false) or nothing is open any more (`all` true). */
static enum tk_err wait_for(struct tk_mq *mq, bool all, size_t bytes)
{
    int64_t patience_us = mq->config.timeout_ms * TK_US_PER_MS;
    int64_t deadline_us = tk_mono_us() + patience_us;
    size_t open = mq->window.open;
    while (all ? mq->window.open > 0 : !may_send(mq, bytes)) {
        bool got;
        enum tk_err err = tk_mq_pump(mq, PUMP_SLICE_MS, &got);
        if (err)
            return err;
        int64_t now_us = tk_mono_us();
        if (mq->window.open != open)
            deadline_us = now_us + patience_us;
        open = mq->window.open;
        if (now_us >= deadline_us)
            return tk_mq_lost(mq, AMQP_STATUS_TIMEOUT, mq->blocked ? "blocked" : "waiting for confirms");
    }
    return TK_OK;
}

static amqp_bytes_t bytes_of(struct tk_slice s)
{
    return (amqp_bytes_t){.len = s.len, .bytes = (void *)(uintptr_t)s.ptr};
}

static enum tk_err send_message(struct tk_mq *mq, const struct tk_mq_message *message)
{
    amqp_table_entry_t header = {.key = amqp_cstring_bytes("traceparent"), .value = {.kind = AMQP_FIELD_KIND_UTF8}};
    header.value.value.bytes = bytes_of(message->traceparent);
    amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG,
        .content_type = amqp_cstring_bytes("application/json"),
        .delivery_mode = AMQP_DELIVERY_PERSISTENT,
        .message_id = amqp_cstring_bytes(TK_UUID_TEXT(&message->id)),
    };
    if (message->traceparent.len > 0) {
        properties._flags |= AMQP_BASIC_HEADERS_FLAG;
        properties.headers = (amqp_table_t){.num_entries = 1, .entries = &header};
    }
    int status = amqp_basic_publish(mq->link, TK_MQ_CHANNEL, amqp_cstring_bytes(mq->config.exchange),
                                    bytes_of(message->routing_key), 1, 0, &properties, bytes_of(message->body));
    return status == AMQP_STATUS_OK ? TK_OK : tk_mq_lost(mq, status, "publishing");
}

static enum tk_err wait_for_room(struct tk_mq *mq, size_t bytes)
{
    if (may_send(mq, bytes))
        return TK_OK;
    cork(mq, 0);
    enum tk_err err = wait_for(mq, false, bytes);
    if (!err)
        cork(mq, 1);
    return err;
}

static enum tk_err publish_one(struct tk_mq *mq, struct tk_mq_message *message)
{
    size_t bytes = message->body.len + FRAMING_BYTES;
    enum tk_err err = wait_for_room(mq, bytes);
    if (err)
        return err;
    tk_mq_window_open(&mq->window, message, bytes);
    return send_message(mq, message);
}

static enum tk_err publish_corked(struct tk_mq *mq, struct tk_mq_message *messages, size_t count)
{
    enum tk_err err = TK_OK;
    int64_t drained_us = 0;
    cork(mq, 1);
    for (size_t i = 0; !err && i < count; i++) {
        int64_t now_us = tk_mono_us();
        if (i % DRAIN_EVERY == 0 || now_us - drained_us > DRAIN_WITHIN) {
            err = drain(mq);
            drained_us = now_us;
        }
        if (!err)
            err = publish_one(mq, &messages[i]);
    }
    if (!err)
        cork(mq, 0);
    return err;
}

enum tk_err tk_mq_publish(struct tk_mq *mq, struct tk_mq_message *messages, size_t count)
{
    assert(!mq->consuming);
    for (size_t i = 0; i < count; i++)
        messages[i].confirmed = false;
    if (mq->link == NULL)
        return TK_ERR_UNAVAILABLE;
    if (count == 0)
        return drain(mq); /* serves heartbeats and notices a dead connection */
    enum tk_err err = publish_corked(mq, messages, count);
    return err ? err : wait_for(mq, true, 0);
}
