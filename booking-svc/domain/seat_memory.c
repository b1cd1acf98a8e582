/*
 * Two set-associative tables: one hash names a set of a few entries, nothing is chained and nothing is allocated later.
 * An entry is dead when its time is over; a section's entry also when something of its session was given back after the
 * question behind it was asked (an answer may overtake a release). Those times stand in a table of their own, where two
 * sessions may share a place: the worse for that is a question asked once too often.
 */
#include "booking-svc/domain/seat_memory.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/mem.h"

#define WAYS         4
#define SEAT_SETS    16384 /* 18,000 reservations of 2.5 seats in half a second are 22,500 entries */
#define SECTION_SETS 1024
#define FREED_PLACES 1024

/** Four of them are one cache line. A seat goes by 64 bits: that two meet costs an attempt once in a thousand years. */
struct taken_seat {
    uint64_t name;
    int64_t until_and_status; /* microseconds times STATUSES plus the status; 0: empty */
};

#define STATUSES 8

struct short_section {
    struct tk_uuid session;
    int64_t asked_us;
    int64_t until_us;      /* 0: empty */
    int64_t sold_out_from; /* so many seats or more are not there */
    int64_t no_block_from; /* so many or more side by side are not there */
    int64_t offer_available;
    int64_t offer_largest_block;
    size_t section_len;
    char section[SEAT_MEMORY_SECTION_MAX];
};

struct seat_memory {
    struct taken_seat seats[SEAT_SETS][WAYS];
    struct short_section sections[SECTION_SETS][WAYS];
    int64_t freed_us[FREED_PLACES];
};

struct seat_memory *seat_memory_new(void)
{
    return tk_alloc(sizeof(struct seat_memory));
}

void seat_memory_free(struct seat_memory *memory)
{
    free(memory);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/** Ids made in one instant differ in few bits, wherever they stand: the multiplications spread them over all. */
static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t h = (a ^ (b << 32 | b >> 32)) * UINT64_C(0x9E3779B97F4A7C15);
    h = (h ^ h >> 32) * UINT64_C(0xD6E8FEB86659FD93);
    return h ^ h >> 32;
}

static uint64_t hash_id(const struct tk_uuid *id)
{
    uint64_t halves[2];
    memcpy(halves, id->bytes, sizeof(halves));
    return mix(halves[0], halves[1]);
}

static uint64_t hash_text(uint64_t h, struct tk_slice text) /* FNV-1a */
{
    for (size_t i = 0; i < text.len; i++)
        h = (h ^ (uint8_t)text.ptr[i]) * UINT64_C(1099511628211);
    return h ^ h >> 32;
}

/* --- seats --------------------------------------------------------------------------------------------------------- */

static struct taken_seat *find_taken(struct seat_memory *memory, uint64_t name)
{
    struct taken_seat *set = memory->seats[name % SEAT_SETS];
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].name == name)
            return &set[i];
    }
    return NULL;
}

static struct taken_seat *place_for_seat(struct seat_memory *memory, uint64_t name)
{
    struct taken_seat *set = memory->seats[name % SEAT_SETS];
    struct taken_seat *place = find_taken(memory, name);
    if (place != NULL)
        return place;
    place = &set[0];
    for (size_t i = 1; i < WAYS; i++) {
        if (set[i].until_and_status < place->until_and_status)
            place = &set[i];
    }
    return place;
}

void seat_memory_learn_taken(struct seat_memory *memory, const struct tk_uuid *seat, enum tk_seat_status status,
                             int64_t asked_us, int64_t now_us)
{
    const uint64_t name = hash_id(seat);
    const int64_t until_us = least(now_us + SEAT_MEMORY_TAKEN_US, asked_us + SEAT_MEMORY_OLDEST_US);
    *place_for_seat(memory, name) = (struct taken_seat){name, until_us * STATUSES + (int64_t)status};
}

void seat_memory_forget_seat(struct seat_memory *memory, const struct tk_uuid *seat)
{
    struct taken_seat *known = find_taken(memory, hash_id(seat));
    if (known != NULL)
        known->until_and_status = 0;
}

bool seat_memory_is_taken(struct seat_memory *memory, const struct tk_uuid *seat, int64_t now_us,
                          enum tk_seat_status *status)
{
    const struct taken_seat *known = find_taken(memory, hash_id(seat));
    if (known == NULL || known->until_and_status / STATUSES <= now_us)
        return false;
    *status = (enum tk_seat_status)(known->until_and_status % STATUSES);
    return true;
}

