#include "tests/chaos/plan.h"

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/fault.h"
#include "shared/base/mem.h"

#define CALM_MS        2000 /* at the beginning: the first sales happen undisturbed */
#define CRASH_EVERY_MS 1500
#define MAX_LINE       256
#define MAX_WORD       64
#define MAX_SKIPPED    8

const char *const PROCESS_NAMES[PROCESS_COUNT] = {"event-svc", "booking-svc", "booking-worker",
                                                  "postgres",  "redis",       "rabbitmq"};

/* A link is named after who calls and who is called. */
const char *const LINK_NAMES[] = {"client-booking",   "booking-event",  "booking-postgres", "booking-redis",
                                  "booking-rabbitmq", "event-postgres", "event-rabbitmq",   "worker-postgres",
                                  "worker-event",     "worker-booking", "worker-redis",     "worker-rabbitmq"};
const int LINK_COUNT = (int)(sizeof(LINK_NAMES) / sizeof(LINK_NAMES[0]));

static const char *const FAULT_NAMES[FAULT_COUNT] = {"kill", "stop",  "term",  "flush",    "delay", "stall",
                                                     "hole", "cut",   "reset", "truncate", "chop",  "crash",
                                                     "fill", "clock", "drift", "poison"};

#define POINT_NAME(name, program) #name,
static const char *const POINT_NAMES[TK_FAULT_POINT_COUNT] = {TK_FAULT_POINTS(POINT_NAME)};

/* What may be under way at the same time, each drawn from a stream of its own. */
enum track { TRACK_PROCESSES, TRACK_LINKS, TRACK_POINTS, TRACK_COUNT };

/* --- chance -------------------------------------------------------------------------------------------------------- */

