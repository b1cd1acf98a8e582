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
    eventually 6 "booking-worker read-only" false read_only "$WORKER_URL"
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

runs() { # JOB → how often it has run since the worker's start
    get "$WORKER_URL/health"
    json ".jobs.$1.runs"
}

has_run() { # JOB COUNT
    [ "$(runs "$1")" -ge "$2" ] && echo yes
}

make_overdue() { # RESERVATION
    psql -XAtq "$BOOKING_DATABASE_URL" -c "UPDATE reservations SET expiry_time = now() - interval '1 minute' WHERE id = '$1'"
    psql -XAtq "$EVENT_DATABASE_URL" -c "UPDATE holds SET reserved_until = now() - interval '1 minute' WHERE reservation_id = '$1'"
}

make_due_again() { # RESERVATION
    psql -XAtq "$BOOKING_DATABASE_URL" -c "UPDATE reservations SET expiry_time = now() + interval '1 hour' WHERE id = '$1'"
    psql -XAtq "$EVENT_DATABASE_URL" -c "UPDATE holds SET reserved_until = now() + interval '1 hour' WHERE reservation_id = '$1'"
}

# It has had every opportunity, and a hold that is long overdue is as it was.
expect_untouched() { # RESERVATION
    local job now
    for job in expire_holds sweep_orphans; do
        now=$(runs "$job")
        eventually 10 "passages of $job" yes has_run "$job" $((now + 3))
    done
    expect "the reservation" "$(reservation_status "$1")" active
    expect "its hold" "$(event_sql "SELECT state FROM holds WHERE reservation_id = '$1'")" held
    expect "messages" "$(booking_sql "SELECT count(*) FROM outbox")" 0
}

the_worker_leaves_it_alone() { # RESERVATION
    eventually 8 "booking-worker read-only" true read_only "$WORKER_URL"
    make_overdue "$1"
    expect_untouched "$1"
    quietly service_restart booking-worker
    eventually 8 "booking-worker read-only after a restart" true read_only "$WORKER_URL"
    expect_untouched "$1"
    make_due_again "$1"
}

# Without a word from booking-svc, before the first request, and in an instance that booking-svc never talks to.
known_from_the_first_moment() { # RESERVATION
    quietly service_stop booking-svc
    quietly service_kill event-svc
    quietly service_start event-svc
    internal POST "sessions/$SESSION_ID/seats/release" "{\"reservation_id\": \"$1\"}"
    expect_status 503
    expect "event-svc read-only at once" "$(read_only "$EVENT_URL")" true
    quietly instance_start event-svc
    expect "another instance, too" "$(read_only "$INSTANCE_URL")" true
    quietly service_start booking-svc
    accept
    eventually 6 "the other instance takes requests again" false read_only "$INSTANCE_URL"
    psql -XAtq "$EVENT_DATABASE_URL" -c "UPDATE lineage SET diverged_at = now()"
    eventually 6 "the other instance learns of it by itself" true read_only "$INSTANCE_URL"
    instance_end TERM
    expect "exit status" $? 0
}

# Both services are down when it happens, and the worker is first to be back.
the_worker_finds_it_alone() { # FUNCTION URL
    open_session 1 1
    reserve "$(uuid)" "${SEATS[0]}"
    expect_status 201
    eventually 30 "they know each other" tt remembered
    quietly service_stop booking-worker
    quietly service_stop booking-svc
    quietly service_stop event-svc
    make_overdue "$RESERVATION_ID"
    "$1" "$2"
    quietly service_start booking-worker
    eventually 8 "booking-worker read-only" true read_only "$WORKER_URL"
    expect_untouched "$RESERVATION_ID"
    expect "gauge" "$(metric "$WORKER_URL" lineage_diverged)" 1
    expect "verify finds the overdue hold" "$(verify_says)" 1
    quietly service_start event-svc
    quietly service_start booking-svc
    eventually 8 "event-svc read-only" true read_only "$EVENT_URL"
    accept
    eventually 10 "the reservation, when all is well" expired reservation_status "$RESERVATION_ID"
}

verify_says() { # → its exit status
    program_env verify
    env "${PROGRAM_ENV[@]}" DATABASE_URL="$BOOKING_DATABASE_URL" "$(program verify)" --grace 0 >"$WORK/verify"
    echo $?
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
    the_worker_leaves_it_alone "$kept"
    known_from_the_first_moment "$kept"
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
    check "event_service put back while both services are down: the worker finds it alone" the_worker_finds_it_alone put_back \
        "$EVENT_DATABASE_URL"
    check "booking_db likewise" the_worker_finds_it_alone put_back "$BOOKING_DATABASE_URL"
    check "what has live holds cannot be deleted" sessions_with_holds_stay
else
    skip "restored databases" "changes the databases; --private does it"
fi
