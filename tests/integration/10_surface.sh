# shellcheck shell=bash
# shellcheck disable=SC2016 # jq has dollar signs
# What every service answers: health, metrics, documents

health_names() { # URL DEPENDENCY…
    local url=$1 name
    shift
    get "$url/health"
    expect_status 200
    expect_match "content type" "$(header content-type)" '^application/json'
    for name in "$@"; do
        expect_json 'tostring | contains($name)' --arg name "$name"
    done
}

probes_answer() { # URL
    get "$1/livez"
    expect_status 200
    get "$1/readyz"
    expect_status 200
}

metrics_are_prometheus() { # URL
    get "$1/metrics"
    expect_status 200
    expect_match "content type" "$(header content-type)" '^text/plain'
    expect "lines that are neither comments nor samples" \
        "$(grep -cvE '^(#|$|[a-zA-Z_:][a-zA-Z0-9_:]*(\{([^"}]|"[^"]*")*\})? [-+0-9.eE]+(Inf|NaN)?$)' "$WORK/body")" 0
    expect_match "process metrics" "$(body)" process_resident_memory_bytes
}

document_is_openapi() { # URL
    get "$1/openapi.json"
    expect_status 200
    expect_json '(.openapi | startswith("3.1")) and (.paths | length) > 10'
    expect_json '[.paths[][] | select(type == "object" and .requestBody != null)
        | .requestBody.content["application/json"] | has("example") or has("examples")] | all'
}

docs_open() { # URL
    get "$1/docs" -L
    expect_status 200
    expect_match "content type" "$(header content-type)" '^text/html'
    expect_match "the page names the document" "$(body)" 'openapi\.json'
    expect "addresses of other hosts in the page" "$(grep -cE '(src|href)="(https?:)?//' "$WORK/body")" 0
}

# The document says GET /a/{id}; the program says GET /a/{id}. Names of parameters must agree as well.
document_operations() {
    jq -r '.paths | to_entries[] | .key as $path | .value | to_entries[]
        | select(.key | IN("get", "post", "put", "patch", "delete")) | (.key | ascii_upcase) + " " + $path' "$1" | sort
}

document_matches_routes() { # SERVICE URL
    get "$2/openapi.json"
    document_operations "$WORK/body" >"$WORK/documented"
    "$(program "$1")" --routes | sort >"$WORK/routed"
    expect_match "routes of the program" "$(wc -l <"$WORK/routed")" '^ *[1-9][0-9]'
    expect "routes without a document" "$(comm -13 "$WORK/documented" "$WORK/routed")" ""
    expect "documented, but no route" "$(comm -23 "$WORK/documented" "$WORK/routed")" ""
}

