/**
 * Publisher, consumer and outbox relay against a real broker: set TK_TEST_RABBITMQ_URL, and TK_TEST_DATABASE_URL for the
 * relay (deploy/run-tests.sh does). Without them the tests here are reported as skipped.
 */
#include <amqp_tcp_socket.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/log/log.h"
#include "shared/mq/internal.h"
#include "shared/outbox/outbox.h"

enum { MESSAGES = 600 };

TestSuite(mq_live, .timeout = 60);

static char exchange[64];
static char queue[64];
static const char *const routing_keys[] = {"test.one", "test.two"};
static struct tk_mq_message messages[MESSAGES];
static struct tk_mq_delivery deliveries[MESSAGES];

static struct tk_mq_config live_config(void)
{
    const char *url = getenv("TK_TEST_RABBITMQ_URL");
    if (url == NULL)
        cr_skip_test("TK_TEST_RABBITMQ_URL is not set: the live broker tests did not run");
    tk_log_init("test", TK_LOG_ERROR, false);
    snprintf(exchange, sizeof(exchange), "tk_test_%d", (int)getpid());
    snprintf(queue, sizeof(queue), "tk_test_queue_%d", (int)getpid());
    return (struct tk_mq_config){.name = "live-test",
                                 .url = url,
                                 .exchange = exchange,
                                 .queue = queue,
                                 .routing_keys = routing_keys,
                                 .routing_key_count = 2,
                                 .timeout_ms = 20000,
                                 .heartbeat_s = 5,
                                 .prefetch = 300};
}

static struct tk_mq *connect_live(void)
{
    struct tk_mq_config config = live_config();
    struct tk_mq *mq;
    cr_assert_eq(tk_mq_new(&config, &mq), TK_OK);
    cr_expect_not(tk_mq_is_up(mq));
    cr_assert_eq(tk_mq_connect(mq), TK_OK);
    cr_expect(tk_mq_is_up(mq));
    return mq;
}

/* Removes what tk_mq_connect() declared, the dead-letter pair included. */
static void clean_up(struct tk_mq *mq)
{
    char name[96];
    cr_assert_eq(tk_mq_connect(mq), TK_OK);
    amqp_queue_delete(mq->link, TK_MQ_CHANNEL, amqp_cstring_bytes(queue), 0, 0);
    snprintf(name, sizeof(name), "%s.dlq", queue);
    amqp_queue_delete(mq->link, TK_MQ_CHANNEL, amqp_cstring_bytes(name), 0, 0);
    snprintf(name, sizeof(name), "%s.dlx", exchange);
    amqp_exchange_delete(mq->link, TK_MQ_CHANNEL, amqp_cstring_bytes(name), 0);
    amqp_exchange_delete(mq->link, TK_MQ_CHANNEL, amqp_cstring_bytes(exchange), 0);
    tk_mq_free(mq);
}

static void fill(size_t count, const char *routing_key, struct tk_slice body)
{
    for (size_t i = 0; i < count; i++)
        messages[i] = (struct tk_mq_message){.id = tk_uuid_v7(),
                                             .routing_key = tk_slice_of(routing_key),
                                             .body = body,
                                             .traceparent = i % 2 ? TK_SLICE("00-trace-span-01") : (struct tk_slice){0}};
}

static size_t confirmed(size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        n += messages[i].confirmed;
    return n;
}

/* Receives until `count` messages are there or half a minute has passed; acknowledges them. */
static size_t receive(struct tk_mq *mq, struct tk_arena *arena, size_t count)
{
    int64_t give_up_us = tk_mono_us() + 30 * TK_US_PER_S;
    size_t total = 0;
    while (total < count && tk_mono_us() < give_up_us) {
        size_t got;
        cr_assert_eq(tk_mq_receive(mq, arena, deliveries + total, MESSAGES - total, 500, &got), TK_OK);
        total += got;
        if (got > 0)
            cr_assert_eq(tk_mq_ack_up_to(mq, deliveries[total - 1].tag), TK_OK);
    }
    return total;
}

Test(mq_live, what_is_published_arrives_as_it_was)
{
    struct tk_arena arena = {0};
    struct tk_mq *mq = connect_live();
    fill(MESSAGES, "test.two", TK_SLICE("{\"hello\": \"wörld\"}"));
    cr_assert_eq(tk_mq_publish(mq, messages, MESSAGES), TK_OK);
    cr_expect_eq(confirmed(MESSAGES), MESSAGES);
    cr_assert_eq(tk_mq_consume(mq), TK_OK);
    cr_assert_eq(receive(mq, &arena, MESSAGES), MESSAGES);
    for (size_t i = 0; i < MESSAGES; i++) {
        cr_assert(tk_slice_eq_str(deliveries[i].message_id, TK_UUID_TEXT(&messages[i].id)), "order of one publisher");
        cr_expect(tk_slice_eq(deliveries[i].body, messages[i].body));
        cr_expect(tk_slice_eq(deliveries[i].traceparent, messages[i].traceparent));
        cr_expect(tk_slice_eq_str(deliveries[i].routing_key, "test.two"));
    }
    tk_mq_disconnect(mq);
    clean_up(mq);
    tk_arena_release(&arena);
}

