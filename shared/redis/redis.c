/*
 * Redis on the service's loop: hiredis 0.14's async API, with deadlines, reconnection and a breaker around it.
 *
 * States:   DOWN ──look up, connect──▶ CONNECTING ──connected──▶ PROBING ──every greeting answered──▶ UP
 *             ▲                             │                        │                              │
 *             └───────── retry_ms ──────────┴──── error, deadline ───┴──── error, deadline ─────────┘
 *
 * PROBING sends AUTH and SELECT where the URL asks for them, and PING: a Redis that accepts connections but answers nothing
 * never gets to UP, so a hung Redis costs its callers one deadline and then nothing until it answers again.
 *
 * All commands share one deadline, so they expire in the order they were sent: one timer watches the oldest. When it fires
 * the connection is dropped; hiredis then calls every pending callback without a reply, which is UNKNOWN to the caller.
 *
 * Writes are deferred to the end of the loop's turn: all commands of a turn leave in one write(2), without waiting for the
 * next poll.
 */
#include "shared/redis/redis.h"

#include <assert.h>
#include <hiredis/async.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/clock.h"
#include "shared/base/list.h"
#include "shared/base/mem.h"
#include "shared/log/log.h"
#include "shared/redis/resolve.h"
#include "shared/redis/url.h"

#define CONNECT_MS 1000 /* at least this long for connecting and the greeting: a cold Redis may be loading */

enum redis_state { REDIS_STATE_DOWN, REDIS_STATE_CONNECTING, REDIS_STATE_PROBING, REDIS_STATE_UP, REDIS_STATE_CLOSED };

struct tk_redis {
    struct tk_loop *loop;
    struct tk_redis_url url;
    struct tk_resolver *resolver;
    int64_t deadline_ms;
    int64_t retry_ms;
    size_t max_pending;
    enum redis_state state;
    redisAsyncContext *ac;  /* NULL when DOWN */
    struct tk_watch *watch; /* lives and dies with `ac` */
    unsigned interest;      /* what the watch was last asked for */
    struct tk_deferred flush;
    struct tk_timer timer;  /* UP: deadline of the oldest command; PROBING: of the greeting; DOWN: next attempt */
    struct tk_link pending; /* struct command, oldest first */
    size_t pending_count;
    unsigned greeting_left;
    unsigned depth; /* inside hiredis: the context must not be freed under its feet */
    bool broken;    /* drop the connection when hiredis returns */
    bool reported;  /* the current outage has been logged */
};

struct command {
    struct tk_link link;
    struct tk_redis *redis;
    int64_t due_us;
    tk_redis_done_fn *done;
    void *arg;
};

static void start_connecting(void *arg);
static void arm_deadline(struct tk_redis *redis);

/* --- dropping the connection ---------------------------------------------------------------------------------------- */

static void log_outage(struct tk_redis *redis, const char *reason)
{
    if (!redis->reported)
        tk_log(TK_LOG_WARNING, "redis is away, going on without it", TK_KV_STR("redis", redis->url.label),
               TK_KV_STR("reason", reason), TK_KV_INT("pending", redis->pending_count));
    redis->reported = true;
}

/** Frees the connection, which ends all pending commands, and plans the next attempt. */
static void drop(struct tk_redis *redis, const char *reason)
{
    redisAsyncContext *ac = redis->ac;
    if (redis->depth > 0) {
        redis->broken = true;
        return;
    }
    redis->broken = false;
    tk_resolver_cancel(redis->resolver);
    if (redis->state != REDIS_STATE_CLOSED) {
        log_outage(redis, reason);
        redis->state = REDIS_STATE_DOWN;
        tk_timer_start(redis->loop, &redis->timer, redis->retry_ms, start_connecting, redis);
    }
    redis->ac = NULL;
    if (ac != NULL)
        redisAsyncFree(ac); /* runs on_reply() without a reply for each command, then on_cleanup() */
}

static void on_deadline(void *arg)
{
    drop(arg, "deadline passed");
}

/* --- hiredis asks for events ---------------------------------------------------------------------------------------- */

static void set_interest(struct tk_redis *redis, unsigned interest)
{
    redis->interest = interest;
    if (redis->watch != NULL)
        tk_watch_want(redis->watch, interest);
}

static void leave(struct tk_redis *redis)
{
    if (--redis->depth == 0 && redis->broken)
        drop(redis, "connection lost");
}

/** End of the loop's turn: one write for everything the turn produced. */
static void on_flush(void *arg)
{
    struct tk_redis *redis = arg;
    if (redis->ac == NULL)
        return;
    redis->depth++;
    redisAsyncHandleWrite(redis->ac);
    leave(redis);
}

