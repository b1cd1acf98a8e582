/**
 * What a thread of its own does: read, render and compress seat maps. 50,000 seats are 13 MB
 * of JSON, a quarter of a second of work that must not stand still the event loop.
 */
#ifndef EVENT_SVC_APP_SEAT_MAP_RENDERER_H
#define EVENT_SVC_APP_SEAT_MAP_RENDERER_H

#include "event-svc/app/read_thread.h"
#include "event-svc/app/seat_map.h"

struct render_job;
typedef void render_done_fn(struct render_job *job);

/** Caller-owned from submit until `done` has started, on the loop's thread. */
struct render_job {
    struct read_job read;
    struct tk_uuid session_id;
    int64_t version;               /* at least this one is wanted */
    bool compress[SEAT_MAP_FORMS]; /* compressed forms wanted */
    struct seat_map *map;          /* in: what there is, or NULL; out: what there is now. The thread owns it in between */
    enum tk_err err;               /* TK_ERR_UNAVAILABLE: Postgres is away; TK_ERR_NOT_FOUND: no such session any more */
    render_done_fn *done;
    void *arg;
};

/** Starts the thread. `url` lives as long as the process. */
struct read_thread *seat_map_renderer_start(struct tk_loop *loop, const char *url, int64_t timeout_ms);

/** Loop thread only. `done` runs later, in the order of submission. */
void seat_map_renderer_submit(struct read_thread *renderer, struct render_job *job);

#endif
