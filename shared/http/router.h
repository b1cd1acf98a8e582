/**
 * Path → route. Pure: no I/O, no h2o. Segments are compared after percent-decoding; a trailing slash is not ignored;
 * literal segments win over {…}; routes with TK_ROUTE_PREFIX match last.
 */
#ifndef TK_HTTP_ROUTER_H
#define TK_HTTP_ROUTER_H

#include "shared/http/server.h"

struct tk_route_match {
    const struct tk_route *route;               /* NULL: see `allow` */
    struct tk_slice params[TK_HTTP_MAX_PARAMS]; /* raw segments, pointing into the path */
    size_t param_count;
    char allow[64]; /* when the path exists with other methods: value of the Allow header; "" means 404 */
};

/** Through which door a request came. */
enum tk_router_side {
    TK_ROUTER_SIDE_ANY, /* there is only one */
    TK_ROUTER_SIDE_PUBLIC,
    TK_ROUTER_SIDE_INTERNAL,
};

/** `method` as received; HEAD matches GET routes, OPTIONS is answered by 405 like any other unknown method. Rows of
 * the other side do not exist. */
void tk_router_match(const struct tk_route *routes, size_t count, enum tk_router_side side, struct tk_slice method,
                     struct tk_slice path, struct tk_route_match *out);

/** Prints one `METHOD path` line per documented route, sorted as in the table; the API document test reads it. */
void tk_router_print(const struct tk_route *routes, size_t count);

#endif
