/*
 * The cache. Per session an entry: the newest map there is, the readers waiting for a newer one or for its compressed form,
 * and at most one job with the renderer. While the job runs the map is the renderer's, so nobody is served from it: a
 * reader who could have been served from the old one waits a few milliseconds, which happens once per version.
 */
#include "event-svc/app/seat_maps.h"

#include <assert.h>
#include <stdlib.h>

#include "event-svc/domain/etag.h"
#include "shared/base/mem.h"
#include "shared/metrics/metrics.h"

#define MAX_WAITING 20000

struct entry {
    struct tk_uuid session_id;
    struct seat_map *map; /* NULL while the renderer has it, and before the first rendering */
    size_t size;          /* counted in maps->bytes */
    struct tk_link waiting;
    struct tk_link recent; /* in maps->recent, most recently used last */
    struct render_job job;
    bool busy; /* the job is under way */
    struct seat_maps *maps;
};

struct seat_maps {
    struct version_probe *probe;
    struct read_thread *renderer;
    struct tk_uuid_map entries;
    struct tk_link recent;
    size_t bytes;
    size_t max_bytes;
    size_t waiting;
};

static struct tk_metric served =
    TK_COUNTER("seat_map_reads_total", "result=\"cached\"", "Seat map reads by how they ended");
static struct tk_metric unchanged =
    TK_COUNTER("seat_map_reads_total", "result=\"unchanged\"", "Seat map reads by how they ended");
static struct tk_metric waited =
    TK_COUNTER("seat_map_reads_total", "result=\"rendered\"", "Seat map reads by how they ended");
static struct tk_metric cached_bytes = TK_GAUGE("seat_map_cache_bytes", NULL, "Memory of rendered seat maps");

static void finish(struct seat_map_call *call, enum seat_map_outcome outcome)
{
    call->done(call, outcome, (struct tk_slice){NULL, 0});
}

/* --- entries ------------------------------------------------------------------------------------------------------ */

static void resize(struct entry *entry)
{
    struct seat_maps *maps = entry->maps;
    maps->bytes -= entry->size;
    entry->size = entry->map != NULL ? seat_map_size(entry->map) : 0;
    maps->bytes += entry->size;
    tk_metric_set(&cached_bytes, (int64_t)maps->bytes);
}

static void entry_free(struct entry *entry)
{
    assert(!entry->busy && tk_list_is_empty(&entry->waiting));
    (void)tk_uuid_map_remove(&entry->maps->entries, &entry->session_id);
    tk_list_remove(&entry->recent);
    seat_map_free(entry->map);
    entry->map = NULL;
    resize(entry);
    free(entry);
}

static void evict(struct seat_maps *maps)
{
    struct tk_link *next;
    for (struct tk_link *link = maps->recent.next; link != &maps->recent && maps->bytes > maps->max_bytes; link = next) {
        struct entry *entry = TK_CONTAINER_OF(link, struct entry, recent);
        next = link->next;
        if (!entry->busy && tk_list_is_empty(&entry->waiting))
            entry_free(entry);
    }
}

static struct entry *entry_get(struct seat_maps *maps, const struct tk_uuid *session_id)
{
    struct entry *entry = tk_uuid_map_get(&maps->entries, session_id);
    if (entry == NULL) {
        entry = tk_alloc(sizeof(*entry));
        entry->session_id = *session_id;
        entry->maps = maps;
        tk_list_init(&entry->waiting);
        tk_uuid_map_put(&maps->entries, session_id, entry);
    }
    tk_list_remove(&entry->recent);
    tk_list_push_back(&maps->recent, &entry->recent);
    return entry;
}

/* --- serving ------------------------------------------------------------------------------------------------------ */

static bool can_serve(const struct seat_map *map, const struct seat_map_call *call)
{
    return map != NULL && map->version >= call->version && (!call->gzip || map->gzipped[call->form].len > 0);
}

static void serve(struct seat_map *map, struct seat_map_call *call)
{
    call->map = map;
    call->version = map->version;
    call->done(call, SEAT_MAP_FRESH, call->gzip ? tk_buf_slice(&map->gzipped[call->form]) : map->forms[call->form]);
}

static void on_job_done(struct render_job *job);

