/* This service's kinds of error. */
#include "booking-svc/http/problems.h"

const struct tk_problem_kind BOOKING_PROBLEM_SEATS_TAKEN = {409, "seats_taken", "Seats are not available", 0};
const struct tk_problem_kind BOOKING_PROBLEM_NO_ADJACENT_BLOCK = {409, "no_adjacent_block",
                                                                  "Not so many seats side by side", 0};
const struct tk_problem_kind BOOKING_PROBLEM_SOLD_OUT = {409, "sold_out", "Not so many seats left", 0};
const struct tk_problem_kind BOOKING_PROBLEM_SALES_CLOSED = {409, "sales_closed", "The session has started", 0};
const struct tk_problem_kind BOOKING_PROBLEM_SEAT_LIMIT = {409, "seat_limit_exceeded", "Too many seats held by one user",
                                                           0};
const struct tk_problem_kind BOOKING_PROBLEM_WRONG_STATE = {409, "wrong_state", "The reservation's state forbids this", 0};
const struct tk_problem_kind BOOKING_PROBLEM_PAYMENT_IN_PROGRESS = {409, "payment_in_progress", "A payment is being made",
                                                                    1};
const struct tk_problem_kind BOOKING_PROBLEM_SEATS_LOST = {409, "seats_lost", "The seats could not be ticketed", 0};
const struct tk_problem_kind BOOKING_PROBLEM_HOLD_EXPIRED = {410, "hold_expired", "The hold has expired", 0};
const struct tk_problem_kind BOOKING_PROBLEM_PAYMENT_FAILED = {402, "payment_failed", "The payment was declined", 0};
const struct tk_problem_kind BOOKING_PROBLEM_PAYMENT_UNAVAILABLE = {503, "payment_unavailable",
                                                                    "No payment can be made now", 5};

void booking_read_failed(struct tk_http_req *req)
{
    tk_http_problem(req, &TK_PROBLEM_OVERLOADED, "The database did not answer.");
}
