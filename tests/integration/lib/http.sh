# shellcheck shell=bash
# shellcheck disable=SC2016 # the dollar signs in single quotes are jq's
#
# HTTP from the outside. request() leaves the status in STATUS, the headers and the body in files of WORK; the expect_*
# functions look at that last answer.

STATUS=

request() { # METHOD URL [CURL ARGUMENT…]
    local method=$1 url=$2
    shift 2
    : >"$WORK/body"
    STATUS=$(curl -sS --max-time 20 -X "$method" -o "$WORK/body" -D "$WORK/headers" -w '%{http_code}' "$@" "$url")
    LAST_REQUEST="$method $url"
}

get() { # URL [CURL ARGUMENT…]
    request GET "$@"
}

send() { # METHOD URL JSON [CURL ARGUMENT…]; CONTENT_TYPE overrides the type, empty sends none
    local method=$1 url=$2 body=$3
    shift 3
    request "$method" "$url" -H "Content-Type:${CONTENT_TYPE- application/json}" --data-binary "$body" "$@"
}

body() {
    cat "$WORK/body"
}

json() { # JQ FILTER → text
    jq -r "$1" "$WORK/body"
}

header() { # NAME → value of the last answer's header, empty when absent
    awk -v name="$(printf '%s' "$1" | tr '[:upper:]' '[:lower:]')" '
        { sub(/\r$/, "") }
        tolower($0) ~ "^" name ":" { sub(/^[^:]*:[ \t]*/, ""); print; exit }' "$WORK/headers"
}

answer_summary() {
    printf '%s answered %s: %s' "$LAST_REQUEST" "$STATUS" "$(head -c 600 "$WORK/body" | tr -d '\0')"
}

expect_status() { # STATUS
    ASSERTIONS=$((ASSERTIONS + 1))
    [ "$STATUS" = "$1" ] || fail "expected $1; $(answer_summary)"
}

expect_json() { # JQ CONDITION [JQ ARGUMENT…]
    local condition=$1
    shift
    ASSERTIONS=$((ASSERTIONS + 1))
    jq -e "$condition" "$@" <"$WORK/body" >/dev/null 2>&1 || fail "not true: $condition ($*); $(answer_summary)"
}

# The shape every error of ours has (RFC 9457 and our own members); POINTER, when given, must be among the errors.
expect_problem() { # STATUS CODE [POINTER]
    local path=${LAST_REQUEST#* }
    path=/${path#*://*/}
    expect_status "$1"
    expect "content type" "$(header content-type)" application/problem+json
    expect_json '.status == ($status | tonumber) and .code == $code and .type == "urn:ticketing:problem:" + $code
        and (.title | type == "string" and length > 0) and .instance == $path and .request_id == $request' \
        --arg status "$1" --arg code "$2" --arg path "${path%%\?*}" --arg request "$(header x-request-id)"
    if [ $# -ge 3 ]; then
        expect_json '[.errors[] | select(.detail | length > 0) | .pointer] | index($pointer) != null' --arg pointer "$3"
    fi
}

metric() { # URL SERIES → its value
    curl -sS --max-time 5 "$1/metrics" | awk -v name="$2" '$1 == name { print $2 }'
}

event_metric() { # SERIES → its value
    metric "$EVENT_URL" "$1"
}

booking_metric() { # SERIES → its value
    metric "$BOOKING_URL" "$1"
}

# --- many at once -----------------------------------------------------------------------------------------------------

# A volley is a set of requests sent by one curl process in parallel. volley_add writes one into the configuration;
# volley_fire sends them all and leaves lines `N STATUS` in $WORK/volley.codes and the bodies in $WORK/volley.N.
volley_open() {
    VOLLEY=0
    rm -f "$WORK"/volley.*
    : >"$WORK/volley.conf"
}

volley_add() { # METHOD URL USER JSON [HEADER…]
    local method=$1 url=$2 user=$3 body=$4 header
    shift 4
    VOLLEY=$((VOLLEY + 1))
    [ "$VOLLEY" -gt 1 ] && echo next >>"$WORK/volley.conf"
    {
        printf 'url = "%s"\nrequest = "%s"\nsilent\nmax-time = 20\n' "$url" "$method"
        printf 'header = "Content-Type: application/json"\nheader = "X-User-ID: %s"\n' "$user"
        [ -n "$body" ] && printf 'data-binary = "%s"\n' "${body//\"/\\\"}"
        for header in "$@"; do
            printf 'header = "%s"\n' "$header"
        done
        printf 'output = "%s/volley.%d"\nwrite-out = "%d %%{http_code}\\n"\n' "$WORK" "$VOLLEY" "$VOLLEY"
    } >>"$WORK/volley.conf"
}

volley_fire() { # AT_A_TIME
    curl --parallel --parallel-immediate --parallel-max "$1" -K "$WORK/volley.conf" >"$WORK/volley.codes" 2>/dev/null
}

volley_count() { # STATUS → how many answers had it
    grep -c " $1\$" "$WORK/volley.codes"
}

volley_with() { # STATUS → the numbers of those that had it
    awk -v status="$1" '$2 == status { print $1 }' "$WORK/volley.codes"
}

volley_tally() { # → "201:1 409:49"
    awk '{ n[$2]++ } END { for (s in n) print s ":" n[s] }' "$WORK/volley.codes" | sort | xargs
}

# --- below HTTP -------------------------------------------------------------------------------------------------------

# raw URL SECONDS: sends standard input over a plain socket, prints what comes back until the other side closes or SECONDS
# have passed. Redirect from a file rather than pipe into a function that asserts: a pipe is a subshell.
raw() {
    local host port fd
    host=${1#*://}
    port=${host##*:}
    host=${host%%:*}
    (
        trap '' PIPE
        exec {fd}<>"/dev/tcp/$host/$port" || exit 1
        cat >&"$fd"
        timeout "$2" cat <&"$fd"
    ) 2>/dev/null
}
