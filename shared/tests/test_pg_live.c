/*
 * The async client against a real server: set TK_TEST_DATABASE_URL (deploy/run-tests.sh does). Without it every test here
 * is reported as skipped.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/loop/loop.h"
#include "shared/pg/pg.h"

static const struct tk_pg_statement ECHO = {"echo", "SELECT $1::int8, $2::text, $3::uuid, $4::timestamptz, $5::bool"};
static const struct tk_pg_statement SUM = {"sum", "SELECT sum(n)::int8, count(*)::int8 FROM unnest($1::int8[]) AS n"};
static const struct tk_pg_statement IDS = {"ids", "SELECT $1::uuid[]"};
static const struct tk_pg_statement DIVIDE = {"divide", "SELECT 1 / $1::int8"};
static const struct tk_pg_statement NAP = {"nap", "SELECT pg_sleep($1::int8 / 1000.0)"};
static const struct tk_pg_statement INSERT = {"insert", "INSERT INTO tk_live_test VALUES ($1::int8)"};
static const struct tk_pg_statement COUNT = {"count", "SELECT count(*)::int8 FROM tk_live_test"};
static const struct tk_pg_statement *const STATEMENTS[] = {&ECHO, &SUM, &IDS, &DIVIDE, &NAP, &INSERT, &COUNT};

struct answer {
    struct tk_pg_op op;
    int calls;
    enum tk_step step;
    char sqlstate[6];
    int64_t first; /* column 0 of row 0 of the last step, when it is an int8 */
};

static struct tk_loop *loop;
static struct tk_pg *pg;

static void on_done(struct tk_pg_op *op, const struct tk_pg_outcome *outcome)
{
    struct answer *answer = TK_CONTAINER_OF(op, struct answer, op);
    answer->calls++;
    answer->step = outcome->step;
    snprintf(answer->sqlstate, sizeof(answer->sqlstate), "%s", outcome->sqlstate);
    const PGresult *rows = op->step_count ? outcome->rows[op->step_count - 1] : NULL;
    if (rows && PQntuples(rows) > 0 && PQftype(rows, 0) == TK_OID_INT8)
        answer->first = tk_row_i64(rows, 0, 0);
}

static void prepare(struct answer *answer, int64_t deadline_ms)
{
    *answer = (struct answer){0};
    tk_pg_op_init(&answer->op);
    answer->op.deadline_us = tk_mono_us() + deadline_ms * TK_US_PER_MS;
    answer->op.done = on_done;
}

static void submit(struct answer *answer)
{
    cr_assert_eq(tk_pg_submit(pg, &answer->op), TK_OK);
    cr_assert_eq(answer->calls, 0, "never inside submit");
}

static void add_i64(struct answer *answer, const struct tk_pg_statement *statement, int64_t value)
{
    tk_params_i64(tk_pg_op_step(&answer->op, statement), value);
}

static void run_until_answered(struct answer *answer)
{
    int64_t give_up = tk_mono_us() + 30 * TK_US_PER_S;
    while (answer->calls == 0 && tk_mono_us() < give_up)
        tk_loop_turn(loop, 50);
    cr_assert_eq(answer->calls, 1);
}

static void wait_until_up(void)
{
    int64_t give_up = tk_mono_us() + 30 * TK_US_PER_S;
    while (!tk_pg_is_up(pg) && tk_mono_us() < give_up)
        tk_loop_turn(loop, 50);
    cr_assert(tk_pg_is_up(pg));
}

/* Tests run side by side in processes of their own: each has a schema of its own. */
static char server_options[64];

static void make_table(const char *url)
{
    char sql[160];
    snprintf(server_options, sizeof(server_options), "-c search_path=live_%d", (int)getpid());
    snprintf(sql, sizeof(sql),
             "DROP SCHEMA IF EXISTS live_%d CASCADE; CREATE SCHEMA live_%d; CREATE TABLE live_%d.tk_live_test "
             "(n int8 PRIMARY KEY)",
             (int)getpid(), (int)getpid(), (int)getpid());
    PGconn *conn = PQconnectdb(url);
    cr_assert_eq(PQstatus(conn), CONNECTION_OK);
    PGresult *made = PQexec(conn, sql);
    cr_assert_eq(PQresultStatus(made), PGRES_COMMAND_OK);
    PQclear(made);
    PQfinish(conn);
}

static void open_pg(size_t connections, size_t max_depth, size_t max_queued)
{
    const char *url = getenv("TK_TEST_DATABASE_URL");
    if (url == NULL)
        cr_skip_test("TK_TEST_DATABASE_URL is not set: the live Postgres tests did not run");
    make_table(url);
    loop = tk_loop_create();
    pg = tk_pg_open(loop, &(struct tk_pg_config){.name = "live-test",
                                                 .url = url,
                                                 .connections = connections,
                                                 .max_depth = max_depth,
                                                 .max_queued = max_queued,
                                                 .statement_timeout_ms = 3000,
                                                 .server_options = server_options,
                                                 .statements = STATEMENTS,
                                                 .statement_count = sizeof(STATEMENTS) / sizeof(STATEMENTS[0])});
    wait_until_up();
}

