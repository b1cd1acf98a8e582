# shellcheck shell=bash
# shellcheck disable=SC2016,SC2153 # jq has dollar signs; the library sets STATUS
# Scenarios of docs/RELIABILITY.md: processes that sleep or die at the worst moment, and retries of what is in doubt

# Nothing may hang: 2 s is a request's time, the rest is a busy machine's.
ANSWER_MS=$((2500 * PATIENCE))

reserve_under() { # KEY USER SEAT…: also leaves TOOK_MS
    local key=$1 user=$2 began
    shift 2
    began=$(now_ms)
    send POST "${RESERVE_URL:-$BOOKING_URL}/api/v1/reservations" "$(reservation_json "$@")" -H "X-User-ID: $user" \
        ${key:+-H "Idempotency-Key: $key"}
    RESERVATION_ID=$(json '.id // empty' 2>/dev/null)
    TOOK_MS=$(($(now_ms) - began))
}

# An event-svc that can be put to sleep, and a booking-svc that knows no other; leaves EVENT_PID, BOOKING_PID, RESERVE_URL.
sleepy_pair() {
    quietly instance_start event-svc
    EVENT_PID=$INSTANCE_PID
    quietly instance_start booking-svc EVENT_SERVICE_URL="$INSTANCE_URL"
    BOOKING_PID=$INSTANCE_PID
    RESERVE_URL=$INSTANCE_URL
}

seat_owner() { # SESSION_SEAT_ID → reservation id
    event_sql "SELECT reservation_id FROM session_seats WHERE session_seat_id = '$1'"
}

# Scenarios 3, 4, 19: the hold happens after its caller gave up.
event_svc_sleeps() {
    local user key first unkeyed
    open_session 2 5
    take 2
    user=$(uuid) key=$(uuid) unkeyed=${TAKEN[1]}
    kill -s STOP "$EVENT_PID"
    reserve_under "$key" "$user" "${TAKEN[0]}"
    expect_problem 503 outcome_unknown
    expect_between "milliseconds until the answer" "$TOOK_MS" 100 "$ANSWER_MS"
    reserve_under "" "$user" "$unkeyed"
    expect_status 503
    expect_between "milliseconds until the answer" "$TOOK_MS" 0 "$ANSWER_MS"
    kill -s CONT "$EVENT_PID"
    eventually 5 "the seat whose hold was late" reserved seat_status "${TAKEN[0]}"
    first=$(seat_owner "${TAKEN[0]}")
    eventually 5 "the retry under the same key" "201 $first" retry_under "$key" "$user" "${TAKEN[0]}"
    eventually 15 "the seat of the request without a key" available seat_status "$unkeyed"
}

retry_under() { # KEY USER SEAT…
    reserve_under "$@"
    echo "$STATUS $RESERVATION_ID"
}

# Scenario 15: who has the lock is paused past its end, somebody else takes over, the sleeper wakes up.
lock_holder_sleeps() {
    local user winner sleeper lock
    open_session 1 2
    take 1
    user=$(uuid)
    lock="booking:lock:{$SESSION_ID}:${TAKEN[0]}"
    kill -s STOP "$EVENT_PID"
    send_in_background "$user" "${TAKEN[0]}"
    eventually 3 "locks of that seat" 1 lock_exists "$lock"
    kill -s STOP "$BOOKING_PID"
    eventually 15 "locks of that seat once the time is up" 0 lock_exists "$lock"
    RESERVE_URL=$BOOKING_URL reserve "$(uuid)" "${TAKEN[0]}"
    expect_status 201
    winner=$RESERVATION_ID
    kill -s CONT "$EVENT_PID"
    kill -s CONT "$BOOKING_PID"
    wait "$SENT"
    sleeper=$(cat "$WORK/sleeper")
    expect_match "answer to the sleeper's client" "$sleeper" '^(409|503)$'
    expect "owner" "$(seat_owner "${TAKEN[0]}")" "$winner"
    expect "locks after the sleeper gave back its own" "$(lock_exists "$lock")" 1
}

send_in_background() { # USER SEAT: leaves SENT, the status in $WORK/sleeper
    curl -s -o "$WORK/sleeper.body" -w '%{http_code}' --max-time 40 -H 'Content-Type: application/json' -H "X-User-ID: $1" \
        --data-binary "$(reservation_json "$2")" "$RESERVE_URL/api/v1/reservations" >"$WORK/sleeper" &
    SENT=$!
}

lock_exists() { # KEY
    printf 'EXISTS %s\r\nQUIT\r\n' "$1" | raw "${REDIS_URL%/*}" 2 | sed -n 's/^:\([01]\).*/\1/p'
}

