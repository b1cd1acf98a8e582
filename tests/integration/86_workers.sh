# shellcheck shell=bash
# shellcheck disable=SC2016,SC2034,SC2153 # jq has dollar signs; the library reads RESERVE_URL and sets STATUS
# Workers: one falls asleep over its work and wakes up too late; one comes back to thousands of stale holds

SPY=expiry_spy # a queue that is told of every expiry, too

# booking-svc beside the stack's own, with holds of two seconds. Nobody tidies up after it: the stack's worker is stopped, so the
# search for overdue holds goes on later from where it really stopped, which backdated rows would not show.
without_a_worker() {
    quietly service_stop booking-worker
    quietly instance_start booking-svc RESERVATION_TIMEOUT_SECONDS=2
    SHORT_URL=$INSTANCE_URL
}

back_to_one_worker() {
    instances_stop
    quietly service_start booking-worker
}

# overdue_holds ROWS COLUMNS [FROM NOW]: a new session, each of its seats held by a user of its own and overdue.
overdue_holds() {
    local n=0 seat user
    open_session "$1" "$2" 100.00 "${3:-30 days}"
    HOLDS=${#SEATS[@]}
    volley_open
    for seat in "${SEATS[@]}"; do
        n=$((n + 1))
        printf -v user '00000000-0000-4000-8000-%012d' "$n"
        volley_add POST "$SHORT_URL/api/v1/reservations" "$user" \
            "{\"session_id\": \"$SESSION_ID\", \"seats\": [{\"session_seat_id\": \"$seat\"}]}"
    done
    volley_fire 20
    expect "reservations" "$(volley_tally)" "201:$HOLDS"
    eventually 5 "overdue holds" "$HOLDS" overdue_left
}

overdue_left() {
    booking_sql "SELECT count(*) FROM reservations WHERE session_id = '$SESSION_ID' AND status = 'active' AND expiry_time <= now()"
}

expired_by() { # WORKER URL → how many holds it says it expired
    metric "$1" worker_holds_expired_total
}

# Whatever two workers did to HOLDS holds, it was done once: one step of the revision, one row in each trail, one message.
expect_expired_once() {
    expect "expired reservations, revisions" "$(booking_sql "SELECT count(*), min(revision), max(revision) FROM reservations
        WHERE session_id = '$SESSION_ID' AND status = 'expired'")" "$HOLDS|2|2"
    expect "expiries in the history, of so many" "$(booking_sql "SELECT count(*), count(DISTINCT h.reservation_id)
        FROM reservation_history h JOIN reservations r ON r.id = h.reservation_id
        WHERE r.session_id = '$SESSION_ID' AND h.to_status = 'expired'")" "$HOLDS|$HOLDS"
    expect "releases in the seats' trail, of so many" "$(event_sql "SELECT count(*), count(DISTINCT t.reservation_id)
        FROM hold_history t JOIN holds h ON h.reservation_id = t.reservation_id
        WHERE h.session_id = '$SESSION_ID' AND t.to_state = 'released'")" "$HOLDS|$HOLDS"
    eventually 20 "outbox" 0 booking_sql "SELECT count(*) FROM outbox"
    eventually 10 "expiries the broker was told of, of so many" "$HOLDS|$HOLDS" spy_tally
}

expect_verified() {
    have_verify || return 0
    DATABASE_URL=$BOOKING_DATABASE_URL EVENT_DATABASE_URL=$EVENT_DATABASE_URL deploy/verify.sh --grace 10 >"$WORK/verify" 2>&1
    expect "verify: $(cat "$WORK/verify")" $? 0
}

# --- the spy ----------------------------------------------------------------------------------------------------------

spy_open() {
    : >"$WORK/spied"
    broker PUT "queues/%2F/$SPY" '{"durable": false}' >"$WORK/spy"
    broker POST "bindings/%2F/e/$BROKER_EXCHANGE/q/$SPY" '{"routing_key": "reservation.expired"}' >"$WORK/spy"
}

# A message may come twice, two messages about one hold may not: counted are distinct ids, and distinct reservations.
spy_tally() {
    broker POST "queues/%2F/$SPY/get" '{"count": 5000, "ackmode": "ack_requeue_false", "encoding": "auto"}' |
        jq -r --arg session "$SESSION_ID" '.[].payload | fromjson | select(.data.session_id == $session) |
            .event_id + " " + .data.reservation_id' >>"$WORK/spied"
    echo "$(cut -d ' ' -f 1 "$WORK/spied" | sort -u | wc -l)|$(cut -d ' ' -f 2 "$WORK/spied" | sort -u | wc -l)"
}

spy_close() {
    broker DELETE "queues/%2F/$SPY" >"$WORK/spy"
}

# --- asleep in the middle of a batch ----------------------------------------------------------------------------------

# While the gate is shut a batch gets as far as its history rows: it has claimed its reservations and cannot commit. The gate
# is a transaction that wrote these rows and will not commit either.
gate_shut() {
    local answer
    coproc GATE { psql -XAtq "$BOOKING_DATABASE_URL" 2>&1; }
    echo "BEGIN; INSERT INTO reservation_history (reservation_id, revision, to_status, actor)
        SELECT id, 2, 'expired', 'gate' FROM reservations WHERE session_id = '$SESSION_ID'; SELECT 'shut';" >&"${GATE[1]}"
    read -r -t 60 answer <&"${GATE[0]}"
    expect "the gate" "$answer" shut
}

gate_open() {
    local pid=$GATE_PID
    echo '\q' >&"${GATE[1]}"
    wait "$pid"
}

batch_at_gate() { # WORKER → the Postgres backend of its batch, when it stands there
    booking_sql "SELECT pid FROM pg_stat_activity WHERE application_name = '$1' AND wait_event_type = 'Lock'
        AND query LIKE '%hold expired%'"
}

batches_at_gate() {
    echo "$(batch_at_gate sleeper | wc -l) $(batch_at_gate wakeful | wc -l)"
}

backend_state() { # PID → text, empty when it is gone
    booking_sql "SELECT state FROM pg_stat_activity WHERE pid = $1"
}

# One thread takes the signal and tells the others: on a busy machine a job's thread may work on for milliseconds.
put_to_sleep() { # PID
    kill -s STOP "$1"
    eventually 5 "states of its threads" T thread_states "$1"
}

thread_states() { # PID
    awk '/^State:/ { print $2 }' "/proc/$1/task"/*/status | sort -u | xargs
}

worker_named() { # NAME
    quietly instance_start booking-worker EXPIRY_BATCH_SIZE=40 DATABASE_URL="$BOOKING_DATABASE_URL?application_name=$1"
}

runs_of_expiry() { # WORKER URL
    get "$1/health"
    json .jobs.expire_holds.runs
}

a_run_more() { # WORKER URL RUNS
    [ "$(runs_of_expiry "$1")" -gt "$2" ] && echo yes
}

asleep_in_a_batch() {
    local sleeper wakeful sleeper_pid backend runs
    overdue_holds 20 20
    spy_open
    gate_shut
    worker_named sleeper
    sleeper=$INSTANCE_URL sleeper_pid=$INSTANCE_PID
    runs=$(runs_of_expiry "$sleeper")
    worker_named wakeful
    wakeful=$INSTANCE_URL
    eventually 15 "batches of both under way" "1 1" batches_at_gate
    backend=$(batch_at_gate sleeper)
    put_to_sleep "$sleeper_pid"
    gate_open
    eventually 4 "the sleeper's transaction" "idle in transaction" backend_state "$backend"
    expect_between "holds still in its hands" "$(overdue_left)" 1 "$HOLDS"
    eventually 15 "overdue holds" 0 overdue_left
    expect "the sleeper's connection" "$(backend_state "$backend")" ""
    eventually 10 "seats" "$HOLDS" seats_with_status "$SESSION_ID" available
    take 3
    reserve "$(uuid)" "${TAKEN[@]}"
    expect_status 201
    kill -s CONT "$sleeper_pid"
    eventually 15 "a run of the sleeper after it woke up" yes a_run_more "$sleeper" "$runs"
    expect "holds expired by sleeper and wakeful" "$(expired_by "$sleeper") $(expired_by "$wakeful")" "0 $HOLDS"
    expect "seats of the one who came next" "$(event_sql "SELECT count(*) FROM session_seats WHERE session_id = '$SESSION_ID'
        AND status = 'reserved' AND reservation_id = '$RESERVATION_ID'")" 3
    expect_expired_once
    expect "free seats" "$(seats_with_status "$SESSION_ID" available)" $((HOLDS - 3))
    spy_close
    expect_verified
}

# --- asleep after the commit ------------------------------------------------------------------------------------------

release_answered() { # EVENT-SVC URL → yes when it released something, or found nothing left to release
    curl -sS --max-time 5 "$1/metrics" |
        awk '/^http_requests_total.*seats\/release-batch.*2xx/ && $2 > 0 { print "yes" }'
}

# An event-svc of its own sleeps with the call in its ears, so the worker sleeps between its commit and the end of its release.
# Both wake up when the seats have long been released by others and are somebody else's.
released_too_late() {
    local event event_pid sleeper_pid n owners=
    overdue_holds 4 10
    spy_open
    quietly instance_start event-svc
    event=$INSTANCE_URL event_pid=$INSTANCE_PID
    put_to_sleep "$event_pid"
    quietly instance_start booking-worker EVENT_SERVICE_URL="$event"
    sleeper_pid=$INSTANCE_PID
    eventually 5 "holds the sleeper expired" "$HOLDS" expired_by "$INSTANCE_URL"
    put_to_sleep "$sleeper_pid"
    quietly instance_start booking-worker
    eventually 30 "seats" "$HOLDS" seats_with_status "$SESSION_ID" available
    for n in 1 2 3 4; do
        take 10
        # The sleeper did not remove its holds' locks; those end by themselves.
        eventually 15 "who comes next" 201 reserve_status "$(uuid)" "${TAKEN[@]}"
        owners+="${owners:+, }'$(json .id)'"
    done
    kill -s CONT "$sleeper_pid"
    kill -s CONT "$event_pid"
    eventually 10 "a late release" yes release_answered "$event"
    expect "seats of those who came next" "$(event_sql "SELECT count(*) FROM session_seats WHERE session_id = '$SESSION_ID'
        AND status = 'reserved' AND reservation_id IN ($owners)")" "$HOLDS"
    expect_expired_once
    spy_close
    expect_verified
}

# --- thousands of stale holds -----------------------------------------------------------------------------------------

too_late_without_a_worker() {
    local user
    open_session 1 2
    take 1
    user=$(uuid)
    RESERVE_URL=$SHORT_URL reserve "$user" "${TAKEN[0]}"
    expect_status 201
    eventually 4 "overdue holds" 1 overdue_left
    confirm "$user" "$RESERVATION_ID"
    expect_problem 410 hold_expired
    expect "reservation, seat" "$(reservation_status "$RESERVATION_ID") $(seat_status "${TAKEN[0]}")" "active reserved"
}

sell_one() { # leaves SLOWEST, of a reservation and its confirmation
    local user began took
    user=$(uuid) began=$(now_ms)
    reserve "$user" "$1"
    expect_status 201
    confirm "$user" "$RESERVATION_ID"
    expect_status 200
    took=$(($(now_ms) - began))
    [ "$took" -le "$SLOWEST" ] || SLOWEST=$took
}

look_at_health() { # WORKER URL: leaves SLOWEST_LOOK
    local began took
    began=$(now_ms)
    get "$1/health"
    expect_status 200
    took=$(($(now_ms) - began))
    [ "$took" -le "$SLOWEST_LOOK" ] || SLOWEST_LOOK=$took
}

# Small batches make the backlog last long enough for something to be sold meanwhile, and for a hold of a session that begins
# sooner to become overdue.
a_backlog_is_worked_off() {
    local sale stale seats newcomer sold=0
    open_session 10 10 100.00 '2 days'
    seats=("${SEATS[@]}") sale=$SESSION_ID
    overdue_holds 30 100
    stale=$SESSION_ID SLOWEST=0 SLOWEST_LOOK=0
    SESSION_ID=$sale
    RESERVE_URL=$SHORT_URL reserve "$(uuid)" "${seats[99]}"
    expect_status 201
    newcomer=$RESERVATION_ID SESSION_ID=$stale
    quietly instance_start booking-worker EXPIRY_BATCH_SIZE=2
    expect_between "stale holds left when the worker answered" "$(overdue_left)" 1 "$HOLDS"
    while [ "$sold" -lt 99 ] && [ "$(overdue_left)" -gt 0 ]; do
        look_at_health "$INSTANCE_URL"
        SESSION_ID=$sale
        sell_one "${seats[sold]}"
        SESSION_ID=$stale
        sold=$((sold + 1))
    done
    expect_between "sold before the backlog was gone" "$sold" 1 99
    expect_between "milliseconds of the slowest sale" "$SLOWEST" 0 $((2000 * PATIENCE))
    expect_between "milliseconds of the slowest look at /health" "$SLOWEST_LOOK" 0 $((1000 * PATIENCE))
    eventually 60 "stale holds" 0 overdue_left
    eventually 10 "seats" "$HOLDS" seats_with_status "$SESSION_ID" available
    expect "expired after a younger one" "$(older_ones_left_behind)" 0
    eventually 5 "the newcomer's seat" available seat_status "${seats[99]}"
    expect "the newcomer did not wait for the backlog" "$(expired_in_between "$newcomer" "$stale")" t
    eventually 20 "sold seats" "$sold" seats_with_status "$sale" sold
    expect_verified
}

# RESERVATION SESSION → t unless the reservation had to wait until all of the session was expired. A backlog that was gone soon
# after the reservation's deadline shows nothing.
expired_in_between() {
    booking_sql "SELECT last.at > h.at OR last.at < r.expiry_time + interval '2 seconds'
        FROM reservations r JOIN reservation_history h ON h.reservation_id = r.id AND h.to_status = 'expired',
            (SELECT max(h.at) AS at FROM reservations r JOIN reservation_history h ON h.reservation_id = r.id
                WHERE r.session_id = '$2' AND h.to_status = 'expired') AS last WHERE r.id = '$1'"
}

# The oldest go first within a session: how many were expired by a later transaction than one whose deadline was later.
older_ones_left_behind() {
    booking_sql "SELECT count(*) FROM (
        SELECT h.at, min(h.at) OVER (ORDER BY r.expiry_time DESC GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS younger
        FROM reservations r JOIN reservation_history h ON h.reservation_id = r.id AND h.to_status = 'expired'
        WHERE r.session_id = '$SESSION_ID') AS expiries WHERE at > younger"
}

# --- soonest session first --------------------------------------------------------------------------------------------

# FIRST THEN → how many holds of THEN were expired by an earlier transaction than the last one of FIRST
ahead_of() {
    booking_sql "SELECT count(*) FROM reservations r JOIN reservation_history h ON h.reservation_id = r.id
        WHERE r.session_id = '$2' AND h.to_status = 'expired' AND h.at < (SELECT max(h.at) FROM reservations r
            JOIN reservation_history h ON h.reservation_id = r.id WHERE r.session_id = '$1' AND h.to_status = 'expired')"
}

overdue_in() { # SESSION…
    local list
    list=$(printf ",'%s'" "$@")
    booking_sql "SELECT count(*) FROM reservations WHERE session_id IN (${list#,}) AND status = 'active'"
}

# The later a session begins the older are its holds, and the oldest are of one that has begun.
soonest_session_first() {
    local begun late middle soon
    overdue_holds 10 20 '1 day'
    begun=$SESSION_ID
    event_sql "UPDATE sessions SET start_time = now() - interval '1 hour' WHERE session_id = '$begun'"
    overdue_holds 10 20 '40 days'
    late=$SESSION_ID
    overdue_holds 10 20 '20 days'
    middle=$SESSION_ID
    overdue_holds 10 20 '2 days'
    soon=$SESSION_ID
    quietly instance_start booking-worker EXPIRY_BATCH_SIZE=50
    eventually 30 "overdue holds" 0 overdue_in "$begun" "$late" "$middle" "$soon"
    expect "holds expired ahead of a session that begins sooner" \
        "$(ahead_of "$soon" "$middle") $(ahead_of "$middle" "$late") $(ahead_of "$late" "$begun")" "0 0 0"
    expect_between "holds of the last session expired after the first" "$(ahead_of "$begun" "$soon")" 150 200
    eventually 10 "seats" 200 seats_with_status "$begun" available
    expect_verified
}

# Two workers that put the same backlog into the same order: each skips what the other has in hand.
soonest_session_first_with_two() {
    overdue_holds 10 40 '40 days'
    local late=$SESSION_ID
    overdue_holds 10 40 '2 days'
    local soon=$SESSION_ID first
    spy_open
    quietly instance_start booking-worker EXPIRY_BATCH_SIZE=5
    first=$INSTANCE_URL
    quietly instance_start booking-worker EXPIRY_BATCH_SIZE=5
    eventually 30 "overdue holds" 0 overdue_in "$late" "$soon"
    eventually 5 "holds expired by both, who count after they have committed" 800 expired_by_both "$first" "$INSTANCE_URL"
    expect_expired_once
    spy_close
    expect_verified
}

expired_by_both() { echo $(($(expired_by "$1") + $(expired_by "$2"))); }

# Without event-svc nobody knows: the oldest go first, and the messages free the seats.
oldest_first_without_event_svc() {
    local late soon
    overdue_holds 10 20 '40 days'
    late=$SESSION_ID
    overdue_holds 10 20 '2 days'
    soon=$SESSION_ID
    quietly instance_start booking-worker EXPIRY_BATCH_SIZE=50 EVENT_SERVICE_URL="http://127.0.0.1:$(free_port)"
    eventually 30 "overdue holds" 0 overdue_in "$late" "$soon"
    expect "holds expired ahead of older ones" "$(ahead_of "$late" "$soon")" 0
    eventually 20 "seats of both" "200 200" free_in_both "$late" "$soon"
    expect_verified
}

# --- a damaged row ----------------------------------------------------------------------------------------------------

# Its message says no seats and waits for a person; the seats come back by the release, and nobody else waits for anything.
damaged_row_stops_nobody() {
    local expired user letter
    overdue_holds 2 5
    expired=$(booking_sql "SELECT id FROM reservations WHERE session_id = '$SESSION_ID' ORDER BY expiry_time LIMIT 1")
    booking_sql "DELETE FROM reservation_items WHERE reservation_id = '$expired'"
    quietly instance_start booking-worker
    eventually 30 "overdue holds" 0 overdue_left
    eventually 30 "seats" "$HOLDS" seats_with_status "$SESSION_ID" available
    user=$(uuid)
    take 1
    eventually 15 "who comes next" 201 reserve_status "$user" "${TAKEN[0]}"
    RESERVATION_ID=$(json .id)
    booking_sql "DELETE FROM reservation_items WHERE reservation_id = '$RESERVATION_ID'"
    cancel "$user" "$RESERVATION_ID"
    expect_status 200
    for letter in "$expired" "$RESERVATION_ID"; do
        eventually 60 "dead letter" yes has_letter_about "$letter"
        dead_letters DELETE "/$(letter_about "$letter")" >"$WORK/letter"
        booking_sql "DELETE FROM reservations WHERE id = '$letter'; DELETE FROM reservation_history WHERE reservation_id = '$letter'"
    done
    expect_verified
}

free_in_both() { echo "$(seats_with_status "$1" available) $(seats_with_status "$2" available)"; }

if [ "$PRIVATE" = yes ]; then
    without_a_worker
    check "two workers, one asleep in a batch until its claim is gone: each hold expires once" asleep_in_a_batch
    back_to_one_worker
    without_a_worker
    check "a worker asleep after its commit releases too late: the seats stay with who came next" released_too_late
    back_to_one_worker
    without_a_worker
    check "no worker: an overdue hold cannot be confirmed all the same" too_late_without_a_worker
    check "3,000 stale holds: the worker answers at once, oldest first, sales go on, all seats come back" a_backlog_is_worked_off
    back_to_one_worker
    without_a_worker
    check "stale holds of four sessions: the soonest session first, the one that has begun last" soonest_session_first
    back_to_one_worker
    without_a_worker
    check "two workers, two sessions: each hold expires once" soonest_session_first_with_two
    back_to_one_worker
    without_a_worker
    check "stale holds of two sessions, event-svc away: the oldest first" oldest_first_without_event_svc
    back_to_one_worker
    without_a_worker
    check "reservations that lost their items: a dead letter each, nobody else is held up" damaged_row_stops_nobody
    back_to_one_worker
else
    skip "workers that sleep or were away" "breaks parts of the stack; --private does it"
fi
