#!/usr/bin/env bash
# run-unit-tests.sh PROGRAM…: runs Criterion test programs and closes with one line `N passed, N failed`.
# A program that dies before its summary counts as one failure; no test at all is a failure as well.
set -uo pipefail

TIME_LIMIT_S=600
passed=0 failed=0
report=$(mktemp)
trap 'rm -f "$report"' EXIT

for program in "$@"; do
    printf '==> %s\n' "$program"
    timeout "$TIME_LIMIT_S" "$program" --jobs "$(nproc)" 2>&1 | tee "$report"
    status=${PIPESTATUS[0]}
    # [====] Synthesis: Tested: 12 | Passing: 11 | Failing: 1 | Crashing: 0
    read -r tested passing < <(sed 's/\x1b\[[0-9;]*m//g' "$report" |
        sed -nE 's/.*Synthesis: Tested: ([0-9]+) \| Passing: ([0-9]+) .*/\1 \2/p' | tail -n 1) || tested='' passing=''
    if [ -z "$tested" ]; then
        printf '%s ended with status %s before its summary\n' "$program" "$status"
        tested=1 passing=0
    elif [ "$status" -ne 0 ] && [ "$tested" -eq "$passing" ]; then
        printf '%s: all tests passed, yet it ended with status %s\n' "$program" "$status"
        tested=$((tested + 1))
    fi
    passed=$((passed + passing)) failed=$((failed + tested - passing))
done

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