# Asked with a method nobody offers, each documented path answers 405 and lists exactly the documented methods.
documented_paths_exist() { # URL
    local path methods allowed
    get "$1/openapi.json"
    document_operations "$WORK/body" | awk '{ m[$2] = m[$2] " " $1 } END { for (p in m) print p m[p] }' | sort >"$WORK/paths"
    while read -r path methods; do
        # /a/all is a path of /a/{id} as well
        methods+=" $(awk -v sibling="${path%/*}/{id}" '$1 == sibling { $1 = ""; print }' "$WORK/paths")"
        request OPTIONS "$1${path//\{+([!\}])\}/$NOBODY}"
        expect "OPTIONS $path" "$STATUS" 405
        allowed=$(header allow | tr ',' '\n' | tr -d ' ' | grep -v '^HEAD$' | sort | xargs)
        expect "Allow of $path" "$allowed" "$(tr ' ' '\n' <<<"$methods" | sort -u | xargs)"
    done <"$WORK/paths"
}

documents_agree_on_success() { # URL: each operation documents a success and a problem
    get "$1/openapi.json"
    expect_json '[.paths[][] | select(type == "object" and has("responses")) | .responses | keys
        | any(startswith("2") or startswith("3"))] | all'
}

# Every example body in the document is sent as it stands. Its ids lead nowhere, but its shape must be accepted: no member
# unknown, missing or of the wrong type.
examples_are_understood() { # URL
    local method path example
    get "$1/openapi.json"
    jq -r '.paths | to_entries[] | .key as $path | .value | to_entries[]
        | select(.value | type == "object" and has("requestBody")) | (.key | ascii_upcase) as $method
        | .value.requestBody.content["application/json"] | ([.example // empty] + [.examples // {} | .[].value])[]
        | [$method, $path, tojson] | join("\t")' "$WORK/body" >"$WORK/examples"
    while IFS=$'\t' read -r method path example; do
        send "$method" "$1${path//\{+([!\}])\}/$NOBODY}" "$example" -H "X-User-ID: $NOBODY" \
            ${INTERNAL_AUTH[@]+"${INTERNAL_AUTH[@]}"}
        expect_match "$method $path $example" "$STATUS" '^(2..|404|409|422)$'
        [ "$STATUS" != 422 ] ||
            expect_json '[.errors[].detail | select(test("known member|required|must be an? [a-zA-Z]+$"))] == []'
    done <"$WORK/examples"
}

request_ids_travel() { # URL
    get "$1/livez" -H 'X-Request-ID: check-4711'
    expect "echo" "$(header x-request-id)" check-4711
    get "$1/livez"
    expect_match "made" "$(header x-request-id)" '^[0-9a-f-]{36}$'
    get "$1/livez" -H "X-Request-ID: $(printf 'x%.0s' {1..200})"
    expect_match "too long: replaced" "$(header x-request-id)" '^[0-9a-f-]{36}$'
}

unknown_paths_are_problems() { # URL
    get "$1/no/such/thing"
    expect_problem 404 not_found
    get "$1/api/v1/%2e%2e/%2e%2e/etc/passwd"
    expect_problem 404 not_found
    get "$1/docs/..%2f..%2fREADME.md"
    expect "status" "$STATUS" 404
}

# A slip of the pen in a parameter must not be answered with everything.
unknown_parameters_are_named() { # URL
    local method path
    while read -r method path; do
        request "$method" "$1${path//\{+([!\}])\}/$NOBODY}?sicne=1" -H "X-User-ID: $NOBODY" ${INTERNAL_AUTH[@]+"${INTERNAL_AUTH[@]}"}
        expect "$method $path" "$STATUS $(json .code)" "422 validation_failed"
        expect_match "$method $path" "$(json .detail)" '^query parameter sicne: '
        expect "documented for $method $path" "$(jq -r --arg path "$path" --arg method "${method,,}" \
            '.paths[$path][$method].responses | has("422")' "$WORK/document")" true
    done < <(curl -sS "$1/openapi.json" | tee "$WORK/document" |
        jq -r '.paths | to_entries[] | select(.key | startswith("/api/")) | .key as $path | .value | keys[] | ascii_upcase + " " + $path')
    get "$1/livez?from=balancer"
    expect_status 200
}

repeated_parameters_are_named() { # URL-OF-A-LIST
    local pair
    for pair in 'limit=1&limit=2' 'cursor=&cursor=' 'limit=1&cursor=x&%6cimit=1'; do
        get "$1?$pair" -H "X-User-ID: $NOBODY"
        expect_problem 422 validation_failed
        expect_match "$pair" "$(json .detail)" '^query parameter (limit|cursor): given more than once'
    done
}

head_has_no_body() { # URL
    STATUS=$(curl -sS --max-time 10 -I -o "$WORK/headers" -w '%{http_code} %{size_download}' "$1/livez")
    expect "status and size" "$STATUS" "200 0"
    expect "server header" "$(header server)" ""
}

worker_is_up() {
    get "$WORKER_URL/health"
    expect_status 200
    get "$WORKER_URL/metrics"
    expect_status 200
}

surface_of() { # NAME URL DEPENDENCY…
    local name=$1 url=$2
    check "$name: /health is well and names its dependencies" health_names "${@:2}"
    check "$name: /livez and /readyz" probes_answer "$url"
    check "$name: /metrics is Prometheus text" metrics_are_prometheus "$url"
    check "$name: /openapi.json is OpenAPI 3.1 with an example for each body" document_is_openapi "$url"
    check "$name: every operation documents its success" documents_agree_on_success "$url"
    check "$name: /docs opens without the internet" docs_open "$url"
    if have_programs; then
        check "$name: document and routing table agree in both directions" document_matches_routes "$name" "$url"
    else
        skip "$name: document and routing table agree" "the programs are not built here"
    fi
    check "$name: every documented path answers, with the documented methods" documented_paths_exist "$url"
    check "$name: every example of the document is understood" examples_are_understood "$url"
    check "$name: X-Request-ID is echoed or made" request_ids_travel "$url"
    check "$name: unknown paths are 404 problems" unknown_paths_are_problems "$url"
    check "$name: HEAD has no body" head_has_no_body "$url"
    check "$name: query parameters that are not known are refused by name" unknown_parameters_are_named "$url"
}

surface_of event-svc "$EVENT_URL" postgres rabbitmq
surface_of booking-svc "$BOOKING_URL" postgres redis rabbitmq event
check "event-svc: a query parameter given twice is refused" repeated_parameters_are_named "$EVENT_URL/api/v1/organizers"
check "booking-svc: likewise" repeated_parameters_are_named "$BOOKING_URL/api/v1/reservations"
check "booking-worker: /health and /metrics" worker_is_up
