/*
 * How much one client may have: connections by address, requests by address and by user. The address is asked first, before
 * anything is known of the user: checking who somebody claims to be may cost more than the request itself.
 *
 * Answers carry RateLimit-Limit, -Remaining and -Reset (draft-ietf-httpapi-ratelimit-headers-06) when they refuse, and as
 * soon as less than half is left: who is far from any limit need not pay for being told.
 */
#include <stdio.h>

#include "shared/http/server_private.h"

/* --- connections --------------------------------------------------------------------------------------------------- */

static bool read_peer(struct tk_http_conn *conn)
{
    struct sockaddr_storage address;
    struct sockaddr *any = (struct sockaddr *)(void *)&address;
    return h2o_socket_getpeername(conn->sock, any) > 0 && tk_peer_from_socket(any, &conn->peer);
}

bool tk_http_count_connection(struct tk_http_conn *conn)
{
    struct tk_http_server *server = conn->server;
    conn->has_peer = read_peer(conn);
    if (!conn->has_peer)
        return true;
    const struct tk_uuid key = tk_peer_key(&conn->peer);
    size_t *count = tk_uuid_map_get(&server->per_address, &key);
    if (count == NULL) {
        count = tk_alloc(sizeof(*count));
        tk_uuid_map_put(&server->per_address, &key, count);
    }
    conn->of_address = count;
    ++*count;
    return server->config.max_connections_per_address == 0 || *count <= server->config.max_connections_per_address;
}

void tk_http_forget_connection(struct tk_http_conn *conn)
{
    if (conn->of_address == NULL || --*conn->of_address > 0)
        return;
    const struct tk_uuid key = tk_peer_key(&conn->peer);
    free(tk_uuid_map_remove(&conn->server->per_address, &key));
}

/* --- requests ------------------------------------------------------------------------------------------------------ */

static void set_number(struct tk_http_req_private *request, const char *name, int64_t value)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%lld", (long long)value);
    tk_http_set_header(&request->pub, name, text);
}

static void announce(struct tk_http_req_private *request, const struct tk_bucket_level *level)
{
    set_number(request, "ratelimit-limit", level->limit);
    set_number(request, "ratelimit-remaining", level->remaining);
    set_number(request, "ratelimit-reset", level->reset_s);
}

/** Probes, figures and what our own programs ask for are not limited. */
static bool is_limited(const struct tk_http_req_private *request)
{
    return request->server->config.limits != NULL &&
           (request->pub.route->flags & (TK_ROUTE_INTERNAL | TK_ROUTE_INSIDE | TK_ROUTE_BOTH)) == 0;
}

static bool is_read(const struct tk_http_req_private *request)
{
    return strcmp(request->pub.route->method, "GET") == 0;
}

static bool take(struct tk_http_req_private *request, enum tk_ratelimit_kind kind, const struct tk_uuid *key,
                 struct tk_bucket_level *level)
{
    if (tk_ratelimit_take(request->server->config.limits, kind, key, request->pub.received_us, level))
        return true;
    announce(request, level);
    set_number(request, "retry-after", level->retry_s);
    tk_http_problem(&request->pub, &TK_PROBLEM_RATE_LIMITED, NULL);
    return false;
}

/** False: the connection has no address, or one that is not to be limited. */
static bool find_client(const struct tk_http_req_private *request, struct tk_peer *client)
{
    const struct tk_http_config *config = &request->server->config;
    const struct tk_http_conn *conn = request->exchange->conn;
    if (!conn->has_peer)
        return false;
    *client = conn->peer;
    if (config->trusted_proxies != NULL)
        *client = tk_peer_client(config->trusted_proxies, &conn->peer, request->seen.forwarded_for);
    return config->unlimited_networks == NULL || !tk_peer_networks_have(config->unlimited_networks, client);
}

bool tk_http_check_address_limit(struct tk_http_req_private *request)
{
    struct tk_peer client;
    if (!is_limited(request) || !find_client(request, &client))
        return true;
    const struct tk_uuid key = tk_peer_key(&client);
    return take(request, is_read(request) ? TK_RATELIMIT_ADDRESS_READS : TK_RATELIMIT_ADDRESS_WRITES, &key,
                &request->address_level);
}

/** Of the two limits, the one that is nearer is worth telling. */
bool tk_http_check_user_limit(struct tk_http_req_private *request)
{
    struct tk_bucket_level user = {0};
    const struct tk_bucket_level *near = &request->address_level;
    if (!is_limited(request))
        return true;
    if (request->pub.has_user &&
        !take(request, is_read(request) ? TK_RATELIMIT_USER_READS : TK_RATELIMIT_USER_WRITES, &request->pub.user_id, &user))
        return false;
    if (user.limit > 0 && (near->limit == 0 || user.remaining < near->remaining))
        near = &user;
    if (near->remaining * 2 < near->limit)
        announce(request, near);
    return true;
}
