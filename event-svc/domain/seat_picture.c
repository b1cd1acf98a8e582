/*
 * A seat's byte: bits 0-1 the status, bit 2 CLAIMED, bit 3 SEEN TAKEN with the status seen in bits 4-5. Rows and sections
 * count their free seats at once; the longest run of a row is found again only when asked for after a change.
 */
#include "event-svc/domain/seat_picture.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define STATUS_MASK 3u
#define CLAIMED     4u
#define SEEN_TAKEN  8u
#define MARKS       (CLAIMED | SEEN_TAKEN)
#define SEEN_SHIFT  4
#define CHAIN_END   UINT32_MAX

static bool byte_is_free(uint8_t byte)
{
    return (byte & (STATUS_MASK | MARKS)) == TK_SEAT_AVAILABLE;
}

uint32_t seat_tag(const struct tk_uuid *reservation_id)
{
    const uint8_t *b = reservation_id->bytes + sizeof(reservation_id->bytes) - 4;
    uint32_t tag = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
    return tag != 0 ? tag : 1;
}

/* --- tags --------------------------------------------------------------------------------------------------------- */

static uint32_t *chain_of(struct seat_picture *picture, uint32_t tag)
{
    return &picture->chain_heads[tag & picture->chain_mask];
}

static void unlink_tag(struct seat_picture *picture, uint32_t place)
{
    uint32_t *at = chain_of(picture, picture->tags[place]);
    while (*at != place)
        at = &picture->chain_next[*at];
    *at = picture->chain_next[place];
}

static void set_tag(struct seat_picture *picture, uint32_t place, uint32_t tag)
{
    if (picture->tags[place] == tag)
        return;
    if (picture->tags[place] != 0)
        unlink_tag(picture, place);
    picture->tags[place] = tag;
    if (tag == 0)
        return;
    uint32_t *head = chain_of(picture, tag);
    picture->chain_next[place] = *head;
    *head = place;
}

