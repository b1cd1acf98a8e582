# shellcheck shell=bash
# Does what was measured count? Run after the last load of a workload, over everything this stack has done.

outbox_empty() { [ "$(stack_sql booking_db 'SELECT count(*) FROM outbox')" = 0 ]; }
queue_empty() { [ "$(rabbitmq_api 'queues/%2F/event_service_queue' | jq '.messages // 0')" = 0 ]; }

confirmations_arrived() {
    [ "$(stack_sql booking_db "SELECT count(*) FROM reservations WHERE status = 'confirmed'")" = \
        "$(stack_sql event_service "SELECT count(*) FROM holds WHERE state = 'sold'")" ]
}

settle() {
    wait_for 120 outbox_empty && wait_for 60 confirmations_arrived && return 0
    complain "$(stack_sql booking_db 'SELECT count(*) FROM outbox') messages in the outbox, $(stack_sql booking_db \
        "SELECT count(*) FROM reservations WHERE status = 'confirmed'") confirmed, $(stack_sql event_service \
        "SELECT count(*) FROM holds WHERE state = 'sold'") sold: the sales do not arrive"
    return 1
}

# expect NAME FILE: complains and fails when the file has a line.
expect_nothing() {
    [ ! -s "$2" ] || {
        complain "$1: $(wc -l <"$2"), the first is $(head -n 1 "$2")"
        return 1
    }
}

dump_both_sides() {
    stack_sql event_service "SELECT session_seat_id, reservation_id, status FROM session_seats WHERE status <> 'available'" |
        sort >"$OUT/held.txt"
    stack_sql booking_db "SELECT i.session_seat_id, i.reservation_id, CASE r.status WHEN 'confirmed' THEN 'sold' ELSE 'reserved' END
        FROM reservations r JOIN reservation_items i ON i.reservation_id = r.id WHERE r.status IN ('active', 'paying', 'confirmed')" |
        sort >"$OUT/booked.txt"
    stack_sql booking_db "SELECT session_seat_id, reservation_id, 'sold' FROM tickets WHERE status <> 'refunded'" |
        sort >"$OUT/tickets.txt"
    stack_sql booking_db "SELECT 'created ' || id FROM reservations WHERE created_at > now() - interval '1 day' UNION ALL
        SELECT 'confirmed ' || id FROM reservations WHERE status = 'confirmed'" | sort >"$OUT/stored.txt"
}

# check: fails, and says why, when a seat has two owners, an answer is not in the database, the two databases disagree, or
# the sold seats are not the tickets.
check() {
    export LC_ALL=C
    settle && dump_both_sides || return 1
    touch "$OUT/answers.txt"
    cut -d'|' -f1 "$OUT/booked.txt" | uniq -d >"$OUT/twice.txt"
    sort "$OUT/answers.txt" | comm -23 - "$OUT/stored.txt" >"$OUT/unstored.txt"
    comm -3 "$OUT/held.txt" "$OUT/booked.txt" >"$OUT/disagree.txt"
    grep 'sold$' "$OUT/held.txt" | comm -3 - "$OUT/tickets.txt" >"$OUT/untrue.txt" || true
    expect_nothing "seats with two owners" "$OUT/twice.txt" &&
        expect_nothing "answers that are not in the database" "$OUT/unstored.txt" &&
        expect_nothing "seats on which the databases disagree" "$OUT/disagree.txt" &&
        expect_nothing "sold seats without a ticket, or the reverse" "$OUT/untrue.txt" &&
        good "checked: $(wc -l <"$OUT/booked.txt") seats held, $(wc -l <"$OUT/tickets.txt") sold, $(wc -l <"$OUT/answers.txt") answers stored"
}
