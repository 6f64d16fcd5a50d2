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
for tool in bash cat env mktemp rm tail; do
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
install='apt-get -q -o DPkg::Lock::Timeout=300 install -y --no-install-recommends'
update='apt-get -q -o DPkg::Lock::Timeout=300 update'

check 'nothing missing' 0 '' '' g++ gcc
check 'an alternative' 0 '' '' "$nginx_package" "$postgresql_package"
check 'removed, its configuration kept' 0 'Installing jq' "sudo env DEBIAN_FRONTEND=noninteractive $update
$update
sudo env DEBIAN_FRONTEND=noninteractive $install jq
$install jq" gcc jq
check 'no alternative' 0 'Installing a c' "sudo env DEBIAN_FRONTEND=noninteractive $update
$update
sudo env DEBIAN_FRONTEND=noninteractive $install a c
$install a c" 'a|b' c

fake id 'echo 0'
check 'as root' 0 'Installing jq' "$update
$install jq" jq
fake dpkg-query 'echo "installed postgresql-client-15"'
check 'servers that Debian starts' 0 'Installing postgresql nginx*servers of its own*' "$update
$install postgresql nginx" "$postgresql_package" "$nginx_package"
# shellcheck disable=SC2016 # for that program
fake apt-get '[ "$4" = update ] || { echo "E: no such package"; exit 100; }'
check 'apt-get fails' 1 'Installing jq*E: no such package*Could not install jq' "$update
$install jq" jq

fake id 'echo 1000'
rm "$directory/bin/sudo"
check 'no sudo' 1 '*An administrator has to run:*apt-get install -y --no-install-recommends jq' '' jq
check 'no sudo, nothing missing' 0 '' '' postgresql-client-15
rm "$directory/bin/dpkg-query"
check 'no Debian' 0 '*not Debian*jq nginx' '' jq "$nginx_package"

exit $((failures > 0))
