/**
 * Dependencies as last seen.
 */
#include "booking-worker/app/health.h"

void health_note(struct health *health, enum health_dependency dependency, bool up)
{
    atomic_store_explicit(&health->states[dependency], up ? HEALTH_STATE_UP : HEALTH_STATE_DOWN, memory_order_relaxed);
}

enum health_state health_of(const struct health *health, enum health_dependency dependency)
{
    return (enum health_state)atomic_load_explicit(&health->states[dependency], memory_order_relaxed);
}

const char *health_dependency_name(enum health_dependency dependency)
{
    static const char *const names[] = {
        [HEALTH_DEPENDENCY_POSTGRES] = "postgres",       [HEALTH_DEPENDENCY_REDIS] = "redis",
        [HEALTH_DEPENDENCY_RABBITMQ] = "rabbitmq",       [HEALTH_DEPENDENCY_EVENT_SVC] = "event-svc",
        [HEALTH_DEPENDENCY_BOOKING_SVC] = "booking-svc",
    };
    return names[dependency];
}
