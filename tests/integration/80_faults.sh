# shellcheck shell=bash
# shellcheck disable=SC2016 # jq has dollar signs
# Faults: the worker is killed, the broker stops, Redis forgets, services are told to end

worker_killed_with_holds_outstanding() {
    local user expiry
    quietly instance_start booking-svc RESERVATION_TIMEOUT_SECONDS=2
    SHORT_URL=$INSTANCE_URL
    open_session 2 5
    take 3
    user=$(uuid)
    quietly service_kill booking-worker
    RESERVE_URL=$SHORT_URL reserve "$user" "${TAKEN[@]}"
    expect_status 201
    expiry=$(json .expiry_time)
    sleep 3
    expect_between "milliseconds past the expiry" $(($(now_ms) - $(date -u -d "$expiry" +%s%3N))) 100 60000
    expect "seats while nobody tidies" "$(seats_with_status "$SESSION_ID" reserved)" 3
    confirm "$user" "$RESERVATION_ID"
    expect_problem 410 hold_expired
    reservation "$user" "$RESERVATION_ID"
    expect_json '.status == "expired"'
    quietly service_start booking-worker
    eventually 5 "seats after the worker is back" 10 seats_with_status "$SESSION_ID" available
    expect "reservation" "$(reservation_status "$RESERVATION_ID")" expired
}

# booking-svc died between the hold at event-svc and its own commit: nobody but the worker knows.
orphaned_holds_come_back() {
    local id
    id=$(uuid)
    take 1
    internal POST "sessions/$SESSION_ID/seats/reserve" \
        "{\"reservation_id\": \"$id\", \"session_seat_ids\": [\"${TAKEN[0]}\"], \"hold_seconds\": 4}"
    expect_status 200
    expect "seat" "$(seat_status "${TAKEN[0]}")" reserved
    eventually 10 "seat" available seat_status "${TAKEN[0]}"
    expect "tombstone" "$(booking_sql "SELECT status, seats_count FROM reservations WHERE id = '$id'")" "expired|0"
}

services_killed_in_the_middle() {
    local user
    user=$(uuid)
    take 2
    reserve "$user" "${TAKEN[@]}"
    expect_status 201
    quietly service_kill booking-svc
    quietly service_kill event-svc
    quietly service_start event-svc
    quietly service_start booking-svc
    confirm "$user" "$RESERVATION_ID"
    expect_status 200
    eventually 10 "seat" sold seat_status "${TAKEN[0]}"
}

redis_forgets() {
    local seat rounds=5 round
    open_session 5 10
    for ((round = 1; round <= rounds; round++)); do
        take 1
        seat=${TAKEN[0]}
        volley_open
        for _ in {1..30}; do
            volley_add POST "$BOOKING_URL/api/v1/reservations" "$(uuid)" "$(reservation_json "$seat")"
        done
        volley_fire 30 &
        local pid=$!
        redis_command FLUSHALL
        redis_command FLUSHALL
        wait "$pid"
        expect "round $round" "$(volley_tally)" "201:1 409:29"
    done
    expect "owners" "$(seats_with_status "$SESSION_ID" reserved)" "$rounds"
}

redis_command() { # spoken over a plain socket, so that no client is needed
    printf '%s\r\nQUIT\r\n' "$1" | raw "${REDIS_URL%/*}" 2 >"$WORK/redis"
    expect_match "Redis" "$(cat "$WORK/redis")" '^\+OK'
}

without_redis() { # CHECK [ARGUMENT…]
    quietly service_stop redis
    "$@"
    quietly service_start redis
}

redis_is_away() {
    local user id
    user=$(uuid)
    take 1
    reserve "$user" "${TAKEN[0]}"
    expect_status 201
    id=$RESERVATION_ID
    reserve "$(uuid)" "${TAKEN[0]}"
    expect_problem 409 seats_taken
    confirm "$user" "$id"
    expect_status 200
    get "$BOOKING_URL/health"
    expect_status 200
}

broker_is_away() {
    local user cancelled
    open_session 2 5
    user=$(uuid)
    take 2
    quietly service_stop rabbitmq
    reserve "$user" "${TAKEN[1]}"
    expect_status 201
    cancelled=$RESERVATION_ID
    reserve "$user" "${TAKEN[0]}"
    expect_status 201
    confirm "$user" "$RESERVATION_ID"
    expect_status 200
    expect_json '.status == "confirmed"'
    cancel "$user" "$cancelled"
    expect_status 200
    expect "seat that was confirmed" "$(seat_status "${TAKEN[0]}")" reserved
    eventually 3 "seat that was cancelled" available seat_status "${TAKEN[1]}"
    get "$BOOKING_URL/health"
    expect_status 200
    quietly service_start rabbitmq
    eventually 5 "seat after the broker is back" sold seat_status "${TAKEN[0]}"
    eventually 5 "outbox" 0 booking_sql "SELECT count(*) FROM outbox"
}

