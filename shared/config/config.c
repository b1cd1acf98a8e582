/*
 * Settings from the environment, by table. One row of `kinds` per setting type knows how to parse, how to say what it
 * expects and how to print; the rest is the same for all.
 */
#include "shared/config/config.h"

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/str.h"
#include "shared/log/log.h"

#define MAX_DECIMAL ((size_t)31)
#define MAX_SHOWN   ((size_t)200) /* characters of a wrong value in an error line */

/* --- parsing ------------------------------------------------------------------------------------------------------ */

/* Texts live as long as the process; this keeps them in sight of a leak checker. */
static struct tk_arena texts;

static char *copy_lower(struct tk_slice text)
{
    char *copy = tk_slice_dup(&texts, text);
    for (size_t i = 0; i < text.len; i++) {
        if (copy[i] >= 'A' && copy[i] <= 'Z')
            copy[i] = (char)(copy[i] - 'A' + 'a');
    }
    return copy;
}

static enum tk_err parse_text(const struct tk_setting *s, struct tk_slice text, void *out)
{
    if (!tk_utf8_is_text(text) || (int64_t)text.len < s->min || (int64_t)text.len > s->max)
        return TK_ERR_INVALID;
    *(const char **)out = tk_slice_dup(&texts, text);
    return TK_OK;
}

static enum tk_err parse_int(const struct tk_setting *s, struct tk_slice text, void *out)
{
    int64_t value;
    if (tk_parse_i64(text, &value) || value < s->min || value > s->max)
        return TK_ERR_INVALID;
    *(int64_t *)out = value;
    return TK_OK;
}

struct word {
    const char *text;
    int value;
};

static enum tk_err find_word(const struct word *words, size_t count, struct tk_slice text, int *value)
{
    for (size_t i = 0; i < count; i++) {
        if (tk_slice_ieq_str(text, words[i].text)) {
            *value = words[i].value;
            return TK_OK;
        }
    }
    return TK_ERR_INVALID;
}

static enum tk_err parse_bool(const struct tk_setting *s, struct tk_slice text, void *out)
{
    static const struct word words[] = {{"true", 1},  {"yes", 1}, {"on", 1},  {"1", 1},
                                        {"false", 0}, {"no", 0},  {"off", 0}, {"0", 0}};
    (void)s;
    int value;
    if (find_word(words, sizeof(words) / sizeof(words[0]), text, &value))
        return TK_ERR_INVALID;
    *(bool *)out = value != 0;
    return TK_OK;
}

static enum tk_err parse_level(const struct tk_setting *s, struct tk_slice text, void *out)
{
    static const struct word words[] = {{"debug", TK_LOG_DEBUG},  {"info", TK_LOG_INFO},   {"warning", TK_LOG_WARNING},
                                        {"warn", TK_LOG_WARNING}, {"error", TK_LOG_ERROR}, {"critical", TK_LOG_ERROR}};
    (void)s;
    int value;
    if (find_word(words, sizeof(words) / sizeof(words[0]), text, &value))
        return TK_ERR_INVALID;
    *(enum tk_log_level *)out = (enum tk_log_level)value;
    return TK_OK;
}

/* Digits with at most one point: strtod() alone would take "nan", "0x1p-1" and " 1". */
static bool is_plain_decimal(struct tk_slice text)
{
    size_t digits = 0;
    size_t points = 0;
    for (size_t i = 0; i < text.len; i++) {
        digits += text.ptr[i] >= '0' && text.ptr[i] <= '9';
        points += text.ptr[i] == '.';
    }
    return digits > 0 && points <= 1 && digits + points == text.len && text.len <= MAX_DECIMAL;
}

static enum tk_err parse_rate(const struct tk_setting *s, struct tk_slice text, void *out)
{
    char copy[MAX_DECIMAL + 1] = {0};
    (void)s;
    if (!is_plain_decimal(text))
        return TK_ERR_INVALID;
    memcpy(copy, text.ptr, text.len);
    double value = strtod(copy, NULL);
    if (value > 1.0)
        return TK_ERR_INVALID;
    *(double *)out = value;
    return TK_OK;
}

static enum tk_err parse_choice(const struct tk_setting *s, struct tk_slice text, void *out)
{
    const char *lower = copy_lower(text);
    for (const char *word = s->unit; *word != '\0';) {
        size_t len = strcspn(word, "|");
        if (tk_slice_eq_str((struct tk_slice){.ptr = word, .len = len}, lower)) {
            *(const char **)out = lower;
            return TK_OK;
        }
        word += len + (word[len] == '|');
    }
    return TK_ERR_INVALID;
}

