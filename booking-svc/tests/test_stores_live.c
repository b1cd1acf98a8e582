/*
 * The stores against a real Postgres, where compare-and-set, conflicts and rollbacks are decided: set TK_TEST_DATABASE_URL
 * (deploy/run-tests.sh does). Without it every test here is reported as skipped. Each test has a schema of its own.
 */
#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "booking-svc/adapters/idempotency_store.h"
#include "booking-svc/adapters/payment_store.h"
#include "booking-svc/adapters/reservation_store.h"
#include "booking-svc/adapters/schema.h"
#include "booking-svc/adapters/statements.h"
#include "booking-svc/adapters/tier_store.h"
#include "shared/base/clock.h"

#define MAX_ITEMS 8
#define HASH      "0123456789012345678901234567890123456789012"

static char schema[64];
static char url[512];
static char search_path[96];
static PGconn *sql;
static struct tk_loop *loop;
static struct tk_pg *pg;
static struct tk_arena arena;
static struct tk_uuid user;

/* --- set-up -------------------------------------------------------------------------------------------------------- */

static void run(const char *format, ...) TK_PRINTF(1, 2);

static void run(const char *format, ...)
{
    va_list args;
    char line[2048];
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    PGresult *result = PQexec(sql, line);
    const ExecStatusType status = PQresultStatus(result);
    cr_assert(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK, "%s: %s", line, PQerrorMessage(sql));
    PQclear(result);
}

static int64_t number(const char *query)
{
    PGresult *result = PQexec(sql, query);
    cr_assert_eq(PQntuples(result), 1, "%s: %s", query, PQerrorMessage(sql));
    int64_t value = 0;
    cr_assert_eq(tk_parse_i64(tk_slice_of(PQgetvalue(result, 0, 0)), &value), TK_OK);
    PQclear(result);
    return value;
}

static void set_up(void)
{
    const char *base = getenv("TK_TEST_DATABASE_URL");
    if (base == NULL)
        cr_skip_test("TK_TEST_DATABASE_URL is not set");
    snprintf(schema, sizeof(schema), "booking_live_%d", (int)getpid());
    snprintf(url, sizeof(url), "%s%coptions=-csearch_path%%3D%s", base, strchr(base, '?') ? '&' : '?', schema);
    sql = PQconnectdb(url);
    snprintf(search_path, sizeof(search_path), "-c search_path=%s", schema);
    run("SET client_min_messages = warning");
    run("DROP SCHEMA IF EXISTS %s CASCADE", schema);
    run("CREATE SCHEMA %s", schema);
    cr_assert_eq(tk_pg_migrate(url, booking_migrations, booking_migration_count), TK_OK);
    loop = tk_loop_create();
    const struct tk_pg_config config = {
        .name = "live-test",
        .server_options = search_path,
        .url = url,
        .connections = 2,
        .max_depth = 16,
        .max_queued = 100,
        .statement_timeout_ms = 5000,
        .statements = booking_statements,
        .statement_count = booking_statement_count,
    };
    pg = tk_pg_open(loop, &config);
    for (int turns = 0; turns < 200 && !tk_pg_is_up(pg); turns++)
        tk_loop_turn(loop, 50);
    cr_assert(tk_pg_is_up(pg));
    user = tk_uuid_v7();
}

static void tear_down(void)
{
    if (sql == NULL)
        return;
    tk_pg_close(pg);
    run("DROP SCHEMA %s CASCADE", schema);
    PQfinish(sql);
    tk_arena_release(&arena);
}

TestSuite(stores_live, .init = set_up, .fini = tear_down);

static size_t answered;

static void on_done(struct write_item *item)
{
    (void)item;
    answered++;
}

static struct write_queue *open_queue(const struct write_kind *kind)
{
    const struct write_queue_config config = {.max_items = 100, .max_in_flight = 1, .max_queued = 100, .timeout_ms = 5000};
    return write_queue_new(loop, pg, kind, &config);
}

static void submit(struct write_queue *queue, struct write_item *item)
{
    item->done = on_done;
    item->base.deadline_us = tk_mono_us() + 10 * TK_US_PER_S;
    cr_assert_eq(write_queue_submit(queue, item), TK_OK);
}

/** Everything submitted since the last call travels as one batch. */
static void await(size_t count)
{
    const int64_t give_up = tk_mono_us() + 10 * TK_US_PER_S;
    while (answered < count && tk_mono_us() < give_up)
        tk_loop_turn(loop, 50);
    cr_assert_eq(answered, count);
    answered = 0;
}

/* --- persisting ---------------------------------------------------------------------------------------------------- */

