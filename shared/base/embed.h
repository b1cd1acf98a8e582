/**
 * Files baked into the program at build time: migrations and API documents travel with the binary that needs them.
 * TK_EMBED(name, "event-svc/openapi.json") at file scope defines `struct tk_slice name(void)`; the path is relative to the
 * repository root, where every compilation runs. The bytes are followed by a NUL.
 */
#ifndef TK_BASE_EMBED_H
#define TK_BASE_EMBED_H

#include "shared/base/str.h"

#define TK_EMBED(name, path)                                                                                               \
    __asm__(".section .rodata\n"                                                                                           \
            ".global tk_embed_" #name "\n"                                                                                 \
            "tk_embed_" #name ":\n"                                                                                        \
            ".incbin \"" path "\"\n"                                                                                       \
            ".global tk_embed_end_" #name "\n"                                                                             \
            "tk_embed_end_" #name ":\n"                                                                                    \
            ".byte 0\n"                                                                                                    \
            ".previous\n");                                                                                                \
    extern const char tk_embed_##name[];                                                                                   \
    extern const char tk_embed_end_##name[];                                                                               \
    static inline struct tk_slice name(void)                                                                               \
    {                                                                                                                      \
        return (struct tk_slice){.ptr = tk_embed_##name, .len = (size_t)(tk_embed_end_##name - tk_embed_##name)};          \
    }

#endif
