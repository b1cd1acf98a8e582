/* The choice of the best seats, against a slow and obvious reading of the rule. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event-svc/domain/seat_picker.h"

#define ROUNDS       3000
#define MAX_SEATS    400
#define MAX_QUANTITY 10

static uint64_t random_state = 88172645463325252u;

static uint32_t pseudo_random(uint32_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state % below);
}

static struct tk_uuid id_of(uint32_t ordinal)
{
    struct tk_uuid id = {.bytes = {1, 2, 3, 4}};
    for (int i = 0; i < 4; i++)
        id.bytes[15 - i] = (uint8_t)(ordinal >> (8 * i));
    return id;
}

/* One text per seat, in natural order: section letter, then '.' free, 'x' sold, '#' blocked; '/' ends a row, ' ' a section.
 */
static struct seat_picture *draw(const char *text)
{
    uint8_t seats[MAX_SEATS * PICTURE_SEAT_BYTES] = {0};
    uint32_t count = 0;
    for (const char *c = text; *c != '\0'; c++)
        count += *c == '.' || *c == 'x' || *c == '#';
    struct seat_plan *plan = seat_plan_new(count);
    char section[2] = "A";
    char row[12] = "1";
    uint32_t rows = 1;
    count = 0;
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '/' || *c == ' ') {
            section[0] = (char)(section[0] + (*c == ' '));
            rows = *c == ' ' ? 1 : rows + 1;
            snprintf(row, sizeof(row), "%u", rows);
            continue;
        }
        char number[12];
        snprintf(number, sizeof(number), "%u", count + 1);
        seats[count * PICTURE_SEAT_BYTES] = *c == '.' ? TK_SEAT_AVAILABLE : *c == 'x' ? TK_SEAT_SOLD : TK_SEAT_BLOCKED;
        const struct plan_seat seat = {
            .session_seat_id = id_of(++count),
            .section = tk_slice_of(section),
            .row_number = tk_slice_of(row),
            .seat_number = tk_slice_of(number),
            .price_minor = section[0] == 'B' ? 500 : 1000,
        };
        seat_plan_add(plan, &seat);
    }
    seat_plan_finish(plan);
    return seat_picture_new(plan, seats, 1);
}

static void expect_pick(const char *text, const char *section, uint32_t quantity, bool adjacent, enum pick_result result,
                        const char *chosen)
{
    struct seat_picture *picture = draw(text);
    uint32_t places[TK_SEAT_API_MAX_SEATS];
    struct pick_offer offer;
    const struct tk_best_available wanted = {.section = tk_slice_of(section), .quantity = quantity, .adjacent = adjacent};
    enum pick_result got = seat_pick(picture, &wanted, places, &offer);
    char list[200] = "";
    for (uint32_t i = 0; got == PICK_FOUND && i < quantity; i++)
        snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%u", i > 0 ? " " : "", places[i]);
    cr_expect_eq(got, result, "%s", text);
    if (got == PICK_FOUND)
        cr_expect_str_eq(list, chosen, "%s, %u: %s, expected %s", text, quantity, list, chosen);
    else
        snprintf(list, sizeof(list), "%u %u", offer.available, offer.largest_block);
    if (got != PICK_FOUND)
        cr_expect_str_eq(list, chosen, "%s, %u: offer %s, expected %s", text, quantity, list, chosen);
    seat_picture_free(picture);
}

