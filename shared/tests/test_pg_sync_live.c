/**
 * Blocking connections and migrations against a real server: set TK_TEST_DATABASE_URL (deploy/run-tests.sh does). Without
 * it every test here is reported as skipped.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/clock.h"
#include "shared/log/log.h"
#include "shared/pg/sync.h"

static const struct tk_pg_statement ECHO = {"echo", "SELECT $1::int8, $2::text"};
static const struct tk_pg_statement DIVIDE = {"divide", "SELECT 1 / $1::int8"};
static const struct tk_pg_statement NAP = {"nap", "SELECT pg_sleep($1::int8 / 1000.0)"};
static const struct tk_pg_statement PID = {"pid", "SELECT pg_backend_pid()::int8"};
static const struct tk_pg_statement KILL = {"kill", "SELECT pg_terminate_backend($1::int8::int, 10000)"};
static const struct tk_pg_statement *const STATEMENTS[] = {&ECHO, &DIVIDE, &NAP, &PID, &KILL};

TestSuite(pg_sync_live, .timeout = 60);

static const char *live_url(void)
{
    const char *url = getenv("TK_TEST_DATABASE_URL");
    if (url == NULL)
        cr_skip_test("TK_TEST_DATABASE_URL is not set: the live Postgres tests did not run");
    tk_log_init("test", TK_LOG_ERROR, false);
    return url;
}

static struct tk_pgs *open_conn(const char *url, int64_t timeout_ms)
{
    return tk_pgs_new(&(struct tk_pgs_config){.name = "sync-test",
                                              .url = url,
                                              .timeout_ms = timeout_ms,
                                              .statements = STATEMENTS,
                                              .statement_count = sizeof(STATEMENTS) / sizeof(STATEMENTS[0])});
}

/* Runs a statement with one int8 parameter; *first is column 0 when it is an int8. */
static enum tk_step run_i64(struct tk_pgs *conn, const struct tk_pg_statement *statement, int64_t value, int64_t *first)
{
    struct tk_pg_op op;
    tk_pg_op_init(&op);
    struct tk_params *params = tk_pg_op_step(&op, statement);
    if (statement != &PID)
        tk_params_i64(params, value);
    enum tk_step step = tk_pgs_run(conn, &op);
    if (step == TK_STEP_OK && first != NULL)
        *first = tk_row_i64(op.outcome.rows[0], 0, 0);
    tk_pgs_release(&op);
    tk_pgs_release(&op); /* harmless twice */
    return step;
}

Test(pg_sync_live, values_and_an_empty_text)
{
    struct tk_pgs *conn = open_conn(live_url(), 3000);
    struct tk_pg_op op;
    tk_pg_op_init(&op);
    struct tk_params *params = tk_pg_op_step(&op, &ECHO);
    tk_params_i64(params, INT64_MIN);
    tk_params_text(params, TK_SLICE(""));
    cr_assert_eq(tk_pgs_run(conn, &op), TK_STEP_OK);
    cr_expect_eq(tk_row_i64(op.outcome.rows[0], 0, 0), INT64_MIN);
    cr_expect_not(tk_row_is_null(op.outcome.rows[0], 0, 1));
    tk_pgs_release(&op);
    tk_pgs_free(conn);
}

Test(pg_sync_live, a_refused_statement_says_why_and_leaves_the_connection_usable)
{
    struct tk_pgs *conn = open_conn(live_url(), 3000);
    struct tk_pg_op op;
    int64_t value = 0;
    tk_pg_op_init(&op);
    tk_params_i64(tk_pg_op_step(&op, &DIVIDE), 0);
    tk_pg_op_step(&op, &PID); /* aborted along with the first */
    cr_assert_eq(tk_pgs_run(conn, &op), TK_STEP_REFUSED);
    cr_expect_str_eq(op.outcome.sqlstate, "22012");
    cr_expect_neq(op.outcome.message[0], '\0');
    tk_pgs_release(&op);
    cr_expect_eq(run_i64(conn, &DIVIDE, 1, &value), TK_STEP_OK);
    cr_expect_eq(value, 1);
    tk_pgs_free(conn);
}

