/**
 * event-svc's internal routes as the worker's jobs use them. One thread at a time per client.
 */
#ifndef BOOKING_WORKER_ADAPTERS_EVENT_CLIENT_H
#define BOOKING_WORKER_ADAPTERS_EVENT_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "booking-worker/adapters/http_call.h"
#include "booking-worker/adapters/orphan_store.h"
#include "shared/contract/seat_api.h"

#define EVENT_CLIENT_PAGE 200 /* holds per page; the API's maximum */

struct event_client {
    struct http_caller *caller;
};

/**
 * One page of holds that are past their deadline by more than `older_than_s`. `cursor` is "" for the first page, else what
 * the last one gave; *next_cursor (arena) is "" after the last. At most EVENT_CLIENT_PAGE entries go to `out`.
 * TK_ERR_INVALID: an answer nobody can read, or a status other than 200.
 */
TK_MUSTCHECK enum tk_err event_client_overdue_holds(struct event_client *client, int64_t older_than_s, const char *cursor,
                                                    struct tk_arena *arena, struct overdue_hold *out, size_t *count,
                                                    const char **next_cursor);

/** Releases the seats of up to TK_SEAT_API_MAX_ITEMS reservations; outcomes[i] belongs to requests[i]. */
TK_MUSTCHECK enum tk_err event_client_release(struct event_client *client, const struct tk_release_request *requests,
                                              size_t count, struct tk_arena *arena, enum tk_release_outcome *outcomes);

/**
 * Puts up to TK_SEAT_API_MAX_SESSIONS distinct sessions into the order in which they begin; those that have begun go last,
 * those that do not exist are left out. Anything but TK_OK: as they were.
 */
TK_MUSTCHECK enum tk_err event_client_soonest_first(struct event_client *client, struct tk_uuid *sessions, size_t *count);

/**
 * Has event-svc delete up to `limit` idempotency keys and as many rows of hold history older than `history_days`. *full:
 * there may be more.
 */
TK_MUSTCHECK enum tk_err event_client_purge(struct event_client *client, int64_t history_days, int64_t limit, bool *full);

#endif
