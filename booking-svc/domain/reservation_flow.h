/**
 * Creating a reservation, as a pure machine: which step comes next, what is answered, and what must be undone. It does no
 * I/O and knows no clock; app/create_reservation.c performs the step named by `state` and reports what is known about it.
 *
 *   PRICING ─▶ BINDING ─▶ LOCKING ─▶ HOLDING ─▶ PERSISTING ─▶ DONE (201)
 *   tiers      key → id    Redis      event-svc   booking_db
 *              only keyed             │   ▲           │
 *                                     ▼   │           │ anything that fails: reverse order
 *                                  REBINDING          ▼
 *              the id was released before,   FENCING ─▶ RELEASING ─▶ UNLOCKING ─▶ DONE
 *              the key gets a fresh one      keyed, or a commit in doubt
 *
 * When event-svc is to choose the seats there is nothing to lock yet: LOCKING is left out, by construction.
 *
 * What can go wrong, and who repairs it:
 *   - Redis away, or its answer lost: go on without the lock. Event-svc decides who gets a seat; the lock only sheds load.
 *   - Event-svc's answer lost (asked twice already): the seats may be held. With an Idempotency-Key they stay held, the
 *     retry meets them; without one nobody could ever claim them: they are released by id, which also stops a late hold.
 *   - The commit's answer lost: ask again once under the same id. Still unknown: never release, since the reservation may
 *     stand; the worker compares both databases and settles it.
 *   - The hold is past its end and no row is there, while a transaction that began in time may still store one (the first
 *     try's, or under a key another process's): a tombstone is stored first, and whether that went is the answer.
 *   - Before seats of a keyed request are released, a tombstone is stored under the reservation's id (FENCING), because the
 *     same key may be at work in another process under the same id. If that one was first, nothing is released.
 *   - A release or fence that fails is left to the worker's sweep: better a seat that comes back late than one sold twice.
 */
#ifndef BOOKING_DOMAIN_RESERVATION_FLOW_H
#define BOOKING_DOMAIN_RESERVATION_FLOW_H

#include <stdbool.h>

#include "shared/base/result.h"
#include "shared/contract/seat_api.h"

enum reservation_flow_state {
    RESERVATION_FLOW_PRICING,
    RESERVATION_FLOW_BINDING,
    RESERVATION_FLOW_LOCKING,
    RESERVATION_FLOW_HOLDING,
    RESERVATION_FLOW_REBINDING,
    RESERVATION_FLOW_PERSISTING,
    RESERVATION_FLOW_FENCING,
    RESERVATION_FLOW_RELEASING,
    RESERVATION_FLOW_UNLOCKING,
    RESERVATION_FLOW_DONE,
};

#define RESERVATION_FLOW_STATES (RESERVATION_FLOW_DONE + 1)

/** Effects that exist, or may exist, and must be undone unless the reservation is stored. */
#define OWES_LOCK  1u
#define OWES_SEATS 2u

enum reservation_answer {
    RESERVATION_ANSWER_NONE, /* not known yet */
    RESERVATION_ANSWER_CREATED,
    RESERVATION_ANSWER_REPLAYED,          /* the stored answer of an earlier request with this key */
    RESERVATION_ANSWER_INVALID_TIER,      /* 422 */
    RESERVATION_ANSWER_KEY_REUSED,        /* 422 */
    RESERVATION_ANSWER_SEATS_TAKEN,       /* 409 */
    RESERVATION_ANSWER_NO_ADJACENT_BLOCK, /* 409, best available only, as the next */
    RESERVATION_ANSWER_SOLD_OUT,          /* 409 */
    RESERVATION_ANSWER_UNKNOWN_SEATS,     /* 422 */
    RESERVATION_ANSWER_SESSION_NOT_FOUND, /* 404 */
    RESERVATION_ANSWER_SALES_CLOSED,      /* 409 */
    RESERVATION_ANSWER_SEAT_LIMIT,        /* 409, the user would hold too many */
    RESERVATION_ANSWER_HOLD_EXPIRED,      /* 410 */
    RESERVATION_ANSWER_OVERLOADED,        /* 503, nothing was applied */
    RESERVATION_ANSWER_OUTCOME_UNKNOWN,   /* 503, it may have been */
};

#define RESERVATION_ANSWERS (RESERVATION_ANSWER_OUTCOME_UNKNOWN + 1)

/** Why a step was refused, or what came with its success. */
enum reservation_detail {
    RESERVATION_DETAIL_NONE,
    RESERVATION_DETAIL_REPLAY,      /* BINDING ok: an answer is stored under the key */
    RESERVATION_DETAIL_KEY_REUSED,  /* BINDING refused */
    RESERVATION_DETAIL_SEATS_TAKEN, /* HOLDING refused, as the next six */
    RESERVATION_DETAIL_NO_ADJACENT_BLOCK,
    RESERVATION_DETAIL_SOLD_OUT,
    RESERVATION_DETAIL_UNKNOWN_SEATS,
    RESERVATION_DETAIL_SESSION_NOT_FOUND,
    RESERVATION_DETAIL_SALES_CLOSED,
    RESERVATION_DETAIL_RELEASED,       /* the id was released before: a tombstone at event-svc */
    RESERVATION_DETAIL_ALREADY_STORED, /* PERSISTING refused: a live reservation stands under this id */
    RESERVATION_DETAIL_TOMBSTONE,      /* PERSISTING refused: a tombstone stands under this id */
    RESERVATION_DETAIL_OVERDUE,        /* PERSISTING refused: no row, and the hold is past its end */
    RESERVATION_DETAIL_SEAT_LIMIT,     /* PERSISTING refused: no row, and the user would hold too many seats */
};

struct reservation_flow_result {
    enum tk_step step;
    enum reservation_detail detail;
    bool in_doubt; /* HOLDING: an earlier try of this very call got no answer and may still arrive */
};

struct reservation_flow {
    enum reservation_flow_state state;
    enum reservation_answer answer;
    unsigned owed;        /* OWES_* */
    bool keyed;           /* the request carries an Idempotency-Key */
    bool choosing;        /* best available: event-svc chooses the seats */
    bool rebound;         /* the key has got a fresh id in this flow: once is enough */
    bool commit_in_doubt; /* PERSISTING was asked once without an answer */
    bool stored;          /* a live reservation stands under our id: only its stored answer is wanted */
    bool fenced;          /* no other process can store this id any more */
    bool answer_taken;
};

void reservation_flow_start(struct reservation_flow *flow, bool keyed, bool choosing);

/** Digests the result of the current state's step; returns the next state. Never call it at DONE (asserted). */
enum reservation_flow_state reservation_flow_step(struct reservation_flow *flow, struct reservation_flow_result result);

/** The answer, once, as soon as it is known; NONE before and ever after. */
enum reservation_answer reservation_flow_take_answer(struct reservation_flow *flow);

/** The detail HOLDING is refused with, by event-svc's word; NONE for a hold that was had, or is another's. */
enum reservation_detail reservation_detail_of_hold(enum tk_hold_outcome outcome);

const char *reservation_flow_state_name(enum reservation_flow_state state);
const char *reservation_answer_name(enum reservation_answer answer); /* metric label: "created", "seats_taken", … */

#endif
