/* Creating and reading reservations. */
#include <stdio.h>

#include "booking-svc/adapters/reservation_store.h"
#include "booking-svc/app/create_reservation.h"
#include "booking-svc/app/reservation_view.h"
#include "booking-svc/http/problems.h"
#include "booking-svc/http/routes.h"

#define LIST_DEFAULT    20
#define LIST_MAX        200
#define LIST_MAX_BYTES  (8u << 20)
#define LABEL_HINT_MAX  64
#define LOCATION_PREFIX "/api/v1/reservations/"
#define POINTER_MAX     64
#define SECTION_MAX     100 /* bytes, as in event-svc */

/* --- create: the body ---------------------------------------------------------------------------------------------- */

struct create_body {
    struct tk_uuid session_id;
    const struct tk_json *seats;
    struct tk_slice section;
    int64_t quantity;
    bool adjacent;
    struct tk_uuid price_tier_id;
    bool has_section;
    bool has_quantity;
    bool has_adjacent;
    bool has_tier;
};

#define OFFSET(member) offsetof(struct create_body, member)

/** Either `seats`, or `quantity` and what goes with it. */
static const struct tk_field create_fields[] = {
    {"session_id", NULL, TK_FIELD_UUID, TK_FIELD_REQUIRED, OFFSET(session_id), TK_FIELD_NO_PRESENCE, 0, 0},
    {"seats", NULL, TK_FIELD_ARRAY, TK_FIELD_OPTIONAL, OFFSET(seats), TK_FIELD_NO_PRESENCE, 1, TK_SEAT_API_MAX_SEATS},
    {"quantity", NULL, TK_FIELD_INT, TK_FIELD_OPTIONAL, OFFSET(quantity), OFFSET(has_quantity), 1, TK_SEAT_API_MAX_SEATS},
    {"section", NULL, TK_FIELD_LABEL, TK_FIELD_NULLABLE, OFFSET(section), OFFSET(has_section), 1, SECTION_MAX},
    {"adjacent", NULL, TK_FIELD_BOOL, TK_FIELD_OPTIONAL, OFFSET(adjacent), OFFSET(has_adjacent), 0, 0},
    {"price_tier_id", NULL, TK_FIELD_UUID, TK_FIELD_NULLABLE, OFFSET(price_tier_id), OFFSET(has_tier), 0, 0},
};

/** Labels are a hint for people who read requests; event-svc's labels are the ones that count. */
struct seat_body {
    struct create_seat seat;
    struct tk_slice row_number;
    struct tk_slice seat_number;
};

static const struct tk_field seat_fields[] = {
    {"session_seat_id", NULL, TK_FIELD_UUID, TK_FIELD_REQUIRED, offsetof(struct seat_body, seat.session_seat_id),
     TK_FIELD_NO_PRESENCE, 0, 0},
    {"price_tier_id", NULL, TK_FIELD_UUID, TK_FIELD_NULLABLE, offsetof(struct seat_body, seat.price_tier_id),
     TK_FIELD_NO_PRESENCE, 0, 0},
    {"row_number", NULL, TK_FIELD_LABEL, TK_FIELD_NULLABLE, offsetof(struct seat_body, row_number), TK_FIELD_NO_PRESENCE, 0,
     LABEL_HINT_MAX},
    {"seat_number", NULL, TK_FIELD_LABEL, TK_FIELD_NULLABLE, offsetof(struct seat_body, seat_number), TK_FIELD_NO_PRESENCE,
     0, LABEL_HINT_MAX},
};

#define FIELD_COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void check_distinct(const struct create_seat *seats, size_t index, struct tk_json_errors *errors)
{
    for (size_t i = 0; i < index; i++) {
        if (tk_uuid_eq(&seats[i].session_seat_id, &seats[index].session_seat_id)) {
            char pointer[POINTER_MAX];
            snprintf(pointer, sizeof(pointer), "/seats/%zu/session_seat_id", index);
            tk_json_errors_add(errors, pointer, "the same seat twice");
            return;
        }
    }
}

