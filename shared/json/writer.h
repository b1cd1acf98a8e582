/**
 * JSON out. Appends to a bounded buffer; commas and nesting are the writer's business, validity is asserted. An overflow of
 * the buffer surfaces in `buf->overflow`, once, at the end.
 *
 *     struct tk_jsonw w = TK_JSONW(&buf);
 *     tk_jsonw_begin_object(&w, NULL);
 *     tk_jsonw_uuid(&w, "id", &id);
 *     tk_jsonw_money(&w, "price", 10000);     → {"id":"…","price":100.00}
 *     tk_jsonw_end_object(&w);
 *
 * In every function `key` is the member's name inside an object and NULL inside an array or at the root. Keys are our own
 * constants and are not escaped.
 */
#ifndef TK_JSON_WRITER_H
#define TK_JSON_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/id.h"
#include "shared/base/str.h"

struct tk_jsonw {
    struct tk_buf *buf;
    unsigned depth;
    bool need_comma;
};

#define TK_JSONW(buffer) ((struct tk_jsonw){.buf = (buffer)})

void tk_jsonw_begin_object(struct tk_jsonw *w, const char *key);
void tk_jsonw_end_object(struct tk_jsonw *w);
void tk_jsonw_begin_array(struct tk_jsonw *w, const char *key);
void tk_jsonw_end_array(struct tk_jsonw *w);

void tk_jsonw_null(struct tk_jsonw *w, const char *key);
void tk_jsonw_bool(struct tk_jsonw *w, const char *key, bool value);
void tk_jsonw_i64(struct tk_jsonw *w, const char *key, int64_t value);
void tk_jsonw_text(struct tk_jsonw *w, const char *key, struct tk_slice value); /* escaped; {NULL,0} writes "" */
void tk_jsonw_str(struct tk_jsonw *w, const char *key, const char *value);      /* NULL writes null */
void tk_jsonw_uuid(struct tk_jsonw *w, const char *key, const struct tk_uuid *value);
void tk_jsonw_money(struct tk_jsonw *w, const char *key, int64_t minor);
void tk_jsonw_multiplier(struct tk_jsonw *w, const char *key, int64_t ten_thousandths);
void tk_jsonw_time(struct tk_jsonw *w, const char *key, int64_t unix_us);     /* INT64_MIN writes null */
void tk_jsonw_raw(struct tk_jsonw *w, const char *key, struct tk_slice json); /* trusted, ready-made JSON */

/** "no time", for tk_jsonw_time and for SQL NULL timestamps. */
#define TK_TIME_NONE INT64_MIN

#endif
