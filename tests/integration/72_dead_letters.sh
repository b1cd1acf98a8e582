# shellcheck shell=bash
# shellcheck disable=SC2016 # jq has dollar signs
# Dead letters: looked at, replayed, thrown away; nothing is lost on the way

dead_letter_api() { # METHOD [PATH]: as request() leaves it
    request "$1" "$EVENT_URL/api/internal/dead-letters${2:-}" ${INTERNAL_AUTH[@]+"${INTERNAL_AUTH[@]}"}
}

session_with_a_booking() {
    open_session 2 5
    buy_one
    eventually 5 "seat" sold seat_status "$BOUGHT_SEAT"
}

bad_requests_change_nothing() {
    settle
    dead_letter_api GET '?limit=0'
    expect_problem 422 validation_failed
    dead_letter_api GET "/$NOBODY"
    expect_problem 404 not_found
    dead_letter_api POST "/$NOBODY/replay"
    expect_problem 404 not_found
    dead_letter_api DELETE "/$NOBODY"
    expect_problem 404 not_found
    dead_letter_api DELETE "/not-an-id"
    expect_problem 404 not_found
    expect_nothing_changed
}

poison_is_described() {
    expect "routed" "$(broker_publish reservation.confirmed 'not json at all')" true
    eventually 5 "letters" 1 dead_letters_like 'not json at all'
    dead_letter_api GET
    expect_status 200
    expect_json '.data[0] | .reason == "rejected" and (.error | length > 0) and .routing_key == "reservation.confirmed"
        and (.first_death_time | endswith("Z")) and .delivery_count == 0 and .replayable and .body == "not json at all"
        and .body_base64 == null and .body_size == 15'
    LETTER=$(json '.data[0].id')
    dead_letter_api GET "/$LETTER"
    expect_json '.body == "not json at all"'
    eventually 7 "gauge" 1 event_metric dead_letters
    get "$EVENT_URL/health"
    expect_status 200
    expect_json '.status == "degraded" and .details.dead_letters == 1'
}

# Bytes that are no text, and 3 MB of them: kept as base64, as far as kept; never a stumbling block.
bytes_are_described() {
    local size=3000000
    {
        printf '{"properties": {}, "routing_key": "reservation.confirmed", "payload_encoding": "base64", "payload": "'
        head -c "$size" /dev/zero | base64 -w0
        printf '"}'
    } >"$WORK/huge"
    curl -sS --max-time 20 -u "$RABBITMQ_USER:$RABBITMQ_PASSWORD" -X POST -H 'Content-Type: application/json' \
        --data-binary "@$WORK/huge" -o "$WORK/routed" "$RABBITMQ_UI_URL/api/exchanges/%2F/$BROKER_EXCHANGE/publish"
    eventually 10 "letters" 2 dead_letter_count
    dead_letter_api GET
    expect_json '.data[1] | .body == null and (.body_base64 | startswith("AAAA")) and .body_size == 3000000
        and .replayable == false and .error == "larger than 1 MiB"'
    local id
    id=$(json '.data[1].id')
    dead_letter_api POST "/$id/replay"
    expect_problem 409 not_replayable
    dead_letter_api DELETE "/$id"
    expect_status 204
    dead_letter_api DELETE "/$id"
    expect_problem 404 not_found
}

# Who publishes may write the broker's headers himself: a death in the year 33658 could be stored, but never be told.
forged_deaths_are_no_deaths() {
    local forged='{"x-delivery-count": -7, "x-death": [{"count": 4000000000000000000, "time": 999999999999,
        "queue": "nowhere", "reason": "rejected", "exchange": "", "routing-keys": ["x"]}]}'
    expect "routed" "$(broker_publish reservation.confirmed 'forged' "$forged")" true
    eventually 5 "letters" 1 dead_letters_like 'forged'
    dead_letter_api GET
    expect_status 200
    expect_json '.data[-1].delivery_count == 0 and (.data[-1].first_death_time == null or
        (.data[-1].first_death_time | startswith("2")))'
    dead_letter_api DELETE "/$(dead_letters GET '?limit=200' | jq -r '.data[] | select(.body == "forged").id')"
    expect_status 204
}

persistent_poison_comes_back() {
    dead_letter_api POST "/$LETTER/replay"
    expect_status 202
    expect_json '.replayed == 1'
    eventually 7 "outbox" 0 event_sql "SELECT count(*) FROM outbox"
    eventually 7 "letters" 1 dead_letters_like 'not json at all'
    eventually 5 "its outbox id is its message id now" t event_sql "SELECT message_id = '$LETTER' FROM dead_letters"
    dead_letters_purge
    eventually 7 "gauge" 0 event_metric dead_letters
    get "$EVENT_URL/health"
    expect_json '.details.dead_letters == 0'
}

