/**
 * Headers of messages. The broker writes those about deaths, but whoever publishes may write the same.
 */
#include <criterion/criterion.h>

#include "shared/base/clock.h"
#include "shared/mq/internal.h"

TestSuite(mq_headers);

static amqp_table_entry_t number(const char *name, int64_t value)
{
    return (amqp_table_entry_t){.key = amqp_cstring_bytes(name),
                                .value = {.kind = AMQP_FIELD_KIND_I64, .value = {.i64 = value}}};
}

static amqp_table_entry_t text(const char *name, const char *value)
{
    return (amqp_table_entry_t){.key = amqp_cstring_bytes(name),
                                .value = {.kind = AMQP_FIELD_KIND_UTF8, .value = {.bytes = amqp_cstring_bytes(value)}}};
}

/** Two deaths, the later one first, as the broker orders them. */
static void read_two(struct tk_mq_content *content, int64_t first_time)
{
    amqp_table_entry_t late[] = {text("reason", "rejected"), number("time", 1800000000)};
    amqp_table_entry_t early[] = {text("reason", "expired"), number("time", first_time)};
    amqp_field_value_t deaths[] = {
        {.kind = AMQP_FIELD_KIND_TABLE, .value = {.table = {.num_entries = 2, .entries = late}}},
        {.kind = AMQP_FIELD_KIND_TABLE, .value = {.table = {.num_entries = 2, .entries = early}}},
    };
    amqp_table_entry_t entry = {
        .key = amqp_cstring_bytes("x-death"),
        .value = {.kind = AMQP_FIELD_KIND_ARRAY, .value = {.array = {.num_entries = 2, .entries = deaths}}}};
    const amqp_table_t headers = {.num_entries = 1, .entries = &entry};
    *content = (struct tk_mq_content){.kind = TK_MQ_CONTENT_NONE};
    tk_mq_read_headers(content, &headers);
}

Test(mq_headers, the_oldest_death_is_the_first)
{
    static struct tk_mq_content content;
    read_two(&content, 1700000000);
    cr_expect_eq(content.death_us, 1700000000 * TK_US_PER_S);
    cr_expect_str_eq(content.death_reason, "expired");
}

/** A time beyond the year 9999 could be stored but never written again. */
Test(mq_headers, what_cannot_be_is_unknown)
{
    static const int64_t odd[] = {INT64_MIN, -1, 253402300800, 999999999999, INT64_MAX / TK_US_PER_S, INT64_MAX};
    static struct tk_mq_content content;
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        read_two(&content, odd[i]);
        cr_expect_eq(content.death_us, 0, "%lld", (long long)odd[i]);
    }
    read_two(&content, 253402300799);
    cr_expect_eq(content.death_us, TK_TIME_END_US - TK_US_PER_S);
}

Test(mq_headers, deliveries_and_trace)
{
    static struct tk_mq_content content;
    amqp_table_entry_t entries[] = {number("x-delivery-count", 5), text("traceparent", "00-1-2-3"),
                                    number("traceparent", 7), text("x-death", "no list")};
    const amqp_table_t headers = {.num_entries = 4, .entries = entries};
    tk_mq_read_headers(&content, &headers);
    cr_expect_eq(content.delivery_count, 5);
    cr_expect_str_eq(content.traceparent, "00-1-2-3");
    entries[0] = number("x-delivery-count", INT64_MIN);
    tk_mq_read_headers(&content, &headers);
    cr_expect_eq(content.delivery_count, 0);
}
