/**
 * Command line of the load generator; `loadgen --help` prints the list.
 */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

enum workload {
    WORKLOAD_RESERVE, /* hold seats that are free */
    WORKLOAD_BOOKING, /* hold seats, then confirm */
    WORKLOAD_REFUSE,  /* ask again and again for seats that are taken */
    WORKLOAD_GET,     /* one path, as it is */
    WORKLOAD_BEST,    /* so many seats of a section, whichever the server chooses */
};

struct options {
    enum workload workload;
    int port;
    int connections;
    double rate;    /* jobs per second, Poisson arrivals; 0: closed loop, every connection asks again when answered */
    double seconds; /* measured part, after `warmup` seconds */
    double warmup;
    const char *seats_file; /* lines "session_id session_seat_id", the seats of a session together; WORKLOAD_BEST:
                               "session_id section", chosen at random */
    int skip;               /* lines of it to leave out: used by an earlier run */
    int seats_min;          /* in a reservation, uniform */
    int seats_max;
    int requests;       /* WORKLOAD_BEST: to be answered with other than 503; then the run ends */
    const char *path;   /* WORKLOAD_GET */
    const char *header; /* WORKLOAD_GET: one more line of the request's head, e.g. "if-none-match: …" */
    const char
        *answers_file; /* every 201 ("created ID") and 200 to a confirm ("confirmed ID"), for the correctness check */
    const char *quantiles_file;
};

/** Prints what is wrong and ends the program when the command line makes no sense. */
void options_parse(struct options *opt, int argc, char **argv);

#endif