static enum tk_err parse_seats(const struct tk_json *array, struct create_seat *seats, struct tk_json_errors *errors)
{
    size_t index = 0;
    for (const struct tk_json *element = array->child; element != NULL; element = element->next, index++) {
        struct seat_body body = {0};
        char pointer[POINTER_MAX];
        snprintf(pointer, sizeof(pointer), "/seats/%zu", index);
        if (tk_json_bind(element, pointer, seat_fields, FIELD_COUNT(seat_fields), &body, errors))
            continue;
        seats[index] = body.seat;
        check_distinct(seats, index, errors);
    }
    return errors->count > 0 ? TK_ERR_INVALID : TK_OK;
}

static void check_count(int64_t count, int64_t max, const char *pointer, struct tk_json_errors *errors)
{
    char detail[POINTER_MAX];
    if (count <= max)
        return;
    snprintf(detail, sizeof(detail), "at most %lld seats", (long long)max);
    tk_json_errors_add(errors, pointer, detail);
}

/** Members that make sense only when event-svc chooses. */
static void check_shape(const struct create_body *body, struct tk_json_errors *errors)
{
    static const char only[] = "goes with quantity, not with seats";
    if (body->seats == NULL && !body->has_quantity)
        tk_json_errors_add(errors, "/seats", "is required, or else quantity");
    if (body->seats == NULL)
        return;
    if (body->has_quantity)
        tk_json_errors_add(errors, "/quantity", "either seats or quantity, not both");
    if (body->has_section)
        tk_json_errors_add(errors, "/section", only);
    if (body->has_adjacent)
        tk_json_errors_add(errors, "/adjacent", only);
    if (body->has_tier)
        tk_json_errors_add(errors, "/price_tier_id", only);
}

static enum tk_err take_seats(struct tk_http_req *req, const struct tk_json *array, struct create_request *out,
                              struct tk_json_errors *errors)
{
    struct create_seat *seats = tk_arena_alloc(&req->arena, array->count * sizeof(*seats));
    out->seats = seats;
    out->seat_count = array->count;
    return parse_seats(array, seats, errors);
}

static enum tk_err parse_create(struct tk_http_req *req, struct create_request *out, struct tk_json_errors *errors)
{
    const struct booking_app *app = req->app;
    struct create_body body = {.adjacent = true};
    if (tk_json_bind(req->json, "", create_fields, FIELD_COUNT(create_fields), &body, errors))
        return TK_ERR_INVALID;
    check_shape(&body, errors);
    if (body.seats != NULL)
        check_count((int64_t)body.seats->count, app->config->max_seats, "/seats", errors);
    else
        check_count(body.quantity, app->config->max_seats, "/quantity", errors);
    if (errors->count > 0)
        return TK_ERR_INVALID;
    out->session_id = body.session_id;
    if (body.seats != NULL)
        return take_seats(req, body.seats, out, errors);
    out->seat_count = (size_t)body.quantity;
    out->best = (struct tk_best_available){body.section, body.quantity, body.adjacent};
    out->price_tier_id = body.price_tier_id;
    return TK_OK;
}

/* --- create: the answer -------------------------------------------------------------------------------------------- */

struct create_context {
    struct tk_http_req *req;
    const struct create_seat *seats; /* request arena; NULL when event-svc chooses */
    size_t seat_count;
};

static void answer_created(struct tk_http_req *req, const struct create_outcome *outcome)
{
    char location[sizeof(LOCATION_PREFIX) + TK_UUID_TEXT_LEN];
    struct tk_buf stored = TK_BUF_INIT(RESERVATION_VIEW_MAX_BYTES);
    snprintf(location, sizeof(location), LOCATION_PREFIX "%s", TK_UUID_TEXT(&outcome->reservation_id));
    tk_http_set_header(req, "location", location);
    tk_buf_append_slice(&stored, outcome->replayed);
    tk_http_respond_json(req, 201, outcome->created != NULL ? outcome->created : &stored);
}

static void answer_seats_taken(struct tk_http_req *req, const struct create_outcome *outcome)
{
    struct tk_buf members = TK_BUF_INIT(RESERVATION_VIEW_MAX_BYTES);
    tk_unavailable_seats_append(&members, outcome->lost, outcome->lost_count);
    tk_http_problem_with(req, &BOOKING_PROBLEM_SEATS_TAKEN, "At least one seat is taken; none was reserved.", NULL,
                         &members);
    tk_buf_release(&members);
}

