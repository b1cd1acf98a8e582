/*
 * Addresses of internal listeners.
 */
#include "shared/http/address.h"

#include <arpa/inet.h>
#include <string.h>

#include "shared/base/str.h"

const char *tk_http_unix_path(const char *url)
{
    size_t prefix = sizeof(TK_HTTP_UNIX_PREFIX) - 1;
    return strncmp(url, TK_HTTP_UNIX_PREFIX, prefix) == 0 && url[prefix] == '/' ? url + prefix : NULL;
}

static enum tk_err parse_unix(const char *path, struct tk_http_address *out)
{
    size_t len = strlen(path);
    if (len < 2 || len >= sizeof(out->path))
        return TK_ERR_INVALID;
    out->is_unix = true;
    memcpy(out->path, path, len + 1);
    return TK_OK;
}

static enum tk_err parse_port(const char *text, uint16_t *out)
{
    int64_t port;
    if (tk_parse_i64(tk_slice_of(text), &port) || port < 0 || port > UINT16_MAX)
        return TK_ERR_INVALID;
    *out = (uint16_t)port;
    return TK_OK;
}

enum tk_err tk_http_address_parse(const char *text, struct tk_http_address *out)
{
    *out = (struct tk_http_address){0};
    const char *path = tk_http_unix_path(text);
    if (path != NULL)
        return parse_unix(path, out);
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon == text || parse_port(colon + 1, &out->port))
        return TK_ERR_INVALID;
    struct tk_slice host = {.ptr = text, .len = (size_t)(colon - text)};
    bool bracketed = host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
    if (bracketed)
        host = (struct tk_slice){.ptr = host.ptr + 1, .len = host.len - 2};
    if (host.len == 0 || host.len >= sizeof(out->host) || (!bracketed && memchr(host.ptr, ':', host.len) != NULL) ||
        memchr(host.ptr, '/', host.len) != NULL)
        return TK_ERR_INVALID;
    memcpy(out->host, host.ptr, host.len);
    return TK_OK;
}

bool tk_http_address_is_local(const struct tk_http_address *address)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (address->is_unix || strcmp(address->host, "localhost") == 0)
        return true;
    if (inet_pton(AF_INET, address->host, &v4) == 1)
        return (ntohl(v4.s_addr) >> 24) == 127;
    return inet_pton(AF_INET6, address->host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}
