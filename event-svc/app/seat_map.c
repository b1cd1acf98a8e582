/*
 * Rendering. The array is written inside the object, so that the shorter form is a slice of the longer one.
 */
#include "event-svc/app/seat_map.h"

#include <assert.h>
#include <stdlib.h>

#include "event-svc/adapters/places.h"
#include "event-svc/adapters/seat_reads.h"
#include "shared/base/mem.h"
#include "shared/http/gzip.h"
#include "shared/json/writer.h"

#define MAX_SEAT_BYTES 2400 /* three labels of up to 100 bytes, each escaped to six at worst, and 350 bytes around them */
#define MAX_BYTES      ((size_t)HALL_MAX_SEATS * MAX_SEAT_BYTES)
#define GZIP_LEVEL     1 /* level 6 takes four times as long for a tenth less */

static void write_seat(struct tk_jsonw *w, const struct seat_map_row *seat)
{
    tk_jsonw_begin_object(w, NULL);
    tk_jsonw_uuid(w, "session_seat_id", &seat->session_seat_id);
    tk_jsonw_uuid(w, "seat_id", &seat->seat_id);
    tk_jsonw_text(w, "section", seat->section);
    tk_jsonw_text(w, "row_number", seat->row_number);
    tk_jsonw_text(w, "seat_number", seat->seat_number);
    tk_jsonw_money(w, "price", seat->price_minor);
    tk_jsonw_text(w, "status", seat->status);
    tk_jsonw_time(w, "reserved_until", seat->reserved_until_us);
    tk_jsonw_end_object(w);
}

/* The array starts at its bracket and ends one byte, the object's brace, before the end. */
static void set_forms(struct seat_map *map, size_t array_start)
{
    struct tk_slice all = tk_buf_slice(&map->json);
    assert(!map->json.overflow && all.ptr[array_start] == '[' && all.ptr[all.len - 2] == ']');
    map->forms[SEAT_MAP_OBJECT] = all;
    map->forms[SEAT_MAP_ARRAY] = (struct tk_slice){.ptr = all.ptr + array_start, .len = all.len - array_start - 1};
}

struct seat_map *seat_map_render(const struct tk_uuid *session_id, const PGresult *rows)
{
    int count = PQntuples(rows);
    if (count == 0)
        return NULL;
    struct seat_map *map = tk_alloc(sizeof(*map));
    struct seat_map_row seat = seat_map_read(rows, 0);
    map->owners = 1;
    map->version = seat.version;
    map->json = TK_BUF_INIT(MAX_BYTES);
    struct tk_jsonw w = TK_JSONW(&map->json);
    tk_jsonw_begin_object(&w, NULL);
    tk_jsonw_uuid(&w, "session_id", session_id);
    tk_jsonw_uuid(&w, "hall_id", &seat.hall_id);
    tk_jsonw_begin_array(&w, "seats");
    size_t array_start = map->json.len - 1;
    for (int row = 0; row < count; row++) {
        seat = seat_map_read(rows, row);
        write_seat(&w, &seat);
    }
    tk_jsonw_end_array(&w);
    tk_jsonw_end_object(&w);
    set_forms(map, array_start);
    return map;
}

struct seat_map *seat_map_share(struct seat_map *map)
{
    atomic_fetch_add(&map->owners, 1);
    return map;
}

void seat_map_free(struct seat_map *map)
{
    if (map == NULL || atomic_fetch_sub(&map->owners, 1) > 1)
        return;
    tk_buf_release(&map->json);
    for (int form = 0; form < SEAT_MAP_FORMS; form++)
        tk_buf_release(&map->gzipped[form]);
    free(map);
}

void seat_map_compress(struct seat_map *map, enum seat_map_form form)
{
    if (map->gzipped[form].len > 0)
        return;
    map->gzipped[form] = TK_BUF_INIT(MAX_BYTES);
    enum tk_err err = tk_gzip_append(&map->gzipped[form], map->forms[form], GZIP_LEVEL);
    assert(!err); /* it fails only for want of room, and JSON always shrinks */
    (void)err;
}

size_t seat_map_size(const struct seat_map *map)
{
    size_t bytes = sizeof(*map) + map->json.cap;
    for (int form = 0; form < SEAT_MAP_FORMS; form++)
        bytes += map->gzipped[form].cap;
    return bytes;
}
