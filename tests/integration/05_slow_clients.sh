# shellcheck shell=bash
# shellcheck disable=SC2016 # jq has dollar signs
# Slow clients, started first because they mostly wait

CLOSED_MS=$((12500 * PATIENCE))

# dribble URL: sends standard input byte by byte, two a second, until the other side closes; prints what came back and then
# the milliseconds it took.
dribble() {
    local host=${1#*://} started fd reader byte
    started=$(now_ms)
    (
        trap '' PIPE
        exec {fd}<>"/dev/tcp/${host%%:*}/${host##*:}" || exit 1
        timeout 60 cat <&"$fd" &
        reader=$!
        while IFS= read -r -N 1 byte && kill -0 "$reader"; do
            printf '%s' "$byte" >&"$fd" || break
            sleep 0.5
        done
        wait "$reader"
    ) 2>/dev/null
    echo
    echo $(($(now_ms) - started))
}

closed_after_ten_seconds() { # URL TEXT
    local out
    out=$(dribble "$1" <<<"$2")
    expect_between "milliseconds until the connection was closed" "${out##*$'\n'}" 9000 $CLOSED_MS
}

# Says nothing at all after the first answer.
idle_connections_end() { # URL
    local started took
    started=$(now_ms)
    printf 'GET /livez HTTP/1.1\r\nHost: x\r\n\r\n' | raw "$1" 60 >"$WORK/answer"
    took=$(($(now_ms) - started))
    expect_match "answer" "$(head -n 1 "$WORK/answer")" '^HTTP/1.1 200'
    expect_between "milliseconds until the connection was closed" "$took" 9000 $CLOSED_MS
}

slow_header=$'GET /livez HTTP/1.1\r\nHost: slow.example\r\nX-Slow: '$(printf 'a%.0s' {1..60})
slow_body=$'POST /api/v1/organizers HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{'
for url in "$EVENT_URL" "$BOOKING_URL"; do
    check_later "a client that dribbles its headers is closed after 10 s ($url)" closed_after_ten_seconds "$url" "$slow_header"
done
check_later "an idle keep-alive connection is closed after 10 s" idle_connections_end "$BOOKING_URL"

# The head goes out at once, the body then stops.
stalled_bodies_end() {
    local started took
    started=$(now_ms)
    printf '%s' "$slow_body" | raw "$EVENT_URL" 60 >"$WORK/answer"
    took=$(($(now_ms) - started))
    expect_between "milliseconds until the connection was closed" "$took" 9000 $CLOSED_MS
}
check_later "a client that stops in the middle of its body is closed after 10 s" stalled_bodies_end
