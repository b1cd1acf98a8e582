/**
 * event-svc's internal seat API as booking-svc and its worker use it: many holds, of any sessions, in one call, one answer
 * per hold.
 * The single-reservation endpoints of the same family (docs/SERVICE_INTEGRATION.md) share event-svc's code behind them.
 *
 *   POST /api/internal/seats/reserve-batch
 *     {"holds": [{"reservation_id", "session_id", "session_seat_ids": [uuid…], "hold_seconds": int}]}
 *     200 {"results": [{"reservation_id", "outcome": "held", "reserved_until", "currency",
 *                       "seats": [{"session_seat_id", "status", "price", "section", "row_number", "seat_number"}]}]}
 *     Instead of "session_seat_ids" a hold may say "best": {"quantity": 1..TK_SEAT_API_MAX_SEATS, "section"?: text,
 *     "adjacent"?: bool (true)}: event-svc chooses. Without a section it tries the cheapest section first. Two more
 *     outcomes are possible then, both with "offer": {"available": int, "largest_block": int} for what was asked for.
 *   POST /api/internal/seats/release-batch
 *     {"releases": [{"reservation_id", "session_id", "revision"?}]}
 *     200 {"results": [{"reservation_id", "outcome": "released"}]}
 *
 * Results stand in the order of the request. Every hold is judged alone: one that fails never fails its neighbours.
 *
 *   POST /api/internal/sessions/soonest-first
 *     {"session_ids": [uuid…]}
 *     200 {"session_ids": [uuid…]}: those of them that exist, the next to begin first, those that have begun last
 */
#ifndef TK_CONTRACT_SEAT_API_H
#define TK_CONTRACT_SEAT_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/id.h"
#include "shared/base/mem.h"
#include "shared/base/result.h"
#include "shared/base/str.h"
#include "shared/json/reader.h"
#include "shared/json/writer.h"

#define TK_SEAT_API_RESERVE_PATH "/api/internal/seats/reserve-batch"
#define TK_SEAT_API_RELEASE_PATH "/api/internal/seats/release-batch"
#define TK_SEAT_API_SOONEST_PATH "/api/internal/sessions/soonest-first"
#define TK_SEAT_API_MAX_ITEMS    256        /* holds or releases per call */
#define TK_SEAT_API_MAX_SESSIONS 1000       /* to put in order per call */
#define TK_SEAT_API_MAX_SEATS    100        /* seats per hold */
#define TK_SEAT_API_MAX_BODY     (1u << 20) /* bytes */

enum tk_seat_status { TK_SEAT_AVAILABLE, TK_SEAT_RESERVED, TK_SEAT_SOLD, TK_SEAT_BLOCKED, TK_SEAT_UNKNOWN };

/** "available", "reserved", "sold", "blocked"; "unknown" is a seat that is not one of this session. */
const char *tk_seat_status_name(enum tk_seat_status status);
TK_MUSTCHECK enum tk_err tk_seat_status_parse(struct tk_slice text, enum tk_seat_status *out);

enum tk_hold_outcome {
    TK_HOLD_HELD,              /* all seats are held, now or by an earlier identical request */
    TK_HOLD_SEATS_TAKEN,       /* at least one seat is not available; `seats` names each lost one and its status */
    TK_HOLD_UNKNOWN_SEATS,     /* at least one seat is not of this session; `seats` names them */
    TK_HOLD_SESSION_NOT_FOUND, /* */
    TK_HOLD_SALES_CLOSED,      /* the session has started */
    TK_HOLD_RELEASED,          /* a release came first (tombstone): use a new reservation id */
    TK_HOLD_MISMATCH,          /* the id already holds other seats */
    TK_HOLD_NO_ADJACENT_BLOCK, /* best available: enough seats, but nowhere so many side by side; see the offer */
    TK_HOLD_SOLD_OUT,          /* best available: not enough seats, or no such section; see the offer */
};

enum tk_release_outcome {
    TK_RELEASE_RELEASED,   /* seats are free now, or were freed before */
    TK_RELEASE_TOMBSTONED, /* never seen: a late reserve under this id will be refused */
    TK_RELEASE_SOLD,       /* the seats are sold; nothing was changed */
};

