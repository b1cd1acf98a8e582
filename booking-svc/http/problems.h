/**
 * The kinds of error this service adds to shared/http/problem.h. Codes are part of the API: never change one.
 */
#ifndef BOOKING_HTTP_PROBLEMS_H
#define BOOKING_HTTP_PROBLEMS_H

#include "shared/http/server.h"

extern const struct tk_problem_kind BOOKING_PROBLEM_SEATS_TAKEN;         /* 409 seats_taken, + unavailable_seats */
extern const struct tk_problem_kind BOOKING_PROBLEM_NO_ADJACENT_BLOCK;   /* 409 no_adjacent_block, + offer */
extern const struct tk_problem_kind BOOKING_PROBLEM_SOLD_OUT;            /* 409 sold_out, + offer */
extern const struct tk_problem_kind BOOKING_PROBLEM_SALES_CLOSED;        /* 409 sales_closed */
extern const struct tk_problem_kind BOOKING_PROBLEM_SEAT_LIMIT;          /* 409 seat_limit_exceeded, + seat_limit */
extern const struct tk_problem_kind BOOKING_PROBLEM_WRONG_STATE;         /* 409 wrong_state */
extern const struct tk_problem_kind BOOKING_PROBLEM_SEATS_LOST;          /* 409 seats_lost */
extern const struct tk_problem_kind BOOKING_PROBLEM_PAYMENT_IN_PROGRESS; /* 409 payment_in_progress */
extern const struct tk_problem_kind BOOKING_PROBLEM_HOLD_EXPIRED;        /* 410 hold_expired */
extern const struct tk_problem_kind BOOKING_PROBLEM_PAYMENT_FAILED;      /* 402 payment_failed */
extern const struct tk_problem_kind BOOKING_PROBLEM_PAYMENT_UNAVAILABLE; /* 503 payment_unavailable: not charged */

/** What a failed read is for the client: 503 overloaded, since reading changes nothing. */
void booking_read_failed(struct tk_http_req *req);

#endif