static struct reservation *new_reservation(int64_t lives_s)
{
    struct reservation *r = tk_arena_alloc(&arena, sizeof(*r));
    r->id = tk_uuid_v7();
    r->user_id = user;
    r->session_id = tk_uuid_v7();
    r->booking_time_us = tk_unix_us();
    r->expiry_time_us = r->booking_time_us + lives_s * TK_US_PER_S;
    r->total_minor = 25125;
    memcpy(r->currency, "EUR", 4);
    r->items = tk_arena_alloc(&arena, 2 * sizeof(*r->items));
    r->item_count = 2;
    for (size_t i = 0; i < 2; i++)
        r->items[i] = (struct reservation_item){.id = tk_uuid_v7(),
                                                .session_seat_id = tk_uuid_v7(),
                                                .row_number = TK_SLICE("1"),
                                                .seat_number = TK_SLICE("2"),
                                                .price_minor = 100,
                                                .final_minor = 100};
    return r;
}

static struct persist_item persist_of(const struct reservation *r)
{
    return (struct persist_item){.base = {.id = r->id}, .reservation = r, .request_id = "test"};
}

/** Stores `count` reservations in one batch. */
static void store(struct reservation *const *list, size_t count)
{
    struct write_queue *queue = open_queue(&reservation_persist_kind);
    struct persist_item items[MAX_ITEMS];
    for (size_t i = 0; i < count; i++) {
        items[i] = persist_of(list[i]);
        submit(queue, &items[i].base);
    }
    await(count);
    for (size_t i = 0; i < count; i++)
        cr_assert_eq(items[i].base.step, TK_STEP_OK);
}

static struct reservation *stored_reservation(void)
{
    struct reservation *r = new_reservation(600);
    store(&r, 1);
    return r;
}

Test(stores_live, each_reservation_of_a_batch_gets_its_own_answer)
{
    struct reservation *there = stored_reservation();
    struct reservation *tombstone = new_reservation(600);
    struct reservation *late = new_reservation(-1);
    struct reservation *fresh = new_reservation(600);
    run("INSERT INTO reservations (id, session_id, status, expiry_time) VALUES ('%s', '%s', 'expired', now())",
        TK_UUID_TEXT(&tombstone->id), TK_UUID_TEXT(&tombstone->session_id));
    struct persist_item items[] = {persist_of(there), persist_of(tombstone), persist_of(late), persist_of(fresh)};
    struct write_queue *queue = open_queue(&reservation_persist_kind);
    for (size_t i = 0; i < 4; i++)
        submit(queue, &items[i].base);
    await(4);
    cr_assert_eq(items[0].base.step, TK_STEP_REFUSED);
    cr_assert_eq(items[0].detail, RESERVATION_DETAIL_ALREADY_STORED);
    cr_assert_eq(items[1].base.step, TK_STEP_REFUSED);
    cr_assert_eq(items[1].detail, RESERVATION_DETAIL_TOMBSTONE);
    cr_assert_eq(items[2].base.step, TK_STEP_REFUSED);
    cr_assert_eq(items[2].detail, RESERVATION_DETAIL_OVERDUE);
    cr_assert_eq(items[3].base.step, TK_STEP_OK);
    cr_assert_eq(number("SELECT count(*) FROM reservations WHERE status = 'active'"), 2);
    cr_assert_eq(number("SELECT count(*) FROM reservation_items"), 4);
    cr_assert_eq(number("SELECT count(*) FROM reservation_history"), 2);
    cr_assert_eq(number("SELECT (total_amount * 100)::bigint FROM reservations WHERE total_minor > 0 LIMIT 1"), 25125);
}

Test(stores_live, a_poisoned_item_fails_alone)
{
    struct reservation *good = new_reservation(600);
    struct reservation *poisoned = new_reservation(600);
    struct reservation *also_good = new_reservation(600);
    memcpy(poisoned->currency, "E", 2); /* violates a CHECK: the whole batch is refused first */
    struct persist_item items[] = {persist_of(good), persist_of(poisoned), persist_of(also_good)};
    struct write_queue *queue = open_queue(&reservation_persist_kind);
    for (size_t i = 0; i < 3; i++)
        submit(queue, &items[i].base);
    await(3);
    cr_assert_eq(items[0].base.step, TK_STEP_OK);
    cr_assert_eq(items[1].base.step, TK_STEP_REFUSED);
    cr_assert_eq(items[1].detail, RESERVATION_DETAIL_NONE);
    cr_assert_eq(items[2].base.step, TK_STEP_OK);
}

/* --- the seat limit ------------------------------------------------------------------------------------------------ */

static struct persist_item limited(const struct reservation *r, int64_t seat_limit)
{
    struct persist_item item = persist_of(r);
    item.seat_limit = seat_limit;
    return item;
}

