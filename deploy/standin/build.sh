#!/usr/bin/env bash
# Builds stand-ins for the images docker-compose.yml names, from Debian packages; see README.md. `--remove` deletes them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

BASE=debian:bookworm-slim
MIRROR=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
SECURITY=${DEBIAN_SECURITY_MIRROR:-http://deb.debian.org/debian-security}
IMAGES='postgres=postgres:15 redis=redis:7 rabbitmq=rabbitmq:3-management'

make_base() {
    local tree
    docker image inspect "$BASE" >/dev/null 2>&1 && return 0
    if timeout 120 docker pull -q "$BASE" >/dev/null 2>&1; then
        return 0
    fi
    echo "==> $BASE cannot be pulled: building it with debootstrap"
    command -v debootstrap >/dev/null || { echo "build.sh: needs debootstrap" >&2; return 1; }
    tree=$(mktemp -d)
    debootstrap --variant=minbase bookworm "$tree" "$MIRROR" >/dev/null
    printf 'deb %s bookworm main\ndeb %s bookworm-updates main\ndeb %s bookworm-security main\n' \
        "$MIRROR" "$MIRROR" "$SECURITY" >"$tree/etc/apt/sources.list"
    rm -rf "$tree"/var/cache/apt/archives/*.deb "$tree"/var/lib/apt/lists/*
    tar -C "$tree" -c . | docker import - "$BASE" >/dev/null
    rm -rf "$tree"
}

main() {
    local pair
    if [ "${1:-}" = --remove ]; then
        for pair in $IMAGES; do
            docker image rm "${pair#*=}" || true
        done
        return
    fi
    make_base
    for pair in $IMAGES; do
        echo "==> ${pair#*=}"
        docker build -q -f "${pair%%=*}.Dockerfile" -t "${pair#*=}" .
    done
}

main "$@"
