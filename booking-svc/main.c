/*
 * booking-svc: reservations, payments and tickets over HTTP. Wiring only; docs/ARCHITECTURE.md has the tour.
 *
 * One loop thread serves everything; the outbox relay has a thread of its own, because librabbitmq blocks.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "booking-svc/adapters/idempotency_store.h"
#include "booking-svc/adapters/lineage.h"
#include "booking-svc/adapters/payment_store.h"
#include "booking-svc/adapters/reservation_store.h"
#include "booking-svc/adapters/schema.h"
#include "booking-svc/adapters/statements.h"
#include "booking-svc/app/admission.h"
#include "booking-svc/app/booking_app.h"
#include "booking-svc/app/cancel_reservation.h"
#include "booking-svc/app/confirm_reservation.h"
#include "booking-svc/app/create_reservation.h"
#include "booking-svc/app/refund_payment.h"
#include "booking-svc/domain/qr_payload.h"
#include "booking-svc/http/routes.h"
#include "shared/base/clock.h"
#include "shared/contract/lineage.h"
#include "shared/http/router.h"
#include "shared/log/log.h"

#define SERVICE          "booking-svc"
#define VERSION          "1.0.0"
#define DRAIN_MS         3500
#define DRAIN_POLL_MS    20
#define RELAY_STOP_MS    1000
#define RELAY_POLL_MS    1000
#define IO_TIMEOUT_MS    10000
#define MAX_BODY         (1u << 20)
#define PG_DEPTH         16    /* operations in flight per connection */
#define PG_QUEUED        10000 /* operations waiting for a connection */
#define WRITES_IN_FLIGHT 2     /* batches of one kind at a time */
#define REDIS_RETRY_MS   1000
#define REDIS_PENDING    20000

/** What drains and stops; the rest lives as long as the process. */
struct server {
    struct booking_app app;
    struct tk_http_server *http;
    struct tk_auth *auth; /* NULL with AUTH_MODE=dev */
    int signals;
    struct tk_watch *signal_watch;
    struct tk_timer drain_timer;
    int64_t drain_deadline_us;
};

/* --- health -------------------------------------------------------------------------------------------------------- */

static bool postgres_up(void *arg)
{
    return tk_pg_is_up(((struct booking_app *)arg)->pg);
}

/** Writes are taken: not before it is known, in the first moment, that booking_db belongs to event_service. */
static bool commits(void *arg)
{
    const struct booking_app *app = arg;
    return commit_gate_allows(&app->commit_gate) && lineage_is_known(app->lineage);
}

static bool redis_up(void *arg)
{
    return tk_redis_is_up(((struct booking_app *)arg)->redis);
}

static bool event_svc_up(void *arg)
{
    return event_client_is_up(((struct booking_app *)arg)->events);
}

static bool rabbitmq_up(void *arg)
{
    return tk_outbox_relay_broker_up(((struct booking_app *)arg)->relay);
}

static bool write_details(const struct tk_standard_app *standard, struct tk_jsonw *w)
{
    const struct booking_app *app = (const struct booking_app *)standard;
    const enum tk_breaker_state breaker = event_client_breaker(app->events);
    tk_jsonw_str(w, "event_svc_breaker", tk_breaker_state_name(breaker));
    tk_jsonw_bool(w, "read_only", lineage_has_diverged(app->lineage));
    return breaker == TK_BREAKER_CLOSED && !lineage_has_diverged(app->lineage);
}

static void open_standard(struct booking_app *app)
{
    static struct tk_health_check checks[] = {
        {"postgres", postgres_up, NULL, true},    {"commits", commits, NULL, true},       {"redis", redis_up, NULL, false},
        {"event-svc", event_svc_up, NULL, false}, {"rabbitmq", rabbitmq_up, NULL, false},
    };
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
        checks[i].arg = app;
    app->standard = (struct tk_standard_app){
        .service = SERVICE,
        .openapi = booking_openapi_document(),
        .docs_dir = app->config->docs_dir,
        .checks = checks,
        .check_count = sizeof(checks) / sizeof(checks[0]),
        .metrics_enabled = app->config->enable_metrics,
        .details = write_details,
    };
}

