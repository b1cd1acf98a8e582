/**
 * What a thread of its own does for pictures: read a session's geometry and seats, render the geometry for clients.
 */
#ifndef EVENT_SVC_APP_PICTURE_READER_H
#define EVENT_SVC_APP_PICTURE_READER_H

#include "event-svc/app/read_thread.h"
#include "event-svc/domain/seat_plan.h"
#include "shared/base/str.h"

/** Caller-owned until `done` has started; see read_thread.h. Fill read.done, session_id and with_plan. */
struct picture_read {
    struct read_job read;
    struct tk_uuid session_id;
    bool with_plan;
    int64_t started_us; /* monotonic */
    enum tk_err err;    /* TK_ERR_NOT_FOUND: no such session; TK_ERR_UNAVAILABLE: Postgres is away */
    int64_t version;
    uint8_t *seats; /* malloc()ed */
    size_t seats_size;
    struct seat_plan *plan; /* when asked for: the receiver's */
};

struct read_thread *picture_reader_start(struct tk_loop *loop, const char *url, int64_t timeout_ms);

void picture_read_submit(struct read_thread *reader, struct picture_read *job);

#endif
