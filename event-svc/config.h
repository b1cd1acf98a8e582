/**
 * Settings of event-svc, from the environment.
 */
#ifndef EVENT_SVC_CONFIG_H
#define EVENT_SVC_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/config/config.h"
#include "shared/http/access.h"
#include "shared/log/log.h"
#include "shared/mq/settings.h"
#include "shared/ratelimit/settings.h"

struct event_config {
    const char *database_url;
    const char *redis_url;
    struct tk_mq_settings broker;
    struct tk_access_settings access;
    const char *host;
    int64_t port;
    const char *tls_cert;
    const char *tls_key;
    const char *tls_ca;
    int64_t max_connections;
    struct tk_limit_settings limits;
    int64_t io_timeout_ms;
    int64_t request_deadline_ms;
    int64_t seat_connections;
    int64_t catalogue_connections;
    int64_t seat_batch_items;
    int64_t seat_batch_seats;
    int64_t seat_batches_in_flight;
    int64_t seat_queue_max;
    int64_t seat_queue_wait_ms;
    int64_t dead_letters_max;
    int64_t seat_map_cache_mb;
    int64_t seat_picture_cache_mb;
    bool auto_migrate;
    const char *docs_dir;
    enum tk_log_level log_level;
    const char *log_format;
    bool enable_metrics;
};

extern const struct tk_setting event_settings[];
extern const size_t event_setting_count;

/** Rights that tokens carry, by name; the routing table uses the positions. */
enum event_scope { EVENT_SCOPE_CATALOG_WRITE };
extern const char *const event_scopes[TK_SCOPES_MAX];

/** Reads and checks everything together; complaints go to stderr. Text lives as long as the process. */
TK_MUSTCHECK enum tk_err event_config_load(struct event_config *config);

#endif