/* --- dependencies -------------------------------------------------------------------------------------------------- */

static void open_postgres(struct booking_app *app)
{
    const struct booking_config *config = app->config;
    const struct tk_pg_config pg = {
        .name = SERVICE,
        .url = config->database_url,
        .connections = (size_t)config->database_connections,
        .max_depth = PG_DEPTH,
        .max_queued = PG_QUEUED,
        .statement_timeout_ms = config->database_timeout_ms,
        .server_options = TK_PG_KEY_LOOKUPS,
        .statements = booking_statements,
        .statement_count = booking_statement_count,
    };
    /* The door asks the queues before a reservation costs anything (app/admission.h). Behind it, and for work that ends
     * something or undoes it, a queue refuses only when it is full. */
    commit_gate_init(&app->commit_gate);
    const struct write_queue_config queue = {
        .gate = &app->commit_gate,
        .max_items = (size_t)config->batch_max_items,
        .max_in_flight = WRITES_IN_FLIGHT,
        .max_queued = (size_t)config->queue_max_items,
        .timeout_ms = config->database_timeout_ms,
    };
    app->pg = tk_pg_open(app->loop, &pg);
    app->tiers = tier_store_new(app->pg);
    app->binds = write_queue_new(app->loop, app->pg, &idempotency_bind_kind, &queue);
    app->persists = write_queue_new(app->loop, app->pg, &reservation_persist_kind, &queue);
    app->begins = write_queue_new(app->loop, app->pg, &payment_begin_kind, &queue);
    app->settles = write_queue_new(app->loop, app->pg, &payment_settle_kind, &queue);
    app->cancels = write_queue_new(app->loop, app->pg, &reservation_cancel_kind, &queue);
}

static enum tk_err open_redis(struct booking_app *app)
{
    const struct tk_redis_config redis = {
        .url = app->config->redis_url,
        .deadline_ms = app->config->seat_lock_timeout_ms,
        .retry_ms = REDIS_RETRY_MS,
        .max_pending = REDIS_PENDING,
    };
    const enum tk_err err = tk_redis_open(app->loop, &redis, &app->redis);
    if (err)
        return err;
    app->locks = seat_lock_new(app->redis, app->config->seat_lock_ttl_ms);
    app->limits = tk_limit_settings_open(&app->config->limits, app->loop, SERVICE, app->redis);
    return TK_OK;
}

static enum tk_err open_event_client(struct booking_app *app)
{
    const struct event_client_config events = {
        .url = app->config->event_service_url,
        .ca_file = app->config->tls_ca,
        .internal_api_key = app->config->access.internal_api_key,
        .timeout_ms = app->config->event_service_timeout_ms,
        .max_items = (size_t)app->config->batch_max_items,
        .max_queued = (size_t)app->config->queue_max_items,
    };
    return event_client_new(app->loop, &events, &app->events);
}

static enum tk_err open_relay(struct booking_app *app)
{
    const struct tk_outbox_config outbox = {
        .name = SERVICE,
        .database_url = app->config->database_url,
        .mq = tk_mq_settings_connection(&app->config->broker, SERVICE, app->config->tls_ca),
        .poll_ms = RELAY_POLL_MS,
    };
    const enum tk_err err = tk_outbox_relay_new(&outbox, &app->relay);
    if (!err)
        tk_outbox_relay_start(app->relay);
    return err;
}