static struct reservation *of_session(const struct tk_uuid *session, size_t seats)
{
    struct reservation *r = new_reservation(600);
    r->session_id = *session;
    r->item_count = seats;
    return r;
}

Test(stores_live, a_user_holds_no_more_than_the_limit_even_within_a_batch)
{
    const struct tk_uuid session = tk_uuid_v7();
    struct reservation *own[] = {of_session(&session, 2), of_session(&session, 2), of_session(&session, 1),
                                 of_session(&session, 2)};
    struct reservation *other_session = new_reservation(600);
    struct reservation *other_user = of_session(&session, 2);
    other_user->user_id = tk_uuid_v7();
    struct persist_item items[] = {limited(own[0], 5), limited(own[1], 5),        limited(own[2], 5),
                                   limited(own[3], 5), limited(other_session, 5), limited(other_user, 5)};
    struct write_queue *queue = open_queue(&reservation_persist_kind);
    for (size_t i = 0; i < 6; i++)
        submit(queue, &items[i].base);
    await(6);
    for (size_t i = 0; i < 6; i++)
        cr_assert_eq(items[i].base.step, i == 3 ? TK_STEP_REFUSED : TK_STEP_OK, "item %zu", i);
    cr_assert_eq(items[3].detail, RESERVATION_DETAIL_SEAT_LIMIT);
    cr_assert_eq(number("SELECT max(held) FROM (SELECT sum(seats_count) AS held FROM reservations"
                        " GROUP BY user_id, session_id) AS holders"),
                 5);
}

static enum reservation_detail try_under_limit(const struct reservation *r, int64_t seat_limit)
{
    struct persist_item item = limited(r, seat_limit);
    submit(open_queue(&reservation_persist_kind), &item.base);
    await(1);
    return item.base.step == TK_STEP_OK ? RESERVATION_DETAIL_NONE : item.detail;
}

Test(stores_live, only_what_is_held_counts_against_the_limit)
{
    const struct tk_uuid session = tk_uuid_v7();
    struct reservation *first = of_session(&session, 2);
    struct reservation *next = of_session(&session, 2);
    cr_assert_eq(try_under_limit(first, 2), RESERVATION_DETAIL_NONE);
    cr_assert_eq(try_under_limit(first, 2), RESERVATION_DETAIL_ALREADY_STORED, "its own row is no neighbour");
    cr_assert_eq(try_under_limit(next, 2), RESERVATION_DETAIL_SEAT_LIMIT);
    run("UPDATE reservations SET status = 'paying' WHERE id = '%s'", TK_UUID_TEXT(&first->id));
    cr_assert_eq(try_under_limit(next, 2), RESERVATION_DETAIL_SEAT_LIMIT);
    run("UPDATE reservations SET status = 'confirmed' WHERE id = '%s'", TK_UUID_TEXT(&first->id));
    cr_assert_eq(try_under_limit(next, 2), RESERVATION_DETAIL_NONE);
    run("UPDATE reservations SET expiry_time = now() WHERE id = '%s'", TK_UUID_TEXT(&next->id));
    cr_assert_eq(try_under_limit(of_session(&session, 2), 2), RESERVATION_DETAIL_NONE, "an overdue hold gives room");
    cr_assert_eq(try_under_limit(of_session(&session, 2), 0), RESERVATION_DETAIL_NONE, "0 is no limit");
}

static enum tk_step store_under_id_of(int64_t age_s, struct persist_item *item, struct reservation *r)
{
    r->id = tk_uuid_v7_since(tk_unix_us() - age_s * TK_US_PER_S);
    item->base.id = r->id;
    submit(open_queue(&reservation_persist_kind), &item->base);
    await(1);
    return item->base.step;
}

/** Five minutes are left for clocks that differ. */
Test(stores_live, an_id_older_than_a_hold_is_not_stored)
{
    struct reservation *r = new_reservation(600);
    struct persist_item item = limited(r, 5);
    item.hold_seconds = 600;
    cr_assert_eq(store_under_id_of(600 + 360, &item, r), TK_STEP_REFUSED);
    cr_assert_eq(item.detail, RESERVATION_DETAIL_OVERDUE);
    cr_assert_eq(store_under_id_of(600 + 240, &item, r), TK_STEP_OK);
}

