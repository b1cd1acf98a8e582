/*
 * The settings table of event-svc and the checks that need more than one setting.
 */
#include "event-svc/config.h"

#include <stdio.h>

#include "shared/redis/url.h"

#define MEMBER(name) offsetof(struct event_config, name)

const struct tk_setting event_settings[] = {
    {"DATABASE_URL", TK_SETTING_TEXT, MEMBER(database_url), "postgresql://ticketing:ticketing@127.0.0.1:5433/event_service",
     1, 1024, "", "Postgres of this service.", 0},
    {"REDIS_URL", TK_SETTING_TEXT, MEMBER(redis_url), "redis://127.0.0.1:6379/0", 1, 1024, "", "Redis for the rate limits.",
     0},
    TK_MQ_SETTINGS(MEMBER(broker), "Queue of reservation messages."),
    {"DEAD_LETTERS_MAX", TK_SETTING_INT, MEMBER(dead_letters_max), "10000", 1, 1000000, "",
     "Dead letters kept in the table; further ones wait in the broker's queue.", 0},
    TK_ACCESS_SETTINGS(MEMBER(access)),
    {"HOST", TK_SETTING_TEXT, MEMBER(host), "127.0.0.1", 1, 255, "", "Address to listen on.", 0},
    {"PORT", TK_SETTING_INT, MEMBER(port), "8000", 0, 65535, "", "Port to listen on; 0: any free one.", 0},
    {"TLS_CERT", TK_SETTING_TEXT, MEMBER(tls_cert), "", 0, 1024, "",
     "Certificate chain (PEM file): serve HTTPS instead of HTTP; read again on SIGHUP.", 0},
    {"TLS_KEY", TK_SETTING_TEXT, MEMBER(tls_key), "", 0, 1024, "", "Its private key (PEM file, without a passphrase).", 0},
    {"TLS_CA", TK_SETTING_TEXT, MEMBER(tls_ca), "", 0, 1024, "",
     "Authorities trusted in calls by amqps (PEM file); empty: those of the system.", 0},
    {"MAX_CONNECTIONS", TK_SETTING_INT, MEMBER(max_connections), "20000", 1, 1000000, "",
     "Client connections at a time; more are closed at once.", 0},
    TK_LIMIT_SETTINGS(MEMBER(limits)),
    {"IO_TIMEOUT_MS", TK_SETTING_INT, MEMBER(io_timeout_ms), "10000", 100, 600000, "ms",
     "Longest time for a request to arrive, and for a connection to idle.", 0},
    {"REQUEST_DEADLINE_MS", TK_SETTING_INT, MEMBER(request_deadline_ms), "2000", 50, 60000, "ms",
     "A request not served by then is given up.", 0},
    {"SEAT_CONNECTIONS", TK_SETTING_INT, MEMBER(seat_connections), "2", 1, 16, "",
     "Postgres connections for reserve, release and confirm.", 0},
    {"CATALOGUE_CONNECTIONS", TK_SETTING_INT, MEMBER(catalogue_connections), "2", 1, 16, "",
     "Postgres connections for everything else on the event loop.", 0},
    {"SEAT_BATCH_ITEMS", TK_SETTING_INT, MEMBER(seat_batch_items), "128", 1, 1000, "", "Reservations in one statement.", 0},
    {"SEAT_BATCH_SEATS", TK_SETTING_INT, MEMBER(seat_batch_seats), "512", 1, 10000, "", "Seats in one statement.", 0},
    {"SEAT_BATCHES_IN_FLIGHT", TK_SETTING_INT, MEMBER(seat_batches_in_flight), "2", 1, 16, "",
     "Reserve statements at a time.", 0},
    {"SEAT_QUEUE_MAX", TK_SETTING_INT, MEMBER(seat_queue_max), "20000", 1, 1000000, "",
     "Reservations waiting for a statement; more are refused with 503.", 0},
    {"SEAT_QUEUE_WAIT_MS", TK_SETTING_INT, MEMBER(seat_queue_wait_ms), "1000", 0, 60000, "ms",
     "Refuse with 503 when the queue is estimated to take longer; 0: never.", 0},
    {"SEAT_MAP_CACHE_MB", TK_SETTING_INT, MEMBER(seat_map_cache_mb), "256", 1, 65536, "MiB",
     "Memory for rendered seat maps.", 0},
    {"SEAT_PICTURE_CACHE_MB", TK_SETTING_INT, MEMBER(seat_picture_cache_mb), "256", 1, 65536, "MiB",
     "Memory for the seats of sessions on sale; about 75 bytes a seat.", 0},
    {"AUTO_MIGRATE", TK_SETTING_BOOL, MEMBER(auto_migrate), "false", 0, 0, "", "Bring the schema up to date at start.", 0},
    {"DOCS_DIR", TK_SETTING_TEXT, MEMBER(docs_dir), "build/swagger-ui", 0, 1024, "", "Directory of Swagger UI, for /docs.",
     0},
    {"LOG_LEVEL", TK_SETTING_LEVEL, MEMBER(log_level), "info", 0, 0, "", "debug, info, warning or error.", 0},
    {"LOG_FORMAT", TK_SETTING_CHOICE, MEMBER(log_format), "kv", 0, 0, "kv|json", "Shape of log lines.", 0},
    {"ENABLE_METRICS", TK_SETTING_BOOL, MEMBER(enable_metrics), "true", 0, 0, "", "Serve /metrics.", 0},
};

const size_t event_setting_count = sizeof(event_settings) / sizeof(event_settings[0]);

const char *const event_scopes[TK_SCOPES_MAX] = {[EVENT_SCOPE_CATALOG_WRITE] = "catalog:write"};

static enum tk_err check_tls(const struct event_config *config)
{
    if ((config->tls_cert[0] == '\0') == (config->tls_key[0] == '\0'))
        return TK_OK;
    fprintf(stderr, "CONFIG: TLS_CERT, TLS_KEY: expected both or neither\n");
    return TK_ERR_INVALID;
}

static enum tk_err check_redis(const struct event_config *config)
{
    struct tk_redis_url url;
    enum tk_err err = tk_redis_url_parse(config->redis_url, &url);
    if (err)
        fprintf(stderr, "CONFIG: REDIS_URL: expected redis://host:port/db\n");
    return err;
}

enum tk_err event_config_load(struct event_config *config)
{
    *config = (struct event_config){0};
    enum tk_err err = tk_config_load(event_settings, event_setting_count, config, stderr);
    if (err)
        return err;
    const bool fine = (tk_access_check(&config->access, stderr) == TK_OK) & (check_tls(config) == TK_OK) &
                      (check_redis(config) == TK_OK) & (tk_mq_settings_check(&config->broker, stderr) == TK_OK) &
                      (tk_limit_settings_check(&config->limits, stderr) == TK_OK);
    return fine ? TK_OK : TK_ERR_INVALID;
}
