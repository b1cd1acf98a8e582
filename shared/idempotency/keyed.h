/**
 * Writes that answer a POST, once per Idempotency-Key: claim, effect and answer are one transaction.
 *
 *     claim the key | the effect's own steps | answer rendered, not given | store it, commit | give it
 *
 *   - The claim is a plain INSERT. A key that is there already fails the whole operation, so nothing happens twice, and the
 *     stored answer is read and given: the same bytes from any process, after any restart.
 *   - A twin that has not committed makes the claim wait for it, in the database, wherever it runs; after three quarters of
 *     the request's time the answer is 409 `request_in_progress`. The rest of the time is for reading the stored answer.
 *   - An answer that is not 2xx gives the key back in the same transaction. One that Postgres refuses never had it.
 *   - The request's fingerprint is stored, so that the key cannot be used for something else: 422 `idempotency_key_reuse`.
 *
 * The table, in each service's database: idempotency_keys(user_id, key, request_hash, status, location, response,
 * created_at), primary key (user_id, key); the nil user stands for callers who did not say who they are.
 *
 *     struct tk_keyed *keyed = tk_keyed_begin(req, &op);      before the effect's steps
 *     thing_insert(&op, &thing);
 *     tk_keyed_run(keyed, pg, deadline_us, answer, end, arg);
 */
#ifndef TK_IDEMPOTENCY_KEYED_H
#define TK_IDEMPOTENCY_KEYED_H

#include "shared/http/server.h"
#include "shared/pg/pg.h"

/** To be prepared by every pool that runs keyed writes. */
extern const struct tk_pg_statement tk_sql_key_claim, tk_sql_key_keep, tk_sql_key_give_back, tk_sql_key_look;

struct tk_keyed;

/**
 * Answers the request as without a key. OK: from `outcome`, whose rows start with the effect's first step. Else `outcome`
 * says why the effect failed.
 */
typedef void tk_keyed_answer_fn(void *arg, const struct tk_pg_outcome *outcome);

/**
 * `op` is initialised and without steps; it lives until the request is answered. A request without a key becomes a plain
 * operation. Request memory.
 */
struct tk_keyed *tk_keyed_begin(struct tk_http_req *req, struct tk_pg_op *op);

/**
 * Submits the operation. `answer` runs with an OK outcome, with another one, or first with the one and then with the other
 * when the commit fails; or never, when the answer is a stored one. `end` runs last, always, after the request has been
 * answered, and may free `arg`. When nothing could be submitted the outcome is FAILED.
 */
void tk_keyed_run(struct tk_keyed *keyed, struct tk_pg *pg, int64_t deadline_us, tk_keyed_answer_fn *answer,
                  void (*end)(void *arg), void *arg);

#endif
