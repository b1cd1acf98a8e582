/**
 * The pump: reads one frame and acts on it. librabbitmq 0.11 has helpers for deliveries only, and those may wait without
 * end for the rest of a message and buffer bodies of any size; so frames are read here, with a deadline each.
 *
 * Channel 0 speaks of the connection (blocked, unblocked, close), our channel of messages. A message is a method frame, a
 * header frame and body frames until the size the header named is reached; nothing else comes between on one channel.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "shared/base/clock.h"
#include "shared/log/log.h"
#include "shared/mq/internal.h"

#define SILENCE_CHECK_INTERVAL_US (250 * TK_US_PER_MS)

/* --- gathering a message ------------------------------------------------------------------------------------------ */

static void begin_content(struct tk_mq_content *content, enum tk_mq_content_kind kind, amqp_bytes_t routing_key)
{
    content->kind = kind;
    content->oversized = false;
    content->message_id[0] = '\0';
    content->traceparent[0] = '\0';
    content->death_reason[0] = '\0';
    content->death_us = 0;
    content->delivery_count = 0;
    tk_mq_copy_short(content->routing_key, routing_key);
    tk_buf_reset(&content->body);
}

static void note_returned(struct tk_mq *mq)
{
    struct tk_uuid id;
    struct tk_slice text = tk_slice_of(mq->content.message_id);
    tk_log(TK_LOG_ERROR, "broker returned a message: no queue takes it", TK_KV_STR("message", mq->content.message_id),
           TK_KV_STR("routing_key", mq->content.routing_key), TK_KV_STR("connection", mq->config.name));
    mq->topology_suspect = true;
    if (tk_uuid_parse(text, &id) == TK_OK && !tk_mq_window_returned(&mq->window, &id))
        tk_log(TK_LOG_DEBUG, "returned message is not in flight", TK_KV_UUID("message", &id));
}

static void complete_if_whole(struct tk_mq *mq)
{
    struct tk_mq_content *content = &mq->content;
    if (content->missing > 0)
        return;
    if (content->kind == TK_MQ_CONTENT_BODY_OF_DELIVERY) {
        content->kind = TK_MQ_CONTENT_DELIVERY;
        return;
    }
    note_returned(mq);
    content->kind = TK_MQ_CONTENT_NONE;
}

static int on_header(struct tk_mq *mq, const amqp_frame_t *frame)
{
    struct tk_mq_content *content = &mq->content;
    const amqp_basic_properties_t *properties = frame->payload.properties.decoded;
    if (content->kind != TK_MQ_CONTENT_HEADER_OF_DELIVERY && content->kind != TK_MQ_CONTENT_HEADER_OF_RETURN)
        return AMQP_STATUS_UNEXPECTED_STATE;
    content->kind =
        content->kind == TK_MQ_CONTENT_HEADER_OF_DELIVERY ? TK_MQ_CONTENT_BODY_OF_DELIVERY : TK_MQ_CONTENT_BODY_OF_RETURN;
    content->size = frame->payload.properties.body_size;
    content->missing = content->size;
    content->oversized = content->missing > TK_MQ_MAX_BODY;
    if (properties->_flags & AMQP_BASIC_MESSAGE_ID_FLAG)
        tk_mq_copy_short(content->message_id, properties->message_id);
    if (properties->_flags & AMQP_BASIC_HEADERS_FLAG)
        tk_mq_read_headers(content, &properties->headers);
    complete_if_whole(mq);
    return AMQP_STATUS_OK;
}

static int on_body(struct tk_mq *mq, const amqp_frame_t *frame)
{
    struct tk_mq_content *content = &mq->content;
    amqp_bytes_t part = frame->payload.body_fragment;
    if ((content->kind != TK_MQ_CONTENT_BODY_OF_DELIVERY && content->kind != TK_MQ_CONTENT_BODY_OF_RETURN) ||
        part.len > content->missing)
        return AMQP_STATUS_UNEXPECTED_STATE;
    size_t room = (content->oversized ? TK_MQ_KEPT_BODY : TK_MQ_MAX_BODY) - content->body.len;
    if (content->kind == TK_MQ_CONTENT_BODY_OF_DELIVERY && room > 0)
        tk_buf_append(&content->body, part.bytes, part.len < room ? part.len : room);
    content->missing -= part.len;
    complete_if_whole(mq);
    return AMQP_STATUS_OK;
}

/* --- methods ------------------------------------------------------------------------------------------------------ */

static int on_deliver(struct tk_mq *mq, const amqp_basic_deliver_t *deliver)
{
    begin_content(&mq->content, TK_MQ_CONTENT_HEADER_OF_DELIVERY, deliver->routing_key);
    mq->content.tag = deliver->delivery_tag;
    return AMQP_STATUS_OK;
}

