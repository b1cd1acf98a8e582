/*
 * Problem documents (RFC 9457) and the kinds every service shares.
 */
#include "shared/http/problem.h"

#include "shared/json/writer.h"

const struct tk_problem_kind TK_PROBLEM_NOT_JSON = {400, "not_json", "The body cannot be read as JSON", 0};
const struct tk_problem_kind TK_PROBLEM_BAD_KEY = {400, "invalid_idempotency_key",
                                                   "The Idempotency-Key cannot be used as one", 0};
const struct tk_problem_kind TK_PROBLEM_NO_IDENTITY = {401, "no_identity", "The request names no valid user", 0};
const struct tk_problem_kind TK_PROBLEM_INVALID_TOKEN = {401, "invalid_token", "The token is not accepted", 0};
const struct tk_problem_kind TK_PROBLEM_FORBIDDEN = {403, "forbidden", "Not allowed", 0};
const struct tk_problem_kind TK_PROBLEM_INSUFFICIENT_SCOPE = {403, "insufficient_scope", "The token does not allow this",
                                                              0};
const struct tk_problem_kind TK_PROBLEM_NOT_FOUND = {404, "not_found", "No such resource", 0};
const struct tk_problem_kind TK_PROBLEM_METHOD_NOT_ALLOWED = {405, "method_not_allowed", "Method not allowed here", 0};
const struct tk_problem_kind TK_PROBLEM_CONFLICT = {409, "conflict", "The resource's state forbids this", 0};
const struct tk_problem_kind TK_PROBLEM_IN_USE = {409, "in_use", "The resource is in use", 0};
const struct tk_problem_kind TK_PROBLEM_REQUEST_IN_PROGRESS = {409, "request_in_progress",
                                                               "A request with this key is at work", 1};
const struct tk_problem_kind TK_PROBLEM_KEY_REUSED = {422, "idempotency_key_reuse",
                                                      "The Idempotency-Key belongs to another request", 0};
const struct tk_problem_kind TK_PROBLEM_TOO_LARGE = {413, "body_too_large", "The body is too large", 0};
const struct tk_problem_kind TK_PROBLEM_UNSUPPORTED_MEDIA_TYPE = {415, "unsupported_media_type",
                                                                  "The body must be application/json", 0};
const struct tk_problem_kind TK_PROBLEM_VALIDATION = {422, "validation_failed", "The request does not make sense", 0};
const struct tk_problem_kind TK_PROBLEM_RATE_LIMITED = {429, "rate_limited", "Too many requests, nothing was changed", 0};
const struct tk_problem_kind TK_PROBLEM_OVERLOADED = {503, "overloaded", "Too busy, nothing was changed", 1};
const struct tk_problem_kind TK_PROBLEM_OUTCOME_UNKNOWN = {503, "outcome_unknown",
                                                           "The outcome is unknown, retry with the same key", 1};
const struct tk_problem_kind TK_PROBLEM_INTERNAL = {500, "internal_error", "Internal error", 0};

/* A path is echoed only as far as it helps: it is the client's own text. */
#define MAX_INSTANCE 256

static void write_errors(struct tk_jsonw *w, const struct tk_json_errors *errors)
{
    size_t stored = errors->count < TK_JSON_MAX_ERRORS ? errors->count : TK_JSON_MAX_ERRORS;
    tk_jsonw_begin_array(w, "errors");
    for (size_t i = 0; i < stored; i++) {
        tk_jsonw_begin_object(w, NULL);
        tk_jsonw_str(w, "pointer", errors->items[i].pointer);
        tk_jsonw_str(w, "detail", errors->items[i].detail);
        tk_jsonw_end_object(w);
    }
    tk_jsonw_end_array(w);
    if (errors->count > stored)
        tk_jsonw_i64(w, "more_errors", (int64_t)(errors->count - stored));
}

static void write_type(struct tk_jsonw *w, const char *code)
{
    char type[96] = "urn:ticketing:problem:";
    size_t used = sizeof("urn:ticketing:problem:") - 1;
    while (*code != '\0' && used < sizeof(type) - 1)
        type[used++] = *code++;
    tk_jsonw_str(w, "type", type);
}

void tk_problem_write(struct tk_buf *out, const struct tk_problem_kind *kind, const char *detail, struct tk_slice instance,
                      const char *request_id, const struct tk_json_errors *errors, const struct tk_buf *members)
{
    struct tk_jsonw w = TK_JSONW(out);
    tk_jsonw_begin_object(&w, NULL);
    write_type(&w, kind->code);
    tk_jsonw_str(&w, "title", kind->title);
    tk_jsonw_i64(&w, "status", kind->status);
    if (detail != NULL)
        tk_jsonw_str(&w, "detail", detail);
    if (instance.len > 0 && instance.len <= MAX_INSTANCE && tk_utf8_is_text(instance))
        tk_jsonw_text(&w, "instance", instance);
    tk_jsonw_str(&w, "code", kind->code);
    if (request_id != NULL && request_id[0] != '\0')
        tk_jsonw_str(&w, "request_id", request_id);
    if (errors != NULL && errors->count > 0)
        write_errors(&w, errors);
    if (members != NULL && members->len > 0) {
        tk_buf_append_char(out, ',');
        tk_buf_append_slice(out, tk_buf_slice(members));
    }
    tk_jsonw_end_object(&w);
}
