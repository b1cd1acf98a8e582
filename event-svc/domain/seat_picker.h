/**
 * The best seats there are: which free seats of a session a request for `quantity` seats gets.
 *
 * The rule, most important first. Among all blocks of `quantity` free neighbours in one row of the section:
 *   1. fewest orphans: an orphan is a single free seat between the block and a taken seat, the end of the row or an aisle
 *      of blocked seats. So a block that leaves one is only taken where every other choice in the section does too;
 *   2. best row: the first in natural order;
 *   3. nearest to the row's centre, all seats of the row counted; of two equally near the left one.
 * Neighbours are seats that follow each other in natural order. Without a section: the sections by the price of their
 * cheapest seat, in natural order among equals; the first one that has a block.
 *
 * When there is no block and `adjacent` is false, seats are scattered: from the first section, in the order above, that has
 * enough of them, else from as many sections as it takes; row by row, nearest to the centre first.
 *
 * Cost: a full section or row costs one comparison; only rows changed since the last question are looked through.
 */
#ifndef EVENT_SVC_DOMAIN_SEAT_PICKER_H
#define EVENT_SVC_DOMAIN_SEAT_PICKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "event-svc/domain/seat_picture.h"

enum pick_result {
    PICK_FOUND,    /* `places` holds `quantity` free seats, ascending */
    PICK_NO_BLOCK, /* enough free seats, but no such block */
    PICK_SOLD_OUT, /* not enough free seats, or no such section */
};

/** What there was, when a pick finds nothing. */
struct pick_offer {
    uint32_t available;
    uint32_t largest_block;
};

/** `places` has room for `wanted->quantity`. `offer` is set unless PICK_FOUND. Claims nothing. */
enum pick_result seat_pick(struct seat_picture *picture, const struct tk_best_available *wanted, uint32_t *places,
                           struct pick_offer *offer);

#endif
