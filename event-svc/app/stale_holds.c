/*
 * One listing is a chain of scans: it goes on while a scan found nothing but finished holds.
 */
#include "event-svc/app/stale_holds.h"

#include "event-svc/domain/watermark.h"
#include "shared/base/clock.h"
#include "shared/base/mem.h"

#define MAX_SCANS 25 /* half a million rows a call; the cursor goes on from there */

static enum tk_err scan(struct stale_list *list);

static void take_rows(struct stale_list *list, const PGresult *rows, const struct hold_scan *found)
{
    size_t held = (size_t)found->held;
    list->count = held < (size_t)list->limit ? held : (size_t)list->limit;
    list->items = tk_arena_alloc(list->arena, list->count * sizeof(*list->items) + 1);
    for (size_t i = 0; i < list->count; i++)
        list->items[i] = stale_hold_read(rows, (int)i);
    list->more = held > list->count || found->scanned == HOLD_SCAN_ROWS;
    list->next = found->last;
    if (held > list->count) {
        const struct stale_hold *last = &list->items[list->count - 1];
        list->next =
            (struct hold_place){.reserved_until_us = last->reserved_until_us, .reservation_id = last->reservation_id};
    }
}

static void advance_watermark(struct stale_list *list, const struct hold_scan *found)
{
    struct stale_holds *holds = list->holds;
    const struct watermark_scan scanned = {
        .from_us = holds->watermark_us,
        .first_held_us = list->count > 0 ? list->items[0].reserved_until_us : INT64_MAX,
        .last_us = found->last.reserved_until_us,
        .settled_us = found->settled_us,
    };
    if (list->from_start)
        holds->watermark_us = watermark_after(&scanned);
}

static void on_scanned(struct tk_pg_op *op, const struct tk_pg_outcome *outcome)
{
    struct stale_list *list = op->arg;
    list->step = outcome->step;
    if (outcome->step == TK_STEP_OK) {
        struct hold_scan found = hold_scan_read(outcome->rows[0]);
        take_rows(list, outcome->rows[0], &found);
        advance_watermark(list, &found);
        list->from = list->next;
        if (list->count == 0 && list->more && ++list->scans < MAX_SCANS && scan(list) == TK_OK)
            return;
    }
    list->done(list);
}

static enum tk_err scan(struct stale_list *list)
{
    tk_pg_op_init(&list->op);
    holds_scan(&list->op, &list->from, list->older_than_s, list->limit + 1);
    list->op.done = on_scanned;
    list->op.arg = list;
    list->op.deadline_us = tk_mono_us() + list->holds->deadline_us;
    return tk_pg_submit(list->holds->pg, &list->op);
}

enum tk_err stale_holds_list(struct stale_list *list)
{
    list->scans = 0;
    if (list->from_start)
        list->from = (struct hold_place){.reserved_until_us = list->holds->watermark_us};
    return scan(list);
}
