/**
 * Everything a request may need, wired by main.c and handed to handlers as req->app. Owned by the loop's thread.
 */
#ifndef BOOKING_APP_BOOKING_APP_H
#define BOOKING_APP_BOOKING_APP_H

#include "booking-svc/adapters/event_client.h"
#include "booking-svc/adapters/lineage.h"
#include "booking-svc/adapters/payment_provider.h"
#include "booking-svc/adapters/seat_lock.h"
#include "booking-svc/adapters/tier_store.h"
#include "booking-svc/adapters/write_queue.h"
#include "booking-svc/app/key_gate.h"
#include "booking-svc/config.h"
#include "booking-svc/domain/reservation_flow.h"
#include "booking-svc/domain/seat_memory.h"
#include "shared/base/clock.h"
#include "shared/http/standard_routes.h"
#include "shared/outbox/outbox.h"

struct booking_app {
    struct tk_standard_app standard; /* first: the standard routes expect it there */
    const struct booking_config *config;
    struct tk_loop *loop;
    struct tk_pg *pg;
    struct tk_redis *redis;
    struct seat_lock *locks;
    struct tk_ratelimit *limits;
    struct event_client *events;
    struct commit_gate commit_gate;
    struct lineage *lineage;
    struct tier_store *tiers;
    struct write_queue *binds;
    struct write_queue *persists;
    struct write_queue *begins;
    struct write_queue *settles;
    struct write_queue *cancels;
    struct payment_provider payments; /* charge NULL: no provider configured */
    struct tk_outbox_relay *relay;
    struct key_gate gate;
    struct seat_memory *memory;
    struct tk_hold_seat recalled[TK_SEAT_API_MAX_SEATS]; /* what admission.h names; valid while it is being answered */
    size_t creating[RESERVATION_FLOW_STATES];            /* reservation flows, by the step they are at */
    size_t flows;                                        /* running, unwinding included; 0 means drained */
};

/** Until when a request that came at `received_us` may take, both monotonic. */
static inline int64_t booking_deadline_us(const struct booking_app *app, int64_t received_us)
{
    return received_us + app->config->request_timeout_ms * TK_US_PER_MS;
}

#endif
