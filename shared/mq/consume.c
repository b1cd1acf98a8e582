/**
 * Consuming: prefetch, deliver into the caller's arena, acknowledge. Waiting for a delivery also sends and checks
 * heartbeats, so an idle consumer stays connected and notices a dead broker within two of them.
 */
#include <assert.h>
#include <stdio.h>

#include "shared/base/clock.h"
#include "shared/mq/internal.h"

static enum tk_err consume_from(struct tk_mq *mq, const char *queue)
{
    if (mq->link == NULL)
        return TK_ERR_UNAVAILABLE;
    amqp_basic_qos(mq->link, TK_MQ_CHANNEL, 0, mq->config.prefetch, 0);
    enum tk_err err = tk_mq_check_reply(mq, amqp_get_rpc_reply(mq->link), "setting the prefetch");
    if (!err) {
        amqp_basic_consume(mq->link, TK_MQ_CHANNEL, amqp_cstring_bytes(queue), amqp_empty_bytes, 0, 0, 0, amqp_empty_table);
        err = tk_mq_check_reply(mq, amqp_get_rpc_reply(mq->link), "starting to consume");
    }
    if (err)
        tk_mq_drop(mq);
    else
        mq->consuming = true;
    return err;
}

enum tk_err tk_mq_consume(struct tk_mq *mq)
{
    return consume_from(mq, mq->config.queue);
}

enum tk_err tk_mq_consume_dead_letters(struct tk_mq *mq)
{
    char queue[TK_MQ_SHORT_TEXT];
    snprintf(queue, sizeof(queue), TK_MQ_DEAD_LETTER_QUEUE, mq->config.queue);
    return consume_from(mq, queue);
}

static void take(struct tk_mq *mq, struct tk_arena *arena, struct tk_mq_delivery *out)
{
    struct tk_mq_content *content = &mq->content;
    *out = (struct tk_mq_delivery){
        .tag = content->tag,
        .routing_key = tk_slice_copy(arena, tk_slice_of(content->routing_key)),
        .message_id = tk_slice_copy(arena, tk_slice_of(content->message_id)),
        .traceparent = tk_slice_copy(arena, tk_slice_of(content->traceparent)),
        .body = tk_slice_copy(arena, tk_buf_slice(&content->body)),
        .size = content->size,
        .oversized = content->oversized,
        .death_reason = tk_slice_copy(arena, tk_slice_of(content->death_reason)),
        .death_us = content->death_us,
        .delivery_count = content->delivery_count,
    };
    content->kind = TK_MQ_CONTENT_NONE;
}

enum tk_err tk_mq_receive(struct tk_mq *mq, struct tk_arena *arena, struct tk_mq_delivery *out, size_t max, int64_t wait_ms,
                          size_t *count)
{
    int64_t deadline_us = tk_mono_us() + wait_ms * TK_US_PER_MS;
    *count = 0;
    if (mq->link == NULL)
        return TK_ERR_UNAVAILABLE;
    assert(mq->consuming && max > 0);
    while (*count < max) {
        int64_t left_us = *count > 0 ? 0 : deadline_us - tk_mono_us();
        bool got;
        if (tk_mq_pump(mq, left_us > 0 ? (left_us + TK_US_PER_MS - 1) / TK_US_PER_MS : 0, &got) != TK_OK)
            return TK_ERR_UNAVAILABLE;
        if (mq->content.kind == TK_MQ_CONTENT_DELIVERY)
            take(mq, arena, &out[(*count)++]);
        else if (!got && left_us <= 0)
            break;
    }
    return TK_OK;
}

enum tk_err tk_mq_ack_up_to(struct tk_mq *mq, uint64_t tag)
{
    if (mq->link == NULL)
        return TK_ERR_UNAVAILABLE;
    int status = amqp_basic_ack(mq->link, TK_MQ_CHANNEL, tag, 1);
    return status == AMQP_STATUS_OK ? TK_OK : tk_mq_lost(mq, status, "acknowledging");
}

enum tk_err tk_mq_dead_letter(struct tk_mq *mq, uint64_t tag)
{
    if (mq->link == NULL)
        return TK_ERR_UNAVAILABLE;
    int status = amqp_basic_reject(mq->link, TK_MQ_CHANNEL, tag, 0);
    return status == AMQP_STATUS_OK ? TK_OK : tk_mq_lost(mq, status, "rejecting");
}
