# shellcheck shell=bash
# shellcheck disable=SC2016 # jq has dollar signs
# Breaker: event-svc stops answering, booking-svc says so at once and finds it again by itself

event_svc_signal() { # SIGNAL
    quietly kill -s "$1" "$(service_pid event-svc)"
}

breaker_state() {
    curl -sS --max-time 2 "$BOOKING_URL/health" | jq -r .details.event_svc_breaker
}

# Reserves until the breaker is open; every answer on the way is a 503.
reserve_until_open() {
    local tries began
    for tries in {1..6}; do
        take 1
        began=$(now_ms)
        reserve "$(uuid)" "${TAKEN[0]}"
        expect "status of try $tries" "$STATUS" 503
        expect_between "milliseconds of try $tries" $(($(now_ms) - began)) 0 $((2500 * PATIENCE)) # of 2 s
        [ "$(breaker_state)" = open ] && return
    done
    fail "not open after $tries tries"
}

reserve_timed() { # SEAT → status and seconds
    curl -sS --max-time 5 -o "$WORK/timed" -w '%{http_code} %{time_total}' -H 'Content-Type: application/json' \
        -H "X-User-ID: $(uuid)" --data-binary "$(reservation_json "$1")" "$BOOKING_URL/api/v1/reservations"
}

stopped_event_svc() {
    local refused= i
    open_session 5 10
    take 1
    reserve "$(uuid)" "${TAKEN[0]}"
    expect_status 201
    expect "breaker" "$(breaker_state)" closed
    event_svc_signal STOP
    reserve_until_open
    for i in {1..20}; do
        take 1
        refused+=$(reserve_timed "${TAKEN[0]}")$'\n'
    done
    expect "refused of $i" "$(grep -c '^503 ' <<<"$refused")" 20
    expect "slower than 0.9 s (a call waits for a second at least)" "$(awk '$2 > 0.9' <<<"$refused")" ""
    take 1
    reserve "$(uuid)" "${TAKEN[0]}"
    expect_problem 503 overloaded
    expect "Retry-After" "$(header retry-after)" 1
    expect_match "metric" "$(booking_metric 'breaker_state{service="event-svc"}')" '^[12]$'
    expect_match "opened" "$(booking_metric 'breaker_opened_total{service="event-svc"}')" '^[1-9]'
    expect_match "not called" "$(booking_metric 'reservations_turned_away_total')" '^[1-9]'
    get "$BOOKING_URL/health"
    expect_status 200
    expect_json '.status == "degraded" and .checks["event-svc"] == "down"'
    get "$BOOKING_URL/livez"
    expect_status 200
    event_svc_signal CONT
    eventually 4 "breaker" closed breaker_state
    take 1
    reserve "$(uuid)" "${TAKEN[0]}"
    expect_status 201
}

killed_event_svc() {
    quietly service_kill event-svc
    reserve_until_open
    quietly service_start event-svc
    eventually 4 "breaker" closed breaker_state
    take 1
    reserve "$(uuid)" "${TAKEN[0]}"
    expect_status 201
}

# What the stopped process had in its socket was held when it went on. Nobody will claim it: the sweep gives it back ten
# minutes later, at its deadline; the themes after this one do not wait for that.
strays_can_be_given_back() {
    local id
    for id in $(holds_without_reservation); do
        internal POST "sessions/$SESSION_ID/seats/release" "{\"reservation_id\": \"$id\"}"
        expect_status 200
    done
    expect "seats held without a reservation" "$(holds_without_reservation)" ""
}

holds_without_reservation() { # → their ids
    local id
    for id in $(event_sql "SELECT reservation_id FROM holds WHERE session_id = '$SESSION_ID' AND state = 'held'"); do
        [ "$(booking_sql "SELECT count(*) FROM reservations WHERE id = '$id'")" = 1 ] || echo "$id"
    done
}

if [ "$PRIVATE" = yes ]; then
    check "event-svc stopped (SIGSTOP): the breaker opens, 503 with Retry-After at once; it closes by its probe" stopped_event_svc
    check "event-svc killed: the same" killed_event_svc
    check "what is held for nobody can be given back" strays_can_be_given_back
else
    skip "breaker" "stops event-svc; --private does it"
fi
