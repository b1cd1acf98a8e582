/*
 * Seats come in natural order, so a row ends where a label changes.
 */
#include "event-svc/domain/seat_plan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Rows and sections are few; both arrays grow by doubling at powers of two. */
static void *grow(void *items, uint32_t count, size_t size)
{
    if (count == 0)
        return tk_alloc(size);
    return (count & (count - 1)) == 0 ? tk_realloc(items, 2 * (size_t)count * size) : items;
}

struct seat_plan *seat_plan_new(uint32_t seat_count)
{
    assert(seat_count > 0);
    struct seat_plan *plan = tk_alloc(sizeof(*plan));
    size_t n = seat_count;
    plan->ids = tk_alloc(n * sizeof(*plan->ids));
    plan->prices_minor = tk_alloc(n * sizeof(*plan->prices_minor));
    plan->numbers = (const char **)tk_alloc(n * sizeof(char *));
    plan->rows_of = tk_alloc(n * sizeof(*plan->rows_of));
    plan->bytes = sizeof(*plan) +
                  n * (sizeof(*plan->ids) + sizeof(*plan->prices_minor) + sizeof(char *) + sizeof(*plan->rows_of) + 16);
    return plan;
}

static struct plan_section *section_for(struct seat_plan *plan, const struct plan_seat *seat)
{
    if (plan->section_count > 0 && tk_slice_eq(plan->sections[plan->section_count - 1].label, seat->section))
        return &plan->sections[plan->section_count - 1];
    plan->sections = grow(plan->sections, plan->section_count, sizeof(*plan->sections));
    struct plan_section *section = &plan->sections[plan->section_count++];
    *section = (struct plan_section){
        .label = tk_slice_copy(&plan->arena, seat->section),
        .first_row = plan->row_count,
        .first = plan->seat_count,
        .price_minor = seat->price_minor,
    };
    return section;
}

static struct plan_row *row_for(struct seat_plan *plan, struct plan_section *section, const struct plan_seat *seat)
{
    if (section->row_count > 0 && tk_slice_eq(plan->rows[plan->row_count - 1].label, seat->row_number))
        return &plan->rows[plan->row_count - 1];
    plan->rows = grow(plan->rows, plan->row_count, sizeof(*plan->rows));
    struct plan_row *row = &plan->rows[plan->row_count++];
    *row = (struct plan_row){.label = tk_slice_copy(&plan->arena, seat->row_number),
                             .section = plan->section_count - 1,
                             .first = plan->seat_count};
    section->row_count++;
    return row;
}

/* Most rows number their seats alike: the text of the same column in the row before is shared when it is the same. */
static const char *number_for(struct seat_plan *plan, const struct plan_row *row, struct tk_slice number)
{
    const struct plan_row *before = row - 1;
    if (row > plan->rows && row->count < before->count) {
        const char *text = plan->numbers[before->first + row->count];
        if (tk_slice_eq_str(number, text))
            return text;
    }
    return tk_slice_dup(&plan->arena, number);
}

void seat_plan_add(struct seat_plan *plan, const struct plan_seat *seat)
{
    uint32_t place = plan->seat_count;
    assert(place == 0 || tk_uuid_cmp(&plan->ids[place - 1], &seat->session_seat_id) < 0);
    struct plan_section *section = section_for(plan, seat);
    struct plan_row *row = row_for(plan, section, seat);
    plan->ids[place] = seat->session_seat_id;
    plan->prices_minor[place] = seat->price_minor;
    plan->numbers[place] = number_for(plan, row, seat->seat_number);
    plan->rows_of[place] = plan->row_count - 1;
    if (seat->price_minor < section->price_minor)
        section->price_minor = seat->price_minor;
    section->count++;
    row->count++;
    plan->seat_count++;
}

/* Insertion sort keeps the natural order among equals, and prices mostly come sorted. */
void seat_plan_finish(struct seat_plan *plan)
{
    plan->by_price = tk_alloc(plan->section_count * sizeof(*plan->by_price));
    for (uint32_t i = 0; i < plan->section_count; i++) {
        uint32_t at = i;
        while (at > 0 && plan->sections[plan->by_price[at - 1]].price_minor > plan->sections[i].price_minor) {
            plan->by_price[at] = plan->by_price[at - 1];
            at--;
        }
        plan->by_price[at] = i;
    }
    plan->bytes += plan->row_count * (sizeof(*plan->rows) + 32) + plan->section_count * (sizeof(*plan->sections) + 64);
}

void seat_plan_free(struct seat_plan *plan)
{
    if (plan == NULL)
        return;
    free(plan->ids);
    free(plan->prices_minor);
    free((void *)plan->numbers);
    free(plan->rows_of);
    free(plan->rows);
    free(plan->sections);
    free(plan->by_price);
    tk_arena_release(&plan->arena);
    free(plan);
}

/* Ids of one session usually differ in their last four bytes only, the place counted from 1: looked at before searching. */
static uint32_t place_in_id(const struct tk_uuid *id)
{
    const uint8_t *b = id->bytes + sizeof(id->bytes) - 4;
    return ((uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3]) - 1;
}

uint32_t seat_plan_find(const struct seat_plan *plan, const struct tk_uuid *session_seat_id)
{
    uint32_t guess = place_in_id(session_seat_id);
    if (guess < plan->seat_count && tk_uuid_eq(&plan->ids[guess], session_seat_id))
        return guess;
    const struct tk_uuid *found = bsearch(session_seat_id, plan->ids, plan->seat_count, sizeof(*plan->ids), tk_uuid_order);
    return found != NULL ? (uint32_t)(found - plan->ids) : SEAT_NOWHERE;
}

uint32_t seat_plan_section(const struct seat_plan *plan, struct tk_slice label)
{
    for (uint32_t i = 0; i < plan->section_count; i++)
        if (tk_slice_eq(plan->sections[i].label, label))
            return i;
    return SEAT_NOWHERE;
}
