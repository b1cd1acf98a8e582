#!/usr/bin/env bash
# run.sh [OPTION…]: a private stack behind the fault proxy, the driver, the verdict. tests/chaos/README.md explains.
#
#   --seed N         what goes wrong and when (default: drawn and printed)
#   --seconds N      length of the schedule (180)
#   --patience N     seconds after the last fault until both databases must agree (30)
#   --rate N         purchases a second (150)      --buyers N   connections (200)
#   --with WORDS     separated by commas: crash (points; a build of their own, VARIANT=fault), storm (more of them), disk
#                    (small ones; root), clock (wrong ones; package faketime), shuffle (messages tripled, out of order, with
#                    garbage between)
#   --workers N      so many more booking-workers, for the whole run
#   --no-sweep       orphans and lost confirmations are not repaired, so that the layer before must hold
#   --schedule FILE  faults from a file instead of the seed; tests/chaos/scenarios has some
#   --apart          no buyer wants another one's seat: how each purchase ends depends on the seed alone (skew.sh)
#   --slice          the part of make test: a fixed seed, a minute, little load
#   --plan           prints the schedule and ends
#   --keep           leaves the stack and its data in place
#   --direct         clients connect to booking-svc itself: who finds the door closed knows that nothing was asked
#   --verbose        prints each fault as it happens
# Prints `N passed, N failed` last: the run, and that its schedule is the one its seed stands for. Report, plan and logs of
# the run stand in .run/chaos/.
set -u
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../deploy/lib.sh"
HERE=$ROOT/tests/chaos
OUT=$ROOT/.run/chaos

parse() {
    SEED='' LENGTH=180 RATE=150 BUYERS=200 WITH='' KEEP=no PLAN=no DIRECT=no
    EXTRA=() REPLAY='tests/chaos/run.sh'
    while [ $# -gt 0 ]; do
        case $1 in
        --seed) SEED=$2 && shift ;;
        --seconds) LENGTH=$2 && shift ;;
        --rate) RATE=$2 && shift ;;
        --buyers) BUYERS=$2 && shift ;;
        --no-sweep) export CHAOS_GRACE=3600 && REPLAY+=' --no-sweep' ;;
        --workers) export CHAOS_WORKERS=$2 && REPLAY+=" --workers $2" && shift ;;
        --with) WITH=$2 && shift ;;
        --patience) EXTRA+=(--patience "$2") && shift ;;
        --apart) EXTRA+=(--apart) REPLAY+=' --apart' ;;
        --schedule) EXTRA+=(--schedule "$2") REPLAY+=" --schedule $2" && shift ;;
        --slice) SEED=7 LENGTH=60 RATE=60 BUYERS=100 EXTRA+=(--patience 90) ;; # other tests may share the machine
        --plan) PLAN=yes EXTRA+=(--plan) ;;
        --direct) DIRECT=yes REPLAY+=' --direct' ;;
        --verbose) EXTRA+=(--verbose) ;;
        --keep) KEEP=yes ;;
        *)
            sed -n '2,21s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
            exit 2
            ;;
        esac
        shift
    done
    SEED=${SEED:-$((RANDOM * 32768 + RANDOM))}
    REPLAY+=" --seed $SEED --seconds $LENGTH --rate $RATE --buyers $BUYERS${WITH:+ --with $WITH}"
    VARIANT=${VARIANT:-release}
    case $WITH in *crash*) VARIANT=fault ;; esac
    export VARIANT CHAOS_WITH=$WITH CHAOS_SEED=$SEED
}

build() {
    make -C "$ROOT" -s -j"$(nproc)" VARIANT="$VARIANT" all chaos-programs >"$OUT/build.log" 2>&1 && return
    show_tail "$OUT/build.log" 40
    return 1
}

post() { curl -fsS --max-time 60 -H 'Content-Type: application/json' -d "$2" "$1"; }

