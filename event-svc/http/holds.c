/*
 * GET /api/internal/holds?older_than=: holds past their deadline that nobody settled, for the worker's sweep.
 */
#include <stdio.h>
#include <string.h>

#include "event-svc/app/service.h"
#include "event-svc/http/problems.h"
#include "event-svc/http/query.h"
#include "event-svc/http/routes.h"
#include "shared/base/clock.h"
#include "shared/base/mem.h"

#define OLDER_THAN_MAX (INT64_C(10) * 365 * 24 * 3600)
#define LIMIT_DEFAULT  100

/* The cursor: deadline and reservation, as they lie in memory here; nobody else reads it. */
struct cursor_bytes {
    int64_t reserved_until_us;
    struct tk_uuid reservation_id;
};

static enum tk_err read_cursor(struct tk_http_req *req, struct stale_list *list)
{
    struct tk_slice text = tk_http_query(req, "cursor");
    struct cursor_bytes bytes;
    size_t len = 0;
    list->from_start = text.ptr == NULL;
    if (list->from_start)
        return TK_OK;
    if (tk_base64url_decode(text, &bytes, sizeof(bytes), &len) || len != sizeof(bytes) || bytes.reserved_until_us < 0 ||
        bytes.reserved_until_us >= TK_TIME_END_US) {
        problem_at(req, "/cursor", "is not a cursor of this list");
        return TK_ERR_INVALID;
    }
    list->from = (struct hold_place){.reserved_until_us = bytes.reserved_until_us, .reservation_id = bytes.reservation_id};
    return TK_OK;
}

static enum tk_err read_age(struct tk_http_req *req, int64_t *seconds)
{
    struct tk_slice text = tk_http_query(req, "older_than");
    *seconds = 0;
    if (text.ptr == NULL || (tk_parse_i64(text, seconds) == TK_OK && *seconds >= 0 && *seconds <= OLDER_THAN_MAX))
        return TK_OK;
    problem_at(req, "/older_than", "must be a number of seconds");
    return TK_ERR_INVALID;
}

static void write_cursor(struct tk_jsonw *w, const struct stale_list *list)
{
    struct cursor_bytes bytes = {.reserved_until_us = list->next.reserved_until_us,
                                 .reservation_id = list->next.reservation_id};
    struct tk_buf text = TK_BUF_INIT(64);
    if (!list->more) {
        tk_jsonw_null(w, "next_cursor");
        return;
    }
    tk_base64url_append(&text, &bytes, sizeof(bytes));
    tk_jsonw_text(w, "next_cursor", tk_buf_slice(&text));
    tk_buf_release(&text);
}

static void on_listed(struct stale_list *list)
{
    struct tk_http_req *req = list->arg;
    struct tk_buf body = TK_BUF_INIT(QUERY_MAX_ANSWER);
    struct tk_jsonw w = TK_JSONW(&body);
    if (list->step != TK_STEP_OK) {
        problem_step(req, TK_STEP_FAILED);
        return;
    }
    tk_jsonw_begin_object(&w, NULL);
    tk_jsonw_begin_array(&w, "data");
    for (size_t i = 0; i < list->count; i++) {
        tk_jsonw_begin_object(&w, NULL);
        tk_jsonw_uuid(&w, "reservation_id", &list->items[i].reservation_id);
        tk_jsonw_uuid(&w, "session_id", &list->items[i].session_id);
        tk_jsonw_time(&w, "reserved_until", list->items[i].reserved_until_us);
        tk_jsonw_str(&w, "state", hold_state_name(HOLD_HELD));
        tk_jsonw_end_object(&w);
    }
    tk_jsonw_end_array(&w);
    write_cursor(&w, list);
    tk_jsonw_end_object(&w);
    tk_http_respond_json(req, 200, &body);
}

void holds_list(struct tk_http_req *req)
{
    struct event_service *service = req->app;
    struct stale_list *list = tk_arena_alloc(&req->arena, sizeof(*list));
    if (read_age(req, &list->older_than_s) || tk_http_limit(req, LIMIT_DEFAULT, QUERY_PAGE_MAX, &list->limit) ||
        read_cursor(req, list))
        return;
    list->holds = &service->stale;
    list->arena = &req->arena;
    list->done = on_listed;
    list->arg = req;
    if (stale_holds_list(list))
        problem_step(req, TK_STEP_FAILED);
}
