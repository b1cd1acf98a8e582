# shellcheck shell=bash
# shellcheck disable=SC2016 # jq has dollar signs
# At the end: both databases tell the same story

everything_is_delivered() {
    eventually 10 "outbox" 0 booking_sql "SELECT count(*) FROM outbox"
    eventually 10 "payments under way" 0 booking_sql "SELECT count(*) FROM reservations WHERE status = 'paying'"
    expect "dead letters" "$(dead_letter_count)" 0
}

sold_is_confirmed() {
    event_sql "SELECT reservation_id, session_seat_id FROM session_seats WHERE status = 'sold'" | sort >"$WORK/sold"
    booking_sql "SELECT t.reservation_id, t.session_seat_id FROM tickets t JOIN reservations r ON r.id = t.reservation_id
        WHERE r.status = 'confirmed' AND t.status <> 'refunded'" | sort >"$WORK/ticketed"
    expect "sold seats, against tickets" "$(diff "$WORK/sold" "$WORK/ticketed" | head -n 20)" ""
    expect "tickets of reservations that are not confirmed" "$(booking_sql "SELECT count(*) FROM tickets t
        JOIN reservations r ON r.id = t.reservation_id WHERE r.status NOT IN ('confirmed', 'refunded')")" 0
    expect "confirmed items without a ticket" "$(booking_sql "SELECT count(*) FROM reservation_items i
        JOIN reservations r ON r.id = i.reservation_id AND r.status = 'confirmed'
        LEFT JOIN tickets t ON t.session_seat_id = i.session_seat_id AND t.reservation_id = r.id WHERE t.id IS NULL")" 0
}

reserved_is_active() {
    event_sql "SELECT reservation_id, session_seat_id FROM session_seats WHERE status = 'reserved'" | sort >"$WORK/reserved"
    booking_sql "SELECT r.id, i.session_seat_id FROM reservations r JOIN reservation_items i ON i.reservation_id = r.id
        WHERE r.status = 'active' AND r.expiry_time > now()" | sort >"$WORK/active"
    expect "reserved seats, against live reservations" "$(diff "$WORK/reserved" "$WORK/active" | head -n 20)" ""
}

free_is_nobodys() {
    expect "available seats with an owner" "$(event_sql "SELECT count(*) FROM session_seats
        WHERE status = 'available' AND reservation_id IS NOT NULL")" 0
    expect "taken seats without an owner" "$(event_sql "SELECT count(*) FROM session_seats
        WHERE status IN ('reserved', 'sold') AND reservation_id IS NULL")" 0
}

money_adds_up() {
    expect "totals that are not the sum of their items" "$(booking_sql "SELECT count(*) FROM reservations r
        WHERE seats_count > 0 AND total_minor <> (SELECT sum(final_minor) FROM reservation_items i WHERE i.reservation_id = r.id)")" 0
    expect "confirmed reservations without exactly one successful payment" "$(booking_sql "SELECT count(*) FROM reservations r
        WHERE status = 'confirmed' AND (SELECT count(*) FROM payment_attempts p WHERE p.reservation_id = r.id
            AND p.status = 'succeeded' AND p.amount_minor = r.total_minor) <> 1")" 0
    expect "successful payments of reservations that are not confirmed" "$(booking_sql "SELECT count(*) FROM payment_attempts p
        JOIN reservations r ON r.id = p.reservation_id WHERE p.status = 'succeeded' AND r.status NOT IN ('confirmed', 'refunded')")" 0
}

history_is_complete() {
    expect "reservations whose history does not end in their state" "$(booking_sql "SELECT count(*) FROM reservations r
        LEFT JOIN reservation_history h ON h.reservation_id = r.id AND h.revision = r.revision
        WHERE r.seats_count > 0 AND h.to_status IS DISTINCT FROM r.status")" 0
}

check "everything is delivered: outbox empty, nothing paying, no dead letters" everything_is_delivered
check "sold seats are exactly the tickets of confirmed reservations" sold_is_confirmed
check "reserved seats are exactly those of live reservations" reserved_is_active
check "free seats belong to nobody, taken ones to somebody" free_is_nobodys
check "money adds up: items, totals, payments" money_adds_up
check "every reservation's history ends in its state" history_is_complete