/* What the readers in the queue want at most, in one job. */
static void start_job(struct entry *entry)
{
    struct render_job *job = &entry->job;
    *job = (struct render_job){.session_id = entry->session_id, .map = entry->map, .done = on_job_done, .arg = entry};
    TK_LIST_FOREACH(link, &entry->waiting)
    {
        const struct seat_map_call *call = TK_CONTAINER_OF(link, struct seat_map_call, waiting);
        job->version = call->version > job->version ? call->version : job->version;
        job->compress[call->form] |= call->gzip;
    }
    entry->map = NULL;
    entry->busy = true;
    seat_map_renderer_submit(entry->maps->renderer, job);
}

static struct seat_map_call *pop_waiting(struct entry *entry)
{
    struct tk_link *link = tk_list_pop_front(&entry->waiting);
    if (link == NULL)
        return NULL;
    entry->maps->waiting--;
    return TK_CONTAINER_OF(link, struct seat_map_call, waiting);
}

static void serve_waiting(struct entry *entry)
{
    struct tk_link *next;
    for (struct tk_link *link = entry->waiting.next; link != &entry->waiting; link = next) {
        struct seat_map_call *call = TK_CONTAINER_OF(link, struct seat_map_call, waiting);
        next = link->next;
        if (!can_serve(entry->map, call))
            continue;
        tk_list_remove(link);
        entry->maps->waiting--;
        serve(entry->map, call);
    }
}

static void on_job_done(struct render_job *job)
{
    struct entry *entry = job->arg;
    struct seat_maps *maps = entry->maps;
    struct seat_map_call *call;
    entry->busy = false;
    entry->map = job->map;
    resize(entry);
    while (job->err && (call = pop_waiting(entry)) != NULL)
        finish(call, job->err == TK_ERR_NOT_FOUND ? SEAT_MAP_NO_SESSION : SEAT_MAP_OVERLOADED);
    serve_waiting(entry);
    if (!tk_list_is_empty(&entry->waiting))
        start_job(entry);
    else if (entry->map == NULL)
        entry_free(entry);
    evict(maps);
}

/* The probe has told the current version in call->version. */
static void answer(struct seat_maps *maps, struct seat_map_call *call)
{
    if (etag_matches(call->if_none_match, call->version)) {
        tk_metric_add(&unchanged, 1);
        finish(call, SEAT_MAP_UNCHANGED);
        return;
    }
    struct entry *entry = entry_get(maps, &call->session_id);
    if (can_serve(entry->map, call)) {
        tk_metric_add(&served, 1);
        serve(entry->map, call);
        return;
    }
    tk_metric_add(&waited, 1);
    maps->waiting++;
    tk_list_push_back(&entry->waiting, &call->waiting);
    if (!entry->busy)
        start_job(entry);
}

/* --- probing ------------------------------------------------------------------------------------------------------ */

static void on_version(struct version_ask *ask, int64_t version)
{
    struct seat_map_call *call = TK_CONTAINER_OF(ask, struct seat_map_call, ask);
    call->version = version;
    if (version == VERSION_FAILED)
        finish(call, SEAT_MAP_OVERLOADED);
    else if (version == VERSION_NO_SESSION)
        finish(call, SEAT_MAP_NO_SESSION);
    else
        answer(call->maps, call);
}

enum tk_err seat_maps_get(struct seat_maps *maps, struct seat_map_call *call)
{
    if (maps->waiting >= MAX_WAITING)
        return TK_ERR_LIMIT;
    call->maps = maps;
    call->ask = (struct version_ask){.session_id = call->session_id, .done = on_version};
    return version_probe_ask(maps->probe, &call->ask);
}

struct seat_maps *seat_maps_new(struct version_probe *probe, struct read_thread *renderer, size_t cache_bytes)
{
    struct seat_maps *maps = tk_alloc(sizeof(*maps));
    tk_metrics_register(&served);
    tk_metrics_register(&unchanged);
    tk_metrics_register(&waited);
    tk_metrics_register(&cached_bytes);
    maps->probe = probe;
    maps->renderer = renderer;
    maps->max_bytes = cache_bytes;
    tk_list_init(&maps->recent);
    return maps;
}
