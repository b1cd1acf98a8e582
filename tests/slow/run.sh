#!/usr/bin/env bash
# run.sh [ROUNDS [SENDERS [SILENT]]]: promise P18, measured. A private stack; 500 reads a second of one session, without and with a
# crowd of slow clients (10,000 who send a byte every two seconds, 1,000 who ask for the seats and never read), in turns.
# The crowd arrives in ten seconds, the silent ones in the last of them; from the ninth on it is measured for 16 s, in which
# everybody is cut off and returns.
#
# A line each: milliseconds at p50, p99, p99.9 and the slowest of those reads, failures, and the processor seconds of event-svc.
# Needs 12,000 descriptors (ulimit -n). Two cores are shared with the crowd and whoever measures, so the crowd says what it cost.
set -u
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../deploy/lib.sh"
# shellcheck source=bench/lib/stack.sh
. "$ROOT/bench/lib/stack.sh"
ROUNDS=${1:-3} SENDERS=${2:-10000} SILENT=${3:-1000}
OUT=$ROOT/.run/slow
export VARIANT=${VARIANT:-release}
BIN=$ROOT/build/$VARIANT

cpu_s() { awk -v hz="$(getconf CLK_TCK)" '{ print ($14 + $15) / hz }' "/proc/$(service_pid event-svc)/stat"; }

# read_for SECONDS LABEL
read_for() {
    local before
    before=$(cpu_s)
    "$BIN/bench/loadgen" --workload get --port "${EVENT_URL##*:}" --path "/api/v1/sessions/$SESSION" --connections 32 --rate 500 \
        --seconds "$1" --warmup 1 >"$OUT/load" || die "the reads failed"
    jq -r --arg what "$2" --arg before "$before" --arg after "$(cpu_s)" '
        "\($what): p50 \(.first.p50_ms) p99 \(.first.p99_ms) p99.9 \(.first.p999_ms) slowest \(.first.max_ms) failed \(.failed + .broken
        + .overloaded) event-svc \(($after | tonumber) - ($before | tonumber) | . * 100 | round / 100) s"' "$OUT/load"
}

crowd() {
    "$BIN/tests/slow/slow_clients" "${EVENT_URL##*:}" "$SENDERS" "$SILENT" "/api/v1/sessions/$SESSION/seats" 27 >"$OUT/crowd" &
    sleep 7.5
    read_for 16 "with the crowd"
    wait "$!"
    echo "  crowd at the end: $(cat "$OUT/crowd"); $(metric http_stalled_clients_total) given up; event-svc $(
        awk '/VmHWM/ { print int($2 / 1024) }' "/proc/$(service_pid event-svc)/status") MB at most"
}

metric() { curl -s "$EVENT_URL/metrics" | awk -v name="$1{service=\"event-svc\"}" '$1 == name { print $2 }'; }

main() {
    mkdir -p "$OUT"
    ulimit -n $((SENDERS + SILENT + 1000)) || die "too few descriptors"
    :
    stack_private "$OUT/stack" >/dev/null
    export LOG_LEVEL=warning
    trap 'stack_stop --delete-data >/dev/null 2>&1' EXIT
    stack_start >"$OUT/start.log" 2>&1 || die "the stack does not start: $OUT/start.log"
    # shellcheck disable=SC2034 # of bench/lib/stack.sh
    LOCATION='' SESSION_DAY=0
    make_catalogue && make_session 1 40 50 || exit 2
    for ((round = 0; round < ROUNDS; round++)); do
        read_for 6 "without"
        crowd
        sleep 3
    done
    read_for 6 "without"
}

main
