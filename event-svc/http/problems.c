/*
 * Problem kinds and the three ways handlers use them.
 */
#include "event-svc/http/problems.h"

#include <assert.h>

const struct tk_problem_kind PROBLEM_SEATS_TAKEN = {409, "seats_taken", "At least one seat is not available", 0};
const struct tk_problem_kind PROBLEM_SALES_CLOSED = {409, "sales_closed", "The session has started", 0};
const struct tk_problem_kind PROBLEM_SESSION_OVERLAP = {409, "session_overlap", "The hall is taken at that time", 0};
const struct tk_problem_kind PROBLEM_WRONG_STATE = {409, "wrong_state", "The reservation's state forbids this", 0};
const struct tk_problem_kind PROBLEM_DUPLICATE_SEAT = {409, "duplicate_seat", "There is such a seat already", 0};
const struct tk_problem_kind PROBLEM_CAPACITY_EXCEEDED = {409, "capacity_exceeded", "The hall's capacity is reached", 0};
const struct tk_problem_kind PROBLEM_NO_SEATS = {409, "hall_without_seats", "The hall has no seats yet", 0};
const struct tk_problem_kind PROBLEM_NOT_REPLAYABLE = {409, "not_replayable", "The message cannot be published again", 0};

void problem_at(struct tk_http_req *req, const char *pointer, const char *detail)
{
    struct tk_json_errors errors = {.arena = &req->arena};
    tk_json_errors_add(&errors, pointer, detail);
    problem_invalid(req, &errors);
}

void problem_invalid(struct tk_http_req *req, const struct tk_json_errors *errors)
{
    tk_http_problem_with(req, &TK_PROBLEM_VALIDATION, NULL, errors, NULL);
}

void problem_step(struct tk_http_req *req, enum tk_step step)
{
    assert(step == TK_STEP_FAILED || step == TK_STEP_UNKNOWN);
    tk_http_problem(req, step == TK_STEP_UNKNOWN ? &TK_PROBLEM_OUTCOME_UNKNOWN : &TK_PROBLEM_OVERLOADED, NULL);
}
