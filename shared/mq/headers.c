/**
 * Message headers: the trace we set ourselves, and what the broker adds to a message it gave up on.
 *
 *   x-death           array, latest first, of tables {reason, time, …}, one per queue and reason
 *   x-delivery-count  failed deliveries from a quorum queue
 */
#include <string.h>

#include "shared/base/clock.h"
#include "shared/mq/internal.h"

/* Whoever may publish may write these headers himself: what they say is bounded before anybody reckons with it. */
#define DELIVERIES_MAX INT32_MAX
#define DEATH_TIME_MAX (TK_TIME_END_US / TK_US_PER_S - 1) /* Unix seconds */

void tk_mq_copy_short(char out[TK_MQ_SHORT_TEXT], amqp_bytes_t bytes)
{
    size_t len = bytes.len < TK_MQ_SHORT_TEXT ? bytes.len : TK_MQ_SHORT_TEXT - 1;
    if (len > 0)
        memcpy(out, bytes.bytes, len);
    out[len] = '\0';
}

static bool is_named(const amqp_table_entry_t *entry, const char *name)
{
    return tk_slice_eq_str((struct tk_slice){.ptr = entry->key.bytes, .len = entry->key.len}, name);
}

static bool is_text(const amqp_field_value_t *value)
{
    return value->kind == AMQP_FIELD_KIND_UTF8 || value->kind == AMQP_FIELD_KIND_BYTES;
}

static int64_t to_number(const amqp_field_value_t *value)
{
    switch (value->kind) {
    case AMQP_FIELD_KIND_I8:
        return value->value.i8;
    case AMQP_FIELD_KIND_U8:
        return value->value.u8;
    case AMQP_FIELD_KIND_I16:
        return value->value.i16;
    case AMQP_FIELD_KIND_U16:
        return value->value.u16;
    case AMQP_FIELD_KIND_I32:
        return value->value.i32;
    case AMQP_FIELD_KIND_U32:
        return value->value.u32;
    case AMQP_FIELD_KIND_I64:
        return value->value.i64;
    case AMQP_FIELD_KIND_U64:
    case AMQP_FIELD_KIND_TIMESTAMP:
        return value->value.u64 <= INT64_MAX ? (int64_t)value->value.u64 : 0;
    default:
        return 0;
    }
}

/** 0 beyond `max`. */
static int64_t number_up_to(const amqp_field_value_t *value, int64_t max)
{
    const int64_t number = to_number(value);
    return number >= 0 && number <= max ? number : 0;
}

static void read_death(struct tk_mq_content *content, const amqp_table_t *death)
{
    amqp_bytes_t reason = {0};
    int64_t at_us = 0;
    for (int i = 0; i < death->num_entries; i++) {
        const amqp_table_entry_t *entry = &death->entries[i];
        if (is_named(entry, "reason") && is_text(&entry->value))
            reason = entry->value.value.bytes;
        else if (is_named(entry, "time"))
            at_us = number_up_to(&entry->value, DEATH_TIME_MAX) * TK_US_PER_S;
    }
    content->death_us = at_us; /* the last one read is the oldest */
    tk_mq_copy_short(content->death_reason, reason);
}

static void read_deaths(struct tk_mq_content *content, const amqp_array_t *deaths)
{
    for (int i = 0; i < deaths->num_entries; i++)
        if (deaths->entries[i].kind == AMQP_FIELD_KIND_TABLE)
            read_death(content, &deaths->entries[i].value.table);
}

void tk_mq_read_headers(struct tk_mq_content *content, const amqp_table_t *headers)
{
    for (int i = 0; i < headers->num_entries; i++) {
        const amqp_table_entry_t *entry = &headers->entries[i];
        if (is_named(entry, "traceparent") && is_text(&entry->value))
            tk_mq_copy_short(content->traceparent, entry->value.value.bytes);
        else if (is_named(entry, "x-death") && entry->value.kind == AMQP_FIELD_KIND_ARRAY)
            read_deaths(content, &entry->value.value.array);
        else if (is_named(entry, "x-delivery-count"))
            content->delivery_count = number_up_to(&entry->value, DELIVERIES_MAX);
    }
}
