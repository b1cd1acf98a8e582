/*
 * gzip by zlib, and the negotiation for it.
 */
#include "shared/http/gzip.h"

#include <string.h>
#include <zlib.h>

enum tk_err tk_gzip_append(struct tk_buf *out, struct tk_slice plain, int level)
{
    z_stream stream = {0};
    unsigned char chunk[16384];
    int rc = Z_OK;
    if (plain.len > UINT32_MAX || deflateInit2(&stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return TK_ERR_LIMIT;
    stream.next_in = (Bytef *)(uintptr_t)plain.ptr;
    stream.avail_in = (uInt)plain.len;
    do {
        stream.next_out = chunk;
        stream.avail_out = sizeof(chunk);
        rc = deflate(&stream, Z_FINISH);
        tk_buf_append(out, chunk, sizeof(chunk) - stream.avail_out);
    } while (rc == Z_OK && !out->overflow);
    (void)deflateEnd(&stream);
    return rc == Z_STREAM_END && !out->overflow ? TK_OK : TK_ERR_LIMIT;
}

/** Cuts off and returns what stands before `separator`. */
static struct tk_slice cut(struct tk_slice *rest, char separator)
{
    const char *at = rest->len > 0 ? memchr(rest->ptr, separator, rest->len) : NULL;
    struct tk_slice head = {.ptr = rest->ptr, .len = at != NULL ? (size_t)(at - rest->ptr) : rest->len};
    size_t used = at != NULL ? head.len + 1 : head.len;
    rest->ptr = used > 0 ? rest->ptr + used : rest->ptr;
    rest->len -= used;
    return tk_slice_trim(head);
}

/** `q=0`, `q=0.0`, `q=0.000`: not acceptable. */
static bool is_zero_weight(struct tk_slice parameter)
{
    if (parameter.len < 3 || (parameter.ptr[0] != 'q' && parameter.ptr[0] != 'Q') || parameter.ptr[1] != '=')
        return false;
    for (size_t i = 2; i < parameter.len; i++)
        if (parameter.ptr[i] != '0' && parameter.ptr[i] != '.')
            return false;
    return true;
}

bool tk_gzip_accepted(struct tk_slice accept_encoding)
{
    bool any = false;
    while (accept_encoding.len > 0) {
        struct tk_slice item = cut(&accept_encoding, ',');
        struct tk_slice coding = cut(&item, ';');
        bool refused = item.len > 0 && is_zero_weight(tk_slice_trim(item));
        if (tk_slice_ieq_str(coding, "gzip") || tk_slice_ieq_str(coding, "x-gzip"))
            return !refused;
        any = any || (tk_slice_eq_str(coding, "*") && !refused);
    }
    return any;
}
