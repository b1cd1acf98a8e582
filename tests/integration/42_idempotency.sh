# shellcheck shell=bash
# shellcheck disable=SC2016 # jq has dollar signs
# Idempotency-Key: every POST happens once, and is answered with the same bytes for a day

USER_ONE=$(uuid)

# post URL JSON KEY [CURL ARGUMENT…]: leaves the whole answer, as far as a replay must repeat it, in ANSWER.
post() {
    local url=$1 body=$2 key=$3
    shift 3
    send POST "$url" "$body" -H "X-User-ID: $USER_ONE" -H "Idempotency-Key: $key" "$@"
    ANSWER="$STATUS $(header location) $(header content-type) $(sha256sum <"$WORK/body")"
}

# Each line: service, path, body. Halls and sessions are made by the checks, for they must be fresh.
catalog_posts() {
    cat <<POSTS
EVENT /api/v1/organizers {"name": "Keyed", "description": "d"}
EVENT /api/v1/locations {"name": "K", "address": "1 Quay", "city": "B", "country": "NO"}
EVENT /api/v1/locations/$LOCATION_ID/halls {"name": "Keyed Hall", "capacity": 20}
EVENT /api/v1/halls/$HALL_ID/seats {"section": "A", "row_number": 90, "seat_number": 1}
EVENT /api/v1/halls/$HALL_ID/seats/bulk [{"section": "B", "row_count": 2, "col_count": 2}]
EVENT /api/v1/events {"title": "Keyed", "organizer_id": "$ORGANIZER_ID"}
EVENT /api/v1/sessions $(session_json 10 "$(from_now '70 days')" "$(from_now '71 days')")
BOOKING /api/v1/price-tiers {"name": "Keyed", "multiplier": 1.5}
BOOKING /api/v1/admin/price-tiers {"name": "Keyed too", "multiplier": 2}
POSTS
}

open_roomy_hall() {
    open_catalog
    create "/api/v1/locations/$LOCATION_ID/halls" '{"name": "Roomy", "capacity": 100}' hall_id
    HALL_ID=$ID
    create "/api/v1/halls/$HALL_ID/seats" '{"section": "A", "row_number": "1", "seat_number": "1"}' seat_id
}

url_of() { # EVENT | BOOKING
    [ "$1" = EVENT ] && echo "$EVENT_URL" || echo "$BOOKING_URL"
}

every_post_is_replayed() {
    local service path body first
    open_roomy_hall
    : >"$WORK/posts"
    catalog_posts >"$WORK/list"
    while read -r service path body; do
        post "$(url_of "$service")$path" "$body" "every-$path"
        expect_status 201
        first=$ANSWER
        printf '%s|%s|%s|%s\n' "$service" "$path" "$body" "$first" >>"$WORK/posts"
    done <"$WORK/list"
    settle
    while IFS='|' read -r service path body first; do
        post "$(url_of "$service")$path" "$body" "every-$path"
        expect "$path again" "$ANSWER" "$first"
        post "$(url_of "$service")$path" "$body" "every-$path"
        expect "$path a third time" "$ANSWER" "$first"
    done <"$WORK/posts"
    expect_nothing_changed
}

elsewhere_and_after_a_restart() {
    local service path body first
    for service in EVENT BOOKING; do
        [ "$service" = EVENT ] && instance_start event-svc || instance_start booking-svc || return
        while IFS='|' read -r _ path body first; do
            post "$INSTANCE_URL$path" "$body" "every-$path"
            expect "$path, another process" "$ANSWER" "$first"
        done < <(grep "^$service|" "$WORK/posts")
        instance_end TERM
    done
}

a_replay_outlives_changes() {
    local first id
    post "$EVENT_URL/api/v1/organizers" '{"name": "Before"}' outlives
    first=$ANSWER
    id=$(json .organizer_id)
    send PATCH "$EVENT_URL/api/v1/organizers/$id" '{"name": "After"}'
    expect_status 200
    post "$EVENT_URL/api/v1/organizers" '{"name": "Before"}' outlives
    expect "after a change" "$ANSWER" "$first"
    request DELETE "$EVENT_URL/api/v1/organizers/$id"
    expect_status 204
    post "$EVENT_URL/api/v1/organizers" '{"name": "Before"}' outlives
    expect "after its end" "$ANSWER" "$first"
}

other_request_is_refused() {
    post "$EVENT_URL/api/v1/organizers" '{"name": "One"}' reuse
    expect_status 201
    settle
    post "$EVENT_URL/api/v1/organizers" '{"name": "Two"}' reuse
    expect_problem 422 idempotency_key_reuse
    post "$EVENT_URL/api/v1/locations" '{"name": "K", "address": "1 Quay", "city": "B", "country": "NO"}' reuse
    expect_problem 422 idempotency_key_reuse
    expect_nothing_changed
    post "$BOOKING_URL/api/v1/price-tiers" '{"name": "T", "multiplier": 1}' reuse-tier
    expect_status 201
    settle
    post "$BOOKING_URL/api/v1/admin/price-tiers" '{"name": "T", "multiplier": 1}' reuse-tier
    expect_problem 422 idempotency_key_reuse
    expect_nothing_changed
    send POST "$EVENT_URL/api/v1/organizers" '{"name": "Two"}' -H "X-User-ID: $(uuid)" -H 'Idempotency-Key: reuse'
    expect_status 201
    send POST "$EVENT_URL/api/v1/organizers" '{"name": "Two"}' -H 'Idempotency-Key: reuse'
    expect_status 201
}

