/**
 * What the jobs have learned about the things they depend on, for /health. Written by job threads, read by the HTTP thread.
 */
#ifndef BOOKING_WORKER_APP_HEALTH_H
#define BOOKING_WORKER_APP_HEALTH_H

#include <stdatomic.h>
#include <stdbool.h>

enum health_dependency {
    HEALTH_DEPENDENCY_POSTGRES,
    HEALTH_DEPENDENCY_REDIS,
    HEALTH_DEPENDENCY_RABBITMQ,
    HEALTH_DEPENDENCY_EVENT_SVC,
    HEALTH_DEPENDENCY_BOOKING_SVC,
};

#define HEALTH_DEPENDENCY_COUNT 5

enum health_state { HEALTH_STATE_UNKNOWN, HEALTH_STATE_UP, HEALTH_STATE_DOWN };

struct health {
    _Atomic int states[HEALTH_DEPENDENCY_COUNT]; /* enum health_state; unknown until first used */
};

void health_note(struct health *health, enum health_dependency dependency, bool up);
enum health_state health_of(const struct health *health, enum health_dependency dependency);

/** "postgres", "redis", "rabbitmq", "event-svc", "booking-svc". */
const char *health_dependency_name(enum health_dependency dependency);

#endif
