# shellcheck shell=bash
# shellcheck disable=SC2034 # the harness reads what is set here
# At the end: both databases tell the same story

everything_is_delivered() {
    eventually 10 "outbox" 0 booking_sql "SELECT count(*) FROM outbox"
    eventually 10 "payments under way" 0 booking_sql "SELECT count(*) FROM reservations WHERE status = 'paying'"
    expect "dead letters" "$(dead_letter_count)" 0
}

# verify compares everything; what follows it are the two promises that matter most, in words of their own, in case it errs.
verify_agrees() {
    DATABASE_URL=$BOOKING_DATABASE_URL EVENT_DATABASE_URL=$EVENT_DATABASE_URL deploy/verify.sh --grace 10 >"$WORK/verify" 2>&1
    expect "verify: $(cat "$WORK/verify")" $? 0
}

sold_is_confirmed() { eventually 10 "sold seats, against tickets" "" sold_unlike_tickets; }

sold_unlike_tickets() {
    event_sql "SELECT reservation_id, session_seat_id FROM session_seats WHERE status = 'sold'" | sort >"$WORK/sold"
    booking_sql "SELECT t.reservation_id, t.session_seat_id FROM tickets t JOIN reservations r ON r.id = t.reservation_id
        WHERE r.status = 'confirmed' AND t.status <> 'refunded'" | sort >"$WORK/ticketed"
    diff "$WORK/sold" "$WORK/ticketed" | head -n 20
}

reserved_is_active() { eventually 10 "reserved seats, against live reservations" "" reserved_unlike_live; }

reserved_unlike_live() {
    event_sql "SELECT reservation_id, session_seat_id FROM session_seats WHERE status = 'reserved'" | sort >"$WORK/reserved"
    booking_sql "SELECT r.id, i.session_seat_id FROM reservations r JOIN reservation_items i ON i.reservation_id = r.id
        WHERE r.status = 'active' AND r.expiry_time > now()" | sort >"$WORK/active"
    diff "$WORK/reserved" "$WORK/active" | head -n 20
}

check "everything is delivered: outbox empty, nothing paying, no dead letters" everything_is_delivered
if have_verify; then
    check "verify: seats, holds, reservations, tickets, money and messages agree" verify_agrees
else
    skip "verify over both databases" "the program is not built here"
fi
check "sold seats are exactly the tickets of confirmed reservations" sold_is_confirmed
check "reserved seats are exactly those of live reservations" reserved_is_active