# Scenario 16: Redis takes connections and never answers.
redis_sleeps() {
    local n slowest=0
    open_session 2 10
    service_signal redis STOP
    for n in {1..10}; do
        take 1
        reserve_under "" "$(uuid)" "${TAKEN[0]}"
        expect_status 201
        [ "$TOOK_MS" -le "$slowest" ] || slowest=$TOOK_MS
    done
    expect_between "milliseconds of the slowest of $n" "$slowest" 0 $((1000 * PATIENCE))
    fifty_race_for_one 2
    service_signal redis CONT
    eventually 5 "Redis in /health" up redis_in_health
}

redis_in_health() {
    get "$BOOKING_URL/health"
    json .checks.redis
}

# Scenario 6: the hold's time passes while the broker is away. Nobody else may have what was paid for; what was not comes back.
deadlines_pass_without_broker() {
    local user sold lapsed
    quietly instance_start booking-svc RESERVATION_TIMEOUT_SECONDS=5 # long enough to pay in
    open_session 1 4
    take 2
    user=$(uuid)
    quietly service_stop rabbitmq
    RESERVE_URL=$INSTANCE_URL reserve "$user" "${TAKEN[0]}"
    expect_status 201
    sold=$RESERVATION_ID
    RESERVE_URL=$INSTANCE_URL reserve "$user" "${TAKEN[1]}"
    lapsed=$RESERVATION_ID
    confirm "$user" "$sold"
    expect_status 200
    eventually 10 "the seat nobody paid for" available seat_status "${TAKEN[1]}"
    sleep 3 # past every deadline and the grace of the sweep
    expect "the seat that was paid for" "$(seat_status "${TAKEN[0]}") $(seat_owner "${TAKEN[0]}")" "reserved $sold"
    reserve "$(uuid)" "${TAKEN[0]}"
    expect_problem 409 seats_taken
    reserve "$(uuid)" "${TAKEN[1]}"
    expect_status 201
    quietly service_start rabbitmq
    eventually 10 "the seat that was paid for, with the broker back" sold seat_status "${TAKEN[0]}"
    eventually 5 "outbox" 0 booking_sql "SELECT count(*) FROM outbox"
    expect "the seat that was sold on while the expiry's message waited" "$(seat_status "${TAKEN[1]}")" reserved
    expect "the lapsed reservation" "$(reservation_status "$lapsed")" expired
}

# Scenarios 11, 12: forty sales wait for the broker; who relays and who consumes them is killed on the way.
relay_and_consumer_die() {
    local seat user n dead
    open_session 4 10
    user=$(uuid)
    dead=$(dead_letter_count)
    quietly service_stop rabbitmq
    volley_open
    for seat in "${SEATS[@]}"; do
        volley_add POST "$BOOKING_URL/api/v1/reservations" "$user" "$(reservation_json "$seat")"
    done
    volley_fire 20
    expect "reservations" "$(volley_tally)" "201:40"
    mapfile -t made < <(booking_sql "SELECT id FROM reservations WHERE session_id = '$SESSION_ID'")
    volley_open
    for n in "${made[@]}"; do
        volley_add POST "$BOOKING_URL/api/v1/reservations/$n/confirm" "$user" "{\"payment_id\": \"$ALWAYS_PAYS\"}"
    done
    volley_fire 20
    expect "confirmations" "$(volley_tally)" "200:40"
    quietly service_start rabbitmq
    for n in 1 2 3; do
        quietly service_kill booking-svc
        quietly service_kill event-svc
        quietly service_start event-svc
        quietly service_start booking-svc
    done
    eventually 10 "sold seats" 40 seats_with_status "$SESSION_ID" sold
    eventually 10 "outbox" 0 booking_sql "SELECT count(*) FROM outbox"
    expect "dead letters" "$(dead_letter_count)" "$dead"
}

# Scenarios 7, 8: one confirmation a hundred times, among cancellations and expiries of revisions gone by.
message_storm() {
    local id user seat revision n type
    open_session 1 2
    take 1
    user=$(uuid) seat=${TAKEN[0]}
    reserve "$user" "$seat"
    id=$RESERVATION_ID
    confirm "$user" "$id"
    expect_status 200
    eventually 5 "seat" sold seat_status "$seat"
    revision=$(booking_sql "SELECT revision FROM reservations WHERE id = '$id'")
    for n in {1..100}; do
        type=reservation.confirmed
        [ $((n % 5)) -ne 0 ] || type=reservation.cancelled
        broker_publish "$type" "$(storm_message "$id" "$user" "$seat" "$type" "$revision")" >"$WORK/routed"
    done
    buy_one # messages are handled in order
    eventually 10 "the seat of a booking behind them" sold seat_status "$BOUGHT_SEAT"
    expect "seat" "$(seat_status "$seat") $(seat_owner "$seat")" "sold $id"
    expect "hold" "$(event_sql "SELECT state, revision FROM holds WHERE reservation_id = '$id'")" "sold|$revision"
}

