/* Price tiers: made by whoever runs the box office, read by all. */
#include <stdlib.h>

#include "booking-svc/adapters/tier_store.h"
#include "booking-svc/app/booking_app.h"
#include "booking-svc/http/problems.h"
#include "booking-svc/http/routes.h"
#include "shared/base/money.h"
#include "shared/idempotency/keyed.h"
#include "shared/json/writer.h"

#define LIST_DEFAULT    50
#define LIST_MAX        200
#define LIST_MAX_BYTES  (1u << 20)
#define NAME_MAX_BYTES  200
#define DESCRIPTION_MAX 2000

static void write_tier(struct tk_jsonw *w, const struct price_tier *tier)
{
    tk_jsonw_begin_object(w, NULL);
    tk_jsonw_uuid(w, "id", &tier->id);
    tk_jsonw_uuid(w, "price_tier_id", &tier->id);
    tk_jsonw_text(w, "name", tier->name);
    tk_jsonw_text(w, "description", tier->description);
    tk_jsonw_multiplier(w, "multiplier", tier->multiplier);
    if (tk_uuid_is_nil(&tier->session_id))
        tk_jsonw_null(w, "session_id");
    else
        tk_jsonw_uuid(w, "session_id", &tier->session_id);
    tk_jsonw_time(w, "created_at", tier->created_at_us);
    tk_jsonw_end_object(w);
}

/* --- create -------------------------------------------------------------------------------------------------------- */

static const struct tk_field tier_fields[] = {
    {"name", NULL, TK_FIELD_TEXT, TK_FIELD_REQUIRED, offsetof(struct price_tier, name), TK_FIELD_NO_PRESENCE, 1,
     NAME_MAX_BYTES},
    {"description", NULL, TK_FIELD_TEXT, TK_FIELD_NULLABLE, offsetof(struct price_tier, description), TK_FIELD_NO_PRESENCE,
     0, DESCRIPTION_MAX},
    {"multiplier", "base_multiplier", TK_FIELD_MULTIPLIER, TK_FIELD_REQUIRED, offsetof(struct price_tier, multiplier),
     TK_FIELD_NO_PRESENCE, 1, TK_MULTIPLIER_MAX},
    {"session_id", NULL, TK_FIELD_UUID, TK_FIELD_NULLABLE, offsetof(struct price_tier, session_id), TK_FIELD_NO_PRESENCE, 0,
     0},
};

struct tier_write {
    struct tk_pg_op op;
    struct tk_http_req *req;
};

/**
 * An unknown outcome is reported as such; a second tier of the same name would be harmless, names are not unique.
 */
static void answer_created(void *arg, const struct tk_pg_outcome *outcome)
{
    const struct tier_write *write = arg;
    struct tk_buf body = TK_BUF_INIT(LIST_MAX_BYTES);
    struct price_tier tier = {0};
    if (outcome->step == TK_STEP_UNKNOWN) {
        tk_http_problem(write->req, &TK_PROBLEM_OUTCOME_UNKNOWN, "The price tier may have been created.");
    } else if (outcome->step != TK_STEP_OK || PQntuples(outcome->rows[0]) != 1) {
        tk_http_problem(write->req, &TK_PROBLEM_OVERLOADED, "Nothing was created.");
    } else {
        struct tk_jsonw w = TK_JSONW(&body);
        tier_from_row(outcome->rows[0], 0, &write->req->arena, &tier);
        write_tier(&w, &tier);
        tk_http_respond_json(write->req, 201, &body);
    }
}

void http_create_price_tier(struct tk_http_req *req)
{
    const struct booking_app *app = req->app;
    struct price_tier tier = {.id = tk_uuid_v7()};
    struct tk_json_errors errors = {.arena = &req->arena};
    if (tk_json_bind(req->json, "", tier_fields, sizeof(tier_fields) / sizeof(tier_fields[0]), &tier, &errors)) {
        tk_http_problem_with(req, &TK_PROBLEM_VALIDATION, NULL, &errors, NULL);
        return;
    }
    struct tier_write *write = tk_alloc(sizeof(*write));
    tk_pg_op_init(&write->op);
    write->req = req;
    struct tk_keyed *keyed = tk_keyed_begin(req, &write->op);
    tier_insert(&write->op, &tier);
    tk_keyed_run(keyed, app->pg, booking_deadline_us(app, req->received_us), answer_created, free, write);
}

/* --- list ---------------------------------------------------------------------------------------------------------- */

static void on_list(void *arg, enum tk_step step, const struct price_tier *list, size_t count, bool more)
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
        write_tier(&w, &list[i]);
    tk_jsonw_end_array(&w);
    tk_jsonw_str(&w, "next_cursor", more ? tk_http_cursor_text(req, &list[count - 1].id) : NULL);
    tk_jsonw_end_object(&w);
    tk_http_respond_json(req, 200, &body);
}

void http_list_price_tiers(struct tk_http_req *req)
{
    const struct booking_app *app = req->app;
    struct tk_uuid session;
    struct tk_uuid after;
    int64_t limit;
    if (tk_http_limit(req, LIST_DEFAULT, LIST_MAX, &limit) || tk_http_cursor(req, &after))
        return;
    const struct tk_slice text = tk_http_query(req, "session_id");
    if (text.ptr != NULL && tk_uuid_parse(text, &session)) {
        tk_http_problem(req, &TK_PROBLEM_VALIDATION, "session_id must be a UUID.");
        return;
    }
    if (tier_store_list(app->tiers, text.ptr ? &session : NULL, &after, limit, booking_deadline_us(app, req->received_us),
                        &req->arena, on_list, req))
        booking_read_failed(req);
}
