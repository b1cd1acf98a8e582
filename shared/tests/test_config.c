/* Settings: what is accepted, the exact refusals, masking, and the generated table. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/config/config.h"
#include "shared/log/log.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct config {
    const char *url;
    const char *key;
    int64_t port;
    bool metrics;
    double rate;
    enum tk_log_level level;
    const char *format;
};

static const struct tk_setting settings[] = {
    {"T_URL", TK_SETTING_TEXT, offsetof(struct config, url), "postgresql://u:p@127.0.0.1/db", 1, 100, "", "Database.", 0},
    {"T_KEY", TK_SETTING_TEXT, offsetof(struct config, key), NULL, 8, 64, "", "Signs tickets.", 1},
    {"T_PORT", TK_SETTING_INT, offsetof(struct config, port), "8000", 0, 65535, "", "Port.", 0},
    {"T_METRICS", TK_SETTING_BOOL, offsetof(struct config, metrics), "true", 0, 0, "", "Serves metrics.", 0},
    {"T_RATE", TK_SETTING_RATE, offsetof(struct config, rate), "1.0", 0, 1, "", "Success rate.", 0},
    {"T_LEVEL", TK_SETTING_LEVEL, offsetof(struct config, level), "info", 0, 0, "", "Least level.", 0},
    {"T_FORMAT", TK_SETTING_CHOICE, offsetof(struct config, format), "kv", 0, 0, "json|kv", "Log format.", 0},
};

static enum tk_err load(struct config *config, char *errors, size_t cap)
{
    FILE *stream = fmemopen(errors, cap, "w");
    cr_assert_not_null(stream);
    enum tk_err err = tk_config_load(settings, COUNT(settings), config, stream);
    fclose(stream);
    return err;
}

Test(config, defaults)
{
    struct config c = {0};
    char errors[1000] = "";
    setenv("T_KEY", "0123456789", 1);
    setenv("T_PORT", "", 1); /* empty counts as unset */
    cr_assert_eq(load(&c, errors, sizeof(errors)), TK_OK);
    cr_assert_str_empty(errors);
    cr_assert_str_eq(c.url, "postgresql://u:p@127.0.0.1/db");
    cr_assert_str_eq(c.key, "0123456789");
    cr_assert_eq(c.port, 8000);
    cr_assert(c.metrics);
    cr_assert_float_eq(c.rate, 1.0, 0);
    cr_assert_eq(c.level, TK_LOG_INFO);
    cr_assert_str_eq(c.format, "kv");
}

static struct config loaded_with(const char *env, const char *value)
{
    struct config c = {0};
    char errors[1000] = "";
    setenv("T_KEY", "0123456789", 1);
    setenv(env, value, 1);
    cr_expect_eq(load(&c, errors, sizeof(errors)), TK_OK, "%s=%s: %s", env, value, errors);
    unsetenv(env);
    return c;
}

Test(config, accepts)
{
    static const struct word {
        const char *text;
        bool value;
    } bools[] = {{"True", true},   {"YES", true}, {"on", true},   {"1", true},
                 {"FALSE", false}, {"No", false}, {"off", false}, {"0", false}};
    static const struct level {
        const char *text;
        enum tk_log_level level;
    } levels[] = {{"DEBUG", TK_LOG_DEBUG},  {"Info", TK_LOG_INFO},   {"WARNING", TK_LOG_WARNING},
                  {"warn", TK_LOG_WARNING}, {"error", TK_LOG_ERROR}, {"CRITICAL", TK_LOG_ERROR}};
    for (size_t i = 0; i < COUNT(bools); i++)
        cr_expect_eq(loaded_with("T_METRICS", bools[i].text).metrics, bools[i].value, "%s", bools[i].text);
    for (size_t i = 0; i < COUNT(levels); i++)
        cr_expect_eq(loaded_with("T_LEVEL", levels[i].text).level, levels[i].level, "%s", levels[i].text);
    cr_expect_float_eq(loaded_with("T_RATE", "0.25").rate, 0.25, 0);
    cr_expect_float_eq(loaded_with("T_RATE", "0").rate, 0, 0);
    cr_expect_str_eq(loaded_with("T_FORMAT", "JSON").format, "json");
    cr_expect_eq(loaded_with("T_PORT", "65535").port, 65535);
}

