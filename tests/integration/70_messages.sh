# shellcheck shell=bash
# shellcheck disable=SC2016 # jq has dollar signs
# Messages: the queue as the broker sees it

topology_is_final() {
    broker_look "exchanges/%2F/$BROKER_EXCHANGE"
    expect_json '.type == "topic" and .durable == true'
    broker_look "queues/%2F/$BROKER_QUEUE"
    expect_json '.durable == true and .arguments == {
        "x-queue-type": "quorum", "x-delivery-limit": 5, "x-single-active-consumer": true, "x-overflow": "reject-publish",
        "x-dead-letter-exchange": $dlx, "x-dead-letter-strategy": "at-least-once"}' --arg dlx "$BROKER_EXCHANGE.dlx"
    eventually 10 "consumers" 1 broker_queue "$BROKER_QUEUE" '.consumers // 0'
    broker_look "queues/%2F/$BROKER_QUEUE/bindings"
    expect_json '[.[] | select(.source == $exchange) | .routing_key] | contains(["reservation.confirmed",
        "reservation.cancelled", "reservation.expired"])' --arg exchange "$BROKER_EXCHANGE"
    broker_look "queues/%2F/$BROKER_DLQ/bindings"
    expect_json '[.[] | select(.source == $dlx)] | length >= 1' --arg dlx "$BROKER_EXCHANGE.dlx"
}

counters_move() {
    open_session 2 5
    buy_one
    eventually 5 "seat" sold seat_status "$BOUGHT_SEAT"
    ASSERTIONS=$((ASSERTIONS + 1))
    local tries published acked
    for tries in {1..120}; do
        published=$(broker_counter "$BROKER_QUEUE" publish)
        acked=$(broker_counter "$BROKER_QUEUE" ack)
        [ "$published" -gt "$BROKER_PUBLISHED" ] && [ "$acked" -gt "$BROKER_ACKED" ] && return
        sleep 0.5
    done
    fail "publish $BROKER_PUBLISHED -> $published, ack $BROKER_ACKED -> $acked after $tries looks"
}

# A queue of our own hears what the exchange says.
probe_open() {
    PROBE=probe-$(uuid)
    broker PUT "queues/%2F/$PROBE" '{"durable": false, "auto_delete": false, "arguments": {"x-expires": 60000}}'
    broker POST "bindings/%2F/e/$BROKER_EXCHANGE/q/$PROBE" '{"routing_key": "reservation.*"}' >"$WORK/bound"
}

probe_about() { # RESERVATION → its messages so far, as the management API shows them; leaves them in the queue
    broker POST "queues/%2F/$PROBE/get" '{"count": 1000, "ackmode": "ack_requeue_true", "encoding": "auto"}' |
        jq --arg id "$1" '[.[] | .body = (.payload | fromjson) | select(.body.data.reservation_id == $id)]'
}

probe_count() { # RESERVATION
    probe_about "$1" | jq length
}

# expect_message RESERVATION TYPE SEAT-STATUS USER SEAT…: one message, persistent, with the reservation's whole final state.
expect_message() {
    local id=$1 type=$2 status=$3 user=$4 revision
    shift 4
    eventually 5 "messages about $id" 1 probe_count "$id"
    probe_about "$id" >"$WORK/body"
    revision=$(booking_sql "SELECT revision FROM reservations WHERE id = '$id'")
    expect_json '.[0] | .routing_key == $type and .properties.delivery_mode == 2
        and .properties.content_type == "application/json" and .properties.message_id == .body.event_id
        and .body.event_type == $type and (.body.occurred_at | endswith("Z")) and .body.data.revision == $revision
        and .body.data.session_id == $session and .body.data.user_id == $user
        and (.body.data.seats | sort_by(.session_seat_id)) == ($ARGS.positional | sort | map({session_seat_id: ., status: $status}))' \
        --arg type "$type" --arg status "$status" --arg user "$user" --arg session "$SESSION_ID" --argjson revision "$revision" \
        --args "$@"
}

