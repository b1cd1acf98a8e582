/*
 * The small parsers: ids, times, money, multipliers, integers, addresses. What is accepted must come out of the writer in a
 * form that is accepted again and means the same.
 */
#include <string.h>

#include "event-svc/domain/fields.h"
#include "shared/base/clock.h"
#include "shared/base/id.h"
#include "shared/base/money.h"
#include "shared/http/address.h"
#include "shared/mq/url.h"
#include "shared/redis/url.h"
#include "tests/fuzz/fuzz.h"

static void ids(struct tk_slice text)
{
    struct tk_uuid id, again;
    if (tk_uuid_parse(text, &id) != TK_OK)
        return;
    MUST(text.len == TK_UUID_TEXT_LEN);
    MUST(tk_uuid_parse(tk_slice_of(TK_UUID_TEXT(&id)), &again) == TK_OK && tk_uuid_eq(&id, &again));
}

typedef enum tk_err parse_fn(struct tk_slice text, int64_t *out);
typedef void append_fn(struct tk_buf *buf, int64_t value);

static void there_and_back(struct tk_slice text, parse_fn *parse, append_fn *append, int64_t min, int64_t max)
{
    int64_t value, again;
    if (parse(text, &value) != TK_OK)
        return;
    struct tk_buf out = TK_BUF_INIT(64);
    append(&out, value);
    MUST(value >= min && value <= max && !out.overflow);
    MUST(parse(tk_buf_slice(&out), &again) == TK_OK && again == value);
    tk_buf_release(&out);
}

static void addresses(struct tk_slice text)
{
    struct tk_mq_url broker;
    struct tk_redis_url redis;
    struct tk_http_address address;
    char *copy = calloc(1, text.len + 1);
    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    if (tk_mq_url_parse(copy, &broker) == TK_OK)
        MUST(broker.host[0] != '\0' && broker.port > 0 && broker.port < 65536 && broker.vhost[0] != '\0');
    tk_mq_url_release(&broker);
    (void)(tk_redis_url_parse(copy, &redis) == TK_OK);
    if (tk_http_address_parse(copy, &address) == TK_OK)
        MUST(address.is_unix ? address.path[0] == '/' : address.host[0] != '\0');
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tk_slice text = input_slice(data, size);
    ids(text);
    there_and_back(text, tk_parse_i64, tk_buf_append_i64, INT64_MIN, INT64_MAX);
    there_and_back(text, tk_time_parse, tk_time_append, 0, INT64_MAX);
    there_and_back(text, tk_money_parse, tk_money_append, 0, TK_MONEY_MAX_MINOR);
    there_and_back(text, tk_multiplier_parse, tk_multiplier_append, 1, TK_MULTIPLIER_MAX);
    (void)tk_utf8_is_text(text);
    (void)field_email_problem(text);
    (void)field_phone_problem(text);
    (void)field_timezone_problem(text);
    (void)field_currency_problem(text);
    addresses(text);
    return 0;
}
