/**
 * verify: do both databases agree? Settings as booking-worker's, of which it uses the two databases and the graces.
 */
#include <stdio.h>
#include <string.h>

#include "booking-worker/app/verify.h"
#include "booking-worker/config.h"
#include "shared/base/clock.h"

#define STATEMENT_TIMEOUT_MS 300000 /* sorting a few million rows on a slow disk */
#define DEFAULT_LIMIT        100
#define MAX_GRACE_S          3600
#define MAX_LIMIT            1000000

enum { COULD_NOT = 2 };

struct options {
    int64_t limit;
    int64_t grace_s; /* negative: as the settings say */
};

static int usage(FILE *out, int status)
{
    fputs("usage: verify [--limit N] [--grace SECONDS]\n"
          "Compares event_service (EVENT_DATABASE_URL) with booking_db (DATABASE_URL), also while they are in use.\n"
          "  --limit N        divergences printed, one a line (100)\n"
          "  --grace SECONDS  how long work under way may take (CONSISTENCY_GRACE_SECONDS)\n"
          "Exit status: 0 they agree, 1 they diverge, 2 it could not be found out.\n",
          out);
    return status;
}

static bool read_number(const char *text, int64_t max, int64_t *out)
{
    return text != NULL && tk_parse_i64(tk_slice_of(text), out) == TK_OK && *out >= 0 && *out <= max;
}

static bool read_options(int argc, char **argv, struct options *options)
{
    for (int i = 1; i < argc; i += 2) {
        bool fine = false;
        if (strcmp(argv[i], "--limit") == 0)
            fine = read_number(argv[i + 1], MAX_LIMIT, &options->limit);
        else if (strcmp(argv[i], "--grace") == 0)
            fine = read_number(argv[i + 1], MAX_GRACE_S, &options->grace_s);
        if (!fine)
            return false;
    }
    return true;
}

static int verify_with(const struct worker_config *config, const struct options *options)
{
    int64_t grace_s = options->grace_s < 0 ? config->consistency_grace_s : options->grace_s;
    struct verify verify = {
        .events = event_ledger_new("verify", config->event_database_url, STATEMENT_TIMEOUT_MS),
        .bookings = booking_ledger_new("verify", config->database_url, STATEMENT_TIMEOUT_MS),
        .patience = {.grace_us = grace_s * TK_US_PER_S,
                     .stuck_us = (config->paying_settle_after_s + grace_s) * TK_US_PER_S},
        .grace_us = grace_s * TK_US_PER_S,
        .message_age_s = config->outbox_max_age_s,
        .limit = (size_t)options->limit,
        .out = stdout,
    };
    int verdict = verify_run(&verify);
    event_ledger_free(verify.events);
    booking_ledger_free(verify.bookings);
    return verdict;
}

int main(int argc, char **argv)
{
    struct worker_config config;
    struct options options = {.limit = DEFAULT_LIMIT, .grace_s = -1};
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return usage(stdout, 0);
    if (!read_options(argc, argv, &options))
        return usage(stderr, COULD_NOT);
    if (worker_config_load(&config) != TK_OK)
        return COULD_NOT;
    tk_log_init("verify", config.log_level, strcmp(config.log_format, "json") == 0);
    return verify_with(&config, &options);
}
