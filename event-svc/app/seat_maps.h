/**
 * Seat maps for readers: rendered once per version, served as bytes.
 *
 *   GET → version probe (one statement for all sessions asked for in this turn) → 304 | cached bytes | renderer → bytes
 *
 * The probe makes a write that was answered before visible to this read, on any instance; nothing is cached by time.
 */
#ifndef EVENT_SVC_APP_SEAT_MAPS_H
#define EVENT_SVC_APP_SEAT_MAPS_H

#include "event-svc/app/seat_map_renderer.h"
#include "event-svc/app/version_probe.h"
#include "shared/base/list.h"

struct seat_maps;

enum seat_map_outcome {
    SEAT_MAP_FRESH,     /* `bytes` are valid during the call, and as long as somebody owns `call->map` */
    SEAT_MAP_UNCHANGED, /* the client has this version */
    SEAT_MAP_NO_SESSION,
    SEAT_MAP_OVERLOADED, /* Postgres is away or the queue too long */
};

struct seat_map_call;
typedef void seat_map_call_fn(struct seat_map_call *call, enum seat_map_outcome outcome, struct tk_slice bytes);

/** Caller-owned until `done` runs: exactly once, later. Fill the first part. */
struct seat_map_call {
    struct tk_uuid session_id;
    enum seat_map_form form;
    bool gzip;
    struct tk_slice if_none_match; /* lives as long as the call */
    seat_map_call_fn *done;
    void *arg;
    int64_t version;        /* out, for the ETag: of the bytes, or the current one when unchanged */
    struct seat_map *map;   /* out: where the bytes lie */
    struct version_ask ask; /* this and the following: the cache's */
    struct seat_maps *maps;
    struct tk_link waiting;
};

/** At most `cache_bytes` of rendered maps are kept, the least recently used go first. */
struct seat_maps *seat_maps_new(struct version_probe *probe, struct read_thread *renderer, size_t cache_bytes);

/** TK_ERR_LIMIT: too many are waiting; `done` will not run. */
TK_MUSTCHECK enum tk_err seat_maps_get(struct seat_maps *maps, struct seat_map_call *call);

#endif