/** Batches of four on two connections, at the same time, as two processes would send them. */
Test(stores_live, batches_beside_each_other_do_not_exceed_the_limit_together)
{
    enum { ITEMS = 80, LIMIT = 21 };
    const struct write_queue_config config = {.max_items = 4, .max_in_flight = 2, .max_queued = 100, .timeout_ms = 5000};
    struct write_queue *queues[] = {write_queue_new(loop, pg, &reservation_persist_kind, &config),
                                    write_queue_new(loop, pg, &reservation_persist_kind, &config)};
    const struct tk_uuid session = tk_uuid_v7();
    static struct persist_item items[ITEMS];
    size_t stored = 0;
    for (size_t i = 0; i < ITEMS; i++) {
        items[i] = limited(of_session(&session, 1), LIMIT);
        submit(queues[i % 2], &items[i].base);
    }
    await(ITEMS);
    for (size_t i = 0; i < ITEMS; i++) {
        stored += items[i].base.step == TK_STEP_OK;
        cr_assert(items[i].base.step == TK_STEP_OK || items[i].detail == RESERVATION_DETAIL_SEAT_LIMIT);
    }
    cr_assert_eq(stored, LIMIT);
    cr_assert_eq(number("SELECT sum(seats_count) FROM reservations"), LIMIT);
}

/* --- idempotency keys ---------------------------------------------------------------------------------------------- */

static struct bind_item bind_of(const char *key, const char *hash)
{
    return (struct bind_item){.base = {.id = tk_idempotency_slot(&user, tk_slice_of(key))},
                              .user_id = user,
                              .key = tk_slice_of(key),
                              .request_hash = hash,
                              .arena = &arena,
                              .reservation_id = tk_uuid_v7()};
}

static void bind(struct bind_item *item)
{
    struct write_queue *queue = open_queue(&idempotency_bind_kind);
    submit(queue, &item->base);
    await(1);
}

Test(stores_live, a_key_is_bound_once_and_replays_its_answer)
{
    struct bind_item first = bind_of("k", HASH);
    const struct tk_uuid id = first.reservation_id;
    bind(&first);
    cr_assert_eq(first.base.step, TK_STEP_OK);
    cr_assert(tk_uuid_eq(&first.reservation_id, &id));

    struct bind_item retry = bind_of("k", HASH);
    bind(&retry);
    cr_assert(tk_uuid_eq(&retry.reservation_id, &id), "a retry works on the same reservation");
    cr_assert_eq(retry.detail, RESERVATION_DETAIL_NONE);

    struct bind_item other = bind_of("k", "x" HASH);
    bind(&other);
    cr_assert_eq(other.base.step, TK_STEP_REFUSED);
    cr_assert_eq(other.detail, RESERVATION_DETAIL_KEY_REUSED);

    struct reservation *r = new_reservation(600);
    r->id = id;
    struct persist_item persist = persist_of(r);
    persist.key = TK_SLICE("k");
    persist.response = TK_SLICE("{\"the\":\"bytes\"}");
    submit(open_queue(&reservation_persist_kind), &persist.base);
    await(1);
    cr_assert_eq(persist.base.step, TK_STEP_OK);
    bind(&retry);
    cr_assert_eq(retry.detail, RESERVATION_DETAIL_REPLAY);
    cr_assert_eq(retry.status, 201);
    cr_assert(tk_slice_eq_str(retry.response, "{\"the\":\"bytes\"}"));
}

Test(stores_live, rebinding_happens_once_for_all_twins)
{
    struct bind_item item = bind_of("k", HASH);
    struct bind_item twin = bind_of("k", HASH);
    bind(&item);
    bind(&twin);
    const struct tk_uuid fresh = tk_uuid_v7();
    const struct tk_uuid other = tk_uuid_v7();
    const int64_t deadline_us = tk_mono_us() + 5 * TK_US_PER_S;
    cr_assert_eq(idempotency_store_rebind(pg, &item, &fresh, deadline_us), TK_OK);
    await(1);
    cr_assert(tk_uuid_eq(&item.reservation_id, &fresh));
    cr_assert_eq(idempotency_store_rebind(pg, &twin, &other, deadline_us), TK_OK);
    await(1);
    cr_assert_eq(twin.base.step, TK_STEP_OK);
    cr_assert(tk_uuid_eq(&twin.reservation_id, &fresh), "the twin adopts what the first one made");
}

/* --- payments ------------------------------------------------------------------------------------------------------ */

static struct begin_item begin_of(const struct reservation *r)
{
    return (struct begin_item){.base = {.id = r->id},
                               .user_id = user,
                               .attempt_id = tk_uuid_v7(),
                               .payment_id = tk_uuid_v7(),
                               .request_id = "test",
                               .arena = &arena};
}

static void begin(struct begin_item *item)
{
    submit(open_queue(&payment_begin_kind), &item->base);
    await(1);
}