Test(pg_sync_live, nobody_listens)
{
    live_url();
    struct tk_pgs *conn = open_conn("postgresql://nobody@127.0.0.1:1/none", 500);
    cr_expect_eq(tk_pgs_connect(conn), TK_ERR_UNAVAILABLE);
    cr_expect_eq(run_i64(conn, &DIVIDE, 1, NULL), TK_STEP_FAILED);
    cr_expect_eq(tk_pgs_begin(conn), TK_ERR_UNAVAILABLE);
    tk_pgs_free(conn);
}

Test(pg_sync_live, a_deadline_ends_in_unknown_and_the_next_call_reconnects)
{
    struct tk_pgs *conn = open_conn(live_url(), 5000);
    struct tk_pg_op op;
    int64_t value = 0;
    cr_assert_eq(tk_pgs_connect(conn), TK_OK);
    int64_t started_us = tk_mono_us();
    tk_pg_op_init(&op);
    tk_params_i64(tk_pg_op_step(&op, &NAP), 4000);
    op.deadline_us = started_us + 300 * TK_US_PER_MS;
    cr_expect_eq(tk_pgs_run(conn, &op), TK_STEP_UNKNOWN);
    cr_expect_lt(tk_mono_us() - started_us, 3900 * TK_US_PER_MS);
    tk_pgs_release(&op);
    cr_expect_eq(run_i64(conn, &DIVIDE, 1, &value), TK_STEP_OK);
    tk_pgs_free(conn);
}

Test(pg_sync_live, a_connection_that_died_idle_is_replaced_unnoticed)
{
    const char *url = live_url();
    struct tk_pgs *conn = open_conn(url, 3000);
    struct tk_pgs *killer = open_conn(url, 3000);
    int64_t pid = 0;
    int64_t other = 0;
    cr_assert_eq(run_i64(conn, &PID, 0, &pid), TK_STEP_OK);
    cr_assert_eq(run_i64(killer, &KILL, pid, NULL), TK_STEP_OK);
    cr_expect_eq(run_i64(conn, &PID, 0, &other), TK_STEP_OK, "nothing was lost: it was idle");
    cr_expect_neq(pid, other);
    tk_pgs_free(conn);
    tk_pgs_free(killer);
}

Test(pg_sync_live, a_failed_statement_makes_commit_refused)
{
    struct tk_pgs *conn = open_conn(live_url(), 3000);
    cr_assert_eq(tk_pgs_begin(conn), TK_OK);
    cr_expect_eq(run_i64(conn, &DIVIDE, 0, NULL), TK_STEP_REFUSED);
    cr_expect_eq(tk_pgs_commit(conn), TK_STEP_REFUSED);
    cr_assert_eq(tk_pgs_begin(conn), TK_OK);
    cr_expect_eq(run_i64(conn, &DIVIDE, 1, NULL), TK_STEP_OK);
    cr_expect_eq(tk_pgs_commit(conn), TK_STEP_OK);
    tk_pgs_free(conn);
}

Test(pg_sync_live, a_broken_transaction_is_never_continued_on_a_new_connection)
{
    const char *url = live_url();
    struct tk_pgs *conn = open_conn(url, 3000);
    struct tk_pgs *killer = open_conn(url, 3000);
    int64_t pid = 0;
    cr_assert_eq(tk_pgs_begin(conn), TK_OK);
    cr_assert_eq(run_i64(conn, &PID, 0, &pid), TK_STEP_OK);
    cr_assert_eq(run_i64(killer, &KILL, pid, NULL), TK_STEP_OK);
    cr_expect_eq(run_i64(conn, &DIVIDE, 1, NULL), TK_STEP_FAILED);
    cr_expect_eq(run_i64(conn, &DIVIDE, 1, NULL), TK_STEP_FAILED);
    cr_expect_eq(tk_pgs_commit(conn), TK_STEP_FAILED);
    cr_expect_eq(run_i64(conn, &DIVIDE, 1, NULL), TK_STEP_OK, "outside of the transaction it goes on");
    tk_pgs_free(conn);
    tk_pgs_free(killer);
}

