/* Addresses and networks. */
#include "shared/ratelimit/peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define ADDRESS_BITS   128
#define V4_PREFIX      12 /* bytes of ::ffff:0:0/96 */
#define V6_PREFIX_KEPT 8  /* bytes: a customer's network */

static struct tk_peer from_v4(const void *bytes)
{
    struct tk_peer peer = {0};
    peer.address.bytes[10] = peer.address.bytes[11] = 0xff;
    memcpy(peer.address.bytes + V4_PREFIX, bytes, 4);
    return peer;
}

static bool is_v4(const struct tk_peer *peer)
{
    static const uint8_t prefix[V4_PREFIX] = {[10] = 0xff, [11] = 0xff};
    return memcmp(peer->address.bytes, prefix, sizeof(prefix)) == 0;
}

enum tk_err tk_peer_parse(struct tk_slice text, struct tk_peer *out)
{
    char copy[INET6_ADDRSTRLEN];
    uint8_t v4[4];
    if (text.len == 0 || text.len >= sizeof(copy) || memchr(text.ptr, '\0', text.len) != NULL)
        return TK_ERR_INVALID;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    if (inet_pton(AF_INET, copy, v4) == 1) {
        *out = from_v4(v4);
        return TK_OK;
    }
    return inet_pton(AF_INET6, copy, out->address.bytes) == 1 ? TK_OK : TK_ERR_INVALID;
}

bool tk_peer_from_socket(const struct sockaddr *address, struct tk_peer *out)
{
    if (address->sa_family == AF_INET) {
        *out = from_v4(&((const struct sockaddr_in *)(const void *)address)->sin_addr);
        return true;
    }
    if (address->sa_family != AF_INET6)
        return false;
    memcpy(out->address.bytes, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr,
           sizeof(out->address.bytes));
    return true;
}

/* --- networks ------------------------------------------------------------------------------------------------------ */

static enum tk_err parse_network(struct tk_slice text, struct tk_peer_network *out)
{
    const char *slash = memchr(text.ptr, '/', text.len);
    const size_t address_len = slash != NULL ? (size_t)(slash - text.ptr) : text.len;
    int64_t bits = 0;
    if (tk_peer_parse((struct tk_slice){text.ptr, address_len}, &out->base))
        return TK_ERR_INVALID;
    const int64_t width = is_v4(&out->base) ? 32 : ADDRESS_BITS;
    if (slash == NULL)
        bits = width;
    else if (tk_parse_i64((struct tk_slice){slash + 1, text.len - address_len - 1}, &bits))
        return TK_ERR_INVALID;
    if (bits < 0 || bits > width)
        return TK_ERR_INVALID;
    out->bits = (unsigned)(bits + ADDRESS_BITS - width);
    return TK_OK;
}

/** Cuts the last entry off; false when there is none. */
static bool pop_entry(struct tk_slice *list, struct tk_slice *entry)
{
    if (list->len == 0)
        return false;
    size_t start = list->len;
    while (start > 0 && list->ptr[start - 1] != ',')
        start--;
    *entry = tk_slice_trim((struct tk_slice){list->ptr + start, list->len - start});
    list->len = start > 0 ? start - 1 : 0;
    return true;
}

enum tk_err tk_peer_networks_parse(struct tk_slice text, struct tk_peer_networks *out)
{
    struct tk_slice entry;
    *out = (struct tk_peer_networks){.count = 0};
    text = tk_slice_trim(text);
    while (pop_entry(&text, &entry)) {
        if (out->count == TK_PEER_NETWORKS_MAX)
            return TK_ERR_LIMIT;
        if (parse_network(entry, &out->items[out->count++]))
            return TK_ERR_INVALID;
    }
    return TK_OK;
}

static bool contains(const struct tk_peer_network *network, const struct tk_peer *peer)
{
    const size_t whole = network->bits / 8;
    const unsigned rest = network->bits % 8;
    if (memcmp(network->base.address.bytes, peer->address.bytes, whole) != 0)
        return false;
    return rest == 0 || (network->base.address.bytes[whole] ^ peer->address.bytes[whole]) >> (8 - rest) == 0;
}

bool tk_peer_networks_have(const struct tk_peer_networks *networks, const struct tk_peer *peer)
{
    for (size_t i = 0; i < networks->count; i++) {
        if (contains(&networks->items[i], peer))
            return true;
    }
    return false;
}

struct tk_peer tk_peer_client(const struct tk_peer_networks *trusted, const struct tk_peer *peer, struct tk_slice forwarded)
{
    struct tk_peer hop = *peer;
    struct tk_slice entry;
    while (tk_peer_networks_have(trusted, &hop) && pop_entry(&forwarded, &entry)) {
        struct tk_peer before;
        if (tk_peer_parse(entry, &before))
            break;
        hop = before;
    }
    return hop;
}

struct tk_uuid tk_peer_key(const struct tk_peer *peer)
{
    struct tk_uuid key = peer->address;
    if (!is_v4(peer))
        memset(key.bytes + V6_PREFIX_KEPT, 0, sizeof(key.bytes) - V6_PREFIX_KEPT);
    return key;
}
