/* One table row per option: name, what it means, and the setter. */
#include "bench/options.h"

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/str.h"

enum option_type { OPTION_WHOLE, OPTION_NUMBER, OPTION_TEXT, OPTION_WORKLOAD };

struct option_row {
    const char *name;
    enum option_type type;
    size_t member;
    const char *help;
};

#define MEMBER(name) offsetof(struct options, name)

static const struct option_row rows[] = {
    {"workload", OPTION_WORKLOAD, MEMBER(workload), "reserve, booking, refuse, get or best"},
    {"port", OPTION_WHOLE, MEMBER(port), "of the service, at 127.0.0.1"},
    {"connections", OPTION_WHOLE, MEMBER(connections), "keep-alive connections, 64"},
    {"rate", OPTION_NUMBER, MEMBER(rate), "jobs per second; 0: closed loop"},
    {"seconds", OPTION_NUMBER, MEMBER(seconds), "measured, 10"},
    {"warmup", OPTION_NUMBER, MEMBER(warmup), "seconds before that, 2"},
    {"seats", OPTION_TEXT, MEMBER(seats_file),
     "file of \"session_id session_seat_id\" lines; for best: \"session_id section\""},
    {"skip", OPTION_WHOLE, MEMBER(skip), "lines of that file to leave out"},
    {"min", OPTION_WHOLE, MEMBER(seats_min), "fewest seats in a reservation, 1"},
    {"max", OPTION_WHOLE, MEMBER(seats_max), "most seats in a reservation, 4"},
    {"requests", OPTION_WHOLE, MEMBER(requests), "for best: how many"},
    {"path", OPTION_TEXT, MEMBER(path), "for get"},
    {"header", OPTION_TEXT, MEMBER(header), "for get: one more header line"},
    {"answers", OPTION_TEXT, MEMBER(answers_file), "file for the ids that were answered"},
    {"quantiles", OPTION_TEXT, MEMBER(quantiles_file), "file for the latency distribution"},
};
#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

static _Noreturn void usage(void)
{
    fprintf(stderr, "usage: loadgen --workload NAME [options]\n");
    for (size_t i = 0; i < ROW_COUNT; i++)
        fprintf(stderr, "  --%-12s %s\n", rows[i].name, rows[i].help);
    exit(2);
}

static int whole(const char *text)
{
    int64_t value;
    if (tk_parse_i64(tk_slice_of(text), &value) != TK_OK || value < 0 || value > 100000000)
        usage();
    return (int)value;
}

static double number(const char *text)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value >= 0))
        usage();
    return value;
}

static enum workload workload_of(const char *name)
{
    static const char *const names[] = {"reserve", "booking", "refuse", "get", "best"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(names[i], name) == 0)
            return (enum workload)i;
    usage();
}

static void set(struct options *opt, const struct option_row *row, const char *value)
{
    void *member = (char *)opt + row->member;
    switch (row->type) {
    case OPTION_WHOLE:
        *(int *)member = whole(value);
        break;
    case OPTION_NUMBER:
        *(double *)member = number(value);
        break;
    case OPTION_TEXT:
        *(const char **)member = value;
        break;
    case OPTION_WORKLOAD:
        *(enum workload *)member = workload_of(value);
        break;
    }
}

static bool makes_sense(const struct options *opt)
{
    bool has_input = opt->workload == WORKLOAD_GET ? opt->path != NULL : opt->seats_file != NULL;
    bool has_end = opt->workload != WORKLOAD_BEST || opt->requests > 0;
    return has_input && has_end && opt->port > 0 && opt->port < 65536 && opt->connections > 0 && opt->seats_min > 0 &&
           opt->seats_max >= opt->seats_min && opt->seconds > 0;
}

void options_parse(struct options *opt, int argc, char **argv)
{
    struct option list[ROW_COUNT + 1] = {0};
    int index = 0;
    for (size_t i = 0; i < ROW_COUNT; i++)
        list[i] = (struct option){.name = rows[i].name, .has_arg = required_argument};
    *opt = (struct options){.connections = 64, .seconds = 10, .warmup = 2, .seats_min = 1, .seats_max = 4};
    int letter;
    while ((letter = getopt_long(argc, argv, "", list, &index)) == 0)
        set(opt, &rows[index], optarg);
    if (letter != -1 || optind != argc || !makes_sense(opt))
        usage();
}
