/**
 * The thread that reads, renders and compresses seat maps, with a Postgres connection of its own: 50,000 seats are 13 MB
 * of JSON, a quarter of a second of work that must not stand still the event loop.
 */
#ifndef EVENT_SVC_APP_SEAT_MAP_RENDERER_H
#define EVENT_SVC_APP_SEAT_MAP_RENDERER_H

#include "event-svc/app/seat_map.h"
#include "shared/base/list.h"
#include "shared/base/result.h"
#include "shared/loop/loop.h"

struct seat_map_renderer;

struct render_job;
typedef void render_done_fn(struct render_job *job);

/** Caller-owned from submit until `done` has started, on the loop's thread. */
struct render_job {
    struct tk_link link;
    struct tk_loop_message message;
    struct tk_uuid session_id;
    int64_t version;               /* at least this one is wanted */
    bool compress[SEAT_MAP_FORMS]; /* compressed forms wanted */
    struct seat_map *map;          /* in: what there is, or NULL; out: what there is now. The thread owns it in between */
    enum tk_err err;               /* TK_ERR_UNAVAILABLE: Postgres is away; TK_ERR_NOT_FOUND: no such session any more */
    render_done_fn *done;
    void *arg;
};

/** Starts the thread. `url` lives as long as the process. */
struct seat_map_renderer *seat_map_renderer_start(struct tk_loop *loop, const char *url, int64_t timeout_ms);

/** Loop thread only. `done` runs later, in the order of submission. */
void seat_map_renderer_submit(struct seat_map_renderer *renderer, struct render_job *job);

/** Finishes the current job and ends the thread; jobs still queued are dropped without `done`. */
void seat_map_renderer_stop(struct seat_map_renderer *renderer);

#endif