uint64_t chance_next(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

int64_t chance_between(uint64_t *state, int64_t low, int64_t high)
{
    return low + (int64_t)(chance_next(state) % (uint64_t)(high - low + 1));
}

/* --- making a schedule --------------------------------------------------------------------------------------------- */

/* How often each fault is drawn, and how long it lasts. Servers that take long to come back are killed less often. */
struct choice {
    enum fault fault;
    enum process process; /* faults of processes only */
    int weight;
    int64_t min_ms;
    int64_t max_ms;
};

static const struct choice PROCESS_CHOICES[] = {
    {FAULT_KILL, PROCESS_BOOKING_SVC, 8, 0, 1500},   {FAULT_KILL, PROCESS_EVENT_SVC, 8, 0, 1500},
    {FAULT_KILL, PROCESS_WORKER, 6, 0, 3000},        {FAULT_KILL, PROCESS_POSTGRES, 3, 0, 1500},
    {FAULT_KILL, PROCESS_REDIS, 4, 0, 4000},         {FAULT_KILL, PROCESS_RABBITMQ, 1, 0, 3000},
    {FAULT_STOP, PROCESS_BOOKING_SVC, 5, 100, 4000}, {FAULT_STOP, PROCESS_EVENT_SVC, 5, 100, 4000},
    {FAULT_STOP, PROCESS_WORKER, 4, 100, 12000},     {FAULT_STOP, PROCESS_POSTGRES, 3, 100, 3000},
    {FAULT_STOP, PROCESS_REDIS, 4, 100, 6000},       {FAULT_STOP, PROCESS_RABBITMQ, 3, 100, 8000},
    {FAULT_TERM, PROCESS_BOOKING_SVC, 2, 0, 1000},   {FAULT_TERM, PROCESS_EVENT_SVC, 2, 0, 1000},
    {FAULT_TERM, PROCESS_WORKER, 1, 0, 1000},        {FAULT_FLUSH, PROCESS_REDIS, 3, 0, 0},
    {FAULT_FILL, PROCESS_POSTGRES, 1, 2000, 5000},   {FAULT_CLOCK, PROCESS_BOOKING_SVC, 2, 1000, 8000},
    {FAULT_CLOCK, PROCESS_EVENT_SVC, 2, 1000, 8000}, {FAULT_CLOCK, PROCESS_WORKER, 2, 1000, 8000},
};

static const struct choice LINK_CHOICES[] = {
    {FAULT_DELAY, 0, 4, 500, 5000}, {FAULT_STALL, 0, 4, 200, 5000},    {FAULT_HOLE, 0, 4, 200, 5000},
    {FAULT_CUT, 0, 3, 100, 4000},   {FAULT_TRUNCATE, 0, 4, 200, 3000}, {FAULT_CHOP, 0, 4, 200, 3000},
    {FAULT_RESET, 0, 4, 0, 0},
};

/* Points in the hot path are passed hundreds of times a second, the others now and then: those are armed at once. */
static struct event draw_crash(bool storm, uint64_t *chance)
{
    struct event event = {.fault = FAULT_CRASH};
    event.target = (int)chance_between(chance, 0, TK_FAULT_POINT_COUNT - 1);
    event.for_ms = storm ? 0 : chance_between(chance, 0, CRASH_EVERY_MS);
    event.argument = storm || chance_between(chance, 0, 1) ? 1 : chance_between(chance, 2, 20);
    return event;
}

static bool possible(const struct choice *choice, struct plan_means means)
{
    return (choice->fault != FAULT_FILL || means.disks) && (choice->fault != FAULT_CLOCK || means.clocks);
}

static const struct choice *draw(const struct choice *choices, size_t count, struct plan_means means, uint64_t *chance)
{
    int total = 0;
    for (size_t i = 0; i < count; i++)
        total += possible(&choices[i], means) ? choices[i].weight : 0;
    int64_t at = chance_between(chance, 0, total - 1);
    for (size_t i = 0; i < count; i++) {
        at -= possible(&choices[i], means) ? choices[i].weight : 0;
        if (at < 0)
            return &choices[i];
    }
    return &choices[0];
}

static int64_t draw_argument(enum fault fault, uint64_t *chance)
{
    static const int64_t SKEWS_MS[] = {-3600000, 3600000, -90000, 90000, 700};
    switch (fault) {
    case FAULT_DELAY: /* beyond some deadlines, within others */
        return chance_between(chance, 0, 3) ? chance_between(chance, 5, 120) : chance_between(chance, 300, 1500);
    case FAULT_TRUNCATE:
    case FAULT_CHOP: /* within the first answer, or some hundred answers later */
        return chance_between(chance, 0, 1) ? chance_between(chance, 1, 400) : chance_between(chance, 1000, 200000);
    case FAULT_CLOCK:
        return SKEWS_MS[chance_between(chance, 0, (int64_t)(sizeof(SKEWS_MS) / sizeof(SKEWS_MS[0])) - 1)];
    default:
        return 0;
    }
}

static struct event draw_event(enum track track, struct plan_means means, uint64_t *chance)
{
    const bool on_link = track == TRACK_LINKS;
    if (track == TRACK_POINTS)
        return draw_crash(means.storm, chance);
    const struct choice *choice =
        on_link ? draw(LINK_CHOICES, sizeof(LINK_CHOICES) / sizeof(LINK_CHOICES[0]), means, chance)
                : draw(PROCESS_CHOICES, sizeof(PROCESS_CHOICES) / sizeof(PROCESS_CHOICES[0]), means, chance);
    struct event event = {.fault = choice->fault, .target = (int)choice->process};
    if (on_link)
        event.target = (int)chance_between(chance, 0, LINK_COUNT - 1);
    event.for_ms = chance_between(chance, choice->min_ms, choice->max_ms);
    event.argument = draw_argument(choice->fault, chance);
    return event;
}

static void plan_add(struct plan *plan, struct event event)
{
    if ((plan->count & (plan->count - 1)) == 0)
        plan->events = tk_realloc(plan->events, (plan->count ? plan->count * 2 : 1) * sizeof(*plan->events));
    plan->events[plan->count++] = event;
}

static int by_time(const void *a, const void *b)
{
    const struct event *x = a;
    const struct event *y = b;
    if (x->at_ms != y->at_ms)
        return x->at_ms < y->at_ms ? -1 : 1;
    return x->fault != y->fault ? (int)x->fault - (int)y->fault : x->target - y->target;
}

/* Messages are set aside only when there is something wrong with one. */
static void plan_add_drawn(struct plan *plan, struct event event)
{
    plan_add(plan, event);
    if (event.fault == FAULT_CRASH && event.target == TK_FAULT_consumer_before_dead_letter)
        plan_add(plan, (struct event){.at_ms = event.at_ms, .fault = FAULT_POISON, .target = PROCESS_EVENT_SVC});
}

/* Within a track one fault ends before the next begins; what the tracks do overlaps. */
static void make_track(struct plan *plan, enum track track, uint64_t seed, struct plan_means means)
{
    uint64_t chance = seed * TRACK_COUNT + (uint64_t)track;
    const bool storms = track == TRACK_POINTS && means.storm;
    int64_t at_ms = CALM_MS;
    int skipped = 0;
    while (skipped < MAX_SKIPPED) {
        struct event event = draw_event(track, means, &chance);
        event.at_ms = at_ms + (storms ? chance_between(&chance, 50, 350) : chance_between(&chance, 100, 1500));
        if (event.at_ms + event.for_ms > plan->length_ms) {
            skipped++;
            continue;
        }
        plan_add_drawn(plan, event);
        at_ms = event.at_ms + event.for_ms;
    }
}

void plan_make(struct plan *plan, uint64_t seed, int64_t length_ms, struct plan_means means)
{
    *plan = (struct plan){.length_ms = length_ms};
    make_track(plan, TRACK_PROCESSES, seed, means);
    make_track(plan, TRACK_LINKS, seed, means);
    if (means.crash_points)
        make_track(plan, TRACK_POINTS, seed, means);
    qsort(plan->events, plan->count, sizeof(*plan->events), by_time);
}

void plan_free(struct plan *plan)
{
    free(plan->events);
    *plan = (struct plan){0};
}

/* --- text ---------------------------------------------------------------------------------------------------------- */

static bool is_of_link(enum fault fault)
{
    return fault >= FAULT_DELAY && fault <= FAULT_CHOP;
}

static const char *target_name(const struct event *event)
{
    if (event->fault == FAULT_CRASH)
        return POINT_NAMES[event->target];
    return is_of_link(event->fault) ? LINK_NAMES[event->target] : PROCESS_NAMES[event->target];
}

void event_print(const struct event *event, FILE *file)
{
    fprintf(file, "%7" PRId64 " %-8s %-28s %6" PRId64 " %" PRId64 "\n", event->at_ms, FAULT_NAMES[event->fault],
            target_name(event), event->for_ms, event->argument);
}

uint64_t plan_digest(const struct plan *plan)
{
    char *text = NULL;
    size_t len = 0;
    uint64_t hash = UINT64_C(14695981039346656037);
    FILE *lines = open_memstream(&text, &len);
    assert(lines != NULL);
    for (size_t i = 0; i < plan->count; i++)
        event_print(&plan->events[i], lines);
    fclose(lines);
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (uint8_t)text[i]) * UINT64_C(1099511628211);
    free(text);
    return hash;
}

