/*
 * Tickets and their QR codes. Codes are drawn when asked for: a confirmation costs nothing for them, and lists are short.
 * Whose tickets: one's own; without a user, in the local stack only, anybody's.
 */
#include <stdio.h>

#include "booking-svc/adapters/qr_image.h"
#include "booking-svc/adapters/ticket_store.h"
#include "booking-svc/app/booking_app.h"
#include "booking-svc/domain/qr_payload.h"
#include "booking-svc/http/problems.h"
#include "booking-svc/http/routes.h"
#include "shared/json/writer.h"

#define LIST_DEFAULT   50
#define LIST_MAX       200
#define LIST_MAX_BYTES (2u << 20)
#define CODES_PER_TURN 4
#define DATA_URI       "data:image/png;base64,"
#define LINK_MAX       256

static enum tk_err render_qr(const struct tk_http_req *req, const struct tk_uuid *ticket_id, struct tk_buf *png)
{
    const struct booking_app *app = req->app;
    char payload[QR_PAYLOAD_LEN + 1];
    return qr_image_png(qr_payload_make(ticket_id, tk_slice_of(app->config->secret_key), payload), png);
}

static void write_qr(struct tk_jsonw *w, const struct tk_http_req *req, const struct tk_uuid *ticket_id)
{
    struct tk_buf png = TK_BUF_INIT(QR_IMAGE_MAX_BYTES);
    struct tk_buf uri = TK_BUF_INIT(2 * QR_IMAGE_MAX_BYTES);
    if (render_qr(req, ticket_id, &png)) {
        tk_jsonw_null(w, "qr_code");
    } else {
        tk_buf_append_str(&uri, DATA_URI);
        tk_base64_append(&uri, png.ptr, png.len);
        tk_jsonw_text(w, "qr_code", tk_buf_slice(&uri));
    }
    tk_buf_release(&uri);
    tk_buf_release(&png);
}

static void write_ticket(struct tk_jsonw *w, const struct tk_http_req *req, const struct ticket *ticket)
{
    tk_jsonw_begin_object(w, NULL);
    tk_jsonw_uuid(w, "id", &ticket->id);
    tk_jsonw_uuid(w, "reservation_id", &ticket->reservation_id);
    tk_jsonw_uuid(w, "user_id", &ticket->user_id);
    tk_jsonw_uuid(w, "session_id", &ticket->session_id);
    tk_jsonw_uuid(w, "session_seat_id", &ticket->session_seat_id);
    tk_jsonw_text(w, "row_number", ticket->row_number);
    tk_jsonw_text(w, "seat_number", ticket->seat_number);
    tk_jsonw_money(w, "price", ticket->price_minor);
    tk_jsonw_text(w, "status", ticket->status);
    write_qr(w, req, &ticket->id);
    tk_jsonw_bool(w, "is_used", ticket->is_used);
    tk_jsonw_time(w, "created_at", ticket->created_at_us);
    tk_jsonw_end_object(w);
}

/* --- a user's ------------------------------------------------------------------------------------------------------ */

static void set_next_link(struct tk_http_req *req, const struct ticket *last, int64_t limit)
{
    char link[LINK_MAX];
    snprintf(link, sizeof(link), "</api/v1/tickets/user/%s?limit=%lld&cursor=%s>; rel=\"next\"",
             TK_UUID_TEXT(&last->user_id), (long long)limit, tk_http_cursor_text(req, &last->id));
    tk_http_set_header(req, "link", link);
}

/**
 * A list being written. Drawing one code takes half a millisecond, and everybody else waits for the loop meanwhile: so a
 * few per turn. Lives in the request's arena.
 */
struct ticket_page {
    struct tk_http_req *req;
    const struct ticket *list;
    size_t count;
    size_t written;
    struct tk_timer timer;
    struct tk_buf body;
    struct tk_jsonw w;
};

