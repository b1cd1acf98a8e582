# shellcheck shell=bash
# W2 and W4: best-available requests, far more than there are seats.

# rush REQUESTS FILE: all of the requests, over the sections of FILE; fails unless each one was answered. A 503 is no answer: the
# same seats are asked for again 50 ms later, and the clock runs on.
rush() {
    WARMUP=0 load --port "$BOOKING_SERVICE_PORT" --workload best --seats "$2" --requests "$1" --seconds 600 --answers "$OUT/answers.txt" || return 1
    note "$(jq '{answered: (.created + .refused), answered_per_s: ((.created + .refused) / .seconds)}' "$OUT/last.json")"
    [ "$(run_field answered)" = "$1" ] || {
        complain "$(run_field answered) of $1 requests were answered"
        return 1
    }
}

# The services have met such traffic before the clock starts.
rush_warmup() { sections_on_sale 1 5 && rush 12500 "$OUT/sections.txt"; }

spike_requests() { portion 1000000 "$SPIKE_SCALE"; }
spike_sections() { awk -v scale="$SPIKE_SCALE" 'BEGIN { n = int(80 * scale + 0.5); print n < 1 ? 1 : n }'; }

# Seconds, of new sessions each time. 1,000,000 requests meet 160,000 seats; a smaller spike has as many requests for each seat.
measure_W2() {
    local i
    rush_warmup || return 1
    for ((i = 0; i < REPEATS; i++)); do
        sections_on_sale 5 "$(spike_sections)" && accounted rush "$(spike_requests)" "$OUT/sections.txt" && keep W2 || return 1
    done
    fold W2 seconds s
    add W2 "$(spike_figures W2)"
    add W2 "$(jq -s "{worst: (map(.seconds) | max), seats: (5 * $(spike_sections) * 400)}" "$OUT/W2.runs")"
}

# spike_figures NAME: answers and successes per second, which are not the same thing.
spike_figures() {
    jq -s 'def middle: sort | .[length / 2 | floor];
        {requests: .[0].answered, answered_per_s: (map(.answered_per_s) | middle), holds_per_s: (map(.created_per_s) | middle),
         holds: (map(.created) | middle)}' "$OUT/$1.runs"
}

# Of W2's rate of answers, how much is left when everybody wants the same 400 seats.
measure_W4() {
    local i
    need W2 || return 1
    for ((i = 0; i < REPEATS; i++)); do
        sections_on_sale 1 1 && accounted rush "$(spike_requests)" "$OUT/sections.txt" && keep W4 || return 1
    done
    fold W4 answered_per_s answers/s
    add W4 "$(spike_figures W4)"
    add W4 "$(jq -n --slurpfile w2 "$OUT/W2.json" --slurpfile w4 "$OUT/W4.json" '$w2[0].answered_per_s as $rate |
        {median: ($w4[0].median / $rate), worst: ($w4[0].worst / $rate), unit: "of W2"}')"
}
