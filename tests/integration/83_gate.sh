# shellcheck shell=bash
# Gate: a booking database that cannot commit stops new holds before event-svc hears of them

# Sessions that exist keep the setting they were given, so they are ended.
booking_database_writable() { # on|off
    psql -XAtq "$BOOKING_DATABASE_URL" >"$WORK/writable" <<SQL
SET default_transaction_read_only = off;
ALTER DATABASE booking_db SET default_transaction_read_only = $([ "$1" = on ] && echo off || echo on);
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'booking_db' AND pid <> pg_backend_pid();
SQL
}

readiness() { # URL → status
    curl -sS -o "$WORK/ready" -w '%{http_code}' --max-time 2 "$1/readyz"
}

holds_of_session() {
    event_sql "SELECT count(*) FROM holds WHERE session_id = '$SESSION_ID'"
}

no_commits_no_holds() {
    local i
    open_session 5 10
    settle
    booking_database_writable off
    eventually 5 "gate" 0 booking_metric commit_gate_open
    expect "readiness" "$(readiness "$BOOKING_URL")" 503
    for i in {1..20}; do
        take 1
        reserve "$(uuid)" "${TAKEN[0]}"
        expect "status $i" "$STATUS" 503
    done
    expect_problem 503 overloaded
    expect "Retry-After" "$(header retry-after)" 1
    expect "holds at event-svc" "$(holds_of_session)" 0
    get "$BOOKING_URL/livez"
    expect_status 200
    get "$BOOKING_URL/health"
    expect_status 503
    expect_json '.status == "down" and .checks.commits == "down"'
    get "$EVENT_URL/readyz"
    expect_status 200
    booking_database_writable on
    eventually 8 "readiness" 200 readiness "$BOOKING_URL"
    take 1
    reserve "$(uuid)" "${TAKEN[0]}"
    expect_status 201
}

# Nobody is started again by hand: each dependency goes and comes back.
everything_comes_back() { # SERVICE
    quietly service_stop "$1"
    for url in "$EVENT_URL" "$BOOKING_URL" "$WORKER_URL"; do
        get "$url/livez"
        expect_status 200
    done
    quietly service_start "$1"
    for url in "$EVENT_URL" "$BOOKING_URL" "$WORKER_URL"; do
        eventually 15 "readiness of $url" 200 readiness "$url"
    done
    take 1
    eventually 15 "a reservation" 201 reserve_status "$(uuid)" "${TAKEN[0]}"
}

if [ "$PRIVATE" = yes ]; then
    check "booking_db read-only: not ready, 503 at once, no hold at event-svc; ready again by itself" no_commits_no_holds
    for gone in postgres redis rabbitmq; do
        check "$gone goes and comes back: alive all the time, ready again without a restart" everything_comes_back "$gone"
    done
else
    skip "a database that cannot commit" "breaks parts of the stack; --private does it"
fi
