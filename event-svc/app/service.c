/*
 * Start and end. Signals are blocked before any thread exists and read from a descriptor on the loop.
 *
 *   start:  keys → schema → read-only? → pools → renderer, consumer → HTTP
 *   SIGHUP: keys and TLS files are read again
 *   SIGTERM: stop accepting → requests in flight are answered (3.5 s at most) → consumer, renderer → pools → exit 0
 */
#include "event-svc/app/service.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "event-svc/adapters/schema.h"
#include "event-svc/adapters/seat_store.h"
#include "event-svc/adapters/statements.h"
#include "shared/base/clock.h"
#include "shared/contract/lineage.h"
#include "shared/log/log.h"

#define DRAIN_MS            3500
#define DRAIN_LOOK_MS       20
#define PG_DEPTH            16
#define PG_MAX_QUEUED       10000
#define START_TIMEOUT_MS    5000
#define CONSUMER_TIMEOUT_MS 5000
#define REDIS_DEADLINE_MS   50
#define REDIS_RETRY_MS      1000
#define REDIS_PENDING       16

/* --- health ------------------------------------------------------------------------------------------------------- */

static bool postgres_is_up(void *arg)
{
    const struct event_service *service = arg;
    return tk_pg_is_up(service->seats) && tk_pg_is_up(service->catalogue);
}

static bool rabbitmq_is_up(void *arg)
{
    const struct event_service *service = arg;
    return consumer_is_up(service->consumer);
}

static bool write_details(const struct tk_standard_app *app, struct tk_jsonw *w)
{
    const struct event_service *service = (const struct event_service *)app;
    int64_t waiting = dead_letters_waiting(service->dead_letters);
    bool read_only = atomic_load(&service->read_only.on);
    tk_jsonw_i64(w, "dead_letters", waiting);
    tk_jsonw_bool(w, "read_only", read_only);
    return waiting == 0 && !read_only;
}

static bool redis_is_up(void *arg)
{
    return tk_redis_is_up(((const struct event_service *)arg)->redis);
}