Test(pg_sync_live, a_paused_transaction_is_ended_by_the_server)
{
    const char *url = live_url();
    struct tk_pgs *conn = open_conn(url, 2000);
    struct tk_pgs *other = open_conn(url, 20000);
    cr_assert_eq(tk_pgs_begin(conn), TK_OK);
    cr_assert_eq(run_i64(conn, &DIVIDE, 1, NULL), TK_STEP_OK);
    cr_assert_eq(run_i64(other, &NAP, 4000, NULL), TK_STEP_OK);
    cr_expect_eq(run_i64(conn, &DIVIDE, 1, NULL), TK_STEP_FAILED);
    tk_pgs_rollback(conn);
    cr_expect_eq(run_i64(conn, &DIVIDE, 1, NULL), TK_STEP_OK);
    tk_pgs_free(conn);
    tk_pgs_free(other);
}

/* --- migrations --------------------------------------------------------------------------------------------------- */

static struct tk_slice first_sql(void)
{
    return TK_SLICE("CREATE TABLE things (id int); INSERT INTO things VALUES (1);");
}

static struct tk_slice second_sql(void)
{
    return TK_SLICE("ALTER TABLE things ADD COLUMN name text");
}

static struct tk_slice broken_sql(void)
{
    return TK_SLICE("CREATE TABLE half (id int); SELECT 1 / 0;");
}

/* The live database, in a schema of its own that is empty now. */
static char *fresh_schema(const char *url)
{
    PGconn *pg = PQconnectdb(url);
    cr_assert_eq(PQstatus(pg), CONNECTION_OK);
    PQclear(PQexec(pg, "SET client_min_messages = error"));
    PQclear(PQexec(pg, "DROP SCHEMA IF EXISTS tk_migrate_test CASCADE"));
    PGresult *made = PQexec(pg, "CREATE SCHEMA tk_migrate_test");
    cr_assert_eq(PQresultStatus(made), PGRES_COMMAND_OK);
    PQclear(made);
    PQfinish(pg);
    size_t size = strlen(url) + 64;
    char *own = tk_alloc(size);
    snprintf(own, size, "%s%coptions=-csearch_path%%3Dtk_migrate_test", url, strchr(url, '?') != NULL ? '&' : '?');
    return own;
}

Test(pg_sync_live, migrations_are_applied_once_and_stop_at_a_broken_one)
{
    const struct tk_migration good[] = {{1, "first", first_sql}, {2, "second", second_sql}};
    const struct tk_migration bad[] = {{1, "first", first_sql}, {2, "second", second_sql}, {3, "broken", broken_sql}};
    char *url = fresh_schema(live_url());
    cr_expect_eq(tk_pg_check_version(url, 0), TK_OK, "an empty database is version 0");
    cr_expect_eq(tk_pg_migrate(url, good, 1), TK_OK);
    cr_expect_eq(tk_pg_check_version(url, 1), TK_OK);
    cr_expect_eq(tk_pg_check_version(url, 2), TK_ERR_CONFLICT);
    cr_expect_eq(tk_pg_migrate(url, good, 2), TK_OK);
    cr_expect_eq(tk_pg_migrate(url, good, 2), TK_OK, "a second start finds everything applied");
    cr_expect_eq(tk_pg_migrate(url, bad, 3), TK_ERR_INVALID);
    cr_expect_eq(tk_pg_check_version(url, 2), TK_OK, "rolled back to the version before");
    cr_expect_eq(tk_pg_migrate(url, good, 1), TK_ERR_INVALID, "the database is newer than the program");
    free(url);
}