/* --- sections ------------------------------------------------------------------------------------------------------ */

static bool is_section(const struct short_section *entry, const struct tk_uuid *session, struct tk_slice section)
{
    return entry->until_us != 0 && entry->section_len == section.len && tk_uuid_eq(&entry->session, session) &&
           (section.len == 0 || memcmp(entry->section, section.ptr, section.len) == 0);
}

static struct short_section *set_of(struct seat_memory *memory, const struct tk_uuid *session, struct tk_slice section)
{
    return memory->sections[hash_text(hash_id(session), section) % SECTION_SETS];
}

static int64_t freed_us(const struct seat_memory *memory, const struct tk_uuid *session)
{
    return memory->freed_us[hash_id(session) % FREED_PLACES];
}

static const struct short_section *find_section(struct seat_memory *memory, const struct tk_uuid *session,
                                                struct tk_slice section, int64_t now_us)
{
    const struct short_section *set = set_of(memory, session, section);
    for (size_t i = 0; i < WAYS; i++) {
        if (is_section(&set[i], session, section))
            return set[i].until_us > now_us && set[i].asked_us > freed_us(memory, session) ? &set[i] : NULL;
    }
    return NULL;
}

static struct short_section *place_for_section(struct seat_memory *memory, const struct tk_uuid *session,
                                               struct tk_slice section)
{
    struct short_section *set = set_of(memory, session, section);
    struct short_section *place = &set[0];
    for (size_t i = 0; i < WAYS; i++) {
        if (is_section(&set[i], session, section))
            return &set[i];
        if (set[i].until_us < place->until_us)
            place = &set[i];
    }
    return place;
}

/** Whoever wants as many as were refused, or more than were offered, is refused as well. */
void seat_memory_learn_refusal(struct seat_memory *memory, const struct tk_uuid *session,
                               const struct tk_best_available *best, const struct tk_hold_answer *answer, int64_t asked_us,
                               int64_t now_us)
{
    const int64_t refused_from = answer->outcome == TK_HOLD_SOLD_OUT ? best->quantity : INT64_MAX;
    if (best->section.len > SEAT_MEMORY_SECTION_MAX)
        return;
    struct short_section *entry = place_for_section(memory, session, best->section);
    *entry = (struct short_section){
        .session = *session,
        .asked_us = asked_us,
        .until_us = least(now_us + SEAT_MEMORY_SOLD_OUT_US, asked_us + SEAT_MEMORY_OLDEST_US),
        .sold_out_from = least(refused_from, answer->offer_available + 1),
        .no_block_from = least(best->quantity, answer->offer_largest_block + 1),
        .offer_available = answer->offer_available,
        .offer_largest_block = answer->offer_largest_block,
        .section_len = best->section.len,
    };
    if (best->section.len > 0)
        memcpy(entry->section, best->section.ptr, best->section.len);
}

void seat_memory_forget_session(struct seat_memory *memory, const struct tk_uuid *session, int64_t now_us)
{
    memory->freed_us[hash_id(session) % FREED_PLACES] = now_us;
}

static bool section_refuses(const struct short_section *known, const struct tk_best_available *best,
                            struct tk_hold_answer *answer)
{
    if (known == NULL)
        return false;
    if (best->quantity >= known->sold_out_from)
        answer->outcome = TK_HOLD_SOLD_OUT;
    else if (best->adjacent && best->quantity >= known->no_block_from)
        answer->outcome = TK_HOLD_NO_ADJACENT_BLOCK;
    else
        return false;
    answer->offer_available = known->offer_available;
    answer->offer_largest_block = known->offer_largest_block;
    return true;
}

/** A session without so many seats has no section with them. */
bool seat_memory_refuses(struct seat_memory *memory, const struct tk_uuid *session, const struct tk_best_available *best,
                         int64_t now_us, struct tk_hold_answer *answer)
{
    static const struct tk_slice whole = {NULL, 0};
    const struct tk_slice section = best->section.len <= SEAT_MEMORY_SECTION_MAX ? best->section : whole;
    if (section.len > 0 && section_refuses(find_section(memory, session, section, now_us), best, answer))
        return true;
    return section_refuses(find_section(memory, session, whole, now_us), best, answer);
}
