/**
 * Redis on the service's event loop: one connection, pipelined, with what hiredis 0.14's async API lacks — a deadline per
 * command, reconnection, and a breaker so that a hung Redis costs one deadline, not one per request.
 *
 * Redis only sheds load here (design rule: losing it, or all its keys, never sells a seat twice), so callers treat every
 * error as "go on without it".
 */
#ifndef TK_REDIS_REDIS_H
#define TK_REDIS_REDIS_H

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/result.h"
#include "shared/loop/loop.h"

struct tk_redis;

struct tk_redis_config {
    const char *url;     /* redis://[user:password@]host[:port][/db] or unix:///path; validated by tk_redis_open */
    int64_t deadline_ms; /* per command; on expiry the connection is dropped and reconnected */
    int64_t retry_ms;    /* pause between connection attempts, i.e. the breaker's half-open interval */
    size_t max_pending;  /* commands in flight */
};

/** `reply` is valid during the call and NULL unless OK or REFUSED (a Redis error reply). */
typedef void tk_redis_done_fn(void *arg, enum tk_step step, const redisReply *reply);

/** Starts connecting. TK_ERR_INVALID when the URL makes no sense. */
TK_MUSTCHECK enum tk_err tk_redis_open(struct tk_loop *loop, const struct tk_redis_config *config, struct tk_redis **out);

bool tk_redis_is_up(const struct tk_redis *redis);

/**
 * Sends one command; all commands of a loop turn leave in one write. Arguments are copied. `done` runs exactly once, later,
 * never inside this call: OK, REFUSED (error reply), or UNKNOWN (deadline, connection lost).
 * TK_ERR_UNAVAILABLE: not connected, or max_pending reached; `done` will not run.
 */
TK_MUSTCHECK enum tk_err tk_redis_command(struct tk_redis *redis, int argc, const char *const *argv, const size_t *lengths,
                                          tk_redis_done_fn *done, void *arg);

/** Drops the connection; pending commands end UNKNOWN now. For shutdown. */
void tk_redis_close(struct tk_redis *redis);

#endif
