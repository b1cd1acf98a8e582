/*
 * One record is built on the stack and leaves with one write(2), so that threads never mix their lines and nothing is
 * lost in a buffer when the process dies. 4 KiB is PIPE_BUF: a pipe takes it whole.
 *
 * A record that would be longer is cut between characters and says so (cut=true); it stays valid JSON.
 */
#include "shared/log/log.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/clock.h"

#define RECORD_MAX  ((size_t)4096)
#define CLOSING_MAX (sizeof("\",\"cut\":true}\n") - 1) /* kept free for the end of a record */
#define SERVICE_MAX 32

static struct {
    char service[SERVICE_MAX];
    enum tk_log_level least;
    bool json;
} settings = {.service = "-", .least = TK_LOG_INFO};

struct record {
    char bytes[RECORD_MAX];
    size_t len;
    bool json;
    bool cut;
};

void tk_log_init(const char *service, enum tk_log_level least, bool json)
{
    size_t len = strnlen(service, SERVICE_MAX - 1);
    memcpy(settings.service, service, len);
    settings.service[len] = '\0';
    settings.least = least;
    settings.json = json;
}

bool tk_log_enabled(enum tk_log_level level)
{
    return level >= settings.least;
}

/* --- bytes -------------------------------------------------------------------------------------------------------- */

/* All or nothing; once something did not fit, nothing more is added but the closing. */
static bool put(struct record *r, const char *bytes, size_t len)
{
    if (r->cut || len > RECORD_MAX - CLOSING_MAX - r->len) {
        r->cut = true;
        return false;
    }
    memcpy(r->bytes + r->len, bytes, len);
    r->len += len;
    return true;
}

static void put_str(struct record *r, const char *text)
{
    put(r, text, strlen(text));
}

static void put_closing(struct record *r, const char *text)
{
    size_t len = strlen(text);
    assert(len <= RECORD_MAX - r->len);
    memcpy(r->bytes + r->len, text, len);
    r->len += len;
}

static void put_escape(struct record *r, unsigned char c)
{
    static const char digits[16] = {'0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'};
    char text[6] = {'\\', (char)c, '0', '0', digits[c >> 4], digits[c & 15]};
    size_t len = 6;
    if (c == '"' || c == '\\') {
        len = 2;
    } else if (c == '\n' || c == '\r' || c == '\t') {
        text[1] = c == '\n' ? 'n' : c == '\r' ? 'r' : 't';
        len = 2;
    } else {
        text[1] = 'u';
    }
    put(r, text, len);
}

/* C0, DEL and C1: a terminal must not obey what a client sent. Bytes that are no UTF-8 become \u00XX too. */
static bool needs_escape(const char *at, size_t step)
{
    unsigned char c = (unsigned char)at[0];
    if (step == 2)
        return c == 0xC2 && (unsigned char)at[1] < 0xA0;
    return step == 0 || c < 0x20 || c == 0x7F || c == '"' || c == '\\';
}

static void put_escaped(struct record *r, struct tk_slice text)
{
    for (size_t i = 0; i < text.len && !r->cut;) {
        size_t step = tk_utf8_sequence(text.ptr + i, text.len - i);
        bool escape = needs_escape(text.ptr + i, step);
        if (escape)
            put_escape(r, (unsigned char)text.ptr[step == 2 ? i + 1 : i]);
        else
            put(r, text.ptr + i, step);
        i += step > 0 ? step : 1;
    }
}

/* Whether `key=value` can be read back without quotes. */
static bool is_bare(struct tk_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c <= ' ' || c == '"' || c == '\\' || c == '=' || c >= 0x7F)
            return false;
    }
    return text.len > 0;
}

static void put_text(struct record *r, struct tk_slice text)
{
    if (!r->json && is_bare(text)) {
        size_t room = RECORD_MAX - CLOSING_MAX - r->len;
        put(r, text.ptr, text.len < room ? text.len : room);
        r->cut |= text.len > room;
        return;
    }
    if (!put(r, "\"", 1))
        return;
    put_escaped(r, text);
    put_closing(r, "\""); /* CLOSING_MAX counts this quote, for a value that was cut */
}

/* --- fields ------------------------------------------------------------------------------------------------------- */

static void put_key(struct record *r, const char *key)
{
    if (r->json) {
        put_str(r, r->len > 1 ? ",\"" : "\"");
        put_str(r, key);
        put_str(r, "\":");
        return;
    }
    if (r->len > 0)
        put_str(r, " ");
    put_str(r, key);
    put_str(r, "=");
}

static void put_i64(struct record *r, int64_t value)
{
    char text[sizeof("-9223372036854775808")];
    int len = snprintf(text, sizeof(text), "%lld", (long long)value);
    put(r, text, (size_t)len);
}

static void put_nullable(struct record *r, struct tk_slice text)
{
    if (text.ptr == NULL)
        put_str(r, "null");
    else
        put_text(r, text);
}

static void put_value(struct record *r, const struct tk_kv *field)
{
    char uuid[TK_UUID_TEXT_LEN + 1];
    switch (field->type) {
    case TK_KV_TYPE_STR:
        put_nullable(r, tk_slice_of(field->value.str));
        break;
    case TK_KV_TYPE_SLICE:
        put_text(r, field->value.slice);
        break;
    case TK_KV_TYPE_I64:
        put_i64(r, field->value.i64);
        break;
    case TK_KV_TYPE_UUID:
        put_nullable(r, tk_slice_of(field->value.uuid != NULL ? tk_uuid_format(field->value.uuid, uuid) : NULL));
        break;
    }
}

/* A field of which not even a part of the value fits leaves no trace: half a key would spoil the record. */
static void put_field(struct record *r, const struct tk_kv *field)
{
    if (r->cut)
        return;
    size_t before = r->len;
    put_key(r, field->key);
    size_t value_at = r->len;
    if (!r->cut)
        put_value(r, field);
    if (r->cut && r->len == value_at)
        r->len = before;
}

/* --- records ------------------------------------------------------------------------------------------------------ */

static const char *level_name(enum tk_log_level level)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    return names[level];
}

static void put_time(struct record *r)
{
    struct tk_buf now = TK_BUF_INIT(64);
    tk_time_append(&now, tk_unix_us());
    put_field(r, &TK_KV_SLICE("time", tk_buf_slice(&now)));
    tk_buf_release(&now);
}

static void write_whole(const struct record *r)
{
    ssize_t written;
    do {
        written = write(STDERR_FILENO, r->bytes, r->len);
    } while (written < 0 && errno == EINTR); /* any other failure has nowhere to be reported */
}

void tk_log_write(enum tk_log_level level, const char *message, const struct tk_kv *fields, size_t count)
{
    struct record r;
    r.len = 0;
    r.cut = false;
    r.json = settings.json;
    int saved_errno = errno;
    if (r.json)
        put_str(&r, "{");
    put_time(&r);
    put_field(&r, &TK_KV_STR("level", level_name(level)));
    put_field(&r, &TK_KV_STR("service", settings.service));
    put_field(&r, &TK_KV_STR("msg", message));
    for (size_t i = 0; i < count; i++)
        put_field(&r, &fields[i]);
    if (r.cut)
        put_closing(&r, r.json ? ",\"cut\":true" : " cut=true");
    put_closing(&r, r.json ? "}\n" : "\n");
    write_whole(&r);
    errno = saved_errno;
}