storm_message() { # RESERVATION USER SEAT TYPE REVISION: a cancellation is of the revision before
    local status=sold revision=$5
    [ "$4" = reservation.confirmed ] || { status=available revision=$(($5 - 1)); }
    printf '{"event_id": "%s", "event_type": "%s", "occurred_at": "%s", "data": {"reservation_id": "%s", "revision": %d, ' \
        "$(uuid)" "$4" "$(from_now '0 seconds')" "$1" "$revision"
    printf '"session_id": "%s", "user_id": "%s", "seats": [{"session_seat_id": "%s", "status": "%s"}]}}' "$SESSION_ID" "$2" "$3" "$status"
}

# Scenario 9: a confirmation for a seat that another reservation holds.
contradiction_is_shown() {
    local user owner before message
    open_session 1 2
    take 1
    user=$(uuid)
    reserve "$user" "${TAKEN[0]}"
    owner=$RESERVATION_ID
    before=$(contradictions_counted)
    message=$(storm_message "$(uuid)" "$user" "${TAKEN[0]}" reservation.confirmed 3)
    expect "routed" "$(broker_publish reservation.confirmed "$message")" true
    eventually 5 "copies in the dead-letter queue" 1 dead_letters_like "$message"
    expect "seat" "$(seat_status "${TAKEN[0]}") $(seat_owner "${TAKEN[0]}")" "reserved $owner"
    expect "alarms" "$(contradictions_counted)" $((before + 1))
    dead_letters_purge
}

contradictions_counted() {
    get "$EVENT_URL/metrics"
    body | awk '/^messages_contradiction_total/ { n += $2 } END { print n + 0 }'
}

# Scenario 23: Postgres dies under bookings; whoever asks again under the same key gets the one reservation, and its body.
database_dies() {
    local seat n told
    open_session 6 10
    volley_open
    for seat in "${SEATS[@]}"; do
        volley_add POST "$BOOKING_URL/api/v1/reservations" "$(uuid)" "$(reservation_json "$seat")" "Idempotency-Key: died-$seat"
    done
    volley_fire 20 &
    told=$!
    eventually 3 "first bookings" t booking_sql "SELECT count(*) > 3 FROM reservations WHERE session_id = '$SESSION_ID'"
    service_signal postgres QUIT # an immediate shutdown: no checkpoint, connections cut
    wait "$told"
    expect "answers beyond 201 and 503: $(volley_tally)" "$(($(volley_count 201) + $(volley_count 503)))" 60
    cp "$WORK/volley.codes" "$WORK/died.codes"
    for n in {1..60}; do
        cp "$WORK/volley.$n" "$WORK/died.$n" 2>/dev/null
    done
    wait_for 60 process_gone postgres
    quietly service_start postgres
    eventually 15 "booking-svc ready again" 200 ready_status
    eventually 15 "every retry" "201:60" fire_again
    while read -r n; do
        [ "$(jq -r .id "$WORK/died.$n")" = "$(jq -r .id "$WORK/volley.$n")" ] || fail "$n: another reservation than was told"
    done < <(awk '$2 == 201 { print $1 }' "$WORK/died.codes")
    expect "reservations" "$(booking_sql "SELECT count(*) FROM reservations WHERE session_id = '$SESSION_ID' AND status = 'active'")" 60
    expect "seats" "$(seats_with_status "$SESSION_ID" reserved)" 60
}

ready_status() {
    get "$BOOKING_URL/readyz"
    echo "$STATUS"
}

fire_again() {
    volley_fire 20
    volley_tally
}

if [ "$PRIVATE" = yes ]; then
    sleepy_pair
    check "event-svc sleeps: a key finds its late hold again, without a key nothing is stranded" event_svc_sleeps
    check "a lock holder sleeps past the lock's end: the seat and the lock are its successor's" lock_holder_sleeps
    unset RESERVE_URL
    instances_stop
    check "Redis hangs: bookings do not wait for it" redis_sleeps
    check "the broker is away past a deadline: what was paid for stays, the rest is sold on" deadlines_pass_without_broker
    instances_stop
    check "relay and consumer are killed on the way, three times: all sold, nothing left" relay_and_consumer_die
    check "a hundred messages, repeated and out of order, change nothing" message_storm
    check "a contradiction is shown and never applied" contradiction_is_shown
    check "Postgres dies under bookings: each key has one reservation afterwards" database_dies
else
    skip "scenarios with sleeping and dying processes" "breaks parts of the stack; --private does it"
fi
