#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The exit status of scripts/test-systems, with parts that pass, fail and are skipped.
set -eEu
trap 'echo "$0: line $LINENO: status $?: $BASH_COMMAND" >&2' ERR
cd "$(dirname "$0")/../.."
directory=$(mktemp -d "${TMPDIR:-/tmp}/kheops-test-systems.XXXXXX")
trap 'rm -rf -- "$directory"' EXIT
mkdir -p "$directory/checkout/tests/systems" "$directory/fakes"
cp -R scripts "$directory/checkout"
for status in 0 1 77; do
    printf '#!/bin/bash\nexit %s\n' "$status" >"$directory/checkout/tests/systems/exits$status.sh"
done
chmod +x "$directory"/checkout/tests/systems/*
# They are root, and have every package.
printf '#!/bin/bash\necho 0\n' >"$directory/fakes/id"
printf '#!/bin/bash\nprintf "installed %%s\\n" mmdebstrap systemd-container\n' >"$directory/fakes/dpkg-query"
chmod +x "$directory"/fakes/*
failures=0

check() { # STATUS PART...
    local expected=$1 status=0
    shift
    PATH=$directory/fakes:$PATH "$directory/checkout/scripts/test-systems" --release 12 "$@" \
        >"$directory/output" 2>&1 </dev/null || status=$?
    [ "$status" -eq "$expected" ] || {
        echo "$*: exit status $status, expected $expected: $(cat "$directory/output")" >&2
        failures=$((failures + 1))
    }
}

check 0 exits0
check 0 exits77 exits0
check 1 exits77 exits1 exits0
check 77 exits77
exit $((failures > 0))
