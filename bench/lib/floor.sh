# shellcheck shell=bash
# R1's yardstick: the same SQL work as W3, one transaction per reservation, by pgbench.

FLOOR_SESSIONS=8
FLOOR_SEATS=50000

# The real tables of both services in one database of the same server, so that pgbench can write a reservation in one
# transaction; that even saves it the second commit. Some names stand in both, so the bookings get a schema of their own.
floor_prepare() {
    FLOOR_URL=${EVENT_DATABASE_URL%/*}/floor
    postgres_psql -c "DROP DATABASE IF EXISTS floor" -c "CREATE DATABASE floor OWNER $POSTGRES_USER" 2>/dev/null || return 1
    {
        echo 'CREATE SCHEMA bookings; ALTER DATABASE floor SET search_path = public, bookings; SET search_path = bookings;'
        cat "$ROOT"/booking-svc/migrations/*.sql
        echo 'SET search_path = public, bookings;'
        cat "$ROOT"/event-svc/migrations/*.sql
        cat <<'SQL'
CREATE SEQUENCE turn MINVALUE 0 CACHE 20;
CREATE FUNCTION time_ordered_id() RETURNS uuid LANGUAGE sql VOLATILE AS $$
    SELECT overlay(gen_random_uuid()::text PLACING
        to_char(clock_timestamp(), 'YYMMDDHH') || '-' || to_char(clock_timestamp(), 'MISS') FROM 1)::uuid $$;
CREATE TABLE pick AS
    SELECT s.session_no::int, n AS seat_no, s.session_id, overlay(s.session_id::text PLACING lpad(to_hex(n), 12, '0') FROM 25)::uuid AS session_seat_id
    FROM (SELECT n AS session_no, time_ordered_id() AS session_id FROM generate_series(1, :sessions) AS n) AS s,
        generate_series(1, :seats) AS n;
ALTER TABLE pick ADD PRIMARY KEY (session_no, seat_no);
INSERT INTO session_seats (session_id, session_seat_id, seat_id, price_minor, seat_order)
    SELECT session_id, session_seat_id, session_seat_id, 8000, seat_no FROM pick ORDER BY session_no, seat_no;
INSERT INTO session_versions SELECT DISTINCT session_id, 1 FROM pick;
VACUUM ANALYZE session_seats, session_versions, pick;
SQL
    } | PGOPTIONS='--client-min-messages=warning' psql -XAtq -v ON_ERROR_STOP=1 -v sessions=$FLOOR_SESSIONS -v seats=$FLOOR_SEATS \
        "$FLOOR_URL" >/dev/null
}

# floor_run CLIENTS BUMP: reservations per second. pgbench counts in whole seconds.
floor_run() {
    pgbench -n -M prepared -f "$ROOT/bench/reserve.pgbench.sql" -D sessions="$FLOOR_SESSIONS" -D seats="$FLOOR_SEATS" \
        -D bump="$2" -c "$1" -j 2 -T "${SECONDS_EACH%.*}" "$FLOOR_URL" 2>"$OUT/pgbench.log" |
        sed -n 's/^tps = \([0-9.]*\).*/\1/p'
}

# floor_measure: $OUT/floor.json. The services stop meanwhile: pgbench gets their connections and all of the machine.
floor_measure() {
    local name bad=0
    for name in $SERVICES; do
        service_stop "$name" >/dev/null || return 1
    done
    floor_prepare && floor_try_clients || bad=1
    postgres_psql -c 'DROP DATABASE floor'
    stack_start_services >/dev/null && return "$bad"
}

# Tries client counts, then repeats the best one.
floor_try_clients() {
    local clients tps best=0 best_clients=8 i
    for clients in ${FLOOR_CLIENTS:-4 8 16}; do
        tps=$(floor_run "$clients" 1)
        [ -n "$tps" ] || {
            show_tail "$OUT/pgbench.log"
            return 1
        }
        say "pgbench, $clients clients: ${tps%.*} reservations/s"
        if [ "${tps%.*}" -gt "${best%.*}" ]; then
            best=$tps best_clients=$clients
        fi
    done
    for ((i = 1; i < REPEATS; i++)); do
        floor_run "$best_clients" 1
    done >"$OUT/floor.tps"
    echo "$best" >>"$OUT/floor.tps"
    jq -s --argjson clients "$best_clients" --argjson unbumped "$(floor_run "$best_clients" 0)" 'sort |
        {median: .[length / 2 | floor], worst: .[0], unit: "reservations/s", clients: $clients, without_version_row: $unbumped}' \
        "$OUT/floor.tps" >"$OUT/floor.json"
}
