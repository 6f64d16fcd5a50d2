#!/bin/bash
# SPDX-License-Identifier: MIT
#
# scripts/bench --quick: every part gives its figures. Their values are not checked.
set -eEu
trap 'echo "$0: line $LINENO: status $?: $BASH_COMMAND" >&2' ERR
cd "$(dirname "$0")/../.."
PATH=$PATH:/usr/sbin
for tool in nginx jq; do
    if ! command -v "$tool" >/dev/null; then
        echo "skipped: $tool is not installed" >&2
        exit 77
    fi
done
if ! compgen -G '/usr/sbin/php-fpm*' >/dev/null || [ ! -e /usr/share/doc/php-pgsql ]; then
    echo 'skipped: php-fpm or php-pgsql is not installed' >&2
    exit 77
fi

results=${BUILD_DIR:-build}/bench/quick
directory=$(mktemp -d "${TMPDIR:-/tmp}/kheops-bench-test.XXXXXX")
# Shows the files before it removes them, where the test has failed.
# shellcheck disable=SC2317,SC2329 # called by the trap
clean_up() { # STATUS
    if [ "$1" -ne 0 ]; then
        tail -n +1 "$directory"/* "$results/results.json" >&2 || true
    fi
    rm -rf "$directory"
}
trap 'clean_up $?' EXIT
failures=0
fail() { # WHAT
    echo "$1" >&2
    failures=$((failures + 1))
}

rm -rf "$results"
scripts/bench --quick >"$directory/table"

holds() { # WHAT CONDITION, which jq evaluates over the results
    jq --exit-status "$2" "$results/results.json" >/dev/null || fail "not true: $1"
}

holds 'every part has cells' '[.cells[].part] | unique ==
    ["history", "installation", "limited", "memory", "programs", "tag"]'
holds 'all programs are compared' '[.cells[] | select(.part == "programs").program] | unique ==
    ["minimal", "php", "worker"]'
holds 'every request was answered' '[.cells[] | .statuses // {"200": 1}]
    | all(keys == ["200"] and .["200"] > 0)'
holds 'CPU time is measured' '[.cells[] | select(.program == "worker")]
    | all(.nginx_us > 0 and .program_us > 0 and .postgresql_us > 0)'
holds 'figures have values' '[.figures[].value | type == "number"] | length == 7 and all'

while read -r figure; do
    grep -qF "$figure" "$directory/table" || fail "not in the table: $figure"
done < <(jq --raw-output '.figures[].name' "$results/results.json")
[[ $(<"$results/speed.svg") == '<svg '*'<polyline '*'</svg>' ]] || fail 'the plot is not an SVG picture with lines'

# When one part runs again, the results of the others stay.
scripts/bench --quick limited >"$directory/again"
[ "$(wc -l <"$directory/again")" -eq "$(wc -l <"$directory/table")" ] ||
    fail 'after one part ran alone, results of the others are missing'

for arguments in --bogus nonsense; do
    status=0
    # shellcheck disable=SC2086 # several
    scripts/bench $arguments 2>"$directory/errors" || status=$?
    [ "$status" -eq 2 ] || fail "$arguments: exit status $status: $(<"$directory/errors")"
done
scripts/bench --help | grep -q -- --quick || fail '--help does not mention --quick'

exit $((failures > 0))
