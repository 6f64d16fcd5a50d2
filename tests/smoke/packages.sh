#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Tests install_missing of scripts/lib.sh, with fakes of the programs that query and install
# packages.
set -eEu
trap 'echo "$0: line $LINENO: status $?: $BASH_COMMAND" >&2' ERR
cd "$(dirname "$0")/../.."
# shellcheck source-path=SCRIPTDIR source=../../scripts/lib.sh
. scripts/lib.sh
directory=$(mktemp -d "${TMPDIR:-/tmp}/kheops-packages.XXXXXX")
trap 'rm -rf "$directory"' EXIT
mkdir "$directory/bin" "$directory/tmp"
export TMPDIR="$directory/tmp"
for tool in awk bash cat env; do
    ln -s "$(command -v "$tool")" "$directory/bin/$tool"
done
failures=0

# fake NAME SCRIPT: makes a program NAME that appends its calls to the file calls.
fake() {
    printf '#!/bin/bash\n[ "%s" = dpkg-query ] || [ "%s" = id ] || echo "%s $*" >>%q\n%s\n' \
        "$1" "$1" "$1" "$directory/calls" "$2" >"$directory/bin/$1"
    chmod +x "$directory/bin/$1"
}

# check WHAT STATUS MESSAGE CALLS PACKAGE...: with the fakes, install_missing returns that status,
# prints a matching message, and makes exactly those calls.
check() {
    local what=$1 status=$2 message=$3 calls=$4 got=0
    shift 4
    : >"$directory/calls"
    (PATH=$directory/bin && install_missing "$@") >"$directory/output" 2>&1 || got=$?
    # shellcheck disable=SC2053 # a pattern
    if [ "$got" -ne "$status" ] || [[ $(<"$directory/output") != $message ]] ||
        [ "$(<"$directory/calls")" != "$calls" ] || [ -n "$(ls -A "$TMPDIR")" ]; then
        {
            echo "$what: status $got (expected: $status), or an unexpected message, call or file:"
            cat "$directory/output" "$directory/calls"
            ls -A "$TMPDIR"
        } >&2
        failures=$((failures + 1))
    fi
}

fake dpkg-query 'printf "%s\n" "installed gcc" "installed g++" "config-files jq" "installed nginx-core" "installed postgresql-16"'
fake apt-get 'exit 0'
fake sudo 'exec "$@"'
fake id 'echo 1000'
install='apt-get -q -o DPkg::Lock::Timeout=300 install -y --no-install-recommends --no-remove'
update='apt-get -q -o DPkg::Lock::Timeout=300 update'

check 'nothing missing' 0 '' '' g++ gcc
check 'an alternative' 0 '' '' "$nginx_package" "$postgresql_package"
check 'removed, its configuration kept' 0 'Installing jq, *Installed in * s. *sudo apt-get purge --auto-remove jq' "sudo env DEBIAN_FRONTEND=noninteractive $update
$update
sudo env DEBIAN_FRONTEND=noninteractive $install jq
$install jq" gcc jq
check 'no alternative' 0 'Installing a c, *' "sudo env DEBIAN_FRONTEND=noninteractive $update
$update
sudo env DEBIAN_FRONTEND=noninteractive $install a c
$install a c" 'a|b' c

fake id 'echo 0'
check 'as root' 0 'Installing jq, *
    apt-get purge --auto-remove jq' "$update
$install jq" jq
fake dpkg-query 'echo "installed postgresql-client-15"'
check 'servers that Debian starts' 0 "Installing postgresql nginx, *own servers of postgresql, nginx run now*" "$update
$install postgresql nginx" "$postgresql_package" "$nginx_package"

# apt_says LINE...: what apt-get prints when it installs; it fails if the last one is an error.
apt_says() {
    local status=0
    [[ ${*: -1} != E:* ]] || status=100
    fake apt-get "[ \"\$4\" = update ] || { printf '%s\n' $(printf '%q ' "$@"); exit $status; }"
}

apt_says 'Reading package lists...' 'The following NEW packages will be installed:' '  jq libjq1' \
    '0 upgraded, 2 newly installed, 0 to remove and 3 not upgraded.' 'Need to get 200 kB of archives.' \
    'After this operation, 1 MB of additional disk space will be used.' 'Get:1 jq'
check 'how much is installed' 0 'Installing jq, which takes some minutes
  0 upgraded, 2 newly installed, 0 to remove and 3 not upgraded.
  Need to get 200 kB of archives.
  After this operation, 1 MB of additional disk space will be used.
Installed in *' "$update
$install jq" jq
apt_says 'dpkg: error processing package jq (--configure):' 'E: Sub-process /usr/bin/dpkg returned an error code (1)'
check 'apt-get fails' 1 'Installing jq*
  dpkg: error processing package jq (--configure):
  E: Sub-process *
Could not install jq, for*' "$update
$install jq" jq
apt_says 'The following packages will be REMOVED:' '  elogind sysvinit-core' \
    'The following NEW packages will be installed:' 'E: Packages need to be removed but remove is disabled.'
check 'another package would have to be removed' 1 'Installing systemd, *
  The following packages will be REMOVED:
    elogind sysvinit-core
  E: Packages need to be removed but remove is disabled.
Could not install systemd, for*' "$update
$install systemd" systemd

# A Ctrl-C on the terminal reaches the script, sudo and apt-get.
set -m
# shellcheck disable=SC2016 # for that program
fake apt-get ': >"$TMPDIR/../runs"; sleep 60'
ln -s "$(command -v sleep)" "$directory/bin/sleep"
bash -c 'set -e; PATH=$0/bin:$PATH; . scripts/lib.sh; install_missing jq; echo went on' "$directory" \
    >"$directory/output" 2>&1 &
group=$!
until [ -e "$directory/runs" ]; do sleep 0.02; done
kill -INT -- "-$group"
status=0
wait "$group" || status=$?
set +m
if [ "$status" -eq 0 ] || [ -n "$(ls -A "$TMPDIR")" ] || grep -q 'went on' "$directory/output"; then
    echo "Ctrl-C: status $status, or a file is left ($(ls -A "$TMPDIR")): $(cat "$directory/output")" >&2
    failures=$((failures + 1))
fi

fake id 'echo 1000'
for reason in 'sudo: a password is required' 'alice is not in the sudoers file.' \
    'Sorry, user alice is not allowed to execute that as root on host.'; do
    fake sudo "echo '$reason' >&2; exit 1"
    check "sudo refuses: $reason" 1 "Installing jq*
  $reason
Could not install jq, for*" "sudo env DEBIAN_FRONTEND=noninteractive $update" jq
done
rm "$directory/bin/sudo"
check 'no sudo' 1 '*An administrator has to run:*apt-get install -y --no-install-recommends jq' '' jq
check 'no sudo, nothing missing' 0 '' '' postgresql-client-15
rm "$directory/bin/dpkg-query"
check 'no Debian' 0 '*not Debian*jq nginx' '' jq "$nginx_package"

exit $((failures > 0))
