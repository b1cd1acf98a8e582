# shellcheck shell=bash
# shellcheck disable=SC2016 # jq has dollar signs
# History: who changed a reservation or a seat, when and why, and how long that is kept

OWNER=$(uuid)
BEFORE_ALL_TIME=AQAAAAAAAIAAAAAAAAAAAAAAAAAAAAAA # cursors of a time and an id that no answer ever contained
AFTER_ALL_TIME=f39_f39_f39_f39_f39_f39_f39_f39_

# asked METHOD URL REQUEST_ID JSON [USER]
asked() {
    send "$1" "$2" "$4" -H "X-User-ID: ${5:-$OWNER}" -H "X-Request-ID: $3"
}

history() { # USER RESERVATION [QUERY]
    get "$BOOKING_URL/api/v1/reservations/$2/history${3:-}" -H "X-User-ID: $1"
}

seat_history() { # SEAT [QUERY]
    internal GET "seats/$SESSION_ID/$1/history${2:-}"
}

seat_entries() { # SEAT → how many
    seat_history "$1"
    json '.data | length'
}

a_purchase_leaves_a_trail() {
    open_session 3 10
    take 2
    asked POST "$BOOKING_URL/api/v1/reservations" h-made "$(reservation_json "${TAKEN[@]}")"
    RESERVATION_ID=$(json .id)
    asked POST "$BOOKING_URL/api/v1/reservations/$RESERVATION_ID/confirm" h-declined "{\"payment_id\": \"$NEVER_PAYS\"}"
    expect_status 402
    asked POST "$BOOKING_URL/api/v1/reservations/$RESERVATION_ID/confirm" h-paid "{\"payment_id\": \"$ALWAYS_PAYS\"}"
    expect_status 200
    history "$OWNER" "$RESERVATION_ID"
    expect_status 200
    expect_json '[.data[] | [.revision, .from_status, .to_status, .seat_status, .actor, .request_id]] == [
        [1, null, "active", "reserved", "user", "h-made"],
        [2, "active", "paying", "reserved", "user", "h-declined"], [3, "paying", "active", "reserved", "user", "h-declined"],
        [4, "active", "paying", "reserved", "user", "h-paid"], [5, "paying", "confirmed", "sold", "user", "h-paid"]]'
    expect_json '[.data[].at] == ([.data[].at] | sort) and all(.data[]; .reason | length > 0) and .next_cursor == null'
    expect "seats" "$(json '.session_seat_ids | sort | join(" ")')" "$(printf '%s\n' "${TAKEN[@]}" | sort | xargs)"
}

it_has_pages() {
    local cursor='' pages=0
    : >"$WORK/revisions"
    while [ "$pages" -lt 10 ]; do
        history "$OWNER" "$RESERVATION_ID" "?limit=2${cursor:+&cursor=$cursor}"
        expect_status 200
        json '.data[].revision' >>"$WORK/revisions"
        pages=$((pages + 1))
        cursor=$(json '.next_cursor // empty')
        [ -n "$cursor" ] || break
    done
    expect "revisions" "$(xargs <"$WORK/revisions")" "1 2 3 4 5"
    expect "pages" "$pages" 3
    history "$OWNER" "$RESERVATION_ID" '?limit=201'
    expect_problem 422 validation_failed
    history "$OWNER" "$RESERVATION_ID" '?cursor=nonsense'
    expect_problem 422 validation_failed
}

others_see_no_history() {
    history "$(uuid)" "$RESERVATION_ID"
    expect_problem 404 not_found
    history "$OWNER" "$NOBODY"
    expect_problem 404 not_found
    get "$BOOKING_URL/api/v1/reservations/$RESERVATION_ID/history"
    expect_problem 401 no_identity
}

