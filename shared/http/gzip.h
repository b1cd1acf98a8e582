/**
 * gzip for answers that are rendered once and sent often (the seat map). Compressing each answer on the loop's thread would
 * cost more than it saves: compress when the bytes change, keep both forms, choose per request.
 */
#ifndef TK_HTTP_GZIP_H
#define TK_HTTP_GZIP_H

#include <stdbool.h>

#include "shared/base/result.h"
#include "shared/base/str.h"

/**
 * Appends `plain` as one gzip member (RFC 1952, no name, no time: equal input gives equal bytes). `level` 1 (fast) to 9.
 * TK_ERR_LIMIT when it does not fit `out`'s maximum; `out` is then to be thrown away.
 */
TK_MUSTCHECK enum tk_err tk_gzip_append(struct tk_buf *out, struct tk_slice plain, int level);

/**
 * True when an Accept-Encoding header allows gzip (RFC 9110 section 12.5.3): `gzip`, `x-gzip` or `*` with a weight above
 * zero. An absent header (empty slice) gives false.
 */
bool tk_gzip_accepted(struct tk_slice accept_encoding);

#endif
