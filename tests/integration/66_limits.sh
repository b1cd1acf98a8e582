# shellcheck shell=bash
# shellcheck disable=SC2016 # jq has dollar signs
# Limits: seats held by one user, requests by user and by address, connections by address

SEAT_LIMIT=7

limited_instances() { # two of them, so that no process can know alone what a user holds
    quietly instance_start booking-svc MAX_SEATS_HELD_PER_USER=$SEAT_LIMIT
    ONE_URL=$INSTANCE_URL
    quietly instance_start booking-svc MAX_SEATS_HELD_PER_USER=$SEAT_LIMIT
    OTHER_URL=$INSTANCE_URL
}

held_by() { # USER → seats of SESSION_ID that booking-svc has stored as held
    booking_sql "SELECT coalesce(sum(seats_count), 0) FROM reservations WHERE session_id = '$SESSION_ID' AND user_id = '$1'
        AND status = 'active' AND expiry_time > now()"
}

# A hundred and sixty requests for a seat each, eighty at a time, at two instances, in a session with room for all of them.
one_user_wants_everything() {
    local seat url
    limited_instances
    open_session 8 20
    HOARDER=$(uuid)
    volley_open
    for seat in "${SEATS[@]}"; do
        [ "${url:-}" = "$ONE_URL" ] && url=$OTHER_URL || url=$ONE_URL
        volley_add POST "$url/api/v1/reservations" "$HOARDER" "$(reservation_json "$seat")"
    done
    volley_fire 80
    expect "answers" "$(volley_tally)" "201:$SEAT_LIMIT 409:$((160 - SEAT_LIMIT))"
    expect "codes" "$(cat $(volley_with 409 | sed "s|^|$WORK/volley.|") | jq -r .code | sort -u)" seat_limit_exceeded
    expect "stored" "$(held_by "$HOARDER")" "$SEAT_LIMIT"
    eventually 5 "seats held" "$SEAT_LIMIT" seats_with_status "$SESSION_ID" reserved
    eventually 5 "the others are free again" $((160 - SEAT_LIMIT)) seats_with_status "$SESSION_ID" available
    expect_whole_holds
}

# The seats that were held while being refused can be sold to somebody else at once.
refusal_says_why() {
    local first
    mapfile -t SEATS < <(event_sql "SELECT session_seat_id FROM session_seats WHERE session_id = '$SESSION_ID'
        AND status = 'available' ORDER BY 1")
    take 2
    RESERVE_URL=$ONE_URL reserve "$HOARDER" "${TAKEN[@]}"
    expect_problem 409 seat_limit_exceeded
    expect_json '.seat_limit == $limit' --argjson limit "$SEAT_LIMIT"
    eventually 5 "seats held" "$SEAT_LIMIT" seats_with_status "$SESSION_ID" reserved
    RESERVE_URL=$OTHER_URL reserve "$(uuid)" "${TAKEN[@]}"
    expect_status 201
    first=$SESSION_ID
    open_session 1 10
    take 7
    RESERVE_URL=$ONE_URL reserve "$HOARDER" "${TAKEN[@]}"
    expect_status 201 # another session has a limit of its own
    SESSION_ID=$first
}

room_comes_back() { # by cancelling, by paying, by waiting
    local user=$1 key
    key=$(uuid)
    open_session 2 10
    take 7
    RESERVE_URL=$ONE_URL reserve "$user" "${TAKEN[@]}"
    expect_status 201
    send POST "$OTHER_URL/api/v1/reservations" "$(reservation_json "${SEATS[0]}")" -H "X-User-ID: $user" -H "Idempotency-Key: $key"
    expect_problem 409 seat_limit_exceeded
    case $2 in
    cancel) cancel "$user" "$RESERVATION_ID" ;;
    confirm) confirm "$user" "$RESERVATION_ID" ;;
    esac
    expect_status 200
    send POST "$OTHER_URL/api/v1/reservations" "$(reservation_json "${SEATS[0]}")" -H "X-User-ID: $user" -H "Idempotency-Key: $key"
    expect_status 201 # the same key: a refusal is not stored
    expect "stored" "$(held_by "$user")" 1
}

