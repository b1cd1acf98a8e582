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

# --- headers that two readers read differently -------------------------------------------------------------------------

refused_and_closed() { # URL: one answer, 400, and the connection ends; what came behind it is not looked at
    raw "$1" 5 <"$WORK/sent" >"$WORK/answer"
    expect "answers" "$(grep -aoE 'HTTP/1\.1 [0-9]+' "$WORK/answer" | xargs)" "HTTP/1.1 400"
    expect "connection" "$(tr -d '\r' <"$WORK/answer" | grep -aicE '^connection: close')" 1
    still_well "$1"
}

two_lengths() {
    printf 'POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 31\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: y\r\n\r\n' >"$WORK/sent"
    refused_and_closed "$1"
    printf 'POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nabcdGET /nowhere HTTP/1.1\r\nHost: y\r\n\r\n' >"$WORK/sent"
    refused_and_closed "$1"
}

length_list() {
    printf 'POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 4, 4\r\n\r\nabcd' >"$WORK/sent"
    refused_and_closed "$1"
}

length_and_chunks() {
    printf 'POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: y\r\n\r\n' >"$WORK/sent"
    refused_and_closed "$1"
}

unknown_transfer_encoding() {
    printf 'POST /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n' >"$WORK/sent"
    turned_away "$1"
    printf 'POST /livez HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n' >"$WORK/sent"
    refused_and_closed "$1"
}

no_host_and_two() {
    printf 'GET /livez HTTP/1.1\r\n\r\nGET /livez HTTP/1.1\r\nHost: x\r\n\r\n' >"$WORK/sent"
    refused_and_closed "$1"
    printf 'GET /livez HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n' >"$WORK/sent"
    refused_and_closed "$1"
    printf 'GET /livez HTTP/1.0\r\n\r\n' >"$WORK/sent"
    answered "$1" '^HTTP/1\.[01] 200'
}

folded_header() {
    printf 'GET /livez HTTP/1.1\r\nHost: x\r\nX-Note: a\r\n Content-Length: 5\r\n\r\n' >"$WORK/sent"
    refused_and_closed "$1"
}

blank_before_the_colon() {
    printf 'POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length : 5\r\n\r\nabcde' >"$WORK/sent"
    turned_away "$1"
}

nul_bytes() {
    printf 'GET /livez\0x HTTP/1.1\r\nHost: x\r\n\r\n' >"$WORK/sent"
    turned_away "$1"
    printf 'GET /livez HTTP/1.1\r\nHost: x\r\nX-Note: a\0b\r\n\r\n' >"$WORK/sent"
    turned_away "$1"
}

encoded_body() { # compressed bodies are not unpacked, so they cannot explode
    local path=/api/v1/organizers
    [ "$1" = "$EVENT_URL" ] || path=/api/v1/price-tiers
    echo '{"name": "x"}' | gzip -c >"$WORK/packed"
    request POST "$1$path" -H 'Content-Type: application/json' -H 'Content-Encoding: gzip' --data-binary "@$WORK/packed"
    expect_problem 415 unsupported_media_type
}

unknown_expectation() {
    printf 'POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: the-moon\r\n\r\nabcd' >"$WORK/sent"
    answered "$1" '^HTTP/1\.1 417'
}

huge_chunk() { # a chunk's length beyond any integer, and a body that would never end
    printf 'POST /api/v1/organizers HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}' >"$WORK/sent"
    turned_away "$1"
    {
        printf 'POST /api/v1/organizers HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n'
        for _ in {1..40}; do printf '10000\r\n' && repeat 0 65536 && printf '\r\n'; done
    } >"$WORK/sent"
    turned_away "$1"
}

# Reads nothing of an answer too large for the buffers between us, then resets the connection in the middle of it.
never_reads() {
    python3 - "${1##*:}" <<'PYTHON'
import socket, struct, sys, time
ask = b'GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n'
socks = []
for _ in range(20):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.connect(('127.0.0.1', int(sys.argv[1])))
    s.sendall(ask * 100)
    socks.append(s)
time.sleep(0.3)
for s in socks:
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    s.close()
PYTHON
    still_well "$1"
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
    check "$1: two Content-Length headers, equal or not" two_lengths "$2"
    check "$1: a list as Content-Length" length_list "$2"
    check "$1: Content-Length and Transfer-Encoding" length_and_chunks "$2"
    check "$1: a transfer coding we do not know, and one in HTTP/1.0" unknown_transfer_encoding "$2"
    check "$1: no Host, and two" no_host_and_two "$2"
    check "$1: a folded header" folded_header "$2"
    check "$1: a blank before the colon" blank_before_the_colon "$2"
    check "$1: NUL bytes in target and header" nul_bytes "$2"
    check "$1: a compressed body" encoded_body "$2"
    check "$1: an expectation nobody can meet" unknown_expectation "$2"
    check "$1: a chunk of any size, and chunks without end" huge_chunk "$2"
    check "$1: twenty clients that never read, then reset" never_reads "$2"
    check "$1: thirty clients leave in the middle" client_leaves_early "$2"
}

socket_abuse event-svc "$EVENT_URL"
socket_abuse booking-svc "$BOOKING_URL"
check "pipelined bodies do not run into each other" pipelined_posts
