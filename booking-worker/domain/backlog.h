/**
 * The overdue holds that a worker knows of: which to try next, and in what order. Pure.
 *
 *     found ──▶ untried ──backlog_settle()──▶ decided: off the list
 *                  ▲                     └──▶ undecided: tried
 *                  └───── backlog_retry() ──────┘
 *
 * They stand in the order of their deadlines, in which they are found, unless somebody knows a better one.
 */
#ifndef BOOKING_WORKER_DOMAIN_BACKLOG_H
#define BOOKING_WORKER_DOMAIN_BACKLOG_H

#include <stddef.h>

#include "shared/base/id.h"

struct backlog_hold {
    struct tk_uuid reservation_id;
    struct tk_uuid session_id;
};

/** holds[0 … tried) are undecided, holds[tried … count) wait for their turn. Zero-initialised is an empty list. */
struct backlog {
    struct backlog_hold *holds;
    size_t count;
    size_t cap;
    size_t tried;
    struct tk_uuid_map known; /* the reservations on it */
};

void backlog_release(struct backlog *backlog);

/** Appends the hold, untried; nothing when it is on the list already. */
void backlog_add(struct backlog *backlog, const struct backlog_hold *hold);

/** Everything is untried again. */
void backlog_retry(struct backlog *backlog);

size_t backlog_untried(const struct backlog *backlog);
/** The first of the untried ones; valid until the list changes. */
const struct backlog_hold *backlog_next(const struct backlog *backlog);

/** The next `len` (<= untried) were tried: they leave the list but for the `kept_count` undecided ones named in `kept`. */
void backlog_settle(struct backlog *backlog, size_t len, const struct tk_uuid *kept, size_t kept_count);

/** The sessions of the untried holds, each once, up to `max` of them, those of the first holds first. Returns how many. */
size_t backlog_sessions(const struct backlog *backlog, struct tk_uuid *out, size_t max);

/** Puts the untried ones into the order of these sessions; those of other sessions go last. Stable. */
void backlog_order(struct backlog *backlog, const struct tk_uuid *sessions, size_t count);

#endif
