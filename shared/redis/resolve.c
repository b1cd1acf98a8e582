/*
 * Host name → numeric address, on h2o's lookup thread.
 */
#include "shared/redis/resolve.h"

#include <assert.h>
#include <h2o/hostinfo.h>
#include <h2o/multithread.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/mem.h"

struct tk_resolver {
    struct tk_resolver *next; /* all there are, so that none is lost */
    h2o_multithread_queue_t *queue;
    h2o_multithread_receiver_t receiver;
    h2o_hostinfo_getaddr_req_t *running;
    tk_resolver_fn *fn;
    void *arg;
};

/* Never freed: the lookup thread may send to a receiver long after its lookup was cancelled. */
static struct tk_resolver *all;

struct tk_resolver *tk_resolver_open(struct tk_loop *loop)
{
    struct tk_resolver *resolver = tk_alloc(sizeof(*resolver));
    resolver->next = all;
    all = resolver;
    resolver->queue = h2o_multithread_create_queue(tk_loop_h2o(loop));
    h2o_multithread_register_receiver(resolver->queue, &resolver->receiver, h2o_hostinfo_getaddr_receiver);
    return resolver;
}

/** Not a random one of them, as h2o would: "localhost" has two addresses and servers often listen on one. */
static const struct addrinfo *choose(const struct addrinfo *list)
{
    for (const struct addrinfo *at = list; at != NULL; at = at->ai_next)
        if (at->ai_family == AF_INET)
            return at;
    return list;
}

static void on_found(h2o_hostinfo_getaddr_req_t *req, const char *error, struct addrinfo *list, void *arg)
{
    struct tk_resolver *resolver = arg;
    char numeric[NI_MAXHOST];
    (void)req;
    resolver->running = NULL;
    const struct addrinfo *chosen = error == NULL ? choose(list) : NULL;
    bool good = chosen != NULL &&
                getnameinfo(chosen->ai_addr, chosen->ai_addrlen, numeric, sizeof(numeric), NULL, 0, NI_NUMERICHOST) == 0;
    resolver->fn(resolver->arg, good ? numeric : NULL);
}

static bool is_numeric(const char *host)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST};
    struct addrinfo *list = NULL;
    if (getaddrinfo(host, NULL, &hints, &list) != 0)
        return false;
    freeaddrinfo(list);
    return true;
}

void tk_resolver_start(struct tk_resolver *resolver, const char *host, tk_resolver_fn *fn, void *arg)
{
    assert(resolver->running == NULL);
    if (is_numeric(host)) {
        fn(arg, host);
        return;
    }
    resolver->fn = fn;
    resolver->arg = arg;
    resolver->running =
        h2o_hostinfo_getaddr(&resolver->receiver, h2o_iovec_init(host, strlen(host)), h2o_iovec_init(H2O_STRLIT("0")),
                             AF_UNSPEC, SOCK_STREAM, IPPROTO_TCP, AI_ADDRCONFIG | AI_NUMERICSERV, on_found, resolver);
}

void tk_resolver_cancel(struct tk_resolver *resolver)
{
    if (resolver->running != NULL)
        h2o_hostinfo_getaddr_cancel(resolver->running);
    resolver->running = NULL;
}
