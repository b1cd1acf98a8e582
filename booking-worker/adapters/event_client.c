/**
 * Reads event-svc's list of overdue holds, releases seats, asks which sessions begin soonest. Unknown members of its
 * answers are ignored: the two programs need not be of the same version.
 */
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#include "booking-worker/adapters/event_client.h"
#include "shared/base/clock.h"
#include "shared/log/log.h"

#define MAX_PATH 2048

static enum tk_err unreadable(const char *path, long status)
{
    tk_log(TK_LOG_WARNING, "event-svc answered something unexpected", TK_KV_STR("path", path), TK_KV_INT("status", status));
    return TK_ERR_INVALID;
}

static enum tk_err read_uuid(const struct tk_json *object, const char *key, struct tk_uuid *out)
{
    const struct tk_json *member = tk_json_get(object, key);
    if (member == NULL || member->type != TK_JSON_STRING)
        return TK_ERR_INVALID;
    return tk_uuid_parse(member->text, out);
}

static enum tk_err read_hold(const struct tk_json *object, struct overdue_hold *out)
{
    const struct tk_json *until = tk_json_get(object, "reserved_until");
    if (until == NULL || until->type != TK_JSON_STRING)
        return TK_ERR_INVALID;
    enum tk_err err = read_uuid(object, "reservation_id", &out->reservation_id);
    if (!err)
        err = read_uuid(object, "session_id", &out->session_id);
    return err ? err : tk_time_parse(until->text, &out->reserved_until_us);
}

/* Sold and released holds need no sweep; they should not be listed, but old servers may. */
static bool is_held(const struct tk_json *object)
{
    const struct tk_json *state = tk_json_get(object, "state");
    return state == NULL || tk_slice_eq_str(state->text, "held");
}

static enum tk_err read_page(const struct tk_json *root, struct tk_arena *arena, struct overdue_hold *out, size_t *count,
                             const char **next_cursor)
{
    const struct tk_json *data = tk_json_get(root, "data");
    const struct tk_json *next = tk_json_get(root, "next_cursor");
    *count = 0;
    *next_cursor = next != NULL && next->type == TK_JSON_STRING ? tk_slice_dup(arena, next->text) : "";
    if (data == NULL || data->type != TK_JSON_ARRAY || data->count > EVENT_CLIENT_PAGE)
        return TK_ERR_INVALID;
    for (const struct tk_json *item = data->child; item != NULL; item = item->next) {
        if (!is_held(item))
            continue;
        enum tk_err err = read_hold(item, &out[*count]);
        if (err)
            return err;
        (*count)++;
    }
    return TK_OK;
}

static enum tk_err holds_path(int64_t older_than_s, const char *cursor, char path[MAX_PATH])
{
    char *escaped = curl_easy_escape(NULL, cursor, 0);
    int len = snprintf(path, MAX_PATH, "/api/internal/holds?older_than=%lld&limit=%d%s%s", (long long)older_than_s,
                       EVENT_CLIENT_PAGE, cursor[0] != '\0' ? "&cursor=" : "", cursor[0] != '\0' ? escaped : "");
    curl_free(escaped);
    return len > 0 && len < MAX_PATH ? TK_OK : TK_ERR_LIMIT;
}

enum tk_err event_client_overdue_holds(struct event_client *client, int64_t older_than_s, const char *cursor,
                                       struct tk_arena *arena, struct overdue_hold *out, size_t *count,
                                       const char **next_cursor)
{
    char path[MAX_PATH];
    long status;
    struct tk_slice answer;
    const struct tk_json *root;
    const char *why;
    enum tk_err err = holds_path(older_than_s, cursor, path);
    if (!err)
        err = http_call(client->caller, "GET", path, (struct tk_slice){0}, &status, &answer);
    if (err)
        return err;
    if (status != 200 || tk_json_parse(arena, answer, &root, &why) != TK_OK)
        return unreadable(path, status);
    return read_page(root, arena, out, count, next_cursor) == TK_OK ? TK_OK : unreadable(path, status);
}

static void encode_releases(const struct tk_release_request *requests, size_t count, struct tk_buf *body)
{
    struct tk_jsonw w = TK_JSONW(body);
    tk_jsonw_begin_object(&w, NULL);
    tk_jsonw_begin_array(&w, "releases");
    for (size_t i = 0; i < count; i++)
        tk_release_request_encode(&w, &requests[i]);
    tk_jsonw_end_array(&w);
    tk_jsonw_end_object(&w);
}

static enum tk_err read_releases(const struct tk_json *root, const struct tk_release_request *requests, size_t count,
                                 enum tk_release_outcome *outcomes)
{
    const struct tk_json *results = tk_json_get(root, "results");
    if (results == NULL || results->type != TK_JSON_ARRAY || results->count != count)
        return TK_ERR_INVALID;
    const struct tk_json *item = results->child;
    for (size_t i = 0; i < count; i++, item = item->next) {
        struct tk_release_answer answer;
        if (tk_release_answer_decode(item, &answer) != TK_OK ||
            !tk_uuid_eq(&answer.reservation_id, &requests[i].reservation_id))
            return TK_ERR_INVALID;
        outcomes[i] = answer.outcome;
    }
    return TK_OK;
}

