/*
 * Makes the worst of what a broker may do, between the queue of the services and event-svc:
 *
 *   ticketing_events ─▶ event_service_queue ─▶ shuffler ─▶ chaos_events ─▶ chaos_queue ─▶ event-svc
 *
 *   shuffler RABBITMQ-URL SEED ACCOUNT-FILE
 *
 * Every message goes on three times, in any order within what has gathered, some copies much later, and one in a hundred
 * is followed by garbage. A message is acknowledged after the broker has confirmed all its copies, so the shuffler itself
 * loses nothing, whoever dies. ACCOUNT-FILE says what it did: "taken N passed-on N garbage N".
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shared/base/clock.h"
#include "shared/contract/message.h"
#include "shared/mq/mq.h"
#include "tests/chaos/plan.h"

#define BATCH        100
#define COPIES       3
#define GATHER_MS    120
#define PAUSE_MS     300
#define LATE_MAX     200 /* copies kept for later */
#define LATE_PERCENT 5
#define MAX_OUT      (BATCH * COPIES + BATCH + LATE_MAX)
#define MAX_BODY     16384

struct late {
    struct tk_uuid id;
    char routing_key[64];
    char body[MAX_BODY];
    size_t len;
};

struct shuffler {
    struct tk_mq *in;
    struct tk_mq *out;
    uint64_t chance;
    const char *account_file;
    uint64_t taken;
    uint64_t passed_on;
    uint64_t garbage;
    struct late late[LATE_MAX];
    size_t late_count;
};

static volatile sig_atomic_t stopping;

static void on_term(int signal)
{
    (void)signal;
    stopping = 1;
}

static bool happens(struct shuffler *s, int64_t percent)
{
    return chance_between(&s->chance, 0, 99) < percent;
}

/* --- making the next lot ------------------------------------------------------------------------------------------- */

/* Not JSON, half a message, another version, a message about nothing, bytes. */
static struct tk_slice garbage(struct shuffler *s, struct tk_slice body)
{
    static const struct tk_slice KINDS[] = {
        {"{\"event_type\":\"reservation.confirmed\"", 37},
        {"", 0},
        {"[1,2,3]", 7},
        {"{\"event_id\":\"x\",\"event_type\":\"reservation.exploded\",\"data\":{}}", 62},
        {"\xff\xfe\0\1", 4},
    };
    int64_t kind = chance_between(&s->chance, 0, 5);
    return kind == 5 ? (struct tk_slice){.ptr = body.ptr, .len = body.len / 2} : KINDS[kind];
}

static void keep_for_later(struct shuffler *s, const struct tk_mq_message *m)
{
    size_t at = s->late_count < LATE_MAX ? s->late_count++ : (size_t)chance_between(&s->chance, 0, LATE_MAX - 1);
    struct late *late = &s->late[at];
    if (m->body.len > MAX_BODY || m->routing_key.len >= sizeof(late->routing_key))
        return;
    late->id = m->id;
    late->len = m->body.len;
    memcpy(late->body, m->body.ptr, m->body.len);
    memcpy(late->routing_key, m->routing_key.ptr, m->routing_key.len);
    late->routing_key[m->routing_key.len] = '\0';
}

static size_t add_copies(struct shuffler *s, const struct tk_mq_delivery *delivery, struct tk_mq_message *out)
{
    struct tk_mq_message m = {
        .routing_key = delivery->routing_key, .body = delivery->body, .traceparent = delivery->traceparent};
    size_t count = 0;
    if (tk_uuid_parse(delivery->message_id, &m.id))
        m.id = tk_uuid_v7();
    while (count < COPIES)
        out[count++] = m;
    if (happens(s, LATE_PERCENT))
        keep_for_later(s, &m);
    if (happens(s, 1)) {
        m.body = garbage(s, m.body);
        m.id = tk_uuid_v7();
        out[count++] = m;
        s->garbage++;
    }
    return count;
}

static size_t add_late(const struct shuffler *s, struct tk_mq_message *out)
{
    for (size_t i = 0; i < s->late_count; i++)
        out[i] = (struct tk_mq_message){.id = s->late[i].id,
                                        .routing_key = tk_slice_of(s->late[i].routing_key),
                                        .body = {.ptr = s->late[i].body, .len = s->late[i].len}};
    return s->late_count;
}

static void shuffle(struct shuffler *s, struct tk_mq_message *list, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t j = (size_t)chance_between(&s->chance, 0, (int64_t)i - 1);
        struct tk_mq_message swap = list[i - 1];
        list[i - 1] = list[j];
        list[j] = swap;
    }
}