static enum tk_err open_app(struct booking_app *app, const struct booking_config *config)
{
    enum tk_err err;
    app->config = config;
    app->loop = tk_loop_create();
    app->gate.loop = app->loop;
    app->memory = seat_memory_new();
    create_reservation_metrics();
    admission_metrics();
    confirm_reservation_metrics();
    refund_payment_metrics();
    cancel_reservation_metrics();
    open_standard(app);
    open_postgres(app);
    if (config->mock_payment_enabled)
        app->payments = mock_payment_provider(app->loop, config->mock_payment_success_rate);
    if ((err = open_redis(app)) || (err = open_event_client(app)))
        return err;
    app->lineage = lineage_new(app->loop, app->pg, app->events, &app->commit_gate);
    return open_relay(app);
}

static enum tk_err open_http(struct server *server)
{
    const struct booking_config *config = server->app.config;
    const struct tk_http_config http = {
        .service = SERVICE,
        .host = config->host,
        .port = config->port,
        .routes = booking_routes,
        .route_count = booking_route_count,
        .max_body = MAX_BODY,
        .io_timeout_ms = IO_TIMEOUT_MS,
        .max_connections = (size_t)config->max_connections,
        .max_connections_per_address = (size_t)config->limits.connections_per_address,
        .limits = server->app.limits,
        .trusted_proxies = &config->limits.proxy_networks,
        .unlimited_networks = &config->limits.exempt_networks,
        .internal_api_key = config->access.internal_api_key,
        .internal_api_key_previous = config->access.internal_api_key_previous,
        .internal_bind = config->access.internal_bind,
        .auth = server->auth,
        .tls_cert = config->tls_cert,
        .tls_key = config->tls_key,
        .app = &server->app,
        .is_overloaded = booking_is_overloaded,
    };
    return tk_http_server_open(server->app.loop, &http, &server->http);
}

/* --- stopping ------------------------------------------------------------------------------------------------------ */

static size_t work_left(const struct server *server)
{
    return tk_http_server_in_flight(server->http) + server->app.flows + event_client_pending(server->app.events) +
           tk_pg_pending(server->app.pg);
}

static void on_drain_poll(void *arg)
{
    struct server *server = arg;
    if (work_left(server) == 0 || tk_mono_us() >= server->drain_deadline_us)
        tk_loop_stop(server->app.loop);
    else
        tk_timer_start(server->app.loop, &server->drain_timer, DRAIN_POLL_MS, on_drain_poll, server);
}

/** SIGHUP reads keys and TLS files again. The first of the others drains, a second one stops at once. */
static void on_signal(void *arg, unsigned ready)
{
    (void)ready;
    struct server *server = arg;
    struct signalfd_siginfo info;
    if (read(server->signals, &info, sizeof(info)) != sizeof(info))
        return;
    if (info.ssi_signo == SIGHUP) {
        tk_auth_reload(server->auth);
        tk_http_server_reload_tls(server->http);
        return;
    }
    tk_log(TK_LOG_INFO, "stopping", TK_KV_INT("signal", info.ssi_signo), TK_KV_INT("work_left", work_left(server)));
    if (server->app.standard.draining) {
        tk_loop_stop(server->app.loop);
        return;
    }
    server->app.standard.draining = true;
    server->drain_deadline_us = tk_mono_us() + DRAIN_MS * TK_US_PER_MS;
    tk_http_server_drain(server->http);
    on_drain_poll(server);
}

/** Before any thread starts: threads inherit the mask, so only the descriptor sees these signals. */
static int block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
        return -1;
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static int serve(const struct booking_config *config, struct tk_auth *auth)
{
    static struct server server;
    server.auth = auth;
    server.signals = block_signals();
    if (server.signals < 0) {
        tk_log(TK_LOG_ERROR, "cannot watch signals", TK_KV_STR("error", strerror(errno)));
        return 1;
    }
    if (open_app(&server.app, config))
        return 1;
    if (open_http(&server)) {
        tk_outbox_relay_stop(server.app.relay, RELAY_STOP_MS); /* its thread must not see the process being taken apart */
        return 1;
    }
    server.signal_watch = tk_watch_open(server.app.loop, server.signals, on_signal, &server);
    tk_watch_want(server.signal_watch, TK_WATCH_READ);
    tk_log(TK_LOG_INFO, "listening", TK_KV_STR("host", config->host), TK_KV_INT("port", tk_http_server_port(server.http)),
           TK_KV_STR("version", VERSION));
    tk_loop_run(server.app.loop);
    tk_outbox_relay_stop(server.app.relay, RELAY_STOP_MS);
    tk_redis_close(server.app.redis);
    tk_pg_close(server.app.pg);
    tk_log(TK_LOG_INFO, "stopped", TK_KV_INT("unfinished", server.app.flows));
    return 0;
}