# put_on_sale SEATS: halls of 2,500 seats with a session each; "session seat" lines in $OUT/seats, neighbours together.
put_on_sale() {
    local organizer location event hall i
    organizer=$(post "$EVENT_URL/api/v1/organizers" '{"name": "Chaos"}' | jq -er .organizer_id) || return 1
    location=$(post "$EVENT_URL/api/v1/locations" '{"name": "Chaos", "address": "1 Street", "city": "Bergen", "country": "NO",
        "timezone": "Europe/Oslo"}' | jq -er .location_id) || return 1
    event=$(post "$EVENT_URL/api/v1/events" "{\"title\": \"Chaos\", \"event_type\": \"concert\",
        \"organizer_id\": \"$organizer\"}" | jq -er .event_id) || return 1
    for ((i = 0; i * 2500 < $1; i++)); do
        hall=$(post "$EVENT_URL/api/v1/locations/$location/halls" "{\"name\": \"Hall $i\", \"capacity\": 2500}" | jq -er .hall_id)
        post "$EVENT_URL/api/v1/halls/$hall/seats/bulk" \
            '[{"section": "A", "row_count": 50, "col_count": 50, "seat_type": "standard"}]' >/dev/null || return 1
        post "$EVENT_URL/api/v1/sessions" "{\"event_id\": \"$event\", \"hall_id\": \"$hall\", \"base_price\": \"80.00\",
            \"start_time\": \"$(date -u -d '+30 days' +%FT18:00:00Z)\", \"end_time\": \"$(date -u -d '+30 days' +%FT21:00:00Z)\"}" \
            >/dev/null || return 1
    done
    stack_sql event_service "SELECT session_id || ' ' || session_seat_id FROM session_seats ORDER BY session_id, seat_order" >"$OUT/seats"
}

# shellcheck disable=SC2317 # the trap calls it
finish() {
    [ -z "${UP:-}" ] || [ "$KEEP" = yes ] || "$HERE/stack.sh" down "$STACK" >"$OUT/down.log" 2>&1 || show_tail "$OUT/down.log"
}

driver() {
    "$ROOT/build/$VARIANT/tests/chaos/driver" --seed "$SEED" --seconds "$LENGTH" --with "$WITH" "${EXTRA[@]}" "$@"
}

# same_schedule: two dry runs and the run itself had the same one.
same_schedule() {
    local first second ran
    first=$(driver --plan | grep -om 1 'schedule [0-9a-f]\{16\}')
    second=$(driver --plan | grep -om 1 'schedule [0-9a-f]\{16\}')
    ran=$(grep -om 1 'schedule [0-9a-f]\{16\}' "$OUT/report")
    [ -n "$first" ] && [ "$first" = "$second" ] && [ "$first" = "$ran" ] && return
    complain "seed $SEED: $first, then $second, and the run had ${ran:-none}"
    return 1
}

verify() {
    DATABASE_URL=$BOOKING_DATABASE_URL EVENT_DATABASE_URL=$EVENT_DATABASE_URL \
        "$ROOT/build/$VARIANT/booking-worker/verify" --grace 10
}

keep_logs() {
    rm -rf "$OUT/log"
    cp -r "$STACK/log" "$OUT/log" 2>/dev/null
}

main() {
    local status
    parse "$@"
    mkdir -p "$OUT" && build || exit 2
    if [ "$PLAN" = yes ]; then
        driver
        return
    fi
    STACK=$(mktemp -d "$ROOT/.run/chaos.XXXXXX")
    trap finish EXIT
    trap 'exit 130' INT TERM
    UP=yes
    "$HERE/stack.sh" up "$STACK" >"$OUT/up.log" 2>&1 || {
        show_tail "$OUT/up.log" 40
        exit 2
    }
    stack_attach "$STACK" || exit 2
    # shellcheck source=/dev/null
    . "$STACK/chaos.env"
    [ "$DIRECT" = no ] || LINK_CLIENT_BOOKING=$BOOKING_SERVICE_PORT
    put_on_sale $((LENGTH * RATE * 2 + 5000)) || die "nothing to sell"
    driver --rate "$RATE" --buyers "$BUYERS" --replay "$REPLAY" --run-dir "$STACK" --script "$HERE/stack.sh" --out "$OUT" \
        --seats "$OUT/seats" --port "$LINK_CLIENT_BOOKING" --redis-port "$REDIS_PORT" \
        --event-db "$EVENT_DATABASE_URL" --booking-db "$BOOKING_DATABASE_URL" | tee "$OUT/report"
    status=${PIPESTATUS[0]}
    verify >"$OUT/verify" 2>&1 || {
        complain "verify does not agree"
        show_tail "$OUT/verify"
        status=1
    }
    same_schedule || status=1
    [ ! -s "$STACK/shuffled" ] || say "messages: $(cat "$STACK/shuffled")"
    sort "$STACK/restarts" 2>/dev/null >"$OUT/restarts"
    keep_logs
    return "$status"
}

main "$@"; exit