static void begin_refused(struct begin_item *item, enum confirm_answer refusal)
{
    begin(item);
    cr_assert_eq(item->base.step, TK_STEP_REFUSED);
    cr_assert_eq(item->refusal, refusal, "%s", confirm_answer_name(item->refusal));
}

Test(stores_live, payment_begins_once)
{
    struct reservation *r = stored_reservation();
    struct begin_item stranger = begin_of(r);
    stranger.user_id = tk_uuid_v7();
    begin_refused(&stranger, CONFIRM_ANSWER_NOT_FOUND);

    struct begin_item first = begin_of(r);
    begin(&first);
    cr_assert_eq(first.base.step, TK_STEP_OK);
    cr_assert_eq(first.reservation->revision, 2);
    cr_assert_eq(first.reservation->item_count, 2);
    begin(&first);
    cr_assert_eq(first.base.step, TK_STEP_OK, "asking again under the same attempt finds it begun");
    cr_assert_eq(first.reservation->revision, 2);

    struct begin_item second = begin_of(r);
    begin_refused(&second, CONFIRM_ANSWER_PAYMENT_IN_PROGRESS);
    cr_assert_eq(number("SELECT count(*) FROM payment_attempts"), 1);
}

Test(stores_live, payment_does_not_begin_for_what_is_over)
{
    struct reservation *r = stored_reservation();
    struct begin_item item = begin_of(r);
    run("UPDATE reservations SET expiry_time = now() - interval '1 second'");
    begin_refused(&item, CONFIRM_ANSWER_HOLD_EXPIRED);
    run("UPDATE reservations SET status = 'expired'");
    begin_refused(&item, CONFIRM_ANSWER_HOLD_EXPIRED);
    run("UPDATE reservations SET status = 'cancelled'");
    begin_refused(&item, CONFIRM_ANSWER_WRONG_STATE);
    cr_assert_eq(number("SELECT count(*) FROM payment_attempts"), 0);
}

static struct settle_item settle_of(const struct begin_item *begun, bool paid)
{
    return (struct settle_item){.base = {.id = begun->base.id},
                                .attempt_id = begun->attempt_id,
                                .paid = paid,
                                .reservation = begun->reservation,
                                .outbox_id = tk_uuid_v7(),
                                .message = TK_SLICE("{}"),
                                .traceparent = "",
                                .request_id = "test",
                                .actor = "user"};
}

static void settle(struct settle_item *item)
{
    submit(open_queue(&payment_settle_kind), &item->base);
    await(1);
}

Test(stores_live, a_paid_reservation_is_settled_once)
{
    struct reservation *r = stored_reservation();
    struct begin_item begun = begin_of(r);
    begin(&begun);
    struct settle_item paid = settle_of(&begun, true);
    for (int times = 0; times < 3; times++) {
        settle(&paid);
        cr_assert_eq(paid.base.step, TK_STEP_OK);
        cr_assert_eq(paid.status, RESERVATION_CONFIRMED);
        cr_assert_eq(paid.new_revision, 3);
    }
    cr_assert_eq(number("SELECT count(*) FROM tickets"), 2);
    cr_assert_eq(number("SELECT count(*) FROM outbox"), 1);
    cr_assert_eq(number("SELECT count(*) FROM reservation_history"), 3);

    struct settle_item late = settle_of(&begun, false);
    settle(&late);
    cr_assert_eq(late.base.step, TK_STEP_REFUSED, "a settled attempt does not change its mind");
    begin_refused(&begun, CONFIRM_ANSWER_CONFIRMED);
}

Test(stores_live, a_declined_payment_leaves_the_hold_alive)
{
    struct reservation *r = stored_reservation();
    struct begin_item first = begin_of(r);
    begin(&first);
    struct settle_item declined = settle_of(&first, false);
    settle(&declined);
    cr_assert_eq(declined.base.step, TK_STEP_OK);
    cr_assert_eq(declined.status, RESERVATION_ACTIVE);
    cr_assert_eq(number("SELECT count(*) FROM outbox"), 0);

    struct begin_item second = begin_of(r);
    begin(&second);
    cr_assert_eq(second.base.step, TK_STEP_OK);
    struct settle_item stale = settle_of(&first, true);
    settle(&stale);
    cr_assert_eq(stale.base.step, TK_STEP_REFUSED, "the first attempt cannot settle the second one's payment");
    cr_assert_eq(number("SELECT count(*) FROM tickets"), 0);
}

static struct reservation *taken_over;
static struct tk_uuid taken_over_attempt;

static void on_pending(void *arg, enum tk_step step, struct reservation *r, const struct pending_payment *pending)
{
    (void)arg;
    cr_assert_eq(step, TK_STEP_OK);
    taken_over = r;
    taken_over_attempt = pending != NULL ? pending->attempt_id : (struct tk_uuid){0};
    answered++;
}

