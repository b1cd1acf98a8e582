/**
 * The settings that decide who may, the same in both services: rows for their tables, the checks that need more than one
 * of them, and the word at start about what is open.
 */
#ifndef TK_HTTP_ACCESS_H
#define TK_HTTP_ACCESS_H

#include <stdio.h>

#include "shared/auth/auth.h"
#include "shared/config/config.h"

struct tk_access_settings {
    const char *mode; /* "dev" or "jwt" */
    const char *jwt_secret;
    const char *jwt_keys_file;
    const char *jwt_issuer;
    const char *jwt_audience;
    int64_t jwt_leeway_s;
    int64_t jwt_cache_tokens;
    const char *internal_api_key;
    const char *internal_api_key_previous; /* accepted, never sent */
    const char *internal_bind;
};

#define TK_ACCESS_ROW(env, type, base, member, fallback, min, max, unit, help, secret)                                     \
    {                                                                                                                      \
        env, type, (base) + offsetof(struct tk_access_settings, member), fallback, min, max, unit, help, secret            \
    }
#define TK_ACCESS_TEXT(env, base, member, max, help, secret)                                                               \
    TK_ACCESS_ROW(env, TK_SETTING_TEXT, base, member, "", 0, max, "", help, secret)

/** Rows of the table. `base`: offset of the struct tk_access_settings in the program's configuration. */
#define TK_ACCESS_SETTINGS(base)                                                                                           \
    TK_ACCESS_TEXT(                                                                                                        \
        "INTERNAL_API_KEY", base, internal_api_key, 255,                                                                   \
        "Internal routes require it as X-Internal-Api-Key, and calls to other services carry it; empty: they are open.",   \
        1),                                                                                                                \
        TK_ACCESS_TEXT("INTERNAL_API_KEY_PREVIOUS", base, internal_api_key_previous, 255,                                  \
                       "While the key changes: a second one that internal routes accept; calls never carry it.", 1),       \
        TK_ACCESS_TEXT(                                                                                                    \
            "INTERNAL_BIND", base, internal_bind, 300,                                                                     \
            "Listener of its own for internal routes and /metrics, host:port or unix:/path; empty: they are on PORT.", 0), \
        TK_ACCESS_ROW("AUTH_MODE", TK_SETTING_CHOICE, base, mode, "dev", 0, 0, "dev|jwt",                                  \
                      "dev trusts X-User-ID and checks no rights; jwt wants bearer tokens, see docs/SECURITY.md.", 0),     \
        TK_ACCESS_TEXT("JWT_SECRET", base, jwt_secret, 1024, "jwt: shared secret of HS256 tokens, 32 bytes at least.", 1), \
        TK_ACCESS_TEXT("JWT_KEYS_FILE", base, jwt_keys_file, 1024,                                                         \
                       "jwt: instead of JWT_SECRET, a PEM file with one public key or a JWKS file; read again on SIGHUP.", \
                       0),                                                                                                 \
        TK_ACCESS_TEXT("JWT_ISSUER", base, jwt_issuer, 1024, "jwt: iss of accepted tokens.", 0),                           \
        TK_ACCESS_TEXT("JWT_AUDIENCE", base, jwt_audience, 1024, "jwt: aud of accepted tokens, or one of theirs.", 0),     \
        TK_ACCESS_ROW("JWT_LEEWAY_SECONDS", TK_SETTING_INT, base, jwt_leeway_s, "30", 0, 300, "s",                         \
                      "jwt: how far the issuer's clock may be from ours, for exp and nbf.", 0),                            \
        TK_ACCESS_ROW("JWT_CACHE_TOKENS", TK_SETTING_INT, base, jwt_cache_tokens, "65536", 0, 10000000, "tokens",          \
                      "jwt: verified tokens remembered until they expire, 64 bytes each; 0: none.", 0)

/** Complains with one `CONFIG:` line per problem. */
TK_MUSTCHECK enum tk_err tk_access_check(const struct tk_access_settings *settings, FILE *complaints);

/** True for a secret that is as long as it should be and does not come from our own examples. */
bool tk_access_is_real_secret(const char *secret);

bool tk_access_is_jwt(const struct tk_access_settings *settings);

/**
 * Says loudly what is open, then reads the keys. `*out` is NULL with AUTH_MODE=dev; `scopes` as in struct tk_token_rules.
 * TK_ERR_INVALID: there is no usable key; logged.
 */
TK_MUSTCHECK enum tk_err tk_access_open(const struct tk_access_settings *settings, const char *service,
                                        const char *const *scopes, struct tk_auth **out);

#endif
