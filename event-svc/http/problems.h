/**
 * Problems of this service's own, beyond shared/http/problem.h.
 */
#ifndef EVENT_SVC_HTTP_PROBLEMS_H
#define EVENT_SVC_HTTP_PROBLEMS_H

#include "shared/http/server.h"

extern const struct tk_problem_kind PROBLEM_SEATS_TAKEN;       /* 409 seats_taken, member unavailable_seats */
extern const struct tk_problem_kind PROBLEM_SALES_CLOSED;      /* 409 sales_closed */
extern const struct tk_problem_kind PROBLEM_SESSION_OVERLAP;   /* 409 session_overlap */
extern const struct tk_problem_kind PROBLEM_WRONG_STATE;       /* 409 wrong_state */
extern const struct tk_problem_kind PROBLEM_DUPLICATE_SEAT;    /* 409 duplicate_seat */
extern const struct tk_problem_kind PROBLEM_CAPACITY_EXCEEDED; /* 409 capacity_exceeded */
extern const struct tk_problem_kind PROBLEM_NO_SEATS;          /* 409 hall_without_seats */
extern const struct tk_problem_kind PROBLEM_NOT_REPLAYABLE;    /* 409 not_replayable */

/** 422 with one error. */
void problem_at(struct tk_http_req *req, const char *pointer, const char *detail);

/** 422 with the errors collected. */
void problem_invalid(struct tk_http_req *req, const struct tk_json_errors *errors);

/** The answer for an effect that did not happen or may have: overloaded or outcome_unknown. */
void problem_step(struct tk_http_req *req, enum tk_step step);

#endif
