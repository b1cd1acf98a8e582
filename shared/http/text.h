/**
 * Small pieces of HTTP text: pure functions without I/O, so that they can be tested and fuzzed alone.
 */
#ifndef TK_HTTP_TEXT_H
#define TK_HTTP_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "shared/base/mem.h"
#include "shared/base/str.h"

/**
 * Decodes %XX (and `+` to a space when `plus_is_space`, for queries). Broken escapes and %00 stay as they are. Returns
 * `text` itself when there is nothing to decode, arena memory otherwise.
 */
struct tk_slice tk_http_percent_decode(struct tk_arena *arena, struct tk_slice text, bool plus_is_space);

/** First occurrence of `name` in a query string, decoded; {NULL, 0} when absent. */
struct tk_slice tk_http_query_find(struct tk_arena *arena, struct tk_slice query, const char *name);

enum tk_http_query_fault { TK_HTTP_QUERY_FINE, TK_HTTP_QUERY_UNKNOWN, TK_HTTP_QUERY_TWICE };

/**
 * Whether a query string has only parameters of `known` (names with spaces between them, 32 at most; NULL: none), each
 * once. `name` is the first that is not or has not, decoded: any bytes. Empty pieces (`a=1&`) count for nothing.
 */
enum tk_http_query_fault tk_http_query_check(struct tk_arena *arena, struct tk_slice query, const char *known,
                                             struct tk_slice *name);

/** True for `application/json` with or without parameters, any case. */
bool tk_http_is_json_type(struct tk_slice content_type);

/** Copies a request id that is 1..63 bytes of visible ASCII, so that it can stand in headers and logs; else leaves `out`.
 */
void tk_http_request_id_accept(struct tk_slice value, char out[64]);

/** Copies a well-formed traceparent (W3C Trace Context, level 1); else leaves `out`. */
void tk_http_traceparent_accept(struct tk_slice value, char out[56]);

#endif
