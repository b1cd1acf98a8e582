/**
 * Host name → numeric address without blocking the loop: hiredis resolves names inside its connect call, and a name server
 * that does not answer would hold up every request. h2o's lookup thread does the waiting.
 */
#ifndef TK_REDIS_RESOLVE_H
#define TK_REDIS_RESOLVE_H

#include "shared/loop/loop.h"

struct tk_resolver;

/** `address` is numeric, or NULL when the name has none; valid during the call. */
typedef void tk_resolver_fn(void *arg, const char *address);

/** Never NULL. Lives as long as the process. One thread opens resolvers. */
struct tk_resolver *tk_resolver_open(struct tk_loop *loop);

/**
 * Looks up `host`, IPv4 first. `fn` runs once, later or, for a numeric `host`, now. One lookup at a time; it has no
 * deadline of its own: cancel it.
 */
void tk_resolver_start(struct tk_resolver *resolver, const char *host, tk_resolver_fn *fn, void *arg);
void tk_resolver_cancel(struct tk_resolver *resolver); /* harmless when none is running */

#endif
