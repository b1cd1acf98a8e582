# Who may include whom. http -> app -> adapters -> domain -> shared/base, shared/contract, shared/breaker; shared/ never sees a service;
# services never see each other; domain takes no I/O header. What stands directly in a service's directory (main.c and the
# settings beside it) sees the whole service; its tests do too.

BEGIN {
    rank["http"] = 4; rank["app"] = 3; rank["adapters"] = 2; rank["domain"] = 1
    split("assert ctype errno float inttypes iso646 limits math stdalign stdarg stdatomic stdbool stddef stdint stdlib stdnoreturn string", pure)
    for (i in pure) harmless[pure[i] ".h"] = 1
    split("crypto evp hmac sha", digest) # they compute, and touch nothing
    for (i in digest) harmless["openssl/" digest[i] ".h"] = 1
}

FNR == 1 {
    parts = split(FILENAME, at, "/")
    component = at[1]
    layer = parts > 2 ? at[2] : ""
}

/^[ \t]*#[ \t]*include[ \t]*</ && layer == "domain" {
    split($0, piece, /[<>]/)
    if (!(piece[2] in harmless)) refuse("domain does no I/O and is told the time, so not <" piece[2] ">")
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
    split($0, piece, "\"")
    depth = split(piece[2], to, "/")
    target = to[1]
    target_layer = depth > 2 ? to[2] : ""
    if (depth < 2) refuse("\"" piece[2] "\" is not named from the repository's root")
    else if (component == "bench" || component == "tests") next
    else if (component == "shared" && target != "shared") refuse("shared/ sees no service: " piece[2])
    else if (target != "shared" && target != component) refuse("services do not see each other: " piece[2])
    else if (layer == "domain" && !(target == component && target_layer == "domain") && \
             !(target == "shared" && (to[2] == "base" || to[2] == "contract" || to[2] == "breaker")))
        refuse("domain sees only itself, shared/base, shared/contract and shared/breaker: " piece[2])
    else if (target == component && (layer in rank) && (target_layer in rank) && rank[target_layer] > rank[layer])
        refuse(layer " must not reach up to " target_layer ": " piece[2])
    else if (component == "shared" && layer == "base" && to[2] != "base")
        refuse("shared/base stands at the bottom: " piece[2])
}

function refuse(why) {
    printf "%s:%d: %s\n", FILENAME, FNR, why
    bad = 1
}

END { exit bad }
