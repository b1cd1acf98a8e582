/**
 * GET …/availability as bytes: rendered once per version, deltas once per version and starting point.
 */
#ifndef EVENT_SVC_APP_AVAILABILITY_H
#define EVENT_SVC_APP_AVAILABILITY_H

#include "event-svc/domain/seat_picture.h"
#include "shared/base/str.h"

#define AVAILABILITY_DELTAS 8 /* starting points remembered per session; clients mostly poll in step */

struct availability_text {
    int64_t version; /* 0: none */
    int64_t since;
    struct tk_buf json;
};

/** Zero-initialised is empty. */
struct availability {
    struct availability_text full;
    struct availability_text deltas[AVAILABILITY_DELTAS];
    size_t next_delta;
};

void availability_release(struct availability *texts);

/** `since` < 0: everything. When the ring does not reach back to `since`, or everything is shorter: everything. Valid until
 * the next call. */
struct tk_slice availability_render(struct availability *texts, const struct seat_picture *picture, int64_t since);

#endif
