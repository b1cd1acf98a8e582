# shellcheck shell=bash
# Consumer: a database that cannot commit costs time, never a message; one that cannot be stored costs no neighbour

# Bookings of one seat each: HELD, HELD_BY, HELD_SEATS.
hold_seats() { # COUNT
    local user
    HELD=() HELD_BY=() HELD_SEATS=()
    for ((i = 0; i < $1; i++)); do
        user=$(uuid)
        take 1
        reserve "$user" "${TAKEN[0]}"
        expect_status 201
        HELD+=("$RESERVATION_ID") HELD_BY+=("$user") HELD_SEATS+=("${TAKEN[0]}")
    done
}

confirm_held() {
    local i
    for i in "${!HELD[@]}"; do
        confirm "${HELD_BY[$i]}" "${HELD[$i]}"
        expect_status 200
    done
}

sold_of_held() {
    local list
    list=$(printf "'%s'," "${HELD_SEATS[@]}")
    event_sql "SELECT count(*) FROM session_seats WHERE session_id = '$SESSION_ID' AND session_seat_id IN (${list%,}) AND status = 'sold'"
}

# Sessions that exist keep the setting they were given, so they are ended.
event_database_writable() { # on|off
    psql -XAtq "$EVENT_DATABASE_URL" >"$WORK/writable" <<SQL
SET default_transaction_read_only = off;
ALTER DATABASE event_service SET default_transaction_read_only = $([ "$1" = on ] && echo off || echo on);
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'event_service' AND pid <> pg_backend_pid();
SQL
}

an_outage_costs_no_message() {
    open_session 4 5
    hold_seats 5
    settle
    event_database_writable off
    confirm_held
    sleep 12
    expect "sold meanwhile" "$(sold_of_held)" 0
    expect_match "pauses" "$(event_metric messages_held_back_total)" '^[1-9]'
    get "$EVENT_URL/livez"
    expect_status 200
    event_database_writable on
    eventually 15 "sold" 5 sold_of_held
    expect "dead letters" "$(dead_letter_count)" 0
    eventually 10 "in the queue" 0 broker_queue "$BROKER_QUEUE" '.messages // 0'
    eventually 10 "readiness of event-svc, whose sessions were ended" 200 event_readiness
}

event_readiness() {
    get "$EVENT_URL/readyz"
    echo "$STATUS"
}

one_that_cannot_be_stored() {
    local message
    hold_seats 4
    event_sql "ALTER TABLE holds ADD CONSTRAINT no_such_revision CHECK (revision <> 777) NOT VALID"
    BOUGHT=${HELD[0]} BOUGHT_BY=${HELD_BY[0]} BOUGHT_SEAT=${HELD_SEATS[0]}
    message=$(message_json 777 sold reservation.confirmed)
    expect "routed" "$(broker_publish reservation.confirmed "$message")" true
    HELD=("${HELD[@]:1}") HELD_BY=("${HELD_BY[@]:1}") HELD_SEATS=("${HELD_SEATS[@]:1}")
    confirm_held
    eventually 5 "neighbours" 3 sold_of_held
    eventually 5 "letters" 1 dead_letter_count
    expect "seat" "$(seat_status "$BOUGHT_SEAT")" reserved
    event_sql "ALTER TABLE holds DROP CONSTRAINT no_such_revision"
    dead_letters_purge
    cancel "$BOUGHT_BY" "$BOUGHT"
    expect_status 200
}

if [ "$PRIVATE" = yes ]; then
    check "event_service cannot commit for 12 s: nothing dead-lettered, consumed by itself afterwards" an_outage_costs_no_message
    check "a message the database refuses becomes a dead letter, its neighbours are applied" one_that_cannot_be_stored
else
    skip "a database that cannot commit" "breaks parts of the stack; --private does it"
fi
