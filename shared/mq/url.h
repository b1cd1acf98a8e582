/**
 * Broker addresses: amqp://[user[:password]@]host[:port][/vhost], percent-decoded; amqps:// for TLS, whose port is 5671
 * unless given. Pure.
 */
#ifndef TK_MQ_URL_H
#define TK_MQ_URL_H

#include <stdbool.h>

#include "shared/base/result.h"

struct tk_mq_url {
    char *memory; /* what the texts point into */
    bool tls;
    const char *host;
    int port;
    const char *user;
    const char *password;
    const char *vhost; /* "/" when the URL names none, or an empty one: nobody means that */
};

/** Fills `out`. TK_ERR_INVALID: not such a URL. Free with tk_mq_url_release(). */
TK_MUSTCHECK enum tk_err tk_mq_url_parse(const char *text, struct tk_mq_url *out);
/** The URL of these parts, vhost "/", special characters percent-encoded. Free with free(). */
char *tk_mq_url_compose(const char *host, int port, const char *user, const char *password);

void tk_mq_url_release(struct tk_mq_url *url); /* harmless twice */

#endif
