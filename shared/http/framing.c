/*
 * Bodies framed twice. Of two Content-Length headers h2o 2.2.5 takes the first, of Content-Length and Transfer-Encoding the
 * latter, and keeps both from its handlers. A proxy in front that decides otherwise sees other request boundaries than we
 * do (request smuggling), so RFC 9112 section 6.3 lets a server refuse such requests. The header's bytes are still at the
 * start of the connection's buffer when the handler runs, names already in lower case.
 */
#include <string.h>

#include "shared/http/server_private.h"

static bool starts_with(const char *at, size_t left, const char *name, size_t len)
{
    return left > len && memcmp(at, name, len) == 0;
}

/** A line of the header is a framing header when it begins with one of the two names and a colon. */
static bool is_framing_line(const char *line, size_t left)
{
    static const char LENGTH[] = "content-length:";
    static const char ENCODING[] = "transfer-encoding:";
    return starts_with(line, left, LENGTH, sizeof(LENGTH) - 1) || starts_with(line, left, ENCODING, sizeof(ENCODING) - 1);
}

bool tk_http_is_framed_twice(h2o_req_t *req)
{
    const h2o_buffer_t *input = req->conn->callbacks->get_socket(req->conn)->input;
    const char *at = input->bytes;
    size_t header_len = (size_t)(req->entity.base - input->bytes); /* the body lies behind the header */
    const char *end = at + (header_len < input->size ? header_len : input->size);
    int framings = 0;
    while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL && ++at < end) {
        if (*at == '\r' || *at == '\n')
            break;
        framings += is_framing_line(at, (size_t)(end - at)) ? 1 : 0;
    }
    return framings > 1;
}
