#!/bin/bash
# SPDX-License-Identifier: MIT
#
# README's table of settings and --help name the same settings with the same defaults.
set -eEu
trap 'echo "$0: line $LINENO: status $?: $BASH_COMMAND" >&2' ERR
cd "$(dirname "$0")/../.."
program=${BUILD_DIR:-build}/kheops-webhooks

# Both print `name|default` for each setting, sorted.
in_readme() {
    awk -F ' *[|] *' '/^[|] `KHEOPS_/ {
        gsub(/`/, "")
        count = split($2, names, /, */)
        for (i = 1; i <= count; i++) print names[i] "|" $3
    }' README.md | sort
}
in_help() {
    "$program" --help | awk '
        function print_setting() { if (name != "") print name "|" value }
        /^  KHEOPS_/ { print_setting(); name = $1; value = "" }
        sub(/^      default: /, "") { value = $0 }
        END { print_setting() }' | sort
}

settings=$(in_help)
if [ "$(wc -l <<<"$settings")" -lt 10 ]; then
    echo 'too few settings are found in --help' >&2
    exit 1
fi
diff <(in_readme) - <<<"$settings" >&2 || {
    echo 'the table of README.md (<) and --help (>) differ' >&2
    exit 1
}