a_seat_tells_its_story() {
    local seat next
    next=$(uuid)
    take 1
    seat=${TAKEN[0]}
    SEAT=$seat
    asked POST "$BOOKING_URL/api/v1/reservations" s-made "$(reservation_json "$seat")"
    FIRST=$(json .id)
    asked DELETE "$BOOKING_URL/api/v1/reservations/$FIRST" s-left ''
    expect_status 200
    eventually 5 "entries after a cancel" 2 seat_entries "$seat"
    asked POST "$BOOKING_URL/api/v1/reservations" s-again "$(reservation_json "$seat")" "$next"
    SECOND=$(json .id)
    asked POST "$BOOKING_URL/api/v1/reservations/$SECOND/confirm" s-paid "{\"payment_id\": \"$ALWAYS_PAYS\"}" "$next"
    expect_status 200
    eventually 5 "entries after a purchase" 4 seat_entries "$seat"
    seat_history "$seat"
    expect_json '[.data[] | [.reservation_id, .from_status, .to_status, .actor, .reason, .request_id]] == [
        [$a, "available", "reserved", "user", "reserved", "s-made"], [$a, "reserved", "available", "user", "cancelled", "s-left"],
        [$b, "available", "reserved", "user", "reserved", "s-again"], [$b, "reserved", "sold", "user", "confirmed", "s-paid"]]' \
        --arg a "$FIRST" --arg b "$SECOND"
    expect_json '[.data[].at] == ([.data[].at] | sort)'
    seat_history "$seat" '?limit=3'
    expect_json '.data | length == 3'
    seat_history "$seat" "?limit=3&cursor=$(json .next_cursor)"
    expect_json '(.data | length == 1) and .data[0].request_id == "s-paid" and .next_cursor == null'
}

no_such_seat() {
    seat_history "$NOBODY"
    expect_problem 404 not_found
    seat_history "$SEAT" '?cursor=nonsense'
    expect_problem 422 validation_failed
    seat_history "$SEAT" "?cursor=$BEFORE_ALL_TIME"
    expect_problem 422 validation_failed
    internal GET "holds?cursor=$BEFORE_ALL_TIME"
    expect_problem 422 validation_failed
    internal GET "holds?cursor=$AFTER_ALL_TIME"
    expect_problem 422 validation_failed
    internal POST purge '{"history_days": 0, "limit": 10}'
    expect_problem 422 validation_failed /history_days
    internal POST purge '{"history_days": 30, "limit": 1000000}'
    expect_problem 422 validation_failed /limit
}

# The trail is in the database: another process, started later, tells the same.
another_process_tells_the_same() {
    seat_history "$SEAT"
    cp "$WORK/body" "$WORK/first"
    instance_start event-svc || return
    get "$INSTANCE_URL/api/internal/seats/$SESSION_ID/$SEAT/history" ${INTERNAL_AUTH[@]+"${INTERNAL_AUTH[@]}"}
    expect "seat" "$(body)" "$(cat "$WORK/first")"
    instance_end TERM
    history "$OWNER" "$RESERVATION_ID"
    cp "$WORK/body" "$WORK/first"
    instance_start booking-svc || return
    get "$INSTANCE_URL/api/v1/reservations/$RESERVATION_ID/history" -H "X-User-ID: $OWNER"
    expect "reservation" "$(body)" "$(cat "$WORK/first")"
    instance_end TERM
}

an_expiry_is_the_workers() {
    local id
    take 1
    instance_start booking-svc RESERVATION_TIMEOUT_SECONDS=2 || return
    RESERVE_URL=$INSTANCE_URL reserve "$OWNER" "${TAKEN[0]}"
    id=$RESERVATION_ID
    instance_end TERM
    eventually 15 "the hold" expired reservation_status "$id"
    history "$OWNER" "$id"
    expect_json '.data[-1] | .actor == "worker" and .to_status == "expired" and (.request_id | startswith("expiry-"))'
    local run
    run=$(json '.data[-1].request_id')
    eventually 5 "entries" 2 seat_entries "${TAKEN[0]}"
    expect_json '.data[-1] | .actor == "worker" and .reason == "expired" and .request_id == $run' --arg run "$run"
}

