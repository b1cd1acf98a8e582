/* Batched calls to event-svc. */
#include "booking-svc/adapters/event_client.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/clock.h"
#include "shared/breaker/breaker.h"
#include "shared/log/log.h"
#include "shared/metrics/metrics.h"

#define HOLD_CALLS     4 /* in flight */
#define RELEASE_CALLS  1
#define PROBE_MS       2000
#define PROBE_OPEN_MS  100               /* how often an open breaker is asked whether it is time */
#define OPEN_US        (1 * TK_US_PER_S) /* from the last failure to the probe */
#define FAILURES       3                 /* in a row: both tries of a call, and one more */
#define JITTER_MS      20                /* before the second try, at most */
#define MIN_TRY_MS     50                /* for items whose time ran out while they waited */
#define MAX_WEIGHT     2000              /* seats per call: about 100 bytes each in the answer */
#define RELEASE_FACTOR 4                 /* the release queue may hold this many times what the hold queue may */

/** What differs between holds and releases. */
struct call_kind {
    const char *path;
    const char *list; /* the body's one member */
    void (*encode)(struct tk_jsonw *w, struct tk_batch_item *item);
    /** TK_ERR_INVALID: not an answer to this item. */
    enum tk_err (*decode)(struct tk_batch_item *item, const struct tk_json *result, struct tk_arena *arena);
    void (*finish)(struct tk_batch_item *item, enum tk_step step, bool in_doubt);
    bool gives_back; /* tried once even while the breaker is open: nobody asks again, and the seats would lie idle until
                        their end */
};

struct call_queue {
    struct event_client *client;
    const struct call_kind *kind;
    struct tk_batch *batch;
};

struct event_client {
    struct tk_loop *loop;
    struct tk_http_client *http;
    int64_t timeout_ms;
    struct call_queue holds;
    struct call_queue releases;
    struct tk_timer probe;
    bool probing;         /* a probe is on its way */
    bool probing_breaker; /* and it is the one that may close the breaker */
    struct tk_breaker breaker;
    struct tk_retry_budget retries;
    bool up;
};

/** One flight: up to two tries. */
struct seat_call {
    struct call_queue *queue;
    struct tk_flight *flight;
    struct tk_batch_item **items; /* the flight's, which it forgets when it lands */
    size_t count;
    bool second_try;
    int64_t due_us; /* when the try in flight has had its time */
    struct tk_timer pause;
    struct tk_deferred deferred;
};

struct release_item {
    struct tk_batch_item base;
    struct tk_release_request request;
    char request_id[TK_REQUEST_ID_MAX]; /* the slice in `request` points here */
    struct tk_release_answer answer;
    event_client_release_done *done;
    void *arg;
};

static struct tk_metric breaker_state = TK_GAUGE("breaker_state", "service=\"event-svc\"",
                                                 "0: closed, calls are made; 1: half open, a probe is; 2: open, none is");
static struct tk_metric breaker_opened =
    TK_COUNTER("breaker_opened_total", "service=\"event-svc\"", "How often the breaker opened");
static struct tk_metric breaker_refused =
    TK_COUNTER("breaker_refused_total", "service=\"event-svc\"", "Calls not made because the breaker was open");
static struct tk_metric retried = TK_COUNTER("retries_total", "service=\"event-svc\"", "Calls made a second time");
static struct tk_metric retries_denied =
    TK_COUNTER("retries_denied_total", "service=\"event-svc\"", "Calls not made a second time: no budget, or breaker open");

/* --- breaker -------------------------------------------------------------------------------------------------------- */

static void show_breaker(struct event_client *client, const char *what)
{
    tk_metric_set(&breaker_state, client->breaker.state);
    tk_log(TK_LOG_WARNING, what, TK_KV_STR("service", "event-svc"),
           TK_KV_STR("breaker", tk_breaker_state_name(client->breaker.state)));
}

static tk_loop_fn probe_start;

static void probe_later(struct event_client *client)
{
    const bool closed = tk_breaker_allows(&client->breaker);
    tk_timer_start(client->loop, &client->probe, closed ? PROBE_MS : PROBE_OPEN_MS, probe_start, client);
}

