# shellcheck shell=bash
# shellcheck disable=SC2016 # jq has dollar signs
# AUTH_MODE=jwt: bearer tokens, rights, keys that change

# shellcheck source=tests/integration/lib/tokens.sh
. "$TESTS/lib/tokens.sh"

# with TOKEN: the arguments of curl that present it, in AS.
with() {
    AS=(-H "Authorization: Bearer $1")
}

jwt_services() {
    ANNA=$(uuid)
    BELA=$(uuid)
    quietly instance_start event-svc "${JWT_MODE[@]}" JWT_SECRET="$TOKEN_SECRET"
    JWT_EVENT=$INSTANCE_URL JWT_EVENT_PID=$INSTANCE_PID JWT_EVENT_LOG=$INSTANCE_LOG
    quietly instance_start booking-svc "${JWT_MODE[@]}" JWT_SECRET="$TOKEN_SECRET" EVENT_SERVICE_URL="$JWT_EVENT"
    JWT_BOOKING=$INSTANCE_URL JWT_BOOKING_PID=$INSTANCE_PID JWT_BOOKING_LOG=$INSTANCE_LOG
}

# Every documented route: who needs a token gets a challenge, who needs none an answer.
routes_and_their_need() { # NAME URL PATTERN-OF-METHOD-AND-PATH-THAT-NEED-A-TOKEN
    local method path want
    while read -r method path; do
        want='^(2..|3..|4(00|04|09|15|22)|503)$'
        if [[ $path == /api/internal/* ]]; then
            want='^403$'
        elif [[ "$method $path" =~ $3 ]]; then
            want='^401$'
        fi
        request "$method" "$2${path//\{+([!\}])\}/$NOBODY}" -H "X-User-ID: $NOBODY"
        expect_match "$method $path" "$STATUS" "$want"
        [ "$STATUS" != 401 ] || expect "challenge of $method $path" "$(header www-authenticate)" 'Bearer realm="ticketing"'
    done < <("$(program "$1")" --routes)
}

token_buys() {
    open_session 1 2
    with "$(token "$ANNA")"
    send POST "$JWT_BOOKING/api/v1/reservations" "$(reservation_json "${SEATS[0]}")" "${AS[@]}" -H "X-User-ID: $BELA"
    expect_status 201
    expect_json '.user_id == $anna' --arg anna "$ANNA"
    JWT_RESERVATION=$(json .id)
    request POST "$JWT_BOOKING/api/v1/reservations/$JWT_RESERVATION/confirm" "${AS[@]}"
    expect_status 200
    get "$JWT_BOOKING/api/v1/tickets/user/$ANNA" "${AS[@]}"
    expect_status 200
    expect_json 'length == 1'
    JWT_TICKET=$(json '.[0].id')
}

strangers_see_nothing() {
    with "$(token "$BELA")"
    get "$JWT_BOOKING/api/v1/reservations/$JWT_RESERVATION" "${AS[@]}" -H "X-User-ID: $ANNA"
    expect_problem 404 not_found
    request DELETE "$JWT_BOOKING/api/v1/reservations/$JWT_RESERVATION" "${AS[@]}"
    expect_problem 404 not_found
    get "$JWT_BOOKING/api/v1/tickets/user/$ANNA" "${AS[@]}"
    expect_problem 404 not_found
    get "$JWT_BOOKING/api/v1/tickets/$JWT_TICKET" "${AS[@]}"
    expect_problem 404 not_found
    get "$JWT_BOOKING/api/v1/tickets/$JWT_TICKET/qr" "${AS[@]}" -H "X-User-ID: $ANNA"
    expect_problem 404 not_found
    get "$JWT_BOOKING/api/v1/tickets/$JWT_TICKET"
    expect_problem 401 no_identity
}

# Subjects that are no UUIDs: each a user of its own, with keys, reservations and tickets of its own.
subjects_are_kept_apart() {
    local name key
    key=$(uuid)
    open_session 1 2
    declare -A ids=()
    for name in 'auth0|anna' 'auth0|Anna'; do
        with "$(token "$name")"
        send POST "$JWT_BOOKING/api/v1/reservations" "$(reservation_json "${SEATS[${#ids[@]}]}")" "${AS[@]}" \
            -H "Idempotency-Key: $key"
        expect_status 201
        ids[$name]=$(json .user_id)
        get "$JWT_BOOKING/api/v1/reservations" "${AS[@]}"
        expect_json '[.. | objects | .user_id? // empty] | unique == [$id]' --arg id "${ids[$name]}"
        get "$JWT_BOOKING/api/v1/tickets/user/${ids[$name]}" "${AS[@]}"
        expect_status 200
    done
    expect "two users" "$([ "${ids['auth0|anna']}" != "${ids['auth0|Anna']}" ] && echo yes)" yes
    get "$JWT_BOOKING/api/v1/tickets/user/${ids['auth0|anna']}" "${AS[@]}"
    expect_problem 404 not_found
    expect "the id as documented" "${ids['auth0|anna']}" "$(user_id_of "$TOKEN_ISSUER" 'auth0|anna')"
}

# user_id_of ISS SUB: as docs/SECURITY.md says.
user_id_of() {
    python3 -c 'import sys, uuid; print(uuid.uuid5(uuid.uuid5(uuid.NAMESPACE_URL, sys.argv[1]), sys.argv[2]))' "$1" "$2"
}

catalog_keys_are_kept_apart() {
    local name key
    key=$(uuid)
    for name in desk counter; do
        with "$(token "$name" '"scope": "catalog:write"')"
        send POST "$JWT_EVENT/api/v1/organizers" "{\"name\": \"$name\", \"contact_email\": \"a@b.example\"}" "${AS[@]}" \
            -H "Idempotency-Key: $key"
        expect_status 201
        expect_json '.name == $name' --arg name "$name"
    done
}

rights_are_needed() {
    local organizer='{"name": "Tokens", "contact_email": "a@b.example"}' tier='{"name": "T", "description": "", "multiplier": 1}'
    with "$(token "$ANNA" '"scope": "pricing:write catalog:read"')"
    settle
    send POST "$JWT_EVENT/api/v1/organizers" "$organizer" "${AS[@]}"
    expect_problem 403 insufficient_scope
    expect "challenge" "$(header www-authenticate)" \
        'Bearer realm="ticketing", error="insufficient_scope", scope="catalog:write"'
    request DELETE "$JWT_EVENT/api/v1/organizers/$ORGANIZER_ID" "${AS[@]}"
    expect_problem 403 insufficient_scope
    expect_nothing_changed
    send POST "$JWT_BOOKING/api/v1/price-tiers" "$tier" "${AS[@]}"
    expect_status 201
    with "$(token desk '"scope": "catalog:write"')"
    send POST "$JWT_EVENT/api/v1/organizers" "$organizer" "${AS[@]}"
    expect_status 201
    send POST "$JWT_BOOKING/api/v1/admin/price-tiers" "$tier" "${AS[@]}"
    expect_problem 403 insufficient_scope
    get "$JWT_BOOKING/api/v1/admin/price-tiers" "${AS[@]}"
    expect_problem 403 insufficient_scope
}

refused_token() { # WHAT TOKEN
    get "$JWT_BOOKING/api/v1/reservations?limit=1" -H "Authorization: Bearer $2"
    expect "$1" "$STATUS $(json .code)" "401 invalid_token"
    expect_match "challenge of $1" "$(header www-authenticate)" 'error="invalid_token"'
}

forged_tokens() {
    local good header='{"alg": "HS256"}' pad
    good=$(token "$ANNA")
    get "$JWT_BOOKING/api/v1/reservations?limit=1" -H "Authorization: Bearer $good"
    expect_status 200
    refused_token "alg none" "$(printf '{"alg": "none"}' | b64url).$(token_claims "$ANNA" | b64url)."
    refused_token "another secret" "$(token_sign HS256 "${TOKEN_SECRET}x" "$header" "$(token_claims "$ANNA")")"
    refused_token "claims exchanged" "${good%%.*}.$(token_claims "$BELA" | b64url).${good##*.}"
    refused_token "expired" "$(token "$ANNA" '"exp": 1000000000')"
    refused_token "not yet" "$(token "$ANNA" "\"nbf\": $(($(date +%s) + 600))")"
    refused_token "another issuer" "$(token "$ANNA" '"iss": "https://other.example"')"
    refused_token "another audience" "$(token "$ANNA" '"aud": ["other"]')"
    refused_token "no user" "$(token '')"
    refused_token "no sub" "$(token '' '"sub": null')"
    pad=$(head -c 9000 /dev/zero | tr '\0' x)
    refused_token "oversize" "$(token "$ANNA" "\"pad\": \"$pad\"")"
    refused_token "no token at all" "x"
}

tokens_stay_out_of_logs() {
    expect "parts of tokens in the logs" "$(grep -cE 'eyJ|Bearer e|integration-test-token' "$JWT_EVENT_LOG" "$JWT_BOOKING_LOG" |
        cut -d: -f2 | sort -u)" 0
    get "$JWT_BOOKING/metrics"
    expect_match "counted" "$(body)" 'auth_tokens_total\{result="refused"\} [1-9]'
    expect_match "remembered" "$(body)" 'auth_tokens_total\{result="remembered"\} [1-9]'
}

jwt_services_end() {
    INSTANCE_PID=$JWT_BOOKING_PID instance_end TERM
    expect "exit status" $? 0
    INSTANCE_PID=$JWT_EVENT_PID instance_end TERM
    expect "exit status" $? 0
}

answer_to() { # TOKEN → status
    get "$INSTANCE_URL/api/v1/reservations?limit=1" -H "Authorization: Bearer $1"
    echo "$STATUS"
}

# The issuer changes its key: both are in the file for a while, then only the new one.
keys_rotate() {
    local of_old of_new
    token_key old rsa
    token_key new rsa
    of_old=$(token_sign RS256 old '{"alg": "RS256", "kid": "old"}' "$(token_claims "$ANNA")")
    of_new=$(token_sign RS256 new '{"alg": "RS256", "kid": "new"}' "$(token_claims "$ANNA")")
    printf '{"keys": [%s]}' "$(token_jwk old)" >"$WORK/keys.json"
    quietly instance_start booking-svc "${JWT_MODE[@]}" JWT_KEYS_FILE="$WORK/keys.json"
    expect "the old key's token" "$(answer_to "$of_old")" 200
    expect "the new key's token" "$(answer_to "$of_new")" 401
    printf '{"keys": [%s, %s]}' "$(token_jwk old)" "$(token_jwk new)" >"$WORK/keys.json"
    kill -s HUP "$INSTANCE_PID"
    eventually 5 "the new key's token" 200 answer_to "$of_new"
    expect "the old key's token" "$(answer_to "$of_old")" 200
    printf '{"keys": [%s' "$(token_jwk new)" >"$WORK/keys.json"
    kill -s HUP "$INSTANCE_PID"
    eventually 5 "errors in the log about a broken file" 1 grep -c 'keys not reloaded' "$INSTANCE_LOG"
    expect "the old key's token, with the broken file" "$(answer_to "$of_old")" 200
    printf '{"keys": [%s]}' "$(token_jwk new)" >"$WORK/keys.json"
    kill -s HUP "$INSTANCE_PID"
    eventually 5 "the old key's token" 401 answer_to "$of_old"
    expect "the new key's token" "$(answer_to "$of_new")" 200
    instance_end TERM
    expect "exit status" $? 0
}

key_confusion() {
    token_key curve ec
    quietly instance_start booking-svc "${JWT_MODE[@]}" JWT_KEYS_FILE="$WORK/curve.pem"
    expect "ES256" "$(answer_to "$(token_sign ES256 curve '{"alg": "ES256"}' "$(token_claims "$ANNA")")")" 200
    expect "HS256 with the public key's text" \
        "$(answer_to "$(token_sign HS256 "$(cat "$WORK/curve.pem")" '{"alg": "HS256"}' "$(token_claims "$ANNA")")")" 401
    expect "a kid that is a path" \
        "$(answer_to "$(token_sign HS256 x '{"alg": "HS256", "kid": "/dev/null"}' "$(token_claims "$ANNA")")")" 401
    instance_end TERM
    expect "exit status" $? 0
}

# no_start NAME LINE KEY=VALUE…: ends at once, and a line names the setting.
no_start() {
    local name=$1 line=$2
    shift 2
    program_env "$name"
    env "${PROGRAM_ENV[@]}" "$@" timeout 10 "$(program "$name")" >"$WORK/refused" 2>&1
    expect_match "exit status of $name" $? '^[12]$'
    expect_match "output of $name" "$(cat "$WORK/refused")" "$line"
}

weak_settings() { # NAME
    no_start "$1" 'CONFIG: JWT_SECRET:' "${JWT_MODE[@]}"
    no_start "$1" 'CONFIG: JWT_SECRET:' "${JWT_MODE[@]}" JWT_SECRET=short
    no_start "$1" 'CONFIG: JWT_SECRET:' "${JWT_MODE[@]}" JWT_SECRET=local-development-only-change-me-please-0001
    no_start "$1" 'CONFIG: JWT_AUDIENCE:' "${JWT_MODE[@]}" JWT_SECRET="$TOKEN_SECRET" JWT_AUDIENCE=
    no_start "$1" 'CONFIG: INTERNAL_API_KEY:' "${JWT_MODE[@]}" JWT_SECRET="$TOKEN_SECRET" INTERNAL_API_KEY=
    no_start "$1" 'cannot be opened' "${JWT_MODE[@]}" JWT_KEYS_FILE="$WORK/nowhere.pem"
}

default_qr_secret() {
    no_start booking-svc 'CONFIG: SECRET_KEY:' "${JWT_MODE[@]}" JWT_SECRET="$TOKEN_SECRET" \
        SECRET_KEY=local-development-only-change-me-please-0001
}

dev_mode_says_so() { # NAME
    quietly instance_start "$1" AUTH_MODE=dev
    expect_match "the log" "$(cat "$INSTANCE_LOG")" 'level=warning[^
]*AUTH_MODE=dev: X-User-ID is trusted'
    kill -s HUP "$INSTANCE_PID"
    eventually 5 "lines about keys" 1 grep -c 'no file of keys' "$INSTANCE_LOG"
    instance_end TERM
    expect "exit status" $? 0
}

if have_programs; then
    check "both services start with AUTH_MODE=jwt" jwt_services
    check "event-svc: writing the catalog wants a token, reading none" routes_and_their_need event-svc "$JWT_EVENT" \
        '^(POST|PATCH|DELETE) '
    check "booking-svc: reservations, tickets and tiers want a token" routes_and_their_need booking-svc "$JWT_BOOKING" \
        '^[A-Z]+ /api/v1/(reservations|tickets|admin)|^POST '
    check "a token buys a ticket for its user, whatever X-User-ID says" token_buys
    check "other users' tokens see nothing of it" strangers_see_nothing
    check "a sub that is no UUID is a user with keys and reservations of its own" subjects_are_kept_apart
    check "in the catalog, too, two subjects may use one Idempotency-Key" catalog_keys_are_kept_apart
    check "scopes decide who writes the catalog and the prices" rights_are_needed
    check "forged, expired and foreign tokens are refused" forged_tokens
    check "tokens stay out of the log and are counted" tokens_stay_out_of_logs
    check "both services end well" jwt_services_end
    check "keys rotate on SIGHUP; a broken file keeps the old ones" keys_rotate
    check "a public key is no secret, a kid is no path" key_confusion
    for name in event-svc booking-svc; do
        check "$name: AUTH_MODE=jwt does not start with weak settings" weak_settings "$name"
        check "$name: AUTH_MODE=dev is said loudly" dev_mode_says_so "$name"
    done
    check "booking-svc: AUTH_MODE=jwt does not start with the default QR key" default_qr_secret
else
    skip "AUTH_MODE=jwt" "the programs are not built here"
fi
