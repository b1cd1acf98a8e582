# shellcheck shell=bash
# shellcheck disable=SC2016 # jq has dollar signs
# Restore: a database put back in time makes both services read-only until somebody has looked

# What a restore does to the row that tells: an older state of it comes back.
put_back() { # URL: the row as it was some exchanges ago
    psql -XAtq "$1" -c "UPDATE lineage SET epoch = greatest(1, epoch - 3), peer_epoch = greatest(0, peer_epoch - 3)"
}

replace() { # URL: another database of the same shape
    psql -XAtq "$1" -c "UPDATE lineage SET system_id = gen_random_uuid(), epoch = 1, peer_system_id = NULL, peer_epoch = 0"
}

remembered() { # → whether each has heard of the other at least five times
    echo "$(event_sql "SELECT peer_epoch > 5 FROM lineage")$(booking_sql "SELECT peer_epoch > 5 FROM lineage")"
}

read_only() { # URL
    curl -sS --max-time 2 "$1/health" | jq -r .details.read_only
}

accept() {
    local name
    for name in event-svc booking-svc; do
        program_env "$name"
        quietly env "${PROGRAM_ENV[@]}" "$(program "$name")" --accept-restore
    done
    eventually 6 "event-svc read-only" false read_only "$EVENT_URL"
    eventually 6 "booking-svc read-only" false read_only "$BOOKING_URL"
    for name in "$EVENT_DATABASE_URL" "$BOOKING_DATABASE_URL"; do # the next check will not wait for a minute
        psql -XAtq "$name" -c "UPDATE lineage SET quiet_until = '-infinity'"
    done
}

normal_life_is_no_restore() {
    eventually 30 "they know each other" tt remembered
    quietly service_kill booking-svc
    quietly service_kill event-svc
    quietly service_start event-svc
    quietly service_start booking-svc
    sleep 5
    expect "event-svc read-only" "$(read_only "$EVENT_URL")" false
    expect "booking-svc read-only" "$(read_only "$BOOKING_URL")" false
    quietly instance_start booking-svc
    sleep 5
    expect "with two instances" "$(read_only "$EVENT_URL")$(read_only "$INSTANCE_URL")" falsefalse
    instance_end TERM
}

a_restore_is_noticed() { # FUNCTION URL
    local user kept
    open_session 2 5
    user=$(uuid)
    take 1
    reserve "$user" "${TAKEN[0]}"
    expect_status 201
    kept=$RESERVATION_ID
    "$1" "$2"
    eventually 8 "event-svc read-only" true read_only "$EVENT_URL"
    eventually 8 "booking-svc read-only" true read_only "$BOOKING_URL"
    take 1
    reserve "$user" "${TAKEN[0]}"
    expect_problem 503 overloaded
    confirm "$user" "$kept"
    expect_status 503
    cancel "$user" "$kept"
    expect_status 503
    reservation "$user" "$kept"
    expect_status 200
    internal POST "sessions/$SESSION_ID/seats/release" "{\"reservation_id\": \"$kept\"}"
    expect_status 503
    get "$EVENT_URL/health"
    expect_status 200
    expect_json '.status == "degraded" and .details.read_only'
    expect "gauge" "$(booking_metric lineage_diverged)" 1
    quietly service_kill event-svc
    quietly service_start event-svc
    eventually 8 "event-svc read-only after a restart" true read_only "$EVENT_URL"
    accept
    confirm "$user" "$kept"
    expect_status 200
    eventually 8 "seat" sold seat_status "$(event_sql "SELECT session_seat_ids[1] FROM holds WHERE reservation_id = '$kept'")"
}

sessions_with_holds_stay() { # nothing with live holds can be deleted: only organizers can, and not while they have events
    request DELETE "$EVENT_URL/api/v1/organizers/$ORGANIZER_ID"
    expect_problem 409 in_use
    request DELETE "$EVENT_URL/api/v1/sessions/$SESSION_ID"
    expect_problem 405 method_not_allowed
    request DELETE "$EVENT_URL/api/v1/events/$EVENT_ID"
    expect_problem 405 method_not_allowed
}

if [ "$PRIVATE" = yes ]; then
    check "restarts and second instances are no restore" normal_life_is_no_restore
    check "event_service put back in time: both read-only, until accepted" a_restore_is_noticed put_back "$EVENT_DATABASE_URL"
    check "booking_db put back in time: both read-only, until accepted" a_restore_is_noticed put_back "$BOOKING_DATABASE_URL"
    check "another event_service: both read-only, until accepted" a_restore_is_noticed replace "$EVENT_DATABASE_URL"
    check "what has live holds cannot be deleted" sessions_with_holds_stay
else
    skip "restored databases" "changes the databases; --private does it"
fi
