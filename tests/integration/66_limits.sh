# shellcheck shell=bash
# shellcheck disable=SC2016 # jq has dollar signs
# Limits: seats held by one user

SEAT_LIMIT=7

limited_instances() { # two of them, so that no process can know alone what a user holds
    local -a settings=(MAX_SEATS_HELD_PER_USER=$SEAT_LIMIT RESERVATION_TIMEOUT_SECONDS=${1:-600})
    quietly instance_start booking-svc "${settings[@]}"
    ONE_URL=$INSTANCE_URL
    quietly instance_start booking-svc "${settings[@]}"
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
    quietly instance_start booking-svc MAX_SEATS_HELD_PER_USER=$SEAT_LIMIT RESERVATION_TIMEOUT_SECONDS=2
    open_session 2 10
    take 7
    RESERVE_URL=$INSTANCE_URL reserve "$user" "${TAKEN[@]}"
    expect_status 201
    RESERVE_URL=$INSTANCE_URL reserve "$user" "${SEATS[0]}"
    expect_problem 409 seat_limit_exceeded
    sleep 2.1
    RESERVE_URL=$INSTANCE_URL reserve "$user" "${SEATS[0]}"
    expect_status 201
}

if have_programs; then
    check "one user, 160 parallel requests at two instances: exactly the limit, nothing stranded" one_user_wants_everything
    check "a refusal says why; others, and other sessions, are not concerned" refusal_says_why
    check "cancelling gives room, also to the same Idempotency-Key" room_comes_back "$(uuid)" cancel
    check "paying gives room" room_comes_back "$(uuid)" confirm
    check "an expired hold gives room" room_comes_back_by_itself
else
    skip "limits" "the programs are not here"
fi
