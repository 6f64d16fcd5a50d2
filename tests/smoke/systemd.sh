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

# Each setting of the file is an example that becomes active without its #, and the program knows it.
! grep -v '^#' systemd/environment | grep . || fail 'systemd/environment sets something'
sed -n 's/^#\(KHEOPS_\)/\1/p' systemd/environment >"$directory/settings"
[ -s "$directory/settings" ] || fail 'systemd/environment has no example'
while IFS='=' read -r name _; do
    "${BUILD_DIR:-build}/kheops-webhooks" --help | grep -q "$name" ||
        fail "systemd/environment has $name, which the program does not know"
done <"$directory/settings"

# The unit's condition, as /bin/sh runs it: without a setting, or with an empty one, it tells what to do.
condition=$(sed -n 's/^ExecCondition=\/bin\/sh -c "\(.*\)"$/\1/p' systemd/kheops-webhooks.service)
[ -n "$condition" ] || fail 'the unit has no ExecCondition that this test understands'
configured() { # NAME=VALUE...
    env --ignore-environment PATH="$PATH" "$@" /bin/sh -c "$condition" </dev/null 2>"$directory/message"
}
for setting in OTHER=1 KHEOPS_OIDC_PROVIDER=; do
    ! configured "$setting" || fail "the service starts with nothing but $setting"
    grep -q 'Edit /etc/kheops-webhooks/environment, then: systemctl restart kheops-webhooks$' \
        "$directory/message" || fail "with nothing but $setting the message is: $(cat "$directory/message")"
done
configured KHEOPS_OIDC_PROVIDER=https://provider.example || fail "the service is skipped though it has a setting"

exit $((failures > 0))
