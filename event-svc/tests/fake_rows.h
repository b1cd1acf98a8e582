/**
 * Result sets without a server: libpq lets a program build them. Values are given in Postgres' binary format.
 */
#ifndef EVENT_SVC_TESTS_FAKE_ROWS_H
#define EVENT_SVC_TESTS_FAKE_ROWS_H

#include <endian.h>
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "shared/base/id.h"

/** Seconds from 1970 to 2000, where Postgres' timestamps start. */
#define FAKE_PG_EPOCH_US (INT64_C(946684800) * 1000000)

static inline PGresult *fake_rows(int columns)
{
    static char name[] = "column";
    PGresult *rows = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    PGresAttDesc attributes[32];
    memset(attributes, 0, sizeof(attributes));
    for (int i = 0; i < columns; i++) {
        attributes[i].name = name;
        attributes[i].format = 1;
    }
    if (!PQsetResultAttrs(rows, columns, attributes))
        return NULL;
    return rows;
}

static inline void fake_set(PGresult *rows, int row, int column, const void *value, int len)
{
    char copy[256];
    memcpy(copy, value, (size_t)len);
    (void)PQsetvalue(rows, row, column, copy, len);
}

static inline void fake_null(PGresult *rows, int row, int column)
{
    (void)PQsetvalue(rows, row, column, NULL, -1);
}

static inline void fake_text(PGresult *rows, int row, int column, const char *text)
{
    fake_set(rows, row, column, text, (int)strlen(text));
}

static inline void fake_bool(PGresult *rows, int row, int column, bool value)
{
    fake_set(rows, row, column, value ? "\1" : "\0", 1);
}

static inline void fake_i32(PGresult *rows, int row, int column, int32_t value)
{
    uint32_t wire = htobe32((uint32_t)value);
    fake_set(rows, row, column, &wire, sizeof(wire));
}

static inline void fake_i64(PGresult *rows, int row, int column, int64_t value)
{
    uint64_t wire = htobe64((uint64_t)value);
    fake_set(rows, row, column, &wire, sizeof(wire));
}

static inline void fake_time(PGresult *rows, int row, int column, int64_t unix_us)
{
    fake_i64(rows, row, column, unix_us - FAKE_PG_EPOCH_US);
}

static inline void fake_uuid(PGresult *rows, int row, int column, const struct tk_uuid *id)
{
    fake_set(rows, row, column, id->bytes, sizeof(id->bytes));
}

/** An id that differs from others by its last byte. */
static inline struct tk_uuid fake_id(uint8_t last)
{
    struct tk_uuid id = {{0x01, 0x93, 0xd2, 0xa0, 0, 0, 0x70, 0, 0x80}};
    id.bytes[15] = last;
    return id;
}

#endif
