# shellcheck shell=bash
# shellcheck disable=SC2154 # PG_BIN is the stack's
# The checker itself: it sees every kind of divergence, and none where there is none

# Damage is done to copies of both databases, so that nothing of the stack's own can mend it, or suffer.
SCRATCH_EVENT=verify_event SCRATCH_BOOKING=verify_booking

scratch_url() { echo "${EVENT_DATABASE_URL%/*}/$1"; }
scratch_event_sql() { psql -XAtq -v ON_ERROR_STOP=1 "$(scratch_url $SCRATCH_EVENT)" -c "$1"; }
scratch_booking_sql() { psql -XAtq -v ON_ERROR_STOP=1 "$(scratch_url $SCRATCH_BOOKING)" -c "$1"; }

# copy_database URL NAME: NAME_clean is its copy, as it is now. The two are copied at different moments, so each forgets
# what it remembers of the other, or they would not belong together.
copy_database() {
    PGOPTIONS="-c client_min_messages=warning" postgres_psql -c "DROP DATABASE IF EXISTS $2_clean" -c "CREATE DATABASE $2_clean OWNER $POSTGRES_USER" >/dev/null &&
        "$PG_BIN/pg_dump" "$1" | psql -XAtq -v ON_ERROR_STOP=1 "$(scratch_url "$2_clean")" >/dev/null &&
        psql -XAtq -v ON_ERROR_STOP=1 "$(scratch_url "$2_clean")" \
            -c "UPDATE lineage SET peer_system_id = NULL, peer_epoch = 0"
}

heal() {
    local name
    for name in $SCRATCH_EVENT $SCRATCH_BOOKING; do
        PGOPTIONS="-c client_min_messages=warning" postgres_psql -c "DROP DATABASE IF EXISTS $name" \
            -c "CREATE DATABASE $name TEMPLATE ${name}_clean OWNER $POSTGRES_USER" >/dev/null
    done
}

verify_scratch() { # [OPTION…] → status in VERDICT, text in $WORK/verify
    DATABASE_URL=$(scratch_url $SCRATCH_BOOKING) EVENT_DATABASE_URL=$(scratch_url $SCRATCH_EVENT) \
        deploy/verify.sh --grace 0 "$@" >"$WORK/verify" 2>&1
    VERDICT=$?
}

verify_stack() {
    DATABASE_URL=$BOOKING_DATABASE_URL EVENT_DATABASE_URL=$EVENT_DATABASE_URL deploy/verify.sh "$@" >"$WORK/verify" 2>&1
    VERDICT=$?
}

something_of_every_kind() {
    open_session 3 5
    SELLER=$(uuid)
    take 2
    reserve "$SELLER" "${TAKEN[@]}"
    expect_status 201
    CONFIRMED=$RESERVATION_ID SOLD_SEAT=${TAKEN[0]}
    confirm "$SELLER" "$CONFIRMED"
    expect_status 200
    take 2
    reserve "$SELLER" "${TAKEN[@]}"
    ACTIVE=$RESERVATION_ID
    take 1
    reserve "$SELLER" "${TAKEN[@]}"
    CANCELLED=$RESERVATION_ID
    cancel "$SELLER" "$CANCELLED"
    expect_status 200
    FREE_SEAT=${SEATS[0]}
    settle
    copy_database "$EVENT_DATABASE_URL" $SCRATCH_EVENT
    copy_database "$BOOKING_DATABASE_URL" $SCRATCH_BOOKING
    heal
}

agrees() {
    verify_scratch
    expect "status" "$VERDICT" 0
    expect_match "summary" "$(tail -n 1 "$WORK/verify")" '[1-9][0-9]* reservations, [1-9][0-9]* taken seats.*: both databases agree$'
    expect "lines" "$(wc -l <"$WORK/verify")" 1
}

# sees KIND WHAT=ID: after the damage, verify names both on one line, and the kind in its summary.
sees() {
    verify_scratch
    expect "status" "$VERDICT" 1
    ASSERTIONS=$((ASSERTIONS + 1))
    grep -q "^$1 $2" "$WORK/verify" || fail "no line \"$1 $2\" in:" "$(cat "$WORK/verify")"
    expect "in the summary" "$(grep -c "^ *[0-9]* $1: " "$WORK/verify")" 1
    heal
}

