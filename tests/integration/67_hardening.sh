# shellcheck shell=bash
# Hardening: what the linker and the compiler put into the programs

elf() { # NAME READELF-OPTION…
    readelf -W "${@:2}" "$(program "$1")" 2>"$WORK/readelf.err"
}

layout_is_hardened() { # NAME
    expect_match "position independent" "$(elf "$1" -h)" 'Type: +DYN'
    expect_match "bindings are resolved at start" "$(elf "$1" -d)" 'FLAGS.*(BIND_NOW|NOW)'
    expect_match "and read-only from then on" "$(elf "$1" -l)" 'GNU_RELRO'
    expect "segments that can be written and executed" "$(elf "$1" -l | grep -cE '(LOAD|GNU_STACK) .* RWE ')" 0
    expect "a stack without the right to execute" "$(elf "$1" -l | grep -cE 'GNU_STACK .* RW ')" 1
    expect "search paths of its own" "$(elf "$1" -d | grep -cE 'RPATH|RUNPATH|TEXTREL')" 0
}

code_is_hardened() { # NAME
    local units flag
    expect_match "stack canaries" "$(elf "$1" --dyn-syms)" '__stack_chk_fail'
    expect_match "checked copies" "$(elf "$1" --dyn-syms)" '__(snprintf|memcpy|vsnprintf|read)_chk'
    elf "$1" --debug-dump=info --dwarf-depth=1 | grep -E 'DW_AT_producer.*GNU C' >"$WORK/units"
    units=$(wc -l <"$WORK/units")
    expect_between "compilation units" "$units" 10 1000
    for flag in -fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIE; do
        expect "units compiled with $flag" "$(grep -c -e "$flag" "$WORK/units")" "$units"
    done
}

if have_programs && [ "$VARIANT" = release ]; then
    for name in event-svc booking-svc booking-worker; do
        check "$name: position independent, read-only after linking, no executable stack" layout_is_hardened "$name"
        check "$name: canaries, checked copies, probed stacks, marked jump targets" code_is_hardened "$name"
    done
else
    skip "hardening" "only the release build carries all of it"
fi
