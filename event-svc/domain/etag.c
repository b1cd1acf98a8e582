/*
 * Tags look like "v42" and "v42-gz".
 */
#include "event-svc/domain/etag.h"

#include <assert.h>
#include <string.h>

/* Digits of `version` (>= 0), returns how many. */
static size_t write_digits(char *out, int64_t version)
{
    char reversed[20];
    size_t count = 0;
    do {
        reversed[count++] = (char)('0' + version % 10);
        version /= 10;
    } while (version > 0);
    for (size_t i = 0; i < count; i++)
        out[i] = reversed[count - 1 - i];
    return count;
}

struct etag etag_of(int64_t version, bool gzip)
{
    struct etag tag = {.text = "\"v"};
    const char *end = gzip ? "-gz\"" : "\"";
    assert(version >= 0);
    size_t used = 2 + write_digits(tag.text + 2, version);
    memcpy(tag.text + used, end, strlen(end) + 1);
    return tag;
}

static bool tag_is(struct tk_slice tag, int64_t version)
{
    if (tag.len > 2 && memcmp(tag.ptr, "W/", 2) == 0)
        tag = (struct tk_slice){.ptr = tag.ptr + 2, .len = tag.len - 2};
    return tk_slice_eq_str(tag, etag_of(version, false).text) || tk_slice_eq_str(tag, etag_of(version, true).text) ||
           tk_slice_eq_str(tag, "*");
}

/* None of our tags contains a comma, so a list can be cut at each. */
bool etag_matches(struct tk_slice if_none_match, int64_t version)
{
    while (if_none_match.len > 0) {
        const char *comma = memchr(if_none_match.ptr, ',', if_none_match.len);
        size_t len = comma != NULL ? (size_t)(comma - if_none_match.ptr) : if_none_match.len;
        if (tag_is(tk_slice_trim((struct tk_slice){.ptr = if_none_match.ptr, .len = len}), version))
            return true;
        size_t used = comma != NULL ? len + 1 : len;
        if_none_match.ptr += used;
        if_none_match.len -= used;
    }
    return false;
}
