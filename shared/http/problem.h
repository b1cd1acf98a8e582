/**
 * Errors as clients see them: RFC 9457 problem details. One constant per kind of error holds the status, the stable machine
 * code and the title; handlers name the kind and never pick numbers.
 */
#ifndef TK_HTTP_PROBLEM_H
#define TK_HTTP_PROBLEM_H

#include <stddef.h>
#include <stdint.h>

#include "shared/base/result.h"
#include "shared/base/str.h"
#include "shared/json/reader.h"

struct tk_problem_kind {
    int status;
    const char *code;  /* stable, snake_case; `type` is "urn:ticketing:problem:<code>" */
    const char *title; /* short, the same for every occurrence */
    int retry_after_s; /* > 0: sent as Retry-After */
};

extern const struct tk_problem_kind TK_PROBLEM_NOT_JSON;               /* 400 not_json */
extern const struct tk_problem_kind TK_PROBLEM_BAD_KEY;                /* 400 invalid_idempotency_key */
extern const struct tk_problem_kind TK_PROBLEM_NO_IDENTITY;            /* 401 no_identity */
extern const struct tk_problem_kind TK_PROBLEM_INVALID_TOKEN;          /* 401 invalid_token */
extern const struct tk_problem_kind TK_PROBLEM_FORBIDDEN;              /* 403 forbidden */
extern const struct tk_problem_kind TK_PROBLEM_INSUFFICIENT_SCOPE;     /* 403 insufficient_scope */
extern const struct tk_problem_kind TK_PROBLEM_NOT_FOUND;              /* 404 not_found */
extern const struct tk_problem_kind TK_PROBLEM_METHOD_NOT_ALLOWED;     /* 405 method_not_allowed */
extern const struct tk_problem_kind TK_PROBLEM_CONFLICT;               /* 409 conflict */
extern const struct tk_problem_kind TK_PROBLEM_REQUEST_IN_PROGRESS;    /* 409 request_in_progress: a twin by key */
extern const struct tk_problem_kind TK_PROBLEM_KEY_REUSED;             /* 422 idempotency_key_reuse */
extern const struct tk_problem_kind TK_PROBLEM_IN_USE;                 /* 409 in_use */
extern const struct tk_problem_kind TK_PROBLEM_TOO_LARGE;              /* 413 body_too_large */
extern const struct tk_problem_kind TK_PROBLEM_UNSUPPORTED_MEDIA_TYPE; /* 415 unsupported_media_type */
extern const struct tk_problem_kind TK_PROBLEM_VALIDATION;             /* 422 validation_failed */
extern const struct tk_problem_kind TK_PROBLEM_RATE_LIMITED;           /* 429 rate_limited: with its own Retry-After */
extern const struct tk_problem_kind TK_PROBLEM_OVERLOADED;             /* 503 overloaded: nothing was applied */
extern const struct tk_problem_kind TK_PROBLEM_OUTCOME_UNKNOWN;        /* 503 outcome_unknown: retry with the same key */
extern const struct tk_problem_kind TK_PROBLEM_INTERNAL;               /* 500 internal_error: our bug, logged */

/**
 * Appends the problem document. `instance` is the request's path, `errors` and `members` may be NULL; `members` are ready
 * JSON members without braces.
 */
void tk_problem_write(struct tk_buf *out, const struct tk_problem_kind *kind, const char *detail, struct tk_slice instance,
                      const char *request_id, const struct tk_json_errors *errors, const struct tk_buf *members);

#endif
