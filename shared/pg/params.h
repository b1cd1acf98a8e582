/**
 * Statement parameters in Postgres' binary format, built once, sent as they are. Values are always bound, never pasted.
 *
 * A parameter list is filled in order: tk_params_uuid(p, …) is $1, the next call $2. Arrays are opened, filled and closed:
 *
 *     tk_params_array_begin(p, TK_OID_UUID);
 *     for (…) tk_params_array_uuid(p, &id);
 *     tk_params_array_end(p);                        → one uuid[] parameter, for unnest($n::uuid[])
 *
 * Statements must cast each parameter ($1::uuid, $2::uuid[]), since types are inferred from the SQL.
 */
#ifndef TK_PG_PARAMS_H
#define TK_PG_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/id.h"
#include "shared/base/str.h"

#define TK_PARAMS_MAX       24
#define TK_PARAMS_MAX_BYTES (8u << 20)

/** Type oids from Postgres' catalog (pg_type.dat); they never change. */
enum tk_oid {
    TK_OID_BOOL = 16,
    TK_OID_INT8 = 20,
    TK_OID_INT4 = 23,
    TK_OID_TEXT = 25,
    TK_OID_TIMESTAMPTZ = 1184,
    TK_OID_UUID = 2950,
};

struct tk_params {
    struct tk_buf data;
    int count;
    struct {
        size_t offset;
        int len; /* -1: NULL */
    } items[TK_PARAMS_MAX];
    size_t array_start; /* while an array is open: offset of its header, plus one */
    int32_t array_count;
};

void tk_params_init(struct tk_params *p);
void tk_params_release(struct tk_params *p); /* frees; harmless twice */

void tk_params_bool(struct tk_params *p, bool value);
void tk_params_i32(struct tk_params *p, int32_t value);
void tk_params_i64(struct tk_params *p, int64_t value);
void tk_params_uuid(struct tk_params *p, const struct tk_uuid *value); /* NULL pointer: SQL NULL */
void tk_params_text(struct tk_params *p, struct tk_slice value);       /* {NULL, 0}: SQL NULL */
void tk_params_time(struct tk_params *p, int64_t unix_us);             /* timestamptz; TK_TIME_NONE: SQL NULL */

void tk_params_array_begin(struct tk_params *p, enum tk_oid element);
void tk_params_array_null(struct tk_params *p);
void tk_params_array_bool(struct tk_params *p, bool value);
void tk_params_array_i32(struct tk_params *p, int32_t value);
void tk_params_array_i64(struct tk_params *p, int64_t value);
void tk_params_array_uuid(struct tk_params *p, const struct tk_uuid *value);
void tk_params_array_text(struct tk_params *p, struct tk_slice value); /* {NULL, 0}: NULL element */
void tk_params_array_time(struct tk_params *p, int64_t unix_us);
void tk_params_array_end(struct tk_params *p);

/**
 * One array parameter with an element per item, `i` counting from 0 in `value`:
 * TK_ARRAY_PARAM(p, count, UUID, uuid, &items[i]->id)
 */
#define TK_ARRAY_PARAM(p, count, oid, kind, value)                                                                         \
    do {                                                                                                                   \
        tk_params_array_begin((p), TK_OID_##oid);                                                                          \
        for (size_t i = 0; i < (count); i++)                                                                               \
            tk_params_array_##kind((p), (value));                                                                          \
        tk_params_array_end(p);                                                                                            \
    } while (0)

#endif