/* --- start --------------------------------------------------------------------------------------------------------- */

static enum tk_err prepare_database(const struct booking_config *config)
{
    enum tk_err err = TK_OK;
    if (config->auto_migrate)
        err = tk_pg_migrate(config->database_url, booking_migrations, booking_migration_count);
    if (!err)
        err = tk_pg_check_version(config->database_url, BOOKING_SCHEMA_VERSION);
    if (err)
        tk_log(TK_LOG_ERROR, "database is not ready, see --migrate", TK_KV_STR("result", tk_err_name(err)),
               TK_KV_INT("schema_version", BOOKING_SCHEMA_VERSION));
    return err;
}

static void warn_about_defaults(const struct booking_config *config)
{
    if (strncmp(config->secret_key, "local-development", 17) == 0)
        tk_log(TK_LOG_WARNING, "SECRET_KEY is the development default: tickets can be forged",
               TK_KV_STR("service", SERVICE));
}

static int verify_qr(const struct booking_config *config, const char *payload)
{
    struct tk_uuid ticket;
    if (qr_payload_verify(tk_slice_of(payload), tk_slice_of(config->secret_key), &ticket)) {
        printf("invalid\n");
        return 1;
    }
    printf("valid ticket %s\n", TK_UUID_TEXT(&ticket));
    return 0;
}

static int usage(void)
{
    fprintf(stderr, "usage: " SERVICE
                    " [--migrate | --accept-restore | --config-doc | --routes | --version | --verify-qr PAYLOAD]\n"
                    "Without an argument it serves. Settings come from the environment, see docs/CONFIG.md.\n");
    return 2;
}

/** What needs no settings. True: done. */
static bool run_document(const char *option)
{
    if (strcmp(option, "--config-doc") == 0)
        tk_config_document(booking_settings, booking_setting_count, stdout);
    else if (strcmp(option, "--routes") == 0)
        tk_router_print(booking_routes, booking_route_count);
    else if (strcmp(option, "--version") == 0)
        printf(SERVICE " " VERSION "\n");
    else
        return false;
    return true;
}

static int run_configured(int argc, char **argv)
{
    static struct booking_config config;
    struct tk_auth *auth;
    if (booking_config_load(&config))
        return 2;
    tk_log_init(SERVICE, config.log_level, strcmp(config.log_format, "json") == 0);
    if (argc == 3 && strcmp(argv[1], "--verify-qr") == 0)
        return verify_qr(&config, argv[2]);
    if (argc == 2 && strcmp(argv[1], "--migrate") == 0)
        return tk_pg_migrate(config.database_url, booking_migrations, booking_migration_count) ? 1 : 0;
    if (argc == 2 && strcmp(argv[1], "--accept-restore") == 0)
        return tk_pg_execute(config.database_url, TK_LINEAGE_ACCEPT_SQL) ? 1 : 0;
    if (argc != 1)
        return usage();
    tk_config_log(booking_settings, booking_setting_count, &config);
    warn_about_defaults(&config);
    if (tk_access_open(&config.access, SERVICE, booking_scopes, &auth) || prepare_database(&config))
        return 1;
    return serve(&config, auth);
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* a client that leaves must not end the process */
    if (argc == 2 && run_document(argv[1]))
        return 0;
    return run_configured(argc, argv);
}
