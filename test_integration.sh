#!/usr/bin/env bash
#
# Black-box tests of the whole stack: HTTP from outside, rows in both databases, the broker through its management API.
#
#   ./test_integration.sh               against the stack that runs (native or Compose)
#   ./test_integration.sh --private     starts a stack of its own on free ports, breaks parts of it, and removes it
#   ./test_integration.sh --only races  only the themes whose file name contains the word; may be repeated
#   ./test_integration.sh --list        the themes
#
# Prints `ok N - what` or `not ok N - what` with the evidence per check, `skipped - what` for what this mode cannot do, and
# closes with `N passed, N failed`. Exit status 1 when a check failed, 2 when the tests could not run at all.
#
# Needs bash, curl, jq, psql, zbarimg and openssl; start.sh installs them.

set -u
shopt -s extglob
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 2

TESTS=tests/integration
PRIVATE=no
ONLY=()

usage() {
    sed -n '3,13p' "${BASH_SOURCE[0]}" | sed 's/^# \{0,1\}//'
}

# Its first comment that is not for shellcheck.
theme_title() {
    sed -n '/^# shellcheck/d; s/^# //p; q' "$1"
}

while [ $# -gt 0 ]; do
    case $1 in
    --private) PRIVATE=yes ;;
    --only)
        ONLY+=("${2:?--only needs a word}")
        shift
        ;;
    --list)
        for theme in "$TESTS"/[0-9]*.sh; do
            printf '%-24s %s\n' "$(basename "$theme" .sh)" "$(theme_title "$theme")"
        done
        exit 0
        ;;
    -h | --help)
        usage
        exit 0
        ;;
    *)
        printf 'unknown argument: %s\n' "$1" >&2
        usage >&2
        exit 2
        ;;
    esac
    shift
done

for tool in curl jq psql zbarimg openssl; do
    command -v "$tool" >/dev/null || {
        printf '%s is missing; ./start.sh installs what the tests need\n' "$tool" >&2
        exit 2
    }
done

# shellcheck source=deploy/lib.sh
. deploy/lib.sh
for part in harness http db broker fixtures instances refusals races tls; do
    # shellcheck source=/dev/null
    . "$TESTS/lib/$part.sh"
done

harness_open
trap 'integration_close' EXIT
trap 'exit 130' INT TERM

keep_logs() {
    rm -rf .run/integration-logs
    cp -r "$RUN_DIR/log" .run/integration-logs && printf '# logs of the stack: .run/integration-logs\n' >&2
}

integration_close() {
    instances_stop
    later_abandon
    if [ "$PRIVATE" = yes ]; then
        [ "$FAILED" -eq 0 ] || keep_logs
        stack_stop --delete-data >"$WORK/stop.log" 2>&1 || cat "$WORK/stop.log" >&2
    fi
    harness_close
}

if [ "$PRIVATE" = yes ]; then
    stack_private
    export MOCK_PAYMENT_ENABLED=true MOCK_PAYMENT_SUCCESS_RATE=1.0 SECRET_KEY=integration-test-secret-key-0123456789
    export ORPHAN_SWEEP_INTERVAL_SECONDS=1 ORPHAN_GRACE_SECONDS=1
    # On a slow machine nobody is turned away for its sake, and no hold of one theme ends in a later one.
    export QUEUE_MAX_WAIT_MS=0 RESERVATION_TIMEOUT_MINUTES=240
    tls_prepare || exit 2
    stack_start || exit 2
else
    load_env_file .env
    export SECRET_KEY=${SECRET_KEY:-local-development-only-change-me-please-0001} # the programs' default
    stack_attach || {
        printf 'no stack is running; start one with ./start.sh, or run ./test_integration.sh --private\n' >&2
        exit 2
    }
fi

theme_wanted() {
    local word
    [ "${#ONLY[@]}" -eq 0 ] && return 0
    for word in "${ONLY[@]}"; do
        case $1 in *"$word"*) return 0 ;; esac
    done
    return 1
}

broker_remember
for theme in "$TESTS"/[0-9]*.sh; do
    theme_wanted "$(basename "$theme")" || continue
    printf '# %s\n' "$(theme_title "$theme")"
    # shellcheck source=/dev/null
    . "$theme"
    instances_stop # each has a dozen connections to Postgres
done
later_collect
harness_summary
