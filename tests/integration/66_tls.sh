# shellcheck shell=bash
# shellcheck disable=SC2016 # jq has dollar signs
# TLS: our services, the calls between them, Postgres and the broker

port_of() { # URL
    echo "${1##*:}"
}

# --- the services as servers -------------------------------------------------------------------------------------------

https_is_served() { # URL
    local port
    port=$(port_of "$1")
    get "https://localhost:$port/livez" --cacert "$TLS_DIR/ca.pem"
    expect_status 200
    expect "a stranger's certificate" \
        "$(curl -s -o "$WORK/stranger" -w '%{http_code}' --cacert "$TLS_DIR/stranger.pem" "https://localhost:$port/livez")" 000
    head -c 12000 /dev/zero | tr '\0' x >"$WORK/large"
    get "https://localhost:$port/livez" --cacert "$TLS_DIR/ca.pem" -X POST --data-binary "@$WORK/large"
    expect_status 405
    get "https://localhost:$port/openapi.json" --cacert "$TLS_DIR/ca.pem"
    expect_status 200
    expect_json '.openapi | startswith("3.1")'
    printf 'GET /livez HTTP/1.1\r\nHost: x\r\n\r\n' | raw "http://127.0.0.1:$port" 3 >"$WORK/answer"
    expect "answers to plain HTTP" "$(grep -ac '^HTTP' "$WORK/answer")" 0
}

old_and_weak_is_refused() { # URL
    local port
    port=$(port_of "$1")
    tls_hello "$port" -tls1_3 </dev/null
    expect_match "TLS 1.3" "$(cat "$WORK/hello")" 'Verify return code: 0'
    tls_hello "$port" -tls1_2 </dev/null
    expect_match "TLS 1.2" "$(cat "$WORK/hello")" 'Cipher is ECDHE-ECDSA-AES[0-9]+-GCM'
    expect "renegotiation, compression" "$(grep -cE '^(Compression: NONE|Secure Renegotiation IS supported)' "$WORK/hello")" 2
    tls_refused "$port" -tls1_1 -cipher 'ALL:@SECLEVEL=0'
    tls_refused "$port" -tls1_2 -cipher 'ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0'
}

http2_is_never_spoken() { # URL
    local port
    port=$(port_of "$1")
    tls_hello "$port" -alpn h2,http/1.1 </dev/null
    expect_match "chosen" "$(cat "$WORK/hello")" 'ALPN protocol: http/1.1'
    tls_refused "$port" -alpn h2
    printf 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' | tls_hello "$port" -quiet
    expect_match "prior knowledge" "$(cat "$WORK/hello")" 'HTTP/1.1 400'
    printf 'GET /livez HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n' |
        tls_hello "$port" -quiet
    expect_match "upgrade" "$(cat "$WORK/hello")" 'HTTP/1.1 200'
    expect "version a client gets that would like 2" \
        "$(curl -sk --http2 -o "$WORK/two" -w '%{http_version} %{http_code}' "https://127.0.0.1:$port/livez")" "1.1 200"
}

# A handshake that never ends, one that is garbage, one that the client abandons.
broken_handshakes() { # URL
    local n
    head -c 2000 /dev/urandom | raw "http://127.0.0.1:$(port_of "$1")" 3 >"$WORK/answer"
    printf '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' | raw "http://127.0.0.1:$(port_of "$1")" 1 >"$WORK/answer"
    for n in {1..30}; do
        curl -sk --max-time "0.00$((n % 9 + 1))" -o "$WORK/cut" "$1/openapi.json"
    done
    get "$1/livez" -k
    expect_status 200
}

certificates_are_exchanged() { # URL PID
    local port before
    port=$(port_of "$1")
    before=$(tls_serial "$port")
    cp "$TLS_DIR/second.key" "$TLS_DIR/live.key"
    kill -s HUP "$2"
    eventually 5 "the reason is logged" yes is_in "$INSTANCE_LOG" 'not that of TLS_CERT'
    expect "with a key of another certificate the old one stays" "$(tls_serial "$port")" "$before"
    cp "$TLS_DIR/second.pem" "$TLS_DIR/live.pem"
    kill -s HUP "$2"
    eventually 5 "serial number" "$(openssl x509 -noout -serial -in "$TLS_DIR/second.pem")" tls_serial "$port"
    kill -0 "$2" || fail "the process has gone"
    cp "$TLS_DIR/first.key" "$TLS_DIR/live.key"
    cp "$TLS_DIR/first.pem" "$TLS_DIR/live.pem"
}

