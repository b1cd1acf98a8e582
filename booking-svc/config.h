/**
 * Settings of booking-svc, from the environment.
 */
#ifndef BOOKING_CONFIG_H
#define BOOKING_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/config/config.h"
#include "shared/http/access.h"
#include "shared/log/log.h"
#include "shared/mq/settings.h"
#include "shared/ratelimit/settings.h"

struct booking_config {
    const char *host;
    int64_t port;
    const char *tls_cert;
    const char *tls_key;
    const char *tls_ca;
    const char *database_url;
    int64_t database_connections;
    int64_t database_timeout_ms;
    const char *redis_url;
    struct tk_mq_settings broker;
    const char *event_service_url;
    int64_t event_service_timeout_ms;
    struct tk_access_settings access;
    const char *secret_key;
    int64_t reservation_timeout_minutes;
    int64_t reservation_timeout_seconds; /* 0: the minutes count */
    int64_t max_seats;
    int64_t seat_limit; /* 0: none */
    int64_t request_timeout_ms;
    int64_t seat_lock_ttl_ms;
    int64_t seat_lock_timeout_ms;
    bool mock_payment_enabled;
    double mock_payment_success_rate;
    int64_t batch_max_items;
    int64_t queue_max_items;
    int64_t queue_max_wait_ms;
    int64_t max_connections;
    struct tk_limit_settings limits;
    bool auto_migrate;
    const char *docs_dir;
    enum tk_log_level log_level;
    const char *log_format;
    bool enable_metrics;
};

extern const struct tk_setting booking_settings[];
extern const size_t booking_setting_count;

/** Rights that tokens carry, by name; the routing table uses the positions. */
enum booking_scope { BOOKING_SCOPE_PRICING_WRITE };
extern const char *const booking_scopes[TK_SCOPES_MAX];

/** Reads and checks everything together; complaints go to stderr. Text lives as long as the process. */
TK_MUSTCHECK enum tk_err booking_config_load(struct booking_config *config);

/** How long a hold lives. */
int64_t booking_hold_seconds(const struct booking_config *config);

#endif