enum tk_err event_client_release(struct event_client *client, const struct tk_release_request *requests, size_t count,
                                 struct tk_arena *arena, enum tk_release_outcome *outcomes)
{
    struct tk_buf body = TK_BUF_INIT(TK_SEAT_API_MAX_BODY);
    long status;
    struct tk_slice answer;
    const struct tk_json *root;
    const char *why;
    encode_releases(requests, count, &body);
    enum tk_err err = http_call(client->caller, "POST", TK_SEAT_API_RELEASE_PATH, tk_buf_slice(&body), &status, &answer);
    tk_buf_release(&body);
    if (err)
        return err;
    if (status != 200 || tk_json_parse(arena, answer, &root, &why) != TK_OK ||
        read_releases(root, requests, count, outcomes) != TK_OK)
        return unreadable(TK_SEAT_API_RELEASE_PATH, status);
    return TK_OK;
}

static void encode_sessions(const struct tk_uuid *sessions, size_t count, struct tk_buf *body)
{
    struct tk_jsonw w = TK_JSONW(body);
    tk_jsonw_begin_object(&w, NULL);
    tk_jsonw_begin_array(&w, "session_ids");
    for (size_t i = 0; i < count; i++)
        tk_jsonw_uuid(&w, NULL, &sessions[i]);
    tk_jsonw_end_array(&w);
    tk_jsonw_end_object(&w);
}

static enum tk_err read_sessions(struct tk_slice answer, struct tk_uuid *sessions, size_t *count)
{
    struct tk_arena arena = {0};
    struct tk_json_errors errors = {.arena = &arena};
    struct tk_uuid *ids;
    const struct tk_json *root;
    const char *why;
    enum tk_err err = tk_json_parse(&arena, answer, &root, &why);
    if (!err)
        err = tk_json_read_uuids(tk_json_get(root, "session_ids"), "/session_ids", 0, *count, &arena, &ids, count, &errors);
    if (!err)
        memcpy(sessions, ids, *count * sizeof(*ids));
    tk_arena_release(&arena);
    return err;
}

enum tk_err event_client_soonest_first(struct event_client *client, struct tk_uuid *sessions, size_t *count)
{
    struct tk_buf body = TK_BUF_INIT(TK_SEAT_API_MAX_BODY);
    long status;
    struct tk_slice answer;
    encode_sessions(sessions, *count, &body);
    enum tk_err err = http_call(client->caller, "POST", TK_SEAT_API_SOONEST_PATH, tk_buf_slice(&body), &status, &answer);
    tk_buf_release(&body);
    if (err)
        return err;
    if (status != 200 || read_sessions(answer, sessions, count) != TK_OK)
        return unreadable(TK_SEAT_API_SOONEST_PATH, status);
    return TK_OK;
}

struct purge_answer {
    int64_t idempotency_keys;
    int64_t hold_history;
};

static const struct tk_field purge_answer_fields[] = {
    {"idempotency_keys", NULL, TK_FIELD_INT, TK_FIELD_REQUIRED, offsetof(struct purge_answer, idempotency_keys),
     TK_FIELD_NO_PRESENCE, 0, INT64_MAX},
    {"hold_history", NULL, TK_FIELD_INT, TK_FIELD_REQUIRED, offsetof(struct purge_answer, hold_history),
     TK_FIELD_NO_PRESENCE, 0, INT64_MAX},
};

static enum tk_err read_purged(struct tk_slice answer, struct purge_answer *out)
{
    struct tk_arena arena = {0};
    struct tk_json_errors errors = {.arena = &arena};
    const struct tk_json *root;
    const char *why;
    enum tk_err err = tk_json_parse(&arena, answer, &root, &why);
    if (!err)
        err = tk_json_bind_known(root, "", purge_answer_fields, 2, out, &errors);
    tk_arena_release(&arena);
    return err;
}

enum tk_err event_client_purge(struct event_client *client, int64_t history_days, int64_t limit, bool *full)
{
    static const char path[] = "/api/internal/purge";
    char body[96];
    long status;
    struct tk_slice answer;
    struct purge_answer purged = {0};
    snprintf(body, sizeof(body), "{\"history_days\":%lld,\"limit\":%lld}", (long long)history_days, (long long)limit);
    enum tk_err err = http_call(client->caller, "POST", path, tk_slice_of(body), &status, &answer);
    if (err)
        return err;
    if (status != 200 || read_purged(answer, &purged) != TK_OK)
        return unreadable(path, status);
    *full = purged.idempotency_keys == limit || purged.hold_history == limit;
    return TK_OK;
}