event_damage() { # KIND WHAT=ID SQL
    scratch_event_sql "$3"
    sees "$1" "$2"
}

booking_damage() { # KIND WHAT=ID SQL
    scratch_booking_sql "$3"
    sees "$1" "$2"
}

orphaned() {
    scratch_event_sql "UPDATE holds SET reserved_until = now() - interval '1 hour' WHERE reservation_id = '$ACTIVE'"
    scratch_booking_sql "DELETE FROM reservation_items WHERE reservation_id = '$ACTIVE'; DELETE FROM reservations WHERE id = '$ACTIVE'"
    sees orphan_hold "reservation=$ACTIVE"
}

young_hold_is_no_orphan() {
    scratch_booking_sql "DELETE FROM reservation_items WHERE reservation_id = '$ACTIVE'; DELETE FROM reservations WHERE id = '$ACTIVE'"
    verify_scratch
    expect "status" "$VERDICT" 0
    heal
}

swapped_owner() {
    scratch_event_sql "UPDATE session_seats SET reservation_id = '$ACTIVE', status = 'reserved' WHERE session_seat_id = '$SOLD_SEAT'"
    verify_scratch
    expect "both sides" "$(grep -c "^hold_and_seats_differ reservation=\($ACTIVE\|$CONFIRMED\)" "$WORK/verify")" 2
    heal
}

limit_is_kept() {
    scratch_booking_sql "UPDATE reservations SET total_minor = total_minor + 1"
    verify_scratch --limit 2
    expect "status" "$VERDICT" 1
    expect "lines" "$(grep -c ' reservation=' "$WORK/verify")" 2
    expect_match "the rest" "$(grep '^\.\.\.' "$WORK/verify")" 'and [1-9][0-9]* more'
    heal
}

cannot_tell() {
    DATABASE_URL=$BOOKING_DATABASE_URL EVENT_DATABASE_URL=postgresql://127.0.0.1:1/none deploy/verify.sh >"$WORK/verify" 2>&1
    expect "status without a database" $? 2
    deploy/verify.sh --limit few >"$WORK/verify" 2>&1
    expect "status of a bad option" $? 2
}

# Sales go on in all the ways there are, and verify finds nothing to complain about.
agrees_while_selling() {
    local seat volley round
    open_session 20 10
    volley_open
    for seat in "${SEATS[@]}"; do
        volley_add POST "$BOOKING_URL/api/v1/reservations" "$(uuid)" "$(reservation_json "$seat")"
    done
    volley_fire 10 &
    volley=$!
    for round in 1 2 3; do
        verify_stack --grace 30
        expect "status of look $round: $(cat "$WORK/verify")" "$VERDICT" 0
    done
    wait "$volley"
    verify_stack --grace 30
    expect "status at the end: $(cat "$WORK/verify")" "$VERDICT" 0
}

gauge() { curl -s "$INSTANCE_URL/metrics" | awk -v name="$1" '$1 == name { print $2 }'; }

audited_by_a_worker() {
    quietly instance_start booking-worker DATABASE_URL="$(scratch_url $SCRATCH_BOOKING)" \
        EVENT_DATABASE_URL="$(scratch_url $SCRATCH_EVENT)" AUDIT_INTERVAL_SECONDS=1 CONSISTENCY_GRACE_SECONDS=1 \
        EVENT_SERVICE_URL=http://127.0.0.1:1 BOOKING_SERVICE_URL=http://127.0.0.1:1 RABBITMQ_URL=amqp://127.0.0.1:1/%2F
    eventually 5 "rounds of the audit" 1 gauge_exists audit_round_seconds
    expect "at first" "$(gauge double_sold_seats) $(gauge stranded_seats) $(gauge orphan_holds) $(gauge outbox_age_seconds)" "0 0 0 0"
}

gauge_exists() { gauge "$1" | grep -c .; }

