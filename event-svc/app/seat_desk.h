/**
 * Where seats are held and settled: two queues in front of Postgres, so that what arrives together is decided together.
 *
 *   HTTP handler → seat_desk_reserve(call) → picture: refused, or seats chosen and claimed
 *                → batch (no seat and no reservation twice) → one transaction → call->done
 *
 * The picture only chooses and refuses; who gets a seat is decided by its row. A refusal rests on a picture no older than
 * PICTURE_TRUST_MS, otherwise Postgres is asked for the session's version first. A choice that loses its race is made again
 * after such a look, HOLD_TRIES times in all.
 *
 * A reservation id that comes again meets its own hold: by its tag in the picture, or by its row. (Not if another instance
 * made that hold within PICTURE_TRUST_MS and everything else is gone: the refusal is then about the moment before. The hold
 * stays until it is released by its id or expires.)
 *
 * A call belongs to its caller until `done` runs, which happens exactly once, later, never inside the submitting call.
 */
#ifndef EVENT_SVC_APP_SEAT_DESK_H
#define EVENT_SVC_APP_SEAT_DESK_H

#include "event-svc/adapters/seat_store.h"
#include "event-svc/app/seat_pictures.h"
#include "shared/loop/loop.h"
#include "shared/pg/batch.h"

#define HOLD_TRIES 4 /* of choosing seats for one request */

struct seat_desk;

struct seat_desk_config {
    size_t batch_items;
    size_t batch_seats;
    size_t batches_in_flight;
    size_t max_queued;
    int64_t max_wait_ms;
    int64_t deadline_ms; /* half of it in the queue, half in Postgres */
};

struct hold_call;
typedef void hold_call_fn(struct hold_call *call);

struct hold_call {
    struct tk_batch_item item;
    struct tk_hold_request request; /* its seats live as long as the call */
    struct tk_arena *arena;         /* for the answer */
    hold_call_fn *done;
    void *arg;
    enum tk_step step; /* OK: `answer` holds; FAILED: nothing was applied; UNKNOWN: it may have been */
    struct tk_hold_answer answer;
    struct seat_desk *desk;          /* this and the following: the desk's */
    struct session_picture *session; /* pinned */
    struct picture_wait wait;
    struct tk_link refused;
    uint32_t tag;
    size_t seat_count;           /* asked for or chosen */
    const struct tk_uuid *seats; /* in the answer's order */
    struct tk_uuid *sorted_seats;
    uint32_t *places; /* of sorted_seats in the plan */
    unsigned tries;
    bool looked;   /* the picture was verified for this call */
    bool answered; /* refused from memory */
};

struct settle_call;
typedef void settle_call_fn(struct settle_call *call);

struct settle_call {
    struct tk_batch_item item;
    struct settle_line line;
    settle_call_fn *done;
    void *arg;
    enum tk_step step; /* OK: `verdict` holds */
    enum settle_verdict verdict;
};

/** Lives as long as the process. `pg` prepares seat_statements. */
struct seat_desk *seat_desk_new(struct tk_loop *loop, struct tk_pg *pg, struct seat_pictures *pictures,
                                const struct seat_desk_config *config);

/** Fill request, arena, done and arg. TK_ERR_LIMIT: the queue is full; `done` will not run. */
TK_MUSTCHECK enum tk_err seat_desk_reserve(struct seat_desk *desk, struct hold_call *call);

/** Fill line, done and arg; as above. */
TK_MUSTCHECK enum tk_err seat_desk_settle(struct seat_desk *desk, struct settle_call *call);

#endif
