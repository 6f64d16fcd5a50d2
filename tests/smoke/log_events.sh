#!/bin/bash
# SPDX-License-Identifier: MIT
#
# docs/log-events.md names the events that src/ logs, with the same levels and pairs, and no others.
set -eEu
trap 'echo "$0: line $LINENO: status $?: $BASH_COMMAND" >&2' ERR
cd "$(dirname "$0")/../.."
reference=docs/log-events.md
failures=0

fail() {
    echo "$1" >&2
    failures=$((failures + 1))
}

# compare WHAT IN_REFERENCE OTHER [WHERE_OTHER]
compare() {
    diff <(echo "$2") <(echo "$3") >&2 || fail "$1: $reference (<) and ${4:-src/} (>) differ"
}

# The code of src/ without comments, each file on one line.
code() {
    local file
    for file in src/*.[ch]pp src/*/*.[ch]pp; do
        sed -E 's|^ *//.*||; s|  //.*||' "$file" | tr -s '\n ' '  '
        echo
    done
}

# rows HEADING: the rows of the table under that heading, `column|column|…`, without backquotes.
rows() {
    awk -F ' *[|] *' -v heading="## $1" '
        /^## / { wanted = $0 == heading }
        wanted && /^[|] `/ { gsub(/`/, ""); print $2 "|" $3 "|" $4 }' "$reference"
}

# Reads `event level key…` from each line; prints one line for each event and level, keys sorted.
merge_events() {
    awk '{ for (i = 3; i <= NF; i++) print $1, $2, $i; if (NF == 2) print $1, $2, "" }' |
        LC_ALL=C sort -u |
        awk '$1 " " $2 != last { if (last != "") print line; line = last = $1 " " $2 }
             NF == 3 { line = line " " $3 }
             END { print line }'
}

code=$(code)
event='LogLevel::[a-z]+, "[a-z_]+"(, \{[^;]*)?\)*\}*\)*;'

# What is logged must be literal for this test to find it. One place logs what another has
# collected in events_.
others=$(grep -oE '(\.event|events_\.push_back)\([^;]*;' <<<"$code" |
    grep -vE "^(\.event\(|events_\.push_back\( ?\{) ?(kheops::)?$event\$" |
    grep -vxF '.event(event.level, event.name, event.pairs);' || true)
[ -z "$others" ] || fail "level, event and pairs are not literals: $others"
# Behind a brace comes another one or a key.
others=$(grep -oE "$event" <<<"$code" | sed -E 's/"([^"\\]|\\.)*"/""/g' | grep -E '\{ ?[^ {"}]' || true)
[ -z "$others" ] || fail "a pair has no literal key: $others"
others=$(grep -oE '[a-z_.]*\.line\([^;]*;' <<<"$code" |
    grep -vxF 'log.line(LogLevel::info, request_pairs(request, outcome, times));' || true)
[ -z "$others" ] || fail "a line that is neither an event nor that of a request: $others"

# `event level key…` for each place that logs: calls, and the line that log.cpp writes by itself.
in_source=$({
    grep -oE "$event" <<<"$code" | while read -r call; do
        read -r level name <<<"$(sed -E 's/^LogLevel::([a-z]+), "([a-z_]+)".*/\1 \2/' <<<"$call")"
        echo "$name $level $(grep -oE '\{"[a-z_]+",' <<<"$call" | tr -d '{",' | tr '\n' ' ' || true)"
    done
    grep -oE 'event=[a-z_]+ level=[a-z]+[a-z_= ]*' src/*.cpp src/*/*.cpp -h |
        sed -E 's/(event|level)=//g; s/=//g'
} | merge_events)
in_reference=$(rows Events | tr -d ',' | awk -F '|' '{ print $1, $2, $3 }' | merge_events)
[ "$(wc -l <<<"$in_source")" -ge 20 ] || fail 'too few events are found in src/'
compare 'events with level and pairs' "$in_reference" "$in_source"

# The pairs of a request, in their order.
compare 'pairs of a request line' "$(rows 'Pairs of a request line' | cut -d '|' -f 1)" \
    "$(grep -oE 'pairs\.emplace_back\("?[A-Za-z_]+' <<<"$code" | sed 's/.*("\?//')"

# The reference by itself.
rows Events | cut -d '|' -f 1 | LC_ALL=C sort -cu || fail "$reference: events out of order or twice"
compare 'pairs of events' "$(rows 'Pairs of events' | cut -d '|' -f 1)" \
    "$(cut -d ' ' -f 3- <<<"$in_reference" | tr ' ' '\n' | grep . | LC_ALL=C sort -u)" \
    'its table of events'

exit $((failures > 0))
