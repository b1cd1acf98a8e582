# shellcheck shell=bash
# shellcheck disable=SC2034 # the themes use what is set here
#
# Requests that must be refused. Between settle_first and the next theme nothing else may touch the databases: each refusal
# compares their fingerprint with the one before.

# refused TITLE METHOD URL STATUS CODE POINTER BODY [CURL ARGUMENT…]: must be refused with that problem and change no row in
# either database. POINTER "-" for problems that name no member. BODY may be @FILE.
refused() {
    check "refused: $1" expect_refusal "${@:2}"
}

expect_refusal() {
    local method=$1 url=$2 status=$3 code=$4 pointer=$5 text=$6
    shift 6
    send "$method" "$url" "$text" "$@"
    if [ "$pointer" = - ]; then
        expect_problem "$status" "$code"
    else
        expect_problem "$status" "$code" "$pointer"
    fi
    expect_nothing_changed
}

# refused_member TITLE METHOD URL POINTER BODY [CURL ARGUMENT…]: the most frequent kind, 422 naming the member.
refused_member() {
    refused "$1" "$2" "$3" 422 validation_failed "$4" "$5" "${@:6}"
}

settle_first() {
    settle
    expect "the databases are at rest" "$([ -n "$FINGERPRINT" ] && echo yes)" yes
}

repeat() { # TEXT COUNT
    yes "$1" 2>/dev/null | head -n "$2" | tr -d '\n'
}