refusals_are_not_stored() {
    local start end
    open_catalog
    create "/api/v1/locations/$LOCATION_ID/halls" '{"name": "Bare", "capacity": 4}' hall_id
    HALL_ID=$ID
    start=$(from_now '80 days')
    end=$(from_now '81 days')
    settle
    post "$EVENT_URL/api/v1/sessions" "$(session_json 10 "$start" "$end")" refused
    expect_problem 409 hall_without_seats
    post "$EVENT_URL/api/v1/events" "{\"title\": \"x\", \"organizer_id\": \"$NOBODY\"}" refused
    expect_problem 404 not_found
    post "$EVENT_URL/api/v1/organizers" '{"name": 7}' refused
    expect_problem 422 validation_failed
    expect "keys" "$(event_sql "SELECT count(*) FROM idempotency_keys WHERE key = 'refused'")" 0
    send POST "$EVENT_URL/api/v1/halls/$HALL_ID/seats" '{"section": "A", "row_number": 1, "seat_number": 1}'
    post "$EVENT_URL/api/v1/sessions" "$(session_json 10 "$start" "$end")" refused
    expect_status 201
}

headers_that_are_no_keys() {
    local body='{"name": "N", "multiplier": 1}' key
    settle
    for key in 'two words' "$(repeat k 256)" $'caf\xc3\xa9'; do
        post "$BOOKING_URL/api/v1/price-tiers" "$body" "$key"
        expect_problem 400 invalid_idempotency_key
        post "$EVENT_URL/api/v1/organizers" '{"name": "N"}' "$key"
        expect_problem 400 invalid_idempotency_key
    done
    send POST "$EVENT_URL/api/v1/organizers" '{"name": "N"}' -H 'Idempotency-Key;'
    expect_problem 400 invalid_idempotency_key
    post "$EVENT_URL/api/v1/organizers" '{"name": "N"}' a -H 'Idempotency-Key: b'
    expect_problem 400 invalid_idempotency_key
    expect_nothing_changed
    post "$EVENT_URL/api/v1/organizers" '{"name": "N"}' "$(repeat k 255)"
    expect_status 201
}

twins_make_one() {
    instance_start event-svc || return
    volley_open
    for _ in {1..10}; do
        volley_add POST "$EVENT_URL/api/v1/organizers" "$USER_ONE" '{"name": "Twenty twins"}' 'Idempotency-Key: twins'
        volley_add POST "$INSTANCE_URL/api/v1/organizers" "$USER_ONE" '{"name": "Twenty twins"}' 'Idempotency-Key: twins'
    done
    volley_fire 20
    expect "answers" "$(volley_tally)" 201:20
    expect "bodies" "$(sha256sum "$WORK"/volley.[0-9]* | cut -d ' ' -f 1 | sort -u | wc -l)" 1
    expect "organizers" "$(event_sql "SELECT count(*) FROM organizers WHERE name = 'Twenty twins'")" 1
    instance_end TERM
}

# A transaction of another process that claimed the key and does not end: the twin waits, but not for ever.
a_twin_that_takes_long() {
    local began elapsed holder
    event_sql "BEGIN; INSERT INTO idempotency_keys (user_id, key, request_hash) VALUES ('$USER_ONE', 'slow', 'h');
        SELECT 'the slow twin', pg_sleep(60); ROLLBACK" >"$WORK/holder" 2>&1 &
    holder=$!
    eventually 5 "the slow twin" 1 slow_twins count
    began=$(now_ms)
    post "$EVENT_URL/api/v1/organizers" '{"name": "Slow"}' slow
    elapsed=$(($(now_ms) - began))
    expect_problem 409 request_in_progress
    expect_match "Retry-After" "$(header retry-after)" '^[1-9][0-9]*$'
    expect_between "waited, ms" "$elapsed" 1000 $((3400 * PATIENCE))
    expect "slow twins ended" "$(slow_twins pg_terminate_backend)" t
    wait "$holder"
    post "$EVENT_URL/api/v1/organizers" '{"name": "Slow"}' slow
    expect_status 201
    expect "organizers" "$(event_sql "SELECT count(*) FROM organizers WHERE name = 'Slow'")" 1
}

slow_twins() { # count|pg_terminate_backend
    event_sql "SELECT $1(pid) FROM pg_stat_activity WHERE query LIKE '%the slow twin%' AND wait_event = 'PgSleep'"
}

# --- payments ---------------------------------------------------------------------------------------------------------

pay() { # BASE_URL RESERVATION PAYMENT KEY
    post "$1/api/v1/reservations/$2/confirm" "{\"payment_id\": \"$3\"}" "$4"
}