/* --- saying what is expected -------------------------------------------------------------------------------------- */

static void expect_text(const struct tk_setting *s, struct tk_buf *out)
{
    tk_buf_appendf(out, "text of %" PRId64 " to %" PRId64 " bytes", s->min, s->max);
}

static void expect_int(const struct tk_setting *s, struct tk_buf *out)
{
    tk_buf_appendf(out, "an integer from %" PRId64 " to %" PRId64, s->min, s->max);
}

static void expect_bool(const struct tk_setting *s, struct tk_buf *out)
{
    (void)s;
    tk_buf_append_str(out, "true or false");
}

static void expect_rate(const struct tk_setting *s, struct tk_buf *out)
{
    (void)s;
    tk_buf_append_str(out, "a decimal from 0 to 1");
}

static void expect_level(const struct tk_setting *s, struct tk_buf *out)
{
    (void)s;
    tk_buf_append_str(out, "one of debug, info, warning, error");
}

static void expect_choice(const struct tk_setting *s, struct tk_buf *out)
{
    tk_buf_append_str(out, "one of ");
    for (const char *at = s->unit; *at != '\0'; at++) {
        if (*at == '|')
            tk_buf_append_str(out, ", ");
        else
            tk_buf_append_char(out, *at);
    }
}

/* --- printing ----------------------------------------------------------------------------------------------------- */

static void print_text(const void *value, struct tk_buf *out)
{
    tk_buf_append_str(out, *(const char *const *)value);
}

static void print_int(const void *value, struct tk_buf *out)
{
    tk_buf_append_i64(out, *(const int64_t *)value);
}

static void print_bool(const void *value, struct tk_buf *out)
{
    tk_buf_append_str(out, *(const bool *)value ? "true" : "false");
}

static void print_rate(const void *value, struct tk_buf *out)
{
    tk_buf_appendf(out, "%g", *(const double *)value);
}

static void print_level(const void *value, struct tk_buf *out)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    tk_buf_append_str(out, names[*(const enum tk_log_level *)value]);
}

struct kind {
    const char *name;
    enum tk_err (*parse)(const struct tk_setting *setting, struct tk_slice text, void *out);
    void (*expect)(const struct tk_setting *setting, struct tk_buf *out);
    void (*print)(const void *value, struct tk_buf *out);
};

static const struct kind kinds[] = {
    [TK_SETTING_TEXT] = {"text", parse_text, expect_text, print_text},
    [TK_SETTING_INT] = {"integer", parse_int, expect_int, print_int},
    [TK_SETTING_BOOL] = {"boolean", parse_bool, expect_bool, print_bool},
    [TK_SETTING_RATE] = {"decimal", parse_rate, expect_rate, print_rate},
    [TK_SETTING_LEVEL] = {"level", parse_level, expect_level, print_level},
    [TK_SETTING_CHOICE] = {"choice", parse_choice, expect_choice, print_text},
};

/* --- secrets ------------------------------------------------------------------------------------------------------ */

static struct tk_slice between(const char *from, const char *to)
{
    return (struct tk_slice){.ptr = from, .len = (size_t)(to - from)};
}

/* The password of `scheme://user:password@host`, as a slice of `text`; empty when there is none. */
static struct tk_slice url_password(const char *text)
{
    const char *authority = strstr(text, "://");
    if (authority == NULL)
        return (struct tk_slice){0};
    authority += 3;
    const char *end = authority + strcspn(authority, "/?#");
    const char *at_sign = memrchr(authority, '@', (size_t)(end - authority));
    const char *colon = at_sign != NULL ? memchr(authority, ':', (size_t)(at_sign - authority)) : NULL;
    return colon != NULL ? between(colon + 1, at_sign) : (struct tk_slice){0};
}

/* The value of `password=`, as a URL parameter or in libpq's key=value form. */
static struct tk_slice password_parameter(const char *text)
{
    const char *name = strcasestr(text, "password=");
    if (name == NULL)
        return (struct tk_slice){0};
    const char *value = name + strlen("password=");
    return between(value, value + strcspn(value, "& "));
}