Test(mq_live, an_unroutable_message_is_not_confirmed)
{
    struct tk_mq *mq = connect_live();
    fill(3, "test.one", TK_SLICE("{}"));
    messages[1].routing_key = TK_SLICE("nobody.wants.this");
    cr_assert_eq(tk_mq_publish(mq, messages, 3), TK_OK);
    cr_expect(messages[0].confirmed && !messages[1].confirmed && messages[2].confirmed);
    clean_up(mq);
}

Test(mq_live, a_deleted_queue_is_declared_again)
{
    struct tk_mq *mq = connect_live();
    amqp_queue_delete(mq->link, TK_MQ_CHANNEL, amqp_cstring_bytes(queue), 0, 0);
    fill(1, "test.one", TK_SLICE("{}"));
    cr_assert_eq(tk_mq_publish(mq, messages, 1), TK_OK);
    cr_expect_not(messages[0].confirmed);
    cr_assert_eq(tk_mq_connect(mq), TK_OK);
    cr_assert_eq(tk_mq_publish(mq, messages, 1), TK_OK);
    cr_expect(messages[0].confirmed);
    clean_up(mq);
}

Test(mq_live, unacknowledged_messages_come_again_and_poison_goes_aside)
{
    struct tk_arena arena = {0};
    size_t got;
    struct tk_mq *mq = connect_live();
    fill(1, "test.one", TK_SLICE("poison"));
    cr_assert_eq(tk_mq_publish(mq, messages, 1), TK_OK);
    cr_assert_eq(tk_mq_consume(mq), TK_OK);
    cr_assert_eq(tk_mq_receive(mq, &arena, deliveries, 1, 20000, &got), TK_OK);
    cr_assert_eq(got, 1);
    tk_mq_disconnect(mq);
    cr_expect_eq(tk_mq_receive(mq, &arena, deliveries, 1, 10, &got), TK_ERR_UNAVAILABLE);
    cr_assert_eq(tk_mq_connect(mq), TK_OK);
    cr_assert_eq(tk_mq_consume(mq), TK_OK);
    cr_assert_eq(tk_mq_receive(mq, &arena, deliveries, 1, 20000, &got), TK_OK);
    cr_assert_eq(got, 1);
    cr_assert_eq(tk_mq_dead_letter(mq, deliveries[0].tag), TK_OK);
    cr_assert_eq(tk_mq_receive(mq, &arena, deliveries, 1, 500, &got), TK_OK);
    cr_expect_eq(got, 0, "rejected without requeueing");
    tk_mq_disconnect(mq);
    cr_assert_eq(tk_mq_connect(mq), TK_OK);
    cr_assert_eq(tk_mq_consume_dead_letters(mq), TK_OK);
    cr_assert_eq(tk_mq_receive(mq, &arena, deliveries, 1, 20000, &got), TK_OK);
    cr_assert_eq(got, 1);
    cr_expect(tk_slice_eq_str(deliveries[0].body, "poison"));
    cr_expect(tk_slice_eq_str(deliveries[0].routing_key, "test.one"), "the key it was published with");
    cr_expect(tk_slice_eq_str(deliveries[0].message_id, TK_UUID_TEXT(&messages[0].id)));
    cr_expect(tk_slice_eq_str(deliveries[0].death_reason, "rejected"));
    cr_expect_lt(llabs(tk_unix_us() - deliveries[0].death_us), 60 * TK_US_PER_S);
    tk_mq_disconnect(mq);
    clean_up(mq);
    tk_arena_release(&arena);
}

