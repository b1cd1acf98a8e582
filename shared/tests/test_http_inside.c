/*
 * The internal listener: its routes exist there and nowhere else, and the client reaches it through a unix socket.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/http/address.h"
#include "shared/http/client.h"
#include "shared/tests/http_fixture.h"

static struct web web;
static char bind_to[100];

static void remove_socket(void)
{
    if (bind_to[0] != '\0')
        (void)unlink(bind_to + strlen("unix:"));
}

TestSuite(http_inside, .fini = remove_socket);

/* --- addresses ------------------------------------------------------------------------------------------------------ */

struct address_case {
    const char *text;
    bool good;
    bool local;
    const char *host;
    uint16_t port;
};

static const struct address_case ADDRESSES[] = {
    {"127.0.0.1:9000", true, true, "127.0.0.1", 9000},
    {"127.9.9.9:0", true, true, "127.9.9.9", 0},
    {"[::1]:9000", true, true, "::1", 9000},
    {"localhost:9000", true, true, "localhost", 9000},
    {"0.0.0.0:9000", true, false, "0.0.0.0", 9000},
    {"[::]:9000", true, false, "::", 9000},
    {"10.0.0.1:9000", true, false, "10.0.0.1", 9000},
    {"event-svc:9000", true, false, "event-svc", 9000},
    {"unix:/run/x.sock", true, true, "", 0},
    {"", false, false, "", 0},
    {"9000", false, false, "", 0},
    {":9000", false, false, "", 0},
    {"host:", false, false, "", 0},
    {"host:65536", false, false, "", 0},
    {"host:-1", false, false, "", 0},
    {"host:09", false, false, "", 0},
    {"::1:9000", false, false, "", 0},
    {"[]:9000", false, false, "", 0},
    {"http://host:9000", false, false, "", 0},
    {"unix:", false, false, "", 0},
    {"unix:/", false, false, "", 0},
    {"unix:relative.sock", false, false, "", 0},
};

Test(http_inside, addresses)
{
    for (size_t i = 0; i < sizeof(ADDRESSES) / sizeof(ADDRESSES[0]); i++) {
        const struct address_case *c = &ADDRESSES[i];
        struct tk_http_address address;
        bool good = tk_http_address_parse(c->text, &address) == TK_OK;
        cr_expect_eq(good, c->good, "%s", c->text);
        if (!good || !c->good)
            continue;
        cr_expect_eq(tk_http_address_is_local(&address), c->local, "%s", c->text);
        cr_expect_str_eq(address.host, c->host, "%s", c->text);
        cr_expect_eq(address.port, c->port, "%s", c->text);
    }
}

Test(http_inside, a_path_too_long_for_the_kernel_is_refused)
{
    char text[160] = "unix:/";
    struct tk_http_address address;
    memset(text + 6, 'x', 107);
    cr_expect_eq(tk_http_address_parse(text, &address), TK_ERR_INVALID);
    text[5 + 107] = '\0';
    cr_expect_eq(tk_http_address_parse(text, &address), TK_OK);
}

/* --- the two sides ---------------------------------------------------------------------------------------------------- */

static void split(struct tk_http_config *config)
{
    (void)snprintf(bind_to, sizeof(bind_to), "unix:/tmp/ticketing-inside.%ld.sock", (long)getpid());
    config->internal_bind = bind_to;
}

struct answer {
    bool done;
    enum tk_step step;
    int status;
};

static void on_done(void *arg, enum tk_step step, int status, struct tk_slice body)
{
    struct answer *answer = arg;
    (void)body;
    *answer = (struct answer){.done = true, .step = step, .status = status};
}

static int inside(struct tk_http_client *client, const char *method, const char *path)
{
    struct answer answer = {0};
    int64_t end = tk_mono_us() + 2 * TK_US_PER_S;
    cr_assert_eq(tk_http_client_call(client, method, path, NULL, NULL, NULL, 1000, on_done, &answer), TK_OK);
    while (!answer.done && tk_mono_us() < end)
        tk_loop_turn(web.loop, 2);
    return answer.step == TK_STEP_OK ? answer.status : -1;
}

static int outside(const char *method, const char *path)
{
    static struct reply reply;
    char request[256];
    (void)snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: t\r\n\r\n", method, path);
    web_ask(&web, request, &reply);
    return reply.status;
}

