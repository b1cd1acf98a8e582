/**
 * What this instance believes about the seats of one session: the geometry and a byte per seat. It follows our own commits
 * as they return and is refreshed from Postgres when another instance wrote. It may be stale: a wrong "free" costs one
 * wasted attempt, since the row in Postgres decides; a wrong "taken" lasts until the next look at the session's version.
 *
 * Versions. Every transaction that changes seats of a session bumps its version, last, so versions are commits in order.
 * Commits of ours may be reported out of order (several connections, the consumer's thread): each seat remembers the
 * version of its last change and ignores older ones, and `version` is the highest one below which none is missing. The
 * picture is exact as of `version` when nothing above it has been applied: seat_picture_is_exact().
 *
 * Beside a seat's status stand two marks that only make the picker avoid it: CLAIMED, a hold of ours on its way to
 * Postgres; SEEN TAKEN, a statement of ours found somebody else's hold there, in a version not known yet.
 */
#ifndef EVENT_SVC_DOMAIN_SEAT_PICTURE_H
#define EVENT_SVC_DOMAIN_SEAT_PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "event-svc/domain/seat_plan.h"
#include "shared/contract/seat_api.h"

#define PICTURE_RING      4096 /* changes remembered for deltas */
#define PICTURE_LOOKAHEAD 1024 /* versions known beyond a missing one; multiple of 64 */
#define PICTURE_STATUSES  4    /* available, reserved, sold, blocked: two bits */

/** One seat as Postgres has it: a byte of status, then the holder's tag, most significant byte first. */
#define PICTURE_SEAT_BYTES 5

struct picture_row {
    uint32_t free;    /* neither taken nor marked */
    uint32_t largest; /* most free neighbours; valid unless dirty */
    bool dirty;
};

struct picture_section {
    uint32_t free;
    uint32_t largest; /* of its rows; valid unless dirty */
    bool dirty;
    uint32_t counts[PICTURE_STATUSES];
};

struct picture_change {
    uint32_t place;
    uint32_t version;
};

struct seat_picture {
    struct seat_plan *plan;
    uint8_t *states; /* see seat_picture.c */
    uint32_t *stamps;
    uint32_t *tags; /* of the holder or claimant, 0: none; chained by tag */
    uint32_t *chain_heads;
    uint32_t *chain_next;
    uint32_t chain_mask;
    struct picture_row *rows;
    struct picture_section *sections;
    uint32_t free;
    uint32_t seen_taken; /* seats so marked */
    int64_t version;
    int64_t newest; /* highest version applied */
    uint64_t ahead[PICTURE_LOOKAHEAD / 64];
    struct picture_change ring[PICTURE_RING];
    size_t ring_count; /* ever appended */
    int64_t ring_floor;
};

/** Owns `plan` from now on. `seats` are plan->seat_count times PICTURE_SEAT_BYTES, as of `version`. */
struct seat_picture *seat_picture_new(struct seat_plan *plan, const uint8_t *seats, int64_t version);
void seat_picture_free(struct seat_picture *picture); /* NULL is fine */
size_t seat_picture_size(const struct seat_picture *picture);

/** The tag of a reservation: four of its random bytes, never 0. A match only ever means "ask Postgres". */
uint32_t seat_tag(const struct tk_uuid *reservation_id);

/* --- looking ------------------------------------------------------------------------------------------------------ */

/** Neither taken nor marked: worth trying. */
bool seat_picture_is_free(const struct seat_picture *picture, uint32_t place);

/** As committed in what is known. */
enum tk_seat_status seat_picture_status(const struct seat_picture *picture, uint32_t place);

/** Taken, as far as is known, by somebody whose tag is not `tag`; then `status` says how. Claims do not count. */
bool seat_picture_is_lost(const struct seat_picture *picture, uint32_t place, uint32_t tag, enum tk_seat_status *status);

/** Longest run of free neighbours. */
uint32_t seat_picture_row_run(struct seat_picture *picture, uint32_t row);
uint32_t seat_picture_section_run(struct seat_picture *picture, uint32_t section);

/** Places held or claimed under `tag`, ascending, at most `max`; returns how many. */
size_t seat_picture_of_tag(const struct seat_picture *picture, uint32_t tag, uint32_t *places, size_t max);

/** True when the picture shows exactly the commits up to `version`. */
bool seat_picture_is_exact(const struct seat_picture *picture);

/* --- following ---------------------------------------------------------------------------------------------------- */

/** Marks a free seat for a hold on its way; nothing when it is not free. Takes the mark back if it is that hold's. */
void seat_picture_claim(struct seat_picture *picture, uint32_t place, uint32_t tag);
void seat_picture_unclaim(struct seat_picture *picture, uint32_t place, uint32_t tag);

/** A commit of ours: its changes in any order, then seat_picture_commit() with its version. Takes the claim's mark too. */
void seat_picture_change(struct seat_picture *picture, uint32_t place, enum tk_seat_status status, uint32_t tag,
                         int64_t version);
/** True when nothing is missing up to `version`: the picture was complete when that commit was made. */
bool seat_picture_commit(struct seat_picture *picture, int64_t version);

/** A statement of ours found the seat taken in a version not known yet. */
void seat_picture_see_taken(struct seat_picture *picture, uint32_t place, enum tk_seat_status status);

/** Postgres says that `version` is the current one, and it is ours: what was seen taken is history. */
void seat_picture_confirm(struct seat_picture *picture);

/** What Postgres had at `version`, as in seat_picture_new(). Changes of ours that are newer stay. */
void seat_picture_refresh(struct seat_picture *picture, const uint8_t *seats, int64_t version);

/* --- telling ------------------------------------------------------------------------------------------------------ */

/**
 * Places changed after version `since`, each once, newest first; at most PICTURE_RING. False: the ring does not reach back
 * that far, or `since` is not a version there has been.
 */
bool seat_picture_delta(const struct seat_picture *picture, int64_t since, uint32_t *places, size_t *count);

/** Two bits a seat, the first seat lowest in the first byte; `out` has (seat_count + 3) / 4 bytes. */
void seat_picture_pack(const struct seat_picture *picture, uint8_t *out);

#endif
