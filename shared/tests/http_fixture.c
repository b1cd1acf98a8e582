#include "shared/tests/http_fixture.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/http/standard_routes.h"
#include "shared/json/writer.h"

/* --- handlers ------------------------------------------------------------------------------------------------------- */

static struct web *web_of(struct tk_http_req *req)
{
    return *(struct web **)(void *)((char *)req->app + sizeof(struct tk_standard_app));
}

static void handle_thing(struct tk_http_req *req)
{
    struct tk_buf body = TK_BUF_INIT(4096);
    struct tk_jsonw w = TK_JSONW(&body);
    struct tk_slice q = tk_http_query(req, "q");
    tk_jsonw_begin_object(&w, NULL);
    tk_jsonw_text(&w, "param", req->param_count > 0 ? req->params[0] : TK_SLICE(""));
    tk_jsonw_text(&w, "q", q);
    tk_jsonw_end_object(&w);
    memcpy(web_of(req)->last_traceparent, req->traceparent, sizeof(req->traceparent));
    tk_http_respond_json(req, 200, &body);
}

static void handle_create(struct tk_http_req *req)
{
    struct tk_buf body = TK_BUF_INIT(64);
    web_of(req)->last_body_len = req->body.len;
    web_of(req)->last_body_is_null = req->body.ptr == NULL && req->json == NULL;
    tk_buf_append_str(&body, "{\"made\":true}");
    tk_http_set_header(req, "location", "/things/1");
    tk_http_respond_json(req, 201, &body);
}

static void handle_user(struct tk_http_req *req)
{
    struct tk_buf body = TK_BUF_INIT(64);
    tk_buf_append_str(&body, TK_UUID_TEXT(&req->user_id));
    tk_http_respond(req, 200, "text/plain", &body);
}

static void handle_internal(struct tk_http_req *req)
{
    tk_http_respond_empty(req, 204);
}

static void handle_park(struct tk_http_req *req)
{
    web_of(req)->parked = req;
}

static void handle_big(struct tk_http_req *req)
{
    size_t size = 20u << 20;
    struct tk_buf body = TK_BUF_INIT(size);
    char block[4096];
    memset(block, 'x', sizeof(block));
    for (size_t i = 0; i < size; i += sizeof(block))
        tk_buf_append(&body, block, sizeof(block));
    tk_http_set_header(req, "etag", "\"big\"");
    tk_http_respond(req, 200, "text/plain", &body);
}

static void handle_page(struct tk_http_req *req)
{
    int64_t limit = 0;
    struct tk_uuid after;
    struct tk_buf body = TK_BUF_INIT(256);
    if (tk_http_limit(req, 50, 200, &limit) || tk_http_cursor(req, &after))
        return;
    struct tk_jsonw w = TK_JSONW(&body);
    tk_jsonw_begin_object(&w, NULL);
    tk_jsonw_i64(&w, "limit", limit);
    tk_jsonw_uuid(&w, "after", &after);
    tk_jsonw_str(&w, "next", tk_http_cursor_text(req, &(struct tk_uuid){{1, 2, 3}}));
    tk_jsonw_end_object(&w);
    tk_http_respond_json(req, 200, &body);
}

static void handle_uuid(struct tk_http_req *req)
{
    struct tk_uuid id;
    if (tk_http_param_uuid(req, 0, &id))
        return;
    tk_http_respond_static(req, 200, "text/plain", TK_SLICE("uuid"));
}

static void handle_overflow(struct tk_http_req *req)
{
    struct tk_buf body = TK_BUF_INIT(4);
    tk_buf_append_str(&body, "too long");
    tk_http_respond_json(req, 200, &body);
}

static void handle_busy(struct tk_http_req *req)
{
    tk_http_problem(req, &TK_PROBLEM_OVERLOADED, NULL);
}

