/**
 * The way to event-svc: holds and releases of many reservations travel in one call (shared/contract/seat_api.h), gathered
 * by shared/pg/batch.h while earlier calls are in flight. Releases have a queue of their own, so they never delay a hold.
 *
 * A call without an answer is made once more with the same ids, which event-svc recognises; after that its outcome is
 * UNKNOWN. EVENT_SERVICE_TIMEOUT_MS is the time for both tries together. Second tries are paid from a budget of a tenth of
 * the first ones, and start up to 20 ms late.
 *
 * Three calls in a row without an answer, or with one that is no answer, open a breaker (shared/breaker/breaker.h): what
 * waits and what comes is FAILED at once, certainly not applied, until a probe finds event-svc ready again.
 */
#ifndef BOOKING_ADAPTERS_EVENT_CLIENT_H
#define BOOKING_ADAPTERS_EVENT_CLIENT_H

#include <stdbool.h>

#include "shared/breaker/breaker.h"
#include "shared/contract/seat_api.h"
#include "shared/http/client.h"
#include "shared/loop/loop.h"
#include "shared/pg/batch.h"

struct event_client;

struct event_client_config {
    const char *url;
    const char *ca_file; /* for https; "": the system's authorities */
    const char *internal_api_key;
    int64_t timeout_ms; /* both tries together */
    size_t max_items;   /* per call */
    size_t max_queued;
};

/** Fill `base.deadline_us`, `request` (seats stay the caller's until `done`), `done`. */
struct hold_item {
    struct tk_batch_item base;
    struct tk_hold_request request;
    enum tk_step step; /* OK: held; REFUSED: `answer` says why; FAILED: not sent, or turned away whole; UNKNOWN */
    bool in_doubt;     /* the first try got no answer: it may still arrive, whatever the second one said */
    const struct tk_hold_answer *answer; /* with OK and REFUSED; valid during `done` */
    void (*done)(struct hold_item *item);
};

/** TK_ERR_INVALID: the URL makes no sense. */
TK_MUSTCHECK enum tk_err event_client_new(struct tk_loop *loop, const struct event_client_config *config,
                                          struct event_client **out);

/** `done` runs exactly once, later. TK_ERR_LIMIT: the queue is full. */
TK_MUSTCHECK enum tk_err event_client_hold(struct event_client *client, struct hold_item *item);

/** Estimated time in which so many holds pass through, microseconds. */
int64_t event_client_hold_time_us(const struct event_client *client, size_t items);

typedef void event_client_release_done(void *arg, enum tk_step step);

/**
 * Releases what a reservation holds; idempotent, never frees a sold seat. `done` may be NULL. TK_ERR_LIMIT: the queue is
 * full; the outbox or the sweep will do it.
 */
TK_MUSTCHECK enum tk_err event_client_release(struct event_client *client, const struct tk_release_request *request,
                                              int64_t deadline_us, event_client_release_done *done, void *arg);

/** Any other call, by itself, tried once; `body` is taken over. TK_ERR_LIMIT: too many at a time. */
TK_MUSTCHECK enum tk_err event_client_post(struct event_client *client, const char *path, struct tk_buf *body,
                                           int64_t deadline_ms, tk_http_client_done_fn *done, void *arg);

/** CLOSED: calls are made. Otherwise holds and releases fail at once. */
enum tk_breaker_state event_client_breaker(const struct event_client *client);

/** As last seen; a probe every two seconds keeps it current. */
bool event_client_is_up(const struct event_client *client);

size_t event_client_pending(const struct event_client *client);

#endif