static void note_call(struct event_client *client, bool ok)
{
    if (!tk_breaker_note(&client->breaker, ok, tk_mono_us()))
        return;
    if (!client->probing)
        probe_later(client);
    tk_metric_add(&breaker_opened, 1);
    show_breaker(client, "event-svc does not answer: no calls until a probe succeeds");
}

/** A kept connection may have been closed under us: that the first try ended before its time says nothing of event-svc. */
static bool says_something(const struct seat_call *call, enum tk_step step)
{
    return step != TK_STEP_UNKNOWN || call->second_try || tk_mono_us() >= call->due_us;
}

/* --- finishing ----------------------------------------------------------------------------------------------------- */

/** Lands first, since the callbacks may free items and submit new ones. */
static void call_end(struct seat_call *call, enum tk_step step)
{
    const struct call_kind *kind = call->queue->kind;
    const bool in_doubt = call->second_try;
    struct tk_batch_item **items = call->items;
    const size_t count = call->count;
    tk_batch_landed(call->flight);
    free(call);
    for (size_t i = 0; i < count; i++)
        kind->finish(items[i], step, in_doubt);
    free(items);
}

static void on_not_sent(void *arg)
{
    struct seat_call *call = arg;
    call_end(call, call->second_try ? TK_STEP_UNKNOWN : TK_STEP_FAILED);
}

static void call_send(struct seat_call *call);

static void on_paused(void *arg)
{
    call_send(arg);
}

static bool may_try_again(struct seat_call *call)
{
    struct event_client *client = call->queue->client;
    if (call->second_try)
        return false;
    if (tk_breaker_allows(&client->breaker) && tk_retry_budget_spend(&client->retries))
        return true;
    tk_metric_add(&retries_denied, 1);
    return false;
}

/** No answer: once more with the same ids, a moment later, if there is budget for that. */
static void call_unanswered(struct seat_call *call)
{
    if (!may_try_again(call)) {
        call->second_try = true; /* in doubt, whatever comes */
        call_end(call, TK_STEP_UNKNOWN);
        return;
    }
    tk_metric_add(&retried, 1);
    call->second_try = true;
    tk_timer_start(call->queue->client->loop, &call->pause, arc4random_uniform(JITTER_MS + 1), on_paused, call);
}

/** Certainly not applied, this time; what the first try did is not known by that. */
static void call_rejected(struct seat_call *call)
{
    call_end(call, call->second_try ? TK_STEP_UNKNOWN : TK_STEP_FAILED);
}

/* --- answers ------------------------------------------------------------------------------------------------------- */

static enum tk_err decode_results(const struct seat_call *call, struct tk_slice body, struct tk_arena *arena)
{
    const struct tk_json *root = NULL;
    const char *why = "";
    if (tk_json_parse(arena, body, &root, &why))
        return TK_ERR_INVALID;
    const struct tk_json *results = tk_json_get(root, "results");
    if (results == NULL || results->type != TK_JSON_ARRAY || results->count != call->count)
        return TK_ERR_INVALID;
    const struct tk_json *result = results->child;
    for (size_t i = 0; i < call->count; i++, result = result->next) {
        if (call->queue->kind->decode(call->items[i], result, arena))
            return TK_ERR_INVALID;
    }
    return TK_OK;
}

/** Answers point into the arena, which lives until every item has been finished. */
static void call_answered(struct seat_call *call, struct tk_slice body)
{
    struct tk_arena arena = {0};
    if (decode_results(call, body, &arena)) {
        tk_log(TK_LOG_ERROR, "event-svc sent an answer we do not understand", TK_KV_STR("path", call->queue->kind->path),
               TK_KV_INT("bytes", body.len));
        call_end(call, TK_STEP_UNKNOWN);
    } else {
        call_end(call, TK_STEP_OK);
    }
    tk_arena_release(&arena);
}

/** Of all errors, only those that promise that nothing was applied count as "not sent". */
static bool promises_nothing_applied(int status, struct tk_slice body)
{
    if (status < 500)
        return true;
    return status == 503 && memmem(body.ptr, body.len, "\"overloaded\"", 12) != NULL;
}

