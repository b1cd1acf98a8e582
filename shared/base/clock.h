/**
 * Two clocks, never mixed: monotonic microseconds for waits and deadlines on this machine, Unix microseconds for times
 * people see. Deadlines that decide who owns a seat are judged by Postgres' now(), never by either of these.
 */
#ifndef TK_BASE_CLOCK_H
#define TK_BASE_CLOCK_H

#include <stdint.h>

#include "shared/base/result.h"
#include "shared/base/str.h"

#define TK_US_PER_MS INT64_C(1000)
#define TK_US_PER_S  INT64_C(1000000)

/** 10000-01-01T00:00:00Z in Unix microseconds: times that can be written lie before it. */
#define TK_TIME_END_US (INT64_C(253402300800) * TK_US_PER_S)

int64_t tk_mono_us(void); /* CLOCK_MONOTONIC */
int64_t tk_unix_us(void); /* CLOCK_REALTIME */

/**
 * RFC 3339 date-time with `T` and `Z` or a numeric offset, seconds required, at most six fractional digits; years
 * 1970–9999; leap second 60 refused. Result in Unix microseconds UTC.
 */
TK_MUSTCHECK enum tk_err tk_time_parse(struct tk_slice text, int64_t *unix_us);

/** Appends `2026-11-21T09:30:00Z`; microseconds are written (six digits) only when they are not zero. Years 0–9999. */
void tk_time_append(struct tk_buf *buf, int64_t unix_us);

#endif
