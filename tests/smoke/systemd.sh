#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The units are what systemd understands, and leave the program few rights.
set -eEu
trap 'echo "$0: line $LINENO: status $?: $BASH_COMMAND" >&2' ERR
cd "$(dirname "$0")/../.."
if ! command -v systemd-analyze >/dev/null; then
    echo 'systemd-analyze is not there (Debian package: systemd)' >&2
    exit 77
fi
directory=$(mktemp -d "${TMPDIR:-/tmp}/kheops-systemd.XXXXXX")
trap 'rm -rf "$directory"' EXIT
failures=0

fail() {
    echo "$1" >&2
    failures=$((failures + 1))
}

cp systemd/*.s* "$directory"
# Verified is also that the program is there, which it is not before it is installed.
sed -i "s|^ExecStart=.*|ExecStart=$(command -v true)|" "$directory/kheops-webhooks.service"
# It only says what it does not understand, and exits with 0.
said=$(systemd-analyze verify --man=no --recursive-errors=no "$directory"/kheops-webhooks.* 2>&1) ||
    fail 'systemd-analyze verify fails'
[ -z "$said" ] || fail "systemd-analyze verify says: $said"

systemd-analyze security --offline=yes --no-pager --threshold=15 \
    systemd/kheops-webhooks.service >"$directory/security" 2>&1 ||
    fail "more than 1.5: $(grep -v '^✓' "$directory/security")"

# What others rely on: nginx on the socket, the program on its settings.
grep -q "unix:$(sed -n 's/^ListenStream=//p' systemd/kheops-webhooks.socket);" nginx/kheops-webhooks.conf ||
    fail 'nginx/kheops-webhooks.conf has another socket than the unit'
while IFS='=' read -r name _; do
    "${BUILD_DIR:-build}/kheops-webhooks" --help | grep -q "$name" ||
        fail "systemd/environment sets $name, which the program does not know"
done < <(grep -v '^#' systemd/environment | grep .)

exit $((failures > 0))