static void on_ready(void *arg, unsigned ready)
{
    struct tk_redis *redis = arg;
    redis->depth++;
    if ((ready & TK_WATCH_WRITE) != 0) {
        redis->interest &= ~TK_WATCH_WRITE; /* fires once */
        redisAsyncHandleWrite(redis->ac);
    }
    if ((ready & TK_WATCH_READ) != 0 && !redis->broken)
        redisAsyncHandleRead(redis->ac);
    leave(redis);
}

static void on_add_read(void *arg)
{
    struct tk_redis *redis = arg;
    set_interest(redis, redis->interest | TK_WATCH_READ);
}

static void on_del_read(void *arg)
{
    struct tk_redis *redis = arg;
    set_interest(redis, redis->interest & ~TK_WATCH_READ);
}

static void on_add_write(void *arg)
{
    struct tk_redis *redis = arg;
    /* Inside hiredis this means "the socket is full" or "still connecting": then only the kernel knows when to go on. */
    if (redis->depth > 0 || redis->state == REDIS_STATE_CONNECTING)
        set_interest(redis, redis->interest | TK_WATCH_WRITE);
    else
        tk_loop_defer(redis->loop, &redis->flush, on_flush, redis);
}

static void on_del_write(void *arg)
{
    struct tk_redis *redis = arg;
    redis->interest &= ~TK_WATCH_WRITE; /* one already asked for fires once, in vain */
}

static void on_cleanup(void *arg)
{
    struct tk_redis *redis = arg;
    tk_deferred_cancel(&redis->flush);
    if (redis->watch != NULL)
        tk_watch_close(redis->watch);
    redis->watch = NULL;
    redis->interest = 0;
}

/* --- connecting ------------------------------------------------------------------------------------------------------ */

static void on_greeting(redisAsyncContext *ac, void *reply_arg, void *arg)
{
    struct tk_redis *redis = arg;
    const redisReply *reply = reply_arg;
    (void)ac;
    if (redis->state != REDIS_STATE_PROBING)
        return;
    if (reply == NULL || reply->type == REDIS_REPLY_ERROR) {
        if (reply != NULL)
            log_outage(redis, reply->str); /* "NOAUTH …", "LOADING …": Redis' own words, no secrets in them */
        redis->broken = true;
        return;
    }
    if (--redis->greeting_left > 0)
        return;
    tk_timer_stop(redis->loop, &redis->timer);
    redis->state = REDIS_STATE_UP;
    tk_log(TK_LOG_INFO, "redis is up", TK_KV_STR("redis", redis->url.label));
    redis->reported = false;
}

static void greet(struct tk_redis *redis, int argc, const char **argv)
{
    if (redisAsyncCommandArgv(redis->ac, on_greeting, redis, argc, argv, NULL) == REDIS_OK)
        redis->greeting_left++;
    else
        redis->broken = true;
}

static void on_connected(const redisAsyncContext *ac, int status)
{
    struct tk_redis *redis = ac->data;
    if (status != REDIS_OK) {
        /* hiredis frees the context itself after this callback. */
        log_outage(redis, ac->errstr);
        redis->ac = NULL;
        redis->broken = true;
        return;
    }
    redis->state = REDIS_STATE_PROBING;
    redis->greeting_left = 0;
    const char *auth[] = {"AUTH", redis->url.user, redis->url.password};
    const char *auth_password[] = {"AUTH", redis->url.password};
    const char *select[] = {"SELECT", redis->url.db};
    const char *ping[] = {"PING"};
    if (redis->url.password[0] != '\0')
        greet(redis, redis->url.user[0] != '\0' ? 3 : 2, redis->url.user[0] != '\0' ? auth : auth_password);
    if (redis->url.db[0] != '\0')
        greet(redis, 2, select);
    greet(redis, 1, ping);
}

/** The connection ended inside hiredis, which frees the context after this callback. */
static void on_disconnected(const redisAsyncContext *ac, int status)
{
    struct tk_redis *redis = ac->data;
    (void)status;
    if (redis->ac != ac)
        return; /* our own drop() */
    log_outage(redis, ac->err != 0 ? ac->errstr : "closed");
    redis->ac = NULL;
    redis->broken = true;
}

static void attach(struct tk_redis *redis, redisAsyncContext *ac)
{
    redis->ac = ac;
    redis->watch = tk_watch_open(redis->loop, ac->c.fd, on_ready, redis);
    redis->interest = 0;
    ac->data = redis;
    ac->ev.data = redis;
    ac->ev.addRead = on_add_read;
    ac->ev.delRead = on_del_read;
    ac->ev.addWrite = on_add_write;
    ac->ev.delWrite = on_del_write;
    ac->ev.cleanup = on_cleanup;
    (void)redisAsyncSetConnectCallback(ac, on_connected); /* asks for writability */
    (void)redisAsyncSetDisconnectCallback(ac, on_disconnected);
}

