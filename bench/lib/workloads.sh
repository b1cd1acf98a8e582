# shellcheck shell=bash
# The workloads. One more of them is: a line in `describe`, a function measure_NAME that leaves $OUT/NAME.json, and its place
# in the lists of bench/run.sh.

describe() {
    case $1 in
    W1) echo 'complete bookings: reserve 1-4 seats, confirm, SOLD in event-svc' ;;
    W2) echo 'spike: best-available requests of 1-4 seats, six for each seat, over 5 sessions' ;;
    W4) echo 'the same requests, all for one section of 400 seats' ;;
    W3) echo 'reservations of 1-4 seats' ;;
    W5) echo 'refusals when sold out' ;;
    W6) echo 'seat map of 20,000 seats' ;;
    W7) echo 'expiry of 100,000 holds while selling at half load' ;;
    L1) echo 'latency at 70 % of W1, open loop; L2: confirm to SOLD' ;;
    M1) echo 'memory with 10,000 keep-alive connections' ;;
    R1) echo 'W3 over the same SQL, one transaction per reservation' ;;
    R2) echo 'W3 over W3 with every batch capped at 1' ;;
    overload) echo 'goodput at three times the saturating load: complete bookings, then reservations only' ;;
    sweep) echo 'throughput and latency over load' ;;
    G1) echo 'W3 with ever more rows in the tables' ;;
    *) die "no workload is called $1" ;;
    esac
}

# figures_of NAME: the rows of the summary that this workload makes.
figures_of() {
    case $1 in
    W6) echo W6_304 W6_delta W6_full W6_map ;;
    L1) echo L1 L2 ;;
    R1) echo R1 floor ;;
    R2) echo R2 unbatched ;;
    overload) echo overload overload_W3 ;;
    G1) echo G1_1000 G1_100000 G1_1000000 G1_5000000 G1_again G1 ;;
    *) echo "$1" ;;
    esac
}

# checked NAME: measures, on this stack. Nothing is left of a workload that fails its check, least of all a figure. Workloads
# that share a stack are checked together at the end, by check_all.
checked() {
    forget "$1"
    "measure_$1" && { [ -n "${ONE_STACK:-}" ] || check; } && return 0
    forget "$1"
    return 1
}

# check_all NAME…: of a shared stack; when it fails, no workload has a figure.
check_all() {
    local name
    check && return 0
    for name in "$@"; do
        forget "$name"
    done
    return 1
}

forget() {
    local name
    for name in $(figures_of "$1"); do
        rm -f "$OUT/$name.runs" "$OUT/$name.json"
    done
    case $1 in
    L1) rm -f "$OUT/quantiles.dat" ;;
    sweep) rm -f "$OUT/sweep.dat" ;;
    esac
}

run_workload() {
    local name
    fresh_stack || return 1
    if [ -n "${ONE_STACK:-}" ]; then
        checked "$1"
        return
    fi
    rm -f "$OUT/answers.txt"
    checked "$1" || return 1
    say "mean batch (batches): $(batch_sizes)"
    for name in $(figures_of "$1"); do
        report_row "$name"
    done
}

# enough_seats RATE: on sale for a run at this many reservations (of 2.5 seats on average) per second.
enough_seats() {
    SEATS_NEEDED=$(portion "$1" "$(awk -v a="$SECONDS_EACH" -v b="$WARMUP" 'BEGIN { print (a + b) * 3 }')")
    seats_on_sale "$SEATS_NEEDED"
}

seats_on_sale() { put_on_sale "$((($1 + 49999) / 50000))" 50000; }

# need NAME: the figure of another workload, measured now, on this stack, when this run has not done so yet.
need() {
    [ -f "$OUT/$1.json" ] || checked "$1"
}

repeat_sales() { # NAME FIELD UNIT ARGUMENTS…
    local name=$1 field=$2 unit=$3 i
    shift 3
    for ((i = 0; i < REPEATS; i++)); do
        sell_enough "$@" || return 1
        keep "$name"
    done
    fold "$name" "$field" "$unit"
}

# --- W3, and what compares with it ----------------------------------------------------------------------------------

measure_W3() {
    enough_seats 13000 && repeat_sales W3 created_per_s reservations/s --workload reserve
}