serves_tls() { # NAME
    cp "$TLS_DIR/first.pem" "$TLS_DIR/live.pem"
    cp "$TLS_DIR/first.key" "$TLS_DIR/live.key"
    check "$1 starts with a certificate" quietly instance_tls "$1"
    check "$1: HTTPS, and nothing but HTTPS" https_is_served "$INSTANCE_URL"
    check "$1: TLS 1.2 and 1.3 with sound ciphers only" old_and_weak_is_refused "$INSTANCE_URL"
    check "$1: HTTP/2 neither by ALPN nor by prior knowledge nor by upgrade" http2_is_never_spoken "$INSTANCE_URL"
    check "$1: broken handshakes" broken_handshakes "$INSTANCE_URL"
    check "$1: SIGHUP exchanges the certificate" certificates_are_exchanged "$INSTANCE_URL" "$INSTANCE_PID"
    check "$1: ends in good order" ends_well
}

instance_tls() { # NAME [KEY=VALUE…]
    INSTANCE_SCHEME=https instance_start "$1" TLS_CERT="$TLS_DIR/live.pem" TLS_KEY="$TLS_DIR/live.key" "${@:2}"
}

ends_well() {
    instance_end TERM
    expect "exit status" $? 0
}

bad_files_are_refused() { # NAME
    refused_at_start "$1" 'expected both or neither' TLS_CERT="$TLS_DIR/first.pem"
    refused_at_start "$1" 'not that of TLS_CERT' TLS_CERT="$TLS_DIR/first.pem" TLS_KEY="$TLS_DIR/second.key"
    refused_at_start "$1" 'no certificate chain' TLS_CERT=/dev/null TLS_KEY="$TLS_DIR/second.key"
}

# refused_at_start NAME PATTERN KEY=VALUE…: the program ends by itself, not with 0, and says why.
refused_at_start() {
    local name=$1 pattern=$2 code
    shift 2
    program_env "$name"
    env "${PROGRAM_ENV[@]}" "$@" PORT=0 timeout 20 "$(program "$name")" >"$WORK/refused" 2>&1
    code=$?
    expect "$*: ended by itself" "$([ "$code" -ne 0 ] && [ "$code" -ne 124 ] && echo yes)" yes
    expect_match "$*" "$(cat "$WORK/refused")" "$pattern"
}

# --- between our programs ----------------------------------------------------------------------------------------------

sells_over_https() {
    quietly instance_tls event-svc
    EVENT_TLS_PID=$INSTANCE_PID
    EVENT_TLS_URL=https://localhost:$(port_of "$INSTANCE_URL")
    quietly instance_start booking-svc EVENT_SERVICE_URL="$EVENT_TLS_URL" TLS_CA="$TLS_DIR/ca.pem"
    eventually 5 "event-svc as booking-svc sees it" up health_of "$INSTANCE_URL" event-svc
    open_session 2 2
    RESERVE_URL=$INSTANCE_URL reserve "$(uuid)" "${SEATS[0]}" "${SEATS[1]}"
    expect_status 201
    instance_end TERM
    expect "exit status" $? 0
}

health_of() { # URL DEPENDENCY → its state
    get "$1/health"
    json ".. | .[\"$2\"]? // empty | if type == \"object\" then .status else . end" | head -n 1
}

distrusts() { # TITLE-OF-REASON KEY=VALUE…
    local reason=$1
    shift
    quietly instance_start booking-svc "$@"
    eventually 5 "event-svc as booking-svc sees it" down health_of "$INSTANCE_URL" event-svc
    RESERVE_URL=$INSTANCE_URL reserve "$(uuid)" "${SEATS[2]}"
    expect_status 503
    expect_match "the log" "$(grep 'cannot connect to a service' "$INSTANCE_LOG")" "$reason"
    ends_well
}

worker_trusts_and_distrusts() {
    quietly instance_start booking-worker EVENT_SERVICE_URL="$EVENT_TLS_URL" TLS_CA="$TLS_DIR/ca.pem"
    eventually 5 "event-svc as the worker sees it" up health_of "$INSTANCE_URL" event-svc
    ends_well
    quietly instance_start booking-worker EVENT_SERVICE_URL="$EVENT_TLS_URL" TLS_CA="$TLS_DIR/stranger.pem"
    eventually 5 "event-svc as the worker sees it" down health_of "$INSTANCE_URL" event-svc
    ends_well
}

# --- Postgres and the broker -------------------------------------------------------------------------------------------

with_mode() { # MODE AUTHORITY → DATABASE_URL of event-svc by name, as a certificate names no addresses
    echo "${EVENT_DATABASE_URL/127.0.0.1/localhost}?sslmode=$1&sslrootcert=$TLS_DIR/$2.pem"
}

