/* Seat locks: commands and scripts. */
#include "booking-svc/adapters/seat_lock.h"

#include <assert.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/mem.h"
#include "shared/log/log.h"

#define KEY_MAX    112 /* "booking:lock:{" + 36 + "}:" + 36 and a NUL, rounded up */
#define FIXED_ARGS 3   /* EVALSHA, script, number of keys */

/* Answers 0 when all locks are ours now, else the position (from 1) of one that is somebody else's. */
static const char lock_script[] = "for i, key in ipairs(KEYS) do"
                                  "  local owner = redis.call('GET', key)"
                                  "  if owner and owner ~= ARGV[1] then return i end "
                                  "end "
                                  "for i, key in ipairs(KEYS) do redis.call('SET', key, ARGV[1], 'PX', ARGV[2]) end "
                                  "return 0";

static const char unlock_script[] = "for i, key in ipairs(KEYS) do"
                                    "  if redis.call('GET', key) == ARGV[1] then redis.call('DEL', key) end "
                                    "end "
                                    "return 0";

struct script {
    const char *text;
    char sha[2 * SHA_DIGEST_LENGTH + 1];
};

struct seat_lock {
    struct tk_redis *redis;
    char ttl_ms[24];
    struct script lock;
    struct script unlock;
};

/** One command with its keys; freed when Redis has answered. */
struct lock_call {
    struct seat_lock *lock;
    const struct script *script;
    bool by_text;         /* the script's text was sent: Redis did not know its digest */
    seat_lock_done *done; /* NULL: unlocking */
    void *arg;
    char owner[TK_UUID_TEXT_LEN + 1];
    size_t count;
    char keys[][KEY_MAX];
};

static void script_init(struct script *script, const char *text)
{
    unsigned char sha[SHA_DIGEST_LENGTH];
    script->text = text;
    SHA1((const unsigned char *)text, strlen(text), sha);
    for (size_t i = 0; i < sizeof(sha); i++)
        snprintf(script->sha + 2 * i, 3, "%02x", sha[i]);
}

struct seat_lock *seat_lock_new(struct tk_redis *redis, int64_t ttl_ms)
{
    struct seat_lock *lock = tk_alloc(sizeof(*lock));
    lock->redis = redis;
    snprintf(lock->ttl_ms, sizeof(lock->ttl_ms), "%lld", (long long)ttl_ms);
    script_init(&lock->lock, lock_script);
    script_init(&lock->unlock, unlock_script);
    return lock;
}

static struct lock_call *call_new(struct seat_lock *lock, const struct script *script, const struct seat_lock_set *set)
{
    assert(set->seat_count >= 1 && set->seat_count <= SEAT_LOCK_MAX_SEATS);
    struct lock_call *call = tk_alloc(sizeof(*call) + set->seat_count * KEY_MAX);
    const char *session = TK_UUID_TEXT(&set->session_id);
    call->lock = lock;
    call->script = script;
    call->count = set->seat_count;
    tk_uuid_format(&set->owner, call->owner);
    for (size_t i = 0; i < set->seat_count; i++)
        snprintf(call->keys[i], KEY_MAX, "booking:lock:{%s}:%s", session, TK_UUID_TEXT(&set->seats[i]));
    return call;
}

static enum tk_err send(struct lock_call *call, int argc, const char *const *argv, tk_redis_done_fn *done)
{
    size_t lengths[FIXED_ARGS + SEAT_LOCK_MAX_SEATS + 2];
    for (int i = 0; i < argc; i++)
        lengths[i] = strlen(argv[i]);
    return tk_redis_command(call->lock->redis, argc, argv, lengths, done, call);
}

/* --- one seat ------------------------------------------------------------------------------------------------------ */

static void on_set(void *arg, enum tk_step step, const redisReply *reply)
{
    struct lock_call *call = arg;
    enum tk_step result = step;
    if (step == TK_STEP_REFUSED) {
        tk_log(TK_LOG_WARNING, "redis refused a seat lock", TK_KV_STR("error", reply->str));
        result = TK_STEP_FAILED;
    } else if (step == TK_STEP_OK && reply->type == REDIS_REPLY_STRING && strcmp(reply->str, call->owner) != 0) {
        result = TK_STEP_REFUSED; /* the value that was there before: somebody else */
    }
    call->done(call->arg, result, 0);
    free(call);
}

static enum tk_err send_set(struct lock_call *call)
{
    const char *argv[] = {"SET", call->keys[0], call->owner, "NX", "GET", "PX", call->lock->ttl_ms};
    return send(call, (int)(sizeof(argv) / sizeof(argv[0])), argv, on_set);
}

/* --- scripts ------------------------------------------------------------------------------------------------------- */

static tk_redis_done_fn on_script;

static enum tk_err send_script(struct lock_call *call)
{
    const char *argv[FIXED_ARGS + SEAT_LOCK_MAX_SEATS + 2];
    char key_count[8];
    int argc = 0;
    snprintf(key_count, sizeof(key_count), "%zu", call->count);
    argv[argc++] = call->by_text ? "EVAL" : "EVALSHA";
    argv[argc++] = call->by_text ? call->script->text : call->script->sha;
    argv[argc++] = key_count;
    for (size_t i = 0; i < call->count; i++)
        argv[argc++] = call->keys[i];
    argv[argc++] = call->owner;
    argv[argc++] = call->lock->ttl_ms;
    return send(call, argc, argv, on_script);
}

static bool is_noscript(enum tk_step step, const redisReply *reply)
{
    return step == TK_STEP_REFUSED && reply->str != NULL && strncmp(reply->str, "NOSCRIPT", 8) == 0;
}

static void on_script(void *arg, enum tk_step step, const redisReply *reply)
{
    struct lock_call *call = arg;
    size_t lost = 0;
    if (is_noscript(step, reply) && !call->by_text) {
        call->by_text = true;
        if (send_script(call) == TK_OK)
            return;
        step = TK_STEP_FAILED;
    } else if (step == TK_STEP_REFUSED) {
        tk_log(TK_LOG_WARNING, "redis refused a seat lock script", TK_KV_STR("error", reply->str));
        step = TK_STEP_FAILED;
    } else if (step == TK_STEP_OK && reply->type == REDIS_REPLY_INTEGER && reply->integer > 0) {
        step = TK_STEP_REFUSED;
        lost = (size_t)reply->integer - 1;
    }
    if (call->done != NULL)
        call->done(call->arg, step, lost < call->count ? lost : 0);
    free(call);
}

enum tk_err seat_lock_acquire(struct seat_lock *lock, const struct seat_lock_set *set, seat_lock_done *done, void *arg)
{
    struct lock_call *call = call_new(lock, &lock->lock, set);
    call->done = done;
    call->arg = arg;
    const enum tk_err err = call->count == 1 ? send_set(call) : send_script(call);
    if (err)
        free(call);
    return err;
}

void seat_lock_release(struct seat_lock *lock, const struct seat_lock_set *set)
{
    struct lock_call *call = call_new(lock, &lock->unlock, set);
    if (send_script(call))
        free(call);
}
