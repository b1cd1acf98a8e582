/* The settings table of booking-svc and the checks that need more than one setting. */
#include "booking-svc/config.h"

#include <stdio.h>

#include "shared/redis/url.h"

#define MEMBER(name) offsetof(struct booking_config, name)

const struct tk_setting booking_settings[] = {
    {"HOST", TK_SETTING_TEXT, MEMBER(host), "127.0.0.1", 1, 255, "", "Address to listen on.", 0},
    {"PORT", TK_SETTING_INT, MEMBER(port), "8001", 0, 65535, "", "Port to listen on; 0 takes a free one.", 0},
    {"TLS_CERT", TK_SETTING_TEXT, MEMBER(tls_cert), "", 0, 1024, "",
     "Certificate chain (PEM file): serve HTTPS instead of HTTP; read again on SIGHUP.", 0},
    {"TLS_KEY", TK_SETTING_TEXT, MEMBER(tls_key), "", 0, 1024, "", "Its private key (PEM file, without a passphrase).", 0},
    {"TLS_CA", TK_SETTING_TEXT, MEMBER(tls_ca), "", 0, 1024, "",
     "Authorities trusted in calls by https and amqps (PEM file); empty: those of the system.", 0},
    {"DATABASE_URL", TK_SETTING_TEXT, MEMBER(database_url), "postgresql://ticketing:ticketing@127.0.0.1:5433/booking_db", 1,
     1024, "", "Postgres of the reservations (booking_db).", 0},
    {"DATABASE_CONNECTIONS", TK_SETTING_INT, MEMBER(database_connections), "3", 1, 16, "",
     "Connections to Postgres; batches make few of them enough.", 0},
    {"DATABASE_TIMEOUT_MS", TK_SETTING_INT, MEMBER(database_timeout_ms), "1000", 50, 60000, "ms",
     "How long one batch may take before its outcome counts as unknown.", 0},
    {"REDIS_URL", TK_SETTING_TEXT, MEMBER(redis_url), "redis://127.0.0.1:6379/0", 1, 1024, "",
     "Redis for the seat locks and the rate limits.", 0},
    TK_MQ_SETTINGS(MEMBER(broker), "Queue of event-svc, declared here too."),
    {"EVENT_SERVICE_URL", TK_SETTING_TEXT, MEMBER(event_service_url), "http://127.0.0.1:8000", 1, 1024, "",
     "event-svc, which owns the seats: http[s]://host:port or unix:/path, where its internal routes are.", 0},
    {"EVENT_SERVICE_TIMEOUT_MS", TK_SETTING_INT, MEMBER(event_service_timeout_ms), "2000", 50, 60000, "ms",
     "Time for a call to event-svc, its one repetition included: each try gets half.", 0},
    TK_ACCESS_SETTINGS(MEMBER(access)),
    {"SECRET_KEY", TK_SETTING_TEXT, MEMBER(secret_key), "local-development-only-change-me-please-0001", 16, 1024, "",
     "Signs the QR codes of tickets; changing it makes earlier codes invalid.", 1},
    {"RESERVATION_TIMEOUT_MINUTES", TK_SETTING_INT, MEMBER(reservation_timeout_minutes), "10", 1, 1440, "min",
     "How long seats are held before they must be paid for.", 0},
    {"RESERVATION_TIMEOUT_SECONDS", TK_SETTING_INT, MEMBER(reservation_timeout_seconds), "0", 0, 86400, "s",
     "The same in seconds, for tests; wins over the minutes unless 0.", 0},
    {"MAX_SEATS_PER_RESERVATION", TK_SETTING_INT, MEMBER(max_seats), "10", 1, 100, "seats", "Seats in one reservation.", 0},
    {"MAX_SEATS_HELD_PER_USER", TK_SETTING_INT, MEMBER(seat_limit), "50", 0, 100000, "seats",
     "Seats of one session a user may hold unpaid at a time, over all reservations; 0: any number.", 0},
    {"REQUEST_TIMEOUT_MS", TK_SETTING_INT, MEMBER(request_timeout_ms), "2000", 100, 60000, "ms",
     "Every request is answered after about this time, if only with 503.", 0},
    {"SEAT_LOCK_TTL_MS", TK_SETTING_INT, MEMBER(seat_lock_ttl_ms), "10000", 100, 600000, "ms",
     "Life of a seat lock in Redis.", 0},
    {"SEAT_LOCK_TIMEOUT_MS", TK_SETTING_INT, MEMBER(seat_lock_timeout_ms), "50", 1, 10000, "ms",
     "How long to wait for Redis before going on without a lock.", 0},
    {"MOCK_PAYMENT_ENABLED", TK_SETTING_BOOL, MEMBER(mock_payment_enabled), "true", 0, 0, "",
     "Use the built-in payment provider; without one, confirming answers 503 payment_unavailable.", 0},
    {"MOCK_PAYMENT_SUCCESS_RATE", TK_SETTING_RATE, MEMBER(mock_payment_success_rate), "1.0", 0, 0, "",
     "Share of payments the built-in provider accepts.", 0},
    {"BATCH_MAX_ITEMS", TK_SETTING_INT, MEMBER(batch_max_items), "100", 1, 256, "requests",
     "Requests that share one transaction or one call to event-svc.", 0},
    {"QUEUE_MAX_ITEMS", TK_SETTING_INT, MEMBER(queue_max_items), "5000", 1, 1000000, "requests",
     "Requests waiting in one queue; beyond it they are refused with 503.", 0},
    {"QUEUE_MAX_WAIT_MS", TK_SETTING_INT, MEMBER(queue_max_wait_ms), "100", 0, 60000, "ms",
     "Refuse with 503 when the queues ahead are estimated to take longer than this; 0: never.", 0},
    {"MAX_CONNECTIONS", TK_SETTING_INT, MEMBER(max_connections), "20000", 1, 1000000, "", "Client connections at a time.",
     0},
    TK_LIMIT_SETTINGS(MEMBER(limits)),
    {"AUTO_MIGRATE", TK_SETTING_BOOL, MEMBER(auto_migrate), "false", 0, 0, "", "Apply missing migrations at start.", 0},
    {"DOCS_DIR", TK_SETTING_TEXT, MEMBER(docs_dir), "build/swagger-ui", 1, 1024, "", "Swagger UI's files, for /docs.", 0},
    {"LOG_LEVEL", TK_SETTING_LEVEL, MEMBER(log_level), "info", 0, 0, "", "debug, info, warning or error.", 0},
    {"LOG_FORMAT", TK_SETTING_CHOICE, MEMBER(log_format), "kv", 0, 0, "kv|json", "Shape of log lines.", 0},
    {"ENABLE_METRICS", TK_SETTING_BOOL, MEMBER(enable_metrics), "true", 0, 0, "", "Serve /metrics.", 0},
};

