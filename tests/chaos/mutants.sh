#!/usr/bin/env bash
# mutants.sh [NAME…]: proofs that the rig can fail. Each mutant is a copy of the tree with one rule broken; the run that is
# named with it must report a violation. Exit status 1 when one gets away.
set -u
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../deploy/lib.sh"
MUTANTS='no-fence early-ack new-id answer-in-doubt confirm-in-doubt unconfirmed'

# edit FILE EXPRESSION…: a mutant that changes nothing is a mistake of this script.
edit() {
    local file=$COPY/$1
    shift
    cp "$file" "$file.before"
    sed -i -E "$@" "$file"
    ! cmp -s "$file" "$file.before" || die "$NAME: nothing to change in $file"
    rm "$file.before"
}

# mutate: breaks the rule in $COPY and says which run must notice, in RUN.
mutate() {
    RUN=(--seed 21 --seconds 40 --rate 100)
    case $NAME in
    no-fence) # a message acts on its seats whoever holds them now, however old it is
        edit event-svc/adapters/seat_store.c -e "/WHEN i.revision <= h.revision THEN 'stale'/d" \
            -e "/WHEN NOT i.sell AND h.state = 'sold' THEN 'conflict'/d" -e "/WHEN i.sell AND h.state = 'released'/d" \
            -e "s/WHERE i.verdict = 'applied' AND i.state = 'held'\) w/WHERE i.verdict = 'applied') w/" \
            -e "s/ss.status = 'reserved' AND ss.reservation_id = w.reservation_id AS mine/ss.status <> 'available' AS mine/"
        RUN+=(--with shuffle)
        ;;
    early-ack) # acknowledged before it is applied; the sweep, which would repair it, is off
        edit event-svc/app/consumer.c -e 's/^    err = apply\(consumer, batch\);/    err = acknowledge(consumer, batch);\n    if (!err)\n        err = apply(consumer, batch);/' \
            -e '/^    if \(!err\)$/{N;s/.*err = acknowledge\(consumer, batch\);/    \/\* done \*\//}'
        RUN+=(--with crash --no-sweep --schedule "$ROOT/tests/chaos/scenarios/consumer.plan")
        ;;
    new-id) # a retry with the same key is a new reservation
        edit booking-svc/app/create_reservation.c -e 's/^        c->reservation_id = c->bind.reservation_id;/        (void)0;/'
        ;;
    answer-in-doubt) # a reservation whose commit nobody knows about is answered 201
        edit booking-svc/app/create_reservation.c -e '/struct create_flow, persist.base/,/^}/s/resume\(c, item->step,/resume(c, TK_STEP_OK,/'
        RUN+=(--schedule "$ROOT/tests/chaos/scenarios/commits.plan")
        ;;
    confirm-in-doubt) # a payment whose settlement nobody knows about is answered 200; the worker makes it true seconds later
        edit booking-svc/app/confirm_reservation.c -e '/struct confirm_run, settle.base/,/^}/s/resume\(c, item->step,/resume(c, item->step == TK_STEP_UNKNOWN ? TK_STEP_OK : item->step,/'
        RUN+=(--schedule "$ROOT/tests/chaos/scenarios/commits.plan")
        ;;
    unconfirmed) # outbox rows go when they were sent, not when the broker took them; the sweep is off
        edit shared/outbox/outbox.c -e 's/if \(messages\[i\].confirmed\)/if (true)/' -e 's/if \(confirmed == 0\) \{/if (count == 0) {/'
        RUN+=(--with crash --no-sweep --schedule "$ROOT/tests/chaos/scenarios/consumer.plan")
        ;;
    *) die "no such mutant: $NAME" ;;
    esac
}

try() {
    COPY=$(mktemp -d "${TMPDIR:-/tmp}/ticketing-mutant.XXXXXX")
    cp -a "$ROOT"/. "$COPY" && rm -rf "$COPY/.run" "$COPY/.git"
    mutate
    if "$COPY/tests/chaos/run.sh" "${RUN[@]}" >"$COPY/report" 2>&1; then
        complain "$NAME got away: ${RUN[*]}"
        BAD=1
    elif grep -qE '^(VIOLATION|CONTRADICTION)' "$COPY/report"; then
        good "$NAME is caught by ${RUN[*]}: $(grep -cE '^(VIOLATION|CONTRADICTION)' "$COPY/report") lines, the first $(grep -m 1 -E '^(VIOLATION|CONTRADICTION)' "$COPY/report")"
    else
        complain "$NAME: the run did not work"
        show_tail "$COPY/report"
        BAD=1
    fi
    grep -E '^(acknowledged|lost)' "$COPY/report"
    rm -rf "$COPY"
}

BAD=0
[ $# -gt 0 ] || read -ra MUTANTS <<<"$MUTANTS"
for NAME in "${@:-${MUTANTS[@]}}"; do
    try
done
exit "$BAD"
