/* Confirming, cancelling and settling: what changes a reservation's state. */
#include "booking-svc/app/cancel_reservation.h"
#include "booking-svc/app/confirm_reservation.h"
#include "booking-svc/app/keyed_confirm.h"
#include "booking-svc/app/reservation_view.h"
#include "booking-svc/http/problems.h"
#include "booking-svc/http/routes.h"

#define DECLINED_DETAIL "The seats stay held until the reservation's expiry_time."

static void answer_reservation(struct tk_http_req *req, const struct reservation *r)
{
    struct tk_buf body = TK_BUF_INIT(RESERVATION_VIEW_MAX_BYTES);
    struct tk_jsonw w = TK_JSONW(&body);
    reservation_view_write(&w, NULL, r);
    tk_http_respond_json(req, 200, &body);
}

/* --- confirm ------------------------------------------------------------------------------------------------------- */

struct confirm_body {
    struct tk_uuid payment_id;
};

static const struct tk_field confirm_fields[] = {
    {"payment_id", NULL, TK_FIELD_UUID, TK_FIELD_NULLABLE, offsetof(struct confirm_body, payment_id), TK_FIELD_NO_PRESENCE,
     0, 0},
};

static void on_confirmed(void *arg, enum confirm_answer answer, const struct reservation *r)
{
    struct tk_http_req *req = arg;
    switch (answer) {
    case CONFIRM_ANSWER_CONFIRMED:
    case CONFIRM_ANSWER_NOTHING_TO_SETTLE:
        answer_reservation(req, r);
        return;
    case CONFIRM_ANSWER_PAYMENT_FAILED:
        tk_http_problem(req, &BOOKING_PROBLEM_PAYMENT_FAILED, DECLINED_DETAIL);
        return;
    case CONFIRM_ANSWER_PAYMENT_UNAVAILABLE:
        tk_http_problem(req, &BOOKING_PROBLEM_PAYMENT_UNAVAILABLE, "Nothing was charged.");
        return;
    case CONFIRM_ANSWER_NOT_FOUND:
        tk_http_problem(req, &TK_PROBLEM_NOT_FOUND, "No such reservation.");
        return;
    case CONFIRM_ANSWER_HOLD_EXPIRED:
        tk_http_problem(req, &BOOKING_PROBLEM_HOLD_EXPIRED, NULL);
        return;
    case CONFIRM_ANSWER_PAYMENT_IN_PROGRESS:
        tk_http_problem(req, &BOOKING_PROBLEM_PAYMENT_IN_PROGRESS, NULL);
        return;
    case CONFIRM_ANSWER_SEATS_LOST:
        tk_http_problem(req, &BOOKING_PROBLEM_SEATS_LOST, "The reservation is refunded; the payment is given back.");
        return;
    case CONFIRM_ANSWER_WRONG_STATE:
        tk_http_problem(req, &BOOKING_PROBLEM_WRONG_STATE, "Only an active reservation can be confirmed.");
        return;
    case CONFIRM_ANSWER_OVERLOADED:
        tk_http_problem(req, &TK_PROBLEM_OVERLOADED, "Nothing was charged.");
        return;
    case CONFIRM_ANSWER_OUTCOME_UNKNOWN:
    case CONFIRM_ANSWER_NONE:
        break;
    }
    tk_http_problem(req, &TK_PROBLEM_OUTCOME_UNKNOWN, "The payment is being settled; read the reservation or retry later.");
}

static void on_keyed(void *arg, const struct keyed_confirm_outcome *outcome)
{
    struct tk_http_req *req = arg;
    struct tk_buf body = TK_BUF_INIT(RESERVATION_VIEW_MAX_BYTES);
    switch (outcome->kind) {
    case KEYED_CONFIRM_ANSWERED:
        on_confirmed(req, outcome->answer, outcome->reservation);
        return;
    case KEYED_CONFIRM_DECLINED:
        tk_buf_append_slice(&body, outcome->stored);
        tk_http_respond(req, BOOKING_PROBLEM_PAYMENT_FAILED.status, "application/problem+json", &body);
        return;
    case KEYED_CONFIRM_REUSED:
        tk_http_problem(req, &TK_PROBLEM_KEY_REUSED, "The key was used before with another request.");
        return;
    case KEYED_CONFIRM_TWIN:
        tk_http_problem(req, &TK_PROBLEM_REQUEST_IN_PROGRESS, "Retry later with the same Idempotency-Key.");
        return;
    }
}

