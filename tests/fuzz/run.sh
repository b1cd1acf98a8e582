#!/usr/bin/env bash
# make fuzz: every target for so many seconds, starting from the committed corpus; what it discovers stays below build/fuzz.
#   run.sh SECONDS DIRECTORY-OF-PROGRAMS [TARGET…]
# SECONDS 0: the corpus only. Prints a line per target and `N passed, N failed`; an input that broke one is kept and named.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

SECONDS_EACH=$1 PROGRAMS=$2
shift 2
[ $# -gt 0 ] || set -- json route values message seats qr token keys
PASSED=0 FAILED=0

# fuzz TARGET: one process, no forks; slow and large inputs are findings, too.
fuzz() {
    local found=$PROGRAMS/corpus/$1 limits=(-timeout=5 -rss_limit_mb=1024 -max_len=8192 -print_final_stats=1)
    mkdir -p "$found"
    if [ "$SECONDS_EACH" -gt 0 ]; then
        limits+=(-max_total_time="$SECONDS_EACH")
    else
        limits+=(-runs=0)
    fi
    "$PROGRAMS/$1" "${limits[@]}" -artifact_prefix="$PROGRAMS/finding-$1-" "$found" "tests/fuzz/corpus/$1"
}

for target in "$@"; do
    if fuzz "$target" >"$PROGRAMS/$target.log" 2>&1; then
        PASSED=$((PASSED + 1))
        printf 'ok %s: %s inputs\n' "$target" "$(awk '/^stat::number_of_executed_units/ { print $2 }' "$PROGRAMS/$target.log")"
    else
        FAILED=$((FAILED + 1))
        printf 'not ok %s: %s\n' "$target" "$PROGRAMS/$target.log"
        tail -n 30 "$PROGRAMS/$target.log" | sed 's/^/#     /'
    fi
done
printf '%d passed, %d failed\n' "$PASSED" "$FAILED"
[ "$FAILED" -eq 0 ]
