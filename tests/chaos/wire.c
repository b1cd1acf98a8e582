#include "tests/chaos/wire.h"

#include <stdio.h>
#include <string.h>

#define NEVER_PAYS "99999999-0000-0000-0000-000000000002"
#define MAX_PATH   128

/* --- requests ------------------------------------------------------------------------------------------------------ */

static void put_request(struct tk_buf *out, const char *method, const char *path, const char *key_prefix,
                        const struct purchase *p, struct tk_slice body)
{
    char user[TK_UUID_TEXT_LEN + 1];
    tk_uuid_format(&p->user, user);
    tk_buf_reset(out);
    tk_buf_appendf(out,
                   "%s %s HTTP/1.1\r\nhost: 127.0.0.1\r\nx-user-id: %s\r\nidempotency-key: %s%s\r\n"
                   "content-type: application/json\r\ncontent-length: %zu\r\n\r\n",
                   method, path, user, key_prefix, user, body.len);
    tk_buf_append_slice(out, body);
}

void wire_put_hold(struct tk_buf *out, const struct history *history, const struct purchase *p)
{
    struct tk_buf body = TK_BUF_INIT(1024);
    const struct seat_place *first = &history->seats[p->seats[0]];
    tk_buf_appendf(&body, "{\"session_id\":\"%s\",\"seats\":[", TK_UUID_TEXT(&first->session));
    for (int i = 0; i < p->seat_count; i++)
        tk_buf_appendf(&body, "%s{\"session_seat_id\":\"%s\"}", i ? "," : "",
                       TK_UUID_TEXT(&history->seats[p->seats[i]].seat));
    tk_buf_append_str(&body, "]}");
    put_request(out, "POST", "/api/v1/reservations", "", p, tk_buf_slice(&body));
    tk_buf_release(&body);
}

static void put_about(struct tk_buf *out, const char *method, const char *suffix, const char *key_prefix,
                      const struct purchase *p, struct tk_slice body)
{
    char path[MAX_PATH];
    snprintf(path, sizeof(path), "/api/v1/reservations/%s%s", TK_UUID_TEXT(&p->reservation), suffix);
    put_request(out, method, path, key_prefix, p, body);
}

void wire_put_pay(struct tk_buf *out, const struct purchase *p)
{
    static const char BAD_CARD[] = "{\"payment_id\":\"" NEVER_PAYS "\"}";
    put_about(out, "POST", "/confirm", "pay-", p, p->wish == WISH_BAD_CARD ? TK_SLICE(BAD_CARD) : TK_SLICE("{}"));
}

void wire_put_cancel(struct tk_buf *out, const struct purchase *p)
{
    put_about(out, "DELETE", "", "cancel-", p, TK_SLICE(""));
}

void wire_put_read_reservation(struct tk_buf *out, const struct purchase *p)
{
    put_about(out, "GET", "", "", p, TK_SLICE(""));
}

void wire_put_read_tickets(struct tk_buf *out, const struct purchase *p)
{
    char path[MAX_PATH];
    snprintf(path, sizeof(path), "/api/v1/tickets/user/%s", TK_UUID_TEXT(&p->user));
    put_request(out, "GET", path, "", p, TK_SLICE(""));
}

/* --- answers ------------------------------------------------------------------------------------------------------- */

enum answer wire_classify(const struct response *response)
{
    if (response->status == 200 || response->status == 201)
        return ANSWER_OK;
    if (response->status == 409 && wire_count(response->body, "_in_progress\"") > 0)
        return ANSWER_PENDING;
    if (response->status == 429 || (response->status == 503 && wire_count(response->body, "\"outcome_unknown\"") == 0))
        return ANSWER_BUSY;
    return response->status >= 500 ? ANSWER_UNKNOWN : ANSWER_REFUSED;
}

bool wire_find(struct tk_slice body, const char *member, char *out, size_t cap)
{
    const char *at = body.len > 0 ? memmem(body.ptr, body.len, member, strlen(member)) : NULL;
    size_t len = 0;
    if (at == NULL)
        return false;
    for (at += strlen(member); at < body.ptr + body.len && *at != '"' && len < cap - 1; at++)
        out[len++] = *at;
    out[len] = '\0';
    return true;
}

int wire_count(struct tk_slice body, const char *text)
{
    const size_t len = strlen(text);
    const char *end = body.ptr + body.len;
    const char *at = body.ptr;
    int count = 0;
    while (at < end && (at = memmem(at, (size_t)(end - at), text, len)) != NULL) {
        at += len;
        count++;
    }
    return count;
}

uint64_t wire_hash(struct tk_slice body)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < body.len; i++)
        hash = (hash ^ (uint8_t)body.ptr[i]) * UINT64_C(1099511628211);
    return hash;
}