rows_of() { # RESERVATION → rows of its history in both databases
    booking_sql "SELECT count(*) FROM reservation_history WHERE reservation_id = '$1'"
    event_sql "SELECT count(*) FROM hold_history WHERE reservation_id = '$1'"
}

counts_of() {
    rows_of "$1" | xargs
}

keys_named() {
    {
        booking_sql "SELECT count(*) FROM idempotency_keys WHERE key LIKE '$1'"
        event_sql "SELECT count(*) FROM idempotency_keys WHERE key LIKE '$1'"
    } | xargs
}

what_is_old_goes() {
    local live over recent ids
    take 3
    for _ in 1 2 3; do
        reserve "$OWNER" "${TAKEN[0]}"
        TAKEN=("${TAKEN[@]:1}")
        echo "$RESERVATION_ID"
    done >"$WORK/ids"
    mapfile -t ids <"$WORK/ids"
    live=${ids[0]} over=${ids[1]} recent=${ids[2]}
    cancel "$OWNER" "$over"
    cancel "$OWNER" "$recent"
    eventually 5 "history of what is over" "2 2" counts_of "$over"
    eventually 5 "history of what was over lately" "2 2" counts_of "$recent"
    send POST "$EVENT_URL/api/v1/organizers" '{"name": "Old"}' -H 'Idempotency-Key: purge-old'
    send POST "$EVENT_URL/api/v1/organizers" '{"name": "New"}' -H 'Idempotency-Key: purge-new'
    send POST "$BOOKING_URL/api/v1/price-tiers" '{"name": "Old", "multiplier": 1}' -H 'Idempotency-Key: purge-old'
    send POST "$BOOKING_URL/api/v1/price-tiers" '{"name": "New", "multiplier": 1}' -H 'Idempotency-Key: purge-new'
    booking_sql "UPDATE reservation_history SET at = at - interval '10 days' WHERE reservation_id IN ('$live', '$over');
        UPDATE reservation_history SET at = at - interval '10 days' WHERE reservation_id = '$recent' AND revision = 1;
        UPDATE reservations SET updated_at = updated_at - interval '10 days' WHERE id IN ('$live', '$over');
        UPDATE idempotency_keys SET created_at = created_at - interval '25 hours' WHERE key = 'purge-old'"
    event_sql "UPDATE hold_history SET at = at - interval '10 days' WHERE reservation_id IN ('$live', '$over');
        UPDATE hold_history SET at = at - interval '10 days' WHERE reservation_id = '$recent' AND from_state IS NULL;
        UPDATE idempotency_keys SET created_at = created_at - interval '25 hours' WHERE key = 'purge-old'"
    instance_start booking-worker HISTORY_RETENTION_DAYS=5 || return
    eventually 15 "history of what is over and old" "0 0" counts_of "$over"
    eventually 15 "old keys" "0 0" keys_named purge-old
    expect "history of what lives" "$(counts_of "$live")" "1 1"
    expect "history of what was over lately" "$(counts_of "$recent")" "2 2"
    expect "new keys" "$(keys_named purge-new)" "1 1"
    instance_end TERM
    cancel "$OWNER" "$live"
}

check "a reservation's history: every change, who, why and by which request" a_purchase_leaves_a_trail
check "the history has pages, oldest first" it_has_pages
check "only its owner sees it" others_see_no_history
check "a seat's history: every hold, from request to message" a_seat_tells_its_story
check "no such seat is 404, nonsense is 422" no_such_seat
if have_programs; then
    check "other processes tell the same" another_process_tells_the_same
    check "an expiry names the worker and its run, on both sides" an_expiry_is_the_workers
    check "what is old goes; what lives or ended lately stays" what_is_old_goes
else
    skip "history with other processes" "no programs built here"
fi
