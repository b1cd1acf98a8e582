/**
 * Reading bodies: rows of binder tables, and field checks that add to the same list of errors.
 */
#ifndef EVENT_SVC_HTTP_BODY_H
#define EVENT_SVC_HTTP_BODY_H

#include <stddef.h>

#include "shared/json/reader.h"

#define BODY_FIELD(structure, member, field_type, field_flags, least, most)                                                \
    {                                                                                                                      \
        .name = #member, .type = (field_type), .flags = (field_flags), .offset = offsetof(struct structure, member),       \
        .present_offset = TK_FIELD_NO_PRESENCE, .min = (least), .max = (most)                                              \
    }

#define BODY_FIELD_COUNT(fields) (sizeof(fields) / sizeof((fields)[0]))

/* Longest texts, in bytes. */
#define NAME_MAX_BYTES       200
#define TEXT_MAX_BYTES       10000
#define SECTION_MAX_BYTES    100
#define SEAT_LABEL_MAX_BYTES 20
#define SEAT_TYPE_MAX_BYTES  50

typedef const char *body_check_fn(struct tk_slice text);

/** Adds an error when the text is present and the check finds a problem. */
static inline void body_check(struct tk_json_errors *errors, const char *pointer, struct tk_slice text,
                              body_check_fn *check)
{
    const char *problem = text.ptr != NULL ? check(text) : NULL;
    if (problem != NULL)
        tk_json_errors_add(errors, pointer, problem);
}

#endif