static void take_over(const struct reservation *r)
{
    cr_assert_eq(payment_store_pending(pg, &r->id, "take-over", tk_mono_us() + 5 * TK_US_PER_S, &arena, on_pending, NULL),
                 TK_OK);
    await(1);
}

Test(stores_live, who_slept_while_a_payment_was_taken_over_cannot_settle_it)
{
    struct reservation *r = stored_reservation();
    struct begin_item begun = begin_of(r);
    begin(&begun);
    take_over(r);
    cr_assert(tk_uuid_eq(&taken_over_attempt, &begun.attempt_id));
    cr_assert_eq(taken_over->revision, 3);
    cr_assert_eq(taken_over->item_count, 2);

    struct settle_item sleeper = settle_of(&begun, false);
    settle(&sleeper);
    cr_assert_eq(sleeper.base.step, TK_STEP_REFUSED, "it thinks nothing was charged, and the other one is charging");
    begun.reservation = taken_over;
    struct settle_item paid = settle_of(&begun, true);
    settle(&paid);
    cr_assert_eq(paid.base.step, TK_STEP_OK);
    cr_assert_eq(paid.new_revision, 4);
    take_over(r);
    cr_assert(tk_uuid_is_nil(&taken_over_attempt), "there is nothing left to take over");
    cr_assert_eq(taken_over->revision, 4);
    cr_assert_eq(number("SELECT count(*) FROM reservation_history"), 4);
}

/** Six reservations of two seats, all in payment. */
static void begin_six(struct begin_item begun[6])
{
    struct reservation *list[6];
    struct write_queue *queue = open_queue(&payment_begin_kind);
    for (size_t i = 0; i < 6; i++)
        list[i] = new_reservation(600);
    store(list, 6);
    for (size_t i = 0; i < 6; i++) {
        begun[i] = begin_of(list[i]);
        submit(queue, &begun[i].base);
    }
    await(6);
    for (size_t i = 0; i < 6; i++)
        cr_assert_eq(begun[i].base.step, TK_STEP_OK);
}

Test(stores_live, paid_declined_repeated_and_hopeless_settlements_share_a_batch)
{
    struct begin_item begun[6];
    struct settle_item items[6];
    begin_six(begun);
    for (size_t i = 0; i < 6; i++)
        items[i] = settle_of(&begun[i], i % 2 == 0); /* paid: 0, 2, 4 */
    settle(&items[4]);
    settle(&items[5]);
    items[3].attempt_id = tk_uuid_v7(); /* nobody's attempt */
    struct write_queue *queue = open_queue(&payment_settle_kind);
    for (size_t i = 6; i-- > 0;)
        submit(queue, &items[i].base);
    await(6);
    for (size_t i = 0; i < 6; i++) {
        const bool paid = i % 2 == 0;
        cr_assert_eq(items[i].base.step, i == 3 ? TK_STEP_REFUSED : TK_STEP_OK, "item %zu", i);
        if (i != 3)
            cr_assert_eq(items[i].status, paid ? RESERVATION_CONFIRMED : RESERVATION_ACTIVE, "item %zu", i);
        if (i != 3)
            cr_assert_eq(items[i].new_revision, 3);
    }
    cr_assert_eq(number("SELECT count(*) FROM tickets t JOIN reservations r ON r.id = t.reservation_id"
                        " JOIN reservation_items i ON i.id = t.id AND i.session_seat_id = t.session_seat_id"
                        " WHERE r.status = 'confirmed'"),
                 6);
    cr_assert_eq(number("SELECT count(*) FROM tickets"), 6);
    cr_assert_eq(number("SELECT count(*) FROM outbox"), 3);
    cr_assert_eq(number("SELECT count(*) FROM payment_attempts WHERE status = 'succeeded'"), 3);
    cr_assert_eq(number("SELECT count(*) FROM payment_attempts WHERE status = 'failed'"), 2);
    cr_assert_eq(number("SELECT count(*) FROM payment_attempts WHERE status = 'pending'"), 1);
    cr_assert_eq(number("SELECT count(*) FROM reservations WHERE status = 'paying'"), 1);
    cr_assert_eq(number("SELECT count(*) FROM reservation_history"), 6 * 2 + 5);
}

