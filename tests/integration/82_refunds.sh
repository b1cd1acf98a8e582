# shellcheck shell=bash
# shellcheck disable=SC2016 # jq has dollar signs
# The last line of defence: a seat that has a ticket already is not sold again, and the money goes back

# What no request can bring about is brought about by hand: somebody else's ticket for a held seat.
ticket_of_a_stranger() { # SEAT
    STRANGER=$(uuid)
    booking_sql "INSERT INTO tickets (id, reservation_id, session_seat_id) VALUES ('$STRANGER', '$STRANGER', '$1')"
}

remove_stranger() { booking_sql "DELETE FROM tickets WHERE id = '$STRANGER'"; }

counter() { curl -s "$BOOKING_URL/metrics" | awk -v name="$1" '$1 == name { print $2 }'; }

refund_state() { # RESERVATION
    booking_sql "SELECT r.status, a.status, f.amount_minor = r.total_minor, f.refunded_at IS NOT NULL FROM reservations r
        JOIN payment_attempts a ON a.reservation_id = r.id JOIN refunds f ON f.attempt_id = a.id WHERE r.id = '$1'"
}

paid_for_a_seat_with_a_ticket() {
    local user owed
    open_session 2 5
    user=$(uuid)
    take 2
    reserve "$user" "${TAKEN[@]}"
    expect_status 201
    LOST=$RESERVATION_ID
    owed=$(counter refunds_owed_total)
    ticket_of_a_stranger "${TAKEN[0]}"
    confirm "$user" "$LOST"
    expect_problem 409 seats_lost
    eventually 5 "reservation, payment, refund" "refunded|succeeded|t|t" refund_state "$LOST"
    expect "refunds_owed_total" "$(counter refunds_owed_total)" $((owed + 1))
    eventually 5 "seats that were held" 10 seats_with_status "$SESSION_ID" available
    expect "tickets" "$(booking_sql "SELECT count(*) FROM tickets WHERE reservation_id = '$LOST'")" 0
    expect "history" "$(booking_sql "SELECT string_agg(to_status::text, ' ' ORDER BY revision) FROM reservation_history
        WHERE reservation_id = '$LOST'")" "active paying refunded"
    reservation "$user" "$LOST"
    expect_json '.status == "refunded"'
    confirm "$user" "$LOST"
    expect_problem 409 wrong_state
    remove_stranger
}

neighbours_in_the_batch_are_sold() {
    local seat user bad
    open_session 2 10
    volley_open
    for seat in "${SEATS[@]}"; do
        user=$(uuid)
        reserve "$user" "$seat"
        expect_status 201
        volley_add POST "$BOOKING_URL/api/v1/reservations/$RESERVATION_ID/confirm" "$user" "{\"payment_id\": \"$ALWAYS_PAYS\"}"
    done
    bad=${SEATS[7]}
    ticket_of_a_stranger "$bad"
    volley_fire 20
    expect "answers" "$(volley_tally)" "200:19 409:1"
    eventually 5 "sold" 19 seats_with_status "$SESSION_ID" sold
    eventually 5 "the one that had a ticket" available seat_status "$bad"
    remove_stranger
}

# booking-svc died, or the provider was away, before the money went back: the worker has it tried again.
the_worker_has_it_tried_again() {
    booking_sql "UPDATE refunds SET refunded_at = NULL, created_at = now() - interval '1 hour' WHERE reservation_id = '$LOST'"
    eventually 15 "reservation, payment, refund" "refunded|succeeded|t|t" refund_state "$LOST"
}

if [ "$PRIVATE" = yes ]; then
    check "paid for a seat that has a ticket: 409, refunded, seats free again, the alarm rings" paid_for_a_seat_with_a_ticket
    check "its neighbours in the batch are sold" neighbours_in_the_batch_are_sold
    check "a refund that is still due is made when the worker asks" the_worker_has_it_tried_again
else
    skip "refunds" "writes into the database by hand; --private does it"
fi
