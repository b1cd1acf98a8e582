/**
 * Reading results in Postgres' binary format. Each getter asserts the column's width: a wrong type is a programming error,
 * caught by the first test that runs the statement. NULL reads as zero, the empty slice, or TK_TIME_NONE; ask
 * tk_row_is_null() where it matters. Slices point into the result.
 */
#ifndef TK_PG_ROWS_H
#define TK_PG_ROWS_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "shared/base/id.h"
#include "shared/base/str.h"

bool tk_row_is_null(const PGresult *rows, int row, int column);
bool tk_row_bool(const PGresult *rows, int row, int column);
int32_t tk_row_i32(const PGresult *rows, int row, int column);
int64_t tk_row_i64(const PGresult *rows, int row, int column);
struct tk_uuid tk_row_uuid(const PGresult *rows, int row, int column);
struct tk_slice tk_row_text(const PGresult *rows, int row, int column); /* text, varchar, enum */
int64_t tk_row_time(const PGresult *rows, int row, int column);         /* timestamptz → Unix microseconds */
/** A uuid[] without NULL elements; writes at most `cap` ids to `out`, returns how many the array has. */
size_t tk_row_uuid_array(const PGresult *rows, int row, int column, struct tk_uuid *out, size_t cap);

#endif