static void append_masked(struct tk_buf *out, const char *text)
{
    struct tk_slice secret = url_password(text);
    if (secret.len == 0)
        secret = password_parameter(text);
    if (secret.len == 0) {
        tk_buf_append_str(out, text);
        return;
    }
    tk_buf_append_slice(out, between(text, secret.ptr));
    tk_buf_append_str(out, "***");
    append_masked(out, secret.ptr + secret.len);
}

/* --- loading ------------------------------------------------------------------------------------------------------ */

static void report(const struct tk_setting *s, const char *value, FILE *errors)
{
    struct tk_buf line = TK_BUF_INIT(4096);
    if (value == NULL) {
        tk_buf_appendf(&line, "CONFIG: %s is not set: expected ", s->env);
    } else {
        struct tk_buf shown = TK_BUF_INIT(65536);
        append_masked(&shown, s->secret ? "***" : value);
        for (size_t i = 0; i < shown.len; i++) { /* one line, whatever the value holds */
            if ((unsigned char)shown.ptr[i] < 0x20)
                shown.ptr[i] = '?';
        }
        tk_buf_appendf(&line, "CONFIG: %s=\"%.*s\": expected ", s->env,
                       (int)(shown.len < MAX_SHOWN ? shown.len : MAX_SHOWN), shown.ptr);
        tk_buf_release(&shown);
    }
    kinds[s->type].expect(s, &line);
    fprintf(errors, "%.*s\n", (int)line.len, line.ptr);
    tk_buf_release(&line);
}

static enum tk_err load_one(const struct tk_setting *s, char *config, FILE *errors)
{
    const char *value = getenv(s->env);
    bool given = value != NULL && *value != '\0';
    if (!given)
        value = s->fallback;
    if (value != NULL && !kinds[s->type].parse(s, tk_slice_of(value), config + s->offset))
        return TK_OK;
    assert(given || s->fallback == NULL); /* a default that its own row refuses is our mistake */
    report(s, value, errors);
    return TK_ERR_INVALID;
}

enum tk_err tk_config_load(const struct tk_setting *settings, size_t count, void *config, FILE *errors)
{
    enum tk_err result = TK_OK;
    for (size_t i = 0; i < count; i++) {
        if (load_one(&settings[i], config, errors))
            result = TK_ERR_INVALID;
    }
    return result;
}

/* --- showing ------------------------------------------------------------------------------------------------------ */

/* A cell of a Markdown table: a bar would end it. */
static void print_cell(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '|')
            fputc('\\', out);
        fputc(*text, out);
    }
}

static void document_default(const struct tk_setting *s, FILE *out)
{
    if (s->fallback == NULL)
        fputs("required", out);
    else if (*s->fallback == '\0')
        fputs("empty", out);
    else if (s->secret)
        fputs("`***`", out);
    else
        fprintf(out, "`%s`", s->fallback);
}

static void document_values(const struct tk_setting *s, FILE *out)
{
    struct tk_buf text = TK_BUF_INIT(4096);
    kinds[s->type].expect(s, &text);
    tk_buf_append_char(&text, '\0');
    print_cell(out, text.ptr);
    if (s->type != TK_SETTING_CHOICE && s->unit != NULL && *s->unit != '\0')
        fprintf(out, " (%s)", s->unit);
    tk_buf_release(&text);
}

void tk_config_document(const struct tk_setting *settings, size_t count, FILE *out)
{
    fputs("| Variable | Default | Values | Meaning |\n|---|---|---|---|\n", out);
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "| `%s` | ", settings[i].env);
        document_default(&settings[i], out);
        fputs(" | ", out);
        document_values(&settings[i], out);
        fputs(" | ", out);
        print_cell(out, settings[i].help);
        fputs(" |\n", out);
    }
}

void tk_config_log(const struct tk_setting *settings, size_t count, const void *config)
{
    for (size_t i = 0; i < count; i++) {
        const struct tk_setting *s = &settings[i];
        struct tk_buf plain = TK_BUF_INIT(65536);
        struct tk_buf shown = TK_BUF_INIT(65536);
        kinds[s->type].print((const char *)config + s->offset, &plain);
        tk_buf_append_char(&plain, '\0');
        append_masked(&shown, s->secret && plain.len > 1 ? "***" : plain.ptr);
        tk_log(TK_LOG_INFO, "setting", TK_KV_STR("name", s->env), TK_KV_SLICE("value", tk_buf_slice(&shown)));
        tk_buf_release(&shown);
        tk_buf_release(&plain);
    }
}