static const struct tk_route ROUTES[] = {
    TK_STANDARD_ROUTES,
    {"GET", "/things/{id}", handle_thing, 0, 0, NULL},
    {"POST", "/things", handle_create, TK_ROUTE_JSON_BODY, 0, NULL},
    {"POST", "/small", handle_create, TK_ROUTE_JSON_BODY, 64, NULL},
    {"POST", "/maybe", handle_create, TK_ROUTE_JSON_BODY | TK_ROUTE_OPTIONAL_BODY, 0, NULL},
    {"DELETE", "/things/{id}", handle_create, 0, 0, NULL},
    {"GET", "/user", handle_user, TK_ROUTE_USER, 0, NULL},
    {"GET", "/mine", handle_user, TK_ROUTE_USER_IF_JWT, 0, NULL},
    {"POST", "/catalog", handle_create, TK_ROUTE_JSON_BODY | TK_ROUTE_SCOPE(0), 0, NULL},
    {"GET", "/internal", handle_internal, TK_ROUTE_INTERNAL, 0, NULL},
    {"GET", "/park", handle_park, 0, 0, NULL},
    {"GET", "/big", handle_big, 0, 0, NULL},
    {"GET", "/page", handle_page, 0, 0, NULL},
    {"GET", "/api/page", handle_page, 0, 0, "limit cursor"},
    {"POST", "/api/things", handle_create, TK_ROUTE_JSON_BODY, 0, NULL},
    {"GET", "/uuid/{id}", handle_uuid, 0, 0, NULL},
    {"GET", "/overflow", handle_overflow, 0, 0, NULL},
    {"GET", "/busy", handle_busy, 0, 0, NULL},
};

/* --- server ---------------------------------------------------------------------------------------------------------- */

struct app {
    struct tk_standard_app standard;
    struct web *web;
};

void web_open(struct web *web, int64_t io_timeout_ms, void (*configure)(struct tk_http_config *config))
{
    static struct app app; /* Criterion runs each test in its own process */
    (void)signal(SIGPIPE, SIG_IGN);
    *web = (struct web){.loop = tk_loop_create()};
    app.web = web;
    app.standard = (struct tk_standard_app){.service = "test", .openapi = TK_SLICE("{}"), .metrics_enabled = true};
    struct tk_http_config config = {.service = "test",
                                    .host = "127.0.0.1",
                                    .routes = ROUTES,
                                    .route_count = sizeof(ROUTES) / sizeof(ROUTES[0]),
                                    .max_body = 1 << 20,
                                    .io_timeout_ms = io_timeout_ms,
                                    .max_connections = 1000,
                                    .app = &app};
    if (configure != NULL)
        configure(&config);
    cr_assert_eq(tk_http_server_open(web->loop, &config, &web->server), TK_OK);
}

void web_answer_parked(struct web *web)
{
    struct tk_http_req *req = web->parked;
    web->parked = NULL;
    struct tk_buf body = TK_BUF_INIT(64);
    tk_buf_append_str(&body, "{\"late\":true}");
    tk_http_set_header(req, "x-late", "1");
    tk_http_respond_json(req, 200, &body);
}

/* --- client sockets --------------------------------------------------------------------------------------------------- */

