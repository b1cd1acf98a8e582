/* Claim, effect, answer. */
#include "shared/idempotency/keyed.h"

#include <stdio.h>
#include <string.h>

#include "shared/base/clock.h"
#include "shared/idempotency/fingerprint.h"

#define BODY_MAX        (1u << 20)
#define MIN_WAIT_MS     50
#define LOCK_TIMEOUT    "55P03"
#define STATEMENT_ENDED "57014"

/* The waiting time is set before the row is made, and ends with the transaction. */
const struct tk_pg_statement tk_sql_key_claim = {
    "key_claim",
    "INSERT INTO idempotency_keys (user_id, key, request_hash)"
    " SELECT $1::uuid, $2::text, $3::text FROM set_config('lock_timeout', $4::text, true)",
};

const struct tk_pg_statement tk_sql_key_keep = {
    "key_keep",
    "UPDATE idempotency_keys SET status = $3::integer, location = $4::text, response = $5::text"
    " WHERE user_id = $1::uuid AND key = $2::text",
};

const struct tk_pg_statement tk_sql_key_give_back = {
    "key_give_back",
    "DELETE FROM idempotency_keys WHERE user_id = $1::uuid AND key = $2::text",
};

const struct tk_pg_statement tk_sql_key_look = {
    "key_look",
    "SELECT request_hash, status, location, response FROM idempotency_keys WHERE user_id = $1::uuid AND key = $2::text",
};

/* Request memory, which lives until the request is answered. */
struct tk_keyed {
    struct tk_http_req *req;
    struct tk_pg *pg;
    struct tk_pg_op *op;
    struct tk_pg_op *look; /* made when it is needed */
    struct tk_uuid user_id;
    struct tk_slice key;
    char hash[TK_REQUEST_HASH_LEN + 1];
    char wait_ms[24];
    struct tk_http_answer held; /* rendered, not committed */
    tk_keyed_answer_fn *answer;
    void (*end)(void *arg);
    void *arg;
};

static void add_name(struct tk_params *p, const struct tk_keyed *keyed)
{
    tk_params_uuid(p, &keyed->user_id);
    tk_params_text(p, keyed->key);
}

struct tk_keyed *tk_keyed_begin(struct tk_http_req *req, struct tk_pg_op *op)
{
    struct tk_keyed *keyed = tk_arena_alloc(&req->arena, sizeof(*keyed));
    keyed->req = req;
    keyed->op = op;
    if (req->idempotency_key.ptr == NULL)
        return keyed;
    if (req->has_user)
        keyed->user_id = req->user_id;
    keyed->key = tk_slice_copy(&req->arena, req->idempotency_key);
    tk_request_hash(tk_slice_of(req->route->method), tk_http_path(req), req->body, keyed->hash);
    (void)tk_pg_op_step(op, &tk_sql_key_claim); /* filled when the deadline is known */
    return keyed;
}

/* --- the answer before the commit --------------------------------------------------------------------------------- */

/* The effect's rows are those behind the claim's. */
static struct tk_pg_outcome without_claim(const struct tk_pg_outcome *outcome)
{
    struct tk_pg_outcome effect = *outcome;
    memmove(effect.rows, effect.rows + 1, sizeof(effect.rows) - sizeof(effect.rows[0]));
    effect.rows[TK_PG_MAX_STEPS - 1] = NULL;
    return effect;
}

static bool is_success(const struct tk_http_answer *answer)
{
    return answer->status >= 200 && answer->status < 300;
}

static void on_effect(struct tk_pg_op *op, const struct tk_pg_outcome *so_far)
{
    struct tk_keyed *keyed = op->arg;
    struct tk_pg_outcome effect = without_claim(so_far);
    effect.step = TK_STEP_OK;
    tk_http_capture(keyed->req, &keyed->held);
    keyed->answer(keyed->arg, &effect);
    tk_http_capture(keyed->req, NULL);
    bool kept = is_success(&keyed->held);
    struct tk_params *p = tk_pg_op_step(op, kept ? &tk_sql_key_keep : &tk_sql_key_give_back);
    add_name(p, keyed);
    if (!kept)
        return;
    tk_params_i32(p, keyed->held.status);
    tk_params_text(p, keyed->held.location[0] != '\0' ? tk_slice_of(keyed->held.location) : (struct tk_slice){NULL, 0});
    tk_params_text(p, tk_buf_slice(&keyed->held.body));
}

/* --- a key that is taken ------------------------------------------------------------------------------------------ */

/* Answering frees the request's memory, where `keyed` lies: what is needed afterwards is taken out before. */
static void answer_and_end(struct tk_keyed *keyed, const struct tk_pg_outcome *outcome)
{
    tk_keyed_answer_fn *answer = keyed->answer;
    void (*done)(void *) = keyed->end;
    void *arg = keyed->arg;
    tk_buf_release(&keyed->held.body);
    answer(arg, outcome);
    done(arg);
}

static void refuse_and_end(struct tk_keyed *keyed, const struct tk_problem_kind *kind, const char *detail)
{
    void (*done)(void *) = keyed->end;
    void *arg = keyed->arg;
    tk_buf_release(&keyed->held.body);
    tk_http_problem(keyed->req, kind, detail);
    done(arg);
}

