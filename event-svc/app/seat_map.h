/**
 * The rendered seat map of one session: bytes that are served as they are until the session's version moves on.
 */
#ifndef EVENT_SVC_APP_SEAT_MAP_H
#define EVENT_SVC_APP_SEAT_MAP_H

#include <libpq-fe.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/id.h"
#include "shared/base/str.h"

/** GET …/seat-map answers the object, GET …/seats the array inside it: one rendering serves both. */
enum seat_map_form { SEAT_MAP_OBJECT, SEAT_MAP_ARRAY };

#define SEAT_MAP_FORMS 2

struct seat_map {
    atomic_size_t owners;
    int64_t version;
    struct tk_buf json;
    struct tk_slice forms[SEAT_MAP_FORMS]; /* into `json` */
    struct tk_buf gzipped[SEAT_MAP_FORMS]; /* empty until asked for */
};

/** Renders all rows of seat_map_select(); NULL when there is none. Free with seat_map_free(). About 3 us a seat. */
struct seat_map *seat_map_render(const struct tk_uuid *session_id, const PGresult *rows);
/** One more owner, who frees it, too: an answer on its way to a client who takes his time. Any thread. */
struct seat_map *seat_map_share(struct seat_map *map);
void seat_map_free(struct seat_map *map); /* NULL is fine; the last owner's call frees */

/** Makes the compressed form if it is not there. */
void seat_map_compress(struct seat_map *map, enum seat_map_form form);

/** Bytes it occupies. */
size_t seat_map_size(const struct seat_map *map);

#endif
