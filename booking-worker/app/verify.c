/**
 *     look ─ nothing suspected ─▶ they agree
 *       │
 *       ▼ some
 *     wait, look again ─ none is left ─▶ they agree
 *       ▲      │
 *       └──────┴─ grace over, some are left ─▶ report
 *
 * The two snapshots are not of the very same moment, and a message between the services takes its time: under sales every
 * look suspects something. It is another thing each time.
 */
#include <inttypes.h>
#include <time.h>

#include "booking-worker/app/verify.h"
#include "shared/base/clock.h"
#include "shared/log/log.h"

#define PAUSE_US   (2 * TK_US_PER_S) /* between looks */
#define MAX_ROUNDS 3                 /* when there were more suspects than room for them */
#define LOOSE_MAX  1000              /* seats and messages found by questions of their own */

enum { AGREE, DIVERGE, COULD_NOT };

/* --- a look ------------------------------------------------------------------------------------------------------- */

struct walk {
    struct ledger_entry event; /* only its `held` */
    struct ledger_entry booking;
    bool has_event;
    bool has_booking;
    bool booking_met; /* some hold had its id */
};

static void judge(struct verify *v, const struct ledger_entry *entry)
{
    uint32_t kinds = ledger_judge(entry, &v->patience);
    if (kinds != 0)
        suspects_note(&v->suspects, &entry->reservation_id, kinds, entry);
}

static enum tk_err next_event(struct verify *v, struct walk *w)
{
    v->seats += w->event.held.own.count;
    w->event = (struct ledger_entry){0};
    return event_ledger_next(v->events, &w->event, &w->has_event);
}

static enum tk_err next_booking(struct verify *v, struct walk *w)
{
    v->reservations += w->has_booking;
    w->booking = (struct ledger_entry){0};
    w->booking_met = false;
    return booking_ledger_next(v->bookings, &w->booking, &w->has_booking);
}

/* Negative: the hold comes first. A hold never ends a reservation's turn, since a second one might have its id. */
static int order(const struct walk *w)
{
    if (!w->has_event)
        return 1;
    return w->has_booking ? tk_uuid_cmp(&w->event.reservation_id, &w->booking.reservation_id) : -1;
}

static enum tk_err step(struct verify *v, struct walk *w)
{
    int which = order(w);
    if (which > 0) {
        if (!w->booking_met)
            judge(v, &w->booking);
        return next_booking(v, w);
    }
    if (which == 0) {
        w->event.booked = w->booking.booked;
        w->booking_met = true;
    }
    judge(v, &w->event);
    return next_event(v, w);
}

static enum tk_err compare_reservations(struct verify *v)
{
    struct walk walk = {0};
    v->reservations = 0;
    v->seats = 0;
    enum tk_err err = next_event(v, &walk);
    if (!err)
        err = next_booking(v, &walk);
    while (!err && (walk.has_event || walk.has_booking))
        err = step(v, &walk);
    return err;
}

static void note_all(struct verify *v, enum ledger_kind kind, const struct tk_uuid *ids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        suspects_note(&v->suspects, &ids[i], UINT32_C(1) << kind, NULL);
}

static enum tk_err look_for_loose_ends(struct verify *v)
{
    struct tk_uuid ids[LOOSE_MAX];
    size_t count;
    enum tk_err err = event_ledger_ownerless(v->events, ids, LOOSE_MAX, &count);
    if (err)
        return err;
    note_all(v, LEDGER_SEAT_WITHOUT_OWNER, ids, count);
    err = booking_ledger_booked_twice(v->bookings, ids, LOOSE_MAX, &count);
    if (err)
        return err;
    note_all(v, LEDGER_SEAT_BOOKED_TWICE, ids, count);
    err = booking_ledger_old_messages(v->bookings, v->message_age_s, ids, LOOSE_MAX, &count);
    if (!err)
        note_all(v, LEDGER_OLD_MESSAGE, ids, count);
    return err;
}

static enum tk_err look(struct verify *v)
{
    v->looks++;
    enum tk_err err = event_ledger_open(v->events);
    if (!err)
        err = booking_ledger_open(v->bookings);
    if (!err)
        err = compare_reservations(v);
    if (!err)
        err = look_for_loose_ends(v);
    booking_ledger_close(v->bookings);
    event_ledger_close(v->events);
    if (err)
        tk_log(TK_LOG_ERROR, "the databases cannot be compared", TK_KV_STR("reason", tk_err_name(err)));
    return err;
}

/* --- looking again ------------------------------------------------------------------------------------------------ */

static void wait_us(int64_t us)
{
    struct timespec pause = {.tv_sec = us / TK_US_PER_S, .tv_nsec = us % TK_US_PER_S * 1000};
    if (us > 0)
        nanosleep(&pause, NULL); /* cut short by a signal: one look more */
}