static void answer_no_offer(struct tk_http_req *req, const struct tk_problem_kind *kind,
                            const struct create_outcome *outcome)
{
    struct tk_buf members = TK_BUF_INIT(RESERVATION_VIEW_MAX_BYTES);
    tk_buf_append_str(&members, "\"offer\":{\"available\":");
    tk_buf_append_i64(&members, outcome->offer_available);
    tk_buf_append_str(&members, ",\"largest_block\":");
    tk_buf_append_i64(&members, outcome->offer_largest_block);
    tk_buf_append_char(&members, '}');
    tk_http_problem_with(req, kind, "Nothing was reserved; see the offer.", NULL, &members);
    tk_buf_release(&members);
}

static void answer_seat_limit(struct tk_http_req *req)
{
    const struct booking_app *app = req->app;
    struct tk_buf members = TK_BUF_INIT(RESERVATION_VIEW_MAX_BYTES);
    tk_buf_append_str(&members, "\"seat_limit\":");
    tk_buf_append_i64(&members, app->config->seat_limit);
    tk_http_problem_with(req, &BOOKING_PROBLEM_SEAT_LIMIT,
                         "Nothing was reserved: pay for, or cancel, what is held of this session.", NULL, &members);
    tk_buf_release(&members);
}

static void answer_unknown_seats(const struct create_context *context, const struct create_outcome *outcome)
{
    struct tk_json_errors errors = {.arena = &context->req->arena};
    for (size_t i = 0; i < context->seat_count; i++) {
        for (size_t k = 0; k < outcome->lost_count; k++) {
            if (!tk_uuid_eq(&context->seats[i].session_seat_id, &outcome->lost[k].session_seat_id))
                continue;
            char pointer[POINTER_MAX];
            snprintf(pointer, sizeof(pointer), "/seats/%zu/session_seat_id", i);
            tk_json_errors_add(&errors, pointer, "no seat of this session");
        }
    }
    tk_http_problem_with(context->req, &TK_PROBLEM_VALIDATION, NULL, &errors, NULL);
}

static void answer_invalid_tier(const struct create_context *context, size_t seat)
{
    struct tk_http_req *req = context->req;
    struct tk_json_errors errors = {.arena = &req->arena};
    char pointer[POINTER_MAX] = "/price_tier_id";
    if (context->seats != NULL)
        snprintf(pointer, sizeof(pointer), "/seats/%zu/price_tier_id", seat);
    tk_json_errors_add(&errors, pointer, "no price tier for this session");
    tk_http_problem_with(req, &TK_PROBLEM_VALIDATION, NULL, &errors, NULL);
}

static void on_created(void *arg, const struct create_outcome *outcome)
{
    const struct create_context *context = arg;
    struct tk_http_req *req = context->req;
    switch (outcome->answer) {
    case RESERVATION_ANSWER_CREATED:
    case RESERVATION_ANSWER_REPLAYED:
        answer_created(req, outcome);
        return;
    case RESERVATION_ANSWER_SEATS_TAKEN:
        answer_seats_taken(req, outcome);
        return;
    case RESERVATION_ANSWER_NO_ADJACENT_BLOCK:
        answer_no_offer(req, &BOOKING_PROBLEM_NO_ADJACENT_BLOCK, outcome);
        return;
    case RESERVATION_ANSWER_SOLD_OUT:
        answer_no_offer(req, &BOOKING_PROBLEM_SOLD_OUT, outcome);
        return;
    case RESERVATION_ANSWER_UNKNOWN_SEATS:
        answer_unknown_seats(context, outcome);
        return;
    case RESERVATION_ANSWER_INVALID_TIER:
        answer_invalid_tier(context, outcome->bad_seat);
        return;
    case RESERVATION_ANSWER_KEY_REUSED:
        tk_http_problem(req, &TK_PROBLEM_KEY_REUSED, "The key was used before with another request.");
        return;
    case RESERVATION_ANSWER_SESSION_NOT_FOUND:
        tk_http_problem(req, &TK_PROBLEM_NOT_FOUND, "No such session.");
        return;
    case RESERVATION_ANSWER_SALES_CLOSED:
        tk_http_problem(req, &BOOKING_PROBLEM_SALES_CLOSED, NULL);
        return;
    case RESERVATION_ANSWER_SEAT_LIMIT:
        answer_seat_limit(req);
        return;
    case RESERVATION_ANSWER_HOLD_EXPIRED:
        tk_http_problem(req, &BOOKING_PROBLEM_HOLD_EXPIRED, NULL);
        return;
    case RESERVATION_ANSWER_OVERLOADED:
        tk_http_problem(req, &TK_PROBLEM_OVERLOADED, "Nothing was reserved.");
        return;
    case RESERVATION_ANSWER_OUTCOME_UNKNOWN:
        tk_http_problem(req, &TK_PROBLEM_OUTCOME_UNKNOWN, "Retry with the same Idempotency-Key to learn the outcome.");
        return;
    case RESERVATION_ANSWER_NONE:
        tk_http_problem(req, &TK_PROBLEM_REQUEST_IN_PROGRESS, "Retry later with the same Idempotency-Key.");
        return;
    }
}