static struct tk_uuid seen_id;
static int64_t seen_time;

static void check_echo(struct tk_pg_op *op, const struct tk_pg_outcome *outcome)
{
    const PGresult *rows = outcome->rows[0];
    cr_assert_eq(tk_row_i64(rows, 0, 0), INT64_MIN);
    cr_assert(tk_slice_eq_str(tk_row_text(rows, 0, 1), "žluťoučký"));
    seen_id = tk_row_uuid(rows, 0, 2);
    seen_time = tk_row_time(rows, 0, 3);
    cr_assert(tk_row_is_null(rows, 0, 4));
    on_done(op, outcome);
}

Test(pg_live, values_survive_the_round_trip)
{
    struct answer answer;
    struct tk_uuid id = tk_uuid_v7();
    int64_t now = tk_unix_us();
    open_pg(1, 8, 8);
    prepare(&answer, 10000);
    answer.op.done = check_echo;
    struct tk_params *p = tk_pg_op_step(&answer.op, &ECHO);
    tk_params_i64(p, INT64_MIN);
    tk_params_text(p, tk_slice_of("žluťoučký"));
    tk_params_uuid(p, &id);
    tk_params_time(p, now);
    tk_params_uuid(p, NULL);
    submit(&answer);
    run_until_answered(&answer);
    cr_assert_eq(answer.step, TK_STEP_OK);
    cr_assert(tk_uuid_eq(&seen_id, &id));
    cr_assert_eq(seen_time, now);
}

Test(pg_live, arrays_are_unnested_in_order)
{
    struct answer answer;
    open_pg(1, 8, 8);
    prepare(&answer, 10000);
    struct tk_params *p = tk_pg_op_step(&answer.op, &SUM);
    tk_params_array_begin(p, TK_OID_INT8);
    for (int64_t n = 1; n <= 1000; n++)
        tk_params_array_i64(p, n);
    tk_params_array_null(p);
    tk_params_array_end(p);
    submit(&answer);
    run_until_answered(&answer);
    cr_assert_eq(answer.first, 500500);
}

static void check_ids(struct tk_pg_op *op, const struct tk_pg_outcome *outcome)
{
    struct tk_uuid ids[2];
    cr_assert_eq(tk_row_uuid_array(outcome->rows[0], 0, 0, ids, 2), 3, "answers the full length, writes only what fits");
    cr_assert_eq(ids[1].bytes[15], 2);
    on_done(op, outcome);
}

Test(pg_live, uuid_arrays_come_back)
{
    struct answer answer;
    open_pg(1, 8, 8);
    prepare(&answer, 10000);
    answer.op.done = check_ids;
    struct tk_params *p = tk_pg_op_step(&answer.op, &IDS);
    tk_params_array_begin(p, TK_OID_UUID);
    for (uint8_t i = 1; i <= 3; i++)
        tk_params_array_uuid(p, &(struct tk_uuid){.bytes[15] = i});
    tk_params_array_end(p);
    submit(&answer);
    run_until_answered(&answer);
}

Test(pg_live, one_operation_is_one_transaction_and_neighbours_are_not_touched)
{
    struct answer good;
    struct answer bad;
    struct answer after;
    open_pg(1, 8, 8);
    prepare(&good, 10000);
    add_i64(&good, &INSERT, 1);
    prepare(&bad, 10000);
    add_i64(&bad, &INSERT, 2);
    add_i64(&bad, &DIVIDE, 0);
    add_i64(&bad, &INSERT, 3);
    prepare(&after, 10000);
    tk_pg_op_step(&after.op, &COUNT);
    submit(&good);
    submit(&bad);
    submit(&after);
    run_until_answered(&after);
    cr_assert_eq(good.step, TK_STEP_OK);
    cr_assert_eq(bad.step, TK_STEP_REFUSED);
    cr_assert_str_eq(bad.sqlstate, "22012");
    cr_assert_eq(after.first, 1, "row 2 was rolled back");
}

Test(pg_live, a_missed_deadline_is_unknown_and_the_connection_comes_back)
{
    struct answer slow;
    struct answer behind;
    open_pg(1, 8, 8);
    prepare(&slow, 150);
    add_i64(&slow, &NAP, 2000);
    prepare(&behind, 10000);
    add_i64(&behind, &INSERT, 7);
    submit(&slow);
    submit(&behind);
    run_until_answered(&slow);
    cr_assert_eq(slow.step, TK_STEP_UNKNOWN);
    cr_assert_eq(behind.step, TK_STEP_UNKNOWN, "sent on the same connection");
    struct answer refused;
    prepare(&refused, 100);
    tk_pg_op_step(&refused.op, &COUNT);
    cr_assert_eq(tk_pg_submit(pg, &refused.op), TK_ERR_UNAVAILABLE);
    wait_until_up();
    struct answer again;
    prepare(&again, 5000);
    tk_pg_op_step(&again.op, &COUNT);
    submit(&again);
    run_until_answered(&again);
    cr_assert_eq(again.step, TK_STEP_OK);
}

