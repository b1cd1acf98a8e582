/**
 * GET …/geometry/{hash} as bytes: what lies where, in natural order. It never changes, so it is rendered when first asked
 * for, on the picture reader's thread (a millisecond per thousand seats, with compression), and kept with the picture.
 */
#ifndef EVENT_SVC_APP_GEOMETRY_H
#define EVENT_SVC_APP_GEOMETRY_H

#include "event-svc/app/seat_pictures.h"

struct geometry_call;
typedef void geometry_fn(struct geometry_call *call, enum tk_err err);

/** Caller-owned until `done` runs: exactly once, later. Fill session (pinned, its picture read) and done. */
struct geometry_call {
    struct session_picture *session;
    geometry_fn *done;
    struct tk_link link;
};

/** `done` finds session->geometry rendered. */
void geometry_want(struct geometry_call *call);

#endif
