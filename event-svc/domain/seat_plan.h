/**
 * The geometry of one session: sections, rows and seats in natural order. It never changes once the session exists, so it
 * is read from Postgres once and shared by everything that asks which seats lie side by side.
 *
 * A seat's place is its number in natural order, from 0: (seat_order - 1). Places of a row, and rows of a section, follow
 * each other without gaps.
 */
#ifndef EVENT_SVC_DOMAIN_SEAT_PLAN_H
#define EVENT_SVC_DOMAIN_SEAT_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "shared/base/id.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"

#define SEAT_NOWHERE UINT32_MAX /* no such seat, row or section */

struct plan_row {
    struct tk_slice label;
    uint32_t section;
    uint32_t first; /* place of its first seat */
    uint32_t count;
};

struct plan_section {
    struct tk_slice label;
    uint32_t first_row;
    uint32_t row_count;
    uint32_t first; /* place of its first seat */
    uint32_t count;
    int64_t price_minor; /* of its cheapest seat */
};

struct seat_plan {
    struct tk_uuid session_id;
    struct tk_uuid hall_id;
    int64_t start_time_us; /* Unix */
    char hash[33];         /* names this geometry for ever: lower-case hex, set by whoever serves it */
    uint32_t seat_count;
    uint32_t row_count;
    uint32_t section_count;
    struct tk_uuid *ids; /* by place, ascending; so are the next three */
    int64_t *prices_minor;
    const char **numbers; /* NUL-terminated */
    uint32_t *rows_of;
    struct plan_row *rows;
    struct plan_section *sections;
    uint32_t *by_price; /* sections, cheapest first, in natural order among equals */
    struct tk_arena arena;
    size_t bytes; /* of memory, roughly */
};

/** One seat as it is read; its labels are copied. */
struct plan_seat {
    struct tk_uuid session_seat_id;
    struct tk_slice section;
    struct tk_slice row_number;
    struct tk_slice seat_number;
    int64_t price_minor;
};

/** Room for `seat_count` (> 0) seats. Add them all in natural order, then call seat_plan_finish(). */
struct seat_plan *seat_plan_new(uint32_t seat_count);
void seat_plan_add(struct seat_plan *plan, const struct plan_seat *seat);
void seat_plan_finish(struct seat_plan *plan);
void seat_plan_free(struct seat_plan *plan); /* NULL is fine */

/** The place of a seat, the number of a section by its label; SEAT_NOWHERE when there is none. */
uint32_t seat_plan_find(const struct seat_plan *plan, const struct tk_uuid *session_seat_id);
uint32_t seat_plan_section(const struct seat_plan *plan, struct tk_slice label);

#endif
