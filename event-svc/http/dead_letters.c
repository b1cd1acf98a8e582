/*
 * /api/internal/dead-letters: look at what the broker gave up on, publish it again, or throw it away.
 */
#include "event-svc/adapters/dead_letters.h"
#include "event-svc/app/service.h"
#include "event-svc/http/problems.h"
#include "event-svc/http/query.h"
#include "event-svc/http/routes.h"

static const char not_replayable[] = "it is not whole, not text, or its routing key leads nowhere; it can only be deleted";

static void write_text_or_null(struct tk_jsonw *w, const char *key, struct tk_slice text)
{
    if (text.ptr == NULL)
        tk_jsonw_null(w, key);
    else
        tk_jsonw_text(w, key, text);
}

/* As text where it is text, else as base64; the other one is null. */
static void write_body(struct tk_jsonw *w, struct tk_slice body)
{
    struct tk_buf text = TK_BUF_INIT(QUERY_MAX_ANSWER);
    if (tk_utf8_is_text(body)) {
        tk_jsonw_text(w, "body", body);
        tk_jsonw_null(w, "body_base64");
        return;
    }
    tk_base64_append(&text, body.ptr, body.len);
    tk_jsonw_null(w, "body");
    tk_jsonw_text(w, "body_base64", tk_buf_slice(&text));
    tk_buf_release(&text);
}

static void write_letter(struct tk_jsonw *w, const PGresult *rows, int row)
{
    struct stored_dead_letter stored = dead_letter_read(rows, row);
    const struct dead_letter *letter = &stored.letter;
    struct tk_slice body = letter->body;
    if (body.len < letter->body_size)
        body.len = dead_letter_preview(body, body.len);
    tk_jsonw_begin_object(w, NULL);
    tk_jsonw_uuid(w, "id", &letter->id);
    tk_jsonw_text(w, "reason", letter->reason);
    write_text_or_null(w, "error", letter->error);
    tk_jsonw_i64(w, "delivery_count", letter->delivery_count);
    tk_jsonw_text(w, "routing_key", letter->routing_key);
    tk_jsonw_text(w, "message_id", letter->message_id);
    tk_jsonw_time(w, "first_death_time", stored.first_death_us);
    tk_jsonw_time(w, "stored_at", stored.stored_at_us);
    tk_jsonw_i64(w, "arrivals", stored.arrivals);
    tk_jsonw_bool(w, "replayable", letter->replayable);
    tk_jsonw_i64(w, "body_size", (int64_t)letter->body_size);
    write_body(w, body);
    tk_jsonw_end_object(w);
}

void dead_letters_list(struct tk_http_req *req)
{
    struct event_service *service = req->app;
    query_get_page(req, service->catalogue, dead_letter_list, write_letter);
}

void dead_letters_get(struct tk_http_req *req)
{
    struct event_service *service = req->app;
    query_get_one(req, service->catalogue, dead_letter_select, write_letter);
}

static struct query *begin_change(struct tk_http_req *req)
{
    struct query *query = query_new(req);
    query->writes = true;
    return query;
}

static void notify(const struct tk_http_req *req)
{
    const struct event_service *service = req->app;
    dead_letters_notify(service->dead_letters);
}

static void answer_deleted(struct query *query, const struct tk_pg_outcome *outcome)
{
    notify(query->req);
    if (PQntuples(outcome->rows[0]) == 0)
        tk_http_problem(query->req, &TK_PROBLEM_NOT_FOUND, NULL);
    else
        tk_http_respond_empty(query->req, 204);
}

void dead_letters_delete(struct tk_http_req *req)
{
    struct event_service *service = req->app;
    struct tk_uuid id;
    if (tk_http_param_uuid(req, 0, &id))
        return;
    struct query *query = begin_change(req);
    dead_letter_delete(&query->op, &id);
    query_run(query, service->catalogue, answer_deleted);
}

static void respond_counts(struct tk_http_req *req, int64_t replayed, int64_t left)
{
    struct tk_buf body = TK_BUF_INIT(256);
    struct tk_jsonw w = TK_JSONW(&body);
    tk_jsonw_begin_object(&w, NULL);
    tk_jsonw_i64(&w, "replayed", replayed);
    tk_jsonw_i64(&w, "left", left);
    tk_jsonw_end_object(&w);
    tk_http_respond_json(req, 202, &body);
}

static void answer_replayed(struct query *query, const struct tk_pg_outcome *outcome)
{
    const PGresult *rows = outcome->rows[0];
    if (PQntuples(rows) == 0) {
        tk_http_problem(query->req, &TK_PROBLEM_NOT_FOUND, NULL);
    } else if (!tk_row_bool(rows, 0, 0)) {
        tk_http_problem(query->req, &PROBLEM_NOT_REPLAYABLE, not_replayable);
    } else {
        notify(query->req);
        respond_counts(query->req, 1, 0);
    }
}

void dead_letters_replay(struct tk_http_req *req)
{
    struct event_service *service = req->app;
    struct tk_uuid id;
    if (tk_http_param_uuid(req, 0, &id))
        return;
    struct query *query = begin_change(req);
    dead_letter_replay(&query->op, &id);
    query_run(query, service->catalogue, answer_replayed);
}

static void answer_replayed_all(struct query *query, const struct tk_pg_outcome *outcome)
{
    notify(query->req);
    respond_counts(query->req, tk_row_i64(outcome->rows[0], 0, 0), tk_row_i64(outcome->rows[0], 0, 1));
}

void dead_letters_replay_all(struct tk_http_req *req)
{
    struct event_service *service = req->app;
    struct query *query = begin_change(req);
    dead_letter_replay_all(&query->op);
    query_run(query, service->catalogue, answer_replayed_all);
}
