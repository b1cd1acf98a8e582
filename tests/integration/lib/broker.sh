# shellcheck shell=bash
# shellcheck disable=SC2016,SC2034 # jq has dollar signs; the themes use what is set here
#
# RabbitMQ through its management API.

BROKER_EXCHANGE=${RABBITMQ_EXCHANGE:-ticketing_events}
BROKER_QUEUE=${RABBITMQ_QUEUE:-event_service_queue}
BROKER_DLQ=$BROKER_QUEUE.dlq

broker() { # METHOD PATH [JSON] → body; PATH below /api/
    local method=$1 path=$2
    shift 2
    curl -sS --max-time 10 -u "$RABBITMQ_USER:$RABBITMQ_PASSWORD" -X "$method" -H 'Content-Type: application/json' \
        ${1:+--data-binary "$1"} "$RABBITMQ_UI_URL/api/$path"
}

broker_look() { # PATH: as request() leaves it, for expect_json
    request GET "$RABBITMQ_UI_URL/api/$1" -u "$RABBITMQ_USER:$RABBITMQ_PASSWORD"
}

broker_queue() { # QUEUE JQ FILTER → text
    broker GET "queues/%2F/$1" | jq -r "$2"
}

broker_counter() { # QUEUE NAME → messages so far, 0 when there were none
    broker_queue "$1" ".message_stats.$2 // 0"
}

# The rates and counters of the management API lag by up to five seconds, so the starting point is taken before anything
# else happens and looked at again near the end.
broker_remember() {
    BROKER_PUBLISHED=$(broker_counter "$BROKER_QUEUE" publish)
    BROKER_ACKED=$(broker_counter "$BROKER_QUEUE" ack)
}

broker_publish() { # ROUTING_KEY PAYLOAD [HEADERS] → true when it reached a queue
    local envelope
    envelope=$(jq -n --arg key "$1" --arg payload "$2" --argjson headers "${3:-{\}}" \
        '{properties: {delivery_mode: 2, content_type: "application/json", headers: $headers}, routing_key: $key,
          payload: $payload, payload_encoding: "string"}')
    broker POST "exchanges/%2F/$BROKER_EXCHANGE/publish" "$envelope" | jq -r .routed
}

# Dead letters as event-svc keeps them: what the broker gave up on is moved to its table at once.
dead_letters() { # METHOD [PATH] → body
    curl -sS --max-time 10 -X "$1" ${INTERNAL_AUTH[@]+"${INTERNAL_AUTH[@]}"} "$EVENT_URL/api/internal/dead-letters${2:-}"
}

dead_letters_like() { # PAYLOAD → how many have exactly this body
    dead_letters GET '?limit=200' | jq --arg payload "$1" '[.data[] | select(.body == $payload)] | length'
}

letter_about() { # RESERVATION → id of the dead letter about it, empty when there is none
    dead_letters GET '?limit=200' | jq -r --arg id "$1" '[.data[] | select((.body // "") | contains($id)) | .id] | first // ""'
}

has_letter_about() {
    [ -n "$(letter_about "$1")" ] && echo yes || echo no
}

dead_letter_count() {
    dead_letters GET '?limit=200' | jq '.data | length'
}

dead_letters_purge() {
    local id
    for id in $(dead_letters GET '?limit=200' | jq -r '.data[].id'); do
        dead_letters DELETE "/$id"
    done
}

message_json() { # REVISION STATUS TYPE → a message about BOUGHT
    jq -n --arg id "$(uuid)" --arg type "$3" --arg now "$(from_now '0 seconds')" --arg reservation "$BOUGHT" \
        --argjson revision "$1" --arg session "$SESSION_ID" --arg user "$BOUGHT_BY" --arg seat "$BOUGHT_SEAT" --arg status "$2" \
        '{event_id: $id, event_type: $type, occurred_at: $now, data: {reservation_id: $reservation, revision: $revision,
          session_id: $session, user_id: $user, seats: [{session_seat_id: $seat, status: $status}]}}'
}
