/*
 * Rows are looked at best first, and the first row with a block that leaves no orphan ends the search. In a run of length L
 * such a block exists unless L is one more than wanted, so most searches end in the first row whose longest run suffices.
 */
#include "event-svc/domain/seat_picker.h"

#include <assert.h>
#include <stdlib.h>

#define NO_BLOCK UINT32_MAX

struct block {
    uint32_t first; /* NO_BLOCK: none yet */
    unsigned orphans;
    uint32_t off_centre; /* distance of the block's centre from the row's, in half seats */
};

static bool is_free_in_row(const struct seat_picture *picture, const struct plan_row *row, uint32_t place)
{
    return place >= row->first && place < row->first + row->count && seat_picture_is_free(picture, place);
}

/* One free seat beside the block, and none beyond it. Place 0 minus one wraps to a number outside every row. */
static bool is_orphan(const struct seat_picture *picture, const struct plan_row *row, uint32_t beside, uint32_t beyond)
{
    return is_free_in_row(picture, row, beside) && !is_free_in_row(picture, row, beyond);
}

/** Those the block of `quantity` free seats from `first` on leaves in its row. */
static unsigned count_orphans(const struct seat_picture *picture, const struct plan_row *row, uint32_t first,
                              uint32_t quantity)
{
    uint32_t after = first + quantity;
    return (unsigned)is_orphan(picture, row, first - 1, first - 2) + (unsigned)is_orphan(picture, row, after, after + 1);
}

static uint32_t distance(uint32_t a, uint32_t b)
{
    return a > b ? a - b : b - a;
}

static bool is_better(const struct block *a, const struct block *b)
{
    if (b->first == NO_BLOCK || a->orphans != b->orphans)
        return b->first == NO_BLOCK || a->orphans < b->orphans;
    return a->off_centre < b->off_centre;
}

/* The best block of one row; rows before it keep a block that is as good. */
static struct block best_in_row(const struct seat_picture *picture, uint32_t row, uint32_t quantity)
{
    const struct plan_row *plan = &picture->plan->rows[row];
    struct block best = {.first = NO_BLOCK};
    uint32_t run = 0;
    for (uint32_t at = 0; at < plan->count; at++) {
        run = seat_picture_is_free(picture, plan->first + at) ? run + 1 : 0;
        if (run < quantity)
            continue;
        uint32_t first = at + 1 - quantity;
        struct block block = {
            .first = plan->first + first,
            .orphans = count_orphans(picture, plan, plan->first + first, quantity),
            .off_centre = distance(2 * first + quantity, plan->count),
        };
        if (is_better(&block, &best))
            best = block;
    }
    return best;
}

static uint32_t block_in_section(struct seat_picture *picture, uint32_t section, uint32_t quantity)
{
    const struct plan_section *plan = &picture->plan->sections[section];
    struct block best = {.first = NO_BLOCK};
    if (picture->sections[section].free < quantity || seat_picture_section_run(picture, section) < quantity)
        return NO_BLOCK;
    for (uint32_t row = plan->first_row; row < plan->first_row + plan->row_count; row++) {
        if (seat_picture_row_run(picture, row) < quantity)
            continue;
        struct block block = best_in_row(picture, row, quantity);
        if (best.first == NO_BLOCK || block.orphans < best.orphans)
            best = block;
        if (best.orphans == 0)
            break;
    }
    return best.first;
}

/* --- scattered ---------------------------------------------------------------------------------------------------- */

/* Adds up to `want` free seats of a row, nearest to the centre first: in pairs `apart` seats from each other, left first.
 */
static uint32_t scatter_in_row(const struct seat_picture *picture, uint32_t row, uint32_t *places, uint32_t want)
{
    const struct plan_row *plan = &picture->plan->rows[row];
    uint32_t last = plan->count - 1;
    uint32_t got = 0;
    for (uint32_t apart = last % 2; apart <= last && got < want; apart += 2) {
        uint32_t left = plan->first + (last - apart) / 2;
        uint32_t right = left + apart;
        if (seat_picture_is_free(picture, left))
            places[got++] = left;
        if (right != left && got < want && seat_picture_is_free(picture, right))
            places[got++] = right;
    }
    return got;
}

