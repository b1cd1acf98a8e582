/**
 * Broker addresses. librabbitmq's parser does the work, in place on a copy; what it lets through and no broker accepts is
 * refused here.
 */
#include <amqp.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/mq/url.h"

#define MAX_URL 4096 /* three parts of at most 255 bytes, each byte up to three characters */

static char *copy(const char *text)
{
    size_t size = strlen(text) + 1;
    char *memory = tk_alloc(size);
    memcpy(memory, text, size);
    return memory;
}

enum tk_err tk_mq_url_parse(const char *text, struct tk_mq_url *out)
{
    struct amqp_connection_info info;
    char *memory = copy(text);
    *out = (struct tk_mq_url){0};
    amqp_default_connection_info(&info);
    if (amqp_parse_url(memory, &info) != AMQP_STATUS_OK || info.host[0] == '\0' || info.port <= 0 || info.port > 65535) {
        free(memory);
        return TK_ERR_INVALID;
    }
    *out = (struct tk_mq_url){.memory = memory,
                              .tls = info.ssl != 0,
                              .host = info.host,
                              .port = info.port,
                              .user = info.user,
                              .password = info.password,
                              .vhost = info.vhost[0] != '\0' ? info.vhost : "/"};
    return TK_OK;
}

static void append_encoded(struct tk_buf *out, const char *text)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"; /* RFC 3986, 2.3 */
    for (; *text != '\0'; text++) {
        if (strchr(plain, *text) != NULL)
            tk_buf_append_char(out, *text);
        else
            tk_buf_appendf(out, "%%%02X", (unsigned)(unsigned char)*text);
    }
}

char *tk_mq_url_compose(const char *host, int port, const char *user, const char *password)
{
    struct tk_buf url = TK_BUF_INIT(MAX_URL);
    tk_buf_append_str(&url, "amqp://");
    append_encoded(&url, user);
    tk_buf_append_char(&url, ':');
    append_encoded(&url, password);
    tk_buf_append_char(&url, '@');
    tk_buf_append_str(&url, host);
    tk_buf_appendf(&url, ":%d/%%2F", port);
    tk_buf_append_char(&url, '\0');
    return url.ptr; /* the buffer's memory is the caller's now */
}

void tk_mq_url_release(struct tk_mq_url *url)
{
    free(url->memory);
    *url = (struct tk_mq_url){0};
}
