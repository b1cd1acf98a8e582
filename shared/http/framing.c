/*
 * Headers that different readers read differently. h2o 2.2.5 takes the first of two Content-Length headers, prefers
 * Transfer-Encoding to Content-Length even in HTTP/1.0, takes the last Host and does without one, glues folded lines
 * together, and tells its handlers of none of this. A proxy in front that decides otherwise sees other request boundaries
 * or another host than we do (request smuggling), so such requests are refused (RFC 9112, sections 3.2, 5.2, 6.1 and 6.3).
 *
 * The header's bytes are still at the start of the connection's buffer when the handler runs, names already in lower case.
 */
#include <string.h>

#include "shared/http/server_private.h"

struct header_counts {
    unsigned lengths;
    unsigned encodings;
    unsigned hosts;
    bool folded;
};

static bool is_named(const char *line, size_t left, const char *name, size_t len)
{
    return left >= len && memcmp(line, name, len) == 0;
}

/** The first letter decides for all but a few lines. */
static void count_line(const char *line, size_t left, struct header_counts *counts)
{
    static const char LENGTH[] = "content-length:", ENCODING[] = "transfer-encoding:", HOST[] = "host:";
    if (line[0] == 'c')
        counts->lengths += is_named(line, left, LENGTH, sizeof(LENGTH) - 1);
    else if (line[0] == 't')
        counts->encodings += is_named(line, left, ENCODING, sizeof(ENCODING) - 1);
    else if (line[0] == 'h')
        counts->hosts += is_named(line, left, HOST, sizeof(HOST) - 1);
    else if (line[0] == ' ' || line[0] == '\t')
        counts->folded = true;
}

/** Ends at the empty line: h2o has found one. The request line is skipped, and an empty line before it. */
static void count_headers(const h2o_buffer_t *input, struct header_counts *counts)
{
    const char *at = input->bytes;
    const char *end = at + input->size;
    while (at < end && (*at == '\r' || *at == '\n'))
        at++;
    while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL && ++at < end && *at != '\r' && *at != '\n')
        count_line(at, (size_t)(end - at), counts);
}

const char *tk_http_ambiguity(h2o_req_t *req)
{
    struct header_counts counts = {0};
    count_headers(req->conn->callbacks->get_socket(req->conn)->input, &counts);
    if (counts.lengths + counts.encodings > 1)
        return "the body's length is given more than once";
    if (counts.encodings > 0 && req->version < 0x101)
        return "HTTP/1.0 has no Transfer-Encoding";
    if (counts.hosts > 1 || (counts.hosts == 0 && req->version >= 0x101))
        return "one Host header is required";
    return counts.folded ? "a header goes on in the next line" : NULL;
}