/* --- the loop ------------------------------------------------------------------------------------------------------ */

static void write_account(const struct shuffler *s)
{
    FILE *file = fopen(s->account_file, "w");
    if (file == NULL)
        return;
    fprintf(file, "taken %" PRIu64 " passed-on %" PRIu64 " garbage %" PRIu64 "\n", s->taken, s->passed_on, s->garbage);
    fclose(file);
}

static bool confirmed(const struct tk_mq_message *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!list[i].confirmed)
            return false;
    return true;
}

static enum tk_err pass_on(struct shuffler *s, const struct tk_mq_delivery *deliveries, size_t count)
{
    static struct tk_mq_message list[MAX_OUT];
    size_t out = 0;
    bool with_late = s->late_count == LATE_MAX || happens(s, 2);
    if (with_late)
        out = add_late(s, list);
    size_t late = out;
    for (size_t i = 0; i < count; i++)
        out += add_copies(s, &deliveries[i], &list[out]);
    shuffle(s, list, out);
    if (out > 0 && (tk_mq_publish(s->out, list, out) || !confirmed(list, out)))
        return TK_ERR_UNAVAILABLE;
    if (late > 0)
        s->late_count = 0;
    s->taken += count;
    s->passed_on += out;
    write_account(s);
    return count > 0 ? tk_mq_ack_up_to(s->in, deliveries[count - 1].tag) : TK_OK;
}

static enum tk_err gather(struct shuffler *s, struct tk_arena *arena, struct tk_mq_delivery *out, size_t *count)
{
    int64_t until_us = tk_mono_us() + GATHER_MS * TK_US_PER_MS;
    *count = 0;
    while (*count < BATCH && tk_mono_us() < until_us) {
        size_t got;
        enum tk_err err = tk_mq_receive(s->in, arena, out + *count, BATCH - *count, GATHER_MS / 4, &got);
        if (err)
            return err;
        *count += got;
    }
    return TK_OK;
}

static enum tk_err connect_both(struct shuffler *s)
{
    if (tk_mq_is_up(s->in) && tk_mq_is_up(s->out))
        return TK_OK;
    tk_mq_disconnect(s->in);
    if (tk_mq_connect(s->out) || tk_mq_connect(s->in))
        return TK_ERR_UNAVAILABLE;
    return tk_mq_consume(s->in);
}

static void turn(struct shuffler *s)
{
    struct tk_mq_delivery deliveries[BATCH];
    struct tk_arena arena = {0};
    size_t count = 0;
    enum tk_err err = connect_both(s);
    if (!err)
        err = gather(s, &arena, deliveries, &count);
    if (!err && count > 0)
        err = pass_on(s, deliveries, count);
    if (!err && count == 0)
        err = tk_mq_publish(s->out, NULL, 0); /* heartbeats */
    tk_arena_release(&arena);
    if (err) {
        tk_mq_disconnect(s->in);
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000000L}, NULL);
    }
}

static struct tk_mq *open_queue(const char *name, const char *url, const char *exchange, const char *queue)
{
    struct tk_mq_config config = {.name = name,
                                  .url = url,
                                  .exchange = exchange,
                                  .queue = queue,
                                  .routing_keys = tk_reservation_routing_keys,
                                  .routing_key_count = TK_RESERVATION_EVENT_COUNT,
                                  .timeout_ms = 5000,
                                  .heartbeat_s = 5,
                                  .prefetch = BATCH};
    struct tk_mq *mq;
    if (tk_mq_new(&config, &mq)) {
        fprintf(stderr, "shuffler: %s is not a broker's address\n", url);
        exit(2);
    }
    return mq;
}

int main(int argc, char **argv)
{
    static struct shuffler s;
    int64_t seed;
    if (argc != 4 || tk_parse_i64(tk_slice_of(argv[2]), &seed)) {
        fputs("usage: shuffler RABBITMQ-URL SEED ACCOUNT-FILE\n", stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = on_term}, NULL);
    s.chance = (uint64_t)seed;
    s.account_file = argv[3];
    s.in = open_queue("shuffler in", argv[1], "ticketing_events", "event_service_queue");
    s.out = open_queue("shuffler out", argv[1], "chaos_events", "chaos_queue");
    while (!stopping)
        turn(&s);
    tk_mq_free(s.in);
    tk_mq_free(s.out);
    return 0;
}
