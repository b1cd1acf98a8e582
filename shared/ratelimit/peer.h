/**
 * Where a request comes from, as a number that can be counted by: an address of 16 bytes (IPv4 as ::ffff:a.b.c.d), lists of
 * networks, and the one hop of X-Forwarded-For that somebody we trust has seen.
 */
#ifndef TK_RATELIMIT_PEER_H
#define TK_RATELIMIT_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/id.h"
#include "shared/base/result.h"
#include "shared/base/str.h"

#define TK_PEER_NETWORKS_MAX 32

struct sockaddr;

/** Shaped like an id, so that whatever counts by user can count by address. */
struct tk_peer {
    struct tk_uuid address;
};

/** Networks as `address` or `address/bits`, separated by commas. */
struct tk_peer_networks {
    struct tk_peer_network {
        struct tk_peer base;
        unsigned bits; /* of the 128 */
    } items[TK_PEER_NETWORKS_MAX];
    size_t count;
};

/** TK_ERR_INVALID: no IPv4 or IPv6 address. A zone (`%eth0`), a port and brackets are not accepted. */
TK_MUSTCHECK enum tk_err tk_peer_parse(struct tk_slice text, struct tk_peer *out);

/** False for sockets without an address (unix). */
bool tk_peer_from_socket(const struct sockaddr *address, struct tk_peer *out);

/** An empty text is an empty list. TK_ERR_INVALID: an entry is no network; TK_ERR_LIMIT: more than fit. */
TK_MUSTCHECK enum tk_err tk_peer_networks_parse(struct tk_slice text, struct tk_peer_networks *out);
bool tk_peer_networks_have(const struct tk_peer_networks *networks, const struct tk_peer *peer);

/**
 * The client behind `peer`: itself, unless it is one of `trusted`. Then X-Forwarded-For is read from its end: each proxy of
 * ours wrote there whom it was asked by, so the last entry that is not one of ours is the client, and what stands before it
 * may be anybody's invention. An entry that is no address ends the search: the hop after it counts.
 */
struct tk_peer tk_peer_client(const struct tk_peer_networks *trusted, const struct tk_peer *peer,
                              struct tk_slice forwarded);

/** What is counted by: an IPv4 address, or the first 64 bits of an IPv6 one, since everybody has that many at hand. */
struct tk_uuid tk_peer_key(const struct tk_peer *peer);

#endif
