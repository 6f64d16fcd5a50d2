#!/bin/bash
# SPDX-License-Identifier: MIT
#
# postgres_stop of scripts/lib.sh succeeds when the server was killed, and removes the shared memory
# that it left behind.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source-path=SCRIPTDIR source=../../scripts/lib.sh
. scripts/lib.sh
directory=$(mktemp -d "${TMPDIR:-/tmp}/kheops-killed.XXXXXX")
# shellcheck disable=SC2317,SC2329 # called by the trap
clean_up() {
    postgres_stop "$directory/postgresql"
    rm -rf -- "$directory"
}
trap clean_up EXIT
chmod 711 "$directory" # the server may run as another user

postgres_start "$directory/postgresql"
server=$(head -n 1 "$directory/postgresql/data/postmaster.pid")
# The seventh line of that file: key and number of the segment of System V shared memory.
read -r _ segment < <(sed -n 7p "$directory/postgresql/data/postmaster.pid")
mapfile -t files < <(grep -o '/dev/shm/PostgreSQL.*' "/proc/$server/maps" | sort -u)
mapfile -t processes < <(tr ' ' '\n' <"/proc/$server/task/$server/children")
processes+=("$server")

# Prints the shared memory of the server that is still there.
left_behind() {
    local file
    awk -v id="$segment" '$2 == id { print "System V shared memory: " $0 }' /proc/sysvipc/shm
    for file in "${files[@]}"; do
        [ ! -e "$file" ] || echo "$file"
    done
}

# The server first: it would repair everything if one of the others died. Without it, they end.
kill -KILL "$server"
deadline=$((SECONDS + 60))
for process in "${processes[@]}"; do
    while [ -e "/proc/$process" ]; do
        [ "$SECONDS" -lt "$deadline" ] || {
            echo "process $process does not end" >&2
            exit 1
        }
        sleep 0.02
    done
done
[ -n "$(left_behind)" ] || {
    echo "found no shared memory of the killed server: this test would prove nothing" >&2
    exit 1
}

postgres_stop "$directory/postgresql"
[ -z "$(left_behind)" ] || {
    echo "shared memory of a killed server is left:" >&2
    left_behind >&2
    exit 1
}
