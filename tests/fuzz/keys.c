/*
 * Key files: PEM and JWKS. They come from the operator, but on another machine somebody writes them.
 */
#include "shared/auth/keys.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *why = NULL;
    struct tk_keys *keys = tk_keys_parse(input_slice(data, size), &why);
    MUST(keys != NULL || why != NULL);
    if (keys != NULL) {
        MUST(tk_keys_count(keys) >= 1 && tk_keys_count(keys) <= TK_KEYS_MAX);
        const struct tk_key *key = tk_keys_find(keys, TK_SLICE("RS256"), TK_SLICE(""));
        if (key != NULL)
            MUST(!tk_key_verify(key, TK_SLICE("text"), TK_SLICE("no signature")));
    }
    tk_keys_free(keys);
    return 0;
}
