# shellcheck shell=bash
# shellcheck disable=SC2016 # jq has dollar signs
# Below HTTP: garbage, floods, pipelines over a plain socket

first_line() {
    head -n 1 "$WORK/answer" | tr -d '\r\0'
}

still_well() { # URL
    get "$1/livez"
    expect_status 200
}

answered() { # URL PATTERN: $WORK/sent gets an answer whose first line matches, and the service lives
    RAW=closed
    raw "$1" 3 <"$WORK/sent" >"$WORK/answer" || RAW="still open after 3 s"
    expect_match "first line" "$(first_line)" "$2"
    still_well "$1"
}

turned_away() { # URL: 4xx or a closed connection, never a success, never silence
    answered "$1" '^($|HTTP/1\.[01] 4)'
    [ -s "$WORK/answer" ] || expect "connection" "$RAW" closed
}

garbage() {
    head -c 4096 /dev/urandom | tr -d '\r\n' | { cat && printf '\r\n\r\n'; } >"$WORK/sent"
    turned_away "$1"
}

http2_preface() {
    printf 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' >"$WORK/sent"
    answered "$1" '^HTTP/1\.1 400'
}

http2_upgrade() {
    printf 'GET /livez HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n' >"$WORK/sent"
    answered "$1" '^HTTP/1\.1 200'
}

many_headers() {
    local n
    {
        printf 'GET /livez HTTP/1.1\r\nHost: x\r\n'
        for n in {1..2000}; do printf 'X-%d: y\r\n' "$n"; done
        printf '\r\n'
    } >"$WORK/sent"
    turned_away "$1"
}

one_huge_header() {
    { printf 'GET /livez HTTP/1.1\r\nHost: x\r\nX-Huge: ' && repeat 0123456789 200000 && printf '\r\n\r\n'; } >"$WORK/sent"
    turned_away "$1"
}

huge_path() {
    { printf 'GET /' && repeat a 100000 && printf ' HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'; } >"$WORK/sent"
    turned_away "$1"
}

pipelined() { # three requests in one write: three answers, in order
    printf 'GET /livez HTTP/1.1\r\nHost: x\r\nX-Request-ID: one\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: x\r\nX-Request-ID: two\r\n\r\nGET /livez HTTP/1.1\r\nHost: x\r\nX-Request-ID: three\r\nConnection: close\r\n\r\n' |
        raw "$1" 5 >"$WORK/answer"
    expect "answers" "$(grep -aoE 'HTTP/1\.1 [0-9]+' "$WORK/answer" | xargs)" "HTTP/1.1 200 HTTP/1.1 404 HTTP/1.1 200"
    expect "order" "$(tr -d '\r' <"$WORK/answer" | grep -aioE 'x-request-id: (one|two|three)' | cut -d' ' -f2 | xargs)" "one two three"
}

pipelined_posts() { # bodies must not run into the next request
    local body='{"name": "p"}' head=$'POST /api/v1/organizers HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n'
    {
        printf '%sContent-Length: %d\r\n\r\n%s' "$head" ${#body} "$body"
        printf '%sContent-Length: %d\r\nConnection: close\r\n\r\n%s' "$head" ${#body} "$body"
    } | raw "$EVENT_URL" 5 >"$WORK/answer"
    expect "answers" "$(grep -aoE 'HTTP/1\.1 [0-9]+' "$WORK/answer" | xargs)" "HTTP/1.1 201 HTTP/1.1 201"
}

negative_length() {
    printf 'POST /api/v1/organizers HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: -5\r\n\r\n{"name": "x"}' >"$WORK/sent"
    turned_away "$1"
}

overflowing_length() {
    printf 'POST /api/v1/organizers HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99999999999999999999999\r\n\r\n{}' >"$WORK/sent"
    turned_away "$1"
}

broken_chunks() {
    printf 'POST /api/v1/organizers HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n' >"$WORK/sent"
    turned_away "$1"
}

client_leaves_early() { # resets in the middle of everything must not end the service
    local pids=()
    for _ in {1..30}; do
        curl -s --max-time 0.002 -o "$WORK/cut" "$1/openapi.json" &
        pids+=($!)
    done
    wait "${pids[@]}"
    still_well "$1"
}

socket_abuse() { # NAME URL
    check "$1: random bytes" garbage "$2"
    check "$1: an HTTP/2 preface is answered 400" http2_preface "$2"
    check "$1: an upgrade to HTTP/2 is not taken" http2_upgrade "$2"
    check "$1: 2,000 headers" many_headers "$2"
    check "$1: a header of 2 MB" one_huge_header "$2"
    check "$1: a path of 100 kB" huge_path "$2"
    check "$1: three pipelined requests, three answers in order" pipelined "$2"
    check "$1: a negative length" negative_length "$2"
    check "$1: a length beyond any integer" overflowing_length "$2"
    check "$1: broken chunks" broken_chunks "$2"
    check "$1: thirty clients leave in the middle" client_leaves_early "$2"
}

socket_abuse event-svc "$EVENT_URL"
socket_abuse booking-svc "$BOOKING_URL"
check "pipelined bodies do not run into each other" pipelined_posts