static void on_response(void *arg, enum tk_step step, int status, struct tk_slice body)
{
    struct seat_call *call = arg;
    struct event_client *client = call->queue->client;
    client->up = step == TK_STEP_OK;
    if (says_something(call, step))
        note_call(client, step == TK_STEP_OK && (status < 500 || promises_nothing_applied(status, body)));
    if (step == TK_STEP_OK && status == 200) {
        call_answered(call, body);
        return;
    }
    tk_log(TK_LOG_WARNING, "call to event-svc failed", TK_KV_STR("path", call->queue->kind->path),
           TK_KV_STR("result", tk_step_name(step)), TK_KV_INT("status", status), TK_KV_INT("items", call->count),
           TK_KV_INT("try", call->second_try ? 2 : 1));
    if (step == TK_STEP_FAILED || (step == TK_STEP_OK && promises_nothing_applied(status, body)))
        call_rejected(call);
    else
        call_unanswered(call);
}

/* --- sending ------------------------------------------------------------------------------------------------------- */

static void call_encode(const struct seat_call *call, struct tk_buf *body)
{
    struct tk_jsonw w = TK_JSONW(body);
    tk_jsonw_begin_object(&w, NULL);
    tk_jsonw_begin_array(&w, call->queue->kind->list);
    for (size_t i = 0; i < call->count; i++)
        call->queue->kind->encode(&w, call->items[i]);
    tk_jsonw_end_array(&w);
    tk_jsonw_end_object(&w);
    assert(!body->overflow); /* MAX_WEIGHT seats and TK_SEAT_API_MAX_ITEMS items fit */
}

/** Half of the time for the first try, the rest for the second; never longer than the least patient item can wait. */
static int64_t try_timeout_ms(const struct seat_call *call)
{
    const int64_t half_ms = call->queue->client->timeout_ms / 2;
    const int64_t now_us = tk_mono_us();
    int64_t left_us = INT64_MAX;
    for (size_t i = 0; i < call->count; i++) {
        if (call->items[i]->deadline_us - now_us < left_us)
            left_us = call->items[i]->deadline_us - now_us;
    }
    const int64_t left_ms = left_us / TK_US_PER_MS / (call->second_try ? 1 : 2);
    return left_ms > half_ms ? half_ms : left_ms < MIN_TRY_MS ? MIN_TRY_MS : left_ms;
}

static void call_send(struct seat_call *call)
{
    struct event_client *client = call->queue->client;
    struct tk_buf body = TK_BUF_INIT(TK_SEAT_API_MAX_BODY);
    const int64_t timeout_ms = try_timeout_ms(call);
    call_encode(call, &body);
    call->due_us = tk_mono_us() + timeout_ms * TK_US_PER_MS;
    if (tk_http_client_call(client->http, "POST", call->queue->kind->path, &body, NULL, NULL, timeout_ms, on_response,
                            call)) {
        tk_buf_release(&body);
        tk_loop_defer(client->loop, &call->deferred, on_not_sent, call);
    }
}

static void on_send(void *ctx, struct tk_flight *flight)
{
    struct seat_call *call = tk_alloc(sizeof(*call));
    call->queue = ctx;
    call->flight = flight;
    call->count = flight->count;
    call->items = tk_alloc(flight->count * sizeof(struct tk_batch_item *));
    memcpy(call->items, flight->items, flight->count * sizeof(struct tk_batch_item *));
    if (!call->queue->kind->gives_back && !tk_breaker_allows(&call->queue->client->breaker)) {
        tk_metric_add(&breaker_refused, 1);
        tk_loop_defer(call->queue->client->loop, &call->deferred, on_not_sent, call);
        return;
    }
    tk_retry_budget_earn(&call->queue->client->retries);
    call_send(call);
}

static void on_drop(void *ctx, struct tk_batch_item *item)
{
    struct call_queue *queue = ctx;
    queue->kind->finish(item, TK_STEP_FAILED, false);
}

/* --- holds --------------------------------------------------------------------------------------------------------- */

static struct hold_item *hold_of(struct tk_batch_item *item)
{
    return TK_CONTAINER_OF(item, struct hold_item, base);
}

static void hold_encode(struct tk_jsonw *w, struct tk_batch_item *item)
{
    tk_hold_request_encode(w, &hold_of(item)->request);
}

