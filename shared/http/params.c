/*
 * What handlers ask of a request: headers, path parameters, query, paging.
 */
#include <stdio.h>
#include <string.h>

#include "shared/http/server_private.h"
#include "shared/http/text.h"

/* The first byte names the cursor's format, so that it can change while old tokens are still out. */
#define CURSOR_VERSION 1
#define CURSOR_BYTES   17

struct tk_slice tk_http_path(const struct tk_http_req *req)
{
    return req->priv->path;
}

struct tk_slice tk_http_header(const struct tk_http_req *req, const char *lower_case_name)
{
    const h2o_req_t *h2o = req->priv->h2o;
    if (h2o == NULL)
        return (struct tk_slice){NULL, 0};
    ssize_t at = h2o_find_header_by_str(&h2o->headers, lower_case_name, strlen(lower_case_name), -1);
    if (at == -1)
        return (struct tk_slice){NULL, 0};
    h2o_iovec_t value = h2o->headers.entries[at].value;
    return (struct tk_slice){.ptr = value.base, .len = value.len};
}

struct tk_slice tk_http_query(struct tk_http_req *req, const char *name)
{
    return tk_http_query_find(&req->arena, req->query, name);
}

enum tk_err tk_http_param_uuid(struct tk_http_req *req, size_t index, struct tk_uuid *out)
{
    if (index < req->param_count && tk_uuid_parse(req->params[index], out) == TK_OK)
        return TK_OK;
    tk_http_problem(req, &TK_PROBLEM_NOT_FOUND, NULL);
    return TK_ERR_NOT_FOUND;
}

enum tk_err tk_http_limit(struct tk_http_req *req, int64_t fallback, int64_t max, int64_t *out)
{
    struct tk_slice text = tk_http_query(req, "limit");
    *out = fallback;
    if (text.ptr == NULL)
        return TK_OK;
    if (tk_parse_i64(text, out) == TK_OK && *out >= 1 && *out <= max)
        return TK_OK;
    char detail[80];
    (void)snprintf(detail, sizeof(detail), "query parameter limit: expected an integer from 1 to %lld", (long long)max);
    tk_http_problem(req, &TK_PROBLEM_VALIDATION, detail);
    return TK_ERR_INVALID;
}

enum tk_err tk_http_cursor(struct tk_http_req *req, struct tk_uuid *after)
{
    struct tk_slice text = tk_http_query(req, "cursor");
    unsigned char bytes[CURSOR_BYTES] = {0};
    size_t len = 0;
    *after = (struct tk_uuid){{0}};
    if (text.ptr == NULL)
        return TK_OK;
    if (tk_base64url_decode(text, bytes, sizeof(bytes), &len) == TK_OK && len == CURSOR_BYTES &&
        bytes[0] == CURSOR_VERSION) {
        memcpy(after->bytes, bytes + 1, sizeof(after->bytes));
        return TK_OK;
    }
    tk_http_problem(req, &TK_PROBLEM_VALIDATION, "query parameter cursor: not a cursor this API handed out");
    return TK_ERR_INVALID;
}

const char *tk_http_cursor_text(struct tk_http_req *req, const struct tk_uuid *last)
{
    unsigned char bytes[CURSOR_BYTES] = {CURSOR_VERSION};
    struct tk_buf text = TK_BUF_INIT(64);
    memcpy(bytes + 1, last->bytes, sizeof(last->bytes));
    tk_base64url_append(&text, bytes, sizeof(bytes));
    const char *copy = tk_slice_dup(&req->arena, tk_buf_slice(&text));
    tk_buf_release(&text);
    return copy;
}
