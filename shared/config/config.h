/**
 * Configuration: environment variables, read once at start through one table per program.
 *
 * Every problem is reported in one go, one clear line each, on stderr; the program then refuses to start. The same table
 * prints the effective settings (secrets masked) and generates docs/CONFIG.md.
 */
#ifndef TK_CONFIG_CONFIG_H
#define TK_CONFIG_CONFIG_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "shared/base/result.h"

enum tk_setting_type {
    TK_SETTING_TEXT,   /* const char * (process lifetime); min..max is the length in bytes */
    TK_SETTING_INT,    /* int64_t, min..max */
    TK_SETTING_BOOL,   /* bool; true/false, yes/no, on/off, 1/0 in any case */
    TK_SETTING_RATE,   /* double, 0..1 */
    TK_SETTING_LEVEL,  /* enum tk_log_level; debug, info, warning (warn), error (critical) in any case */
    TK_SETTING_CHOICE, /* const char *: one of the words in `unit` ("json|kv"), any case, stored lower-case */
};

/** One row of a table. */
struct tk_setting { // NOLINT(clang-analyzer-optin.performance.Padding): in the order a row reads best
    const char *env;
    enum tk_setting_type type;
    size_t offset;        /* into the program's config struct */
    const char *fallback; /* the default, as text; NULL: required */
    int64_t min;
    int64_t max;
    const char *unit; /* "ms", "s", "" */
    const char *help; /* one sentence */
    int secret;       /* masked wherever it is printed */
};

/**
 * Fills `config` from the environment. An empty variable counts as unset. On TK_ERR_INVALID every bad setting has been
 * named on `errors` (normally stderr), as `CONFIG: PORT="abc": expected an integer from 0 to 65535`.
 */
TK_MUSTCHECK enum tk_err tk_config_load(const struct tk_setting *settings, size_t count, void *config, FILE *errors);

/** Writes the table as a Markdown table, for docs/CONFIG.md. */
void tk_config_document(const struct tk_setting *settings, size_t count, FILE *out);

/** Logs one line per setting at info; secrets print as `***`, passwords inside URLs likewise. */
void tk_config_log(const struct tk_setting *settings, size_t count, const void *config);

#endif