static int on_return(struct tk_mq *mq, const amqp_basic_return_t *returned)
{
    begin_content(&mq->content, TK_MQ_CONTENT_HEADER_OF_RETURN, returned->routing_key);
    return AMQP_STATUS_OK;
}

static int on_ack(struct tk_mq *mq, const amqp_basic_ack_t *ack)
{
    tk_mq_window_settle(&mq->window, ack->delivery_tag, ack->multiple, true);
    return AMQP_STATUS_OK;
}

static int on_nack(struct tk_mq *mq, const amqp_basic_nack_t *nack)
{
    tk_log(TK_LOG_WARNING, "broker refused a message", TK_KV_STR("connection", mq->config.name),
           TK_KV_INT("tag", nack->delivery_tag));
    tk_mq_window_settle(&mq->window, nack->delivery_tag, nack->multiple, false);
    return AMQP_STATUS_OK;
}

static int on_blocked(struct tk_mq *mq, bool blocked)
{
    tk_log(blocked ? TK_LOG_ERROR : TK_LOG_INFO,
           blocked ? "broker blocks publishing: it is short of memory or disk" : "broker takes messages again",
           TK_KV_STR("connection", mq->config.name));
    mq->blocked = blocked;
    return AMQP_STATUS_OK;
}

static int on_close(struct tk_mq *mq, amqp_bytes_t text)
{
    struct tk_slice reason = {.ptr = text.bytes, .len = text.len};
    tk_log(TK_LOG_ERROR, "broker closed the connection", TK_KV_STR("connection", mq->config.name),
           TK_KV_SLICE("reason", reason));
    return AMQP_STATUS_CONNECTION_CLOSED;
}

static int on_method(struct tk_mq *mq, const amqp_method_t *method)
{
    switch (method->id) {
    case AMQP_BASIC_DELIVER_METHOD:
        return on_deliver(mq, method->decoded);
    case AMQP_BASIC_RETURN_METHOD:
        return on_return(mq, method->decoded);
    case AMQP_BASIC_ACK_METHOD:
        return on_ack(mq, method->decoded);
    case AMQP_BASIC_NACK_METHOD:
        return on_nack(mq, method->decoded);
    case AMQP_CONNECTION_BLOCKED_METHOD:
        return on_blocked(mq, true);
    case AMQP_CONNECTION_UNBLOCKED_METHOD:
        return on_blocked(mq, false);
    case AMQP_BASIC_CANCEL_METHOD: /* the queue was deleted or lost its leader: come back with a new connection */
        return on_close(mq, amqp_cstring_bytes("consumer cancelled by the broker"));
    case AMQP_CHANNEL_CLOSE_METHOD:
        return on_close(mq, ((const amqp_channel_close_t *)method->decoded)->reply_text);
    case AMQP_CONNECTION_CLOSE_METHOD:
        return on_close(mq, ((const amqp_connection_close_t *)method->decoded)->reply_text);
    default:
        return AMQP_STATUS_OK;
    }
}

static int on_frame(struct tk_mq *mq, const amqp_frame_t *frame)
{
    switch (frame->frame_type) {
    case AMQP_FRAME_METHOD:
        return on_method(mq, &frame->payload.method);
    case AMQP_FRAME_HEADER:
        return on_header(mq, frame);
    case AMQP_FRAME_BODY:
        return on_body(mq, frame);
    default:
        return AMQP_STATUS_OK;
    }
}

/*
 * How long the peer has been silent, asked of the kernel. librabbitmq must not send once its own limit (two heartbeats) has
 * passed: it would then wait for data without end. Giving up at one and a half keeps us clear of that moment.
 */
static bool is_silent_too_long(struct tk_mq *mq)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof(info);
    int64_t now_us = tk_mono_us();
    if (now_us - mq->silence_checked_us < SILENCE_CHECK_INTERVAL_US)
        return false;
    mq->silence_checked_us = now_us;
    if (getsockopt(amqp_get_sockfd(mq->link), IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
        return false;
    return info.tcpi_last_data_recv > mq->config.heartbeat_s * 1500;
}

enum tk_err tk_mq_pump(struct tk_mq *mq, int64_t wait_ms, bool *got)
{
    amqp_frame_t frame;
    struct timeval limit = {.tv_sec = wait_ms / 1000, .tv_usec = (wait_ms % 1000) * TK_US_PER_MS};
    *got = false;
    amqp_maybe_release_buffers(mq->link);
    int status = amqp_simple_wait_frame_noblock(mq->link, &frame, &limit);
    if (status == AMQP_STATUS_TIMEOUT)
        return is_silent_too_long(mq) ? tk_mq_lost(mq, AMQP_STATUS_HEARTBEAT_TIMEOUT, "listening") : TK_OK;
    if (status == AMQP_STATUS_OK)
        status = on_frame(mq, &frame);
    if (status != AMQP_STATUS_OK)
        return tk_mq_lost(mq, status, "reading");
    *got = true;
    return TK_OK;
}
