/**
 * Memory: allocation that never returns NULL, and an arena for everything that dies together.
 *
 * Three lifetimes exist in this program: process, flow (one allocation, freed when the flow ends) and request (an arena,
 * freed when the answer is on its way).
 */
#ifndef TK_BASE_MEM_H
#define TK_BASE_MEM_H

#include <stddef.h>

/** `size` bytes, zeroed; aborts the process when memory is exhausted. Free with free(). */
void *tk_alloc(size_t size) __attribute__((malloc, returns_nonnull));

/** Grows `ptr` to `size` bytes (the new part is not zeroed); aborts when memory is exhausted. */
void *tk_realloc(void *ptr, size_t size) __attribute__((returns_nonnull));

/** A bump allocator. Zero-initialised is valid and empty. Not thread-safe. */
struct tk_arena {
    struct tk_arena_block *head;
};

/** `size` zeroed bytes, aligned for any type, valid until tk_arena_release(). */
void *tk_arena_alloc(struct tk_arena *arena, size_t size) __attribute__((malloc, returns_nonnull));

/** Frees everything at once; the arena is empty and usable again. */
void tk_arena_release(struct tk_arena *arena);

#endif
