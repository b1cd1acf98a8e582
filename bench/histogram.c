#include "bench/histogram.h"

#include <math.h>

#define SUB_BUCKETS (UINT64_C(1) << HISTOGRAM_SUB_BITS)

static unsigned bucket_of(uint64_t value)
{
    if (value < SUB_BUCKETS)
        return (unsigned)value;
    unsigned shift = 63U - (unsigned)__builtin_clzll(value) - HISTOGRAM_SUB_BITS;
    return (unsigned)(((uint64_t)(shift + 1) << HISTOGRAM_SUB_BITS) + ((value >> shift) - SUB_BUCKETS));
}

/* The largest value that falls into the bucket. */
static uint64_t upper_bound(unsigned bucket)
{
    if (bucket < SUB_BUCKETS)
        return bucket;
    unsigned shift = (bucket >> HISTOGRAM_SUB_BITS) - 1;
    uint64_t base = SUB_BUCKETS + (bucket & (SUB_BUCKETS - 1));
    return ((base + 1) << shift) - 1;
}

void histogram_record(struct histogram *h, int64_t microseconds)
{
    uint64_t value = microseconds > 0 ? (uint64_t)microseconds : 0;
    if (value > UINT32_MAX)
        value = UINT32_MAX;
    h->buckets[bucket_of(value)]++;
    h->count++;
    if (value > h->max_us)
        h->max_us = value;
}

uint64_t histogram_quantile_us(const struct histogram *h, double fraction)
{
    uint64_t wanted = (uint64_t)ceil(fraction * (double)h->count);
    uint64_t seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen >= wanted && seen > 0)
            return upper_bound(i) < h->max_us ? upper_bound(i) : h->max_us;
    }
    return h->max_us;
}
