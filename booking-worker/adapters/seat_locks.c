/**
 * One script call per reservation (its seats share a session and so a cluster slot), all of a batch in one pipeline.
 * The lock may have passed to somebody else meanwhile: the script compares before it deletes.
 */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

#include "booking-worker/adapters/seat_locks.h"
#include "shared/base/clock.h"
#include "shared/log/log.h"
#include "shared/redis/url.h"

#define CONNECT_TIMEOUT_US 250000
#define COMMAND_TIMEOUT_US 250000
#define MAX_KEY            128
#define CHECK_INTERVAL_US  (5 * TK_US_PER_S)
#define MAX_COMMAND        (TK_MESSAGE_MAX_SEATS + 4)

static const char script[] = "local n = 0 "
                             "for _, key in ipairs(KEYS) do "
                             "if redis.call('GET', key) == ARGV[1] then n = n + redis.call('DEL', key) end "
                             "end return n";

struct seat_locks {
    struct tk_redis_url url;
    redisContext *link; /* NULL when not connected */
    bool down_logged;
    int64_t checked_us;
};

enum tk_err seat_locks_new(const char *redis_url, struct seat_locks **out)
{
    struct tk_redis_url url;
    if (tk_redis_url_parse(redis_url, &url) != TK_OK)
        return TK_ERR_INVALID;
    *out = tk_alloc(sizeof(**out));
    (*out)->url = url;
    return TK_OK;
}

static void drop(struct seat_locks *locks)
{
    if (locks->link != NULL)
        redisFree(locks->link);
    locks->link = NULL;
}

void seat_locks_free(struct seat_locks *locks)
{
    if (locks == NULL)
        return;
    drop(locks);
    free(locks);
}

static enum tk_err lost(struct seat_locks *locks, const char *doing)
{
    tk_log(locks->down_logged ? TK_LOG_DEBUG : TK_LOG_WARNING, "redis is away, seat locks end by themselves",
           TK_KV_STR("redis", locks->url.label), TK_KV_STR("while", doing),
           TK_KV_STR("reason", locks->link != NULL ? locks->link->errstr : "no connection"));
    locks->down_logged = true;
    drop(locks);
    return TK_ERR_UNAVAILABLE;
}

/* --- connecting --------------------------------------------------------------------------------------------------- */

static bool run_simple(redisContext *link, int argc, const char **argv)
{
    redisReply *reply = redisCommandArgv(link, argc, argv, NULL);
    bool ok = reply != NULL && reply->type != REDIS_REPLY_ERROR;
    if (reply != NULL)
        freeReplyObject(reply);
    return ok;
}

static bool authenticate(redisContext *link, const struct tk_redis_url *url)
{
    const char *with_user[] = {"AUTH", url->user, url->password};
    const char *without[] = {"AUTH", url->password};
    if (url->password[0] == '\0')
        return true;
    return url->user[0] != '\0' ? run_simple(link, 3, with_user) : run_simple(link, 2, without);
}

static bool choose_database(redisContext *link, const struct tk_redis_url *url)
{
    const char *command[] = {"SELECT", url->db};
    return url->db[0] == '\0' || run_simple(link, 2, command);
}

static enum tk_err connect_if_needed(struct seat_locks *locks)
{
    const struct timeval connect_limit = {.tv_usec = CONNECT_TIMEOUT_US};
    const struct timeval command_limit = {.tv_usec = COMMAND_TIMEOUT_US};
    const struct tk_redis_url *url = &locks->url;
    if (locks->link != NULL)
        return TK_OK;
    locks->link = url->host[0] != '\0' ? redisConnectWithTimeout(url->host, url->port, connect_limit)
                                       : redisConnectUnixWithTimeout(url->path, connect_limit);
    if (locks->link == NULL || locks->link->err != 0 || redisSetTimeout(locks->link, command_limit) != REDIS_OK ||
        !authenticate(locks->link, url) || !choose_database(locks->link, url))
        return lost(locks, "connecting");
    locks->down_logged = false;
    return TK_OK;
}

/* --- releasing ---------------------------------------------------------------------------------------------------- */

static void append_release(redisContext *link, const struct tk_reservation_message *hold)
{
    char keys[TK_MESSAGE_MAX_SEATS][MAX_KEY];
    char reservation[TK_UUID_TEXT_LEN + 1];
    char key_count[24];
    const char *argv[MAX_COMMAND];
    int argc = 0;
    snprintf(key_count, sizeof(key_count), "%zu", hold->seat_count);
    argv[argc++] = "EVAL";
    argv[argc++] = script;
    argv[argc++] = key_count;
    for (size_t i = 0; i < hold->seat_count; i++) {
        snprintf(keys[i], sizeof(keys[i]), "booking:lock:{%s}:%s", TK_UUID_TEXT(&hold->session_id),
                 TK_UUID_TEXT(&hold->seats[i]));
        argv[argc++] = keys[i];
    }
    argv[argc++] = tk_uuid_format(&hold->reservation_id, reservation);
    redisAppendCommandArgv(link, argc, argv, NULL);
}

enum tk_err seat_locks_release(struct seat_locks *locks, const struct tk_reservation_message *holds, size_t count)
{
    enum tk_err err = connect_if_needed(locks);
    if (err)
        return err;
    for (size_t i = 0; i < count; i++)
        append_release(locks->link, &holds[i]);
    for (size_t i = 0; i < count; i++) {
        void *reply = NULL;
        if (redisGetReply(locks->link, &reply) != REDIS_OK)
            return lost(locks, "releasing");
        freeReplyObject(reply);
    }
    return TK_OK;
}

bool seat_locks_is_up(struct seat_locks *locks)
{
    const char *ping[] = {"PING"};
    int64_t now_us = tk_mono_us();
    if (locks->checked_us != 0 && now_us - locks->checked_us < CHECK_INTERVAL_US)
        return locks->link != NULL;
    locks->checked_us = now_us;
    if (connect_if_needed(locks) == TK_OK && !run_simple(locks->link, 1, ping))
        return lost(locks, "checking") == TK_OK;
    return locks->link != NULL;
}