static void write_some(void *arg)
{
    struct ticket_page *page = arg;
    for (size_t i = 0; i < CODES_PER_TURN && page->written < page->count; i++)
        write_ticket(&page->w, page->req, &page->list[page->written++]);
    if (page->written < page->count) {
        tk_timer_start(page->req->loop, &page->timer, 0, write_some, page);
        return;
    }
    tk_jsonw_end_array(&page->w);
    tk_http_respond_json(page->req, 200, &page->body);
}

static void on_list(void *arg, enum tk_step step, const struct ticket *list, size_t count, bool more)
{
    struct tk_http_req *req = arg;
    if (step != TK_STEP_OK) {
        booking_read_failed(req);
        return;
    }
    if (more)
        set_next_link(req, &list[count - 1], (int64_t)count);
    struct ticket_page *page = tk_arena_alloc(&req->arena, sizeof(*page));
    page->req = req;
    page->list = list;
    page->count = count;
    page->body = TK_BUF_INIT(LIST_MAX_BYTES);
    page->w = TK_JSONW(&page->body);
    tk_jsonw_begin_array(&page->w, NULL);
    write_some(page);
}

void http_list_tickets(struct tk_http_req *req)
{
    const struct booking_app *app = req->app;
    struct tk_uuid user;
    struct tk_uuid before;
    int64_t limit;
    if (tk_http_param_uuid(req, 0, &user) || tk_http_limit(req, LIST_DEFAULT, LIST_MAX, &limit) ||
        tk_http_cursor(req, &before))
        return;
    if (req->has_user && !tk_uuid_eq(&req->user_id, &user)) {
        tk_http_problem(req, &TK_PROBLEM_NOT_FOUND, NULL);
        return;
    }
    if (ticket_store_list(app->pg, &user, &before, limit, booking_deadline_us(app, req->received_us), &req->arena, on_list,
                          req))
        booking_read_failed(req);
}

/* --- one ----------------------------------------------------------------------------------------------------------- */

static void on_ticket(void *arg, enum tk_step step, const struct ticket *list, size_t count, bool more)
{
    (void)more;
    struct tk_http_req *req = arg;
    struct tk_buf body = TK_BUF_INIT(LIST_MAX_BYTES);
    if (step != TK_STEP_OK) {
        booking_read_failed(req);
    } else if (count == 0) {
        tk_http_problem(req, &TK_PROBLEM_NOT_FOUND, "No such ticket.");
    } else {
        struct tk_jsonw w = TK_JSONW(&body);
        write_ticket(&w, req, &list[0]);
        tk_http_respond_json(req, 200, &body);
    }
}

static void on_ticket_qr(void *arg, enum tk_step step, const struct ticket *list, size_t count, bool more)
{
    (void)more;
    struct tk_http_req *req = arg;
    struct tk_buf png = TK_BUF_INIT(QR_IMAGE_MAX_BYTES);
    if (step != TK_STEP_OK) {
        booking_read_failed(req);
    } else if (count == 0) {
        tk_http_problem(req, &TK_PROBLEM_NOT_FOUND, "No such ticket.");
    } else if (render_qr(req, &list[0].id, &png)) {
        tk_buf_release(&png);
        tk_http_problem(req, &TK_PROBLEM_INTERNAL, NULL);
    } else {
        tk_http_respond(req, 200, "image/png", &png);
    }
}

static void read_ticket(struct tk_http_req *req, ticket_list_done *done)
{
    const struct booking_app *app = req->app;
    struct tk_uuid id;
    if (tk_http_param_uuid(req, 0, &id))
        return;
    const struct tk_uuid *user = req->has_user ? &req->user_id : NULL;
    if (ticket_store_read(app->pg, &id, user, booking_deadline_us(app, req->received_us), &req->arena, done, req))
        booking_read_failed(req);
}

void http_get_ticket(struct tk_http_req *req)
{
    read_ticket(req, on_ticket);
}

void http_ticket_qr(struct tk_http_req *req)
{
    read_ticket(req, on_ticket_qr);
}
