/**
 * The broker's settings, the same in every program: a program includes the rows in its table, and struct tk_mq_settings in
 * its configuration. All of them declare the same exchange and queue (shared/contract/message.h).
 */
#ifndef TK_MQ_SETTINGS_H
#define TK_MQ_SETTINGS_H

#include <stdio.h>

#include "shared/config/config.h"
#include "shared/contract/message.h"
#include "shared/mq/mq.h"

struct tk_mq_settings {
    const char *url; /* composed of the next four by tk_mq_settings_check() when `host` is set */
    const char *host;
    int64_t port;
    const char *user;
    const char *password;
    const char *exchange;
    const char *queue;
};

#define TK_MQ_ROW(env, type, base, member, fallback, min, max, help, secret)                                               \
    {                                                                                                                      \
        env, type, (base) + offsetof(struct tk_mq_settings, member), fallback, min, max, "", help, secret                  \
    }
#define TK_MQ_TEXT(env, base, member, fallback, min, max, help, secret)                                                    \
    TK_MQ_ROW(env, TK_SETTING_TEXT, base, member, fallback, min, max, help, secret)

/** Rows of the table. `base`: offset of the struct tk_mq_settings in the program's configuration. */
#define TK_MQ_SETTINGS(base, queue_help)                                                                                   \
    TK_MQ_TEXT("RABBITMQ_URL", base, url, "amqp://guest:guest@127.0.0.1:5672/%2F", 1, 1024, "Message broker.", 0),         \
        TK_MQ_TEXT("RABBITMQ_HOST", base, host, "", 0, 255,                                                                \
                   "Alternative to RABBITMQ_URL: when set, the broker's address is made of these four settings.", 0),      \
        TK_MQ_ROW("RABBITMQ_PORT", TK_SETTING_INT, base, port, "5672", 1, 65535, "See RABBITMQ_HOST.", 0),                 \
        TK_MQ_TEXT("RABBITMQ_USER", base, user, "guest", 1, 255, "See RABBITMQ_HOST.", 0),                                 \
        TK_MQ_TEXT("RABBITMQ_PASSWORD", base, password, "guest", 0, 255, "See RABBITMQ_HOST.", 1),                         \
        TK_MQ_TEXT("RABBITMQ_EXCHANGE", base, exchange, TK_EXCHANGE_DEFAULT, 1, 200, "Topic exchange.", 0),                \
        TK_MQ_TEXT("RABBITMQ_QUEUE", base, queue, TK_QUEUE_DEFAULT, 1, 200, queue_help, 0)

/** Composes the URL, then complains with a `CONFIG:` line when it is none. */
TK_MUSTCHECK enum tk_err tk_mq_settings_check(struct tk_mq_settings *settings, FILE *complaints);

/** A connection for the messages of the contract. `ca_file`: as in struct tk_mq_config. Everything stays the caller's. */
struct tk_mq_config tk_mq_settings_connection(const struct tk_mq_settings *settings, const char *name, const char *ca_file);

#endif