static enum tk_err hold_decode(struct tk_batch_item *item, const struct tk_json *result, struct tk_arena *arena)
{
    struct tk_hold_answer *answer = tk_arena_alloc(arena, sizeof(*answer));
    if (tk_hold_answer_decode(result, arena, answer))
        return TK_ERR_INVALID;
    if (!tk_uuid_eq(&answer->reservation_id, &hold_of(item)->request.reservation_id))
        return TK_ERR_INVALID;
    hold_of(item)->answer = answer;
    return TK_OK;
}

static void hold_finish(struct tk_batch_item *base, enum tk_step step, bool in_doubt)
{
    struct hold_item *item = hold_of(base);
    item->step = step;
    item->in_doubt = in_doubt;
    if (step == TK_STEP_OK && item->answer->outcome != TK_HOLD_HELD)
        item->step = TK_STEP_REFUSED;
    item->done(item);
}

enum tk_err event_client_hold(struct event_client *client, struct hold_item *item)
{
    const struct tk_hold_request *request = &item->request;
    item->base.weight = (unsigned)(request->best_available ? request->best.quantity : (int64_t)request->seat_count);
    item->answer = NULL;
    return tk_batch_submit(client->holds.batch, &item->base);
}

int64_t event_client_hold_time_us(const struct event_client *client, size_t items)
{
    return tk_batch_time_us(client->holds.batch, items);
}

/* --- releases ------------------------------------------------------------------------------------------------------ */

static struct release_item *release_of(struct tk_batch_item *item)
{
    return TK_CONTAINER_OF(item, struct release_item, base);
}

static void release_encode(struct tk_jsonw *w, struct tk_batch_item *item)
{
    tk_release_request_encode(w, &release_of(item)->request);
}

static enum tk_err release_decode(struct tk_batch_item *base, const struct tk_json *result, struct tk_arena *arena)
{
    (void)arena;
    struct release_item *item = release_of(base);
    if (tk_release_answer_decode(result, &item->answer))
        return TK_ERR_INVALID;
    return tk_uuid_eq(&item->answer.reservation_id, &item->request.reservation_id) ? TK_OK : TK_ERR_INVALID;
}

static void release_finish(struct tk_batch_item *base, enum tk_step step, bool in_doubt)
{
    (void)in_doubt; /* releasing twice is releasing once */
    struct release_item *item = release_of(base);
    if (step == TK_STEP_OK && item->answer.outcome == TK_RELEASE_SOLD)
        tk_log(TK_LOG_WARNING, "released seats are sold", TK_KV_UUID("reservation", &item->request.reservation_id));
    else if (step != TK_STEP_OK)
        tk_log(TK_LOG_WARNING, "release not done, left to outbox or sweep",
               TK_KV_UUID("reservation", &item->request.reservation_id), TK_KV_STR("result", tk_step_name(step)));
    if (item->done != NULL)
        item->done(item->arg, step);
    free(item);
}

enum tk_err event_client_release(struct event_client *client, const struct tk_release_request *request, int64_t deadline_us,
                                 event_client_release_done *done, void *arg)
{
    struct release_item *item = tk_alloc(sizeof(*item));
    item->request = *request;
    assert(request->request_id.len <= sizeof(item->request_id));
    memcpy(item->request_id, request->request_id.ptr ? request->request_id.ptr : "", request->request_id.len);
    item->request.request_id.ptr = item->request_id;
    item->base.deadline_us = deadline_us;
    item->done = done;
    item->arg = arg;
    const enum tk_err err = tk_batch_submit(client->releases.batch, &item->base);
    if (err)
        free(item);
    return err;
}

/* --- probe --------------------------------------------------------------------------------------------------------- */

/*
 * Every two seconds, whether the process is alive, for /health. When the breaker has been open for a second, and then each
 * second, whether it is ready: that is the probe which closes it.
 */
static void on_probe(void *arg, enum tk_step step, int status, struct tk_slice body)
{
    (void)body;
    struct event_client *client = arg;
    client->up = step == TK_STEP_OK;
    client->probing = false;
    if (client->breaker.state == TK_BREAKER_HALF_OPEN && client->probing_breaker) {
        const bool closed = tk_breaker_probed(&client->breaker, step == TK_STEP_OK && status == 200, tk_mono_us());
        show_breaker(client, closed ? "event-svc answers again" : "event-svc still does not answer");
    }
    probe_later(client);
}