Test(mq_live, a_huge_message_is_delivered_as_oversized_only)
{
    struct tk_arena arena = {0};
    size_t got;
    size_t size = 3u << 20;
    struct tk_mq *mq = connect_live();
    char *body = tk_alloc(size);
    fill(2, "test.one", (struct tk_slice){.ptr = body, .len = size});
    messages[1].body = TK_SLICE("small");
    cr_assert_eq(tk_mq_publish(mq, messages, 2), TK_OK);
    cr_assert_eq(tk_mq_consume(mq), TK_OK);
    cr_assert_eq(tk_mq_receive(mq, &arena, deliveries, 1, 20000, &got), TK_OK);
    cr_expect(deliveries[0].oversized && deliveries[0].size == size);
    cr_expect_eq(deliveries[0].body.len, TK_MQ_KEPT_BODY);
    cr_assert_eq(tk_mq_receive(mq, &arena, deliveries, 1, 20000, &got), TK_OK);
    cr_expect(tk_slice_eq_str(deliveries[0].body, "small"));
    tk_mq_disconnect(mq);
    clean_up(mq);
    free(body);
    tk_arena_release(&arena);
}

Test(mq_live, nobody_listens)
{
    struct tk_mq_config config = live_config();
    struct tk_mq *mq;
    config.url = "amqp://guest:guest@127.0.0.1:1/";
    cr_assert_eq(tk_mq_new(&config, &mq), TK_OK);
    cr_expect_eq(tk_mq_connect(mq), TK_ERR_UNAVAILABLE);
    fill(1, "test.one", TK_SLICE("{}"));
    cr_expect_eq(tk_mq_publish(mq, messages, 1), TK_ERR_UNAVAILABLE);
    cr_expect_eq(tk_mq_consume(mq), TK_ERR_UNAVAILABLE);
    tk_mq_free(mq);
}

/* --- relay -------------------------------------------------------------------------------------------------------- */

static char *outbox_schema(const char *url)
{
    PGconn *pg = PQconnectdb(url);
    cr_assert_eq(PQstatus(pg), CONNECTION_OK);
    PQclear(PQexec(pg, "SET client_min_messages = error"));
    PQclear(PQexec(pg, "DROP SCHEMA IF EXISTS tk_outbox_test CASCADE"));
    PGresult *made = PQexec(pg, "CREATE SCHEMA tk_outbox_test; "
                                "CREATE TABLE tk_outbox_test.outbox (id uuid PRIMARY KEY, routing_key text NOT NULL, "
                                "body text NOT NULL, traceparent text, created_at timestamptz NOT NULL DEFAULT now()); "
                                "INSERT INTO tk_outbox_test.outbox (id, routing_key, body) "
                                "SELECT gen_random_uuid(), 'test.one', 'row ' || n FROM generate_series(1, 500) n; "
                                "INSERT INTO tk_outbox_test.outbox (id, routing_key, body, created_at) "
                                "VALUES (gen_random_uuid(), 'test.one', 'tomorrow', now() + interval '1 day')");
    cr_assert_eq(PQresultStatus(made), PGRES_COMMAND_OK, "%s", PQerrorMessage(pg));
    PQclear(made);
    PQfinish(pg);
    size_t size = strlen(url) + 64;
    char *own = tk_alloc(size);
    snprintf(own, size, "%s%coptions=-csearch_path%%3Dtk_outbox_test", url, strchr(url, '?') != NULL ? '&' : '?');
    return own;
}

Test(mq_live, the_relay_empties_the_outbox_once)
{
    struct tk_arena arena = {0};
    const char *database_url = getenv("TK_TEST_DATABASE_URL");
    struct tk_mq *mq = connect_live();
    struct tk_outbox_relay *relay;
    size_t relayed;
    if (database_url == NULL) {
        clean_up(mq);
        cr_skip_test("TK_TEST_DATABASE_URL is not set: the relay was not tested");
    }
    char *url = outbox_schema(database_url);
    struct tk_outbox_config config = {.name = "relay-test", .database_url = url, .mq = live_config(), .poll_ms = 100};
    cr_assert_eq(tk_outbox_relay_new(&config, &relay), TK_OK);
    cr_assert_eq(tk_outbox_relay_run(relay, 1, &relayed), TK_OK);
    cr_expect_eq(relayed, 200, "one batch");
    cr_assert_eq(tk_outbox_relay_run(relay, 100, &relayed), TK_OK);
    cr_expect_eq(relayed, 300, "the rest, but not the row that is too young");
    cr_assert_eq(tk_outbox_relay_run(relay, 100, &relayed), TK_OK);
    cr_expect_eq(relayed, 0);
    cr_expect(tk_outbox_relay_broker_up(relay));
    cr_assert_eq(tk_mq_consume(mq), TK_OK);
    cr_expect_eq(receive(mq, &arena, 500), 500);
    tk_outbox_relay_start(relay);
    tk_outbox_relay_notify(relay);
    tk_outbox_relay_stop(relay, 5000);
    tk_mq_disconnect(mq);
    clean_up(mq);
    free(url);
    tk_arena_release(&arena);
}
