/**
 * Exchanges and queues, declared by publisher and consumer alike, so that neither depends on the other having come first.
 * The arguments of an existing queue cannot be changed: a different one is refused by the broker (PRECONDITION_FAILED).
 *
 *     publisher → <exchange> (topic) → <queue> (at most 5 deliveries) → one active consumer
 *                                          └ rejected or delivered too often → <exchange>.dlx (fanout) → <queue>.dlq
 *
 * Both queues are quorum queues.
 *
 * Dead-lettering at-least-once keeps a message in the queue until the dead-letter queue has it, and needs the overflow
 * behaviour reject-publish.
 */
#include <stdio.h>

#include "shared/mq/internal.h"

#define DELIVERY_LIMIT 5

static amqp_table_entry_t text_argument(const char *key, const char *value)
{
    amqp_table_entry_t entry = {.key = amqp_cstring_bytes(key), .value = {.kind = AMQP_FIELD_KIND_UTF8}};
    entry.value.value.bytes = amqp_cstring_bytes(value);
    return entry;
}

static amqp_table_entry_t int_argument(const char *key, int32_t value)
{
    amqp_table_entry_t entry = {.key = amqp_cstring_bytes(key), .value = {.kind = AMQP_FIELD_KIND_I32}};
    entry.value.value.i32 = value;
    return entry;
}

static amqp_table_entry_t true_argument(const char *key)
{
    amqp_table_entry_t entry = {.key = amqp_cstring_bytes(key), .value = {.kind = AMQP_FIELD_KIND_BOOLEAN}};
    entry.value.value.boolean = 1;
    return entry;
}

static enum tk_err declare_exchange(struct tk_mq *mq, const char *name, const char *type)
{
    amqp_exchange_declare(mq->link, TK_MQ_CHANNEL, amqp_cstring_bytes(name), amqp_cstring_bytes(type), 0, 1, 0, 0,
                          amqp_empty_table);
    return tk_mq_check_reply(mq, amqp_get_rpc_reply(mq->link), "declaring an exchange");
}

static enum tk_err declare_queue(struct tk_mq *mq, const char *name, amqp_table_entry_t *arguments, int count)
{
    amqp_table_t table = {.num_entries = count, .entries = arguments};
    amqp_queue_declare(mq->link, TK_MQ_CHANNEL, amqp_cstring_bytes(name), 0, 1, 0, 0, table);
    return tk_mq_check_reply(mq, amqp_get_rpc_reply(mq->link), "declaring a queue");
}

static enum tk_err bind_queue(struct tk_mq *mq, const char *queue, const char *exchange, const char *routing_key)
{
    amqp_queue_bind(mq->link, TK_MQ_CHANNEL, amqp_cstring_bytes(queue), amqp_cstring_bytes(exchange),
                    amqp_cstring_bytes(routing_key), amqp_empty_table);
    return tk_mq_check_reply(mq, amqp_get_rpc_reply(mq->link), "binding a queue");
}

static enum tk_err declare_dead_letters(struct tk_mq *mq, const char *exchange, const char *queue)
{
    amqp_table_entry_t arguments[] = {text_argument("x-queue-type", "quorum")};
    enum tk_err err = declare_exchange(mq, exchange, "fanout");
    if (!err)
        err = declare_queue(mq, queue, arguments, 1);
    if (!err)
        err = bind_queue(mq, queue, exchange, "");
    return err;
}

static enum tk_err declare_main(struct tk_mq *mq, const char *dead_letter_exchange)
{
    amqp_table_entry_t arguments[] = {
        text_argument("x-queue-type", "quorum"),
        int_argument("x-delivery-limit", DELIVERY_LIMIT),
        text_argument("x-dead-letter-exchange", dead_letter_exchange),
        text_argument("x-dead-letter-strategy", "at-least-once"),
        text_argument("x-overflow", "reject-publish"),
        true_argument("x-single-active-consumer"),
    };
    enum tk_err err = declare_exchange(mq, mq->config.exchange, "topic");
    if (!err)
        err = declare_queue(mq, mq->config.queue, arguments, sizeof(arguments) / sizeof(arguments[0]));
    for (size_t i = 0; !err && i < mq->config.routing_key_count; i++)
        err = bind_queue(mq, mq->config.queue, mq->config.exchange, mq->config.routing_keys[i]);
    return err;
}

enum tk_err tk_mq_declare_topology(struct tk_mq *mq)
{
    char exchange[TK_MQ_SHORT_TEXT];
    char queue[TK_MQ_SHORT_TEXT];
    snprintf(exchange, sizeof(exchange), "%s.dlx", mq->config.exchange);
    snprintf(queue, sizeof(queue), TK_MQ_DEAD_LETTER_QUEUE, mq->config.queue);
    enum tk_err err = declare_dead_letters(mq, exchange, queue);
    if (!err)
        err = declare_main(mq, exchange);
    return err;
}