# A copy of the stack with nobody to mend it: the worker's other jobs cannot reach what they need.
gauges_tell() {
    scratch_event_sql "UPDATE session_seats SET reservation_id = '$ACTIVE', status = 'reserved' WHERE session_seat_id = '$SOLD_SEAT'"
    eventually 10 "double_sold_seats" 1 gauge double_sold_seats
    scratch_event_sql "UPDATE session_seats SET reservation_id = '$CONFIRMED', status = 'sold' WHERE session_seat_id = '$SOLD_SEAT'"
    eventually 10 "double_sold_seats, mended" 0 gauge double_sold_seats
    scratch_booking_sql "UPDATE reservations SET status = 'cancelled' WHERE id = '$ACTIVE'"
    eventually 10 "stranded_seats" 2 gauge stranded_seats
    expect "orphan_holds" "$(gauge orphan_holds)" 0
    scratch_booking_sql "DELETE FROM reservations WHERE id = '$ACTIVE'"
    eventually 10 "stranded_seats before the deadline" 0 gauge stranded_seats
    scratch_event_sql "UPDATE holds SET reserved_until = now() - interval '1 hour' WHERE reservation_id = '$ACTIVE'"
    eventually 10 "orphan_holds" 1 gauge orphan_holds
    expect "stranded_seats" "$(gauge stranded_seats)" 2
    scratch_booking_sql "INSERT INTO outbox VALUES ('$NOBODY', 'reservation.confirmed', '{}', NULL, now() - interval '1 hour')"
    eventually 10 "an hour of outbox_age_seconds" 36 outbox_age_hundreds
    instance_end TERM
    expect "exit status" $? 0
    heal
}

outbox_age_hundreds() { echo $(($(gauge outbox_age_seconds) / 100)); }

leave_no_scratch() {
    local name
    for name in $SCRATCH_EVENT $SCRATCH_BOOKING; do
        postgres_psql -c "DROP DATABASE IF EXISTS $name" -c "DROP DATABASE IF EXISTS ${name}_clean" >/dev/null
    done
    expect "databases left" "$(event_sql "SELECT count(*) FROM pg_database WHERE datname LIKE 'verify%'")" 0
}

