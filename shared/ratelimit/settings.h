/**
 * The settings of every service that has clients: how much one user, one address and one connection may ask for. A service
 * includes the rows in its table, and struct tk_limit_settings in its configuration.
 */
#ifndef TK_RATELIMIT_SETTINGS_H
#define TK_RATELIMIT_SETTINGS_H

#include <stdio.h>

#include "shared/config/config.h"
#include "shared/ratelimit/peer.h"
#include "shared/ratelimit/ratelimit.h"

struct tk_limit_settings {
    int64_t per_second[TK_RATELIMIT_KINDS];
    int64_t burst_seconds;
    int64_t connections_per_address;
    const char *exempt;
    const char *trusted_proxies;
    struct tk_peer_networks exempt_networks; /* parsed by tk_limit_settings_check() */
    struct tk_peer_networks proxy_networks;
};

#define TK_LIMIT_RATE(env, at, kind, standard, help)                                                                       \
    {                                                                                                                      \
        env, TK_SETTING_INT, (at) + offsetof(struct tk_limit_settings, per_second) + (kind) * sizeof(int64_t), standard,   \
            0, 1000000, "requests/s", help, 0                                                                              \
    }
#define TK_LIMIT_MEMBER(at, name) ((at) + offsetof(struct tk_limit_settings, name))

/** `at`: offset of the struct tk_limit_settings in the service's configuration. */
#define TK_LIMIT_SETTINGS(at)                                                                                              \
    TK_LIMIT_RATE("RATE_LIMIT_USER_WRITES", at, TK_RATELIMIT_USER_WRITES, "20",                                            \
                  "Requests that change something, per user; 0: any number."),                                             \
        TK_LIMIT_RATE("RATE_LIMIT_USER_READS", at, TK_RATELIMIT_USER_READS, "100",                                         \
                      "Requests that read, per user; 0: any number."),                                                     \
        TK_LIMIT_RATE("RATE_LIMIT_ADDRESS_WRITES", at, TK_RATELIMIT_ADDRESS_WRITES, "10000",                               \
                      "Requests that change something, per client address, which may be a stadium's; 0: any number."),     \
        TK_LIMIT_RATE("RATE_LIMIT_ADDRESS_READS", at, TK_RATELIMIT_ADDRESS_READS, "50000",                                 \
                      "Requests that read, per client address; 0: any number."),                                           \
        {"RATE_LIMIT_BURST_SECONDS",                                                                                       \
         TK_SETTING_INT,                                                                                                   \
         TK_LIMIT_MEMBER(at, burst_seconds),                                                                               \
         "10",                                                                                                             \
         1,                                                                                                                \
         3600,                                                                                                             \
         "s",                                                                                                              \
         "Who was quiet for so long may ask for all of it at once.",                                                       \
         0},                                                                                                               \
        {"RATE_LIMIT_EXEMPT",                                                                                              \
         TK_SETTING_TEXT,                                                                                                  \
         TK_LIMIT_MEMBER(at, exempt),                                                                                      \
         "127.0.0.0/8,::1",                                                                                                \
         0,                                                                                                                \
         1024,                                                                                                             \
         "",                                                                                                               \
         "Addresses and networks not limited by address, separated by commas; `none`: there are none.",                    \
         0},                                                                                                               \
        {"TRUSTED_PROXIES",                                                                                                \
         TK_SETTING_TEXT,                                                                                                  \
         TK_LIMIT_MEMBER(at, trusted_proxies),                                                                             \
         "",                                                                                                               \
         0,                                                                                                                \
         1024,                                                                                                             \
         "",                                                                                                               \
         "Addresses and networks whose X-Forwarded-For says who the client is; empty: it is ignored.",                     \
         0},                                                                                                               \
    {                                                                                                                      \
        "MAX_CONNECTIONS_PER_ADDRESS", TK_SETTING_INT, TK_LIMIT_MEMBER(at, connections_per_address), "10000", 0, 1000000,  \
            "", "Connections of one client address at a time; more are closed at once; 0: no limit of its own.", 0         \
    }

/** Reads the two lists; complains like the table does. */
TK_MUSTCHECK enum tk_err tk_limit_settings_check(struct tk_limit_settings *settings, FILE *complaints);

/** The limits as they were set. `redis` may be NULL. */
struct tk_ratelimit *tk_limit_settings_open(const struct tk_limit_settings *settings, struct tk_loop *loop,
                                            const char *service, struct tk_redis *redis);

#endif