# An instance of booking-svc gets the signal in the middle of 200 bookings, each on a connection of its
# own. Every booking that is in the database was answered, none that was refused is.
booking_drains() { # SIGNAL
    local answered volley start_ms
    open_session 20 10
    quietly instance_start booking-svc
    volley_open
    for seat in "${SEATS[@]}"; do
        volley_add POST "$INSTANCE_URL/api/v1/reservations" "$(uuid)" "$(reservation_json "$seat")" 'Connection: close'
    done
    volley_fire 20 &
    volley=$!
    eventually 5 "first bookings" t booking_sql "SELECT count(*) > 5 FROM reservations WHERE session_id = '$SESSION_ID'"
    start_ms=$(now_ms)
    instance_end "$1"
    expect "exit status after SIG$1" $? 0
    expect_between "milliseconds to the end" $(($(now_ms) - start_ms)) 0 $((5000 * PATIENCE))
    expect "alarms about its own leaving" "$(grep -c 'connection lost' "$INSTANCE_LOG")" 0
    wait "$volley"
    answered=$(volley_count 201)
    expect_between "answered 201 of $(volley_tally)" "$answered" 1 200
    expect "stored" "$(booking_sql "SELECT count(*) FROM reservations WHERE session_id = '$SESSION_ID'")" "$answered"
    expect "held" "$(seats_with_status "$SESSION_ID" reserved)" "$answered"
}

event_drains() { # SIGNAL
    local marker volley start_ms
    marker=$(uuid)
    quietly instance_start event-svc
    volley_open
    for _ in {1..200}; do
        volley_add POST "$INSTANCE_URL/api/v1/organizers" "$NOBODY" "{\"name\": \"$marker\"}" 'Connection: close'
    done
    volley_fire 20 &
    volley=$!
    eventually 5 "first organizers" t event_sql "SELECT count(*) > 5 FROM organizers WHERE name = '$marker'"
    start_ms=$(now_ms)
    instance_end "$1"
    expect "exit status after SIG$1" $? 0
    expect_between "milliseconds to the end" $(($(now_ms) - start_ms)) 0 $((5000 * PATIENCE))
    wait "$volley"
    expect "stored" "$(event_sql "SELECT count(*) FROM organizers WHERE name = '$marker'")" "$(volley_count 201)"
}

worker_drains() { # SIGNAL
    local start_ms
    quietly instance_start booking-worker
    start_ms=$(now_ms)
    instance_end "$1"
    expect "exit status after SIG$1" $? 0
    expect_between "milliseconds to the end" $(($(now_ms) - start_ms)) 0 $((5000 * PATIENCE))
}

two_workers_expire_once() {
    local seat
    quietly instance_start booking-worker
    open_session 5 10
    volley_open
    for seat in "${SEATS[@]}"; do
        volley_add POST "$SHORT_URL/api/v1/reservations" "$(uuid)" "$(reservation_json "$seat")"
    done
    volley_fire 20
    expect "answers" "$(volley_tally)" "201:50"
    eventually 6 "seats" 50 seats_with_status "$SESSION_ID" available
    expect "expiries in the history" "$(booking_sql "SELECT count(*) FROM reservation_history h JOIN reservations r
        ON r.id = h.reservation_id WHERE r.session_id = '$SESSION_ID' AND h.to_status = 'expired'")" 50
    instance_end TERM
    expect "exit status" $? 0
}

nothing_was_reported() { # sanitizers write into the logs
    expect "reports" "$(grep -lE 'Sanitizer|runtime error:|assertion.*failed|Assertion' "$RUN_DIR"/log/*.log "$WORK"/instance.*.log |
        xargs -r tail -n 30)" ""
}

# It waits for nobody's next beat: that would be two seconds in which nobody buys.
ready_soon() {
    local began
    began=$(now_ms)
    quietly instance_start booking-svc
    expect_between "milliseconds until it is healthy" $(($(now_ms) - began)) 1 1500
    instance_end TERM
    expect "exit status" $? 0
}

if [ "$PRIVATE" = yes ]; then
    check "booking-svc is ready at once after its start" ready_soon
    check "kill -9 of the worker: holds stay, confirm is 410, seats come back with the worker" worker_killed_with_holds_outstanding
    check "two workers expire each hold once" two_workers_expire_once
    instances_stop
    check "kill -9 of both services between reserve and confirm" services_killed_in_the_middle
    check "Redis forgets everything during a race: one winner each" redis_forgets
    check "Redis away: booking goes on" without_redis redis_is_away
    check "Redis away: 50 buyers, one seat, one winner each" without_redis fifty_race_for_one 5
    check "Redis away: overlapping pairs, one winner each, no halves" without_redis overlapping_pairs
    check "Redis away: 60 groups among 20 seats, only whole holds" without_redis random_groups
    check "RabbitMQ away: confirm and cancel succeed; sold within 5 s of its return" broker_is_away
    check "an orphaned hold comes back, its tombstone stays" orphaned_holds_come_back
    for signal in TERM INT; do
        check "SIG$signal under load: booking-svc answers what it took and exits 0" booking_drains "$signal"
        check "SIG$signal under load: event-svc answers what it took and exits 0" event_drains "$signal"
        check "SIG$signal: booking-worker exits 0" worker_drains "$signal"
    done
    check "no sanitizer, no assertion spoke up in the logs" nothing_was_reported
else
    for title in "kill -9 of the worker" "two workers" "kill -9 of the services" "Redis forgets" "Redis away" "RabbitMQ away" \
        "orphaned holds" "SIGTERM and SIGINT under load"; do
        skip "$title" "breaks parts of the stack; --private does it"
    done
fi
