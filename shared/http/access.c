/*
 * What makes AUTH_MODE=jwt refuse to start: a secret everybody knows or could guess, no statement of issuer and audience,
 * and internal routes that anybody on the network could call.
 */
#include "shared/http/access.h"

#include <string.h>

#include "shared/http/address.h"
#include "shared/log/log.h"

#define API_KEY_MIN 16 /* bytes */

bool tk_access_is_jwt(const struct tk_access_settings *settings)
{
    return strcmp(settings->mode, "jwt") == 0;
}

bool tk_access_is_real_secret(const char *secret)
{
    return strlen(secret) >= TK_KEY_SECRET_MIN && strstr(secret, "local-development") == NULL &&
           strstr(secret, "change-me") == NULL;
}

static bool complain(FILE *out, bool fine, const char *text)
{
    if (!fine)
        fprintf(out, "CONFIG: %s\n", text);
    return fine;
}

static bool check_keys(const struct tk_access_settings *s, FILE *out)
{
    bool secret = s->jwt_secret[0] != '\0';
    bool file = s->jwt_keys_file[0] != '\0';
    if (!complain(out, secret || file, "JWT_SECRET: AUTH_MODE=jwt needs it, or a file of keys") ||
        !complain(out, !(secret && file), "JWT_KEYS_FILE: not together with a shared secret"))
        return false;
    return complain(out, file || tk_access_is_real_secret(s->jwt_secret),
                    "JWT_SECRET: expected 32 bytes at least, and none of the examples");
}

/** A second key is for the time in which the first one changes; alone it would look like a lock and be none. */
static bool check_second_key(const struct tk_access_settings *s, FILE *out)
{
    size_t len = strlen(s->internal_api_key_previous);
    return complain(out, len == 0 || s->internal_api_key[0] != '\0',
                    "INTERNAL_API_KEY_PREVIOUS: only together with INTERNAL_API_KEY") &&
           complain(out, !tk_access_is_jwt(s) || len == 0 || len >= API_KEY_MIN,
                    "INTERNAL_API_KEY_PREVIOUS: expected 16 bytes at least");
}

static bool check_internal(const struct tk_access_settings *s, const struct tk_http_address *bind, FILE *out)
{
    size_t len = strlen(s->internal_api_key);
    bool hidden = s->internal_bind[0] != '\0' && tk_http_address_is_local(bind);
    return complain(
               out, len > 0 || hidden,
               "INTERNAL_API_KEY: AUTH_MODE=jwt needs it, unless internal routes have a local listener of their own") &&
           complain(out, len == 0 || len >= API_KEY_MIN, "INTERNAL_API_KEY: expected 16 bytes at least");
}

enum tk_err tk_access_check(const struct tk_access_settings *s, FILE *out)
{
    struct tk_http_address bind = {0};
    bool fine = s->internal_bind[0] == '\0' || tk_http_address_parse(s->internal_bind, &bind) == TK_OK;
    fine = complain(out, fine, "INTERNAL_BIND: expected host:port or unix:/path");
    fine &= check_second_key(s, out);
    if (tk_access_is_jwt(s) && fine) {
        fine = check_keys(s, out);
        fine &= complain(out, s->jwt_issuer[0] != '\0', "JWT_ISSUER: AUTH_MODE=jwt needs it");
        fine &= complain(out, s->jwt_audience[0] != '\0', "JWT_AUDIENCE: AUTH_MODE=jwt needs it");
        fine &= check_internal(s, &bind, out);
    }
    return fine ? TK_OK : TK_ERR_INVALID;
}

enum tk_err tk_access_open(const struct tk_access_settings *s, const char *service, const char *const *scopes,
                           struct tk_auth **out)
{
    *out = NULL;
    if (s->internal_api_key[0] == '\0')
        tk_log(TK_LOG_WARNING, "internal routes are open: INTERNAL_API_KEY is not set", TK_KV_STR("service", service),
               TK_KV_STR("listener", s->internal_bind[0] != '\0' ? s->internal_bind : "public"));
    if (s->internal_api_key_previous[0] != '\0')
        tk_log(TK_LOG_WARNING, "two internal keys are accepted: INTERNAL_API_KEY_PREVIOUS is set",
               TK_KV_STR("service", service));
    if (!tk_access_is_jwt(s)) {
        tk_log(TK_LOG_WARNING,
               "AUTH_MODE=dev: X-User-ID is trusted as it comes and no rights are checked; not for production",
               TK_KV_STR("service", service));
        return TK_OK;
    }
    const struct tk_auth_config config = {
        .secret = s->jwt_secret,
        .keys_file = s->jwt_keys_file,
        .rules = {.issuer = s->jwt_issuer, .audience = s->jwt_audience, .leeway_s = s->jwt_leeway_s, .scopes = scopes},
        .cache_tokens = (size_t)s->jwt_cache_tokens,
    };
    return tk_auth_open(&config, out);
}
