/**
 * How far the list of stale holds need not look back: every hold with an earlier deadline is sold or released for good.
 * Times are Unix microseconds by the database's clock.
 */
#ifndef EVENT_SVC_DOMAIN_WATERMARK_H
#define EVENT_SVC_DOMAIN_WATERMARK_H

#include <stdint.h>

/** What one scan from the watermark on found. */
struct watermark_scan {
    int64_t from_us;       /* where it started: the watermark */
    int64_t first_held_us; /* deadline of the first hold still held; INT64_MAX: none */
    int64_t last_us;       /* deadline of the last row looked at; INT64_MIN: there was none */
    int64_t settled_us;    /* transactions older than this have ended: no row with an older deadline can still appear */
};

/** The new watermark, never before `from_us`. */
int64_t watermark_after(const struct watermark_scan *scan);

#endif
