#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "shared/http/router.h"

static void nobody(struct tk_http_req *req)
{
    (void)req;
}

static const struct tk_route ROUTES[] = {
    {"GET", "/", nobody, 0, 0, NULL},
    {"GET", "/things", nobody, 0, 0, NULL},
    {"POST", "/things", nobody, 0, 0, NULL},
    {"GET", "/things/{id}", nobody, 0, 0, NULL},
    {"DELETE", "/things/{id}", nobody, 0, 0, NULL},
    {"GET", "/things/best", nobody, 0, 0, NULL},
    {"PATCH", "/things/special", nobody, 0, 0, NULL},
    {"GET", "/things/{id}/parts/{part}", nobody, 0, 0, NULL},
    {"GET", "/things/{id}/parts/main", nobody, 0, 0, NULL},
    {"GET", "/{kind}/best/parts/main", nobody, 0, 0, NULL},
    {"GET", "/a/{x}/{y}/{z}", nobody, 0, 0, NULL},
    {"GET", "/files/", nobody, TK_ROUTE_PREFIX | TK_ROUTE_UNDOCUMENTED, 0, NULL},
    {"GET", "/files/deep/", nobody, TK_ROUTE_PREFIX | TK_ROUTE_UNDOCUMENTED, 0, NULL},
    {"GET", "/files/index", nobody, 0, 0, NULL},
};

#define COUNT (sizeof(ROUTES) / sizeof(ROUTES[0]))

struct expectation {
    const char *method;
    const char *path;
    int route;                   /* index, -1: none */
    const char *allow_or_params; /* params joined by a bar */
};

static const struct expectation EXPECTATIONS[] = {
    {"GET", "/", 0, ""},
    {"GET", "/things", 1, ""},
    {"HEAD", "/things", 1, ""},
    {"POST", "/things", 2, ""},
    {"GET", "/things/7", 3, "7"},
    {"GET", "/things/%37%2f", 3, "%37%2f"},
    {"GET", "/things/best", 5, ""},
    {"GET", "/things/%62est", 5, ""},
    {"GET", "/things/bes", 3, "bes"},
    {"GET", "/things/bestest", 3, "bestest"},
    {"GET", "/things/special", 3, "special"},
    {"DELETE", "/things/best", 4, "best"},
    {"GET", "/things/7/parts/9", 7, "7|9"},
    {"GET", "/things/7/parts/main", 8, "7"},
    {"GET", "/things/best/parts/main", 8, "best"},
    {"GET", "/other/best/parts/main", 9, "other"},
    {"GET", "/a/1/2/3", 10, "1|2|3"},
    {"GET", "/files/", 11, ""},
    {"GET", "/files/x/y", 11, ""},
    {"GET", "/files/deep/x", 12, ""},
    {"GET", "/files/index", 13, ""},
    {"PUT", "/things/7", -1, "GET, HEAD, DELETE"},
    {"PUT", "/things/special", -1, "GET, HEAD, DELETE, PATCH"},
    {"HEAD", "/things/7/none", -1, ""},
    {"OPTIONS", "/things", -1, "GET, HEAD, POST"},
    {"get", "/things", -1, "GET, HEAD, POST"},
    {"GET", "", -1, ""},
    {"GET", "things", -1, ""},
    {"GET", "/things/", -1, ""},
    {"GET", "//things", -1, ""},
    {"GET", "/things//parts/9", -1, ""},
    {"GET", "/things/7/parts/", -1, ""},
    {"GET", "/things%2f7", -1, ""},
    {"GET", "/things%00", -1, ""},
    {"GET", "/things%", -1, ""},
    {"GET", "/things%7", -1, ""},
    {"GET", "/files", -1, ""},
};

Test(http_router, matches_as_the_table_says)
{
    for (size_t i = 0; i < sizeof(EXPECTATIONS) / sizeof(EXPECTATIONS[0]); i++) {
        const struct expectation *e = &EXPECTATIONS[i];
        struct tk_route_match match;
        char joined[128] = "";
        tk_router_match(ROUTES, COUNT, TK_ROUTER_SIDE_ANY, tk_slice_of(e->method), tk_slice_of(e->path), &match);
        for (size_t p = 0; p < match.param_count; p++) {
            size_t used = strlen(joined);
            (void)snprintf(joined + used, sizeof(joined) - used, "%s%.*s", p > 0 ? "|" : "", (int)match.params[p].len,
                           match.params[p].ptr);
        }
        int route = match.route != NULL ? (int)(match.route - ROUTES) : -1;
        cr_expect_eq(route, e->route, "%s %s: route %d instead of %d", e->method, e->path, route, e->route);
        cr_expect_str_eq(route >= 0 ? joined : match.allow, e->allow_or_params, "%s %s", e->method, e->path);
    }
}

Test(http_router, allow_never_overflows)
{
    static const struct tk_route many[] = {
        {"AAAAAAAAAAAAAAAAAAAA", "/", nobody, 0, 0, NULL},
        {"BBBBBBBBBBBBBBBBBBBB", "/", nobody, 0, 0, NULL},
        {"CCCCCCCCCCCCCCCCCCCC", "/", nobody, 0, 0, NULL},
        {"DDDDDDDDDDDDDDDDDDDD", "/", nobody, 0, 0, NULL},
    };
    struct tk_route_match match;
    tk_router_match(many, 4, TK_ROUTER_SIDE_ANY, TK_SLICE("GET"), TK_SLICE("/"), &match);
    cr_assert_null(match.route);
    cr_assert_lt(strlen(match.allow), sizeof(match.allow));
}

/** Random paths over the alphabet that matters: no crash, and every parameter lies inside the path. */
Test(http_router, random_paths_stay_in_bounds)
{
    static const char ALPHABET[] = "/%2f7{}thingsa.";
    unsigned seed = 1;
    for (int round = 0; round < 200000; round++) {
        char path[24];
        size_t len = (size_t)rand_r(&seed) % sizeof(path);
        for (size_t i = 0; i < len; i++)
            path[i] = i == 0 ? '/' : ALPHABET[(size_t)rand_r(&seed) % (sizeof(ALPHABET) - 1)];
        char *exact = malloc(len + 1); /* so that the sanitizer sees a read behind the end */
        memcpy(exact, path, len);
        struct tk_route_match match;
        tk_router_match(ROUTES, COUNT, TK_ROUTER_SIDE_ANY, TK_SLICE("GET"), (struct tk_slice){exact, len}, &match);
        for (size_t p = 0; p < match.param_count; p++)
            cr_assert(match.params[p].ptr >= exact && match.params[p].ptr + match.params[p].len <= exact + len);
        free(exact);
    }
}
