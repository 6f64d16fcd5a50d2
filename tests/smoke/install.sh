#!/bin/bash
# SPDX-License-Identifier: MIT
#
# make install installs all files where README.md says, and no others; make uninstall removes them. Both
# refuse a PREFIX that the units cannot contain, and make a build tree that it cannot write.
set -eEu
trap 'echo "$0: line $LINENO: status $?: $BASH_COMMAND" >&2' ERR
cd "$(dirname "$0")/../.."
build=${BUILD_DIR:-build}
directory=$(mktemp -d "${TMPDIR:-/tmp}/kheops install.XXXXXX") # DESTDIR may contain spaces
trap 'rm -rf "$directory"' EXIT
if [ ! -x "$build/kheops-webhooks" ]; then
    echo "$build/kheops-webhooks is not built" >&2
    exit 1
fi
# This make must not inherit the options of a `make test` that runs this script.
unset MAKEFLAGS MFLAGS MAKELEVEL
failures=0

fail() {
    echo "$1" >&2
    failures=$((failures + 1))
}

run_make() {
    make --silent BUILD="$build" DESTDIR="$directory" "$@"
}

installed() {
    (cd "$directory" && find . -type f -printf '%m %P\n' | sort -k 2)
}

# expected PREFIX: the files to expect.
expected() {
    {
        echo "755 $1/sbin/kheops-webhooks"
        printf "644 $1/share/doc/kheops-webhooks/%s\n" \
            CHANGELOG.md LICENSE README.md SECURITY.md docs/*.md docs/*.yaml
        echo "644 $1/share/man/man8/kheops-webhooks.8"
        for file in examples/* nginx/*.conf sql/*.sql sql/list_webhooks_accelerated.sql sql/README.md; do
            echo "644 $1/share/kheops-webhooks/$file"
        done
        echo "644 $1/share/kheops-webhooks/systemd/environment"
        echo "755 $1/share/kheops-webhooks/scripts/compare"
        echo "644 $1/lib/sysusers.d/kheops-webhooks.conf"
        printf "644 $1/lib/systemd/system/kheops-webhooks.%s\n" service socket
    } | sort -k 2
}

# same WHAT EXPECTED GOT
same() {
    [ "$2" = "$3" ] || fail "$1:
$(diff <(echo "$2") <(echo "$3"))"
}

make --dry-run BUILD="$build" | grep -q 'cmake --build .* --target kheops-webhooks' ||
    fail 'make without a target does not build the program'

umask 077 # a strict umask: installed files must be readable nevertheless
run_make PREFIX=/usr install
same 'PREFIX=/usr' "$(expected usr)" "$(installed)"
"$directory/usr/sbin/kheops-webhooks" --version >/dev/null || fail 'the installed program does not run'
for file in nginx/kheops-webhooks.conf nginx/kheops-drop-in.conf sql/schema.sql; do
    cmp "$file" "$directory/usr/share/kheops-webhooks/$file" || fail "$file is not the same as in the sources"
done
grep -qx 'ExecStart=/usr/sbin/kheops-webhooks' "$directory/usr/lib/systemd/system/kheops-webhooks.service" ||
    fail 'the unit starts another program than the one installed'
if grep /usr/local "$directory/usr/share/man/man8/kheops-webhooks.8" >&2; then
    fail 'the manual page names other paths than those of this installation'
fi
[ -z "$(find "$directory/usr" -type d ! -perm 755)" ] || fail "not of mode 755: $(find "$directory/usr" -type d ! -perm 755)"
run_make PREFIX=/usr uninstall >/dev/null
same 'uninstalled' '' "$(installed)"

rm -rf "${directory:?}"/*
env -u PREFIX make --silent BUILD="$build" DESTDIR="$directory" install
same 'without PREFIX' "$(expected usr/local)" "$(installed)"

# The links of an enabled unit go with it, those of the package's unit stay.
if command -v systemctl >/dev/null; then
    links() {
        find "$directory/etc" -type l -printf '%f -> %l\n' | sort
    }
    systemctl --quiet --root="$directory" enable kheops-webhooks.socket kheops-webhooks.service
    [ "$(links | wc -l)" -eq 2 ] || fail "not the links of two units: $(links)"
    run_make PREFIX=/usr uninstall >/dev/null
    [ "$(links | wc -l)" -eq 2 ] || fail "uninstalling another PREFIX left: $(links)"
    run_make PREFIX=/usr/local/ uninstall >/dev/null
    same 'the links of units after uninstalling' '' "$(links)"
fi

# refused MESSAGE ARGUMENT…: make fails with that message, before it installs a file.
refused() {
    local message=$1
    shift
    rm -rf "${directory:?}"/*
    if run_make "$@" >/dev/null 2>"$directory.errors" || ! grep -q "^make: $message" "$directory.errors" ||
        [ -n "$(ls -A "$directory")" ]; then
        fail "make $*: succeeded, or left files ($(ls -A "$directory")), or not \"$message\": $(<"$directory.errors")"
    fi
    rm -f "$directory.errors"
}
for prefix in '/opt/a b' '/opt/a|b' '/opt/a&b' "/opt/a'b" '/opt/a"b' '/opt/a\b' '/opt/a%b' '/opt/ä' opt; do
    refused 'PREFIX is ' PREFIX="$prefix" install
    refused 'PREFIX is ' PREFIX="$prefix" uninstall
done
# Not even root can write there.
refused 'cannot write to the build tree /proc/build' BUILD=/proc/build all

exit $((failures > 0))