room_comes_back_by_itself() {
    local user
    user=$(uuid)
    quietly instance_start booking-svc MAX_SEATS_HELD_PER_USER=$SEAT_LIMIT RESERVATION_TIMEOUT_SECONDS=6
    open_session 2 10
    take 7
    RESERVE_URL=$INSTANCE_URL reserve "$user" "${TAKEN[@]}"
    expect_status 201
    RESERVE_URL=$INSTANCE_URL reserve "$user" "${SEATS[0]}"
    expect_problem 409 seat_limit_exceeded
    RESERVE_URL=$INSTANCE_URL eventually 8 "one more seat" 201 reserve_status "$user" "${SEATS[0]}"
}

# --- requests -------------------------------------------------------------------------------------------------------------

RATE=1 BURST=20 # tokens a second, so few that none comes between two requests even here, and at once

rated_instances() {
    local -a settings=(RATE_LIMIT_USER_WRITES=$RATE RATE_LIMIT_BURST_SECONDS=20)
    quietly instance_start booking-svc "${settings[@]}"
    ONE_URL=$INSTANCE_URL
    quietly instance_start booking-svc "${settings[@]}"
    OTHER_URL=$INSTANCE_URL
}

# flood USER COUNT URL…: cancels what does not exist, taking turns between the instances; leaves how many were not refused,
# and at most how many tokens came meanwhile.
flood() {
    local user=$1 count=$2 n began=$SECONDS
    shift 2
    local -a urls=("$@")
    volley_open
    for ((n = 0; n < count; n++)); do
        volley_add DELETE "${urls[n % ${#urls[@]}]}/api/v1/reservations/$NOBODY" "$user" ''
    done
    volley_fire 20
    FLOODED=$(volley_count 404)
    MEANWHILE=$((2 * RATE * (SECONDS - began + 1)))
    expect "other answers in $(volley_tally)" $((FLOODED + $(volley_count 429))) "$count"
}

one_user_floods() {
    rated_instances
    FLOODER=$(uuid)
    flood "$FLOODER" 300 "$ONE_URL" "$OTHER_URL"
    expect_between "requests that passed" "$FLOODED" $BURST $((2 * BURST + MEANWHILE))
    sleep 1
    flood "$FLOODER" 100 "$ONE_URL" "$OTHER_URL"
    expect_between "and a second later" "$FLOODED" 0 $((MEANWHILE + 2 * RATE))
}

refused_request_says_when() {
    local user
    user=$(uuid)
    flood "$user" 40 "$ONE_URL"
    request DELETE "$ONE_URL/api/v1/reservations/$NOBODY" -H "X-User-ID: $user"
    expect_problem 429 rate_limited
    expect "limit" "$(header ratelimit-limit)" $BURST
    expect "remaining" "$(header ratelimit-remaining)" 0
    expect_between "reset" "$(header ratelimit-reset)" $((BURST - 1)) $BURST
    expect "retry after" "$(header retry-after)" 1
    sleep "$(header retry-after)"
    request DELETE "$ONE_URL/api/v1/reservations/$NOBODY" -H "X-User-ID: $user"
    expect_status 404
    expect_match "remaining is told when it runs low" "$(header ratelimit-remaining)" '^[0-9]+$'
    get "$ONE_URL/metrics"
    expect_match "metric" "$(grep '^rate_limited_total{limit="user_writes"}' "$WORK/body")" ' [1-9][0-9]*$'
}

others_are_not_concerned() {
    local user
    user=$(uuid)
    flood "$user" 40 "$ONE_URL"
    request GET "$ONE_URL/api/v1/reservations" -H "X-User-ID: $user"
    expect_status 200
    request DELETE "$ONE_URL/api/v1/reservations/$NOBODY" -H "X-User-ID: $(uuid)"
    expect_status 404
    expect "seldom asked" "$(header ratelimit-limit)" ""
    request POST "$ONE_URL/api/internal/reservations/$NOBODY/settle" -H "X-User-ID: $user" ${INTERNAL_AUTH[@]+"${INTERNAL_AUTH[@]}"}
    expect_status 404
    get "$ONE_URL/health" -H "X-User-ID: $user"
    expect_status 200
}

# Nobody waits for Redis, and nobody gets more because it is away than each instance allows by itself.
limits_without_redis() {
    local user
    user=$(uuid)
    quietly service_signal redis STOP
    flood "$user" 100 "$ONE_URL" "$OTHER_URL"
    expect_between "requests that passed" "$FLOODED" $BURST $((2 * BURST + MEANWHILE))
    quietly service_signal redis CONT
    eventually 5 "Redis" up redis_is_up_at "$ONE_URL"
    eventually 5 "Redis" up redis_is_up_at "$OTHER_URL"
}

