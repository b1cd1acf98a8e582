# shellcheck shell=bash
# shellcheck disable=SC2016 # jq has dollar signs
# The internal seat API of event-svc: check, reserve, release, confirm

hold_json() { # RESERVATION SEAT…
    local id=$1
    shift
    jq -n --arg id "$id" '{reservation_id: $id, session_seat_ids: $ARGS.positional, hold_seconds: 600}' --args "$@"
}

seat_hold() { # RESERVATION SEAT…
    internal POST "sessions/$SESSION_ID/seats/reserve" "$(hold_json "$@")"
}

seat_release() { # RESERVATION
    internal POST "sessions/$SESSION_ID/seats/release" "{\"reservation_id\": \"$1\"}"
}

availability_is_told() {
    open_session 2 5
    take 2
    local id
    id=$(uuid)
    internal POST "sessions/$SESSION_ID/seats/check-availability" "$(jq -n '{session_seat_ids: $ARGS.positional}' --args "${TAKEN[@]}")"
    expect_status 200
    expect_json '.available == true and .unavailable_seats == []'
    seat_hold "$id" "${TAKEN[0]}"
    expect_status 200
    internal POST "sessions/$SESSION_ID/seats/check-availability" "$(jq -n '{session_seat_ids: $ARGS.positional}' --args "${TAKEN[@]}")"
    expect_json '.available == false and .unavailable_seats == [{"session_seat_id": $seat, "status": "reserved"}]' \
        --arg seat "${TAKEN[0]}"
    seat_release "$id"
    expect_status 200
    expect "status after the release" "$(seat_status "${TAKEN[0]}")" available
}

hold_is_idempotent() {
    take 2
    local id first
    id=$(uuid)
    seat_hold "$id" "${TAKEN[@]}"
    expect_status 200
    expect_json '(.seats | length) == 2 and (.reserved_until | endswith("Z")) and ([.seats[].price | tonumber] == [100, 100])'
    first=$(json .reserved_until)
    seat_hold "$id" "${TAKEN[@]}"
    expect_status 200
    expect "same deadline" "$(json .reserved_until)" "$first"
    seat_hold "$id" "${TAKEN[0]}"
    expect_status 422
    expect "held in the database" "$(seats_with_status "$SESSION_ID" reserved)" 2
    seat_release "$id"
    seat_release "$id"
    expect_status 200
    expect "held after the release" "$(seats_with_status "$SESSION_ID" reserved)" 0
    get "$EVENT_URL/api/v1/sessions/$SESSION_ID/seats"
    expect_json 'all(.reserved_until == null)'
}

lost_seats_are_named() {
    take 3
    local mine theirs
    mine=$(uuid)
    theirs=$(uuid)
    seat_hold "$theirs" "${TAKEN[1]}"
    expect_status 200
    seat_hold "$mine" "${TAKEN[@]}"
    expect_problem 409 seats_taken
    expect_json '.unavailable_seats == [{"session_seat_id": $seat, "status": "reserved"}]' --arg seat "${TAKEN[1]}"
    expect "nothing else is held" "$(seats_with_status "$SESSION_ID" reserved)" 1
    seat_release "$theirs"
    seat_release "$mine"
}

release_before_reserve_wins() {
    take 1
    local id
    id=$(uuid)
    seat_release "$id"
    expect_status 200
    seat_hold "$id" "${TAKEN[0]}"
    expect_match "a late reserve is refused" "$STATUS" '^4'
    expect "status" "$(seat_status "${TAKEN[0]}")" available
}

sold_seats_stay_sold() {
    open_session 1 3
    local user
    user=$(uuid)
    take 1
    reserve "$user" "${TAKEN[0]}"
    expect_status 201
    confirm "$user" "$RESERVATION_ID"
    expect_status 200
    eventually 5 "status" sold seat_status "${TAKEN[0]}"
    seat_release "$RESERVATION_ID"
    expect "status after a release" "$(seat_status "${TAKEN[0]}")" sold
    internal POST "sessions/$SESSION_ID/seats/confirm" "{\"reservation_id\": \"$RESERVATION_ID\"}"
    expect_status 200
    internal POST "sessions/$SESSION_ID/seats/confirm" "{\"reservation_id\": \"$(uuid)\"}"
    expect_match "confirming an unknown reservation" "$STATUS" '^4'
    expect "sold" "$(seats_with_status "$SESSION_ID" sold)" 1
}

others_cannot_release() {
    take 1
    local user
    user=$(uuid)
    reserve "$user" "${TAKEN[0]}"
    expect_status 201
    seat_release "$(uuid)"
    expect "status" "$(seat_status "${TAKEN[0]}")" reserved
    cancel "$user" "$RESERVATION_ID"
    expect_status 200
}

pricing_and_holds_are_listed() {
    internal GET "sessions/$SESSION_ID/pricing"
    expect_status 200
    expect_json '.session_id == $id and (.base_price | tonumber) == 100 and (.currency | length) == 3' --arg id "$SESSION_ID"
    internal GET "holds?older_than=0"
    expect_status 200
    internal GET health
    expect_status 200
}

soonest_first() { # SESSION…
    internal POST sessions/soonest-first "$(jq -n '{session_ids: $ARGS.positional}' --args "$@")"
}

sessions_stand_in_order() {
    local late soon begun
    open_session 1 1 100.00 '40 days'
    late=$SESSION_ID
    open_session 1 1 100.00 '1 day'
    begun=$SESSION_ID
    event_sql "UPDATE sessions SET start_time = now() - interval '1 hour' WHERE session_id = '$begun'"
    open_session 1 1 100.00 '2 days'
    soon=$SESSION_ID
    soonest_first "$late" "$begun" "$NOBODY" "$soon"
    expect_status 200
    expect_json '.session_ids == $ARGS.positional' --args "$soon" "$late" "$begun"
    soonest_first "$NOBODY"
    expect_status 200
    expect_json '.session_ids == []'
    soonest_first
    expect_problem 422 validation_failed /session_ids
    soonest_first "$late" "$soon" "$late"
    expect_problem 422 validation_failed /session_ids/2
}

check "check-availability names what is not available" availability_is_told
check "reserve and release are idempotent by reservation; other seats under the same id are 422" hold_is_idempotent
check "a refused reserve names each lost seat and holds nothing" lost_seats_are_named
check "a release that overtakes its reserve wins" release_before_reserve_wins
check "a release never frees a sold seat; confirm is idempotent" sold_seats_stay_sold
check "a release by another reservation changes nothing" others_cannot_release
check "sessions in the order in which they begin, begun ones last, unknown ones left out" sessions_stand_in_order
check "pricing, overdue holds and health answer" pricing_and_holds_are_listed