/** `address` is numeric or a socket's path: hiredis has nothing to look up, so this does not block. */
static void connect_to(struct tk_redis *redis, const char *address, bool is_path)
{
    redisAsyncContext *ac = is_path ? redisAsyncConnectUnix(address) : redisAsyncConnect(address, redis->url.port);
    if (ac != NULL && ac->err == 0) {
        attach(redis, ac);
        return;
    }
    if (ac != NULL) {
        log_outage(redis, ac->errstr);
        redisAsyncFree(ac);
    }
    drop(redis, "cannot connect");
}

static void on_address(void *arg, const char *address)
{
    struct tk_redis *redis = arg;
    if (address != NULL)
        connect_to(redis, address, false);
    else
        drop(redis, "host name not found");
}

static void start_connecting(void *arg)
{
    struct tk_redis *redis = arg;
    int64_t wait_ms = redis->deadline_ms > CONNECT_MS ? redis->deadline_ms : CONNECT_MS;
    redis->state = REDIS_STATE_CONNECTING;
    tk_timer_start(redis->loop, &redis->timer, wait_ms, on_deadline, redis);
    if (redis->url.path[0] != '\0')
        connect_to(redis, redis->url.path, true);
    else
        tk_resolver_start(redis->resolver, redis->url.host, on_address, redis);
}

enum tk_err tk_redis_open(struct tk_loop *loop, const struct tk_redis_config *config, struct tk_redis **out)
{
    struct tk_redis *redis = tk_alloc(sizeof(*redis));
    if (tk_redis_url_parse(config->url, &redis->url)) {
        tk_log(TK_LOG_ERROR, "bad Redis URL",
               TK_KV_STR("expected", "redis://[user:password@]host[:port][/db] or unix:///path"));
        free(redis);
        return TK_ERR_INVALID;
    }
    redis->loop = loop;
    redis->resolver = tk_resolver_open(loop);
    redis->deadline_ms = config->deadline_ms;
    redis->retry_ms = config->retry_ms;
    redis->max_pending = config->max_pending;
    tk_list_init(&redis->pending);
    *out = redis;
    start_connecting(redis);
    return TK_OK;
}

/* --- commands --------------------------------------------------------------------------------------------------------- */

static void arm_deadline(struct tk_redis *redis)
{
    if (redis->state != REDIS_STATE_UP)
        return;
    if (tk_list_is_empty(&redis->pending)) {
        tk_timer_stop(redis->loop, &redis->timer);
        return;
    }
    const struct command *oldest = TK_CONTAINER_OF(redis->pending.next, struct command, link);
    int64_t left_us = oldest->due_us - tk_mono_us();
    int64_t left_ms = left_us > 0 ? (left_us + TK_US_PER_MS - 1) / TK_US_PER_MS : 0;
    tk_timer_start(redis->loop, &redis->timer, left_ms, on_deadline, redis);
}

static enum tk_step step_of(const redisReply *reply)
{
    if (reply == NULL)
        return TK_STEP_UNKNOWN;
    return reply->type == REDIS_REPLY_ERROR ? TK_STEP_REFUSED : TK_STEP_OK;
}

static void on_reply(redisAsyncContext *ac, void *reply, void *arg)
{
    struct command *command = arg;
    struct tk_redis *redis = command->redis;
    (void)ac;
    bool oldest = redis->pending.next == &command->link;
    tk_list_remove(&command->link);
    redis->pending_count--;
    if (oldest)
        arm_deadline(redis);
    command->done(command->arg, step_of(reply), reply);
    free(command);
}

enum tk_err tk_redis_command(struct tk_redis *redis, int argc, const char *const *argv, const size_t *lengths,
                             tk_redis_done_fn *done, void *arg)
{
    if (redis->state != REDIS_STATE_UP || redis->broken || redis->pending_count >= redis->max_pending)
        return TK_ERR_UNAVAILABLE;
    struct command *command = tk_alloc(sizeof(*command));
    command->redis = redis;
    command->done = done;
    command->arg = arg;
    command->due_us = tk_mono_us() + redis->deadline_ms * TK_US_PER_MS;
    if (redisAsyncCommandArgv(redis->ac, on_reply, command, argc, (const char **)(uintptr_t)argv, lengths) != REDIS_OK) {
        free(command);
        return TK_ERR_UNAVAILABLE;
    }
    tk_list_push_back(&redis->pending, &command->link);
    if (redis->pending_count++ == 0)
        arm_deadline(redis);
    return TK_OK;
}

bool tk_redis_is_up(const struct tk_redis *redis)
{
    return redis->state == REDIS_STATE_UP && !redis->broken;
}

void tk_redis_close(struct tk_redis *redis)
{
    assert(redis->depth == 0 && "close from a timer or from main, not from a reply");
    redis->state = REDIS_STATE_CLOSED;
    tk_timer_stop(redis->loop, &redis->timer);
    drop(redis, "closed");
    free(redis);
}