measure_R1() {
    need W3 && floor_measure || return 1
    jq -n --slurpfile w3 "$OUT/W3.json" --slurpfile floor "$OUT/floor.json" '$w3[0] as $w3 | $floor[0] as $floor |
        {median: ($w3.median / $floor.median), worst: ($w3.worst / $floor.median), unit: "times",
         floor: $floor, over_floor_without_version_row: ($w3.median / $floor.without_version_row)}' >"$OUT/R1.json"
}

measure_R2() {
    need W3 && enough_seats 1500 && restart_services BATCH_MAX_ITEMS=1 SEAT_BATCH_ITEMS=1 || return 1
    repeat_sales unbatched created_per_s reservations/s --workload reserve --connections 64 && restart_services || return 1
    jq -n --slurpfile w3 "$OUT/W3.json" --slurpfile one "$OUT/unbatched.json" '{median: ($w3[0].median / $one[0].median),
        worst: ($w3[0].worst / $one[0].median), unit: "times", unbatched: $one[0]}' >"$OUT/R2.json"
}

# --- complete bookings ------------------------------------------------------------------------------------------------

COMMIT_TIME='pg_xact_commit_timestamp(xmin)'

# What happened between the first and the last microsecond of the measured time, by Postgres' own clock.
note_sold() {
    local from to
    from=$(run_field start_epoch) to=$(run_field end_epoch)
    note "$(stack_sql event_service "SELECT json_build_object('sold', count(*) FILTER (WHERE at >= $from AND at < $to),
        'sold_per_s', round(count(*) FILTER (WHERE at >= $from AND at < $to) / ($to - $from)::numeric, 1),
        'drain_ms', round((max(at) - $to)::numeric * 1000, 1))
        FROM (SELECT extract(epoch FROM $COMMIT_TIME) AS at FROM holds WHERE state = 'sold') AS s")"
}

# For each booking confirmed in the measured time: from the commit of the confirmation to the commit that made its seats SOLD.
note_confirm_to_sold() {
    local from to
    from=$(run_field start_epoch) to=$(run_field end_epoch)
    stack_sql booking_db "SELECT id || ' ' || extract(epoch FROM $COMMIT_TIME) FROM reservations WHERE status = 'confirmed'
        AND extract(epoch FROM $COMMIT_TIME) BETWEEN $from AND $to ORDER BY id" >"$OUT/confirmed.txt"
    stack_sql event_service "SELECT reservation_id || ' ' || extract(epoch FROM $COMMIT_TIME) FROM holds WHERE state = 'sold'
        AND extract(epoch FROM $COMMIT_TIME) >= $from ORDER BY reservation_id" >"$OUT/sold.txt"
    note "{\"to_sold\": $(LC_ALL=C join "$OUT/confirmed.txt" "$OUT/sold.txt" | awk '{ printf "%.3f\n", ($3 - $2) * 1000 }' | percentiles)}"
}

sell_and_settle() { sell --workload booking "$@" && settle; }
book() { until_enough sell_and_settle "$@" && note_sold; }

measure_W1() {
    local i
    enough_seats 5000 || return 1
    for ((i = 0; i < REPEATS; i++)); do
        book && keep W1 || return 1
    done
    fold W1 sold_per_s bookings/s
    add W1 "$(jq -s '{drain_ms: (map(.drain_ms) | max), confirm_p99_ms: (map(.confirm.p99_ms) | sort | .[length / 2 | floor])}' "$OUT/W1.runs")"
}

measure_L1() {
    local i rate
    need W1 || return 1
    rate=$(portion "$(figure W1)" 0.7)
    enough_seats "$rate" || return 1
    for ((i = 0; i < REPEATS; i++)); do
        book --rate "$rate" --connections 1000 --quantiles "$OUT/quantiles.dat" && note_confirm_to_sold && keep L1 || return 1
    done
    fold L1 first.p99_ms ms
    add L1 "{\"rate\": $rate, \"worst\": $(jq -s 'map(.first.p99_ms) | max' "$OUT/L1.runs")}"
    jq -s '{median: (map(.to_sold.p99_ms) | sort | .[length / 2 | floor]), worst: (map(.to_sold.p99_ms) | max), unit: "ms",
        p50_ms: (map(.to_sold.p50_ms) | sort | .[length / 2 | floor]), p99_ms: (map(.to_sold.p99_ms) | sort | .[length / 2 | floor]),
        p999_ms: (map(.to_sold.p999_ms) | sort | .[length / 2 | floor])}' "$OUT/L1.runs" >"$OUT/L2.json"
}

