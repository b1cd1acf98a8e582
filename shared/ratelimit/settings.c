/* From settings to limits. */
#include "shared/ratelimit/settings.h"

#include <string.h>

static bool read_networks(const char *env, const char *text, struct tk_peer_networks *out, FILE *complaints)
{
    const bool none = strcmp(text, "none") == 0; /* an empty setting is an unset one */
    const enum tk_err err = tk_peer_networks_parse(none ? TK_SLICE("") : tk_slice_of(text), out);
    if (err)
        (void)fprintf(complaints, "CONFIG: %s: expected at most %d addresses or networks like 192.0.2.0/24, with commas\n",
                      env, TK_PEER_NETWORKS_MAX);
    return err == TK_OK;
}

enum tk_err tk_limit_settings_check(struct tk_limit_settings *settings, FILE *complaints)
{
    bool fine = read_networks("RATE_LIMIT_EXEMPT", settings->exempt, &settings->exempt_networks, complaints);
    fine &= read_networks("TRUSTED_PROXIES", settings->trusted_proxies, &settings->proxy_networks, complaints);
    return fine ? TK_OK : TK_ERR_INVALID;
}

struct tk_ratelimit *tk_limit_settings_open(const struct tk_limit_settings *settings, struct tk_loop *loop,
                                            const char *service, struct tk_redis *redis)
{
    struct tk_ratelimit_config config = {.service = service, .redis = redis, .burst_seconds = settings->burst_seconds};
    memcpy(config.per_second, settings->per_second, sizeof(config.per_second));
    return tk_ratelimit_new(loop, &config);
}