/** The bytes of the answer to a declined payment are stored with the settlement, so they are made before it. */
static void confirm_keyed(struct tk_http_req *req, struct confirm_request *request)
{
    char hash[TK_REQUEST_HASH_LEN + 1];
    struct tk_buf declined = TK_BUF_INIT(RESERVATION_VIEW_MAX_BYTES);
    tk_request_hash(TK_SLICE("POST"), tk_http_path(req), req->body, hash);
    tk_problem_write(&declined, &BOOKING_PROBLEM_PAYMENT_FAILED, DECLINED_DETAIL, tk_http_path(req), req->request_id, NULL,
                     NULL);
    request->key = req->idempotency_key;
    request->declined = tk_buf_slice(&declined);
    keyed_confirm(req->app, request, hash, on_keyed, req);
    tk_buf_release(&declined);
}

void http_confirm_reservation(struct tk_http_req *req)
{
    const struct booking_app *app = req->app;
    struct confirm_body body = {.payment_id = tk_uuid_v7()};
    struct tk_json_errors errors = {.arena = &req->arena};
    struct confirm_request request = {.user_id = req->user_id,
                                      .request_id = req->request_id,
                                      .traceparent = req->traceparent,
                                      .received_us = req->received_us};
    if (tk_http_param_uuid(req, 0, &request.reservation_id))
        return;
    if (req->json != NULL && tk_json_bind(req->json, "", confirm_fields, 1, &body, &errors)) {
        tk_http_problem_with(req, &TK_PROBLEM_VALIDATION, NULL, &errors, NULL);
        return;
    }
    if (app->payments.charge == NULL) {
        tk_http_problem(req, &BOOKING_PROBLEM_PAYMENT_UNAVAILABLE, "No payment provider is configured.");
        return;
    }
    request.payment_id = body.payment_id;
    if (req->idempotency_key.ptr != NULL)
        confirm_keyed(req, &request);
    else
        confirm_reservation(req->app, &request, on_confirmed, req);
}

/* --- settle -------------------------------------------------------------------------------------------------------- */

/** The caller wants to know what stands now, whichever way the payment went. */
static void on_settled(void *arg, enum confirm_answer answer, const struct reservation *r)
{
    if (answer == CONFIRM_ANSWER_PAYMENT_FAILED || answer == CONFIRM_ANSWER_SEATS_LOST)
        answer_reservation(arg, r);
    else
        on_confirmed(arg, answer, r);
}

void http_settle_reservation(struct tk_http_req *req)
{
    struct confirm_request request = {
        .request_id = req->request_id, .traceparent = req->traceparent, .received_us = req->received_us};
    if (tk_http_param_uuid(req, 0, &request.reservation_id))
        return;
    settle_reservation(req->app, &request, on_settled, req);
}

/* --- cancel -------------------------------------------------------------------------------------------------------- */

static void on_cancelled(void *arg, enum cancel_answer answer, const struct reservation *r)
{
    struct tk_http_req *req = arg;
    switch (answer) {
    case CANCEL_ANSWER_CANCELLED:
        answer_reservation(req, r);
        return;
    case CANCEL_ANSWER_NOT_FOUND:
        tk_http_problem(req, &TK_PROBLEM_NOT_FOUND, "No such reservation.");
        return;
    case CANCEL_ANSWER_HOLD_EXPIRED:
        tk_http_problem(req, &BOOKING_PROBLEM_HOLD_EXPIRED, NULL);
        return;
    case CANCEL_ANSWER_PAYMENT_IN_PROGRESS:
        tk_http_problem(req, &BOOKING_PROBLEM_PAYMENT_IN_PROGRESS, NULL);
        return;
    case CANCEL_ANSWER_WRONG_STATE:
        tk_http_problem(req, &BOOKING_PROBLEM_WRONG_STATE, "Only an active reservation can be cancelled.");
        return;
    case CANCEL_ANSWER_OVERLOADED:
        tk_http_problem(req, &TK_PROBLEM_OVERLOADED, "Nothing was cancelled.");
        return;
    case CANCEL_ANSWER_OUTCOME_UNKNOWN:
        break;
    }
    tk_http_problem(req, &TK_PROBLEM_OUTCOME_UNKNOWN, "Cancelling again is safe.");
}

void http_cancel_reservation(struct tk_http_req *req)
{
    struct cancel_request request = {.user_id = req->user_id,
                                     .request_id = req->request_id,
                                     .traceparent = req->traceparent,
                                     .received_us = req->received_us};
    if (tk_http_param_uuid(req, 0, &request.reservation_id))
        return;
    cancel_reservation(req->app, &request, on_cancelled, req);
}
