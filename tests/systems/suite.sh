#!/bin/bash
# SPDX-License-Identifier: MIT
#
#     tests/systems/suite.sh RELEASE
#
# Runs scripts/demo --once and scripts/test on a bare Debian 13, as an ordinary user with sudo and
# umask 0002. scripts/test builds everything, and runs the tests that depend most on the versions of the
# compiler, the libraries, nginx and PostgreSQL. Does nothing for Debian 12, where continuous integration
# runs all tests.
#
# Needs root; exit status 77 if this machine cannot run whole systems.
#
# shellcheck disable=SC2016 # other shells expand the commands in quotes
set -eu
release=$1
cd "$(dirname "$0")/../.."
[ "$release" != 12 ] || exit 0
tests='^(unit|fuzz)\.|^database\.(grants|password|session|statement)$|^worker\.(check|rights|provider_cgi)$'
tests+='|^nginx\.(answers|drop_in|server_conf)$'
tests+='|^shell\.(cgi|compare|demo|install|libfcgi|packages|settings|shellcheck|start|systemd|token)$'

debian_system=$PWD/tests/support/debian-system
directory=$(mktemp -d "${TMPDIR:-/tmp}/kheops-suite.XXXXXX")
trap '"$debian_system" remove "$directory/system"; rm -rf -- "$directory"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP
"$debian_system" make "$release" "$directory/system" passwd sudo
mkdir "$directory/system/root/srv/kheops-webhooks"
tar --create --exclude-vcs --exclude=./build . |
    tar --extract --no-same-owner --directory="$directory/system/root/srv/kheops-webhooks"
"$debian_system" run "$directory/system" bash -euc '
    useradd --create-home --shell /bin/bash developer
    echo "developer ALL=(ALL) NOPASSWD: ALL" >/etc/sudoers.d/developer
    chown -R developer: /srv/kheops-webhooks'

# Runs a command as the user, in the sources. As after a login on a booted system, it inherits no
# capabilities, and systemd-analyze finds /run/systemd.
as_user() { # COMMAND...
    "$debian_system" run "$directory/system" bash -c '
        mkdir -p /run/systemd && exec setpriv --inh-caps=-all runuser --login developer --command "$0"' \
        "umask 0002 && cd /srv/kheops-webhooks && $(printf '%q ' "$@")"
}

echo "suite: Debian $release: scripts/demo --once"
as_user scripts/demo --once
echo "suite: Debian $release: scripts/test"
as_user scripts/test -R "$tests"
