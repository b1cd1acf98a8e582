/**
 * Publisher-confirm bookkeeping: a ring of slots indexed by delivery tag.
 */
#include <assert.h>

#include "shared/mq/window.h"

static struct tk_mq_slot *slot_of(struct tk_mq_window *window, uint64_t tag)
{
    return &window->slots[tag % TK_MQ_WINDOW_MESSAGES];
}

void tk_mq_window_reset(struct tk_mq_window *window)
{
    *window = (struct tk_mq_window){.oldest = 1, .next = 1};
}

void tk_mq_window_abandon(struct tk_mq_window *window)
{
    uint64_t next = window->next;
    *window = (struct tk_mq_window){.oldest = next, .next = next};
}

bool tk_mq_window_has_room(const struct tk_mq_window *window, size_t bytes)
{
    if (window->open == 0)
        return true;
    return window->next - window->oldest < TK_MQ_WINDOW_MESSAGES && window->bytes + bytes <= TK_MQ_WINDOW_BYTES;
}

void tk_mq_window_open(struct tk_mq_window *window, struct tk_mq_message *message, size_t bytes)
{
    assert(tk_mq_window_has_room(window, bytes));
    *slot_of(window, window->next) = (struct tk_mq_slot){.message = message, .bytes = bytes};
    window->next++;
    window->open++;
    window->bytes += bytes;
}

bool tk_mq_window_returned(struct tk_mq_window *window, const struct tk_uuid *id)
{
    bool found = false;
    for (uint64_t tag = window->oldest; tag < window->next; tag++) {
        struct tk_mq_slot *slot = slot_of(window, tag);
        if (slot->message != NULL && tk_uuid_eq(&slot->message->id, id)) {
            slot->returned = true;
            found = true;
        }
    }
    return found;
}

static size_t settle_one(struct tk_mq_window *window, uint64_t tag, bool taken)
{
    struct tk_mq_slot *slot = slot_of(window, tag);
    if (slot->message == NULL)
        return 0;
    slot->message->confirmed = taken && !slot->returned;
    window->bytes -= slot->bytes;
    window->open--;
    *slot = (struct tk_mq_slot){0};
    return 1;
}

size_t tk_mq_window_settle(struct tk_mq_window *window, uint64_t tag, bool multiple, bool taken)
{
    uint64_t first = multiple ? window->oldest : tag;
    uint64_t last = multiple && (tag == 0 || tag >= window->next) ? window->next - 1 : tag;
    size_t settled = 0;
    for (uint64_t t = first < window->oldest ? window->oldest : first; t <= last && t < window->next; t++)
        settled += settle_one(window, t, taken);
    while (window->oldest < window->next && slot_of(window, window->oldest)->message == NULL)
        window->oldest++;
    return settled;
}
