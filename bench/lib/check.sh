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

# expect_nothing NAME FILE: complains and fails when the file has a line.
expect_nothing() {
    [ ! -s "$2" ] || {
        complain "$1: $(wc -l <"$2"), the first is $(head -n 1 "$2")"
        return 1
    }
}

stored_answers() {
    stack_sql booking_db "SELECT 'created ' || id FROM reservations WHERE created_at > now() - interval '1 day' UNION ALL
        SELECT 'confirmed ' || id FROM reservations WHERE status = 'confirmed'" | sort >"$OUT/stored.txt"
}

databases_agree() {
    DATABASE_URL=$BOOKING_DATABASE_URL EVENT_DATABASE_URL=$EVENT_DATABASE_URL LOG_LEVEL=warning \
        "$ROOT/deploy/verify.sh" --grace 10 --limit 3 >"$OUT/verify.txt" 2>&1 && return 0
    complain "$(tail -n 12 "$OUT/verify.txt")"
    return 1
}

# check: fails, and says why, when an answer is not in the database, or the two databases disagree in any way that verify knows:
# a seat with two owners, sold seats without tickets, money that does not add up.
check() {
    export LC_ALL=C
    settle && databases_agree && stored_answers || return 1
    touch "$OUT/answers.txt"
    sort "$OUT/answers.txt" | comm -23 - "$OUT/stored.txt" >"$OUT/unstored.txt"
    expect_nothing "answers that are not in the database" "$OUT/unstored.txt" &&
        good "checked: $(wc -l <"$OUT/answers.txt") answers stored; $(tail -n 1 "$OUT/verify.txt")"
}