# Rows for the plots: offered and sold bookings/s, reserve p50 p99 p99.9, confirm p99, confirm to SOLD p99 (ms), 503 answers.
measure_sweep() {
    local rate percent
    need W1 || return 1
    enough_seats "$(figure W1)" || return 1
    : >"$OUT/sweep.dat"
    for percent in 10 25 40 55 70 85 95 105 120; do
        rate=$(portion "$(figure W1)" "$(awk -v p=$percent 'BEGIN { print p / 100 }')")
        book --rate "$rate" --connections 2000 && note_confirm_to_sold || return 1
        jq -r --argjson rate "$rate" '[$rate, .sold_per_s, .first.p50_ms, .first.p99_ms, .first.p999_ms, .confirm.p99_ms,
            .to_sold.p99_ms, .overloaded] | join(" ")' "$OUT/last.json" >>"$OUT/sweep.dat"
    done
}

# --- refusals and reads ------------------------------------------------------------------------------------------------

# sell_out SEATS: one session, all of it sold.
sell_out() {
    put_on_sale 1 "$1" && sell --workload booking --warmup 0 --seconds 300 && settle
}

# Sold out for long: the locks of the last sales have ended.
measure_W5() {
    local i
    sell_out 5000 || return 1
    redis-cli -p "$REDIS_PORT" flushall >/dev/null
    for ((i = 0; i < REPEATS; i++)); do
        load --port "$BOOKING_SERVICE_PORT" --workload refuse --seats "$OUT/seats.txt" || return 1
        keep W5
    done
    fold W5 refused_per_s refusals/s
    add W5 "$(jq -s '{created: (map(.created) | add)}' "$OUT/W5.runs")"
    [ "$(jq .created "$OUT/W5.json")" = 0 ] || {
        complain "a sold seat was sold again"
        return 1
    }
}

measure_read() { # NAME FIELD PATH HEADER
    local i
    for ((i = 0; i < REPEATS; i++)); do
        load --port "$EVENT_SERVICE_PORT" --workload get --path "/api/v1/sessions/$SESSION/$3" --header "$4" --connections 64 ||
            return 1
        keep "$1"
    done
    fold "$1" "$2" answers/s
    add "$1" "{\"body_bytes\": $(curl -sS -H "$4" "$EVENT_URL/api/v1/sessions/$SESSION/$3" | wc -c)}"
}

# W6 is the availability, which clients poll: unchanged, what a hundred sold seats changed, and everything; W6_map is the
# seat map of the contract.
measure_W6() {
    local etag version url
    put_on_sale 1 20000 || return 1
    url=$EVENT_URL/api/v1/sessions/$SESSION
    version=$(curl -fsS "$url/availability" | jq -er .version) && hold_some 40 || return 1
    [ "$(curl -fsS "$url/availability?since=$version" | jq '.changes | length')" -gt 0 ] || {
        complain "no delta since version $version"
        return 1
    }
    etag=$(curl -fsS -o /dev/null -D - "$url/availability" | tr -d '\r' | sed -n 's/^[Ee][Tt]ag: //p')
    measure_read W6_304 not_modified_per_s availability "if-none-match: $etag" &&
        measure_read W6_delta ok_per_s "availability?since=$version" 'accept: application/json' &&
        measure_read W6_full ok_per_s availability 'accept: application/json' &&
        measure_read W6_map ok_per_s seat-map 'accept-encoding: gzip'
}

# hold_some COUNT: so many reservations, one after the other.
hold_some() {
    head -n $(($1 * 4)) "$OUT/seats.txt" >"$OUT/some.txt"
    load --port "$BOOKING_SERVICE_PORT" --seats "$OUT/some.txt" --answers "$OUT/answers.txt" --workload reserve --connections 1 --warmup 0
}

# --- W7 ----------------------------------------------------------------------------------------------------------------

overdue_left() {
    stack_sql booking_db "SELECT count(*) FROM reservations WHERE status = 'active' AND expiry_time < now()"
}

# The seats of one session are free again.
all_free() {
    [ "$(stack_sql event_service "SELECT count(*) FROM session_seats WHERE session_id = '$1' AND status = 'available'")" = "$2" ]
}