void plan_print(const struct plan *plan, FILE *file)
{
    fprintf(file, "# schedule %016" PRIx64 ", %zu faults in %" PRId64 " ms: at-ms fault target for-ms argument\n",
            plan_digest(plan), plan->count, plan->length_ms);
    for (size_t i = 0; i < plan->count; i++)
        event_print(&plan->events[i], file);
}

static int find_name(const char *const *names, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

static bool parse_event(const char *line, struct event *event)
{
    char fault[MAX_WORD];
    char target[MAX_WORD];
    *event = (struct event){0};
    if (sscanf(line,
               "%" SCNd64 " %63s %63s %" SCNd64 " %" SCNd64, /* NOLINT(cert-err34-c): written by people who see it fail */
               &event->at_ms, fault, target, &event->for_ms, &event->argument) < 3)
        return false;
    int kind = find_name(FAULT_NAMES, FAULT_COUNT, fault);
    if (kind < 0 || event->at_ms < 0 || event->for_ms < 0)
        return false;
    event->fault = (enum fault)kind;
    if (event->fault == FAULT_CRASH)
        event->target = find_name(POINT_NAMES, TK_FAULT_POINT_COUNT, target);
    else
        event->target = is_of_link(event->fault) ? find_name(LINK_NAMES, LINK_COUNT, target)
                                                 : find_name(PROCESS_NAMES, PROCESS_COUNT, target);
    return event->target >= 0;
}

enum tk_err plan_read(struct plan *plan, FILE *file)
{
    char line[MAX_LINE];
    struct event event;
    *plan = (struct plan){0};
    while (fgets(line, sizeof(line), file) != NULL) {
        if (line[0] == '#' || line[0] == '\n')
            continue;
        if (!parse_event(line, &event)) {
            fprintf(stderr, "chaos: not a fault: %s", line);
            return TK_ERR_INVALID;
        }
        plan_add(plan, event);
        if (plan->length_ms < event.at_ms + event.for_ms)
            plan->length_ms = event.at_ms + event.for_ms;
    }
    qsort(plan->events, plan->count, sizeof(*plan->events), by_time);
    return TK_OK;
}