static void give_and_end(struct tk_keyed *keyed, struct tk_http_answer *stored)
{
    void (*done)(void *) = keyed->end;
    void *arg = keyed->arg;
    tk_http_give(keyed->req, stored);
    done(arg);
}

static void replay(struct tk_keyed *keyed, const PGresult *rows)
{
    struct tk_http_answer stored = {.content_type = "application/json", .body = TK_BUF_INIT(BODY_MAX)};
    struct tk_slice location = tk_row_text(rows, 0, 2);
    stored.status = tk_row_i32(rows, 0, 1);
    if (location.len > 0 && location.len < sizeof(stored.location))
        memcpy(stored.location, location.ptr, location.len);
    tk_buf_append_slice(&stored.body, tk_row_text(rows, 0, 3));
    give_and_end(keyed, &stored);
}

static void on_look(struct tk_pg_op *op, const struct tk_pg_outcome *outcome)
{
    struct tk_keyed *keyed = op->arg;
    const PGresult *rows = outcome->rows[0];
    if (outcome->step != TK_STEP_OK) {
        refuse_and_end(keyed, &TK_PROBLEM_OVERLOADED, NULL);
    } else if (PQntuples(rows) == 0 || tk_row_is_null(rows, 0, 3)) { /* purged meanwhile, or another kind of request's */
        bool other = PQntuples(rows) > 0 && !tk_slice_eq_str(tk_row_text(rows, 0, 0), keyed->hash);
        refuse_and_end(keyed, other ? &TK_PROBLEM_KEY_REUSED : &TK_PROBLEM_REQUEST_IN_PROGRESS, NULL);
    } else if (!tk_slice_eq_str(tk_row_text(rows, 0, 0), keyed->hash)) {
        refuse_and_end(keyed, &TK_PROBLEM_KEY_REUSED, "The key was used before with another request.");
    } else {
        replay(keyed, rows);
    }
}

static void look(struct tk_keyed *keyed)
{
    keyed->look = tk_arena_alloc(&keyed->req->arena, sizeof(*keyed->look));
    tk_pg_op_init(keyed->look);
    keyed->look->deadline_us = keyed->op->deadline_us;
    keyed->look->done = on_look;
    keyed->look->arg = keyed;
    add_name(tk_pg_op_step(keyed->look, &tk_sql_key_look), keyed);
    if (tk_pg_submit(keyed->pg, keyed->look) == TK_OK)
        return;
    refuse_and_end(keyed, &TK_PROBLEM_OVERLOADED, NULL);
}

/* --- running ------------------------------------------------------------------------------------------------------ */

static bool is_taken(const struct tk_pg_outcome *outcome)
{
    return strcmp(outcome->constraint, "idempotency_keys_pkey") == 0;
}

static bool waited_in_vain(const struct tk_pg_outcome *outcome)
{
    return strcmp(outcome->sqlstate, LOCK_TIMEOUT) == 0 || strcmp(outcome->sqlstate, STATEMENT_ENDED) == 0;
}

static void on_done(struct tk_pg_op *op, const struct tk_pg_outcome *outcome)
{
    struct tk_keyed *keyed = op->arg;
    const bool has_key = keyed->key.ptr != NULL;
    if (has_key && outcome->step == TK_STEP_OK)
        give_and_end(keyed, &keyed->held);
    else if (has_key && outcome->step == TK_STEP_REFUSED && is_taken(outcome))
        look(keyed);
    else if (has_key && outcome->step == TK_STEP_REFUSED && waited_in_vain(outcome))
        refuse_and_end(keyed, &TK_PROBLEM_REQUEST_IN_PROGRESS, "Nothing was changed; retry with the same Idempotency-Key.");
    else
        answer_and_end(keyed, outcome);
}

/* How long the claim may wait for a twin. */
static void fill_claim(struct tk_keyed *keyed)
{
    int64_t left_ms = (keyed->op->deadline_us - tk_mono_us()) / TK_US_PER_MS * 3 / 4;
    struct tk_params *p = &keyed->op->steps[0].params;
    add_name(p, keyed);
    tk_params_text(p, tk_slice_of(keyed->hash));
    (void)snprintf(keyed->wait_ms, sizeof(keyed->wait_ms), "%lld",
                   (long long)(left_ms > MIN_WAIT_MS ? left_ms : MIN_WAIT_MS));
    tk_params_text(p, tk_slice_of(keyed->wait_ms));
}

void tk_keyed_run(struct tk_keyed *keyed, struct tk_pg *pg, int64_t deadline_us, tk_keyed_answer_fn *answer,
                  void (*end)(void *arg), void *arg)
{
    keyed->pg = pg;
    keyed->answer = answer;
    keyed->end = end;
    keyed->arg = arg;
    keyed->op->deadline_us = deadline_us;
    keyed->op->done = on_done;
    keyed->op->arg = keyed;
    if (keyed->key.ptr != NULL) {
        keyed->op->more = on_effect;
        fill_claim(keyed);
    }
    if (tk_pg_submit(pg, keyed->op) == TK_OK)
        return;
    answer_and_end(keyed, &(struct tk_pg_outcome){.step = TK_STEP_FAILED, .sqlstate = "", .message = "", .constraint = ""});
}
