#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Configuring the build fails with a libfcgi that has CVE-2025-23016, and with one that cannot be
# tested for it.
set -eEu
trap 'echo "$0: line $LINENO: status $?: $BASH_COMMAND" >&2' ERR
cd "$(dirname "$0")/../.."
directory=$(mktemp -d "${TMPDIR:-/tmp}/kheops-libfcgi.XXXXXX")
trap 'rm -rf "$directory"' EXIT
failures=0

# check WHAT PATTERN LIBRARY: configuring with that library fails and prints a match.
check() {
    if cmake -S . -B "$directory/build" -D KHEOPS_TESTS=OFF -D FCGI_LIBRARY="$3" \
        >"$directory/output" 2>&1 ||
        ! tr -s ' \n' ' ' <"$directory/output" | grep -Eq -- "$2"; then
        echo "$1: configured, or no match for: $2" >&2
        tail -n 20 "$directory/output" >&2
        failures=$((failures + 1))
    fi
    rm -rf "$directory/build"
}

compile() { # LIBRARY SOURCE
    "${CXX:-c++}" -std=c++20 -shared -fPIC -o "$directory/$1" "$2"
}

compile liboverrun.so tests/smoke/libfcgi_overrun.cpp
check 'a vulnerable one' 'liboverrun.so has CVE-2025-23016: ' "$directory/liboverrun.so"

printf '#include <fcgiapp.h>\n' >"$directory/stub.cpp"
printf '%s\n' 'int FCGX_Init() { return 1; }' \
    'int FCGX_InitRequest(FCGX_Request*, int, int) { return 1; }' \
    'int FCGX_Accept_r(FCGX_Request*) { return -1; }' >>"$directory/stub.cpp"
compile libstub.so "$directory/stub.cpp"
check 'one that fails the test' 'Cannot find out whether .*/libstub.so .* ended with .2.' "$directory/libstub.so"

exit $((failures > 0))
