#!/usr/bin/env bash
# install-packages.sh PACKAGE…: apt-get install, without a system-wide server being started, created or enabled.
#
# On Debian the packages of PostgreSQL, Redis and RabbitMQ start their server at once, on the ports this stack wants,
# and again at every boot. Three things keep them from it, and each is put back before this script ends:
#   /usr/sbin/policy-rc.d                        answers 101, "not allowed", to every start; an existing one is kept aside
#   /etc/postgresql-common/createcluster.d/…     create_main_cluster = false
#   units that this run installed                are disabled; units that were there before stay as they are
set -euo pipefail

POLICY=/usr/sbin/policy-rc.d
POLICY_ASIDE=/usr/sbin/policy-rc.d.before-ticketing
CLUSTER=/etc/postgresql-common/createcluster.d/ticketing.conf
UNITS='redis-server.service rabbitmq-server.service epmd.service epmd.socket'

[ "$(id -u)" -eq 0 ] || { echo "install-packages.sh: needs root" >&2; exit 1; }
[ $# -gt 0 ] || { echo "usage: install-packages.sh PACKAGE…" >&2; exit 2; }

forbid_starts() {
    if [ -e "$POLICY" ] && [ ! -e "$POLICY_ASIDE" ]; then # not ours from a run that was killed
        mv "$POLICY" "$POLICY_ASIDE"
    fi
    printf '#!/bin/sh\n# Temporary: packages are being installed, their servers must not start.\nexit 101\n' >"$POLICY"
    chmod 755 "$POLICY"
}

restore() {
    rm -f "$POLICY" "$CLUSTER"
    rmdir "$(dirname "$CLUSTER")" 2>/dev/null || true # unless it held something before
    [ ! -e "$POLICY_ASIDE" ] || mv "$POLICY_ASIDE" "$POLICY"
}

unit_exists() { [ -e "/lib/systemd/system/$1" ] || [ -e "/etc/systemd/system/$1" ]; }

# disable_new UNIT…: those that were not there when we began. Without systemctl nobody follows the links today, but systemd
# may be installed later.
disable_new() {
    local unit
    for unit in "$@"; do
        unit_exists "$unit" || continue
        if command -v systemctl >/dev/null; then
            systemctl disable "$unit" >/dev/null 2>&1 || true
        else
            find /etc/systemd/system -path "*.wants/$unit" -type l -delete
        fi
        [ ! -e "/etc/init.d/${unit%.service}" ] || update-rc.d "${unit%.service}" disable >/dev/null 2>&1 || true
    done
}

apt() {
    apt-get -q -y -o DPkg::Lock::Timeout=300 -o APT::Install-Recommends=false "$@"
}

# The lists may be older than the mirror: then once more with new ones.
install() { apt install "$@" || { apt update && apt install "$@"; }; }

main() {
    local unit new=''
    export DEBIAN_FRONTEND=noninteractive
    for unit in $UNITS; do
        unit_exists "$unit" || new="$new $unit"
    done
    trap restore EXIT
    trap 'exit 130' INT TERM
    forbid_starts
    apt --simulate install "$@" >/dev/null 2>&1 || apt update # an image may come without lists
    if [[ " $* " == *" postgresql-15 "* ]]; then
        install postgresql-common # first, so that its configuration exists before a cluster would be made
        mkdir -p "$(dirname "$CLUSTER")"
        echo 'create_main_cluster = false' >"$CLUSTER"
    fi
    install "$@"
    # shellcheck disable=SC2086
    disable_new $new
}

main "$@"
