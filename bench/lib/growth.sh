# shellcheck shell=bash
# G1: does a reservation cost more when the tables are full of other people's?

GROWTH_SECONDS=2
GROWTH_SALE=8 # sessions of 50,000 seats that the load itself uses up, the same in every step

# old_seats FROM TO: seats of sessions that nobody asks for, 50,000 each.
old_seats() {
    stack_sql event_service "INSERT INTO session_seats (session_id, session_seat_id, seat_id, price_minor, seat_order)
            SELECT ('0190' || lpad(to_hex(n / 50000), 28, '0'))::uuid, $OLD_ID, $OLD_ID, 8000, n % 50000 FROM generate_series($1, $2) AS n;
        INSERT INTO session_versions SELECT DISTINCT ('0190' || lpad(to_hex(n / 50000), 28, '0'))::uuid, 1 FROM generate_series($1, $2) AS n
            ON CONFLICT DO NOTHING"
}

# An id in the order of time, as those of the services are, but of the year before.
OLD_ID="('0190' || lpad(to_hex(n), 28, '0'))::uuid"
OLD_TIME="now() - interval '1 year' + n * interval '1 ms'"

# old_bookings FROM TO: reservations that expired, with their items and history, of users in no order.
old_bookings() {
    stack_sql booking_db "INSERT INTO reservations (id, user_id, session_id, status, revision, expiry_time, seats_count, total_minor, currency,
                booking_time, created_at, updated_at)
            SELECT $OLD_ID, gen_random_uuid(), '$SESSION', 'expired', 2, $OLD_TIME, 1, 8000, 'EUR', $OLD_TIME, $OLD_TIME, $OLD_TIME
            FROM generate_series($1, $2) AS n;
        INSERT INTO reservation_items (reservation_id, item_no, id, session_seat_id, row_number, seat_number, price_minor, final_minor)
            SELECT $OLD_ID, 1, $OLD_ID, $OLD_ID, '1', '1', 8000, 8000 FROM generate_series($1, $2) AS n;
        INSERT INTO reservation_history (reservation_id, revision, to_status, actor, at)
            SELECT $OLD_ID, revision, CASE revision WHEN 1 THEN 'active' ELSE 'expired' END::reservation_status, 'system', $OLD_TIME
            FROM generate_series($1, $2) AS n, generate_series(1, 2) AS revision"
}

old_holds() {
    stack_sql event_service "INSERT INTO holds (session_id, reservation_id, state, reserved_until, session_seat_ids)
        SELECT ('0190' || lpad(to_hex(n / 25000), 28, '0'))::uuid, $OLD_ID, 'released', $OLD_TIME, ARRAY[$OLD_ID]
        FROM generate_series($1, $2) AS n"
}

# grow_some FROM TO: these seats and twice as many reservations; both databases fill side by side.
grow_some() {
    local from=$((($1 - 1) * 2 + 1)) to=$(($2 * 2)) booking bad=0
    old_bookings "$from" "$to" &
    booking=$!
    old_seats "$1" "$2" && old_holds "$from" "$to" || bad=1
    wait "$booking" && [ "$bad" = 0 ]
}

# grow SEATS: so many old seats and twice as many old reservations. What filling leaves to do (statistics, hint bits, pages to
# write) is done before anything is measured.
grow() {
    local from to
    for ((from = 1; from <= $1; from = to + 1)); do
        to=$((from + 249999 < $1 ? from + 249999 : $1))
        grow_some "$from" "$to" || return 1
    done
    grown
}

grown() {
    stack_sql booking_db 'VACUUM ANALYZE reservations, reservation_items, reservation_history' &&
        stack_sql event_service 'VACUUM ANALYZE session_seats, session_versions, holds' && postgres_psql -c CHECKPOINT
}

# growth_step NAME SEATS: W3 with so many more seats in the tables.
growth_step() {
    fresh_stack && rm -f "$OUT/answers.txt" "$OUT/$1.runs" && put_on_sale "$GROWTH_SALE" 50000 && grow "$2" || return 1
    # shellcheck disable=SC2034 # bench/lib/load.sh reads it
    SEATS_NEEDED=0
    SECONDS_EACH=$GROWTH_SECONDS WARMUP=1 repeat_sales "$1" created_per_s reservations/s --workload reserve || return 1
    add "$1" "{\"old_seats\": $2, \"old_reservations\": $(($2 * 2))}"
}

# The first step is repeated at the end, and its two figures averaged: the machine's own drift is not growth.
measure_G1() {
    local seats
    for seats in 1000 100000 1000000 5000000; do
        growth_step "G1_$seats" "$(portion "$seats" "$SCALE")" && check || return 1
    done
    growth_step G1_again 1000 || return 1
    jq -n --slurpfile first "$OUT/G1_1000.json" --slurpfile again "$OUT/G1_again.json" --slurpfile last "$OUT/G1_5000000.json" '
        def slower($rate): (($first[0].median + $again[0].median) / 2 / $rate - 1) * 100;
        {median: slower($last[0].median), worst: slower($last[0].worst), unit: "% slower"}' >"$OUT/G1.json"
}