static void take_key(const struct tk_http_req *req, struct create_request *request)
{
    request->key = req->idempotency_key;
    if (request->key.ptr != NULL)
        tk_request_hash(TK_SLICE("POST"), tk_http_path(req), req->body, request->request_hash);
}

void http_create_reservation(struct tk_http_req *req)
{
    struct tk_json_errors errors = {.arena = &req->arena};
    struct create_request request = {
        .user_id = req->user_id, .request_id = req->request_id, .received_us = req->received_us};
    if (parse_create(req, &request, &errors)) {
        tk_http_problem_with(req, &TK_PROBLEM_VALIDATION, NULL, &errors, NULL);
        return;
    }
    take_key(req, &request);
    struct create_context *context = tk_arena_alloc(&req->arena, sizeof(*context));
    *context = (struct create_context){.req = req, .seats = request.seats, .seat_count = request.seat_count};
    create_reservation(req->app, &request, on_created, context);
}

/* --- get, list ----------------------------------------------------------------------------------------------------- */

static void on_read(void *arg, enum tk_step step, struct reservation *r)
{
    struct tk_http_req *req = arg;
    struct tk_buf body = TK_BUF_INIT(RESERVATION_VIEW_MAX_BYTES);
    if (step != TK_STEP_OK) {
        booking_read_failed(req);
    } else if (r == NULL) {
        tk_http_problem(req, &TK_PROBLEM_NOT_FOUND, "No such reservation.");
    } else {
        struct tk_jsonw w = TK_JSONW(&body);
        reservation_view_write(&w, NULL, r);
        tk_http_respond_json(req, 200, &body);
    }
}

void http_get_reservation(struct tk_http_req *req)
{
    const struct booking_app *app = req->app;
    struct tk_uuid id;
    if (tk_http_param_uuid(req, 0, &id))
        return;
    if (reservation_store_read(app->pg, &id, &req->user_id, booking_deadline_us(app, req->received_us), &req->arena,
                               on_read, req))
        booking_read_failed(req);
}

static void on_list(void *arg, enum tk_step step, struct reservation *list, size_t count, bool more)
{
    struct tk_http_req *req = arg;
    if (step != TK_STEP_OK) {
        booking_read_failed(req);
        return;
    }
    struct tk_buf body = TK_BUF_INIT(LIST_MAX_BYTES);
    struct tk_jsonw w = TK_JSONW(&body);
    tk_jsonw_begin_object(&w, NULL);
    tk_jsonw_begin_array(&w, "data");
    for (size_t i = 0; i < count; i++)
        reservation_view_write(&w, NULL, &list[i]);
    tk_jsonw_end_array(&w);
    tk_jsonw_str(&w, "next_cursor", more ? tk_http_cursor_text(req, &list[count - 1].id) : NULL);
    tk_jsonw_end_object(&w);
    tk_http_respond_json(req, 200, &body);
}

void http_list_reservations(struct tk_http_req *req)
{
    const struct booking_app *app = req->app;
    struct tk_uuid before;
    int64_t limit;
    if (tk_http_limit(req, LIST_DEFAULT, LIST_MAX, &limit) || tk_http_cursor(req, &before))
        return;
    if (reservation_store_list(app->pg, &req->user_id, &before, limit, booking_deadline_us(app, req->received_us),
                               &req->arena, on_list, req))
        booking_read_failed(req);
}
