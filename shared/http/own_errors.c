/*
 * The errors h2o answers by itself once it could read the header — body too large, unknown expectation, broken framing — go
 * out as text/plain. They all pass the filters of the host's fallback path, so a filter there replaces the body with a
 * problem document. What h2o cannot parse at all (garbage, header floods) never gets this far and stays plain text.
 *
 * These answers close the connection while the client may still be sending, hence the gentle close.
 */
#include <string.h>

#include "shared/http/server_private.h"
#include "shared/http/text.h"

const struct tk_problem_kind TK_HTTP_BAD_REQUEST = {400, "bad_request", "The request cannot be read", 0};
static const struct tk_problem_kind EXPECTATION_FAILED = {417, "expectation_failed", "The expectation cannot be met", 0};

struct own_errors_filter {
    h2o_filter_t super;
    struct tk_http_server *server;
};

struct problem_stream {
    h2o_ostream_t super;
    h2o_iovec_t text;
};

static const struct tk_problem_kind *kind_of(int status)
{
    switch (status) {
    case 400:
        return &TK_HTTP_BAD_REQUEST;
    case 413:
        return &TK_PROBLEM_TOO_LARGE;
    case 417:
        return &EXPECTATION_FAILED;
    default:
        return &TK_PROBLEM_INTERNAL;
    }
}

/** Our own answers on the fallback path are problem documents already. */
static bool is_plain_error(const h2o_req_t *req)
{
    ssize_t at = h2o_find_header(&req->res.headers, H2O_TOKEN_CONTENT_TYPE, -1);
    if (req->res.status < 400 || at == -1)
        return false;
    h2o_iovec_t type = req->res.headers.entries[at].value;
    return type.len >= 10 && memcmp(type.base, "text/plain", 10) == 0;
}

static void send_problem(h2o_ostream_t *self, h2o_req_t *req, h2o_iovec_t *bufs, size_t count, h2o_send_state_t state)
{
    struct problem_stream *stream = (void *)self;
    (void)bufs;
    h2o_ostream_send_next(self, req, &stream->text, count > 0 ? 1 : 0, state);
}

/** The client's own request id when it can be echoed, else a new one. */
static void choose_request_id(const h2o_req_t *req, char out[64])
{
    ssize_t at = h2o_find_header_by_str(&req->headers, H2O_STRLIT("x-request-id"), -1);
    out[0] = '\0';
    if (at != -1) {
        h2o_iovec_t value = req->headers.entries[at].value;
        tk_http_request_id_accept((struct tk_slice){.ptr = value.base, .len = value.len}, out);
    }
    if (out[0] == '\0') {
        struct tk_uuid id = tk_uuid_v7();
        (void)tk_uuid_format(&id, out);
    }
}

static h2o_iovec_t render(struct tk_http_server *server, h2o_req_t *req, const char *request_id)
{
    const struct tk_problem_kind *kind = kind_of(req->res.status);
    struct tk_buf text = TK_BUF_INIT(4096);
    struct tk_slice path = {.ptr = req->input.path.base, .len = req->input.path.len};
    const char *query = memchr(path.ptr, '?', path.len);
    if (query != NULL)
        path.len = (size_t)(query - path.ptr);
    tk_problem_write(&text, kind, req->res.status == 400 ? "broken message framing" : NULL, path, request_id, NULL, NULL);
    h2o_iovec_t copy = h2o_strdup(&req->pool, text.ptr, text.len);
    tk_buf_release(&text);
    tk_http_stats_record(tk_http_stats_unmatched(server), kind->status, 0);
    return copy;
}

static void replace_answer(struct tk_http_server *server, h2o_req_t *req, struct problem_stream *stream)
{
    char *request_id = h2o_mem_alloc_pool(&req->pool, 64);
    choose_request_id(req, request_id);
    stream->super.do_send = send_problem;
    stream->text = render(server, req, request_id);
    req->res.content_length = stream->text.len;
    req->res.headers = (h2o_headers_t){NULL};
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL, H2O_STRLIT("application/problem+json"));
    h2o_add_header_by_str(&req->pool, &req->res.headers, H2O_STRLIT("x-request-id"), 0, NULL, request_id,
                          strlen(request_id));
}

static void on_setup_ostream(h2o_filter_t *self, h2o_req_t *req, h2o_ostream_t **slot)
{
    struct tk_http_server *server = ((struct own_errors_filter *)(void *)self)->server;
    if (is_plain_error(req)) {
        struct problem_stream *stream = (void *)h2o_add_ostream(req, sizeof(*stream), slot);
        replace_answer(server, req, stream);
        slot = &stream->super.next;
        if (!req->http1_is_persistent)
            tk_http_close_gently(req);
    }
    h2o_setup_next_ostream(req, slot);
}

void tk_http_own_errors_install(struct tk_http_server *server, h2o_pathconf_t *fallback)
{
    struct own_errors_filter *filter = (void *)h2o_create_filter(fallback, sizeof(*filter));
    filter->super.on_setup_ostream = on_setup_ostream;
    filter->server = server;
}
