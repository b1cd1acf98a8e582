/**
 * Strings: a borrowed view and a growing buffer that names its maximum.
 */
#ifndef TK_BASE_STR_H
#define TK_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/banned.h"
#include "shared/base/mem.h"
#include "shared/base/result.h"

/** Borrowed bytes, not NUL-terminated. The owner is named where the slice is made. {NULL, 0} is the empty slice. */
struct tk_slice {
    const char *ptr;
    size_t len;
};

#define TK_SLICE(literal) ((struct tk_slice){.ptr = (literal), .len = sizeof(literal) - 1})

struct tk_slice tk_slice_of(const char *nul_terminated); /* NULL gives the empty slice */
bool tk_slice_eq(struct tk_slice a, struct tk_slice b);
bool tk_slice_eq_str(struct tk_slice a, const char *nul_terminated);
bool tk_slice_ieq_str(struct tk_slice a, const char *nul_terminated); /* ASCII case-insensitive */
struct tk_slice tk_slice_trim(struct tk_slice s);                     /* without spaces and tabs at both ends */
/** A NUL-terminated copy in the arena. */
char *tk_slice_dup(struct tk_arena *arena, struct tk_slice s);
/** The same as a slice; of an empty one, too, `ptr` is not NULL. */
struct tk_slice tk_slice_copy(struct tk_arena *arena, struct tk_slice s);
/** Formatted text, NUL-terminated, in the arena. For messages, not for hot paths. */
char *tk_arena_printf(struct tk_arena *arena, const char *format, ...) TK_PRINTF(2, 3) __attribute__((returns_nonnull));

/**
 * A growing byte buffer with a hard maximum. Zero-initialise with TK_BUF_INIT(max). Appending past `max` sets `overflow`
 * and drops the bytes: write everything, check `overflow` once at the end. The buffer owns `ptr`.
 */
struct tk_buf {
    char *ptr;
    size_t len;
    size_t cap;
    size_t max;
    bool overflow;
};

#define TK_BUF_INIT(max_bytes) ((struct tk_buf){.max = (max_bytes)})

void tk_buf_release(struct tk_buf *buf); /* frees; the buffer is empty and usable again */
void tk_buf_reset(struct tk_buf *buf);   /* forgets the content, keeps the memory */
void tk_buf_append(struct tk_buf *buf, const void *bytes, size_t len);
void tk_buf_append_slice(struct tk_buf *buf, struct tk_slice s);
void tk_buf_append_str(struct tk_buf *buf, const char *nul_terminated);
void tk_buf_append_char(struct tk_buf *buf, char c);
void tk_buf_append_i64(struct tk_buf *buf, int64_t value);                        /* decimal */
void tk_buf_appendf(struct tk_buf *buf, const char *format, ...) TK_PRINTF(2, 3); /* slow path only */
/** Appends `len` bytes for the caller to write at once; NULL on overflow. Valid until the buffer changes again. */
char *tk_buf_extend(struct tk_buf *buf, size_t len);
struct tk_slice tk_buf_slice(const struct tk_buf *buf);

/** True when the bytes are well-formed UTF-8 (RFC 3629) without NUL or other C0 controls except \t \n \r. */
bool tk_utf8_is_text(struct tk_slice s);

/** Length (1–4) of the well-formed UTF-8 sequence that `bytes` begins with, reading at most `len`; 0 when there is none. */
size_t tk_utf8_sequence(const char *bytes, size_t len);

/** Decimal integer, optional minus, no spaces, no plus, no leading zeros. TK_ERR_INVALID otherwise or on overflow. */
TK_MUSTCHECK enum tk_err tk_parse_i64(struct tk_slice text, int64_t *out);
/** 0 to 15; -1: no hexadecimal digit. */
int tk_hex_value(char c);

/** Standard base64 with padding (RFC 4648 section 4) / base64url without padding (section 5), appended to `out`. */
void tk_base64_append(struct tk_buf *out, const void *bytes, size_t len);
void tk_base64url_append(struct tk_buf *out, const void *bytes, size_t len);
/** Decodes base64url without padding into `out` (at most `cap` bytes). TK_ERR_INVALID on any other character. */
TK_MUSTCHECK enum tk_err tk_base64url_decode(struct tk_slice text, void *out, size_t cap, size_t *len);

#endif