if [ "$PRIVATE" = yes ]; then
    check "verify has something of every kind to look at" something_of_every_kind
    check "verify: a healthy pair agrees" agrees
    check "verify sees seats_without_hold" event_damage seats_without_hold "reservation=$CONFIRMED" \
        "DELETE FROM holds WHERE reservation_id = '$CONFIRMED'"
    check "verify sees free_seat_with_owner" event_damage free_seat_with_owner "reservation=$CONFIRMED" \
        "UPDATE session_seats SET status = 'available' WHERE session_seat_id = '$SOLD_SEAT'"
    check "verify sees hold_and_seats_differ" event_damage hold_and_seats_differ "reservation=$CONFIRMED" \
        "UPDATE session_seats SET status = 'available', reservation_id = NULL WHERE session_seat_id = '$SOLD_SEAT'"
    check "verify sees a seat that changed hands, on both sides" swapped_owner
    check "verify sees seat_without_owner" event_damage seat_without_owner "seat=$FREE_SEAT" \
        "UPDATE session_seats SET status = 'sold' WHERE session_seat_id = '$FREE_SEAT'"
    check "verify sees orphan_hold" orphaned
    check "verify: a hold before its deadline is no orphan" young_hold_is_no_orphan
    check "verify sees stranded_seats" booking_damage stranded_seats "reservation=$ACTIVE" \
        "UPDATE reservations SET status = 'cancelled' WHERE id = '$ACTIVE'"
    check "verify sees overdue_hold" booking_damage overdue_hold "reservation=$ACTIVE" \
        "UPDATE reservations SET expiry_time = now() - interval '1 hour' WHERE id = '$ACTIVE'"
    check "verify sees live_without_hold" event_damage live_without_hold "reservation=$ACTIVE" \
        "UPDATE holds SET state = 'released' WHERE reservation_id = '$ACTIVE'"
    check "verify sees sold_unconfirmed" booking_damage sold_unconfirmed "reservation=$CONFIRMED" \
        "UPDATE reservations SET status = 'active' WHERE id = '$CONFIRMED'"
    check "verify sees confirmed_unsold" event_damage confirmed_unsold "reservation=$CONFIRMED" \
        "UPDATE holds SET state = 'held' WHERE reservation_id = '$CONFIRMED'"
    check "verify sees seats_differ" booking_damage seats_differ "reservation=$ACTIVE" \
        "UPDATE reservation_items SET session_seat_id = gen_random_uuid() WHERE reservation_id = '$ACTIVE' AND item_no = 1"
    check "verify sees another session" booking_damage seats_differ "reservation=$ACTIVE" \
        "UPDATE reservations SET session_id = gen_random_uuid() WHERE id = '$ACTIVE'"
    check "verify sees tickets_differ" booking_damage tickets_differ "reservation=$CONFIRMED" \
        "DELETE FROM tickets WHERE session_seat_id = '$SOLD_SEAT'"
    check "verify sees ticket_without_sale" booking_damage ticket_without_sale "reservation=$ACTIVE" \
        "INSERT INTO tickets (id, reservation_id, session_seat_id) SELECT id, reservation_id, session_seat_id
         FROM reservation_items WHERE reservation_id = '$ACTIVE'"
    check "verify sees totals_differ" booking_damage totals_differ "reservation=$ACTIVE" \
        "UPDATE reservations SET total_minor = total_minor + 1 WHERE id = '$ACTIVE'"
    check "verify sees payment_differs" booking_damage payment_differs "reservation=$CONFIRMED" \
        "UPDATE payment_attempts SET amount_minor = 1 WHERE reservation_id = '$CONFIRMED'"
    check "verify sees paid_twice" booking_damage paid_twice "reservation=$CONFIRMED" \
        "INSERT INTO payment_attempts SELECT reservation_id, gen_random_uuid(), payment_id, amount_minor, currency, status
         FROM payment_attempts WHERE reservation_id = '$CONFIRMED'"
    check "verify sees paid_without_sale" booking_damage paid_without_sale "reservation=$CANCELLED" \
        "INSERT INTO payment_attempts VALUES ('$CANCELLED', gen_random_uuid(), gen_random_uuid(), 10000, 'EUR', 'succeeded')"
    check "verify sees stuck_payment" booking_damage stuck_payment "reservation=$ACTIVE" \
        "UPDATE reservations SET status = 'paying' WHERE id = '$ACTIVE'; INSERT INTO payment_attempts VALUES ('$ACTIVE',
         gen_random_uuid(), gen_random_uuid(), 20000, 'EUR', 'pending', now() - interval '1 hour')"
    check "verify sees refund_due" booking_damage refund_due "reservation=$CANCELLED" \
        "INSERT INTO refunds VALUES (gen_random_uuid(), '$CANCELLED', 10000, 'EUR', 'test', now() - interval '1 hour')"
    check "verify sees rows_without_reservation" booking_damage rows_without_reservation "reservation=$NOBODY" \
        "INSERT INTO payment_attempts VALUES ('$NOBODY', gen_random_uuid(), gen_random_uuid(), 10000, 'EUR', 'failed');
         INSERT INTO reservation_items VALUES ('$NOBODY', 1, gen_random_uuid(), gen_random_uuid(), '1', '1', 1, 0, 1)"
    check "verify sees history_differs" booking_damage history_differs "reservation=$CONFIRMED" \
        "DELETE FROM reservation_history WHERE reservation_id = '$CONFIRMED' AND to_status = 'confirmed'"
    check "verify sees seat_booked_twice" booking_damage seat_booked_twice "seat=$SOLD_SEAT" \
        "UPDATE reservation_items SET session_seat_id = '$SOLD_SEAT' WHERE reservation_id = '$ACTIVE' AND item_no = 1"
    check "verify sees two tickets for one seat" booking_damage seat_booked_twice "seat=$SOLD_SEAT" \
        "DROP INDEX tickets_one_per_seat; INSERT INTO tickets SELECT gen_random_uuid(), reservation_id, session_seat_id
         FROM tickets WHERE session_seat_id = '$SOLD_SEAT'"
    check "verify sees old_message" booking_damage old_message "message=$NOBODY" \
        "INSERT INTO outbox VALUES ('$NOBODY', 'reservation.confirmed', '{}', NULL, now() - interval '1 hour')"
    check "verify prints no more than --limit" limit_is_kept
    check "verify: the healthy pair still agrees" agrees
    check "verify: 2 when it cannot be found out" cannot_tell
    check "verify: no false alarm while seats are sold" agrees_while_selling
    check "the worker's audit: gauges of a healthy pair are 0" audited_by_a_worker
    check "the worker's audit: double_sold_seats, stranded_seats, orphan_holds, outbox_age_seconds" gauges_tell
    check "verify leaves nothing behind" leave_no_scratch
else
    skip "verify sees every kind of divergence" "damages copies of the databases; --private does it"
fi