static uint32_t scatter_in_section(const struct seat_picture *picture, uint32_t section, uint32_t *places, uint32_t want)
{
    const struct plan_section *plan = &picture->plan->sections[section];
    uint32_t got = 0;
    for (uint32_t row = plan->first_row; row < plan->first_row + plan->row_count && got < want; row++)
        if (picture->rows[row].free > 0)
            got += scatter_in_row(picture, row, places + got, want - got);
    return got;
}

static int compare_places(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

/* --- the sections asked for --------------------------------------------------------------------------------------- */

/* One section or all of them, in the order to be tried. */
struct choice {
    const uint32_t *sections;
    uint32_t count;
};

static struct choice sections_for(const struct seat_picture *picture, const struct tk_best_available *wanted,
                                  uint32_t *single)
{
    if (wanted->section.ptr == NULL)
        return (struct choice){.sections = picture->plan->by_price, .count = picture->plan->section_count};
    *single = seat_plan_section(picture->plan, wanted->section);
    return (struct choice){.sections = single, .count = *single != SEAT_NOWHERE};
}

static uint32_t free_in(const struct seat_picture *picture, struct choice choice)
{
    uint32_t available = 0;
    for (uint32_t i = 0; i < choice.count; i++)
        available += picture->sections[choice.sections[i]].free;
    return available;
}

static bool find_block(struct seat_picture *picture, struct choice choice, uint32_t quantity, uint32_t *places)
{
    uint32_t first = NO_BLOCK;
    for (uint32_t i = 0; i < choice.count && first == NO_BLOCK; i++)
        first = block_in_section(picture, choice.sections[i], quantity);
    for (uint32_t k = 0; first != NO_BLOCK && k < quantity; k++)
        places[k] = first + k;
    return first != NO_BLOCK;
}

static void scatter(const struct seat_picture *picture, struct choice choice, uint32_t quantity, uint32_t *places)
{
    uint32_t got = 0;
    for (uint32_t i = 0; i < choice.count && got == 0; i++)
        if (picture->sections[choice.sections[i]].free >= quantity)
            got = scatter_in_section(picture, choice.sections[i], places, quantity);
    for (uint32_t i = 0; i < choice.count && got < quantity; i++)
        got += scatter_in_section(picture, choice.sections[i], places + got, quantity - got);
    assert(got == quantity);
    qsort(places, quantity, sizeof(*places), compare_places);
}

static void make_offer(struct seat_picture *picture, struct choice choice, struct pick_offer *offer)
{
    for (uint32_t i = 0; i < choice.count; i++) {
        uint32_t run = seat_picture_section_run(picture, choice.sections[i]);
        offer->largest_block = run > offer->largest_block ? run : offer->largest_block;
    }
}

enum pick_result seat_pick(struct seat_picture *picture, const struct tk_best_available *wanted, uint32_t *places,
                           struct pick_offer *offer)
{
    uint32_t single;
    uint32_t quantity = (uint32_t)wanted->quantity;
    struct choice choice = sections_for(picture, wanted, &single);
    assert(wanted->quantity > 0 && wanted->quantity <= TK_SEAT_API_MAX_SEATS);
    if (find_block(picture, choice, quantity, places))
        return PICK_FOUND;
    *offer = (struct pick_offer){.available = free_in(picture, choice)};
    if (offer->available >= quantity && !wanted->adjacent) {
        scatter(picture, choice, quantity, places);
        return PICK_FOUND;
    }
    make_offer(picture, choice, offer);
    return offer->available >= quantity ? PICK_NO_BLOCK : PICK_SOLD_OUT;
}
