/**
 * Logging: one line a record to stderr, written with a single write(2). `key=value` (LOG_FORMAT=kv) or JSON
 * (LOG_FORMAT=json). No personal data and no secrets reach a call of this module.
 *
 *     tk_log(TK_LOG_WARNING, "reserve outcome unknown", TK_KV_UUID("reservation", &id), TK_KV_INT("took_ms", 250));
 *
 * The object comes first, so that grep finds its life. Levels: debug for state moves, info for each request that changes
 * something (once), warning for money or seats in doubt with the id needed to repair them, error for what needs a person.
 */
#ifndef TK_LOG_LOG_H
#define TK_LOG_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/id.h"
#include "shared/base/str.h"

enum tk_log_level { TK_LOG_DEBUG, TK_LOG_INFO, TK_LOG_WARNING, TK_LOG_ERROR };

enum tk_kv_type { TK_KV_TYPE_STR, TK_KV_TYPE_SLICE, TK_KV_TYPE_I64, TK_KV_TYPE_UUID };

struct tk_kv {
    const char *key;
    enum tk_kv_type type;
    union {
        const char *str;
        struct tk_slice slice;
        int64_t i64;
        const struct tk_uuid *uuid;
    } value;
};

#define TK_KV_STR(k, v)   ((struct tk_kv){.key = (k), .type = TK_KV_TYPE_STR, .value.str = (v)})
#define TK_KV_SLICE(k, v) ((struct tk_kv){.key = (k), .type = TK_KV_TYPE_SLICE, .value.slice = (v)})
#define TK_KV_INT(k, v)   ((struct tk_kv){.key = (k), .type = TK_KV_TYPE_I64, .value.i64 = (int64_t)(v)})
#define TK_KV_UUID(k, v)  ((struct tk_kv){.key = (k), .type = TK_KV_TYPE_UUID, .value.uuid = (v)})

/** Call once, before any thread starts. `service` is copied into every record. Thread-safe afterwards. */
void tk_log_init(const char *service, enum tk_log_level least, bool json);

bool tk_log_enabled(enum tk_log_level level);

/** Control characters in values are escaped; a record is cut at 4 KiB. */
void tk_log_write(enum tk_log_level level, const char *message, const struct tk_kv *fields, size_t count);

/** Arguments are evaluated only when the level is enabled. At least one field is needed. */
#define tk_log(level, message, ...)                                                                                        \
    do {                                                                                                                   \
        if (tk_log_enabled(level)) {                                                                                       \
            const struct tk_kv tk_log_fields_[] = {__VA_ARGS__};                                                           \
            tk_log_write((level), (message), tk_log_fields_, sizeof(tk_log_fields_) / sizeof(tk_log_fields_[0]));          \
        }                                                                                                                  \
    } while (0)

#endif
