/**
 * What the fuzz targets share. Each is one file with LLVMFuzzerTestOneInput(); beyond not crashing, it states what must
 * hold for every input, mostly that reading, writing and reading again comes to the same.
 */
#ifndef TK_TESTS_FUZZ_FUZZ_H
#define TK_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "shared/base/str.h"

/** libFuzzer's entry point: any bytes at all. Always returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** A property that does not hold is a finding. */
#define MUST(condition)                                                                                                    \
    do {                                                                                                                   \
        if (!(condition))                                                                                                  \
            abort();                                                                                                       \
    } while (0)

static inline struct tk_slice input_slice(const uint8_t *data, size_t size)
{
    return (struct tk_slice){.ptr = (const char *)data, .len = size};
}

#endif