Test(pg_live, queued_operations_fail_at_their_deadline_without_being_sent)
{
    struct answer slow;
    struct answer waiting;
    struct answer refused;
    open_pg(1, 1, 1);
    prepare(&slow, 10000);
    add_i64(&slow, &NAP, 2000);
    prepare(&waiting, 100);
    add_i64(&waiting, &INSERT, 9);
    prepare(&refused, 100);
    tk_pg_op_step(&refused.op, &COUNT);
    submit(&slow);
    submit(&waiting);
    cr_assert_eq(tk_pg_submit(pg, &refused.op), TK_ERR_LIMIT);
    run_until_answered(&waiting);
    cr_assert_eq(waiting.step, TK_STEP_FAILED);
    cr_assert_eq(slow.calls, 0);
    run_until_answered(&slow);
    cr_assert_eq(slow.step, TK_STEP_OK);
}

Test(pg_live, operations_spread_over_connections)
{
    struct answer naps[4];
    open_pg(4, 4, 8);
    int64_t give_up = tk_mono_us() + 30 * TK_US_PER_S;
    while (tk_mono_us() < give_up && tk_pg_connections_up(pg) < 4)
        tk_loop_turn(loop, 20);
    int64_t started = tk_mono_us();
    for (size_t i = 0; i < 4; i++) {
        prepare(&naps[i], 10000);
        add_i64(&naps[i], &NAP, 1000);
        submit(&naps[i]);
    }
    for (size_t i = 0; i < 4; i++)
        run_until_answered(&naps[i]);
    cr_assert_lt(tk_mono_us() - started, 3900 * TK_US_PER_MS, "four naps of a second side by side");
}

/* --- more ---------------------------------------------------------------------------------------------------------- */

static int more_calls;

static void insert_the_count(struct tk_pg_op *op, const struct tk_pg_outcome *so_far)
{
    more_calls++;
    tk_params_i64(tk_pg_op_step(op, &INSERT), 100 + tk_row_i64(so_far->rows[op->step_count - 1], 0, 0));
}

static void add_nothing(struct tk_pg_op *op, const struct tk_pg_outcome *so_far)
{
    (void)op;
    (void)so_far;
    more_calls++;
}

static int64_t rows_stored(void)
{
    struct answer count;
    prepare(&count, 10000);
    tk_pg_op_step(&count.op, &COUNT);
    submit(&count);
    run_until_answered(&count);
    return count.first;
}

Test(pg_live, more_is_written_in_the_transaction_whose_rows_it_has_seen)
{
    struct answer answer;
    struct answer behind;
    open_pg(1, 8, 8);
    prepare(&answer, 10000);
    add_i64(&answer, &INSERT, 1);
    tk_pg_op_step(&answer.op, &COUNT);
    answer.op.more = insert_the_count;
    prepare(&behind, 10000);
    tk_pg_op_step(&behind.op, &COUNT);
    submit(&answer);
    submit(&behind); /* must not slip into the open transaction */
    run_until_answered(&answer);
    run_until_answered(&behind);
    cr_assert_eq(answer.step, TK_STEP_OK);
    cr_assert_eq(more_calls, 1);
    cr_assert_eq(behind.first, 2, "sees both rows");
}

Test(pg_live, what_more_adds_fails_or_holds_with_the_rest)
{
    struct answer answer;
    open_pg(1, 8, 8);
    prepare(&answer, 10000);
    add_i64(&answer, &INSERT, 101);
    tk_pg_op_step(&answer.op, &COUNT);
    answer.op.more = insert_the_count; /* 101 again */
    submit(&answer);
    run_until_answered(&answer);
    cr_assert_eq(answer.step, TK_STEP_REFUSED);
    cr_assert_eq(rows_stored(), 0);
    prepare(&answer, 10000);
    add_i64(&answer, &INSERT, 1);
    add_i64(&answer, &DIVIDE, 0);
    answer.op.more = insert_the_count;
    submit(&answer);
    run_until_answered(&answer);
    cr_assert_eq(answer.step, TK_STEP_REFUSED);
    cr_assert_eq(more_calls, 1, "not after an error");
    cr_assert_eq(rows_stored(), 0);
}

Test(pg_live, more_may_add_nothing)
{
    struct answer answer;
    open_pg(1, 8, 8);
    prepare(&answer, 10000);
    add_i64(&answer, &INSERT, 1);
    answer.op.more = add_nothing;
    submit(&answer);
    run_until_answered(&answer);
    cr_assert_eq(answer.step, TK_STEP_OK);
    cr_assert_eq(rows_stored(), 1);
}
