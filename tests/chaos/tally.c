#include "tests/chaos/tally.h"

#include <inttypes.h>
#include <string.h>

#include "shared/base/clock.h"
#include "shared/base/mem.h"

struct second *tally_now(struct tally *tally)
{
    size_t at = (size_t)((tk_mono_us() - tally->start_us) / TK_US_PER_S);
    while (at >= tally->cap) {
        size_t cap = tally->cap ? tally->cap * 2 : 256;
        tally->seconds = tk_realloc(tally->seconds, cap * sizeof(*tally->seconds));
        memset(tally->seconds + tally->cap, 0, (cap - tally->cap) * sizeof(*tally->seconds));
        tally->cap = cap;
    }
    if (at >= tally->count)
        tally->count = at + 1;
    return &tally->seconds[at];
}

struct second tally_sum(const struct tally *tally, int64_t from_ms, int64_t to_ms)
{
    struct second sum = {0};
    for (size_t i = (size_t)(from_ms / 1000); i < tally->count && (int64_t)i * 1000 < to_ms; i++) {
        const struct second *s = &tally->seconds[i];
        sum.held += s->held;
        sum.confirmed += s->confirmed;
        sum.cancelled += s->cancelled;
        sum.refused += s->refused;
        sum.busy += s->busy;
        sum.unknown += s->unknown;
        sum.silent += s->silent;
        sum.broken += s->broken;
        sum.worst_us = s->worst_us > sum.worst_us ? s->worst_us : sum.worst_us;
    }
    return sum;
}

size_t tally_longest_pause(const struct tally *tally, int64_t to_ms)
{
    size_t longest = 0;
    size_t pause = 0;
    for (size_t i = 0; i < tally->count && (int64_t)i * 1000 < to_ms; i++) {
        pause = tally->seconds[i].held > 0 ? 0 : pause + 1;
        longest = pause > longest ? pause : longest;
    }
    return longest;
}

/* Least squares; seconds in which the process was down do not count. */
struct memory_trend tally_memory(const struct tally *tally, int service, int64_t to_ms)
{
    struct memory_trend trend = {0};
    size_t end = (size_t)(to_ms / 1000) < tally->count ? (size_t)(to_ms / 1000) : tally->count;
    double n = 0;
    double sum_t = 0;
    double sum_m = 0;
    double sum_tt = 0;
    double sum_tm = 0;
    for (size_t i = 0; i < end; i++) {
        int64_t kb = tally->seconds[i].memory_kb[service];
        trend.most_kb = kb > trend.most_kb ? kb : trend.most_kb;
        if (i < end / 2 || kb == 0)
            continue;
        double t = (double)i / 3600;
        n += 1;
        sum_t += t;
        sum_m += (double)kb;
        sum_tt += t * t;
        sum_tm += t * (double)kb;
    }
    double spread = n * sum_tt - sum_t * sum_t;
    trend.kb_per_hour = spread > 0 ? (n * sum_tm - sum_t * sum_m) / spread : 0;
    return trend;
}

void tally_print(const struct tally *tally, FILE *file)
{
    fputs("# second held confirmed cancelled refused busy unknown silent broken worst-ms event-svc-kB booking-svc-kB "
          "booking-worker-kB\n",
          file);
    for (size_t i = 0; i < tally->count; i++) {
        const struct second *s = &tally->seconds[i];
        fprintf(file, "%8zu %4u %9u %9u %7u %4u %7u %6u %6u %8" PRId64, i, s->held, s->confirmed, s->cancelled, s->refused,
                s->busy, s->unknown, s->silent, s->broken, s->worst_us / TK_US_PER_MS);
        for (int service = 0; service < TALLY_SERVICES; service++)
            fprintf(file, " %6" PRId64, s->memory_kb[service]);
        fputc('\n', file);
    }
}
