/**
 * Broker addresses. librabbitmq's parser does the work, in place on a copy; what it lets through and no broker accepts is
 * refused here.
 */
#include <amqp.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/mem.h"
#include "shared/mq/url.h"

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
    if (amqp_parse_url(memory, &info) != AMQP_STATUS_OK || info.ssl || info.host[0] == '\0' || info.port <= 0 ||
        info.port > 65535 || info.vhost[0] == '\0') {
        free(memory);
        return TK_ERR_INVALID;
    }
    *out = (struct tk_mq_url){.memory = memory,
                              .host = info.host,
                              .port = info.port,
                              .user = info.user,
                              .password = info.password,
                              .vhost = info.vhost};
    return TK_OK;
}

void tk_mq_url_release(struct tk_mq_url *url)
{
    free(url->memory);
    *url = (struct tk_mq_url){0};
}