static void describe(struct event_service *service, struct tk_slice openapi)
{
    static struct tk_health_check checks[3];
    checks[0] = (struct tk_health_check){"postgres", postgres_is_up, service, true};
    checks[1] = (struct tk_health_check){"rabbitmq", rabbitmq_is_up, service, false};
    checks[2] = (struct tk_health_check){"redis", redis_is_up, service, false};
    service->standard = (struct tk_standard_app){
        .service = EVENT_SERVICE_NAME,
        .openapi = openapi,
        .docs_dir = service->config->docs_dir,
        .checks = checks,
        .check_count = sizeof(checks) / sizeof(checks[0]),
        .metrics_enabled = service->config->enable_metrics,
        .details = write_details,
    };
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

static enum tk_err check_schema(const struct event_config *config)
{
    if (config->auto_migrate)
        return tk_pg_migrate(config->database_url, event_migrations, event_migration_count);
    int newest = event_migrations[event_migration_count - 1].version;
    enum tk_err err = tk_pg_check_version(config->database_url, newest);
    if (err == TK_ERR_CONFLICT)
        tk_log(TK_LOG_ERROR, "the schema is not current: run with --migrate, or set AUTO_MIGRATE=true",
               TK_KV_INT("expected_version", newest));
    return err;
}

static struct tk_pg *open_pool(struct event_service *service, struct tk_pg_config pool, const struct statement_list *list)
{
    pool.url = service->config->database_url;
    pool.max_queued = PG_MAX_QUEUED;
    pool.statements = list->items;
    pool.statement_count = list->count;
    return tk_pg_open(service->loop, &pool);
}

static void open_pools(struct event_service *service)
{
    const struct event_config *config = service->config;
    service->catalogue = open_pool(service,
                                   (struct tk_pg_config){
                                       .name = "catalogue",
                                       .connections = (size_t)config->catalogue_connections,
                                       .max_depth = PG_DEPTH,
                                       .statement_timeout_ms = config->request_deadline_ms,
                                       .server_options = TK_PG_KEY_LOOKUPS,
                                   },
                                   &catalogue_statements);
    service->bulk = open_pool(service,
                              (struct tk_pg_config){
                                  .name = "bulk",
                                  .connections = 1,
                                  .max_depth = 1,
                                  .statement_timeout_ms = BULK_DEADLINE_MS,
                                  .server_options = "-c enable_seqscan=off", /* one hall, not all of them */
                              },
                              &bulk_statements);
    service->seats = open_pool(service,
                               (struct tk_pg_config){
                                   .name = "seats",
                                   .connections = (size_t)config->seat_connections,
                                   .max_depth = 1,
                                   .statement_timeout_ms = config->request_deadline_ms / 2,
                                   .server_options = TK_PG_KEY_LOOKUPS,
                               },
                               &seat_statements);
}

static void open_flows(struct event_service *service)
{
    const struct event_config *config = service->config;
    const struct seat_desk_config desk = {
        .batch_items = (size_t)config->seat_batch_items,
        .batch_seats = (size_t)config->seat_batch_seats,
        .batches_in_flight = (size_t)config->seat_batches_in_flight,
        .max_queued = (size_t)config->seat_queue_max,
        .max_wait_ms = config->seat_queue_wait_ms,
        .deadline_ms = config->request_deadline_ms,
    };
    service->probe = version_probe_new(service->loop, service->catalogue, config->request_deadline_ms);
    service->picture_reader = picture_reader_start(service->loop, config->database_url, BULK_DEADLINE_MS);
    service->pictures = seat_pictures_new(service->loop, service->probe, service->picture_reader,
                                          (size_t)config->seat_picture_cache_mb << 20);
    service->desk = seat_desk_new(service->loop, service->seats, service->pictures, &desk);
    service->renderer = seat_map_renderer_start(service->loop, config->database_url, BULK_DEADLINE_MS);
    service->maps = seat_maps_new(service->probe, service->renderer, (size_t)config->seat_map_cache_mb << 20);
    service->stale =
        (struct stale_holds){.pg = service->catalogue, .deadline_us = config->request_deadline_ms * TK_US_PER_MS};
}

/** Redis only counts requests here: without it each instance limits by itself. */
static enum tk_err open_limits(struct event_service *service)
{
    const struct event_config *config = service->config;
    const struct tk_redis_config redis = {.url = config->redis_url,
                                          .deadline_ms = REDIS_DEADLINE_MS,
                                          .retry_ms = REDIS_RETRY_MS,
                                          .max_pending = REDIS_PENDING};
    const enum tk_err err = tk_redis_open(service->loop, &redis, &service->redis);
    if (!err)
        service->limits = tk_limit_settings_open(&config->limits, service->loop, EVENT_SERVICE_NAME, service->redis);
    return err;
}

static enum tk_err open_consumer(struct event_service *service)
{
    const struct consumer_config config = {
        .database_url = service->config->database_url,
        .broker = &service->config->broker,
        .tls_ca = service->config->tls_ca,
        .timeout_ms = CONSUMER_TIMEOUT_MS,
        .loop = service->loop,
        .pictures = service->pictures,
        .read_only = &service->read_only.on,
    };
    return consumer_start(&config, &service->consumer);
}

static enum tk_err open_dead_letters(struct event_service *service)
{
    const struct dead_letters_config config = {
        .database_url = service->config->database_url,
        .broker = &service->config->broker,
        .tls_ca = service->config->tls_ca,
        .timeout_ms = CONSUMER_TIMEOUT_MS,
        .most = service->config->dead_letters_max,
    };
    return dead_letters_start(&config, &service->dead_letters);
}

/* What a restored database knows is to be looked at, not built upon. */
static bool is_read_only(void *app, const struct tk_route *route)
{
    struct event_service *service = app;
    return atomic_load(&service->read_only.on) && strcmp(route->method, "GET") != 0 &&
           strcmp(route->path, TK_LINEAGE_PATH) != 0;
}

static enum tk_err open_server(struct event_service *service, const struct tk_route *routes, size_t route_count)
{
    const struct event_config *config = service->config;
    const struct tk_http_config http = {
        .service = EVENT_SERVICE_NAME,
        .host = config->host,
        .port = config->port,
        .routes = routes,
        .route_count = route_count,
        .max_body = 1u << 20,
        .io_timeout_ms = config->io_timeout_ms,
        .max_connections = (size_t)config->max_connections,
        .max_connections_per_address = (size_t)config->limits.connections_per_address,
        .limits = service->limits,
        .trusted_proxies = &config->limits.proxy_networks,
        .unlimited_networks = &config->limits.exempt_networks,
        .internal_api_key = config->access.internal_api_key,
        .internal_api_key_previous = config->access.internal_api_key_previous,
        .internal_bind = config->access.internal_bind,
        .auth = service->auth,
        .tls_cert = config->tls_cert,
        .tls_key = config->tls_key,
        .app = service,
        .is_overloaded = is_read_only,
    };
    return tk_http_server_open(service->loop, &http, &service->server);
}

/* --- draining ----------------------------------------------------------------------------------------------------- */

static void look_drained(void *arg)
{
    struct event_service *service = arg;
    size_t busy = tk_http_server_in_flight(service->server);
    if (busy > 0 && tk_mono_us() < service->drain_until_us) {
        tk_timer_start(service->loop, &service->drain, DRAIN_LOOK_MS, look_drained, service);
        return;
    }
    tk_log(TK_LOG_INFO, "drained", TK_KV_INT("unanswered", busy));
    tk_loop_stop(service->loop);
}

static void on_signal(void *arg, unsigned ready)
{
    struct event_service *service = arg;
    struct signalfd_siginfo info;
    (void)ready;
    if (read(service->signals, &info, sizeof(info)) != sizeof(info) || service->standard.draining)
        return;
    if (info.ssi_signo == SIGHUP) {
        tk_auth_reload(service->auth);
        tk_http_server_reload_tls(service->server);
        return;
    }
    tk_log(TK_LOG_INFO, "draining", TK_KV_INT("in_flight", tk_http_server_in_flight(service->server)));
    service->standard.draining = true;
    service->drain_until_us = tk_mono_us() + DRAIN_MS * TK_US_PER_MS;
    tk_http_server_drain(service->server);
    look_drained(service);
}

static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static void close_all(struct event_service *service)
{
    consumer_stop(service->consumer);
    dead_letters_stop(service->dead_letters);
    tk_redis_close(service->redis);
    read_thread_stop(service->renderer);
    read_thread_stop(service->picture_reader);
    tk_pg_close(service->seats);
    tk_pg_close(service->bulk);
    tk_pg_close(service->catalogue);
}

int event_service_run(const struct event_config *config, const struct tk_route *routes, size_t route_count,
                      struct tk_slice openapi)
{
    static struct event_service service; /* one per process; answers of the last moment may still look at it */
    service.signals = open_signals();
    if (service.signals < 0 || tk_access_open(&config->access, EVENT_SERVICE_NAME, event_scopes, &service.auth) ||
        check_schema(config) || read_only_ask(&service.read_only, config->database_url, START_TIMEOUT_MS))
        return 1;
    service.config = config;
    service.loop = tk_loop_create();
    describe(&service, openapi);
    tk_watch_want(tk_watch_open(service.loop, service.signals, on_signal, &service), TK_WATCH_READ);
    open_pools(&service);
    open_flows(&service);
    read_only_watch(&service.read_only, service.loop, service.catalogue);
    if (open_limits(&service) || open_consumer(&service) || open_dead_letters(&service))
        return 1;
    bool serving = open_server(&service, routes, route_count) == TK_OK;
    if (serving) {
        tk_log(TK_LOG_INFO, "serving", TK_KV_STR("host", config->host),
               TK_KV_INT("port", tk_http_server_port(service.server)));
        tk_loop_run(service.loop);
    }
    close_all(&service);
    tk_log(TK_LOG_INFO, "stopped", TK_KV_INT("code", !serving));
    return !serving;
}
