/**
 * What /health, /livez, /readyz and /metrics say.
 */
#ifndef BOOKING_WORKER_APP_STATUS_PAGES_H
#define BOOKING_WORKER_APP_STATUS_PAGES_H

#include <stdbool.h>

#include "booking-worker/adapters/schedule.h"
#include "booking-worker/adapters/status_server.h"
#include "booking-worker/app/fence.h"
#include "booking-worker/app/health.h"

struct status_pages {
    const struct schedule *schedule;
    const struct health *health;
    const struct fence *fence;
    bool metrics_enabled;
};

status_page_fn status_page_health;  /* a line per dependency, the last run of each job; 503 when Postgres is away */
status_page_fn status_page_livez;   /* the process answers */
status_page_fn status_page_readyz;  /* 503 while draining or when Postgres is away */
status_page_fn status_page_metrics; /* Prometheus text */

#endif
