/* GET /api/v1/reservations/{id}/history: who changed it, when and why. */
#include "booking-svc/adapters/history_store.h"
#include "booking-svc/app/booking_app.h"
#include "booking-svc/http/problems.h"
#include "booking-svc/http/routes.h"
#include "shared/json/writer.h"

#define LIST_DEFAULT   50
#define LIST_MAX       200
#define LIST_MAX_BYTES (1u << 20)

/* --- the cursor: a revision where other lists have an id ------------------------------------------------------------ */

static int64_t revision_of(const struct tk_uuid *cursor)
{
    uint64_t revision = 0;
    for (size_t i = 8; i < sizeof(cursor->bytes); i++)
        revision = revision << 8 | cursor->bytes[i];
    return revision <= INT64_MAX ? (int64_t)revision : INT64_MAX;
}

static struct tk_uuid cursor_of(int64_t revision)
{
    struct tk_uuid cursor = {{0}};
    for (size_t i = 0; i < 8; i++)
        cursor.bytes[15 - i] = (uint8_t)((uint64_t)revision >> (8 * i));
    return cursor;
}

/* --- the answer ----------------------------------------------------------------------------------------------------- */

/** What a state of the reservation means for its seats. */
static const char *seat_status_of(enum reservation_status status)
{
    switch (status) {
    case RESERVATION_ACTIVE:
    case RESERVATION_PAYING:
        return tk_seat_status_name(TK_SEAT_RESERVED);
    case RESERVATION_CONFIRMED:
        return tk_seat_status_name(TK_SEAT_SOLD);
    case RESERVATION_CANCELLED:
    case RESERVATION_EXPIRED:
    case RESERVATION_REFUNDED:
        break;
    }
    return tk_seat_status_name(TK_SEAT_AVAILABLE);
}

static void write_entry(struct tk_jsonw *w, const struct history_entry *entry)
{
    tk_jsonw_begin_object(w, NULL);
    tk_jsonw_i64(w, "revision", entry->revision);
    tk_jsonw_time(w, "at", entry->at_us);
    tk_jsonw_str(w, "from_status", entry->is_first ? NULL : reservation_status_name(entry->from_status));
    tk_jsonw_str(w, "to_status", reservation_status_name(entry->to_status));
    tk_jsonw_str(w, "seat_status", seat_status_of(entry->to_status));
    tk_jsonw_text(w, "actor", entry->actor);
    tk_jsonw_text(w, "reason", entry->reason);
    if (entry->request_id.len == 0)
        tk_jsonw_null(w, "request_id");
    else
        tk_jsonw_text(w, "request_id", entry->request_id);
    tk_jsonw_end_object(w);
}

static void write_page(struct tk_http_req *req, struct tk_jsonw *w, const struct history_page *page)
{
    struct tk_uuid last = cursor_of(page->more ? page->entries[page->count - 1].revision : 0);
    tk_jsonw_begin_object(w, NULL);
    tk_jsonw_begin_array(w, "session_seat_ids");
    for (size_t i = 0; i < page->seat_count && i < TK_MESSAGE_MAX_SEATS; i++)
        tk_jsonw_uuid(w, NULL, &page->seats[i]);
    tk_jsonw_end_array(w);
    tk_jsonw_begin_array(w, "data");
    for (size_t i = 0; i < page->count; i++)
        write_entry(w, &page->entries[i]);
    tk_jsonw_end_array(w);
    tk_jsonw_str(w, "next_cursor", page->more ? tk_http_cursor_text(req, &last) : NULL);
    tk_jsonw_end_object(w);
}

static void on_history(void *arg, enum tk_step step, const struct history_page *page)
{
    struct tk_http_req *req = arg;
    struct tk_buf body = TK_BUF_INIT(LIST_MAX_BYTES);
    struct tk_jsonw w = TK_JSONW(&body);
    if (step != TK_STEP_OK) {
        booking_read_failed(req);
    } else if (!page->found) {
        tk_http_problem(req, &TK_PROBLEM_NOT_FOUND, "No such reservation.");
    } else {
        write_page(req, &w, page);
        tk_http_respond_json(req, 200, &body);
    }
}

void http_get_history(struct tk_http_req *req)
{
    const struct booking_app *app = req->app;
    struct tk_uuid id;
    struct tk_uuid after;
    int64_t limit;
    if (tk_http_param_uuid(req, 0, &id) || tk_http_limit(req, LIST_DEFAULT, LIST_MAX, &limit) ||
        tk_http_cursor(req, &after))
        return;
    if (history_store_read(app->pg, &id, &req->user_id, revision_of(&after), limit,
                           booking_deadline_us(app, req->received_us), &req->arena, on_history, req))
        booking_read_failed(req);
}