const size_t booking_setting_count = sizeof(booking_settings) / sizeof(booking_settings[0]);

const char *const booking_scopes[TK_SCOPES_MAX] = {[BOOKING_SCOPE_PRICING_WRITE] = "pricing:write"};

static bool complain(bool fine, const char *env, const char *expected)
{
    if (!fine)
        fprintf(stderr, "CONFIG: %s: expected %s\n", env, expected);
    return fine;
}

/* What the table's ranges cannot say. */
static enum tk_err check(struct booking_config *config)
{
    struct tk_redis_url redis;
    bool fine = complain(tk_redis_url_parse(config->redis_url, &redis) == TK_OK, "REDIS_URL", "redis://host:port/db");
    fine &= tk_mq_settings_check(&config->broker, stderr) == TK_OK;
    fine &= complain((config->tls_cert[0] == '\0') == (config->tls_key[0] == '\0'), "TLS_CERT, TLS_KEY", "both or neither");
    fine &= complain(!tk_access_is_jwt(&config->access) || tk_access_is_real_secret(config->secret_key), "SECRET_KEY",
                     "with AUTH_MODE=jwt 32 bytes at least, and none of the examples");
    fine &= tk_access_check(&config->access, stderr) == TK_OK;
    fine &= tk_limit_settings_check(&config->limits, stderr) == TK_OK;
    return fine ? TK_OK : TK_ERR_INVALID;
}

enum tk_err booking_config_load(struct booking_config *config)
{
    *config = (struct booking_config){0};
    const enum tk_err err = tk_config_load(booking_settings, booking_setting_count, config, stderr);
    return err ? err : check(config);
}

int64_t booking_hold_seconds(const struct booking_config *config)
{
    return config->reservation_timeout_seconds > 0 ? config->reservation_timeout_seconds
                                                   : config->reservation_timeout_minutes * 60;
}
