# shellcheck shell=bash
#
# What the databases say. Tests read them; they never write.

event_sql() {
    psql -XAtq -v ON_ERROR_STOP=1 "$EVENT_DATABASE_URL" -c "$1"
}

booking_sql() {
    psql -XAtq -v ON_ERROR_STOP=1 "$BOOKING_DATABASE_URL" -c "$1"
}

seat_status() { # SESSION_SEAT_ID
    event_sql "SELECT status FROM session_seats WHERE session_seat_id = '$1'"
}

seats_with_status() { # SESSION_ID STATUS → count
    event_sql "SELECT count(*) FROM session_seats WHERE session_id = '$1' AND status = '$2'"
}

reservation_status() { # RESERVATION_ID
    booking_sql "SELECT status FROM reservations WHERE id = '$1'"
}

# One line per table: name, rows, and the sum of the row versions' transaction ids, which moves with every insert, update and
# delete. The watermarks of periodic searches and the databases' pulse move by themselves and are left out.
database_fingerprint() { # URL
    psql -XAtq -v ON_ERROR_STOP=1 "$1" <<'SQL'
SELECT format('SELECT %L, count(*), coalesce(sum(xmin::text::bigint), 0) FROM %I', tablename, tablename)
FROM pg_tables
WHERE schemaname = 'public' AND tablename NOT IN ('sweep_watermarks', 'lineage')
ORDER BY tablename
\gexec
SQL
}

fingerprint() {
    database_fingerprint "$EVENT_DATABASE_URL"
    database_fingerprint "$BOOKING_DATABASE_URL"
}

# Waits until nothing moves in either database any more (messages delivered, outbox relayed); leaves the state in
# FINGERPRINT. A message may be between the databases while one look is like the one before, hence several.
settle() {
    local before tries alike=0
    FINGERPRINT=$(fingerprint)
    for tries in {1..200}; do
        before=$FINGERPRINT
        sleep 0.2
        FINGERPRINT=$(fingerprint)
        if [ "$FINGERPRINT" != "$before" ] || [ "$(booking_sql 'SELECT count(*) FROM outbox')" != 0 ]; then
            alike=0
        elif [ $((++alike)) -eq 3 ]; then
            return
        fi
    done
    fail "the databases are still moving after $tries looks"
}

expect_nothing_changed() {
    local now
    now=$(fingerprint)
    ASSERTIONS=$((ASSERTIONS + 1))
    if [ "$now" != "$FINGERPRINT" ]; then
        fail "rows changed:"
        diff <(echo "$FINGERPRINT") <(echo "$now")
        FINGERPRINT=$now
    fi
}