# hold_all SEATS: as many reservations of one seat, in a session of their own, all overdue.
hold_all() {
    put_on_sale 1 "$1" && sell --workload reserve --min 1 --max 1 --warmup 0 --seconds 600 || return 1
    stack_sql booking_db "UPDATE reservations SET expiry_time = now() - interval '1 second' WHERE session_id = '$SESSION'; ANALYZE reservations"
    stack_sql event_service "UPDATE holds SET reserved_until = now() - interval '1 second' WHERE session_id = '$SESSION'; ANALYZE holds"
}

STORM_SECONDS=40

# The storm lasts from the start of the worker until the last seat is free; sales are counted inside it.
measure_W7() {
    local holds storm_session rate load_pid from to
    holds=$(portion 100000 "$SCALE")
    need W1 && rate=$(portion "$(figure W1)" 0.5) && service_stop booking-worker >/dev/null && hold_all "$holds" || return 1
    storm_session=$SESSION
    seats_on_sale $((rate * 3 * (STORM_SECONDS + WARMUP))) && SEATS_NEEDED=0 || return 1
    SECONDS_EACH=$STORM_SECONDS sell_enough --workload booking --rate "$rate" --connections 1000 &
    load_pid=$!
    sleep "$WARMUP"
    from=$(date +%s.%N)
    service_start booking-worker >/dev/null || return 1
    wait_for 120 all_free "$storm_session" "$holds" || complain "after two minutes $(overdue_left) holds are still overdue"
    to=$(date +%s.%N)
    wait "$load_pid" && settle || return 1
    note "{\"start_epoch\": $from, \"end_epoch\": $to}" && note_sold
    jq -n --argjson seconds "$(awk -v a="$from" -v b="$to" 'BEGIN { printf "%.2f", b - a }')" --argjson rate "$rate" \
        --argjson holds "$holds" --slurpfile run "$OUT/last.json" '{median: $seconds, worst: $seconds, unit: "s", runs: 1,
        holds: $holds, offered_bookings_per_s: $rate, sold_per_s: $run[0].sold_per_s, sales_kept: ($run[0].sold_per_s / $rate),
        p99_ms: $run[0].first.p99_ms}' >"$OUT/W7.json"
}

# --- M1 ----------------------------------------------------------------------------------------------------------------

resident_mb() {
    local name
    for name in $SERVICES; do
        awk '/^VmRSS:/ { print $2 }' "/proc/$(service_pid "$name")/status"
    done | awk '{ kb += $1 } END { printf "%.1f", kb / 1024 }'
}

# Ten thousand connections, half at each service, after a while of selling; each asks every few seconds, else the server
# closes it.
measure_M1() {
    local before during load_pids=''
    enough_seats 3000 && book || return 1
    before=$(resident_mb)
    for port in "$EVENT_SERVICE_PORT" "$BOOKING_SERVICE_PORT"; do
        "$LOADGEN" --workload get --path /livez --port "$port" --connections 5000 --rate 1200 --warmup 0 --seconds 10 >"$OUT/idle.$port" &
        load_pids+=" $!"
    done
    sleep 6
    during=$(resident_mb)
    # shellcheck disable=SC2086
    wait $load_pids
    jq -n --argjson during "$during" --argjson before "$before" --slurpfile a "$OUT/idle.$EVENT_SERVICE_PORT" \
        --slurpfile b "$OUT/idle.$BOOKING_SERVICE_PORT" '{median: $during, worst: $during, unit: "MB", runs: 1,
        before_mb: $before, broken: ($a[0].broken + $b[0].broken)}' >"$OUT/M1.json"
}

# Goodput: what is still sold when three times as many come as can be served, on many connections.
measure_overload() {
    local i
    need W1 && need W3 && enough_seats 8000 || return 1
    for ((i = 0; i < REPEATS; i++)); do
        book --rate "$(portion "$(figure W1)" 3)" --connections 8000 && keep overload || return 1
    done
    fold overload sold_per_s bookings/s
    repeat_sales overload_W3 created_per_s reservations/s --rate "$(portion "$(figure W3)" 3)" --connections 8000 \
        --workload reserve || return 1
    of_peak overload W1 && of_peak overload_W3 W3
}

of_peak() {
    add "$1" "$(jq --argjson peak "$(figure "$2")" '{of_peak: (.median / $peak), worst_of_peak: (.worst / $peak)}' "$OUT/$1.json")"
}
