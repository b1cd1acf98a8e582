/**
 * Settings of booking-worker, from the environment.
 */
#ifndef BOOKING_WORKER_CONFIG_H
#define BOOKING_WORKER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/config/config.h"
#include "shared/log/log.h"
#include "shared/mq/settings.h"

struct worker_config {
    const char *database_url;
    const char *event_database_url;
    const char *redis_url;
    struct tk_mq_settings broker;
    const char *event_service_url;
    const char *booking_service_url;
    const char *internal_api_key;
    const char *tls_ca;
    const char *host;
    int64_t port;
    int64_t expiry_interval_s;
    int64_t expiry_batch_size;
    int64_t orphan_interval_s;
    int64_t orphan_grace_s;
    int64_t paying_settle_after_s;
    int64_t history_retention_days;
    int64_t consistency_grace_s;
    int64_t audit_interval_s;
    int64_t outbox_max_age_s;
    enum tk_log_level log_level;
    const char *log_format;
    bool enable_metrics;
};

extern const struct tk_setting worker_settings[];
extern const size_t worker_setting_count;

/** Reads and checks everything together; complaints go to stderr. Text lives as long as the process. */
TK_MUSTCHECK enum tk_err worker_config_load(struct worker_config *config);

#endif
