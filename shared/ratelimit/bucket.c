/* Token buckets. */
#include "shared/ratelimit/bucket.h"

#define NS_PER_S INT64_C(1000000000)

struct tk_bucket_rule tk_bucket_rule(int64_t per_second, int64_t burst_seconds)
{
    if (per_second == 0)
        return (struct tk_bucket_rule){0};
    return (struct tk_bucket_rule){.cost_ns = NS_PER_S / per_second,
                                   .window_ns = NS_PER_S / per_second * per_second * burst_seconds};
}

static int64_t missing_ns(int64_t full_at_ns, int64_t now_ns)
{
    return full_at_ns > now_ns ? full_at_ns - now_ns : 0;
}

bool tk_bucket_take(const struct tk_bucket_rule *rule, int64_t *full_at_ns, int64_t now_ns)
{
    const int64_t missing = missing_ns(*full_at_ns, now_ns);
    if (missing + rule->cost_ns > rule->window_ns)
        return false;
    *full_at_ns = now_ns + missing + rule->cost_ns;
    return true;
}

static int64_t seconds_up(int64_t ns)
{
    return (ns + NS_PER_S - 1) / NS_PER_S;
}

struct tk_bucket_level tk_bucket_level(const struct tk_bucket_rule *rule, int64_t full_at_ns, int64_t now_ns)
{
    const int64_t missing = missing_ns(full_at_ns, now_ns);
    const int64_t left = rule->window_ns - missing;
    return (struct tk_bucket_level){
        .limit = rule->window_ns / rule->cost_ns,
        .remaining = left > 0 ? left / rule->cost_ns : 0,
        .reset_s = seconds_up(missing),
        .retry_s = left < rule->cost_ns ? seconds_up(rule->cost_ns - left) : 0,
    };
}