Test(config, refusals)
{
    static const struct {
        const char *env;
        const char *value;
        const char *line;
    } rows[] = {
        {"T_PORT", "abc", "CONFIG: T_PORT=\"abc\": expected an integer from 0 to 65535\n"},
        {"T_PORT", "65536", "CONFIG: T_PORT=\"65536\": expected an integer from 0 to 65535\n"},
        {"T_PORT", "-1", "CONFIG: T_PORT=\"-1\": expected an integer from 0 to 65535\n"},
        {"T_PORT", "80 ", "CONFIG: T_PORT=\"80 \": expected an integer from 0 to 65535\n"},
        {"T_PORT", "1\n2", "CONFIG: T_PORT=\"1?2\": expected an integer from 0 to 65535\n"},
        {"T_METRICS", "maybe", "CONFIG: T_METRICS=\"maybe\": expected true or false\n"},
        {"T_RATE", "1.01", "CONFIG: T_RATE=\"1.01\": expected a decimal from 0 to 1\n"},
        {"T_RATE", "nan", "CONFIG: T_RATE=\"nan\": expected a decimal from 0 to 1\n"},
        {"T_RATE", "-0.5", "CONFIG: T_RATE=\"-0.5\": expected a decimal from 0 to 1\n"},
        {"T_RATE", "0x1", "CONFIG: T_RATE=\"0x1\": expected a decimal from 0 to 1\n"},
        {"T_RATE", ".", "CONFIG: T_RATE=\".\": expected a decimal from 0 to 1\n"},
        {"T_LEVEL", "loud", "CONFIG: T_LEVEL=\"loud\": expected one of debug, info, warning, error\n"},
        {"T_FORMAT", "xml", "CONFIG: T_FORMAT=\"xml\": expected one of json, kv\n"},
        {"T_FORMAT", "json|kv", "CONFIG: T_FORMAT=\"json|kv\": expected one of json, kv\n"},
        {"T_KEY", "short", "CONFIG: T_KEY=\"***\": expected text of 8 to 64 bytes\n"},
        {"T_KEY", "", "CONFIG: T_KEY is not set: expected text of 8 to 64 bytes\n"},
        {"T_URL", "http://u:hunter2@h/\x01", "CONFIG: T_URL=\"http://u:***@h/?\": expected text of 1 to 100 bytes\n"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct config c = {0};
        char errors[1000] = "";
        setenv("T_KEY", "0123456789", 1);
        setenv(rows[i].env, rows[i].value, 1);
        cr_expect_eq(load(&c, errors, sizeof(errors)), TK_ERR_INVALID, "%s=%s", rows[i].env, rows[i].value);
        cr_expect_str_eq(errors, rows[i].line);
        unsetenv(rows[i].env);
    }
}

Test(config, every_problem_in_one_go)
{
    struct config c = {0};
    char errors[1000] = "";
    setenv("T_PORT", "x", 1);
    setenv("T_RATE", "2", 1);
    cr_assert_eq(load(&c, errors, sizeof(errors)), TK_ERR_INVALID);
    cr_assert_not_null(strstr(errors, "T_KEY is not set"));
    cr_assert_not_null(strstr(errors, "T_PORT"));
    cr_assert_not_null(strstr(errors, "T_RATE"));
}

Test(config, document)
{
    char text[4000] = "";
    FILE *stream = fmemopen(text, sizeof(text), "w");
    tk_config_document(settings, COUNT(settings), stream);
    fclose(stream);
    cr_expect_not_null(strstr(text, "|---|---|---|---|\n"));
    cr_expect_not_null(strstr(text, "| `T_PORT` | `8000` | an integer from 0 to 65535 | Port. |\n"), "%s", text);
    cr_expect_not_null(strstr(text, "| `T_KEY` | required | text of 8 to 64 bytes | Signs tickets. |\n"), "%s", text);
    cr_expect_not_null(strstr(text, "| `T_FORMAT` | `kv` | one of json, kv | Log format. |\n"), "%s", text);
}

Test(config, document_says_units_and_hides_secret_defaults)
{
    static const struct tk_setting rows[] = {
        {"T_TTL", TK_SETTING_INT, 0, "10000", 1, 60000, "ms", "Either a|b.", 0},
        {"T_SECRET", TK_SETTING_TEXT, 0, "hunter2", 1, 60, "", "Known.", 1},
        {"T_NOTE", TK_SETTING_TEXT, 0, "", 0, 60, "", "Free.", 0},
    };
    char text[4000] = "";
    FILE *stream = fmemopen(text, sizeof(text), "w");
    tk_config_document(rows, COUNT(rows), stream);
    fclose(stream);
    cr_expect_not_null(strstr(text, "| `T_TTL` | `10000` | an integer from 1 to 60000 (ms) | Either a\\|b. |\n"), "%s",
                       text);
    cr_expect_not_null(strstr(text, "| `T_SECRET` | `***` | text of 1 to 60 bytes | Known. |\n"), "%s", text);
    cr_expect_not_null(strstr(text, "| `T_NOTE` | empty | text of 0 to 60 bytes | Free. |\n"), "%s", text);
}

static size_t read_stderr(char *text, size_t cap)
{
    fflush(stderr);
    size_t len = fread(text, 1, cap - 1, cr_get_redirected_stderr());
    text[len] = '\0';
    return len;
}

Test(config, log_masks_secrets, .init = cr_redirect_stderr)
{
    static const struct {
        const char *url;
        const char *shown;
    } rows[] = {
        {"amqp://guest:s3cret@h:5672/%2F", "amqp://guest:***@h:5672/%2F"},
        {"amqp://guest:s3:cr@et@h", "amqp://guest:***@h"},
        {"postgresql://h/db?user=u&password=s3cret&x=1", "postgresql://h/db?user=u&password=***&x=1"},
        {"host=h password=s3cret dbname=d", "host=h password=*** dbname=d"},
        {"http://h:80/a:b@c", "http://h:80/a:b@c"},
        {"redis://:s3cret@h", "redis://:***@h"},
    };
    char text[20000];
    tk_log_init("test", TK_LOG_INFO, true);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct config c = {.url = rows[i].url, .key = "s3cret-key", .format = "kv"};
        tk_config_log(settings, COUNT(settings), &c);
    }
    read_stderr(text, sizeof(text));
    cr_expect_null(strstr(text, "s3c"), "%s", text);
    cr_expect_not_null(strstr(text, "\"name\":\"T_KEY\",\"value\":\"***\""), "%s", text);
    cr_expect_not_null(strstr(text, "\"name\":\"T_PORT\",\"value\":\"0\""), "%s", text);
    for (size_t i = 0; i < COUNT(rows); i++)
        cr_expect_not_null(strstr(text, rows[i].shown), "%s", rows[i].shown);
}
