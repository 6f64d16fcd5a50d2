#!/bin/bash
# SPDX-License-Identifier: MIT
#
#     tests/systems/manual.sh RELEASE
#
# Runs the examples of the manual page, as man prints them, on a Debian with the package, nginx and
# PostgreSQL. KHEOPS_PACKAGES names the directory with the package, built for that release. Needs root;
# exit status 77 if this machine cannot run whole systems.
set -eEu
cd "$(dirname "$0")/../.."
# shellcheck source-path=SCRIPTDIR source=../support/system_part.sh
. tests/support/system_part.sh
package=$(realpath "${KHEOPS_PACKAGES:?names the directory with the package}"/kheops-webhooks_*.deb)

fail() {
    echo "manual: $1" >&2
    exit 1
}

# run_example TEXT EXPECTED: runs the commands that contain the text, which must write what is expected.
run_example() {
    local commands output
    commands=$(grep -F -- "$1" <<<"$examples") || fail "no example contains $1"
    output=$(in_system bash -e -c "$commands" 2>&1) || fail "status $?: $commands
$output"
    [[ $output == *"$2"* ]] || fail "expected '$2': $commands
$output"
    examples=$(grep -F -v -- "$1" <<<"$examples") || true
}

"$debian_system" make "$release" "$system" man-db postgresql nginx curl spawn-fcgi
install -D -t "$system/root/srv" "$package"
in_system apt-get -qq install --no-install-recommends "/srv/${package##*/}" >"$directory/apt" 2>&1 ||
    fail "$(cat "$directory/apt")"
"$debian_system" boot "$system"
openssl genpkey -quiet -algorithm ED25519 | openssl pkey -pubout |
    in_system sh -c 'cat >/etc/kheops-webhooks/keys.pem && chmod 644 /etc/kheops-webhooks/keys.pem'
# The misspelt setting makes a line of the level warning.
in_system sh -c 'cat >>/etc/kheops-webhooks/environment' <<'END'
KHEOPS_WEBHOOKS_DATABASE='host=/run/postgresql dbname=kheops user=kheops_webhooks'
KHEOPS_WEBHOOKS_JWKS=/etc/kheops-webhooks/keys.pem
KHEOPS_WEBHOOKS_ISSUER=https://issuer.example
KHEOPS_WEBHOOKS_TIEMOUT=3
END
# shellcheck disable=SC2016 # the bash in the system expands it
in_system bash -e -c '
    runuser -u postgres -- createdb kheops
    cd /usr/share/kheops-webhooks
    for file in schema grants; do
        runuser -u postgres -- psql --quiet -v ON_ERROR_STOP=1 -d kheops -f "$PWD/sql/$file.sql" 2>&1
    done
    install -D -m 644 -t /etc/nginx/kheops-webhooks nginx/kheops-errors.conf
    cp nginx/kheops-webhooks.conf nginx/kheops-operator.conf /etc/nginx/conf.d
    systemctl restart nginx'

# One command on each line.
examples=$(in_system env MANWIDTH=120 man kheops-webhooks |
    sed -n '/^EXAMPLES/,/^DIAGNOSTICS/s/^ \{11,\}//p' | sed -e ':a' -e '/\\$/{N;s/\\\n *//;ba' -e '}')
refused='HTTP/1.1 401 Unauthorized'
request=$(grep a.b.c <<<"$examples")
run_example 'systemctl restart' ''
run_example '-n 20' 'event=started'
run_example '--check' 'ok: database host /run/postgresql'
run_example a.b.c "$refused"
run_example /health '"status":"ok"'
run_example 'level=' 'name=KHEOPS_WEBHOOKS_TIEMOUT'
run_example ' reason=' 'The token is malformed'
run_example 'systemctl reload' ''
# nginx opens a new connection, the first one since systemd has run ExecReload=.
in_system systemctl restart nginx
answer=$(in_system bash -c "$request" 2>&1)
[[ $answer == *"$refused"* ]] || fail "after systemctl reload: $answer"

in_system systemctl stop kheops-webhooks.socket kheops-webhooks.service
! in_system systemctl --quiet is-failed kheops-webhooks.service || fail 'the service was killed, as it did not stop'
start=$(grep -E '^(install|spawn-fcgi) ' <<<"$examples")
in_system bash -e -c "$start" </dev/null >"$directory/log" 2>&1 &
deadline=$((SECONDS + 20))
until answer=$(in_system bash -c "$request" 2>&1) && [[ $answer == *"$refused"* ]]; do
    [ "$SECONDS" -lt "$deadline" ] || fail "$start
$(cat "$directory/log")
$answer"
    sleep 0.1
done
examples=$(grep -vE '^(install|spawn-fcgi) ' <<<"$examples") || true
[ -z "$examples" ] || fail "not run: $examples"