static struct tk_http_client *open_client(void)
{
    struct tk_http_client *client = NULL;
    struct tk_http_client_config config = {.base_url = bind_to, .max_in_flight = 4, .max_response = 1 << 20};
    cr_assert_eq(tk_http_client_open(web.loop, &config, &client), TK_OK);
    return client;
}

struct side_case {
    const char *method;
    const char *path;
    int outside;
    int inside;
};

static const struct side_case SIDES[] = {
    {"GET", "/internal", 404, 204}, {"PUT", "/internal", 404, 405},     {"GET", "/things/7", 200, 404},
    {"PUT", "/things/7", 405, 404}, {"GET", "/user", 401, 404},         {"GET", "/metrics", 404, 200},
    {"GET", "/livez", 200, 200},    {"GET", "/readyz", 200, 200},       {"GET", "/health", 200, 200},
    {"GET", "/docs", 200, 404},     {"GET", "/openapi.json", 200, 404},
};

Test(http_inside, each_side_has_its_own_routes)
{
    web_open(&web, 3000, split);
    struct tk_http_client *client = open_client();
    for (size_t i = 0; i < sizeof(SIDES) / sizeof(SIDES[0]); i++) {
        const struct side_case *c = &SIDES[i];
        cr_expect_eq(outside(c->method, c->path), c->outside, "outside: %s %s", c->method, c->path);
        cr_expect_eq(inside(client, c->method, c->path), c->inside, "inside: %s %s", c->method, c->path);
    }
    tk_http_server_drain(web.server);
}

static void split_with_key(struct tk_http_config *config)
{
    split(config);
    config->internal_api_key = "k3y";
}

Test(http_inside, the_key_is_wanted_there_too)
{
    web_open(&web, 3000, split_with_key);
    struct tk_http_client *client = open_client();
    cr_expect_eq(inside(client, "GET", "/internal"), 403);
    cr_expect_eq(inside(client, "GET", "/metrics"), 200);
    tk_http_server_drain(web.server);
}

static void split_and_crowded(struct tk_http_config *config)
{
    split(config);
    config->max_connections = 1;
}

Test(http_inside, a_crowd_at_the_public_door_does_not_lock_our_own_services_out)
{
    web_open(&web, 3000, split_and_crowded);
    int fd = web_connect(&web);
    cr_assert(web_say(&web, fd, "GET /livez HTTP/1.1\r\nHost: t\r\n"));
    web_turn_for(&web, 20);
    cr_expect_eq(inside(open_client(), "GET", "/internal"), 204);
    (void)close(fd);
    tk_http_server_drain(web.server);
}

/* --- the socket's file ------------------------------------------------------------------------------------------- */

Test(http_inside, the_socket_is_not_for_everybody_and_goes_with_the_server)
{
    struct stat info;
    web_open(&web, 3000, split);
    cr_assert_eq(stat(bind_to + 5, &info), 0);
    cr_expect_eq(info.st_mode & 0777u, 0660u);
    tk_http_server_drain(web.server);
    cr_expect_neq(stat(bind_to + 5, &info), 0);
}

static void leave_stale(struct tk_http_config *config)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    split(config);
    (void)snprintf(name.sun_path, sizeof(name.sun_path), "%s", bind_to + 5);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
    (void)close(fd);
}

Test(http_inside, the_file_of_a_killed_process_is_replaced)
{
    web_open(&web, 3000, leave_stale);
    cr_expect_eq(inside(open_client(), "GET", "/internal"), 204);
    tk_http_server_drain(web.server);
}

Test(http_inside, the_socket_of_a_living_process_is_left_alone)
{
    struct tk_http_server *second = NULL;
    web_open(&web, 3000, split);
    struct tk_http_config config = {
        .service = "test", .host = "127.0.0.1", .io_timeout_ms = 1000, .internal_bind = bind_to};
    cr_expect_eq(tk_http_server_open(web.loop, &config, &second), TK_ERR_CONFLICT);
    cr_expect_eq(inside(open_client(), "GET", "/internal"), 204);
    config.internal_bind = "nonsense";
    cr_expect_eq(tk_http_server_open(web.loop, &config, &second), TK_ERR_INVALID);
    tk_http_server_drain(web.server);
}
