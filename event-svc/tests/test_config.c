/*
 * Settings: defaults, the broker's address in parts, nonsense.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "event-svc/config.h"

static void clear(void)
{
    for (size_t i = 0; i < event_setting_count; i++)
        unsetenv(event_settings[i].env);
}

TestSuite(event_config, .init = clear);

Test(event_config, defaults_work)
{
    struct event_config config;
    cr_assert_eq(event_config_load(&config), TK_OK);
    cr_expect_eq(config.port, 8000);
    cr_expect_str_eq(config.broker.queue, "event_service_queue");
    cr_expect_str_eq(config.broker.url, "amqp://guest:guest@127.0.0.1:5672/%2F");
    cr_expect_not(config.auto_migrate);
    cr_expect(config.enable_metrics);
}

Test(event_config, the_broker_may_come_in_parts)
{
    struct event_config config;
    setenv("RABBITMQ_HOST", "rabbit", 1);
    setenv("RABBITMQ_PORT", "5673", 1);
    setenv("RABBITMQ_PASSWORD", "p@ss/word", 1);
    cr_assert_eq(event_config_load(&config), TK_OK);
    cr_expect_str_eq(config.broker.url, "amqp://guest:p%40ss%2Fword@rabbit:5673/%2F");
    free((void *)(uintptr_t)config.broker.url);
}

Test(event_config, nonsense_is_refused)
{
    static const char *const bad[][2] = {
        {"PORT", "70000"},
        {"PORT", "http"},
        {"LOG_LEVEL", "loud"},
        {"AUTO_MIGRATE", "perhaps"},
        {"RABBITMQ_URL", "http://x"},
        {"SEAT_BATCH_ITEMS", "0"},
        {"LOG_FORMAT", "xml"},
        {"SEAT_MAP_CACHE_MB", "-1"},
    };
    struct event_config config;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        clear();
        setenv(bad[i][0], bad[i][1], 1);
        cr_expect_eq(event_config_load(&config), TK_ERR_INVALID, "%s=%s", bad[i][0], bad[i][1]);
    }
}

Test(event_config, every_setting_has_a_help_text)
{
    for (size_t i = 0; i < event_setting_count; i++)
        cr_expect_gt(strlen(event_settings[i].help), 5, "%s", event_settings[i].env);
}
