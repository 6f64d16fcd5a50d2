#!/bin/bash
# SPDX-License-Identifier: MIT
#
# --help, README.md and the manual page name the same settings with the same defaults and allowed
# values, and the same exit statuses. systemd/environment names no others.
set -eEu
trap 'echo "$0: line $LINENO: status $?: $BASH_COMMAND" >&2' ERR
cd "$(dirname "$0")/../.."
program=${BUILD_DIR:-build}/kheops-webhooks
manual=docs/kheops-webhooks.8
failures=0

# Each function prints a line for each setting: `name|default|allowed`, and for each exit status:
# `exit|status|meaning` and `check|status|meaning`.
in_help() {
    "$program" --help | awk '
        function print_setting() { if (name != "") print name "|" value "|" allowed; name = "" }
        /^  KHEOPS_/ { print_setting(); name = $1; value = allowed = "" }
        sub(/^      default: /, "") { value = $0 }
        sub(/^      must be: /, "") { allowed = $0 }
        /^Exit status/ { print_setting(); kind = /--check/ ? "check" : "exit" }
        kind != "" && sub(/^  [0-9]+  /, "|&|") { gsub(/[|] +| +[|]/, "|"); print kind $0 }'
}
in_readme() {
    awk -F ' *[|] *' '
        { gsub(/`/, "") }
        /^[|] KHEOPS_/ { print $2 "|" $3 "|" $4 }
        /^[|] [0-9]+ [|] / && NF == 5 { print "exit|" $2 "|" $3; print "check|" $2 "|" $4 }' README.md
}
# In mdoc, a sentence may continue on the next line, and \% only prevents hyphenation.
in_manual() {
    awk '
        function finish() {
            sub(/[.]$/, "", text)
            if (part == "Must be") allowed = text
            if (part == "Default") value = text
            if (part == "status") print kind "|" name "|" tolower(substr(text, 1, 1)) substr(text, 2)
            part = text = ""
        }
        function print_setting() { finish(); if (name ~ /^KHEOPS/) print name "|" value "|" allowed; name = "" }
        { gsub(/\\%/, "") }
        /^[.](It|Sh|El)/ { print_setting() }
        /^[.]It Ev KHEOPS_/ { name = $3; value = allowed = ""; next }
        /^[.]Sh / { kind = /EXIT STATUS/ ? "exit" : "" }
        kind != "" && /^[.]Fl .*check/ { kind = "check" }
        kind != "" && /^[.]It [0-9]/ { name = $2; part = "status"; next }
        /^[.]/ { finish(); next }
        match($0, /^(Must be|Default): /) { part = substr($0, 1, RLENGTH - 2); text = substr($0, RLENGTH + 1); next }
        part != "" { text = text (text == "" ? "" : " ") $0 }' "$manual"
}

# same WHERE FOUND
same() {
    diff <(echo "$expected") <(echo "$2") >&2 && return
    echo "--help (<) and $1 (>) differ" >&2
    failures=$((failures + 1))
}

expected=$(in_help | sort)
if [ "$(grep -c '^KHEOPS_' <<<"$expected")" -lt 10 ] || [ "$(grep -c '^[a-z]' <<<"$expected")" -ne 6 ]; then
    echo "settings or exit statuses are not found in --help: $expected" >&2
    exit 1
fi
same README.md "$(in_readme | sort)"
same "$manual" "$(in_manual | sort)"

# The settings file may set a default, commented out or not, to show it.
while IFS='=' read -r name value; do
    setting=$(grep "^$name|" <<<"$expected") || {
        echo "systemd/environment has $name, which --help does not name" >&2
        failures=$((failures + 1))
        continue
    }
    IFS='|' read -r _ default _ <<<"$setting"
    if [[ $default =~ ^[a-z0-9]+$ ]] && [ "$value" != "$default" ]; then
        echo "systemd/environment shows $name=$value; the default is $default" >&2
        failures=$((failures + 1))
    fi
done < <(sed -n 's/^#* *\(KHEOPS_[A-Z_]*=\)/\1/p' systemd/environment)

exit $((failures > 0))