static void probe_start(void *arg)
{
    struct event_client *client = arg;
    const bool closed = tk_breaker_allows(&client->breaker);
    if (!closed && !tk_breaker_probe(&client->breaker, tk_mono_us())) {
        probe_later(client);
        return;
    }
    tk_metric_set(&breaker_state, client->breaker.state);
    client->probing_breaker = !closed;
    client->probing = true;
    if (tk_http_client_call(client->http, "GET", closed ? "/livez" : "/readyz", NULL, NULL, NULL, PROBE_MS / 2, on_probe,
                            client)) {
        client->probing = false;
        (void)tk_breaker_probed(&client->breaker, false, tk_mono_us());
        probe_later(client);
    }
}

enum tk_err event_client_post(struct event_client *client, const char *path, struct tk_buf *body, int64_t deadline_ms,
                              tk_http_client_done_fn *done, void *arg)
{
    return tk_http_client_call(client->http, "POST", path, body, NULL, NULL, deadline_ms, done, arg);
}

enum tk_breaker_state event_client_breaker(const struct event_client *client)
{
    return client->breaker.state;
}

bool event_client_is_up(const struct event_client *client)
{
    return client->up;
}

/* --- set-up -------------------------------------------------------------------------------------------------------- */

static const struct call_kind hold_kind = {
    .path = TK_SEAT_API_RESERVE_PATH,
    .list = "holds",
    .encode = hold_encode,
    .decode = hold_decode,
    .finish = hold_finish,
};

static const struct call_kind release_kind = {
    .path = TK_SEAT_API_RELEASE_PATH,
    .list = "releases",
    .encode = release_encode,
    .decode = release_decode,
    .finish = release_finish,
    .gives_back = true,
};

static void queue_open(struct call_queue *queue, struct event_client *client, const struct call_kind *kind,
                       const struct tk_batch_config *config)
{
    static const struct tk_batch_ops ops = {.send = on_send, .drop = on_drop};
    queue->client = client;
    queue->kind = kind;
    queue->batch = tk_batch_new(client->loop, config, &ops, queue);
}

static void queues_open(struct event_client *client, const struct event_client_config *config)
{
    struct tk_batch_config batch = {
        .name = "event_reserve",
        .max_items = config->max_items,
        .max_weight = MAX_WEIGHT,
        .max_in_flight = HOLD_CALLS,
        .max_queued = config->max_queued,
    };
    queue_open(&client->holds, client, &hold_kind, &batch);
    batch.name = "event_release";
    batch.max_in_flight = RELEASE_CALLS;
    batch.max_queued = config->max_queued * RELEASE_FACTOR;
    queue_open(&client->releases, client, &release_kind, &batch);
}

static void register_metrics(void)
{
    struct tk_metric *const all[] = {&breaker_state, &breaker_opened, &breaker_refused, &retried, &retries_denied};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        tk_metrics_register(all[i]);
}

enum tk_err event_client_new(struct tk_loop *loop, const struct event_client_config *config, struct event_client **out)
{
    const struct tk_http_client_config http = {
        .base_url = config->url,
        .ca_file = config->ca_file,
        .max_in_flight = HOLD_CALLS + RELEASE_CALLS + 2 /* the probe, and one other */,
        .max_response = 4 * TK_SEAT_API_MAX_BODY,
        .internal_api_key = config->internal_api_key,
    };
    struct event_client *client = tk_alloc(sizeof(*client));
    client->loop = loop;
    client->timeout_ms = config->timeout_ms;
    client->breaker = (struct tk_breaker){.failures_to_open = FAILURES, .open_us = OPEN_US};
    register_metrics();
    const enum tk_err err = tk_http_client_open(loop, &http, &client->http);
    if (err) {
        free(client);
        return err;
    }
    queues_open(client, config);
    probe_start(client);
    *out = client;
    return TK_OK;
}

size_t event_client_pending(const struct event_client *client)
{
    return tk_batch_queued(client->holds.batch) + tk_batch_in_flight(client->holds.batch) +
           tk_batch_queued(client->releases.batch) + tk_batch_in_flight(client->releases.batch);
}
