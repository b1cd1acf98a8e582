/*
 * Allocation that aborts instead of failing, and the arena.
 *
 * An arena is a list of blocks, newest first; only the newest is bumped. Blocks double from 4 KiB (one small request) to
 * 64 KiB; an allocation that does not fit into the next block size gets a block of its own.
 *
 * Each thread keeps a few first blocks for the next arenas: most requests need one or two, and malloc's way with blocks of
 * that size (bins, consolidation) was an eighth of booking-svc's processor time.
 */
#include "shared/base/mem.h"

#include <assert.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BLOCK   ((size_t)4096)
#define LARGEST_BLOCK ((size_t)65536)

struct tk_arena_block {
    struct tk_arena_block *next;
    size_t used;
    size_t cap;
    alignas(max_align_t) unsigned char bytes[];
};

static void *refuse_null(void *ptr, size_t size)
{
    if (ptr != NULL)
        return ptr;
    fprintf(stderr, "out of memory: %zu bytes\n", size);
    abort();
}

void *tk_alloc(size_t size)
{
    return refuse_null(calloc(1, size > 0 ? size : 1), size);
}

void *tk_realloc(void *ptr, size_t size)
{
    return refuse_null(realloc(ptr, size > 0 ? size : 1), size);
}

static size_t next_block_size(const struct tk_arena *arena)
{
    if (arena->head == NULL)
        return FIRST_BLOCK;
    size_t last = arena->head->cap + sizeof(struct tk_arena_block);
    if (last >= LARGEST_BLOCK / 2)
        return LARGEST_BLOCK;
    return last * 2;
}

#if defined(__SANITIZE_ADDRESS__)
#define KEPT_BLOCKS 0 /* use after release must be seen */
#else
#define KEPT_BLOCKS 512
#endif

static _Thread_local struct tk_arena_block *kept_blocks;
static _Thread_local size_t kept_count;

static struct tk_arena_block *new_block(size_t total)
{
    struct tk_arena_block *block = kept_blocks;
    if (total != FIRST_BLOCK || block == NULL)
        return refuse_null(malloc(total), total);
    kept_blocks = block->next;
    kept_count--;
    return block;
}

static void drop_block(struct tk_arena_block *block)
{
    if (block->cap != FIRST_BLOCK - sizeof(*block) || kept_count + 1 > KEPT_BLOCKS) {
        free(block);
        return;
    }
    block->next = kept_blocks;
    kept_blocks = block;
    kept_count++;
}

static struct tk_arena_block *add_block(struct tk_arena *arena, size_t at_least)
{
    size_t cap = next_block_size(arena) - sizeof(struct tk_arena_block);
    if (cap < at_least)
        cap = at_least;
    size_t total = sizeof(struct tk_arena_block) + cap;
    struct tk_arena_block *block = new_block(total);
    block->next = arena->head;
    block->used = 0;
    block->cap = cap;
    arena->head = block;
    return block;
}

void *tk_arena_alloc(struct tk_arena *arena, size_t size)
{
    assert(size <= SIZE_MAX / 2);
    size_t align = alignof(max_align_t);
    size_t rounded = (size + align - 1) & ~(align - 1);
    struct tk_arena_block *block = arena->head;
    if (block == NULL || block->cap - block->used < rounded)
        block = add_block(arena, rounded);
    void *ptr = block->bytes + block->used;
    block->used += rounded;
    return memset(ptr, 0, rounded);
}

void tk_arena_release(struct tk_arena *arena)
{
    struct tk_arena_block *block = arena->head;
    arena->head = NULL;
    while (block != NULL) {
        struct tk_arena_block *next = block->next;
        drop_block(block);
        block = next;
    }
}