attempts() { # RESERVATION
    booking_sql "SELECT count(*) FROM payment_attempts WHERE reservation_id = '$1'"
}

a_payment_is_replayed() {
    local first id
    open_session 2 10
    take 1
    reserve "$USER_ONE" "${TAKEN[0]}"
    id=$RESERVATION_ID
    pay "$BOOKING_URL" "$id" "$ALWAYS_PAYS" "pay-$id"
    expect_status 200
    first=$ANSWER
    pay "$BOOKING_URL" "$id" "$ALWAYS_PAYS" "pay-$id"
    expect "again" "$ANSWER" "$first"
    instance_start booking-svc || return
    pay "$INSTANCE_URL" "$id" "$ALWAYS_PAYS" "pay-$id"
    expect "from another process" "$ANSWER" "$first"
    instance_end TERM
    pay "$BOOKING_URL" "$id" "$NEVER_PAYS" "pay-$id"
    expect_problem 422 idempotency_key_reuse
    expect "attempts" "$(attempts "$id")" 1
}

a_declined_payment_is_replayed() {
    local first id
    take 1
    reserve "$USER_ONE" "${TAKEN[0]}"
    id=$RESERVATION_ID
    pay "$BOOKING_URL" "$id" "$NEVER_PAYS" "decline-$id"
    expect_problem 402 payment_failed
    first=$ANSWER
    pay "$BOOKING_URL" "$id" "$NEVER_PAYS" "decline-$id"
    expect "again" "$ANSWER" "$first"
    expect "attempts" "$(attempts "$id")" 1
    pay "$BOOKING_URL" "$id" "$ALWAYS_PAYS" "better-$id"
    expect_status 200
    instance_start booking-svc || return
    pay "$INSTANCE_URL" "$id" "$NEVER_PAYS" "decline-$id"
    expect "after a better payment, elsewhere" "$ANSWER" "$first"
    instance_end TERM
    expect "attempts" "$(attempts "$id")" 2
}

twin_payments_charge_once() {
    local id
    take 1
    reserve "$USER_ONE" "${TAKEN[0]}"
    id=$RESERVATION_ID
    instance_start booking-svc || return
    volley_open
    for _ in {1..5}; do
        for url in "$BOOKING_URL" "$INSTANCE_URL"; do
            volley_add POST "$url/api/v1/reservations/$id/confirm" "$USER_ONE" "{\"payment_id\": \"$ALWAYS_PAYS\"}" \
                "Idempotency-Key: twins-$id"
        done
    done
    volley_fire 10
    expect "answers" "$(volley_tally)" 200:10
    expect "bodies" "$(sha256sum "$WORK"/volley.[0-9]* | cut -d ' ' -f 1 | sort -u | wc -l)" 1
    expect "attempts" "$(attempts "$id")" 1
    instance_end TERM
}

a_reservation_is_replayed_as_it_began() {
    open_session 2 10
    local first body
    take 1
    body=$(reservation_json "${TAKEN[0]}")
    post "$BOOKING_URL/api/v1/reservations" "$body" began
    expect_status 201
    first=$ANSWER
    confirm "$USER_ONE" "$(json .id)"
    expect_status 200
    post "$BOOKING_URL/api/v1/reservations" "$body" began
    expect "once confirmed" "$ANSWER" "$first"
    take 1
    body=$(reservation_json "${TAKEN[0]}")
    post "$BOOKING_URL/api/v1/reservations" "$body" ended
    first=$ANSWER
    cancel "$USER_ONE" "$(json .id)"
    expect_status 200
    post "$BOOKING_URL/api/v1/reservations" "$body" ended
    expect "once cancelled" "$ANSWER" "$first"
}

cancelling_twice_answers_the_same() {
    local first
    take 1
    reserve "$USER_ONE" "${TAKEN[0]}"
    cancel "$USER_ONE" "$RESERVATION_ID"
    first=$(sha256sum <"$WORK/body")
    cancel "$USER_ONE" "$RESERVATION_ID"
    expect_status 200
    expect "bytes" "$(sha256sum <"$WORK/body")" "$first"
}

check "every POST under a key: once, and the same status, Location and bytes again" every_post_is_replayed
check "the answer outlives changes to what was made" a_replay_outlives_changes
check "another body or route under the key is 422; other callers have their own keys" other_request_is_refused
check "refusals are not stored" refusals_are_not_stored
check "what is no key is 400" headers_that_are_no_keys
check "a twin that takes long: waited for, then 409 with Retry-After" a_twin_that_takes_long
check "a reservation is replayed as it was made, whatever became of it" a_reservation_is_replayed_as_it_began
check "cancelling twice answers the same bytes" cancelling_twice_answers_the_same
if have_programs; then
    check "the same answers from other processes" elsewhere_and_after_a_restart
    check "twenty twins in two processes: one effect, one answer" twins_make_one
    check "a payment is answered with the same bytes, from anywhere" a_payment_is_replayed
    check "a declined payment, too, and is not tried again" a_declined_payment_is_replayed
    check "ten twin payments in two processes: one charge, one answer" twin_payments_charge_once
else
    skip "replays from other processes" "no programs built here"
fi
