/*
 * Postgres' binary parameter formats: network byte order; timestamptz is microseconds since 2000-01-01; an array is
 * {dimensions, has-nulls, element oid, length, lower bound} followed by {length, bytes} per element, length -1 for NULL
 * (src/backend/utils/adt/arrayfuncs.c, array_recv).
 */
#include "shared/pg/params.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

#include "shared/base/clock.h"
#include "shared/json/writer.h" /* TK_TIME_NONE */

#define POSTGRES_EPOCH_US  (INT64_C(946684800) * TK_US_PER_S) /* 2000-01-01 in Unix time */
#define ARRAY_HEADER_BYTES 20

void tk_params_init(struct tk_params *p)
{
    *p = (struct tk_params){.data = TK_BUF_INIT(TK_PARAMS_MAX_BYTES)};
}

void tk_params_release(struct tk_params *p)
{
    tk_buf_release(&p->data);
    p->count = 0;
}

static void put(struct tk_params *p, const void *bytes, size_t len)
{
    assert(p->count < TK_PARAMS_MAX && p->array_start == 0);
    p->items[p->count].offset = p->data.len;
    p->items[p->count].len = (int)len;
    p->count++;
    tk_buf_append(&p->data, bytes, len);
}

static void put_null(struct tk_params *p)
{
    put(p, "", 0);
    p->items[p->count - 1].len = -1;
}

void tk_params_bool(struct tk_params *p, bool value)
{
    put(p, value ? "\1" : "\0", 1);
}

void tk_params_i32(struct tk_params *p, int32_t value)
{
    uint32_t wire = htobe32((uint32_t)value);
    put(p, &wire, sizeof(wire));
}

void tk_params_i64(struct tk_params *p, int64_t value)
{
    uint64_t wire = htobe64((uint64_t)value);
    put(p, &wire, sizeof(wire));
}

void tk_params_uuid(struct tk_params *p, const struct tk_uuid *value)
{
    if (value == NULL)
        put_null(p);
    else
        put(p, value->bytes, sizeof(value->bytes));
}

void tk_params_text(struct tk_params *p, struct tk_slice value)
{
    if (value.ptr == NULL)
        put_null(p);
    else
        put(p, value.ptr, value.len);
}

void tk_params_time(struct tk_params *p, int64_t unix_us)
{
    if (unix_us == TK_TIME_NONE)
        put_null(p);
    else
        tk_params_i64(p, unix_us - POSTGRES_EPOCH_US);
}

/* --- arrays ------------------------------------------------------------------------------------------------------- */

static void append_i32(struct tk_params *p, int32_t value)
{
    uint32_t wire = htobe32((uint32_t)value);
    tk_buf_append(&p->data, &wire, sizeof(wire));
}

void tk_params_array_begin(struct tk_params *p, enum tk_oid element)
{
    put(p, "", 0);
    p->array_start = p->data.len + 1;
    p->array_count = 0;
    append_i32(p, 1);
    append_i32(p, 1); /* "may have NULLs" costs nothing and need not be patched later */
    append_i32(p, (int32_t)element);
    append_i32(p, 0); /* length, patched by tk_params_array_end() */
    append_i32(p, 1);
}

static void put_element(struct tk_params *p, const void *bytes, size_t len)
{
    assert(p->array_start != 0);
    append_i32(p, (int32_t)len);
    tk_buf_append(&p->data, bytes, len);
    p->array_count++;
}

void tk_params_array_null(struct tk_params *p)
{
    assert(p->array_start != 0);
    append_i32(p, -1);
    p->array_count++;
}

void tk_params_array_bool(struct tk_params *p, bool value)
{
    put_element(p, value ? "\1" : "\0", 1);
}

void tk_params_array_i32(struct tk_params *p, int32_t value)
{
    uint32_t wire = htobe32((uint32_t)value);
    put_element(p, &wire, sizeof(wire));
}

void tk_params_array_i64(struct tk_params *p, int64_t value)
{
    uint64_t wire = htobe64((uint64_t)value);
    put_element(p, &wire, sizeof(wire));
}

void tk_params_array_uuid(struct tk_params *p, const struct tk_uuid *value)
{
    if (value == NULL)
        tk_params_array_null(p);
    else
        put_element(p, value->bytes, sizeof(value->bytes));
}

void tk_params_array_text(struct tk_params *p, struct tk_slice value)
{
    if (value.ptr == NULL)
        tk_params_array_null(p);
    else
        put_element(p, value.ptr, value.len);
}

void tk_params_array_time(struct tk_params *p, int64_t unix_us)
{
    if (unix_us == TK_TIME_NONE)
        tk_params_array_null(p);
    else
        tk_params_array_i64(p, unix_us - POSTGRES_EPOCH_US);
}

void tk_params_array_end(struct tk_params *p)
{
    size_t start = p->array_start - 1;
    assert(p->array_start != 0);
    if (!p->data.overflow) {
        uint32_t wire = htobe32((uint32_t)p->array_count);
        memcpy(p->data.ptr + start + 12, &wire, sizeof(wire));
        p->items[p->count - 1].offset = start;
        p->items[p->count - 1].len = (int)(p->data.len - start);
        assert(p->data.len - start >= ARRAY_HEADER_BYTES);
    }
    p->array_start = 0;
}