# A confirmation for a hold that event-svc does not know: kept, and applied once the hold is there.
a_replay_repairs() {
    local message
    take 1
    BOUGHT=$(uuid) BOUGHT_BY=$(uuid) BOUGHT_SEAT=${TAKEN[0]}
    message=$(message_json 2 sold reservation.confirmed)
    expect "routed" "$(broker_publish reservation.confirmed "$message")" true
    eventually 5 "a letter about it" yes has_letter_about "$BOUGHT"
    dead_letter_api GET
    expect_json '.data[0].error == "contradicts the hold that is stored"'
    expect "seat" "$(seat_status "$BOUGHT_SEAT")" available
    internal POST "sessions/$SESSION_ID/seats/reserve" \
        "{\"reservation_id\": \"$BOUGHT\", \"session_seat_ids\": [\"$BOUGHT_SEAT\"], \"hold_seconds\": 600}"
    expect_status 200
    dead_letter_api POST /replay-all
    expect_status 202
    expect_json '.replayed == 1 and .left == 0'
    eventually 7 "seat" sold seat_status "$BOUGHT_SEAT"
    eventually 7 "letters" 0 dead_letter_count
    internal_sell_back "$BOUGHT"
}

# The booking behind that hold never existed; the last theme compares both databases.
internal_sell_back() { # RESERVATION
    psql -XAtq "$EVENT_DATABASE_URL" -c "UPDATE session_seats SET status = 'available', reservation_id = NULL
        WHERE reservation_id = '$1'" -c "DELETE FROM holds WHERE reservation_id = '$1'"
}

# Replayed while the broker is away: accepted, kept, published when it is back.
a_replay_survives() {
    local id
    expect "routed" "$(broker_publish reservation.confirmed 'poison for later')" true
    eventually 5 "letters" 1 dead_letters_like 'poison for later'
    id=$(dead_letters GET | jq -r '.data[0].id')
    quietly service_stop rabbitmq
    dead_letter_api POST "/$id/replay"
    expect_status 202
    expect "letters" "$(dead_letter_count)" 0
    expect "outbox" "$(event_sql "SELECT count(*) FROM outbox")" 1
    quietly service_kill event-svc
    quietly service_start event-svc
    quietly service_start rabbitmq
    eventually 30 "outbox" 0 event_sql "SELECT count(*) FROM outbox"
    eventually 10 "letters" 1 dead_letters_like 'poison for later'
    dead_letters_purge
}

# event-svc dies again and again while letters arrive; a copy that comes twice meets its own row.
letters_survive_kills() {
    local i
    for i in {1..40}; do
        expect "routed" "$(broker_publish reservation.confirmed "poison $i")" true
        [ $((i % 10)) -ne 0 ] || { quietly service_kill event-svc && quietly service_start event-svc; }
    done
    eventually 20 "letters" 40 dead_letter_count
    expect "different bodies" "$(event_sql "SELECT count(DISTINCT body) FROM dead_letters")" 40
    eventually 10 "in the broker's queue" 0 broker_dead_letters # copies, which would come after the purge
    dead_letters_purge
    expect "left" "$(dead_letter_count)" 0
}

broker_dead_letters() {
    broker POST "queues/%2F/$BROKER_DLQ/get" '{"count": 100, "ackmode": "ack_requeue_true", "encoding": "auto"}' | jq length
}

if [ "$PRIVATE" = yes ]; then
    check "a session and a booking first" session_with_a_booking
    check "unknown ids and bad pages are refused and change nothing" bad_requests_change_nothing
    check "poison is described: reason, error, key, time, body; gauge and health tell" poison_is_described
    check "3 MB of zeros: base64 of its beginning, cannot be replayed, can be deleted" bytes_are_described
    check "forged headers about deaths are not believed" forged_deaths_are_no_deaths
    check "poison that is replayed comes back as a new letter, neighbours unharmed" persistent_poison_comes_back
    check "a confirmation that came before its hold is applied by replay-all" a_replay_repairs
    check "a replay outlives the broker's absence and a kill -9" a_replay_survives
    check "kill -9 while letters arrive: none lost, none twice" letters_survive_kills
else
    skip "dead letters" "they would mix with yours; --private does it"
fi
