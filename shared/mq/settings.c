/* From settings to a connection. */
#include "shared/mq/settings.h"

#include "shared/mq/url.h"

#define TIMEOUT_MS  5000
#define HEARTBEAT_S 5

enum tk_err tk_mq_settings_check(struct tk_mq_settings *settings, FILE *complaints)
{
    struct tk_mq_url url;
    if (settings->host[0] != '\0')
        settings->url = tk_mq_url_compose(settings->host, (int)settings->port, settings->user, settings->password);
    const enum tk_err err = tk_mq_url_parse(settings->url, &url);
    tk_mq_url_release(&url);
    if (err)
        fprintf(complaints, "CONFIG: RABBITMQ_URL: expected amqp[s]://user:password@host:port/vhost\n");
    return err;
}

struct tk_mq_config tk_mq_settings_connection(const struct tk_mq_settings *settings, const char *name, const char *ca_file)
{
    return (struct tk_mq_config){
        .name = name,
        .url = settings->url,
        .ca_file = ca_file,
        .exchange = settings->exchange,
        .queue = settings->queue,
        .routing_keys = tk_reservation_routing_keys,
        .routing_key_count = TK_RESERVATION_EVENT_COUNT,
        .timeout_ms = TIMEOUT_MS,
        .heartbeat_s = HEARTBEAT_S,
    };
}
