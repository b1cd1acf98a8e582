/**
 * What the clients did and what they were told: the only witness besides the databases. Each purchase has a user and a key
 * of its own, so that any row can be traced back to the request that asked for it.
 *
 * An outcome is known or it is not: a timeout, a cut connection and 503 `outcome_unknown` are UNKNOWN, never a failure. Who
 * is in doubt asks again with the same key until he is told.
 */
#ifndef CHAOS_HISTORY_H
#define CHAOS_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/id.h"
#include "shared/base/result.h"

#define PURCHASE_MAX_SEATS 4

enum outcome {
    OUTCOME_NOT_ASKED,
    OUTCOME_UNKNOWN,     /* asked, and it may have happened */
    OUTCOME_NOT_APPLIED, /* every answer promised that nothing was applied */
    OUTCOME_REFUSED,     /* it did not happen and will not: seats taken, hold expired, payment refused */
    OUTCOME_OK,
};

struct step {
    enum outcome outcome;
    bool was_unknown;    /* at some time nobody knew */
    int64_t invoked_us;  /* Unix time of the first try */
    int64_t answered_us; /* Unix time of the answer that settled it */
};

enum wish { WISH_CONFIRM, WISH_CANCEL, WISH_ABANDON, WISH_BAD_CARD, WISH_TOO_MANY };

struct purchase {
    struct tk_uuid user; /* its text is the Idempotency-Key as well */
    uint32_t buyer;
    uint32_t nth; /* of this buyer, from 0 */
    uint32_t seats[PURCHASE_MAX_SEATS];
    uint8_t seat_count;
    bool replays;       /* repeats its request once more after the answer */
    bool reads_tickets; /* reads its tickets after a payment, not the reservation */
    enum wish wish;
    struct step hold;
    struct step confirm;
    struct step cancel;
    struct tk_uuid reservation; /* once hold.outcome is OK */
    int64_t expiry_us;
    uint64_t body_hash; /* of the 201 */
    char end[16];       /* the state booking_db had it in at the end; the checker fills it in */
};

struct seat_place {
    struct tk_uuid session;
    struct tk_uuid seat;
};

struct history {
    struct seat_place *seats; /* owned, as all that follows */
    size_t seat_count;
    struct purchase **purchases;
    size_t count;
    size_t cap;
    struct tk_uuid_map by_user; /* to struct purchase * */
    struct tk_uuid_map by_seat; /* to struct seat_place * */
    uint64_t contradictions;    /* found while running: a replay that differs, a lost answer */
    uint64_t reads;             /* payments read back */
};

/** Reads lines "session_id session_seat_id". TK_ERR_INVALID when there is none. */
TK_MUSTCHECK enum tk_err history_open(struct history *history, const char *seats_file);
/** A purchase for the caller to fill, with a user that did not exist before. */
struct purchase *history_add(struct history *history);
void history_close(struct history *history);

/** A step is settled when another try could tell nothing new. */
bool outcome_is_final(enum outcome outcome);

/** Writes one line a purchase, for reading by people after a failure. TK_ERR_IO */
TK_MUSTCHECK enum tk_err history_write(const struct history *history, const char *path);

#endif
