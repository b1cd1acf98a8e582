/**
 * Intrusive doubly linked list: the link lives inside the element, so queueing allocates nothing.
 * A list head is a link that points to itself when empty. A link that is in no list is zeroed or points to itself.
 */
#ifndef TK_BASE_LIST_H
#define TK_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct tk_link {
    struct tk_link *prev;
    struct tk_link *next;
};

#define TK_LIST_INIT(name) ((struct tk_link){.prev = &(name), .next = &(name)})

/** The structure that contains `link` as its member. */
#define TK_CONTAINER_OF(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

static inline void tk_list_init(struct tk_link *head)
{
    head->prev = head;
    head->next = head;
}

static inline bool tk_list_is_empty(const struct tk_link *head)
{
    return head->next == head;
}

static inline bool tk_link_is_linked(const struct tk_link *link)
{
    return link->next != NULL && link->next != link;
}

static inline void tk_list_push_back(struct tk_link *head, struct tk_link *link)
{
    link->prev = head->prev;
    link->next = head;
    head->prev->next = link;
    head->prev = link;
}

static inline void tk_list_push_front(struct tk_link *head, struct tk_link *link)
{
    tk_list_push_back(head->next, link);
}

/** Unlinks; harmless on a link that is in no list. */
static inline void tk_list_remove(struct tk_link *link)
{
    if (link->next == NULL)
        return;
    link->prev->next = link->next;
    link->next->prev = link->prev;
    tk_list_init(link);
}

/** Removes and returns the first link, NULL when empty. */
static inline struct tk_link *tk_list_pop_front(struct tk_link *head)
{
    struct tk_link *first = head->next;
    if (first == head)
        return NULL;
    tk_list_remove(first);
    return first;
}

#define TK_LIST_FOREACH(pos, head) for (struct tk_link *pos = (head)->next; pos != (head); pos = pos->next)

#endif
