/*
 * Who is asking, and may they?
 *
 *   without tokens (AUTH_MODE=dev)  X-User-ID is believed, no rights are checked. One that is no UUID, or nil, is nobody's.
 *   with tokens (AUTH_MODE=jwt)     Authorization: Bearer (RFC 6750); X-User-ID is not looked at. A route that needs nobody
 *                                   does not look at the token either: browsing costs no signature.
 *
 * Internal routes are for programs, not users: they want the internal key in either mode, and nothing else.
 */
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "shared/base/clock.h"
#include "shared/http/server_private.h"

#define CHALLENGE "Bearer realm=\"ticketing\"" /* RFC 6750 section 3 */

static bool is_key(struct tk_slice given, struct tk_slice key)
{
    return key.len > 0 && given.len == key.len && CRYPTO_memcmp(given.ptr, key.ptr, key.len) == 0;
}

bool tk_http_check_internal_key(struct tk_http_req_private *request)
{
    const struct tk_http_config *config = &request->server->config;
    struct tk_slice key = tk_slice_of(config->internal_api_key);
    if ((request->pub.route->flags & TK_ROUTE_INTERNAL) == 0 || key.len == 0)
        return true;
    /* Both are compared, whatever the first comparison says: time does not tell which key it was, or how much of it. */
    const bool current = is_key(request->seen.internal_key, key);
    const bool previous = is_key(request->seen.internal_key, tk_slice_of(config->internal_api_key_previous));
    if (current | previous)
        return true;
    tk_http_problem(&request->pub, &TK_PROBLEM_FORBIDDEN, "X-Internal-Api-Key is missing or wrong");
    return false;
}

/* --- X-User-ID ------------------------------------------------------------------------------------------------------ */

/** Who is nobody may have no key in common with somebody, so a header that names no one user is refused where it counts. */
static bool wants_user(const struct tk_http_req_private *request)
{
    const struct tk_route *route = request->pub.route;
    if ((route->flags & TK_ROUTE_USER) != 0)
        return true;
    return request->seen.user_id.ptr != NULL && (route->flags & TK_ROUTE_INTERNAL) == 0 &&
           ((route->flags & TK_ROUTE_USER_IF_JWT) != 0 || strcmp(route->method, "POST") == 0);
}

static bool believe_header(struct tk_http_req_private *request)
{
    request->pub.has_user = request->seen.user_id.ptr != NULL && !request->seen.user_id_twice &&
                            tk_uuid_parse(request->seen.user_id, &request->pub.user_id) == TK_OK &&
                            !tk_uuid_is_nil(&request->pub.user_id);
    if (request->pub.has_user || !wants_user(request))
        return true;
    tk_http_problem(&request->pub, &TK_PROBLEM_NO_IDENTITY, "X-User-ID must be a UUID");
    return false;
}

/* --- bearer tokens ---------------------------------------------------------------------------------------------------- */

/** The token of `Bearer <token>`; empty when there is none, whatever else stands there. */
static struct tk_slice bearer_token(const struct tk_http_req_private *request)
{
    struct tk_slice value = request->seen.authorization;
    if (value.len < sizeof("Bearer ") || strncasecmp(value.ptr, "Bearer ", sizeof("Bearer ") - 1) != 0)
        return (struct tk_slice){NULL, 0};
    value = (struct tk_slice){.ptr = value.ptr + 7, .len = value.len - 7};
    while (value.len > 0 && value.ptr[0] == ' ')
        value = (struct tk_slice){.ptr = value.ptr + 1, .len = value.len - 1};
    return value;
}

/** `detail` is one of our constants: without quotes, and never a piece of the token. */
static bool refuse(struct tk_http_req_private *request, const struct tk_problem_kind *kind, const char *error,
                   const char *detail)
{
    char value[256];
    (void)snprintf(value, sizeof(value), CHALLENGE ", error=\"%s\", error_description=\"%s\"", error, detail);
    tk_http_set_header(&request->pub, "www-authenticate", value);
    tk_http_problem(&request->pub, kind, detail);
    return false;
}

static bool refuse_token(struct tk_http_req_private *request, const char *detail)
{
    return refuse(request, &TK_PROBLEM_INVALID_TOKEN, "invalid_token", detail);
}

static bool refuse_nobody(struct tk_http_req_private *request)
{
    tk_http_set_header(&request->pub, "www-authenticate", CHALLENGE);
    tk_http_problem(&request->pub, &TK_PROBLEM_NO_IDENTITY, "a bearer token is required");
    return false;
}

static bool refuse_scope(struct tk_http_req_private *request, unsigned missing)
{
    char value[256];
    const char *scope = tk_auth_scope_name(request->server->config.auth, missing);
    (void)snprintf(value, sizeof(value), CHALLENGE ", error=\"insufficient_scope\", scope=\"%s\"", scope);
    tk_http_set_header(&request->pub, "www-authenticate", value);
    (void)snprintf(value, sizeof(value), "the token needs the scope %s", scope);
    tk_http_problem(&request->pub, &TK_PROBLEM_INSUFFICIENT_SCOPE, value);
    return false;
}

static bool check_rights(struct tk_http_req_private *request, const struct tk_identity *identity)
{
    unsigned flags = request->pub.route->flags;
    unsigned missing = TK_ROUTE_SCOPES_OF(flags) & ~identity->scopes;
    request->pub.has_user = true;
    request->pub.user_id = identity->user_id;
    return missing == 0 || refuse_scope(request, missing);
}

static bool check_token(struct tk_http_req_private *request)
{
    unsigned flags = request->pub.route->flags;
    struct tk_slice token = bearer_token(request);
    struct tk_identity identity;
    const char *why = NULL;
    if ((flags & (TK_ROUTE_USER | TK_ROUTE_USER_IF_JWT)) == 0 && TK_ROUTE_SCOPES_OF(flags) == 0)
        return true;
    if (request->seen.authorization_twice)
        return refuse(request, &TK_HTTP_BAD_REQUEST, "invalid_request", "Authorization is given more than once");
    if (token.len == 0)
        return refuse_nobody(request);
    if (tk_auth_verify(request->server->config.auth, tk_unix_us() / TK_US_PER_S, &request->pub.arena, token, &identity,
                       &why))
        return refuse_token(request, why);
    return check_rights(request, &identity);
}

bool tk_http_check_identity(struct tk_http_req_private *request)
{
    return request->server->config.auth != NULL ? check_token(request) : believe_header(request);
}
