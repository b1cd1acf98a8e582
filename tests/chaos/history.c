#include "tests/chaos/history.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "shared/base/mem.h"

static const char *const OUTCOME_NAMES[] = {"-", "unknown", "not-applied", "refused", "ok"};
static const char *const WISH_NAMES[] = {"confirm", "cancel", "abandon", "bad-card", "too-many"};

enum tk_err history_open(struct history *history, const char *seats_file)
{
    char session[TK_UUID_TEXT_LEN + 1];
    char seat[TK_UUID_TEXT_LEN + 1];
    FILE *file = fopen(seats_file, "r");
    *history = (struct history){0};
    if (file == NULL)
        return TK_ERR_INVALID;
    while (fscanf(file, "%36s %36s", session, seat) == 2) {
        struct seat_place place;
        if (tk_uuid_parse(tk_slice_of(session), &place.session) || tk_uuid_parse(tk_slice_of(seat), &place.seat))
            break;
        if ((history->seat_count & (history->seat_count - 1)) == 0)
            history->seats =
                tk_realloc(history->seats, (history->seat_count ? history->seat_count * 2 : 1) * sizeof(place));
        history->seats[history->seat_count++] = place;
    }
    fclose(file);
    for (size_t i = 0; i < history->seat_count; i++)
        tk_uuid_map_put(&history->by_seat, &history->seats[i].seat, &history->seats[i]);
    return history->seat_count > 0 ? TK_OK : TK_ERR_INVALID;
}

struct purchase *history_add(struct history *history)
{
    struct purchase *purchase = tk_alloc(sizeof(*purchase));
    purchase->user = tk_uuid_v7();
    if (history->count == history->cap) {
        history->cap = history->cap ? history->cap * 2 : 1024;
        history->purchases = tk_realloc(history->purchases, history->cap * sizeof(struct purchase *));
    }
    history->purchases[history->count++] = purchase;
    tk_uuid_map_put(&history->by_user, &purchase->user, purchase);
    return purchase;
}

void history_close(struct history *history)
{
    for (size_t i = 0; i < history->count; i++)
        free(history->purchases[i]);
    free(history->purchases);
    free(history->seats);
    tk_uuid_map_release(&history->by_user);
    tk_uuid_map_release(&history->by_seat);
    *history = (struct history){0};
}

bool outcome_is_final(enum outcome outcome)
{
    return outcome == OUTCOME_OK || outcome == OUTCOME_REFUSED;
}

static void write_step(FILE *file, const char *name, const struct step *step)
{
    if (step->outcome != OUTCOME_NOT_ASKED)
        fprintf(file, " %s=%s%s@%" PRId64 "..%" PRId64, name, OUTCOME_NAMES[step->outcome],
                step->was_unknown ? "(was unknown)" : "", step->invoked_us, step->answered_us);
}

enum tk_err history_write(const struct history *history, const char *path)
{
    FILE *file = fopen(path, "w");
    if (file == NULL)
        return TK_ERR_IO;
    for (size_t i = 0; i < history->count; i++) {
        const struct purchase *p = history->purchases[i];
        fprintf(file, "%u/%u wish=%s end=%s user=%s reservation=%s", p->buyer, p->nth, WISH_NAMES[p->wish],
                p->end[0] ? p->end : "-", TK_UUID_TEXT(&p->user), TK_UUID_TEXT(&p->reservation));
        write_step(file, "hold", &p->hold);
        write_step(file, "confirm", &p->confirm);
        write_step(file, "cancel", &p->cancel);
        for (int s = 0; s < p->seat_count; s++)
            fprintf(file, " seat=%s", TK_UUID_TEXT(&history->seats[p->seats[s]].seat));
        fputc('\n', file);
    }
    return fclose(file) == 0 ? TK_OK : TK_ERR_IO;
}
