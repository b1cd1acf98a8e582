/* What is believed about seats: commits in any order, refreshes in between, deltas. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "event-svc/domain/seat_picture.h"

#define SEATS   64
#define COMMITS 400

static struct tk_uuid id_of(uint32_t ordinal)
{
    return (struct tk_uuid){.bytes = {[14] = (uint8_t)(ordinal >> 8), [15] = (uint8_t)ordinal}};
}

static struct seat_picture *empty_hall(int64_t version)
{
    static uint8_t seats[SEATS * PICTURE_SEAT_BYTES];
    struct seat_plan *plan = seat_plan_new(SEATS);
    for (uint32_t i = 0; i < SEATS; i++) {
        const struct plan_seat seat = {
            .session_seat_id = id_of(i + 1),
            .section = i < SEATS / 2 ? TK_SLICE("A") : TK_SLICE("B"),
            .row_number = (i / 8) % 2 ? TK_SLICE("2") : TK_SLICE("1"),
            .seat_number = (struct tk_slice){&"12345678"[i % 8], 1},
        };
        seat_plan_add(plan, &seat);
    }
    seat_plan_finish(plan);
    return seat_picture_new(plan, seats, version);
}

Test(seat_picture, plan_knows_its_seats)
{
    struct seat_picture *picture = empty_hall(1);
    const struct seat_plan *plan = picture->plan;
    cr_assert_eq(plan->section_count, 2);
    cr_assert_eq(plan->row_count, 8);
    for (uint32_t i = 0; i < SEATS; i++) {
        struct tk_uuid id = id_of(i + 1);
        cr_assert_eq(seat_plan_find(plan, &id), i);
    }
    struct tk_uuid none = id_of(SEATS + 1);
    cr_assert_eq(seat_plan_find(plan, &none), SEAT_NOWHERE);
    cr_assert_eq(seat_plan_section(plan, TK_SLICE("B")), 1);
    cr_assert_eq(seat_plan_section(plan, TK_SLICE("C")), SEAT_NOWHERE);
    seat_picture_free(picture);
}

Test(seat_picture, later_commits_win_whatever_order_they_arrive_in)
{
    struct seat_picture *picture = empty_hall(10);
    seat_picture_change(picture, 3, TK_SEAT_SOLD, 7, 12);
    cr_assert_not(seat_picture_commit(picture, 12));
    cr_assert_eq(picture->version, 10);
    cr_assert_not(seat_picture_is_exact(picture));
    seat_picture_change(picture, 3, TK_SEAT_RESERVED, 7, 11);
    cr_assert(seat_picture_commit(picture, 11));
    cr_assert_eq(picture->version, 12);
    cr_assert(seat_picture_is_exact(picture));
    cr_assert_eq(seat_picture_status(picture, 3), TK_SEAT_SOLD);
    cr_assert_eq(picture->sections[0].counts[TK_SEAT_SOLD], 1);
    cr_assert_eq(picture->free, SEATS - 1);
    seat_picture_free(picture);
}

Test(seat_picture, a_refresh_fills_the_gap_and_keeps_what_is_newer)
{
    struct seat_picture *picture = empty_hall(10);
    uint8_t seats[SEATS * PICTURE_SEAT_BYTES] = {0};
    seat_picture_change(picture, 1, TK_SEAT_RESERVED, 5, 13);
    (void)!seat_picture_commit(picture, 13);
    seats[2 * PICTURE_SEAT_BYTES] = TK_SEAT_SOLD;
    memcpy(&seats[2 * PICTURE_SEAT_BYTES + 1], (uint8_t[]){0, 0, 0, 9}, 4);
    seat_picture_refresh(picture, seats, 12); /* a snapshot from before our 13 */
    cr_assert_eq(picture->version, 13);
    cr_assert_eq(seat_picture_status(picture, 1), TK_SEAT_RESERVED);
    cr_assert_eq(seat_picture_status(picture, 2), TK_SEAT_SOLD);
    enum tk_seat_status status;
    cr_assert(seat_picture_is_lost(picture, 2, 5, &status));
    cr_assert_not(seat_picture_is_lost(picture, 2, 9, &status));
    seat_picture_free(picture);
}

Test(seat_picture, claims_come_and_go)
{
    struct seat_picture *picture = empty_hall(1);
    uint32_t places[4];
    seat_picture_claim(picture, 9, 77);
    seat_picture_claim(picture, 8, 77);
    seat_picture_claim(picture, 9, 78); /* taken: nothing */
    cr_assert_not(seat_picture_is_free(picture, 9));
    cr_assert_eq(seat_picture_status(picture, 9), TK_SEAT_AVAILABLE);
    cr_assert_eq(seat_picture_of_tag(picture, 77, places, 4), 2);
    cr_assert(places[0] == 8 && places[1] == 9);
    cr_assert_eq(seat_picture_row_run(picture, 1), 6);
    seat_picture_unclaim(picture, 9, 78);
    cr_assert_not(seat_picture_is_free(picture, 9));
    seat_picture_unclaim(picture, 9, 77);
    cr_assert(seat_picture_is_free(picture, 9));
    seat_picture_change(picture, 8, TK_SEAT_RESERVED, 77, 2);
    seat_picture_unclaim(picture, 8, 77);
    cr_assert_eq(seat_picture_status(picture, 8), TK_SEAT_RESERVED);
    cr_assert_eq(seat_picture_of_tag(picture, 77, places, 4), 1);
    cr_assert_eq(seat_picture_row_run(picture, 1), 7);
    seat_picture_free(picture);
}

