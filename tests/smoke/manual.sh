#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The manual page is correct mdoc, without a warning from mandoc and groff. The events and files that
# it names exist, and its examples are commands that the shell and the program understand.
set -eEu
trap 'echo "$0: line $LINENO: status $?: $BASH_COMMAND" >&2' ERR
cd "$(dirname "$0")/../.."
program=${BUILD_DIR:-build}/kheops-webhooks
manual=docs/kheops-webhooks.8
for tool in mandoc groff; do
    if ! command -v "$tool" >/dev/null; then
        echo "skipped: no $tool (Debian packages: mandoc, groff-base)" >&2
        exit 77
    fi
done
failures=0

fail() {
    echo "$1" >&2
    failures=$((failures + 1))
}

# mandoc also looks for the pages that this one refers to; a machine without manual pages has none.
warnings=$(mandoc -T lint "$manual" 2>&1 | grep -vE 'mandoc\.db|referenced manual not found') || true
[ -z "$warnings" ] || fail "mandoc warns: $warnings"
warnings=$(groff -mdoc -ww -T utf8 "$manual" 2>&1 >/dev/null)
[ -z "$warnings" ] || fail "groff warns: $warnings"

# What log-events.md says of the level, and of the event.
while read -r event level; do
    grep -q "^| \`$event\` | $level |" docs/log-events.md ||
        fail "docs/log-events.md has no event $event of level $level"
done < <(sed -n 's/^\.It Li event=\([a-z_]*\) level=\([a-z]*\)$/\1 \2/p' "$manual")

# The files of an installation, and the ports and paths of the nginx files.
while read -r file; do
    [ -e "$file" ] || fail "there is no $file"
done < <(sed -n -e 's|^\.It Pa /usr/local/share/kheops-webhooks/||p' \
    -e 's|^\.It Pa /usr/local/lib/systemd/system/|systemd/|p' "$manual")

# An example is indented more than the text. A bold character is written twice.
examples=$(mandoc -T ascii "$manual" | sed 's/.\x08//g' |
    sed -n '/^EXAMPLES/,/^DIAGNOSTICS/s/^ \{11\}//p')
[ "$(wc -l <<<"$examples")" -ge 10 ] || fail "too few examples: $examples"
bash -n <<<"$examples" || fail 'the shell does not understand the examples'
while read -r address; do
    grep -q "listen $address;" nginx/*.conf || fail "no nginx file listens on $address"
done < <(grep -oE '127\.0\.0\.1:[0-9]+' <<<"$examples")
while read -r option; do
    "$program" --help | grep -q "^  $option " || fail "the program has no option $option"
done < <(sed -n '/sbin\/kheops-webhooks/,/[^\]$/p' <<<"$examples" | grep -oE -- '--[a-z]+')

exit $((failures > 0))
