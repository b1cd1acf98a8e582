#include "shared/pg/rows.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

#include "shared/base/clock.h"
#include "shared/json/writer.h" /* TK_TIME_NONE */

#define POSTGRES_EPOCH_US  (INT64_C(946684800) * TK_US_PER_S) /* 2000-01-01 in Unix time */
#define ARRAY_HEADER_BYTES 20
#define ARRAY_UUID_BYTES   20 /* length word and sixteen bytes */

bool tk_row_is_null(const PGresult *rows, int row, int column)
{
    return PQgetisnull(rows, row, column) != 0;
}

/* The column's bytes, or NULL for SQL NULL; anything but `width` bytes is a bug in the statement. */
static const char *fixed(const PGresult *rows, int row, int column, int width)
{
    if (PQgetisnull(rows, row, column))
        return NULL;
    assert(PQfformat(rows, column) == 1 && PQgetlength(rows, row, column) == width);
    (void)width;
    return PQgetvalue(rows, row, column);
}

static uint32_t load_u32(const char *bytes)
{
    uint32_t wire;
    memcpy(&wire, bytes, sizeof(wire));
    return be32toh(wire);
}

bool tk_row_bool(const PGresult *rows, int row, int column)
{
    const char *bytes = fixed(rows, row, column, 1);
    return bytes != NULL && *bytes != 0;
}

int32_t tk_row_i32(const PGresult *rows, int row, int column)
{
    const char *bytes = fixed(rows, row, column, 4);
    return bytes ? (int32_t)load_u32(bytes) : 0;
}

int64_t tk_row_i64(const PGresult *rows, int row, int column)
{
    const char *bytes = fixed(rows, row, column, 8);
    uint64_t wire = 0;
    if (bytes)
        memcpy(&wire, bytes, sizeof(wire));
    return (int64_t)be64toh(wire);
}

struct tk_uuid tk_row_uuid(const PGresult *rows, int row, int column)
{
    const char *bytes = fixed(rows, row, column, 16);
    struct tk_uuid id = {0};
    if (bytes)
        memcpy(id.bytes, bytes, sizeof(id.bytes));
    return id;
}

struct tk_slice tk_row_text(const PGresult *rows, int row, int column)
{
    if (PQgetisnull(rows, row, column))
        return (struct tk_slice){0};
    return (struct tk_slice){.ptr = PQgetvalue(rows, row, column), .len = (size_t)PQgetlength(rows, row, column)};
}

int64_t tk_row_time(const PGresult *rows, int row, int column)
{
    if (PQgetisnull(rows, row, column))
        return TK_TIME_NONE;
    return tk_row_i64(rows, row, column) + POSTGRES_EPOCH_US;
}

size_t tk_row_uuid_array(const PGresult *rows, int row, int column, struct tk_uuid *out, size_t cap)
{
    struct tk_slice wire = tk_row_text(rows, row, column);
    if (wire.len < ARRAY_HEADER_BYTES)
        return 0; /* SQL NULL, or no dimensions: an empty array */
    assert(load_u32(wire.ptr) == 1 && load_u32(wire.ptr + 8) == 2950);
    size_t count = load_u32(wire.ptr + 12);
    assert(wire.len == ARRAY_HEADER_BYTES + count * ARRAY_UUID_BYTES);
    for (size_t i = 0; i < count && i < cap; i++)
        memcpy(out[i].bytes, wire.ptr + ARRAY_HEADER_BYTES + i * ARRAY_UUID_BYTES + 4, sizeof(out[i].bytes));
    return count;
}