int web_connect(struct web *web)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(tk_http_server_port(web->server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_geq(fd, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        (void)close(fd);
        return -1;
    }
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

#define TURN_MS 2

/** Time has not passed before the loop has had its turns, or a busy machine could pass over all of them. */
static bool is_over(int64_t start_us, int64_t wait_ms, int64_t *turns)
{
    return ++*turns > wait_ms / TURN_MS && tk_mono_us() >= start_us + wait_ms * TK_US_PER_MS;
}

void web_turn_for(struct web *web, int64_t milliseconds)
{
    const int64_t start_us = tk_mono_us();
    int64_t turns = 0;
    do {
        tk_loop_turn(web->loop, TURN_MS);
    } while (!is_over(start_us, milliseconds, &turns));
}

bool web_send(struct web *web, int fd, const char *bytes, size_t len)
{
    const int64_t start_us = tk_mono_us();
    int64_t turns = 0;
    size_t sent = 0;
    while (sent < len && !is_over(start_us, 1000, &turns)) {
        ssize_t n = send(fd, bytes + sent, len - sent, MSG_NOSIGNAL);
        if (n > 0)
            sent += (size_t)n;
        else if (errno != EAGAIN)
            return false;
        tk_loop_turn(web->loop, n > 0 ? 0 : TURN_MS);
    }
    return sent == len;
}

bool web_say(struct web *web, int fd, const char *text)
{
    return web_send(web, fd, text, strlen(text));
}

const char *reply_header(const struct reply *reply, const char *name)
{
    static char value[512];
    size_t len = strlen(name);
    const char *line = memchr(reply->text, '\n', reply->body_at);
    value[0] = '\0';
    while (line != NULL && (size_t)(line - reply->text) < reply->body_at) {
        const char *end = strchr(line + 1, '\r');
        if (end == NULL || end == line + 1)
            break;
        if (strncasecmp(line + 1, name, len) == 0 && line[1 + len] == ':') {
            (void)snprintf(value, sizeof(value), "%.*s", (int)(end - line - 3 - (long)len), line + 3 + len);
            break;
        }
        line = strchr(end, '\n');
    }
    return value;
}

bool reply_body_contains(const struct reply *reply, const char *text)
{
    return memmem(reply->text + reply->body_at, reply->len - reply->body_at, text, strlen(text)) != NULL;
}

static void parse(struct reply *reply, bool is_head)
{
    const char *end = memmem(reply->text, reply->len, "\r\n\r\n", 4);
    if (end == NULL)
        return;
    reply->body_at = (size_t)(end - reply->text) + 4;
    cr_assert_eq(strncmp(reply->text, "HTTP/1.1 ", 9), 0, "not an answer: %.40s", reply->text);
    reply->status = (int)strtol(reply->text + 9, NULL, 10);
    const char *length = reply_header(reply, "content-length");
    bool bodiless = is_head || reply->status == 204 || reply->status == 304 || reply->status == 100;
    reply->body_len = bodiless ? 0 : (size_t)strtol(length, NULL, 10);
    reply->complete = reply->len >= reply->body_at + reply->body_len;
}

void web_read(struct web *web, int fd, bool is_head, int64_t wait_ms, struct reply *kept, struct reply *reply)
{
    const int64_t start_us = tk_mono_us();
    int64_t turns = 0;
    memset(reply, 0, offsetof(struct reply, text));
    if (kept != NULL) {
        memcpy(reply->text, kept->text, kept->len);
        reply->len = kept->len;
        kept->len = 0;
        parse(reply, is_head);
    }
    while (!reply->complete && !reply->closed && reply->len + 1 < sizeof(reply->text) &&
           !is_over(start_us, wait_ms, &turns)) {
        tk_loop_turn(web->loop, TURN_MS);
        ssize_t n = recv(fd, reply->text + reply->len, sizeof(reply->text) - 1 - reply->len, 0);
        if (n > 0)
            reply->len += (size_t)n;
        reply->closed = n == 0 || (n < 0 && errno != EAGAIN);
        reply->text[reply->len] = '\0';
        parse(reply, is_head);
    }
    size_t used = reply->body_at + reply->body_len;
    if (reply->complete && reply->len > used && kept != NULL) {
        kept->len = reply->len - used;
        memcpy(kept->text, reply->text + used, kept->len);
        reply->len = used;
    }
}

void web_ask(struct web *web, const char *request, struct reply *reply)
{
    int fd = web_connect(web);
    cr_assert_geq(fd, 0);
    (void)web_say(web, fd, request);
    web_read(web, fd, strncmp(request, "HEAD", 4) == 0, 3000, NULL, reply);
    (void)close(fd);
}

int64_t web_wait_closed(struct web *web, int fd, int64_t wait_ms)
{
    const int64_t start_us = tk_mono_us();
    int64_t turns = 0;
    char sink[4096];
    while (!is_over(start_us, wait_ms, &turns)) {
        ssize_t n = recv(fd, sink, sizeof(sink), 0);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            return (tk_mono_us() - start_us) / TK_US_PER_MS;
        tk_loop_turn(web->loop, n > 0 ? 0 : TURN_MS);
    }
    return -1;
}
