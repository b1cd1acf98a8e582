/**
 * A run: look again at the suspects, set the gauges by them, then a slice of all holds for new suspects. When a database is
 * away the gauges stay as they were: nothing was learned.
 */
#include <string.h>

#include "booking-worker/app/audit.h"
#include "shared/base/clock.h"
#include "shared/log/log.h"
#include "shared/metrics/metrics.h"

static struct tk_metric double_sold =
    TK_GAUGE("double_sold_seats", NULL, "Seats sold for one reservation and carried by another. Must be 0.");
static struct tk_metric stranded =
    TK_GAUGE("stranded_seats", NULL, "Seats kept from sale by a reservation that is over, overdue or unknown.");
static struct tk_metric orphans =
    TK_GAUGE("orphan_holds", NULL, "Holds past their deadline and grace with no reservation behind them.");
static struct tk_metric round_took =
    TK_GAUGE("audit_round_seconds", NULL, "How long the audit took to see every hold once, in its last round.");

void audit_register_metrics(void)
{
    tk_metrics_register(&double_sold);
    tk_metrics_register(&stranded);
    tk_metrics_register(&orphans);
    tk_metrics_register(&round_took);
}

static bool is_suspicious(struct ledger_weight w)
{
    return w.double_sold_seats > 0 || w.stranded_seats > 0 || w.orphan_holds > 0;
}

static struct hold_key key_of(const struct ledger_entry *entry)
{
    return (struct hold_key){.session_id = entry->held.session_id, .reservation_id = entry->reservation_id};
}

static bool is_same_key(const struct hold_key *a, const struct hold_key *b)
{
    return tk_uuid_eq(&a->reservation_id, &b->reservation_id) && tk_uuid_eq(&a->session_id, &b->session_id);
}

static struct audit_suspect *find_suspect(struct audit *audit, const struct hold_key *key)
{
    for (size_t i = 0; i < audit->suspect_count; i++)
        if (is_same_key(&audit->suspects[i].key, key))
            return &audit->suspects[i];
    return NULL;
}

/* --- looking again ------------------------------------------------------------------------------------------------ */

static void add_weight(struct ledger_weight *sum, struct ledger_weight w)
{
    sum->double_sold_seats += w.double_sold_seats;
    sum->stranded_seats += w.stranded_seats;
    sum->orphan_holds += w.orphan_holds;
}

static void set_gauges(struct ledger_weight sum)
{
    if (sum.double_sold_seats > tk_metric_get(&double_sold))
        tk_log(TK_LOG_ERROR, "seats are sold twice; `verify` names them", TK_KV_INT("seats", sum.double_sold_seats));
    tk_metric_set(&double_sold, sum.double_sold_seats);
    tk_metric_set(&stranded, sum.stranded_seats);
    tk_metric_set(&orphans, sum.orphan_holds);
}

/* `count` of the suspects' holds still exist; the list shrinks to those that still look wrong. */
static void weigh_suspects(struct audit *audit, size_t count)
{
    struct ledger_weight sum = {0};
    size_t kept = 0;
    int64_t now_us = tk_mono_us();
    for (size_t i = 0; i < count; i++) {
        struct ledger_weight w = ledger_weigh(&audit->entries[i], &audit->patience);
        struct hold_key key = key_of(&audit->entries[i]);
        struct audit_suspect *suspect = is_suspicious(w) ? find_suspect(audit, &key) : NULL;
        if (suspect == NULL || suspect < &audit->suspects[kept])
            continue;
        struct audit_suspect moved = *suspect; /* to the front part, among those that stay */
        *suspect = audit->suspects[kept];
        audit->suspects[kept++] = moved;
        if (now_us - moved.since_us >= audit->grace_us)
            add_weight(&sum, w);
    }
    audit->suspect_count = kept;
    set_gauges(sum);
}

static enum tk_err look_again(struct audit *audit)
{
    struct hold_key keys[AUDIT_SUSPECTS];
    size_t count = 0;
    enum tk_err err = TK_OK;
    for (size_t i = 0; i < audit->suspect_count; i++)
        keys[i] = audit->suspects[i].key;
    if (audit->suspect_count > 0)
        err = event_ledger_look(audit->events, keys, audit->suspect_count, audit->entries, &count);
    if (!err && count > 0)
        err = booking_ledger_look(audit->bookings, audit->entries, count);
    if (!err)
        weigh_suspects(audit, count);
    return err;
}

/* --- the slice ---------------------------------------------------------------------------------------------------- */

static void suspect(struct audit *audit, const struct ledger_entry *entry)
{
    struct hold_key key = key_of(entry);
    if (audit->suspect_count == AUDIT_SUSPECTS || find_suspect(audit, &key) != NULL)
        return;
    audit->suspects[audit->suspect_count++] = (struct audit_suspect){.key = key, .since_us = tk_mono_us()};
    tk_log(TK_LOG_DEBUG, "hold looks wrong", TK_KV_UUID("reservation", &entry->reservation_id),
           TK_KV_STR("hold", ledger_hold_name(entry->held.state)),
           TK_KV_STR("status", ledger_status_name(entry->booked.status)), TK_KV_INT("lost", entry->held.lost));
}

static void end_round(struct audit *audit)
{
    tk_metric_set(&round_took, (tk_mono_us() - audit->round_began_us) / TK_US_PER_S);
    memset(&audit->cursor, 0, sizeof(audit->cursor));
    audit->round_began_us = 0;
}

static enum tk_err audit_slice(struct audit *audit)
{
    size_t count;
    if (audit->round_began_us == 0)
        audit->round_began_us = tk_mono_us();
    enum tk_err err = event_ledger_slice(audit->events, &audit->cursor, AUDIT_SLICE, audit->entries, &count);
    if (!err && count > 0)
        err = booking_ledger_look(audit->bookings, audit->entries, count);
    if (err)
        return err;
    for (size_t i = 0; i < count; i++)
        if (is_suspicious(ledger_weigh(&audit->entries[i], &audit->patience)))
            suspect(audit, &audit->entries[i]);
    if (count == AUDIT_SLICE)
        audit->cursor = key_of(&audit->entries[count - 1]);
    else
        end_round(audit);
    return TK_OK;
}

struct job_outcome audit_run(void *arg, const atomic_bool *stopping)
{
    struct audit *audit = arg;
    (void)stopping; /* a run is a few bounded statements */
    enum tk_err err = look_again(audit);
    if (!err)
        err = audit_slice(audit);
    return (struct job_outcome){.ok = !err, .next_ms = audit->interval_ms};
}
