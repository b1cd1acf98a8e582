/*
 * Client addresses: what is an address, what lies in a network, whom X-Forwarded-For is believed.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "shared/ratelimit/peer.h"

static struct tk_peer peer_of(const char *text)
{
    struct tk_peer peer;
    cr_assert_eq(tk_peer_parse(tk_slice_of(text), &peer), TK_OK, "%s", text);
    return peer;
}

static bool same(const struct tk_peer *a, const char *text)
{
    const struct tk_peer b = peer_of(text);
    return tk_uuid_eq(&a->address, &b.address);
}

Test(peer, both_families_and_nothing_else)
{
    static const char *const bad[] = {"",         "1.2.3",        "1.2.3.4:80",
                                      "[::1]",    "fe80::1%eth0", "localhost",
                                      "1.2.3.4 ", "0x7f.1",       "1111:2222:3333:4444:5555:6666:7777:8888:9999",
                                      "256.1.1.1"};
    struct tk_peer peer;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_expect_eq(tk_peer_parse(tk_slice_of(bad[i]), &peer), TK_ERR_INVALID, "%s", bad[i]);
    peer = peer_of("::ffff:192.0.2.1");
    cr_expect(same(&peer, "192.0.2.1"), "a mapped address is the IPv4 one");
}

Test(peer, sockets)
{
    struct tk_peer peer;
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr = {htonl(0xc0000207)}};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = {{{[0] = 0x20, [1] = 0x01, [15] = 9}}}};
    struct sockaddr_un file = {.sun_family = AF_UNIX};
    cr_assert(tk_peer_from_socket((const struct sockaddr *)(const void *)&v4, &peer));
    cr_expect(same(&peer, "192.0.2.7"));
    cr_assert(tk_peer_from_socket((const struct sockaddr *)(const void *)&v6, &peer));
    cr_expect(same(&peer, "2001::9"));
    cr_assert_not(tk_peer_from_socket((const struct sockaddr *)(const void *)&file, &peer));
}

Test(peer, a_customer_of_ipv6_is_a_network)
{
    const struct tk_peer a = peer_of("2001:db8:1:2::1");
    const struct tk_peer b = peer_of("2001:db8:1:2:ffff::");
    const struct tk_peer c = peer_of("2001:db8:1:3::1");
    const struct tk_peer d = peer_of("192.0.2.1");
    const struct tk_peer e = peer_of("192.0.2.2");
    struct tk_uuid keys[] = {tk_peer_key(&a), tk_peer_key(&b), tk_peer_key(&c), tk_peer_key(&d), tk_peer_key(&e)};
    cr_expect(tk_uuid_eq(&keys[0], &keys[1]));
    cr_expect_not(tk_uuid_eq(&keys[0], &keys[2]));
    cr_expect_not(tk_uuid_eq(&keys[3], &keys[4]), "IPv4 counts whole addresses");
}

Test(peer, networks)
{
    static const struct {
        const char *list;
        const char *address;
        bool inside;
    } cases[] = {
        {"127.0.0.0/8,::1", "127.9.9.9", true},
        {"127.0.0.0/8,::1", "128.0.0.1", false},
        {"127.0.0.0/8,::1", "::1", true},
        {"127.0.0.0/8,::1", "::2", false},
        {"192.0.2.0/25", "192.0.2.127", true},
        {"192.0.2.0/25", "192.0.2.128", false},
        {"192.0.2.4", "192.0.2.4", true},
        {"192.0.2.4", "192.0.2.5", false},
        {"0.0.0.0/0", "8.8.8.8", true},
        {"0.0.0.0/0", "2001:db8::1", false},
        {"::/0", "8.8.8.8", true},
        {" 10.0.0.0/8 , 192.0.2.1 ", "10.1.1.1", true},
        {"2001:db8::/32", "2001:db8:9::1", true},
        {"", "127.0.0.1", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tk_peer_networks networks;
        const struct tk_peer peer = peer_of(cases[i].address);
        cr_assert_eq(tk_peer_networks_parse(tk_slice_of(cases[i].list), &networks), TK_OK, "%s", cases[i].list);
        cr_expect_eq(tk_peer_networks_have(&networks, &peer), cases[i].inside, "%s in %s", cases[i].address, cases[i].list);
    }
}

Test(peer, nonsense_is_no_network)
{
    static const char *const bad[] = {"10.0.0.0/33",        "10.0.0.0/-1", "10.0.0.0/",  "::/129",
                                      "10.0.0.1,,10.0.0.2", "any",         "10.0.0.0/8x"};
    struct tk_peer_networks networks;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_expect_eq(tk_peer_networks_parse(tk_slice_of(bad[i]), &networks), TK_ERR_INVALID, "%s", bad[i]);
    char many[TK_PEER_NETWORKS_MAX * 4 + 8] = "::1";
    for (size_t i = 0; i < TK_PEER_NETWORKS_MAX; i++)
        memcpy(many + 3 + 4 * i, ",::1", 5);
    cr_expect_eq(tk_peer_networks_parse(tk_slice_of(many), &networks), TK_ERR_LIMIT);
}

Test(peer, only_what_a_proxy_of_ours_saw_is_believed)
{
    static const struct {
        const char *peer;
        const char *forwarded;
        const char *client;
    } cases[] = {
        {"203.0.113.5", "198.51.100.1", "203.0.113.5"},                  /* nobody of ours: may write what he likes */
        {"10.0.0.1", "198.51.100.1", "198.51.100.1"},                    /* behind our proxy */
        {"10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1"},           /* what the client invented stands before it */
        {"10.0.0.1", "1.1.1.1,198.51.100.1 , 10.0.0.2", "198.51.100.1"}, /* two proxies of ours */
        {"10.0.0.1", "", "10.0.0.1"},                                    /* the proxy itself */
        {"10.0.0.1", "10.0.0.3", "10.0.0.3"},                            /* another program inside */
        {"10.0.0.1", "198.51.100.1, unknown, 10.0.0.2", "10.0.0.2"},     /* beyond nonsense nothing is believed */
        {"10.0.0.1", "198.51.100.1,", "10.0.0.1"},                       /* an empty entry is nonsense */
        {"10.0.0.1", "2001:db8::7", "2001:db8::7"},
    };
    struct tk_peer_networks trusted;
    cr_assert_eq(tk_peer_networks_parse(TK_SLICE("10.0.0.0/8"), &trusted), TK_OK);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct tk_peer peer = peer_of(cases[i].peer);
        const struct tk_peer client = tk_peer_client(&trusted, &peer, tk_slice_of(cases[i].forwarded));
        cr_expect(same(&client, cases[i].client), "%s via %s", cases[i].forwarded, cases[i].peer);
    }
}