Test(seat_picture, what_was_seen_taken_is_forgotten_once_confirmed)
{
    struct seat_picture *picture = empty_hall(1);
    enum tk_seat_status status;
    seat_picture_see_taken(picture, 4, TK_SEAT_SOLD);
    cr_assert_not(seat_picture_is_free(picture, 4));
    cr_assert(seat_picture_is_lost(picture, 4, 1, &status));
    cr_assert_eq(status, TK_SEAT_SOLD);
    cr_assert_eq(picture->seen_taken, 1);
    seat_picture_confirm(picture);
    cr_assert_eq(picture->seen_taken, 0);
    cr_assert(seat_picture_is_free(picture, 4));
    cr_assert_eq(picture->free, SEATS);
    seat_picture_free(picture);
}

/* A client that applies every delta must see what the full snapshot shows. */
Test(seat_picture, deltas_add_up_to_the_snapshot)
{
    struct seat_picture *picture = empty_hall(1);
    uint8_t mirror[SEATS] = {0};
    uint8_t packed[SEATS / 4];
    uint32_t places[PICTURE_RING];
    int64_t seen = 1;
    for (int64_t version = 2; version < COMMITS; version++) {
        for (int k = 0; k < 3; k++)
            seat_picture_change(picture, (uint32_t)rand() % SEATS, (enum tk_seat_status)(rand() % 4), 3, version);
        cr_assert(seat_picture_commit(picture, version));
        if (rand() % 4 != 0)
            continue;
        size_t count;
        cr_assert(seat_picture_delta(picture, seen, places, &count));
        for (size_t i = 0; i < count; i++)
            mirror[places[i]] = (uint8_t)seat_picture_status(picture, places[i]);
        seen = version;
        seat_picture_pack(picture, packed);
        for (uint32_t i = 0; i < SEATS; i++)
            cr_assert_eq(packed[i / 4] >> (i % 4 * 2) & 3, mirror[i]);
    }
    size_t count;
    cr_assert_not(seat_picture_delta(picture, 0, places, &count));
    cr_assert_not(seat_picture_delta(picture, COMMITS, places, &count));
    seat_picture_free(picture);
}

Test(seat_picture, the_ring_forgets)
{
    struct seat_picture *picture = empty_hall(1);
    uint32_t places[PICTURE_RING];
    size_t count;
    for (int64_t version = 2; version < PICTURE_RING + 100; version++) {
        seat_picture_change(picture, (uint32_t)version % SEATS, TK_SEAT_RESERVED, 3, version);
        cr_assert(seat_picture_commit(picture, version));
    }
    cr_assert_not(seat_picture_delta(picture, 50, places, &count));
    cr_assert(seat_picture_delta(picture, 200, places, &count));
    cr_assert_eq(count, SEATS);
    seat_picture_free(picture);
}

/* The caches against counting, through a long random life. */
Test(seat_picture, counts_and_runs_stay_true)
{
    struct seat_picture *picture = empty_hall(1);
    for (int64_t version = 2; version < 3000; version++) {
        uint32_t place = (uint32_t)rand() % SEATS;
        uint32_t tag = 1 + (uint32_t)rand() % 5;
        if (rand() % 2)
            seat_picture_claim(picture, place, tag);
        else
            seat_picture_unclaim(picture, place, tag);
        if (rand() % 3 == 0)
            seat_picture_change(picture, (uint32_t)rand() % SEATS, (enum tk_seat_status)(rand() % 4), tag, version);
        if (rand() % 5 == 0)
            seat_picture_see_taken(picture, (uint32_t)rand() % SEATS, TK_SEAT_RESERVED);
        (void)!seat_picture_commit(picture, version);
        uint32_t row = (uint32_t)rand() % 8;
        uint32_t run = 0;
        uint32_t longest = 0;
        for (uint32_t i = row * 8; i < row * 8 + 8; i++) {
            run = seat_picture_is_free(picture, i) ? run + 1 : 0;
            longest = run > longest ? run : longest;
        }
        cr_assert_eq(seat_picture_row_run(picture, row), longest);
        uint32_t available = 0;
        for (uint32_t i = 0; i < SEATS; i++)
            available += seat_picture_is_free(picture, i);
        cr_assert_eq(picture->free, available);
        cr_assert_eq(picture->sections[0].free + picture->sections[1].free, available);
    }
    seat_picture_free(picture);
}
