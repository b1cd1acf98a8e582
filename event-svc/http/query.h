/**
 * One operation, one answer: what plain catalogue handlers have in common. A handler begins a query, lets an adapter fill
 * its operation, says how to answer, and runs it; the query frees itself.
 *
 *     struct query *q = query_new(req);
 *     organizer_select(&q->op, &id);
 *     query_one(q, catalogue, 200, write_organizer);
 *
 * A POST with an Idempotency-Key becomes a keyed write (shared/idempotency/keyed.h) here, unseen by the handler.
 */
#ifndef EVENT_SVC_HTTP_QUERY_H
#define EVENT_SVC_HTTP_QUERY_H

#include "shared/http/server.h"
#include "shared/idempotency/keyed.h"
#include "shared/json/writer.h"
#include "shared/pg/pg.h"

struct query;

/** Writes one row as the next value; column 0 is the row's id. */
typedef void query_row_fn(struct tk_jsonw *w, const PGresult *rows, int row);

/** Answers the request from an outcome that is OK. */
typedef void query_answer_fn(struct query *query, const struct tk_pg_outcome *outcome);

/** What a refusal by Postgres means here: by constraint when given, else by sqlstate. */
struct query_refusal {
    const char *sqlstate;
    const char *constraint;
    const struct tk_problem_kind *kind;
    const char *pointer; /* the member to blame, or NULL */
    const char *detail;
};

struct query {
    struct tk_pg_op op;
    struct tk_http_req *req;
    struct tk_keyed *keyed;
    query_answer_fn *answer;
    query_row_fn *row;
    const struct query_refusal *refusals; /* up to one without kind */
    int status;
    size_t step;          /* whose rows are the answer */
    int64_t limit;        /* of a list; one more row was asked for */
    const char *location; /* of what was created: prefix before the id, or NULL */
    int64_t deadline_ms;
    void *arg;   /* the answer function's */
    bool writes; /* an unknown outcome must be reported as such */
};

/** Starts one; `deadline_ms` is the service's default. */
struct query *query_new(struct tk_http_req *req);

/** Runs it on `pg`; every outcome but OK is answered here. */
void query_run(struct query *query, struct tk_pg *pg, query_answer_fn *answer);

/** Answers the first row of the chosen step with `status`; no row: 404. */
void query_one(struct query *query, struct tk_pg *pg, int status, query_row_fn *row);

/** Answers {"data": […], "next_cursor"}. With step > 0 the steps before must have a row each, else 404. */
void query_list(struct query *query, struct tk_pg *pg, query_row_fn *row);

/** Answers `rows`' first row; for answer functions of their own. */
void query_respond_row(struct query *query, const PGresult *rows);

/** `?limit=` and `?cursor=` of a list; on nonsense the request has been answered. */
TK_MUSTCHECK enum tk_err query_page(struct tk_http_req *req, struct tk_uuid *after, int64_t *limit);

/** Fills an operation with the select of one row by id, or of `limit` rows after one; the adapters' functions. */
typedef void query_select_fn(struct tk_pg_op *op, const struct tk_uuid *id);
typedef void query_select_page_fn(struct tk_pg_op *op, const struct tk_uuid *after, int64_t limit);

/** A whole GET handler: the row named by the path's first parameter, 404 when there is none. Ends the request. */
void query_get_one(struct tk_http_req *req, struct tk_pg *pg, query_select_fn *select, query_row_fn *row);

/** A whole GET handler: a page of rows, by `?limit=` and `?cursor=`. Ends the request. */
void query_get_page(struct tk_http_req *req, struct tk_pg *pg, query_select_page_fn *select, query_row_fn *row);

#define QUERY_PAGE_DEFAULT 50
#define QUERY_PAGE_MAX     200
#define QUERY_MAX_ANSWER   (4u << 20) /* 200 rows with the longest texts */

#endif
