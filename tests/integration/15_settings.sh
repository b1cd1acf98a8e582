# shellcheck shell=bash
# shellcheck disable=SC2016 # jq has dollar signs
# Settings: what the programs accept, refuse and say about themselves

# refuses NAME KEY=VALUE PATTERN: the program ends at once, not with 0, and one line of its output names the setting.
refuses() {
    local code
    program_env "$1"
    env "${PROGRAM_ENV[@]}" "$2" timeout 10 "$(program "$1")" >"$WORK/refused" 2>&1
    code=$?
    expect "ended by itself" "$([ "$code" -ne 0 ] && [ "$code" -ne 124 ] && echo yes)" yes
    expect "lines naming ${2%%=*}" "$(grep -c "${2%%=*}" "$WORK/refused")" 1
}

nonsense_is_refused() { # NAME
    refuses "$1" PORT=abc
    refuses "$1" PORT=65536
    refuses "$1" LOG_LEVEL=loud
    refuses "$1" ENABLE_METRICS=perhaps
    refuses "$1" RABBITMQ_URL=http://nowhere
}

all_nonsense_is_named() {
    program_env booking-svc
    env "${PROGRAM_ENV[@]}" PORT=abc LOG_FORMAT=poem MOCK_PAYMENT_SUCCESS_RATE=2 timeout 10 "$(program booking-svc)" \
        >"$WORK/refused" 2>&1
    expect "settings named" "$(grep -oE 'PORT=|LOG_FORMAT=|MOCK_PAYMENT_SUCCESS_RATE=' "$WORK/refused" | sort | xargs)" \
        "LOG_FORMAT= MOCK_PAYMENT_SUCCESS_RATE= PORT="
}

words_in_any_case() {
    quietly instance_start booking-svc LOG_LEVEL=INFO LOG_FORMAT=JSON ENABLE_METRICS=False MOCK_PAYMENT_ENABLED=True
    get "$INSTANCE_URL/metrics"
    expect "metrics switched off" "$STATUS" 404
    expect "log lines that are not JSON" "$(jq -ce 'objects | empty' "$INSTANCE_LOG" 2>&1)" ""
    instance_end TERM
    expect "exit status" $? 0
}

secrets_stay_secret() {
    quietly instance_start booking-svc SECRET_KEY=do-not-print-me-0123456789 INTERNAL_API_KEY=nor-me-0123456789
    get "$INSTANCE_URL/health"
    expect_status 200
    expect "secrets in the log" "$(grep -cE 'do-not-print-me|nor-me-0123|:ticketing@' "$INSTANCE_LOG")" 0
    instance_end TERM
    expect "exit status" $? 0
}

internal_routes_want_the_key() {
    quietly instance_start event-svc INTERNAL_API_KEY=let-me-in-0123456789
    get "$INSTANCE_URL/api/internal/health"
    expect_problem 403 forbidden
    get "$INSTANCE_URL/api/internal/health" -H 'X-Internal-Api-Key: let-me-in'
    expect_problem 403 forbidden
    get "$INSTANCE_URL/api/internal/health" -H 'X-Internal-Api-Key: let-me-in-0123456789'
    expect_status 200
    get "$INSTANCE_URL/api/v1/organizers?limit=1"
    expect_status 200
    instance_end TERM
    expect "exit status" $? 0
}

open_internal_routes_are_said() { # NAME
    quietly instance_start "$1" INTERNAL_API_KEY=
    expect_match "the log says it" "$(cat "$INSTANCE_LOG")" 'level=warning[^
]*INTERNAL_API_KEY'
    instance_end TERM
    expect "exit status" $? 0
}

programs_say_their_version() {
    local name document
    for document in event-svc/openapi.json booking-svc/openapi.json; do
        for name in event-svc booking-svc booking-worker; do
            expect "--version, by $document" "$("$(program "$name")" --version)" "$name $(jq -r .info.version "$document")"
        done
    done
}

configuration_page_is_current() {
    deploy/config-docs.sh >"$WORK/CONFIG.md"
    expect "what make config-docs would change" "$(diff "$WORK/CONFIG.md" docs/CONFIG.md)" ""
}

if have_programs; then
    for name in event-svc booking-svc booking-worker; do
        check "$name: a setting that makes no sense is refused with one clear line" nonsense_is_refused "$name"
    done
    check "all programs and both documents have one version" programs_say_their_version
    check "docs/CONFIG.md is what the programs say" configuration_page_is_current
    check "every wrong setting is named at once" all_nonsense_is_named
    check "words in any case; JSON logs; metrics off" words_in_any_case
    check "secrets do not reach the log" secrets_stay_secret
    check "internal routes want the key once there is one" internal_routes_want_the_key
    check "event-svc says loudly that its internal routes are open" open_internal_routes_are_said event-svc
    check "booking-svc says loudly that its internal routes are open" open_internal_routes_are_said booking-svc
else
    skip "settings" "the programs are not built here"
fi
