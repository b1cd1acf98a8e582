# shellcheck shell=bash
# Running the generator and folding its answers.

# load ARGUMENTS…: one run of the generator; its report is $OUT/last.json until `keep` or the next one.
load() {
    local hook=''
    if [ -n "${BENCH_HOOK:-}" ]; then
        $BENCH_HOOK &
        hook=$!
    fi
    "$LOADGEN" --connections "$CONNECTIONS" --seconds "$SECONDS_EACH" --warmup "$WARMUP" "$@" >"$OUT/last.json" || return 1
    [ -z "$hook" ] || wait "$hook" || true
    [ "$(run_field failed)" = 0 ] || warn "$(run_field failed) answers were neither 2xx, 304, 409 nor 503"
}

run_field() { jq -r ".$1" "$OUT/last.json"; }

# note JSON-OBJECT: more members for the last report.
note() { jq -c --argjson more "$1" '. + $more' "$OUT/last.json" >"$OUT/note.tmp" && mv "$OUT/note.tmp" "$OUT/last.json"; }

# keep NAME: the last report is one of the runs of NAME.
keep() { cat "$OUT/last.json" >>"$OUT/$1.runs"; }

# sell ARGUMENTS…: a load on booking-svc that uses up seats of $OUT/seats.txt.
sell() {
    load --port "$BOOKING_SERVICE_PORT" --seats "$OUT/seats.txt" --skip "$SEATS_USED" --answers "$OUT/answers.txt" "$@" || return 1
    SEATS_USED=$((SEATS_USED + $(run_field seats_used)))
}

# until_enough COMMAND…: a load for a figure, accounted. More seats are put on sale first when the last run's need would not be
# met; a run that still sells out is repeated with twice as many.
until_enough() {
    [ "$(($(wc -l <"$OUT/seats.txt") - SEATS_USED))" -ge "$SEATS_NEEDED" ] || seats_on_sale "$SEATS_NEEDED" || return 1
    accounted "$@" || return 1
    if [ "$(run_field out_of_seats)" = true ]; then
        say "sold out after $(run_field seats_used) seats: again with more"
        SEATS_NEEDED=$((SEATS_NEEDED * 2 + 50000))
        until_enough "$@"
        return
    fi
    SEATS_NEEDED=$(($(run_field seats_used) * 13 / 10))
}

sell_enough() { until_enough sell "$@"; }

# fold NAME FIELD UNIT: median and worst of FIELD over the runs of NAME, with what belongs to it, into $OUT/NAME.json.
fold() {
    jq -s --arg field "$2" --arg unit "$3" '
        def middle: sort | .[length / 2 | floor];
        {median: (map(getpath($field / ".")) | middle), worst: (map(getpath($field / ".")) | min), unit: $unit, runs: length,
         p50_ms: (map(.first.p50_ms) | middle), p99_ms: (map(.first.p99_ms) | middle), p999_ms: (map(.first.p999_ms) | middle),
         refused: (map(.refused) | add), overloaded: (map(.overloaded) | add), failed: (map(.failed) | add),
         broken: (map(.broken) | add), generator_us_per_request: (map(.cpu_us_per_request) | middle)}' \
        "$OUT/$1.runs" >"$OUT/$1.json"
    add "$1" "$(jq -s 'def middle: sort | .[length / 2 | floor];
        map(.cpu_us // empty) | if . == [] then {} else
        {cpu_us: (. as $all | $all[0] | with_entries(.key as $part | .value = ($all | map(.[$part] // 0) | middle)))} end' "$OUT/$1.runs")"
}

# add NAME JSON-OBJECT: more members for $OUT/NAME.json.
add() { jq --argjson more "$2" '. + $more' "$OUT/$1.json" >"$OUT/add.tmp" && mv "$OUT/add.tmp" "$OUT/$1.json"; }

figure() { jq -r '.median' "$OUT/$1.json"; }

# portion NUMBER FACTOR: their product, without decimals.
portion() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%d", a * b }'; }

# percentiles: of the numbers on standard input, as a JSON object.
percentiles() {
    sort -n | awk '{ v[NR] = $1 }
        function q(f,  i) { i = int(f * NR + 0.999999); return v[i < 1 ? 1 : i] }
        END { printf "{\"samples\": %d, \"p50_ms\": %.2f, \"p99_ms\": %.2f, \"p999_ms\": %.2f, \"max_ms\": %.2f}",
            NR, q(.5), q(.99), q(.999), v[NR] }'
}

# metric URL NAME: the sum of a metric over its labels.
metric() { curl -fsS "$1/metrics" | awk -v name="$2" '$1 == name || index($1, name "{") == 1 { sum += $2 } END { printf "%d", sum }'; }

# batch_sizes: mean items per batch and queue since the services started, as `queue=mean` words.
batch_sizes() {
    { curl -fsS "$EVENT_URL/metrics" && curl -fsS "$BOOKING_URL/metrics"; } | awk '
        /^batch_items_total\{/ { split($1, at, "\""); items[at[2]] += $2 }
        /^batches_total\{/ { split($1, at, "\""); batches[at[2]] += $2 }
        END { for (q in batches) if (batches[q]) printf "%s=%.1f(%d) ", q, items[q] / batches[q], batches[q] }'
}

# --- processor time by part of the stack ------------------------------------------------------------------------------

# cpu_ticks: lines "PART TICKS" of everything this stack has used so far; Postgres by database.
cpu_ticks() {
    local name pid
    for name in event-svc booking-svc booking-worker redis rabbitmq; do
        pid=$(service_pid "$name")
        [ -z "$pid" ] || ticks_of "$pid" "$name"
    done
    pid=$(service_pid postgres)
    ticks_of "$pid" postgres-other
    pgrep -P "$pid" | while read -r pid; do
        case $({ tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null) in
        *' event_service '*) ticks_of "$pid" postgres-event ;;
        *' booking_db '*) ticks_of "$pid" postgres-booking ;;
        *) ticks_of "$pid" postgres-other ;;
        esac
    done
}

# ticks_of PID NAME: own time, and that of children which have ended.
ticks_of() {
    local stat
    local -a field
    { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 0
    read -ra field <<<"${stat##*) }"
    echo "$2 $((field[11] + field[12] + field[13] + field[14]))"
}

created_so_far() { grep -c '^created' "$OUT/answers.txt" 2>/dev/null || true; }

# accounted COMMAND…: runs it and notes microseconds of processor time per reservation made meanwhile, or per answer where
# the run counts those, by part.
accounted() {
    local before jobs
    before=$(created_so_far)
    cpu_ticks >"$OUT/cpu.before"
    "$@" || return 1
    cpu_ticks >"$OUT/cpu.after"
    jobs=$(run_field 'answered // empty')
    note "$(awk -v jobs="${jobs:-$(($(created_so_far) - ${before:-0}))}" -v tick="$(getconf CLK_TCK)" '
        NR == FNR { used[$1] -= $2; next }
        { used[$1] += $2 }
        END { printf "{\"cpu_us\": {"
              for (part in used) { printf "%s\"%s\": %.1f", comma, part, jobs ? used[part] * 1e6 / tick / jobs : 0; comma = ", " }
              printf "}}" }' "$OUT/cpu.before" "$OUT/cpu.after")"
}
