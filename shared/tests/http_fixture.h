/**
 * A real HTTP server on a free port and raw client sockets, all in one thread: every wait turns the loop.
 */
#ifndef TK_TESTS_HTTP_FIXTURE_H
#define TK_TESTS_HTTP_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/http/server.h"

/** What the test's handlers need. */
struct web {
    struct tk_loop *loop;
    struct tk_http_server *server;
    struct tk_http_req *parked; /* the last request of GET /park, answered by the test or by web_answer_parked() */
    size_t last_body_len;
    bool last_body_is_null;
    char last_traceparent[56];
};

struct reply {
    int status;      /* 0: none came */
    bool complete;   /* header and announced body are here */
    bool closed;     /* the server closed the connection */
    size_t len;      /* bytes in `text` */
    size_t body_at;  /* offset of the body */
    size_t body_len; /* announced, or what came until the end */
    char text[65536];
};

/** Opens the server with the limits of production except the I/O timeout; `configure` may change the rest, or NULL. */
void web_open(struct web *web, int64_t io_timeout_ms, void (*configure)(struct tk_http_config *config));

void web_answer_parked(struct web *web);

/** A connected, non-blocking client socket. */
int web_connect(struct web *web);
/** Sends as much as the server takes within a second; true when everything went. */
bool web_send(struct web *web, int fd, const char *bytes, size_t len);
bool web_say(struct web *web, int fd, const char *text);
/** Reads one answer; `kept` holds what was read beyond it and belongs to the next call on the same socket. */
void web_read(struct web *web, int fd, bool is_head, int64_t wait_ms, struct reply *kept, struct reply *reply);
/** One request on a connection of its own. */
void web_ask(struct web *web, const char *request, struct reply *reply);
/** Milliseconds until the server closes the connection, reading and forgetting; -1 when it does not within `wait_ms`. */
int64_t web_wait_closed(struct web *web, int fd, int64_t wait_ms);
void web_turn_for(struct web *web, int64_t milliseconds);

/** Value of a header, "" when absent; into static memory. */
const char *reply_header(const struct reply *reply, const char *name);
bool reply_body_contains(const struct reply *reply, const char *text);

#endif