Test(seat_picker, examples)
{
    static const struct {
        const char *text;
        const char *section; /* NULL: any */
        uint32_t quantity;
        bool adjacent;
        enum pick_result result;
        const char *chosen; /* places, or the offer */
    } rows[] = {
        {".....", "A", 1, true, PICK_FOUND, "2"},             /* centre */
        {"......", "A", 2, true, PICK_FOUND, "2 3"},          /* centre, two on either side */
        {"....", "A", 2, true, PICK_FOUND, "0 1"},            /* the centre would leave one on both sides */
        {"...", "A", 2, true, PICK_FOUND, "0 1"},             /* an orphan cannot be helped; left of two equals */
        {".../....", "A", 2, true, PICK_FOUND, "3 4"},        /* a worse row, but no orphan */
        {".../...", "A", 2, true, PICK_FOUND, "0 1"},         /* nowhere without: best row */
        {".x./x..", "A", 2, true, PICK_FOUND, "4 5"},         /* only there */
        {"xx../....", "A", 2, true, PICK_FOUND, "2 3"},       /* best row, off centre */
        {"..#..", "A", 2, true, PICK_FOUND, "0 1"},           /* left of two equals */
        {"..x", "A", 1, true, PICK_FOUND, "1"},               /* one of two: nearer to the centre */
        {"..x.", "A", 1, true, PICK_FOUND, "3"},              /* a single one leaves none */
        {"...... ....", NULL, 2, true, PICK_FOUND, "6 7"},    /* B is cheaper */
        {"...... .x.x", NULL, 2, true, PICK_FOUND, "2 3"},    /* B has no two */
        {".x.x. xx", "A", 2, true, PICK_NO_BLOCK, "3 1"},     /* enough, but apart */
        {".x.x. xx", "A", 2, false, PICK_FOUND, "0 2"},       /* the row's centre first, then outwards */
        {".x.x. xx", "A", 4, false, PICK_SOLD_OUT, "3 1"},    /* not enough */
        {".x.x. ...", "B", 4, true, PICK_SOLD_OUT, "3 3"},    /* the section asked for counts alone */
        {".x.x. ...", NULL, 4, true, PICK_NO_BLOCK, "6 3"},   /* all of them together */
        {".x.x. .x.", NULL, 4, false, PICK_FOUND, "0 2 5 7"}, /* B first, being cheaper, then A */
        {"..... ....", "C", 1, true, PICK_SOLD_OUT, "0 0"},   /* no such section */
        {"xxx/xxx", "A", 1, true, PICK_SOLD_OUT, "0 0"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        expect_pick(rows[i].text, rows[i].section, rows[i].quantity, rows[i].adjacent, rows[i].result, rows[i].chosen);
}

/* --- the rule, spelled out ---------------------------------------------------------------------------------------- */

struct score {
    unsigned orphans;
    uint32_t row;
    uint32_t off_centre;
    uint32_t first;
};

static bool free_at(const struct seat_picture *picture, const struct plan_row *row, int64_t place)
{
    return place >= row->first && place < (int64_t)row->first + row->count &&
           seat_picture_is_free(picture, (uint32_t)place);
}

/* Free seats left alone: count runs of exactly one in the row after taking the block that were longer before. */
static unsigned orphans_by_counting(const struct seat_picture *picture, const struct plan_row *row, int64_t first,
                                    int64_t n)
{
    unsigned orphans = 0;
    for (int64_t at = row->first; at < (int64_t)row->first + row->count; at++) {
        bool in_block = at >= first && at < first + n;
        bool left = free_at(picture, row, at - 1) && !(at - 1 >= first && at - 1 < first + n);
        bool right = free_at(picture, row, at + 1) && !(at + 1 >= first && at + 1 < first + n);
        bool was_alone = !free_at(picture, row, at - 1) && !free_at(picture, row, at + 1);
        orphans += free_at(picture, row, at) && !in_block && !left && !right && !was_alone;
    }
    return orphans;
}

static int compare_scores(const struct score *a, const struct score *b)
{
    if (a->orphans != b->orphans)
        return a->orphans < b->orphans ? -1 : 1;
    if (a->row != b->row)
        return a->row < b->row ? -1 : 1;
    if (a->off_centre != b->off_centre)
        return a->off_centre < b->off_centre ? -1 : 1;
    return a->first < b->first ? -1 : a->first > b->first;
}

static bool best_by_search(const struct seat_picture *picture, const struct plan_section *section, uint32_t n,
                           struct score *best)
{
    bool found = false;
    for (uint32_t r = section->first_row; r < section->first_row + section->row_count; r++) {
        const struct plan_row *row = &picture->plan->rows[r];
        for (uint32_t first = row->first; first + n <= row->first + row->count; first++) {
            uint32_t k = 0;
            while (k < n && free_at(picture, row, first + k))
                k++;
            if (k < n)
                continue;
            struct score score = {orphans_by_counting(picture, row, first, n), r,
                                  (uint32_t)labs((long)(2 * (first - row->first) + n) - (long)row->count), first};
            if (!found || compare_scores(&score, best) < 0)
                *best = score;
            found = true;
        }
    }
    return found;
}

static void random_map(char *text, size_t size)
{
    uint32_t seats = 0;
    uint32_t density = pseudo_random(11);
    size_t len = 0;
    uint32_t sections = 1 + pseudo_random(3);
    for (uint32_t s = 0; s < sections; s++) {
        uint32_t rows = 1 + pseudo_random(6);
        for (uint32_t r = 0; r < rows; r++) {
            uint32_t columns = 1 + pseudo_random(20);
            for (uint32_t c = 0; c < columns; c++, seats++)
                text[len++] = pseudo_random(10) < density ? "x#"[pseudo_random(5) == 0] : '.';
            text[len++] = r + 1 < rows ? '/' : ' ';
        }
    }
    text[--len] = '\0';
    cr_assert(len < size && seats <= MAX_SEATS);
}

/* What the picker says about one section must be what the search says, and what it counts must be there. */
static void compare_once(struct seat_picture *picture, uint32_t section, uint32_t quantity)
{
    uint32_t places[TK_SEAT_API_MAX_SEATS];
    struct pick_offer offer;
    struct score best = {0};
    const struct plan_section *plan = &picture->plan->sections[section];
    const struct tk_best_available wanted = {.section = plan->label, .quantity = quantity, .adjacent = true};
    bool there_is = best_by_search(picture, plan, quantity, &best);
    enum pick_result result = seat_pick(picture, &wanted, places, &offer);
    cr_assert_eq(result == PICK_FOUND, there_is);
    if (there_is)
        cr_assert_eq(places[0], best.first, "quantity %u: %u, expected %u", quantity, places[0], best.first);
    for (uint32_t k = 1; there_is && k < quantity; k++)
        cr_assert_eq(places[k], places[0] + k);
    if (!there_is)
        cr_assert_eq(result, offer.available >= quantity ? PICK_NO_BLOCK : PICK_SOLD_OUT);
    if (!there_is)
        cr_assert(offer.largest_block < quantity);
}

Test(seat_picker, agrees_with_the_slow_reading_of_the_rule)
{
    char text[1000];
    for (int round = 0; round < ROUNDS; round++) {
        random_map(text, sizeof(text));
        struct seat_picture *picture = draw(text);
        for (int step = 0; step < 8; step++) {
            uint32_t section = pseudo_random(picture->plan->section_count);
            compare_once(picture, section, 1 + pseudo_random(MAX_QUANTITY));
            seat_picture_claim(picture, pseudo_random(picture->plan->seat_count), 7); /* caches must follow */
            seat_picture_unclaim(picture, pseudo_random(picture->plan->seat_count), 7);
        }
        seat_picture_free(picture);
    }
}

Test(seat_picker, scattered_seats_are_free_and_distinct)
{
    char text[1000];
    uint32_t places[TK_SEAT_API_MAX_SEATS];
    struct pick_offer offer;
    for (int round = 0; round < ROUNDS; round++) {
        random_map(text, sizeof(text));
        struct seat_picture *picture = draw(text);
        uint32_t quantity = 1 + pseudo_random(MAX_QUANTITY);
        const struct tk_best_available wanted = {.quantity = quantity};
        enum pick_result result = seat_pick(picture, &wanted, places, &offer);
        cr_assert_eq(result, picture->free >= quantity ? PICK_FOUND : PICK_SOLD_OUT);
        for (uint32_t k = 0; result == PICK_FOUND && k < quantity; k++) {
            cr_assert(seat_picture_is_free(picture, places[k]));
            cr_assert(k == 0 || places[k] > places[k - 1]);
        }
        seat_picture_free(picture);
    }
}

Test(seat_picker, a_section_sells_out_to_the_last_seat)
{
    struct seat_picture *picture = draw("..../..../..../....");
    const struct tk_best_available wanted = {.section = TK_SLICE("A"), .quantity = 2, .adjacent = true};
    uint32_t places[2];
    struct pick_offer offer;
    for (int i = 0; i < 8; i++) {
        cr_assert_eq(seat_pick(picture, &wanted, places, &offer), PICK_FOUND);
        seat_picture_claim(picture, places[0], 1);
        seat_picture_claim(picture, places[1], 1);
    }
    cr_assert_eq(seat_pick(picture, &wanted, places, &offer), PICK_SOLD_OUT);
    cr_assert_eq(picture->free, 0);
    seat_picture_free(picture);
}
