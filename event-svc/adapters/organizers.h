/**
 * SQL of organizers and of the events they give. Each function fills an operation of the async client; rows come back in
 * the columns the matching *_read() knows. Slices point into the result.
 */
#ifndef EVENT_SVC_ADAPTERS_ORGANIZERS_H
#define EVENT_SVC_ADAPTERS_ORGANIZERS_H

#include "shared/pg/pg.h"

struct organizer {
    struct tk_uuid organizer_id;
    struct tk_slice name;
    struct tk_slice description; /* {NULL, 0}: none; the same below */
    struct tk_slice contact_email;
    struct tk_slice contact_phone;
    int64_t created_at_us;
    int64_t updated_at_us;
};

void organizer_insert(struct tk_pg_op *op, const struct organizer *organizer);
void organizer_select(struct tk_pg_op *op, const struct tk_uuid *id);
/** Rows after `after` (nil: from the start) in id order, which is order of creation. */
void organizer_list(struct tk_pg_op *op, const struct tk_uuid *after, int64_t limit);
/** Members that are {NULL, 0} stay as they are. No row: no such organizer. */
void organizer_update(struct tk_pg_op *op, const struct organizer *organizer);
/** One row when it existed. Constraint events_organizer_fk: it still has events. */
void organizer_delete(struct tk_pg_op *op, const struct tk_uuid *id);
struct organizer organizer_read(const PGresult *rows, int row);

struct event {
    struct tk_uuid event_id;
    struct tk_uuid organizer_id;
    struct tk_slice title;
    struct tk_slice description;
    struct tk_slice event_type;
    int64_t created_at_us;
};

/** Constraint events_organizer_fk: no such organizer. */
void event_insert(struct tk_pg_op *op, const struct event *event);
void event_select(struct tk_pg_op *op, const struct tk_uuid *id);
void event_list(struct tk_pg_op *op, const struct tk_uuid *after, int64_t limit);
struct event event_read(const PGresult *rows, int row);

#endif