Test(stores_live, the_database_refuses_a_second_ticket_and_neighbours_are_settled)
{
    struct reservation *list[] = {new_reservation(600), new_reservation(600), new_reservation(600)};
    struct begin_item begun[3];
    struct settle_item paid[3];
    list[1]->items[0].session_seat_id = list[0]->items[0].session_seat_id; /* cannot happen: event-svc held it twice */
    store(list, 3);
    for (size_t i = 0; i < 3; i++) {
        begun[i] = begin_of(list[i]);
        begin(&begun[i]);
        paid[i] = settle_of(&begun[i], true);
    }
    settle(&paid[0]);
    struct write_queue *queue = open_queue(&payment_settle_kind);
    submit(queue, &paid[1].base);
    submit(queue, &paid[2].base);
    await(2);
    cr_assert_eq(paid[0].base.step, TK_STEP_OK);
    cr_assert_eq(paid[1].base.step, TK_STEP_REFUSED);
    cr_assert_eq(paid[2].base.step, TK_STEP_OK);
    cr_assert_eq(number("SELECT count(*) FROM reservations WHERE status = 'paying'"), 1, "left to the worker, loudly");
    cr_assert_eq(number("SELECT count(*) FROM tickets"), 4);
}

/* --- cancelling, fencing, listing ---------------------------------------------------------------------------------- */

static struct cancel_item cancel_of(const struct reservation *r, int64_t revision)
{
    return (struct cancel_item){.base = {.id = r->id},
                                .user_id = user,
                                .revision = revision,
                                .outbox_id = tk_uuid_v7(),
                                .message = TK_SLICE("{}"),
                                .traceparent = "",
                                .request_id = "test"};
}

Test(stores_live, cancelling_is_compare_and_set)
{
    struct reservation *r = stored_reservation();
    struct cancel_item wrong_revision = cancel_of(r, 7);
    struct write_queue *queue = open_queue(&reservation_cancel_kind);
    submit(queue, &wrong_revision.base);
    await(1);
    cr_assert_eq(wrong_revision.base.step, TK_STEP_REFUSED);
    cr_assert(wrong_revision.found && wrong_revision.status == RESERVATION_ACTIVE);
    for (int times = 0; times < 2; times++) {
        struct cancel_item item = cancel_of(r, 1);
        submit(queue, &item.base);
        await(1);
        cr_assert_eq(item.base.step, TK_STEP_OK);
    }
    cr_assert_eq(number("SELECT count(*) FROM outbox"), 1, "one message, however often it is asked for");
}

static enum tk_step fenced;

static void on_fenced(void *arg, enum tk_step step)
{
    (void)arg;
    fenced = step;
    answered++;
}

static enum tk_step fence(const struct reservation *r)
{
    cr_assert_eq(
        reservation_store_fence(pg, &r->id, &r->session_id, "test", tk_mono_us() + 5 * TK_US_PER_S, on_fenced, NULL),
        TK_OK);
    await(1);
    return fenced;
}

Test(stores_live, a_fence_keeps_a_late_reservation_out)
{
    struct reservation *r = new_reservation(600);
    cr_assert_eq(fence(r), TK_STEP_OK);
    cr_assert_eq(fence(r), TK_STEP_OK);
    struct persist_item late = persist_of(r);
    submit(open_queue(&reservation_persist_kind), &late.base);
    await(1);
    cr_assert_eq(late.base.step, TK_STEP_REFUSED);
    cr_assert_eq(late.detail, RESERVATION_DETAIL_TOMBSTONE);

    struct reservation *live = stored_reservation();
    cr_assert_eq(fence(live), TK_STEP_REFUSED, "a living reservation keeps its seats");
    cr_assert_eq(number("SELECT count(*) FROM reservations WHERE status = 'active'"), 1);
}

static size_t listed;
static bool listed_more;
static struct tk_uuid listed_last;

static void on_list(void *arg, enum tk_step step, struct reservation *list, size_t count, bool more)
{
    (void)arg;
    cr_assert_eq(step, TK_STEP_OK);
    listed = count;
    listed_more = more;
    for (size_t i = 0; i < count; i++) {
        cr_assert_eq(list[i].item_count, 2);
        cr_assert(i == 0 || tk_uuid_cmp(&list[i - 1].id, &list[i].id) > 0, "newest first");
        listed_last = list[i].id;
    }
    answered++;
}

Test(stores_live, pages_follow_each_other)
{
    struct reservation *list[5];
    for (size_t i = 0; i < 5; i++)
        list[i] = new_reservation(600);
    store(list, 5);
    const size_t expected[] = {2, 2, 1};
    for (size_t page = 0; page < 3; page++) {
        const struct tk_uuid before = listed_last;
        cr_assert_eq(reservation_store_list(pg, &user, &before, 2, tk_mono_us() + 5 * TK_US_PER_S, &arena, on_list, NULL),
                     TK_OK);
        await(1);
        cr_assert_eq(listed, expected[page]);
        cr_assert_eq(listed_more, page < 2);
    }
    cr_assert(tk_uuid_eq(&listed_last, &list[0]->id));
}