static int compare_places(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

size_t seat_picture_of_tag(const struct seat_picture *picture, uint32_t tag, uint32_t *places, size_t max)
{
    size_t count = 0;
    for (uint32_t at = picture->chain_heads[tag & picture->chain_mask]; at != CHAIN_END && count < max;
         at = picture->chain_next[at])
        if (picture->tags[at] == tag)
            places[count++] = at;
    qsort(places, count, sizeof(*places), compare_places);
    return count;
}

/* --- states ------------------------------------------------------------------------------------------------------- */

static void count_free(struct seat_picture *picture, uint32_t place, bool is_free)
{
    uint32_t row = picture->plan->rows_of[place];
    uint32_t section = picture->plan->rows[row].section;
    uint32_t step = is_free ? 1 : UINT32_MAX; /* modulo 2^32: minus one */
    picture->free += step;
    picture->rows[row].free += step;
    picture->sections[section].free += step;
    picture->rows[row].dirty = true;
    picture->sections[section].dirty = true;
}

static void set_state(struct seat_picture *picture, uint32_t place, uint8_t byte)
{
    uint8_t old = picture->states[place];
    struct picture_section *section = &picture->sections[picture->plan->rows[picture->plan->rows_of[place]].section];
    section->counts[old & STATUS_MASK]--;
    section->counts[byte & STATUS_MASK]++;
    picture->seen_taken += (uint32_t)((byte & SEEN_TAKEN) != 0) - (uint32_t)((old & SEEN_TAKEN) != 0);
    picture->states[place] = byte;
    if (byte_is_free(old) != byte_is_free(byte))
        count_free(picture, place, byte_is_free(byte));
}

static uint32_t longest_run(const struct seat_picture *picture, const struct plan_row *row)
{
    uint32_t longest = 0;
    uint32_t run = 0;
    for (uint32_t i = row->first; i < row->first + row->count; i++) {
        run = byte_is_free(picture->states[i]) ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    return longest;
}

uint32_t seat_picture_row_run(struct seat_picture *picture, uint32_t row)
{
    struct picture_row *cache = &picture->rows[row];
    if (cache->dirty) {
        cache->largest = cache->free == 0 ? 0 : longest_run(picture, &picture->plan->rows[row]);
        cache->dirty = false;
    }
    return cache->largest;
}

uint32_t seat_picture_section_run(struct seat_picture *picture, uint32_t section)
{
    struct picture_section *cache = &picture->sections[section];
    const struct plan_section *plan = &picture->plan->sections[section];
    if (cache->dirty) {
        cache->largest = 0;
        for (uint32_t row = plan->first_row; row < plan->first_row + plan->row_count; row++) {
            uint32_t run = seat_picture_row_run(picture, row);
            cache->largest = run > cache->largest ? run : cache->largest;
        }
        cache->dirty = false;
    }
    return cache->largest;
}

bool seat_picture_is_free(const struct seat_picture *picture, uint32_t place)
{
    return byte_is_free(picture->states[place]);
}

enum tk_seat_status seat_picture_status(const struct seat_picture *picture, uint32_t place)
{
    return (enum tk_seat_status)(picture->states[place] & STATUS_MASK);
}

bool seat_picture_is_lost(const struct seat_picture *picture, uint32_t place, uint32_t tag, enum tk_seat_status *status)
{
    uint8_t byte = picture->states[place];
    *status = (enum tk_seat_status)(byte & STATUS_MASK);
    if (*status != TK_SEAT_AVAILABLE)
        return picture->tags[place] != tag;
    *status = (enum tk_seat_status)(byte >> SEEN_SHIFT & STATUS_MASK);
    return (byte & SEEN_TAKEN) != 0;
}

/* --- following ---------------------------------------------------------------------------------------------------- */

void seat_picture_claim(struct seat_picture *picture, uint32_t place, uint32_t tag)
{
    if (!byte_is_free(picture->states[place]))
        return;
    set_state(picture, place, CLAIMED);
    set_tag(picture, place, tag);
}

void seat_picture_unclaim(struct seat_picture *picture, uint32_t place, uint32_t tag)
{
    uint8_t byte = picture->states[place];
    if ((byte & CLAIMED) == 0 || picture->tags[place] != tag)
        return; /* never was ours, or a commit took it */
    set_state(picture, place, byte & (uint8_t)~CLAIMED);
    set_tag(picture, place, 0);
}

static void remember(struct seat_picture *picture, uint32_t place, int64_t version)
{
    struct picture_change *slot = &picture->ring[picture->ring_count++ % PICTURE_RING];
    if (picture->ring_count > PICTURE_RING && slot->version > picture->ring_floor)
        picture->ring_floor = slot->version;
    *slot = (struct picture_change){.place = place, .version = (uint32_t)version};
    picture->stamps[place] = (uint32_t)version;
}

void seat_picture_change(struct seat_picture *picture, uint32_t place, enum tk_seat_status status, uint32_t tag,
                         int64_t version)
{
    assert(status <= TK_SEAT_BLOCKED);
    if (version <= picture->version || version <= picture->stamps[place])
        return; /* a refresh or a later commit told already */
    remember(picture, place, version);
    set_state(picture, place, (uint8_t)status);
    set_tag(picture, place, status == TK_SEAT_AVAILABLE ? 0 : tag);
    picture->newest = version > picture->newest ? version : picture->newest;
}

static uint64_t *ahead_word(struct seat_picture *picture, int64_t version)
{
    return &picture->ahead[(size_t)version / 64 % (PICTURE_LOOKAHEAD / 64)];
}

static uint64_t ahead_bit(int64_t version)
{
    return UINT64_C(1) << ((size_t)version % 64);
}

/* Moves `version` over what is known beyond it. */
static void catch_up(struct seat_picture *picture)
{
    while (*ahead_word(picture, picture->version + 1) & ahead_bit(picture->version + 1)) {
        picture->version++;
        *ahead_word(picture, picture->version) &= ~ahead_bit(picture->version);
    }
    picture->newest = picture->newest > picture->version ? picture->newest : picture->version;
}

bool seat_picture_commit(struct seat_picture *picture, int64_t version)
{
    picture->newest = version > picture->newest ? version : picture->newest;
    if (version > picture->version && version <= picture->version + PICTURE_LOOKAHEAD) {
        *ahead_word(picture, version) |= ahead_bit(version);
        catch_up(picture);
    }
    return picture->version >= version;
}

void seat_picture_see_taken(struct seat_picture *picture, uint32_t place, enum tk_seat_status status)
{
    uint8_t byte = picture->states[place];
    if ((byte & STATUS_MASK) != TK_SEAT_AVAILABLE || status == TK_SEAT_AVAILABLE || status > TK_SEAT_BLOCKED)
        return;
    byte = (uint8_t)((byte & CLAIMED) | SEEN_TAKEN | (unsigned)status << SEEN_SHIFT);
    set_state(picture, place, byte);
}

void seat_picture_confirm(struct seat_picture *picture)
{
    for (uint32_t i = 0; picture->seen_taken > 0 && i < picture->plan->seat_count; i++)
        if (picture->states[i] & SEEN_TAKEN)
            set_state(picture, i, picture->states[i] & (STATUS_MASK | CLAIMED));
}

static uint32_t read_tag(const uint8_t *seat)
{
    return (uint32_t)seat[1] << 24 | (uint32_t)seat[2] << 16 | (uint32_t)seat[3] << 8 | seat[4];
}

static void refresh_seat(struct seat_picture *picture, uint32_t place, const uint8_t *seat, int64_t version)
{
    uint8_t old = picture->states[place];
    uint8_t status = seat[0];
    uint32_t tag = read_tag(seat);
    assert(status <= TK_SEAT_BLOCKED);
    if (picture->stamps[place] > version)
        return;
    if ((old & STATUS_MASK) != status) {
        remember(picture, place, version);
        set_state(picture, place, status != TK_SEAT_AVAILABLE ? status : (old & CLAIMED));
    } else if (old & SEEN_TAKEN) {
        set_state(picture, place, old & (STATUS_MASK | CLAIMED));
    }
    if (status != TK_SEAT_AVAILABLE)
        set_tag(picture, place, tag != 0 ? tag : 1);
    else if ((picture->states[place] & CLAIMED) == 0)
        set_tag(picture, place, 0);
}

void seat_picture_refresh(struct seat_picture *picture, const uint8_t *seats, int64_t version)
{
    if (version < picture->version)
        return;
    for (uint32_t i = 0; i < picture->plan->seat_count; i++)
        refresh_seat(picture, i, seats + (size_t)i * PICTURE_SEAT_BYTES, version);
    for (int64_t v = picture->version + 1; v <= version && v <= picture->version + PICTURE_LOOKAHEAD; v++)
        *ahead_word(picture, v) &= ~ahead_bit(v);
    picture->version = version;
    catch_up(picture);
}

bool seat_picture_is_exact(const struct seat_picture *picture)
{
    return picture->newest == picture->version;
}

/* --- telling ------------------------------------------------------------------------------------------------------ */

bool seat_picture_delta(const struct seat_picture *picture, int64_t since, uint32_t *places, size_t *count)
{
    size_t kept = picture->ring_count < PICTURE_RING ? picture->ring_count : PICTURE_RING;
    *count = 0;
    if (since < picture->ring_floor || since > picture->version)
        return false;
    for (size_t i = 1; i <= kept; i++) {
        const struct picture_change *change = &picture->ring[(picture->ring_count - i) % PICTURE_RING];
        if (change->version > since && picture->stamps[change->place] == change->version)
            places[(*count)++] = change->place;
    }
    return true;
}

void seat_picture_pack(const struct seat_picture *picture, uint8_t *out)
{
    uint32_t count = picture->plan->seat_count;
    memset(out, 0, (count + 3) / 4);
    for (uint32_t i = 0; i < count; i++)
        out[i / 4] |= (uint8_t)((picture->states[i] & STATUS_MASK) << (i % 4 * 2));
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void first_look(struct seat_picture *picture, const uint8_t *seats)
{
    const struct seat_plan *plan = picture->plan;
    for (uint32_t i = 0; i < plan->seat_count; i++) {
        const uint8_t *seat = seats + (size_t)i * PICTURE_SEAT_BYTES;
        assert(seat[0] <= TK_SEAT_BLOCKED);
        picture->sections[plan->rows[plan->rows_of[i]].section].counts[seat[0]]++;
        picture->states[i] = seat[0];
        if (seat[0] == TK_SEAT_AVAILABLE)
            count_free(picture, i, true);
        else
            set_tag(picture, i, read_tag(seat) != 0 ? read_tag(seat) : 1);
    }
}

struct seat_picture *seat_picture_new(struct seat_plan *plan, const uint8_t *seats, int64_t version)
{
    struct seat_picture *picture = tk_alloc(sizeof(*picture));
    size_t n = plan->seat_count;
    size_t heads = 1;
    while (heads < n)
        heads *= 2;
    picture->plan = plan;
    picture->states = tk_alloc(n);
    picture->stamps = tk_alloc(n * sizeof(*picture->stamps));
    picture->tags = tk_alloc(n * sizeof(*picture->tags));
    picture->chain_next = tk_alloc(n * sizeof(*picture->chain_next));
    picture->chain_heads = tk_alloc(heads * sizeof(*picture->chain_heads));
    picture->chain_mask = (uint32_t)heads - 1;
    memset(picture->chain_heads, 0xff, heads * sizeof(*picture->chain_heads));
    picture->rows = tk_alloc(plan->row_count * sizeof(*picture->rows));
    picture->sections = tk_alloc(plan->section_count * sizeof(*picture->sections));
    picture->version = picture->newest = picture->ring_floor = version;
    first_look(picture, seats);
    return picture;
}

void seat_picture_free(struct seat_picture *picture)
{
    if (picture == NULL)
        return;
    seat_plan_free(picture->plan);
    free(picture->states);
    free(picture->stamps);
    free(picture->tags);
    free(picture->chain_next);
    free(picture->chain_heads);
    free(picture->rows);
    free(picture->sections);
    free(picture);
}

size_t seat_picture_size(const struct seat_picture *picture)
{
    const struct seat_plan *plan = picture->plan;
    size_t per_seat = 1 + sizeof(*picture->stamps) + sizeof(*picture->tags) + sizeof(*picture->chain_next);
    return sizeof(*picture) + plan->bytes + plan->seat_count * per_seat +
           (picture->chain_mask + (size_t)1) * sizeof(*picture->chain_heads) + plan->row_count * sizeof(*picture->rows) +
           plan->section_count * sizeof(*picture->sections);
}
