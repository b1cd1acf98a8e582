/**
 * Schema migrations. Runs before a service serves, so it may block; plain libpq with one statement at a time.
 *
 * An advisory lock makes instances that start together take turns: the second finds everything applied. Each migration is
 * one transaction together with its row in schema_migrations, so a failure leaves the previous version, never half of one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "shared/base/clock.h"
#include "shared/log/log.h"
#include "shared/pg/pg.h"

#define CONNECT_PATIENCE_US (10 * TK_US_PER_S)
#define RETRY_PAUSE_NS      200000000L
/* Any constant does, as long as every program uses the same; this one spells "tkmigrat". */
#define LOCK_SQL "SELECT pg_advisory_lock(8388919030382223732)"

/* A wrong password or certificate is worth a line at once, and one is enough. */
static PGconn *connect_once(const char *url, bool first)
{
    const char *const keys[] = {"dbname", "fallback_application_name", "connect_timeout", NULL};
    const char *const values[] = {url, "migrate", "5", NULL};
    PGconn *pg = PQconnectdbParams(keys, values, 1);
    if (PQstatus(pg) == CONNECTION_OK)
        return pg;
    tk_log(first ? TK_LOG_WARNING : TK_LOG_DEBUG, "cannot connect to look at the schema",
           TK_KV_STR("reason", PQerrorMessage(pg)));
    PQfinish(pg);
    return NULL;
}

static PGconn *connect_patiently(const char *url, int64_t patience_us)
{
    const struct timespec pause = {.tv_nsec = RETRY_PAUSE_NS};
    int64_t give_up_us = tk_mono_us() + patience_us;
    for (bool first = true;; first = false) {
        PGconn *pg = connect_once(url, first);
        if (pg != NULL)
            return pg;
        if (tk_mono_us() >= give_up_us)
            break;
        nanosleep(&pause, NULL);
    }
    tk_log(TK_LOG_ERROR, "postgres is away, cannot look at the schema", TK_KV_INT("waited_ms", patience_us / TK_US_PER_MS));
    return NULL;
}

static bool run(PGconn *pg, const char *sql)
{
    PGresult *result = PQexec(pg, sql);
    ExecStatusType status = PQresultStatus(result);
    bool ok = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
    if (!ok)
        tk_log(TK_LOG_ERROR, "migration statement failed", TK_KV_STR("reason", PQerrorMessage(pg)));
    PQclear(result);
    return ok;
}

/* The highest applied version, 0 for an empty database, -1 when it cannot be read. */
static int read_version(PGconn *pg)
{
    PGresult *result = PQexec(pg, "SELECT to_regclass('schema_migrations') IS NOT NULL");
    bool readable = PQresultStatus(result) == PGRES_TUPLES_OK;
    bool exists = readable && PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    if (!exists)
        return readable ? 0 : -1;
    result = PQexec(pg, "SELECT coalesce(max(version), 0) FROM schema_migrations");
    int64_t version = -1;
    if (PQresultStatus(result) != PGRES_TUPLES_OK || tk_parse_i64(tk_slice_of(PQgetvalue(result, 0, 0)), &version) != TK_OK)
        version = -1;
    PQclear(result);
    return (int)version;
}

static bool record(PGconn *pg, const struct tk_migration *migration)
{
    char version[16];
    snprintf(version, sizeof(version), "%d", migration->version);
    const char *const values[] = {version, migration->name};
    PGresult *result = PQexecParams(pg, "INSERT INTO schema_migrations (version, name) VALUES ($1::int, $2::text)", 2, NULL,
                                    values, NULL, NULL, 0);
    bool ok = PQresultStatus(result) == PGRES_COMMAND_OK;
    if (!ok)
        tk_log(TK_LOG_ERROR, "migration cannot be recorded", TK_KV_STR("reason", PQerrorMessage(pg)));
    PQclear(result);
    return ok;
}

static bool apply(PGconn *pg, const struct tk_migration *migration)
{
    int64_t started_us = tk_mono_us();
    /* TK_EMBED puts a NUL behind the bytes, so the text can go to libpq as it is. */
    if (!run(pg, "BEGIN") || !run(pg, migration->sql().ptr) || !record(pg, migration) || !run(pg, "COMMIT")) {
        tk_log(TK_LOG_ERROR, "migration rolled back", TK_KV_INT("version", migration->version),
               TK_KV_STR("name", migration->name));
        PQclear(PQexec(pg, "ROLLBACK"));
        return false;
    }
    tk_log(TK_LOG_INFO, "migration applied", TK_KV_INT("version", migration->version), TK_KV_STR("name", migration->name),
           TK_KV_INT("took_ms", (tk_mono_us() - started_us) / TK_US_PER_MS));
    return true;
}

/* Applied? By its record, not by the highest number: migrations of parallel work may arrive out of order. */
static bool is_applied(PGconn *pg, int version)
{
    char text[16];
    snprintf(text, sizeof(text), "%d", version);
    const char *const values[] = {text};
    PGresult *result =
        PQexecParams(pg, "SELECT FROM schema_migrations WHERE version = $1::int", 1, NULL, values, NULL, NULL, 0);
    bool applied = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1;
    PQclear(result);
    return applied;
}

static enum tk_err apply_missing(PGconn *pg, const struct tk_migration *migrations, size_t count)
{
    if (!run(pg, LOCK_SQL) || !run(pg, "SET client_min_messages = warning") ||
        !run(pg, "CREATE TABLE IF NOT EXISTS schema_migrations (version int PRIMARY KEY, name text NOT NULL, "
                 "applied_at timestamptz NOT NULL DEFAULT now())"))
        return TK_ERR_INVALID;
    int version = read_version(pg);
    int newest = count > 0 ? migrations[count - 1].version : 0;
    if (version < 0)
        return TK_ERR_INVALID;
    if (version > newest) {
        tk_log(TK_LOG_ERROR, "the database is newer than this program", TK_KV_INT("database_version", version),
               TK_KV_INT("program_version", newest));
        return TK_ERR_INVALID;
    }
    for (size_t i = 0; i < count; i++)
        if (!is_applied(pg, migrations[i].version) && !apply(pg, &migrations[i]))
            return TK_ERR_INVALID;
    return TK_OK;
}

enum tk_err tk_pg_migrate(const char *url, const struct tk_migration *migrations, size_t count)
{
    PGconn *pg = connect_patiently(url, CONNECT_PATIENCE_US);
    if (pg == NULL)
        return TK_ERR_UNAVAILABLE;
    enum tk_err err = apply_missing(pg, migrations, count);
    PQfinish(pg); /* ends the session and with it the advisory lock */
    return err;
}

enum tk_err tk_pg_check_version(const char *url, int version)
{
    PGconn *pg = connect_patiently(url, CONNECT_PATIENCE_US);
    if (pg == NULL)
        return TK_ERR_UNAVAILABLE;
    int found = read_version(pg);
    PQfinish(pg);
    if (found < 0)
        return TK_ERR_UNAVAILABLE;
    if (found == version)
        return TK_OK;
    tk_log(TK_LOG_ERROR, "the schema is not the one this program needs", TK_KV_INT("found", found),
           TK_KV_INT("needed", version));
    return TK_ERR_CONFLICT;
}

enum tk_err tk_pg_execute(const char *url, const char *sql)
{
    PGconn *pg = connect_patiently(url, CONNECT_PATIENCE_US);
    if (pg == NULL)
        return TK_ERR_UNAVAILABLE;
    bool done = run(pg, sql);
    PQfinish(pg);
    return done ? TK_OK : TK_ERR_INVALID;
}
