/*
 * Path → route, by walking each pattern and the path side by side. A service has a few dozen routes: comparing them all
 * costs less than a microsecond and needs no table to build.
 *
 * Among several matches the most literal one wins, judged from the left: each segment of the path contributes one bit, set
 * when the pattern matched it literally, and the greater number is the better match.
 */
#include "shared/http/router.h"

#include <stdio.h>
#include <string.h>

#define MAX_SEGMENTS 31

struct walk {
    struct tk_slice params[TK_HTTP_MAX_PARAMS];
    size_t param_count;
    uint32_t literal; /* bit 31 is the first segment */
};

/** Takes one character of the path, decoding %XX; a broken escape and %2F stay what they are: no literal contains them. */
static char next_char(struct tk_slice path, size_t *at)
{
    char c = path.ptr[(*at)++];
    if (c != '%' || path.len - *at < 2)
        return c;
    int high = tk_hex_value(path.ptr[*at]);
    int low = tk_hex_value(path.ptr[*at + 1]);
    char decoded = (char)(high * 16 + low);
    if (high < 0 || low < 0 || decoded == '/' || decoded == '\0')
        return c;
    *at += 2;
    return decoded;
}

/** Matches one `{…}`: `pattern` stands behind the opening brace. Returns the pattern behind the closing one, NULL if empty.
 */
static const char *take_param(const char *pattern, struct tk_slice path, size_t *at, struct walk *walk)
{
    size_t start = *at;
    while (*at < path.len && path.ptr[*at] != '/')
        ++*at;
    if (*at == start || walk->param_count == TK_HTTP_MAX_PARAMS)
        return NULL;
    walk->params[walk->param_count++] = (struct tk_slice){.ptr = path.ptr + start, .len = *at - start};
    const char *close = strchr(pattern, '}');
    return close != NULL ? close + 1 : NULL;
}

static bool match_path(const struct tk_route *route, struct tk_slice path, struct walk *walk)
{
    const char *pattern = route->path;
    size_t at = 0;
    unsigned segment = 0;
    *walk = (struct walk){0};
    while (*pattern != '\0') {
        if (*pattern == '{') {
            if ((pattern = take_param(pattern + 1, path, &at, walk)) == NULL)
                return false;
            continue;
        }
        if (at >= path.len)
            return false;
        char want = *pattern++;
        if (next_char(path, &at) != want)
            return false;
        if (want == '/' && *pattern != '{' && segment <= MAX_SEGMENTS)
            walk->literal |= UINT32_C(1) << (MAX_SEGMENTS - segment);
        segment += want == '/' ? 1 : 0;
    }
    return at == path.len || (route->flags & TK_ROUTE_PREFIX) != 0;
}

static bool match_method(const struct tk_route *route, struct tk_slice method)
{
    return tk_slice_eq_str(method, route->method) || (tk_slice_eq_str(method, "HEAD") && strcmp(route->method, "GET") == 0);
}

static bool is_listed(const char *list, const char *method)
{
    size_t len = strlen(method);
    for (const char *at = strstr(list, method); at != NULL; at = strstr(at + 1, method))
        if ((at == list || at[-1] == ' ') && (at[len] == ',' || at[len] == '\0'))
            return true;
    return false;
}

static void allow_method(char allow[64], const char *method)
{
    if (is_listed(allow, method))
        return;
    size_t used = strlen(allow);
    if (used + strlen(method) + 3 > 64)
        return;
    (void)snprintf(allow + used, 64 - used, "%s%s", used > 0 ? ", " : "", method);
}

static bool is_better(const struct tk_route *route, const struct walk *walk, const struct tk_route *best,
                      const struct walk *best_walk)
{
    if (best == NULL)
        return true;
    bool prefix = (route->flags & TK_ROUTE_PREFIX) != 0;
    bool best_prefix = (best->flags & TK_ROUTE_PREFIX) != 0;
    if (prefix != best_prefix)
        return best_prefix;
    if (prefix)
        return strlen(route->path) > strlen(best->path);
    return walk->literal > best_walk->literal;
}

static bool is_on_side(const struct tk_route *route, enum tk_router_side side)
{
    if (side == TK_ROUTER_SIDE_ANY || (route->flags & TK_ROUTE_BOTH) != 0)
        return true;
    bool inside = (route->flags & (TK_ROUTE_INTERNAL | TK_ROUTE_INSIDE)) != 0;
    return inside == (side == TK_ROUTER_SIDE_INTERNAL);
}

void tk_router_match(const struct tk_route *routes, size_t count, enum tk_router_side side, struct tk_slice method,
                     struct tk_slice path, struct tk_route_match *out)
{
    struct walk best = {0};
    struct walk walk;
    *out = (struct tk_route_match){0};
    for (size_t i = 0; i < count; i++) {
        if (!is_on_side(&routes[i], side) || !match_path(&routes[i], path, &walk))
            continue;
        if (match_method(&routes[i], method)) {
            if (is_better(&routes[i], &walk, out->route, &best)) {
                out->route = &routes[i];
                best = walk;
            }
        } else {
            allow_method(out->allow, routes[i].method);
            if (strcmp(routes[i].method, "GET") == 0)
                allow_method(out->allow, "HEAD");
        }
    }
    memcpy(out->params, best.params, sizeof(out->params));
    out->param_count = best.param_count;
    if (out->route != NULL)
        out->allow[0] = '\0';
}

void tk_router_print(const struct tk_route *routes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if ((routes[i].flags & TK_ROUTE_UNDOCUMENTED) == 0)
            printf("%s %s\n", routes[i].method, routes[i].path);
}
