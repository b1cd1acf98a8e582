#!/usr/bin/env bash
# run.sh [quick|standard|full] or run.sh WORKLOAD…: measures on private stacks, prints a table, writes .run/bench/summary.json.
#
# Each workload of bench/lib/workloads.sh gets a fresh stack (quick: one for all), warms up, repeats, and is then checked
# against both databases: no seat with two owners, every answer stored, sold seats = tickets. A workload that fails the check
# prints no figure, and the exit status says so. Everything runs on this machine, the load generator included;
# docs/PERFORMANCE.md tells how to read the figures.
#
#   BENCH_REPEATS BENCH_SECONDS BENCH_CONNECTIONS   how often, how long, how wide (defaults by mode, below)
#   BENCH_SCALE                                     size of what takes long (W7, G1: 1 by default; W2, W4: 0.1, but 1 in full)
#   BENCH_HOOK                                      a command to run beside each measured load; bench/profile.sh uses it
set -euo pipefail
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../deploy/lib.sh"
# shellcheck source=bench/lib/stack.sh
. "$ROOT/bench/lib/stack.sh"
# shellcheck source=bench/lib/load.sh
. "$ROOT/bench/lib/load.sh"
# shellcheck source=bench/lib/check.sh
. "$ROOT/bench/lib/check.sh"
# shellcheck source=bench/lib/floor.sh
. "$ROOT/bench/lib/floor.sh"
# shellcheck source=bench/lib/workloads.sh
. "$ROOT/bench/lib/workloads.sh"
# shellcheck source=bench/lib/spike.sh
. "$ROOT/bench/lib/spike.sh"
# shellcheck source=bench/lib/growth.sh
. "$ROOT/bench/lib/growth.sh"
# shellcheck source=bench/lib/report.sh
. "$ROOT/bench/lib/report.sh"

LOADGEN=$ROOT/build/release/bench/loadgen
OUT=$ROOT/.run/bench
QUICK='W3 R2 W1 W5 R1'
STANDARD='W1 W2 W4 W3 R2 R1 W5 W6 W7 L1 M1 overload sweep'
FULL="$STANDARD G1"

choose() {
    case ${1:-quick} in
    quick) WORKLOADS=$QUICK ONE_STACK=1 REPEATS=3 SECONDS_EACH=1.5 WARMUP=0.5 FLOOR_CLIENTS=8 ;;
    standard) WORKLOADS=$STANDARD ;;
    full) WORKLOADS=$FULL SPIKE_SCALE=1 ;;
    *) WORKLOADS=$* ;;
    esac
    REPEATS=${BENCH_REPEATS:-${REPEATS:-3}} SECONDS_EACH=${BENCH_SECONDS:-${SECONDS_EACH:-5}} WARMUP=${WARMUP:-2}
    CONNECTIONS=${BENCH_CONNECTIONS:-256} SCALE=${BENCH_SCALE:-1} SPIKE_SCALE=${BENCH_SCALE:-${SPIKE_SCALE:-0.1}}
}

finish() {
    [ -z "${RUN_DIR:-}" ] || stack_stop --delete-data >/dev/null 2>&1 || true
}

main() {
    local workload failed='' began
    choose "$@"
    packages_ensure build stack
    mkdir -p "$ROOT/.run"
    exec 8>"$ROOT/.run/bench.lock" # not 9: Postgres has its directory there; whatever the stack launches closes this one
    flock -n 8 || die "another measurement is running in this clone"
    ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)"
    make -C "$ROOT" -s -j"$(nproc)" all build/release/bench/loadgen >/dev/null
    rm -rf "$OUT" && mkdir -p "$OUT"
    trap finish EXIT
    report_begin
    for workload in $WORKLOADS; do
        step "$workload: $(describe "$workload")"
        began=$(now_ms)
        run_workload "$workload" || failed+=" $workload"
        say "$(seconds_since "$began")"
    done
    # shellcheck disable=SC2086
    if [ -n "${ONE_STACK:-}" ] && ! check_all $WORKLOADS; then
        failed=" $WORKLOADS"
    fi
    finish
    report_end
    [ -z "$failed" ] || die "no figure for:$failed"
}

main "$@"