redis_is_up_at() { # URL
    get "$1/health"
    json .checks.redis
}

of_address() { # FORWARDED_FOR COUNT URL → how many were not refused
    local n passed=0
    for ((n = 0; n < $2; n++)); do
        get "$3/api/v1/events" -H "X-Forwarded-For: $1"
        [ "$STATUS" = 429 ] || passed=$((passed + 1))
    done
    echo "$passed"
}

addresses_are_told_apart() {
    quietly instance_start event-svc RATE_LIMIT_ADDRESS_READS=1 RATE_LIMIT_BURST_SECONDS=8 TRUSTED_PROXIES=127.0.0.1
    expect_between "one client" "$(of_address 203.0.113.1 30 "$INSTANCE_URL")" 8 20
    expect_between "the same, with something invented" "$(of_address '8.8.8.8, 203.0.113.1' 5 "$INSTANCE_URL")" 0 3
    expect "another" "$(of_address 203.0.113.2 5 "$INSTANCE_URL")" 5
    expect "this machine itself" "$(of_address 127.0.0.1 20 "$INSTANCE_URL")" 20
    for _ in {1..40}; do
        get "$INSTANCE_URL/api/v1/events" -H 'X-Forwarded-For: 203.0.113.3'
        [ "$STATUS" = 429 ] && break
    done
    expect_problem 429 rate_limited
}

nonsense_is_refused_at_start() {
    program_env booking-svc
    expect_match "complaint" "$(env "${PROGRAM_ENV[@]}" PORT=0 TRUSTED_PROXIES=10.0.0.0/99 "$(program booking-svc)" 2>&1 | head -1)" \
        '^CONFIG: TRUSTED_PROXIES: '
}

# The fifth of an address is closed before it is read; one from elsewhere is not.
connections_of_one_address() {
    local -a held=()
    local n fd port answer
    quietly instance_start event-svc MAX_CONNECTIONS_PER_ADDRESS=4
    port=${INSTANCE_URL##*:}
    for n in {1..4}; do
        exec {fd}<>"/dev/tcp/127.0.0.1/$port"
        printf 'GET /livez HTTP/1.1\r\nHost: x\r\n\r\n' >&"$fd"
        read -r -t 60 answer <&"$fd"
        expect_match "connection $n" "$answer" '200 OK'
        held+=("$fd")
    done
    answer=$(curl -sS --max-time 5 "$INSTANCE_URL/livez" 2>&1)
    expect_match "one too many" "$answer" 'reset|Empty reply|Recv failure'
    request GET "$INSTANCE_URL/livez" --interface 127.0.0.2
    expect_status 200
    for fd in "${held[@]}"; do
        exec {fd}>&-
    done
    eventually 2 "after they have left" 200 curl -s -o "$WORK/body" -w '%{http_code}' "$INSTANCE_URL/livez"
}

if have_programs; then
    check "one user, 160 parallel requests at two instances: exactly the limit, nothing stranded" one_user_wants_everything
    check "a refusal says why; others, and other sessions, are not concerned" refusal_says_why
    check "cancelling gives room, also to the same Idempotency-Key" room_comes_back "$(uuid)" cancel
    check "paying gives room" room_comes_back "$(uuid)" confirm
    check "an expired hold gives room" room_comes_back_by_itself
    check "one user, 400 requests at two instances: about a burst passes, and then the rate" one_user_floods
    check "429 is a problem that says when to come back" refused_request_says_when
    check "reads, other users, internal routes and probes are not concerned" others_are_not_concerned
    check "behind a trusted proxy addresses are told apart, and inventions do not help" addresses_are_told_apart
    check "nonsense in TRUSTED_PROXIES is refused at start" nonsense_is_refused_at_start
    check "connections of one address have a limit of their own" connections_of_one_address
    if [ "$PRIVATE" = yes ]; then
        check "without Redis each instance limits by itself, and nobody waits" limits_without_redis
    else
        skip "limits without Redis" "the stack is not ours to break"
    fi
else
    skip "limits" "the programs are not here"
fi
