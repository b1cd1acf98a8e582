/*
 * Redis URLs.
 */
#include "shared/redis/url.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "shared/base/str.h"

#define DEFAULT_PORT 6379

static bool copy(char *out, size_t cap, const char *from, size_t len)
{
    if (len >= cap)
        return false;
    memcpy(out, from, len);
    out[len] = '\0';
    return true;
}

/** Passwords with `@` or `/` in them arrive percent-encoded. */
static bool copy_decoded(char *out, size_t cap, const char *from, size_t len)
{
    size_t used = 0;
    for (size_t i = 0; i < len; i++) {
        char c = from[i];
        if (c == '%' && len - i > 2 && tk_hex_value(from[i + 1]) >= 0 && tk_hex_value(from[i + 2]) >= 0) {
            c = (char)(tk_hex_value(from[i + 1]) * 16 + tk_hex_value(from[i + 2]));
            i += 2;
        }
        if (used + 1 >= cap || c == '\0')
            return false;
        out[used++] = c;
    }
    out[used] = '\0';
    return true;
}

static bool parse_credentials(const char *text, size_t len, struct tk_redis_url *out)
{
    const char *colon = memchr(text, ':', len);
    if (colon == NULL)
        return copy_decoded(out->password, sizeof(out->password), text, len);
    size_t user_len = (size_t)(colon - text);
    return copy_decoded(out->user, sizeof(out->user), text, user_len) &&
           copy_decoded(out->password, sizeof(out->password), colon + 1, len - user_len - 1);
}

static bool parse_number(const char *text, size_t len, int64_t max, int64_t *out)
{
    return tk_parse_i64((struct tk_slice){.ptr = text, .len = len}, out) == TK_OK && *out >= 0 && *out <= max;
}

static bool parse_address(const char *text, size_t len, struct tk_redis_url *out)
{
    int64_t port = DEFAULT_PORT;
    const char *close = len > 0 && text[0] == '[' ? memchr(text, ']', len) : NULL; /* [::1]:6379 */
    size_t from = close != NULL ? (size_t)(close - text) : 0;
    const char *colon = memchr(text + from, ':', len - from);
    size_t host_len = colon != NULL ? (size_t)(colon - text) : len;
    if (colon != NULL && (!parse_number(colon + 1, len - host_len - 1, 65535, &port) || port == 0))
        return false;
    out->port = (uint16_t)port;
    if (close != NULL)
        return copy(out->host, sizeof(out->host), text + 1, (size_t)(close - text) - 1);
    return host_len > 0 && copy(out->host, sizeof(out->host), text, host_len);
}

static bool parse_db(const char *text, struct tk_redis_url *out)
{
    int64_t db = 0;
    if (text[0] == '\0')
        return true;
    return parse_number(text, strlen(text), 9999, &db) && copy(out->db, sizeof(out->db), text, strlen(text));
}

static bool parse_tcp(const char *rest, struct tk_redis_url *out)
{
    size_t len = strcspn(rest, "/?#");
    const char *at = memrchr(rest, '@', len);
    size_t skip = at != NULL ? (size_t)(at - rest) + 1 : 0;
    if (at != NULL && !parse_credentials(rest, skip - 1, out))
        return false;
    if (!parse_address(rest + skip, len - skip, out))
        return false;
    (void)snprintf(out->label, sizeof(out->label), "%s:%u", out->host, (unsigned)out->port);
    return rest[len] == '\0' || (rest[len] == '/' && parse_db(rest + len + 1, out));
}

enum tk_err tk_redis_url_parse(const char *url, struct tk_redis_url *out)
{
    bool good = false;
    *out = (struct tk_redis_url){.port = DEFAULT_PORT};
    if (url != NULL && strncmp(url, "redis://", 8) == 0) {
        good = parse_tcp(url + 8, out);
    } else if (url != NULL && strncmp(url, "unix:///", 8) == 0) {
        good = url[8] != '\0' && copy(out->path, sizeof(out->path), url + 7, strlen(url + 7));
        (void)snprintf(out->label, sizeof(out->label), "%s", out->path);
    }
    return good ? TK_OK : TK_ERR_INVALID;
}
