/*
 * The batch endpoints of shared/contract/seat_api.h: many reservations in one call, one answer per reservation.
 *
 * Each item is a call of its own to the desk, which spreads them over its batches as it sees fit. The request is answered
 * when the last one is finished. An item whose outcome is not known, or that was not applied while others were, makes the
 * whole answer `outcome_unknown`: the caller asks again with the same ids and every item answers as it stands.
 */
#include <stdio.h>
#include <stdlib.h>

#include "event-svc/app/service.h"
#include "event-svc/http/body.h"
#include "event-svc/http/problems.h"
#include "event-svc/http/routes.h"
#include "shared/base/mem.h"

#define MAX_ANSWER (8u << 20)

/* One HTTP request; lives in its arena, like its calls. */
struct seat_batch {
    struct tk_http_req *req;
    size_t count;
    size_t open;    /* calls not finished yet, plus one while they are being submitted */
    size_t failed;  /* not applied */
    size_t unknown; /* may have been applied */
    struct hold_call *holds;
    struct settle_call *releases;
};

struct batch_body {
    const struct tk_json *items;
};

static void write_results(struct tk_jsonw *w, const struct seat_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->holds != NULL) {
            tk_hold_answer_encode(w, &batch->holds[i].answer);
            continue;
        }
        const struct tk_release_answer answer = {
            .reservation_id = batch->releases[i].line.reservation_id,
            .outcome = release_outcome_of(batch->releases[i].verdict),
        };
        tk_release_answer_encode(w, &answer);
    }
}

static void respond(const struct seat_batch *batch)
{
    struct tk_buf body = TK_BUF_INIT(MAX_ANSWER);
    struct tk_jsonw w = TK_JSONW(&body);
    tk_jsonw_begin_object(&w, NULL);
    tk_jsonw_begin_array(&w, "results");
    write_results(&w, batch);
    tk_jsonw_end_array(&w);
    tk_jsonw_end_object(&w);
    tk_http_respond_json(batch->req, 200, &body);
}

/* One call is finished; the last one answers. */
static void close_one(struct seat_batch *batch, enum tk_step step)
{
    batch->failed += step == TK_STEP_FAILED;
    batch->unknown += step == TK_STEP_UNKNOWN;
    if (--batch->open > 0)
        return;
    if (batch->failed == batch->count)
        problem_step(batch->req, TK_STEP_FAILED);
    else if (batch->failed + batch->unknown > 0)
        problem_step(batch->req, TK_STEP_UNKNOWN);
    else
        respond(batch);
}

static void on_hold(struct hold_call *call)
{
    close_one(call->arg, call->step);
}

static void on_release(struct settle_call *call)
{
    close_one(call->arg, call->step);
}

/* The array in the body's only member; NULL when the request has been answered. */
static const struct tk_json *read_items(struct tk_http_req *req, const char *member)
{
    struct batch_body body = {0};
    struct tk_json_errors errors = {.arena = &req->arena};
    const struct tk_field fields[] = {{
        .name = member,
        .type = TK_FIELD_ARRAY,
        .flags = TK_FIELD_REQUIRED,
        .offset = offsetof(struct batch_body, items),
        .present_offset = TK_FIELD_NO_PRESENCE,
        .min = 1,
        .max = TK_SEAT_API_MAX_ITEMS,
    }};
    if (tk_json_bind(req->json, "", fields, 1, &body, &errors) == TK_OK)
        return body.items;
    problem_invalid(req, &errors);
    return NULL;
}

static struct seat_batch *batch_new(struct tk_http_req *req, size_t count)
{
    struct seat_batch *batch = tk_arena_alloc(&req->arena, sizeof(*batch));
    batch->req = req;
    batch->count = count;
    batch->open = count + 1;
    return batch;
}

void seats_reserve_batch(struct tk_http_req *req)
{
    struct event_service *service = req->app;
    struct tk_json_errors errors = {.arena = &req->arena};
    const struct tk_json *items = read_items(req, "holds");
    if (items == NULL)
        return;
    struct seat_batch *batch = batch_new(req, items->count);
    batch->holds = tk_arena_alloc(&req->arena, batch->count * sizeof(*batch->holds));
    size_t i = 0;
    char pointer[32];
    for (const struct tk_json *item = items->child; item != NULL; item = item->next, i++) {
        snprintf(pointer, sizeof(pointer), "/holds/%zu", i);
        batch->holds[i] = (struct hold_call){.arena = &req->arena, .done = on_hold, .arg = batch};
        if (tk_hold_request_decode(item, pointer, &req->arena, &batch->holds[i].request, &errors))
            continue; /* collected */
    }
    if (errors.count > 0) {
        problem_invalid(req, &errors);
        return;
    }
    for (i = 0; i < batch->count; i++)
        if (seat_desk_reserve(service->desk, &batch->holds[i]))
            close_one(batch, TK_STEP_FAILED);
    close_one(batch, TK_STEP_OK);
}

void seats_release_batch(struct tk_http_req *req)
{
    struct event_service *service = req->app;
    struct tk_json_errors errors = {.arena = &req->arena};
    const struct tk_json *items = read_items(req, "releases");
    if (items == NULL)
        return;
    struct seat_batch *batch = batch_new(req, items->count);
    batch->releases = tk_arena_alloc(&req->arena, batch->count * sizeof(*batch->releases));
    size_t i = 0;
    char pointer[32];
    for (const struct tk_json *item = items->child; item != NULL; item = item->next, i++) {
        struct tk_release_request request = {0};
        snprintf(pointer, sizeof(pointer), "/releases/%zu", i);
        if (tk_release_request_decode(item, pointer, &req->arena, &request, &errors))
            continue; /* collected */
        batch->releases[i] = (struct settle_call){
            .line = {.session_id = request.session_id,
                     .reservation_id = request.reservation_id,
                     .revision = request.revision,
                     .cause = cause_of_release(request.reason),
                     .request_id = request.request_id},
            .done = on_release,
            .arg = batch,
        };
    }
    if (errors.count > 0) {
        problem_invalid(req, &errors);
        return;
    }
    for (i = 0; i < batch->count; i++)
        if (seat_desk_settle(service->desk, &batch->releases[i]))
            close_one(batch, TK_STEP_FAILED);
    close_one(batch, TK_STEP_OK);
}