messages_tell_the_whole_state() {
    local user id trace=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
    probe_open
    user=$(uuid)
    take 2
    reserve "$user" "${TAKEN[@]}"
    id=$RESERVATION_ID
    send POST "$BOOKING_URL/api/v1/reservations/$id/confirm" '{}' -H "X-User-ID: $user" -H "traceparent: $trace"
    expect_status 200
    expect_message "$id" reservation.confirmed sold "$user" "${TAKEN[@]}"
    expect_match "traceparent" "$(json '.[0].properties.headers.traceparent')" '^00-0af7651916cd43dd8448eb211c80319c-'
    take 1
    reserve "$user" "${TAKEN[0]}"
    id=$RESERVATION_ID
    cancel "$user" "$id"
    expect_message "$id" reservation.cancelled available "$user" "${TAKEN[0]}"
    broker DELETE "queues/%2F/$PROBE"
}

dead_letters_start() {
    DEAD_BEFORE=$(dead_letter_count)
    expect "dead letters before" "$DEAD_BEFORE" 0
}

duplicates_change_nothing() {
    local revision message
    revision=$(booking_sql "SELECT revision FROM reservations WHERE id = '$BOUGHT'")
    settle
    message=$(message_json "$revision" sold reservation.confirmed)
    for _ in 1 2 3; do
        expect "routed" "$(broker_publish reservation.confirmed "$message")" true
    done
    expect "routed" "$(broker_publish reservation.cancelled "$(message_json 1 available reservation.cancelled)")" true
    after_the_queue
    expect "seat" "$(seat_status "$BOUGHT_SEAT")" sold
    expect "dead letters" "$(dead_letter_count)" "$DEAD_BEFORE"
}

# Messages are handled in order: once a booking made now is sold, everything published before it has been handled.
after_the_queue() {
    local reservation=$BOUGHT user=$BOUGHT_BY seat=$BOUGHT_SEAT
    buy_one
    eventually 5 "seat of a booking after it" sold seat_status "$BOUGHT_SEAT"
    BOUGHT=$reservation BOUGHT_BY=$user BOUGHT_SEAT=$seat
}

poison_goes_aside() { # TEXT: becomes a dead letter, and those behind it pass
    expect "routed" "$(broker_publish reservation.confirmed "$1")" true
    after_the_queue
    eventually 5 "copies among the dead letters" 1 dead_letters_like "$1"
}

contradictions_go_aside() { # a newer message for a seat that the reservation does not hold is never applied
    local message stranger
    stranger=$BOUGHT
    BOUGHT=$(uuid)
    message=$(message_json 9 available reservation.cancelled)
    expect "routed" "$(broker_publish reservation.cancelled "$message")" true
    BOUGHT=$stranger
    after_the_queue
    expect "seat" "$(seat_status "$BOUGHT_SEAT")" sold
}

dead_letters_end() {
    dead_letters_purge
    expect "dead letters left" "$(dead_letter_count)" 0
}

check "exchange, queue, dead-letter queue stand with their final arguments; one consumer" topology_is_final
check "publish and ack counters move with a booking" counters_move
check "a message is persistent and tells the whole final state of its reservation" messages_tell_the_whole_state
check "no dead letters so far" dead_letters_start
check "duplicate and outdated messages change nothing" duplicates_change_nothing
if [ "$PRIVATE" = yes ]; then
    check "poison that is not JSON becomes a dead letter, neighbours pass" poison_goes_aside 'not json'
    check "poison of another shape does, too" poison_goes_aside '{"event_id": 5}'
    check "poison with an unknown seat status does, too" poison_goes_aside "$(message_json 99 flying reservation.confirmed)"
    check "a contradicting message never overwrites a sold seat" contradictions_go_aside
    check "dead letters can be thrown away" dead_letters_end
else
    skip "poison messages" "they would stay among your dead letters; --private does it"
fi