const char *tk_hold_outcome_name(enum tk_hold_outcome outcome);       /* "held", "seats_taken", … */
const char *tk_release_outcome_name(enum tk_release_outcome outcome); /* "released", "tombstoned", "sold" */

/** "The best you have": event-svc chooses the seats (docs/FLOWS.md "Best available"). */
struct tk_best_available {
    struct tk_slice section; /* {NULL, 0}: any, cheapest first */
    int64_t quantity;        /* 1..TK_SEAT_API_MAX_SEATS */
    bool adjacent;           /* refuse rather than scatter */
};

struct tk_hold_request {
    struct tk_uuid reservation_id;
    struct tk_uuid session_id;
    bool best_available; /* true: `best` says what is wanted and `seats` is empty */
    struct tk_best_available best;
    const struct tk_uuid *seats; /* distinct */
    size_t seat_count;
    int64_t hold_seconds;
    struct tk_slice request_id; /* for the trail; {NULL, 0}: none */
};

struct tk_hold_seat {
    struct tk_uuid session_seat_id;
    enum tk_seat_status status;
    int64_t price_minor;
    struct tk_slice section;
    struct tk_slice row_number;
    struct tk_slice seat_number;
};

struct tk_hold_answer {
    struct tk_uuid reservation_id;
    enum tk_hold_outcome outcome;
    char currency[4];           /* ISO 4217 */
    int64_t reserved_until_us;  /* Unix; TK_TIME_NONE unless HELD */
    struct tk_hold_seat *seats; /* HELD: all, in the request's order; TAKEN / UNKNOWN_SEATS: the lost ones */
    size_t seat_count;
    int64_t offer_available;     /* NO_ADJACENT_BLOCK, SOLD_OUT: seats free in what was asked for, a moment ago */
    int64_t offer_largest_block; /* and the longest run of neighbours among them */
};

/** Why, for the trail. */
enum tk_release_reason {
    TK_RELEASE_REASON_NONE,
    TK_RELEASE_REASON_UNDONE, /* the reservation could not be made */
    TK_RELEASE_REASON_CANCELLED,
    TK_RELEASE_REASON_EXPIRED,
    TK_RELEASE_REASON_ORPHANED, /* held for a reservation that never arrived, or is over */
};

#define TK_REQUEST_ID_MAX 63 /* bytes, as in shared/http/server.h */

struct tk_release_request {
    struct tk_uuid reservation_id;
    struct tk_uuid session_id;
    int64_t revision; /* of the state that ends the hold, so that its message is no news when it comes; 0: not said */
    enum tk_release_reason reason;
    struct tk_slice request_id; /* for the trail; {NULL, 0}: none */
};

struct tk_release_answer {
    struct tk_uuid reservation_id;
    enum tk_release_outcome outcome;
};

/** Writes one hold as a member of "holds" (key NULL), and reads one back. Decoders use arena memory. */
void tk_hold_request_encode(struct tk_jsonw *w, const struct tk_hold_request *request);
TK_MUSTCHECK enum tk_err tk_hold_request_decode(const struct tk_json *object, const char *pointer, struct tk_arena *arena,
                                                struct tk_hold_request *out, struct tk_json_errors *errors);

void tk_hold_answer_encode(struct tk_jsonw *w, const struct tk_hold_answer *answer);
TK_MUSTCHECK enum tk_err tk_hold_answer_decode(const struct tk_json *object, struct tk_arena *arena,
                                               struct tk_hold_answer *out);

/** Appends the member "unavailable_seats": [{session_seat_id, status}], which both services' 409 `seats_taken` has. */
void tk_unavailable_seats_append(struct tk_buf *out, const struct tk_hold_seat *seats, size_t count);

void tk_release_request_encode(struct tk_jsonw *w, const struct tk_release_request *request);
TK_MUSTCHECK enum tk_err tk_release_request_decode(const struct tk_json *object, const char *pointer,
                                                   struct tk_arena *arena, struct tk_release_request *out,
                                                   struct tk_json_errors *errors);

void tk_release_answer_encode(struct tk_jsonw *w, const struct tk_release_answer *answer);
TK_MUSTCHECK enum tk_err tk_release_answer_decode(const struct tk_json *object, struct tk_release_answer *out);

#endif