/* The last look begins when the grace is over. */
static enum tk_err look_until_sure(struct verify *v)
{
    int64_t began_us = tk_mono_us();
    int64_t left_us;
    suspects_begin(&v->suspects);
    enum tk_err err = look(v);
    do {
        if (err || v->suspects.count == 0)
            return err;
        left_us = began_us + v->grace_us - tk_mono_us();
        wait_us(left_us < PAUSE_US ? left_us : PAUSE_US);
        suspects_begin_again(&v->suspects);
        err = look(v);
        suspects_settle(&v->suspects);
    } while (left_us > PAUSE_US);
    return err;
}

/* --- the report --------------------------------------------------------------------------------------------------- */

static void print_reservation(FILE *out, const struct ledger_entry *e)
{
    fprintf(out, " reservation=%s session=%s hold=%s status=%s", TK_UUID_TEXT(&e->reservation_id),
            TK_UUID_TEXT(tk_uuid_is_nil(&e->held.session_id) ? &e->booked.session_id : &e->held.session_id),
            ledger_hold_name(e->held.state), ledger_status_name(e->booked.status));
    fprintf(out, " hold_seats=%" PRId64 " reserved=%" PRId64 " sold=%" PRId64, e->held.named.count, e->held.reserved,
            e->held.sold);
    fprintf(
        out, " items=%" PRId64 " tickets=%" PRId64 " total_minor=%" PRId64 " payments=%" PRId64 " paid_minor=%" PRId64 "\n",
        e->booked.items.count, e->booked.tickets.count, e->booked.total_minor, e->booked.payments, e->booked.paid_minor);
}

static void print_divergence(FILE *out, enum ledger_kind kind, const struct suspect *suspect)
{
    fputs(ledger_kind_name(kind), out);
    if (kind == LEDGER_OLD_MESSAGE)
        fprintf(out, " message=%s\n", TK_UUID_TEXT(&suspect->id));
    else if (kind == LEDGER_SEAT_WITHOUT_OWNER || kind == LEDGER_SEAT_BOOKED_TWICE)
        fprintf(out, " seat=%s\n", TK_UUID_TEXT(&suspect->id));
    else
        print_reservation(out, &suspect->entry);
}

static size_t print_kind(struct verify *v, enum ledger_kind kind, size_t printed)
{
    size_t found = 0;
    for (size_t i = 0; i < v->suspects.count; i++) {
        if ((v->suspects.items[i].kinds >> kind & 1) == 0)
            continue;
        if (printed + found < v->limit)
            print_divergence(v->out, kind, &v->suspects.items[i]);
        found++;
    }
    return found;
}

static size_t print_divergences(struct verify *v, size_t found[LEDGER_KINDS])
{
    size_t total = 0;
    for (int kind = 0; kind < LEDGER_KINDS; kind++) {
        found[kind] = print_kind(v, (enum ledger_kind)kind, total);
        total += found[kind];
    }
    if (total > v->limit)
        fprintf(v->out, "... and %zu more (--limit)\n", total - v->limit);
    return total;
}

static int report(struct verify *v, int64_t took_us)
{
    size_t found[LEDGER_KINDS];
    size_t total = print_divergences(v, found);
    for (int kind = 0; kind < LEDGER_KINDS; kind++)
        if (found[kind] > 0)
            fprintf(v->out, "%6zu %s: %s\n", found[kind], ledger_kind_name((enum ledger_kind)kind),
                    ledger_kind_meaning((enum ledger_kind)kind));
    fprintf(v->out, "verify: %" PRId64 " reservations, %" PRId64 " taken seats, %d look%s, %.1f s: ", v->reservations,
            v->seats, v->looks, v->looks == 1 ? "" : "s", (double)took_us / TK_US_PER_S);
    if (total == 0)
        fputs("both databases agree\n", v->out);
    else
        fprintf(v->out, "%zu divergence%s\n", total, total == 1 ? "" : "s");
    return total == 0 ? AGREE : DIVERGE;
}

int verify_run(struct verify *verify)
{
    int64_t began_us = tk_mono_us();
    enum tk_err err;
    int rounds = 0;
    do
        err = look_until_sure(verify);
    while (!err && verify->suspects.count == 0 && verify->suspects.dropped > 0 && ++rounds < MAX_ROUNDS);
    int verdict = COULD_NOT;
    if (!err && (verify->suspects.count > 0 || verify->suspects.dropped == 0))
        verdict = report(verify, tk_mono_us() - began_us);
    else if (!err)
        tk_log(TK_LOG_ERROR, "more suspects than can be looked at again", TK_KV_INT("room", SUSPECTS_MAX));
    suspects_release(&verify->suspects);
    return verdict;
}
