# shellcheck shell=bash
# shellcheck disable=SC2016 # jq has dollar signs
# A rush: best-available reservations through booking-svc, and what it remembers about refusals

best_available_is_a_reservation() {
    local buyer id
    buyer=$(uuid)
    open_session 2 5
    reserve_best "$buyer" '"quantity": 3'
    expect_status 201
    expect_json '.seats_count == 3 and (.items | map(.row_number) | unique | length) == 1'
    expect_json '.total_amount == (.items | map(.final_price) | add)'
    id=$(json .id)
    confirm "$buyer" "$id"
    expect_status 200
}

best_available_keeps_its_key() {
    local buyer key id
    buyer=$(uuid) key=$(uuid)
    open_session 1 4
    reserve_best "$buyer" '"quantity": 4' -H "Idempotency-Key: $key"
    expect_status 201
    id=$(json .id)
    reserve_best "$(uuid)" '"quantity": 1'
    expect_problem 409 sold_out
    reserve_best "$buyer" '"quantity": 4' -H "Idempotency-Key: $key"
    expect_status 201
    expect "the same reservation" "$(json .id)" "$id"
    reserve_best "$buyer" '"quantity": 3' -H "Idempotency-Key: $key"
    expect_problem 422 idempotency_key_reuse
}

nonsense_is_refused() {
    open_session 1 2
    reserve_best "$(uuid)" '"quantity": 0'
    expect_problem 422 validation_failed /quantity
    reserve_best "$(uuid)" '"quantity": 1, "seat": 1'
    expect_problem 422 validation_failed /seat
    reserve_best "$(uuid)" '"section": "A"'
    expect_problem 422 validation_failed /seats
}

free_seats_come_back_at_once() {
    local buyer id
    buyer=$(uuid)
    open_session 1 2
    reserve_best "$buyer" '"quantity": 2'
    expect_status 201
    id=$(json .id)
    reserve_best "$(uuid)" '"quantity": 1'
    expect_problem 409 sold_out
    expect_json '.offer.available == 0'
    cancel "$buyer" "$id"
    eventually 2 "one of the cancelled seats" 201 best_status
}

best_status() {
    reserve_best "$(uuid)" '"quantity": 1'
    echo "$STATUS"
}

# Seats that cannot be written until seats_writable: whoever wants to hold one gathers in a queue.
seats_stuck() {
    event_sql "BEGIN; LOCK TABLE session_seats IN SHARE MODE; SELECT pg_sleep(120); COMMIT" >/dev/null 2>&1 &
    eventually 5 "the lock" 1 event_sql "SELECT count(*) FROM pg_locks WHERE mode = 'ShareLock' AND granted
        AND relation = 'session_seats'::regclass"
}

seats_writable() {
    event_sql "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE mode = 'ShareLock' AND granted
        AND relation = 'session_seats'::regclass" >/dev/null
}

# One request per batch and a millisecond of queue: a hold that does not return fills the house.
who_holds_seats_can_pay() {
    local buyer i
    local -a buyers=() paid=()
    quietly instance_start booking-svc BATCH_MAX_ITEMS=1 QUEUE_MAX_WAIT_MS=1
    open_session 10 20
    for ((i = 0; i < 20; i++)); do
        buyer=$(uuid)
        take 1
        reserve "$buyer" "${TAKEN[@]}"
        expect_status 201
        buyers+=("$buyer/$RESERVATION_ID")
    done
    volley_open
    for ((i = 0; i < 120; i++)); do
        take 1
        volley_add POST "$INSTANCE_URL/api/v1/reservations" "$(uuid)" "$(reservation_json "${TAKEN[@]}")"
        if ((i % 6 == 5)); then
            buyer=${buyers[i / 6]}
            volley_add POST "$INSTANCE_URL/api/v1/reservations/${buyer#*/}/confirm" "${buyer%/*}" "{\"payment_id\": \"$ALWAYS_PAYS\"}"
            paid+=("$VOLLEY")
        fi
    done
    seats_stuck
    volley_fire 140
    seats_writable
    expect_between "newcomers turned away" "$(curl -s "$INSTANCE_URL/metrics" | awk '$1 == "reservations_turned_away_total" { print $2 }')" 1 120
    expect "payments" "$(for i in "${paid[@]}"; do awk -v n="$i" '$1 == n { print $2 }' "$WORK/volley.codes"; done | sort | uniq -c | xargs)" "20 200"
}

check "the best seats there are become a reservation" best_available_is_a_reservation
check "a key finds its best-available reservation again, even when all is sold" best_available_keeps_its_key
check "a quantity that makes no sense is refused" nonsense_is_refused
check "cancelled seats can soon be sold again" free_seats_come_back_at_once
if have_programs; then
    check "when the door is full, newcomers are turned away and holders of seats still pay" who_holds_seats_can_pay
else
    skip "a full door" "the programs are not here"
fi