newest_session_is_encrypted() {
    stack_sql event_service "SELECT ssl AND version >= 'TLSv1.2' FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
        WHERE application_name = 'seats' ORDER BY backend_start DESC LIMIT 1"
}

is_in() { grep -q "$2" "$1" && echo yes; } # FILE PATTERN: each of several connections may say it

# distrusts_postgres REASON DATABASE_URL: it says so, goes on asking for a while, and does not serve meanwhile.
distrusts_postgres() {
    local pid
    program_env event-svc
    env "${PROGRAM_ENV[@]}" PORT=0 DATABASE_URL="$2" "$(program event-svc)" >"$WORK/distrusts" 2>&1 &
    pid=$!
    eventually 8 "the reason is logged" yes is_in "$WORK/distrusts" "level=warning.*$1"
    expect "serving" "$(grep -c 'msg=serving' "$WORK/distrusts")" 0
    kill -s KILL "$pid"
    wait "$pid"
} 2>/dev/null # the shell says "Killed"

postgres_over_tls() {
    local mode
    for mode in require verify-full; do
        quietly instance_start event-svc DATABASE_URL="$(with_mode "$mode" ca)"
        eventually 5 "Postgres as event-svc sees it" up health_of "$INSTANCE_URL" postgres
        expect "its connections are encrypted" "$(newest_session_is_encrypted)" t
        ends_well
    done
    distrusts_postgres 'certificate verify failed' "$(with_mode verify-full stranger)"
    distrusts_postgres 'does not match host name' "$EVENT_DATABASE_URL?sslmode=verify-full&sslrootcert=$TLS_DIR/ca.pem"
}

postgres_without_tls() {
    distrusts_postgres 'does not support SSL' "$(with_mode require ca)"
}

broker_over_tls() {
    local name url=${RABBITMQ_URL/#amqp:/amqps:}
    url=${url/127.0.0.1:$RABBITMQ_PORT/localhost:$TLS_BROKER_PORT}
    for name in event-svc booking-svc booking-worker; do
        quietly instance_start "$name" RABBITMQ_URL="$url" TLS_CA="$TLS_DIR/ca.pem"
        eventually 10 "the broker as $name sees it" up health_of "$INSTANCE_URL" rabbitmq
        expect "$name distrusts it somewhere" "$(grep -c 'cert verification failed' "$INSTANCE_LOG")" 0
        ends_well
    done
    broker_is_distrusted "$url" stranger 'peer cert verification failed'
    broker_is_distrusted "${url/localhost/127.0.0.1}" ca 'hostname verification failed'
}

broker_is_distrusted() { # URL AUTHORITY REASON
    quietly instance_start event-svc RABBITMQ_URL="$1" TLS_CA="$TLS_DIR/$2.pem"
    eventually 10 "the reason is logged" yes is_in "$INSTANCE_LOG" "$3"
    expect "the broker as event-svc sees it" "$(health_of "$INSTANCE_URL" rabbitmq)" down
    ends_well
}

if have_programs && tls_files; then
    for name in event-svc booking-svc; do
        serves_tls "$name"
        check "$name: TLS files of no use are refused at start" bad_files_are_refused "$name"
    done
    check "booking-svc calls event-svc by HTTPS" sells_over_https
    check "booking-svc distrusts a certificate of an authority it does not know" distrusts 'self.signed|unable to get|verif' \
        EVENT_SERVICE_URL="$EVENT_TLS_URL" TLS_CA="$TLS_DIR/stranger.pem"
    check "booking-svc distrusts a certificate for another name" distrusts '[Aa]ddress mismatch|name mismatch' \
        EVENT_SERVICE_URL="${EVENT_TLS_URL/localhost/127.0.0.1}" TLS_CA="$TLS_DIR/ca.pem"
    check "booking-worker likewise" worker_trusts_and_distrusts
    kill "$EVENT_TLS_PID" && wait "$EVENT_TLS_PID"
else
    skip "TLS of the services" "the programs are not built here"
fi
if [ "$PRIVATE" = yes ]; then
    check "Postgres without TLS does not do for sslmode=require" postgres_without_tls
    check "Postgres takes TLS" quietly tls_postgres_on
    check "Postgres with sslmode=require and verify-full, and with a wrong authority or name" postgres_over_tls
    check "Postgres as before" quietly tls_postgres_off
    check "amqps, and a broker that is not the one it should be" broker_over_tls
else
    skip "TLS to Postgres and the broker" "only with --private"
fi
