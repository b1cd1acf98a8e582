# shellcheck shell=bash
# A private stack with something to sell.

# fresh_stack: stops the one before, deletes its data, starts anew; in quick mode the first one serves all workloads.
fresh_stack() {
    if [ -n "${ONE_STACK:-}" ] && [ -n "${BENCH_STACK_UP:-}" ]; then
        return 0
    fi
    finish
    stack_private "$ROOT/.run/bench-stack" || return 1
    export RESERVATION_TIMEOUT_MINUTES=120 LOG_LEVEL=warning MOCK_PAYMENT_ENABLED=true MOCK_PAYMENT_SUCCESS_RATE=1.0
    remember_commit_times && stack_start >"$OUT/stack.log" || return 1
    BENCH_STACK_UP=1 LOCATION='' SESSION_DAY=0
}

# With track_commit_timestamp Postgres remembers when each transaction was committed: the only way to know when a seat became
# SOLD that costs the system nothing while it is measured. It needs a restart, so it comes before everything else.
remember_commit_times() {
    local -a settings=(-c 'ALTER SYSTEM SET track_commit_timestamp = on')
    [ -z "${BENCH_PRELOAD:-}" ] || settings+=(-c "ALTER SYSTEM SET shared_preload_libraries = $BENCH_PRELOAD")
    {
        service_start postgres && postgres_psql "${settings[@]}" && service_restart postgres
    } >"$OUT/stack.log" 2>&1 || {
        show_tail "$OUT/stack.log"
        return 1
    }
}

post() { curl -fsS --max-time 120 -H 'Content-Type: application/json' -d "$2" "$1"; }

make_catalogue() {
    local organizer
    organizer=$(post "$EVENT_URL/api/v1/organizers" '{"name": "Bench"}' | jq -er .organizer_id)
    LOCATION=$(post "$EVENT_URL/api/v1/locations" '{"name": "Bench", "address": "1 Street", "city": "Berlin", "country": "DE",
        "timezone": "Europe/Berlin"}' | jq -er .location_id)
    EVENT=$(post "$EVENT_URL/api/v1/events" "{\"title\": \"Bench\", \"event_type\": \"concert\",
        \"organizer_id\": \"$organizer\"}" | jq -er .event_id)
}

# make_session SECTIONS ROWS COLUMNS: a hall of its own with a session in it, its sections called 1, 2 and so on, of ROWS x
# COLUMNS seats each; sets SESSION.
make_session() {
    local hall day layout
    day=$((++SESSION_DAY))
    layout=$(jq -n --argjson sections "$1" --argjson rows "$2" --argjson columns "$3" '[range(1; $sections + 1) |
        {section: "\(.)", row_count: $rows, col_count: $columns, seat_type: "standard"}]')
    hall=$(post "$EVENT_URL/api/v1/locations/$LOCATION/halls" "{\"name\": \"Hall $day\", \"capacity\": $(($1 * $2 * $3))}" |
        jq -er .hall_id)
    post "$EVENT_URL/api/v1/halls/$hall/seats/bulk" "$layout" >/dev/null
    SESSION=$(post "$EVENT_URL/api/v1/sessions" "{\"event_id\": \"$EVENT\", \"hall_id\": \"$hall\", \"base_price\": \"80.00\",
        \"start_time\": \"$(date -u -d "+$day days" +%FT18:00:00Z)\", \"end_time\": \"$(date -u -d "+$day days" +%FT21:00:00Z)\"}" |
        jq -er .session_id)
}

# SEATS_USED: how many of them are gone (bench/lib/load.sh).
# shellcheck disable=SC2034
# put_on_sale SESSIONS SEATS-EACH: new sessions, their seats in $OUT/seats.txt, taken in turns by the sessions' rows of 50 so
# that several sessions sell at a time.
put_on_sale() {
    local i list=''
    [ -n "${LOCATION:-}" ] || make_catalogue || return 1
    for ((i = 0; i < $1; i++)); do
        make_session 1 "$((($2 + 49) / 50))" 50 || return 1
        list+="'$SESSION',"
    done
    stack_sql event_service "ANALYZE session_seats, seats, sessions; SELECT session_id || ' ' || session_seat_id FROM session_seats
        WHERE session_id IN (${list%,}) ORDER BY seat_order / 50, session_id, seat_order" >"$OUT/seats.txt"
    SEATS_USED=0
}

# sections_on_sale SESSIONS SECTIONS: new sessions of so many sections with 400 seats; $OUT/sections.txt has them all.
sections_on_sale() {
    local i
    [ -n "${LOCATION:-}" ] || make_catalogue || return 1
    for ((i = 0; i < $1; i++)); do
        make_session "$2" 20 20 || return 1
        seq -f "$SESSION %.0f" "$2"
    done >"$OUT/sections.txt"
    stack_sql event_service 'ANALYZE session_seats, seats, sessions'
}

# settings for one run of a service; both are restarted, and again without arguments.
restart_services() {
    service_restart event-svc "$@" >/dev/null && service_restart booking-svc "$@" >/dev/null
}
