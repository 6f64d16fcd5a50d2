#!/bin/bash
# SPDX-License-Identifier: MIT
#
# systemd accepts the units, and they leave the program few rights.
set -eEu
trap 'echo "$0: line $LINENO: status $?: $BASH_COMMAND" >&2' ERR
cd "$(dirname "$0")/../.."
if ! command -v systemd-analyze >/dev/null; then
    echo 'skipped: no systemd-analyze (Debian package: systemd)' >&2
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
# systemd-analyze also checks that the program exists. It is not installed here.
sed -i "s|^ExecStart=.*|ExecStart=$(command -v true)|" "$directory/kheops-webhooks.service"
# For what it does not understand it warns, and exits with 0.
warnings=$(systemd-analyze verify --man=no --recursive-errors=no "$directory"/kheops-webhooks.* 2>&1) ||
    fail 'systemd-analyze verify fails'
[ -z "$warnings" ] || fail "systemd-analyze warns: $warnings"

systemd-analyze security --offline=yes --no-pager --threshold=15 \
    systemd/kheops-webhooks.service >"$directory/security" 2>&1 ||
    fail "exposure over 1.5: $(grep -v '^✓' "$directory/security")"

# nginx uses the unit's socket, and the program knows the settings.
grep -q "unix:$(sed -n 's/^ListenStream=//p' systemd/kheops-webhooks.socket);" nginx/kheops-webhooks.conf ||
    fail 'nginx/kheops-webhooks.conf has another socket than the unit'
while IFS='=' read -r name _; do
    "${BUILD_DIR:-build}/kheops-webhooks" --help | grep -q "$name" ||
        fail "systemd/environment sets $name, which the program does not know"
done < <(grep -v '^#' systemd/environment | grep .)

exit $((failures > 0))
