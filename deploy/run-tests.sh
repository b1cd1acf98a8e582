#!/usr/bin/env bash
# make test: packages, build, unit tests, the simulator, a minute of faults, a second of fuzzing for each parser, a private
# stack with the integration tests, and everything stopped again.
# The last line is `N passed, N failed`; the exit status is 0 only if nothing failed and something ran.
#   VARIANT=asan   the same, without the fuzzing, under AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer
set -euo pipefail
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

VARIANT=${VARIANT:-release}
export VARIANT
PASSED=0 FAILED=0

# count FILE: adds the last `N passed, N failed` in it; none at all is a failure.
count() {
    local line
    line=$(sed 's/\x1b\[[0-9;]*m//g' "$1" | grep -E '^[0-9]+ passed, [0-9]+ failed' | tail -n 1) || line='0 passed, 1 failed'
    PASSED=$((PASSED + ${line%% *}))
    line=${line#*, }
    FAILED=$((FAILED + ${line%% *}))
}

# run NAME COMMAND…: shows and counts its output; a failing status with no failed test is a failure too.
run() {
    local name=$1 before=$FAILED began status=0
    shift
    began=$(now_ms)
    step "$name"
    "$@" 2>&1 | tee "$SCRATCH/output" || status=$?
    count "$SCRATCH/output"
    if [ "$status" -ne 0 ] && [ "$FAILED" -eq "$before" ]; then
        complain "$name ended with status $status"
        FAILED=$((FAILED + 1))
    fi
    say "$name: $(seconds_since "$began")"
}

# Sanitizers report into files, because the log of a private stack is deleted with it.
sanitizer_options() {
    [ "$VARIANT" = asan ] || return 0
    mkdir -p "$SCRATCH/reports"
    export ASAN_OPTIONS="detect_leaks=1:exitcode=99:log_path=$SCRATCH/reports/asan"
    export UBSAN_OPTIONS="print_stacktrace=1:exitcode=99:log_path=$SCRATCH/reports/ubsan"
    export LSAN_OPTIONS="suppressions=$ROOT/deploy/lsan.supp:print_suppressions=0"
}

sanitizer_reports() {
    local report
    [ "$VARIANT" = asan ] || return 0
    for report in "$SCRATCH"/reports/*; do
        [ -s "$report" ] || continue
        complain "sanitizer report"
        head -n 60 "$report" >&2
        FAILED=$((FAILED + 1))
    done
}

build() {
    local -a tests
    step "Building (VARIANT=$VARIANT)"
    mapfile -t tests < <(unit_test_programs)
    make -C "$ROOT" -j"$(nproc)" VARIANT="$VARIANT" all "${tests[@]}" "build/$VARIANT/tests/sim/sim" chaos-programs \
        >"$SCRATCH/build.log" 2>&1 || {
        show_tail "$SCRATCH/build.log" 40
        return 1
    }
    [ "$VARIANT" = asan ] || make -C "$ROOT" -j"$(nproc)" VARIANT=fuzz fuzz-targets >"$SCRATCH/build.log" 2>&1 || {
        show_tail "$SCRATCH/build.log" 40
        return 1
    }
    good "built"
}

unit_test_programs() {
    local component
    for component in shared event-svc booking-svc booking-worker tests/chaos; do
        if compgen -G "$ROOT/$component/tests/*.c" >/dev/null; then
            echo "build/$VARIANT/$component/unit-tests"
        fi
    done
}

# unit_tests PROGRAM…: with a Postgres and a RabbitMQ of their own for the tests of the adapters.
unit_tests() (
    stack_private && service_launch rabbitmq && service_launch postgres || exit 1
    trap 'stack_stop --delete-data' EXIT
    service_await postgres && service_await rabbitmq || exit 1
    export TK_TEST_DATABASE_URL=$EVENT_DATABASE_URL TK_TEST_RABBITMQ_URL=$RABBITMQ_URL
    deploy/run-unit-tests.sh "$@"
)

finish() {
    rm -rf "$SCRATCH"
    printf '%d passed, %d failed\n' "$PASSED" "$FAILED"
    [ "$FAILED" -eq 0 ] && [ "$PASSED" -gt 0 ]
}

main() {
    local -a tests
    cd "$ROOT"
    SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/ticketing-tests.XXXXXX")
    if ! packages_ensure build stack test || ! build; then
        FAILED=1
        finish
        exit 1
    fi
    sanitizer_options
    mapfile -t tests < <(unit_test_programs)
    # Whole stacks, slow as they are: Criterion's own leak can only be told from ours by the functions far below it.
    ASAN_OPTIONS="${ASAN_OPTIONS:-}:fast_unwind_on_malloc=0" run "Unit tests" unit_tests "${tests[@]}"
    run "Simulator" make -s VARIANT="$VARIANT" sim SEEDS="$([ "$VARIANT" = asan ] && echo 3000 || echo 30000)"
    run "Faults" tests/chaos/run.sh --slice
    [ "$VARIANT" = asan ] || run "Fuzzing, a second each" make -s fuzz FUZZ_SECONDS=1
    run "Integration tests" ./test_integration.sh --private
    sanitizer_reports
    finish
}

main "$@"
