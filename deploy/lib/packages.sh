# shellcheck shell=bash
# Debian packages: which are missing, and how they get here. deploy/packages.txt is the list.

# packages_of GROUP…: the names in those groups of packages.txt.
packages_of() {
    awk -v groups="$*" 'BEGIN { split(groups, list, " "); for (i in list) wanted[list[i]] = 1 }
        /^[a-z0-9]/ && $2 in wanted { print $1 }' "$ROOT/deploy/packages.txt"
}

# packages_missing GROUP…: those of them that are not installed.
packages_missing() {
    local -a names
    mapfile -t names < <(packages_of "$@")
    comm -13 <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${names[@]}" 2>/dev/null |
        awk '$1 == "installed" { print $2 }' | sort -u) <(printf '%s\n' "${names[@]}" | sort -u)
}

# packages_ensure GROUP…: installs what is missing, or says what the person has to do.
packages_ensure() {
    local missing
    local -a sudo=()
    command -v dpkg-query >/dev/null || {
        complain "this needs Debian 12 (dpkg is missing); with Docker, use ./start.sh --docker"
        return 1
    }
    missing=$(packages_missing "$@" | tr '\n' ' ')
    missing=${missing% }
    [ -n "$missing" ] || return 0
    step "Installing Debian packages: $missing"
    if [ "$(id -u)" -ne 0 ]; then
        sudo=(sudo)
        [ -t 0 ] || sudo+=(-n)
        if ! command -v sudo >/dev/null || ! "${sudo[@]}" true; then
            complain "installing packages needs root and sudo does not let us. As root, run:"
            printf '  %s %s\n' "deploy/install-packages.sh" "$missing" >&2
            return 1
        fi
    fi
    # shellcheck disable=SC2086
    "${sudo[@]}" "$ROOT/deploy/install-packages.sh" $missing || {
        complain "the packages could not be installed; is a Debian 12 mirror within reach?"
        return 1
    }
}