/* --- price tiers --------------------------------------------------------------------------------------------------- */

#define TIERS 10001 /* one more than the cache takes */

static struct tk_uuid tier_id(unsigned n)
{
    struct tk_uuid id = {{0}};
    id.bytes[14] = (uint8_t)(n >> 8);
    id.bytes[15] = (uint8_t)n;
    return id;
}

static void on_tiers(void *arg, enum tk_step step)
{
    (void)arg;
    cr_assert_eq(step, TK_STEP_OK);
    answered++;
}

static void load_tiers(struct tier_store *store, const struct tk_uuid *ids, size_t count)
{
    cr_assert_eq(tier_store_load(store, ids, count, tk_mono_us() + 10 * TK_US_PER_S, on_tiers, NULL), TK_OK);
    await(1);
}

/* Whoever asked for several finds all of them, or a reservation is refused for a tier that exists. */
Test(stores_live, a_full_cache_is_not_emptied_in_the_middle_of_a_load)
{
    static struct tk_uuid ids[TIERS];
    static struct tier_store *store; /* lives as long as the process */
    store = tier_store_new(pg);
    for (unsigned n = 0; n < TIERS; n++)
        ids[n] = tier_id(n + 1);
    run("INSERT INTO price_tiers (id, name, multiplier)"
        " SELECT lpad(to_hex(n), 32, '0')::uuid, 'tier', 10000 FROM generate_series(1, %d) AS n",
        TIERS);
    load_tiers(store, ids, TIERS - 2);
    load_tiers(store, ids + TIERS - 3, 3);
    for (size_t i = TIERS - 3; i < TIERS; i++)
        cr_assert_not_null(tier_store_cached(store, &ids[i]), "tier %zu", i + 1);
}

/* --- plans --------------------------------------------------------------------------------------------------------- */

/** The plan that every call gets, whatever its values, as text. */
static void explain(const struct tk_pg_statement *statement, char *plan, size_t size)
{
    PGresult *prepared = PQprepare(sql, "plan", statement->sql, 0, NULL);
    cr_assert_eq(PQresultStatus(prepared), PGRES_COMMAND_OK, "%s: %s", statement->name, PQerrorMessage(sql));
    PQclear(prepared);
    const int64_t values = number("SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = 'plan'");
    char line[512];
    int length = snprintf(line, sizeof(line), "EXPLAIN (COSTS OFF) EXECUTE plan");
    for (int64_t i = 0; i < values; i++)
        length += snprintf(line + length, sizeof(line) - (size_t)length, "%sNULL", i == 0 ? "(" : ", ");
    snprintf(line + length, sizeof(line) - (size_t)length, values > 0 ? ")" : "");
    PGresult *rows = PQexec(sql, line);
    cr_assert_eq(PQresultStatus(rows), PGRES_TUPLES_OK, "%s: %s", statement->name, PQerrorMessage(sql));
    plan[0] = '\0';
    for (int row = 0; row < PQntuples(rows); row++)
        snprintf(plan + strlen(plan), size - strlen(plan), "%s\n", PQgetvalue(rows, row, 0));
    PQclear(rows);
    run("DEALLOCATE plan");
}

/* Statistics of a quiet night: nothing is held, so a condition on the deadline looks as if it left nothing to read. */
Test(stores_live, no_statement_finds_its_rows_by_the_deadline)
{
    char options[512];
    char plan[16384];
    snprintf(options, sizeof(options), "%s " TK_PG_KEY_LOOKUPS " -c plan_cache_mode=force_generic_plan", search_path);
    const char *const names[] = {"dbname", "options", NULL};
    const char *const values[] = {getenv("TK_TEST_DATABASE_URL"), options, NULL};
    PQfinish(sql);
    sql = PQconnectdbParams(names, values, 1);
    run("INSERT INTO reservations (id, user_id, session_id, status, expiry_time, seats_count)"
        " SELECT gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'expired', now() - interval '1 year', 1"
        " FROM generate_series(1, 2000)");
    run("ANALYZE reservations");
    for (size_t i = 0; i < booking_statement_count; i++) {
        explain(booking_statements[i], plan, sizeof(plan));
        cr_expect_null(strstr(plan, "reservations_expiry"), "%s:\n%s", booking_statements[i]->name, plan);
        if (booking_statements[i] == &sql_persist_insert)
            cr_expect_not_null(strstr(plan, "(ROW(user_id, id) >= ROW(w.user_id, $23))"), "the seat limit:\n%s", plan);
    }
}
