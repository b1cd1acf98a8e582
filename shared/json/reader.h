/**
 * Strict JSON in (RFC 8259), for bodies of our APIs and messages.
 *
 * The tokenizer is yajl, because it hands over a number's text: a price must not pass through a double. On top of it stand
 * a small tree in the request's arena and a table-driven binder that turns an object into a C struct, or into a list of
 * errors with JSON pointers (RFC 6901), ready for a problem document.
 *
 * Refused while parsing: anything after the value, nesting deeper than TK_JSON_MAX_DEPTH, more than TK_JSON_MAX_NODES
 * values, duplicate keys in an object, invalid UTF-8, NUL in a string, comments, NaN.
 */
#ifndef TK_JSON_READER_H
#define TK_JSON_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/id.h"
#include "shared/base/mem.h"
#include "shared/base/result.h"
#include "shared/base/str.h"

#define TK_JSON_MAX_DEPTH  16
#define TK_JSON_MAX_NODES  20000
#define TK_JSON_MAX_ERRORS 16 /* more are counted as one closing remark */

enum tk_json_type { TK_JSON_NULL, TK_JSON_BOOL, TK_JSON_NUMBER, TK_JSON_STRING, TK_JSON_ARRAY, TK_JSON_OBJECT };

/** One value. Lives in the arena given to tk_json_parse(). */
struct tk_json {
    enum tk_json_type type;
    bool boolean;
    struct tk_slice text;  /* a string's decoded bytes, a number's text as written */
    struct tk_slice key;   /* when a member of an object */
    struct tk_json *child; /* first member or element */
    struct tk_json *next;  /* next member or element of the parent */
    size_t count;          /* members or elements */
};

/**
 * Parses one JSON text. On TK_ERR_INVALID, `why` (arena memory) is one line for the client; it never quotes the input.
 */
TK_MUSTCHECK enum tk_err tk_json_parse(struct tk_arena *arena, struct tk_slice text, const struct tk_json **out,
                                       const char **why);

/** A member by name; NULL when absent or `object` is not an object. */
const struct tk_json *tk_json_get(const struct tk_json *object, const char *key);

/* --- binding ------------------------------------------------------------------------------------------------------ */

struct tk_json_error {
    const char *pointer; /* RFC 6901, "" is the whole document */
    const char *detail;
};

/** Collected validation errors; zero-initialise with the arena set. `count` may exceed what is stored. */
struct tk_json_errors {
    struct tk_arena *arena;
    size_t count;
    struct tk_json_error items[TK_JSON_MAX_ERRORS];
};

/** Adds one error; both texts are copied. `pointer` is printf-formatted by the caller if need be. */
void tk_json_errors_add(struct tk_json_errors *errors, const char *pointer, const char *detail);

enum tk_field_type {
    TK_FIELD_TEXT,       /* struct tk_slice; length min..max in bytes, text per tk_utf8_is_text(); min > 0 also refuses
                            blank-only */
    TK_FIELD_LABEL,      /* struct tk_slice; a string as TEXT, or an integer number, kept as its text */
    TK_FIELD_UUID,       /* struct tk_uuid */
    TK_FIELD_INT,        /* int64_t, min..max */
    TK_FIELD_BOOL,       /* bool */
    TK_FIELD_MONEY,      /* int64_t minor units, min..max; number or string with at most two decimals */
    TK_FIELD_MULTIPLIER, /* int64_t ten-thousandths; number or string */
    TK_FIELD_TIME,       /* int64_t Unix microseconds; RFC 3339 */
    TK_FIELD_ARRAY,      /* const struct tk_json *; min..max elements */
    TK_FIELD_OBJECT,     /* const struct tk_json * */
};

#define TK_FIELD_OPTIONAL 0u
#define TK_FIELD_REQUIRED 1u
#define TK_FIELD_NULLABLE 2u /* an explicit null counts as absent; otherwise null is a wrong type */

/** One row per member. */
struct tk_field {
    const char *name;
    const char *alias; /* a second accepted name, or NULL; giving both is an error */
    enum tk_field_type type;
    unsigned flags;
    size_t offset;         /* into the target struct */
    size_t present_offset; /* of a bool set to whether the member was given; TK_FIELD_NO_PRESENCE for none */
    int64_t min;
    int64_t max;
};

#define TK_FIELD_NO_PRESENCE SIZE_MAX

/**
 * Fills `target` from `object` by the table. Members not in the table are errors; absent optional members leave the target
 * untouched. `pointer` is the path of `object` in the document ("" for the root). Adds to `errors`; returns TK_ERR_INVALID
 * when it added any. Slices point into the tree's arena.
 */
TK_MUSTCHECK enum tk_err tk_json_bind(const struct tk_json *object, const char *pointer, const struct tk_field *fields,
                                      size_t field_count, void *target, struct tk_json_errors *errors);

/** As tk_json_bind, but members not in the table are ignored: for messages and answers of a program newer than ours. */
TK_MUSTCHECK enum tk_err tk_json_bind_known(const struct tk_json *object, const char *pointer,
                                            const struct tk_field *fields, size_t field_count, void *target,
                                            struct tk_json_errors *errors);

/** Reads an array of UUIDs, distinct and min..max long, into arena memory. Errors as tk_json_bind. */
TK_MUSTCHECK enum tk_err tk_json_read_uuids(const struct tk_json *array, const char *pointer, size_t min, size_t max,
                                            struct tk_arena *arena, struct tk_uuid **out, size_t *count,
                                            struct tk_json_errors *errors);

#endif
