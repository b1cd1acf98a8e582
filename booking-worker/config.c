/**
 * The settings table of booking-worker and the checks that need more than one setting.
 */
#include <stdio.h>
#include <string.h>

#include "booking-worker/config.h"
#include "shared/http/address.h"
#include "shared/redis/url.h"

#define SERVICE_URL  "http[s]://host:port or unix:/path"
#define MEMBER(name) offsetof(struct worker_config, name)

const struct tk_setting worker_settings[] = {
    {"DATABASE_URL", TK_SETTING_TEXT, MEMBER(database_url), "postgresql://ticketing:ticketing@127.0.0.1:5433/booking_db", 1,
     1024, "", "Postgres of the reservations (booking_db).", 0},
    {"EVENT_DATABASE_URL", TK_SETTING_TEXT, MEMBER(event_database_url),
     "postgresql://ticketing:ticketing@127.0.0.1:5433/event_service", 1, 1024, "",
     "Postgres of the seats (event_service), only read: by the audit, by `verify`, and before anything is tidied.", 0},
    {"REDIS_URL", TK_SETTING_TEXT, MEMBER(redis_url), "redis://127.0.0.1:6379/0", 1, 1024, "", "Redis with the seat locks.",
     0},
    TK_MQ_SETTINGS(MEMBER(broker), "Queue of event-svc, declared here too."),
    {"EVENT_SERVICE_URL", TK_SETTING_TEXT, MEMBER(event_service_url), "http://127.0.0.1:8000", 1, 1024, "",
     "event-svc, asked for holds past their deadline: http[s]://host:port or unix:/path, where its internal routes are.",
     0},
    {"BOOKING_SERVICE_URL", TK_SETTING_TEXT, MEMBER(booking_service_url), "http://127.0.0.1:8001", 1, 1024, "",
     "booking-svc, asked to settle payments that got stuck: http[s]://host:port or unix:/path, where its internal routes "
     "are.",
     0},
    {"INTERNAL_API_KEY", TK_SETTING_TEXT, MEMBER(internal_api_key), "", 0, 255, "",
     "Sent to the services' internal routes as X-Internal-Api-Key.", 1},
    {"TLS_CA", TK_SETTING_TEXT, MEMBER(tls_ca), "", 0, 1024, "",
     "Authorities trusted in calls by https and amqps (PEM file); empty: those of the system.", 0},
    {"HOST", TK_SETTING_TEXT, MEMBER(host), "127.0.0.1", 1, 255, "", "Address of /health and /metrics.", 0},
    {"PORT", TK_SETTING_INT, MEMBER(port), "8002", 0, 65535, "", "Port of /health and /metrics.", 0},
    {"EXPIRY_WORKER_INTERVAL_SECONDS", TK_SETTING_INT, MEMBER(expiry_interval_s), "1", 1, 3600, "s",
     "Longest sleep between two looks for overdue holds; it wakes earlier for a hold it knows of.", 0},
    {"EXPIRY_BATCH_SIZE", TK_SETTING_INT, MEMBER(expiry_batch_size), "500", 1, 2000, "holds",
     "Holds expired in one transaction; are more overdue, those of the sessions that begin soonest go first.", 0},
    {"ORPHAN_SWEEP_INTERVAL_SECONDS", TK_SETTING_INT, MEMBER(orphan_interval_s), "10", 1, 3600, "s",
     "Pause between two sweeps for holds that event-svc keeps past their deadline.", 0},
    {"ORPHAN_GRACE_SECONDS", TK_SETTING_INT, MEMBER(orphan_grace_s), "15", 1, 3600, "s",
     "How long past its deadline a hold must be before the sweep looks at it.", 0},
    {"PAYING_SETTLE_AFTER_SECONDS", TK_SETTING_INT, MEMBER(paying_settle_after_s), "30", 1, 3600, "s",
     "Age of a payment attempt that nobody settled before booking-svc is asked to.", 0},
    {"HISTORY_RETENTION_DAYS", TK_SETTING_INT, MEMBER(history_retention_days), "400", 2, 36500, "days",
     "How long the history of reservations and holds that are over is kept after their last change.", 0},
    {"CONSISTENCY_GRACE_SECONDS", TK_SETTING_INT, MEMBER(consistency_grace_s), "30", 0, 3600, "s",
     "How long the databases may differ over work under way before the audit and `verify` call it a divergence.", 0},
    {"AUDIT_INTERVAL_SECONDS", TK_SETTING_INT, MEMBER(audit_interval_s), "10", 1, 3600, "s",
     "Pause between two slices (2,000 holds) of the audit behind double_sold_seats, stranded_seats and orphan_holds.", 0},
    {"OUTBOX_MAX_AGE_SECONDS", TK_SETTING_INT, MEMBER(outbox_max_age_s), "60", 1, 86400, "s",
     "Age of a message in the outbox that `verify` calls a divergence.", 0},
    {"LOG_LEVEL", TK_SETTING_LEVEL, MEMBER(log_level), "info", 0, 0, "", "debug, info, warning or error.", 0},
    {"LOG_FORMAT", TK_SETTING_CHOICE, MEMBER(log_format), "kv", 0, 0, "kv|json", "Shape of log lines.", 0},
    {"ENABLE_METRICS", TK_SETTING_BOOL, MEMBER(enable_metrics), "true", 0, 0, "", "Serve /metrics.", 0},
};

const size_t worker_setting_count = sizeof(worker_settings) / sizeof(worker_settings[0]);

static bool is_service_url(const char *url)
{
    return tk_http_unix_path(url) != NULL || (strncmp(url, "http://", 7) == 0 && url[7] != '\0') ||
           (strncmp(url, "https://", 8) == 0 && url[8] != '\0');
}

static bool complain(bool fine, const char *env, const char *expected)
{
    if (!fine)
        fprintf(stderr, "CONFIG: %s: expected %s\n", env, expected);
    return fine;
}

/* What the table's ranges cannot say. */
static enum tk_err check(struct worker_config *config)
{
    struct tk_redis_url redis;
    bool fine = complain(is_service_url(config->event_service_url), "EVENT_SERVICE_URL", SERVICE_URL);
    fine &= complain(is_service_url(config->booking_service_url), "BOOKING_SERVICE_URL", SERVICE_URL);
    fine &= complain(tk_redis_url_parse(config->redis_url, &redis) == TK_OK, "REDIS_URL", "redis://host:port/db");
    fine &= tk_mq_settings_check(&config->broker, stderr) == TK_OK;
    return fine ? TK_OK : TK_ERR_INVALID;
}

enum tk_err worker_config_load(struct worker_config *config)
{
    *config = (struct worker_config){0};
    enum tk_err err = tk_config_load(worker_settings, worker_setting_count, config, stderr);
    return err ? err : check(config);
}
