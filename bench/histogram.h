/**
 * Latency histogram with constant relative precision (the idea of HdrHistogram): 64 linear buckets per power of two, so
 * that any recorded value is known to within 1.6 %. Values are microseconds, up to about 71 minutes; larger ones are
 * clamped.
 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_SUB_BITS 6
#define HISTOGRAM_MAX_BITS 32
#define HISTOGRAM_BUCKETS  ((HISTOGRAM_MAX_BITS - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS)

struct histogram {
    uint64_t count;
    uint64_t max_us;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_record(struct histogram *h, int64_t microseconds); /* negative counts as zero */

/** The smallest value that at least `fraction` (0..1) of the recorded ones do not exceed; 0 when empty. */
uint64_t histogram_quantile_us(const struct histogram *h, double fraction);

#endif
