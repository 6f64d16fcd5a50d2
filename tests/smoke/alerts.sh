#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The alert rules of examples/ fire when they should and only then, they and the dashboard ask only for
# metrics that the program exports, and the log events that they name exist.
set -eEu
trap 'echo "$0: line $LINENO: status $?: $BASH_COMMAND" >&2' ERR
cd "$(dirname "$0")/../.."
for tool in promtool jq; do
    if ! command -v "$tool" >/dev/null; then
        echo "skipped: $tool is not installed (Debian packages: prometheus jq)" >&2
        exit 77
    fi
done
rules=examples/kheops-webhooks-alerts.yml
dashboard=examples/kheops-webhooks-dashboard.json
cases=tests/smoke/alerts_test.yml
directory=$(mktemp -d "${TMPDIR:-/tmp}/kheops-alerts.XXXXXX")
trap 'rm -rf "$directory"' EXIT
failures=0

fail() {
    echo "$1" >&2
    failures=$((failures + 1))
}

# What the program exports. A histogram is three metrics; Prometheus itself makes `up`.
exported=$(tr -s '\n ' ' ' <src/server/metrics.cpp |
    grep -oE '(gauge|counter|histogram|MetricType::[A-Za-z]+)[(,] ?"[a-z_]+"' |
    sed -E 's/^histogram.*"(.*)"$/\1_bucket \1_sum \1_count/; s/.*"(.*)"$/\1/')
[ "$(wc -l <<<"$exported")" -ge 20 ] || fail 'too few metrics are found in src/server/metrics.cpp'
exported+=' up'

# only_exported WHERE: each name in the PromQL expressions on standard input is that of a metric or of
# a function.
only_exported() {
    local words
    words=$(sed -E 's/"[^"]*"//g; s/\{[^}]*\}//g; s/\[[^]]*\]//g; s/\bby *\([^)]*\)//g' |
        grep -oE '[A-Za-z_:][A-Za-z0-9_:]*' | LC_ALL=C sort -u)
    [ -n "$words" ] || fail "$1: no expression is found"
    words=$(grep -vxE 'histogram_quantile|increase|or|rate|sum|time' <<<"$words" |
        grep -vxFf <(tr -s ' ' '\n' <<<"$exported" | grep .) || true)
    [ -z "$words" ] || fail "$1: the program does not export ${words//$'\n'/, }"
}

# --- The rules

promtool check config examples/prometheus.yml >"$directory/config" 2>&1 || fail "$(<"$directory/config")"
grep -qF "Checking $rules" "$directory/config" || fail "examples/prometheus.yml does not load $rules"
promtool test rules "$cases" >"$directory/test" 2>&1 || fail "$(<"$directory/test")"

mapfile -t alerts < <(sed -nE 's/^ +- alert: //p' "$rules")
[ "${#alerts[@]}" -ge 5 ] || fail "$rules: fewer than five rules"
for alert in "${alerts[@]}"; do
    for what in fires 'stays silent'; do
        grep -qE "^  - name: '$alert $what: " "$cases" || fail "$cases: no case '$alert $what'"
    done
    rule=$(awk -v alert="- alert: $alert" '/^ +- alert: /{ on = index($0, alert) } on' "$rules")
    for key in severity summary description; do
        grep -qE "^ +$key: ." <<<"$rule" || fail "$rules: $alert has no $key"
    done
    grep -q 'event=' <<<"$rule" || fail "$rules: $alert names no log event"
done

# An expression goes on until `for:`.
only_exported "$rules" < <(awk '/^ +expr:/ { on = 1 } /^ +for:/ { on = 0 } on' "$rules" |
    sed -E 's/^ +expr:( >-)?//')
only_exported "$rules, in a text" < <(grep -oE '\bkheops_webhooks_[a-z_]+' "$rules" |
    sed -E 's/^(kheops_webhooks_(wait|database|request)_seconds)$/\1_sum/')
job=$(sed -nE 's/^ +- job_name: //p' examples/prometheus.yml)
grep -qF "up{job=\"$job\"}" "$rules" || fail "$rules does not name the job of examples/prometheus.yml"
listen=$(sed -nE 's/^ +listen (.*);$/\1/p' nginx/kheops-operator.conf)
grep -qF "targets: ['$listen']" examples/prometheus.yml || fail "examples/prometheus.yml does not scrape $listen"

# --- The dashboard

only_exported "$dashboard" < <(jq --raw-output '.. | objects | .expr // empty' "$dashboard")
only_exported "$dashboard, in a variable" < <(
    jq --raw-output '.templating.list[] | select(.type == "query") | .query.query' "$dashboard" |
        sed -nE 's/^label_values\((.*), [a-z]+\)$/\1/p')
# promtool knows neither variables nor dashboards: each expression becomes a rule. JSON is YAML.
jq '{groups: [{name: "dashboard", rules: [.. | objects | .expr // empty
    | {record: "expression", expr: gsub("\\$__rate_interval"; "5m")}]}]}' "$dashboard" >"$directory/rules"
promtool check rules --lint=none "$directory/rules" >"$directory/syntax" 2>&1 || fail "$dashboard: $(<"$directory/syntax")"
# Everything comes from the source and the workers that the reader selects; Grafana needs distinct ids.
jq --exit-status '
    (.templating.list | map({(.name): .type}) | add) == {datasource: "datasource", instance: "query"}
    and ([.. | objects | .datasource // empty | .uid] | unique) == ["${datasource}"]
    and all(.panels[]; .datasource and (.title | length > 0) and (.targets | length > 0))
    and all(.panels[].targets[]; .datasource and (.expr | contains("instance=~\"$instance\"")))
    and (.panels | map(.id) | length == (unique | length))
    and .id == null and .schemaVersion >= 36' "$dashboard" >"$directory/dashboard" 2>&1 ||
    fail "$dashboard: a panel without title, source or selected worker, or ids that are not distinct"

# --- The log events

mapfile -t events < <(grep -ohE 'event=[a-z_]+' "$rules" "$dashboard" | cut -d = -f 2 | sort -u)
for event in "${events[@]}"; do
    grep -q "^| \`$event\` |" docs/log-events.md || fail "docs/log-events.md does not list the event $event"
done

exit $((failures > 0))
