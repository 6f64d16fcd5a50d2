#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Plain CGI: one request in the environment, one answer on standard output.
set -eu
cd "$(dirname "$0")/../.."
program=${BUILD_DIR:-build}/kheops-webhooks
socket_directory=$(cat "$KHEOPS_TEST_CLUSTER")
database=cgi_$$
failures=0

psql_in() { # DATABASE ARGUMENT…
    local name=$1
    shift
    psql -X -q -v ON_ERROR_STOP=1 -h "$socket_directory" -U postgres -d "$name" "$@" >/dev/null
}

directory=$(mktemp -d "${TMPDIR:-/tmp}/kheops-cgi.XXXXXX")
trap 'rm -rf "$directory"; psql_in postgres -c "DROP DATABASE IF EXISTS $database WITH (FORCE)"' EXIT
psql_in postgres -c "CREATE DATABASE $database"
psql_in "$database" -f sql/schema.sql -f sql/example-data.sql

arguments=() # of the program

# cgi VARIABLE=VALUE…: prints the answer to that request, and the exit status if it is not 0.
cgi() {
    env -i KHEOPS_WEBHOOKS_DATABASE="host=$socket_directory user=postgres dbname=$database" \
        KHEOPS_WEBHOOKS_JWKS="$(scripts/token --public)" \
        KHEOPS_WEBHOOKS_ISSUER="$(scripts/token --print-issuer)" \
        REQUEST_METHOD=GET PATH_INFO="/albums/$album/webhooks" "$@" "$program" "${arguments[@]}" </dev/null ||
        printf '\nexit status %s\n' "$?"
}

# expect WHAT PATTERN ANSWER: a line of the answer matches the extended regular expression.
expect() {
    if ! tr -d '\r' <<<"$3" | grep -Eq -- "$2"; then
        printf '%s: no match for %s in:\n%s\n' "$1" "$2" "$3" >&2
        failures=$((failures + 1))
    fi
}

album=$(psql -X -A -t -h "$socket_directory" -U postgres -d "$database" \
    -c "SELECT id FROM albums WHERE pk = (SELECT album_fk FROM webhooks LIMIT 1)")
bearer="Bearer $(scripts/token alice)"

answer=$(cgi HTTP_AUTHORIZATION="$bearer" 2>/dev/null)
expect 'a list' '^Status: 200 OK$' "$answer"
expect 'a list' '^X-Total-Count: [1-9]' "$answer"
expect 'a list' '^\[\{"id":"QAdfIstxuOvwkcm39WEO"' "$answer"

expect 'SCRIPT_NAME as path' '^Status: 200 OK$' \
    "$(cgi PATH_INFO= SCRIPT_NAME="/albums/$album/webhooks" HTTP_AUTHORIZATION="$bearer" 2>/dev/null)"
expect 'a query' '^\[\]$' \
    "$(cgi QUERY_STRING=limit=0 HTTP_AUTHORIZATION="$bearer" 2>/dev/null)"
expect 'no token' '^Status: 401 Unauthorized$' "$(cgi 2>/dev/null)"
expect 'no token, log' '^link=false sourceIP=192\.0\.2\.9 .*status=401 ' \
    "$(cgi REMOTE_ADDR=192.0.2.9 2>&1 >/dev/null)"

expect 'metrics, which only a worker has' '^Status: 404 Not Found$' \
    "$(cgi PATH_INFO=/metrics KHEOPS_WEBHOOKS_OPERATOR=yes 2>/dev/null)"

# A web server passes a query without `=` as arguments (RFC 3875 section 4.4).
for query in limit --help --version -x+--settings; do
    IFS=+ read -ra arguments <<<"$query"
    answer=$(cgi QUERY_STRING="$query" HTTP_AUTHORIZATION="$bearer" 2>/dev/null)
    arguments=()
    expect "?$query" '^Status: 200 OK$' "$answer"
    expect "?$query" '^\[\{"id":"QAdfIstxuOvwkcm39WEO"' "$answer"
done
arguments=(--help)
answer=$(cgi KHEOPS_WEBHOOKS_THREADS=0 2>&1)
arguments=()
expect 'a wrong setting and ?--help' '^Status: 500 Internal Server Error$' "$answer"
expect 'a wrong setting and ?--help' 'kheops-webhooks: KHEOPS_WEBHOOKS_THREADS=0: must ' "$answer"
expect 'a wrong setting and ?--help' '^exit status 2$' "$answer"

# An id other than 1 to 64 letters and digits is replaced, in the log and in a 500.
expect 'an id' ' id=4f0c9Z ' "$(cgi REQUEST_ID=4f0c9Z 2>&1 >/dev/null)"
for id in 'a b' 'a=b' '"' $'a\nb' "$(printf 'x%.0s' {1..65})" 'é'; do
    expect "the id $id" ' id=[0-9A-Za-z]{20} ' "$(cgi REQUEST_ID="$id" 2>&1 >/dev/null)"
done

# The log has no reader: the answer comes nevertheless.
mkfifo "$directory/log"
exec 3<>"$directory/log"
exec 4>"$directory/log" 3>&-
expect 'a log whose reader is gone' '^Status: 200 OK$' \
    "$(cgi HTTP_AUTHORIZATION="$bearer" 2>&4)"
exec 4>&-

# The database connection does not get the number of a closed standard descriptor. If it did, the
# server would read output as messages and log them as invalid.
rejected() {
    psql -X -A -t -h "$socket_directory" -U postgres -d postgres \
        -c "SELECT pg_read_file('../postgresql.log')" |
        grep -E 'invalid (frontend )?message (type|length)' || true
}
before=$(rejected)
cgi HTTP_AUTHORIZATION="$bearer" >&- 2>&-
expect 'no standard error' '^Status: 200 OK$' "$(cgi HTTP_AUTHORIZATION="$bearer" 2>&-)"
until [ "$(psql -X -A -t -h "$socket_directory" -U postgres -d postgres \
    -c "SELECT count(*) FROM pg_stat_activity WHERE datname = '$database'")" -eq 0 ]; do sleep 0.02; done
if [ "$(rejected)" != "$before" ]; then
    printf 'the database received output: %s\n' "$(rejected)" >&2
    failures=$((failures + 1))
fi

tag=$(tr -d '\r' <<<"$(cgi HTTP_AUTHORIZATION="$bearer" 2>/dev/null)" | sed -n 's/^ETag: //p')
for method in GET HEAD; do
    answer=$(cgi REQUEST_METHOD=$method HTTP_AUTHORIZATION="$bearer" HTTP_IF_NONE_MATCH="W/$tag" 2>/dev/null)
    expect "$method of a known list" '^Status: 304 Not Modified$' "$answer"
    expect "$method of a known list" "^ETag: $tag\$" "$answer"
    if grep -Eiq '^Content-|^\[' <<<"$answer"; then
        echo "$method of a known list: a 304 with a body, a length or a type" >&2
        failures=$((failures + 1))
    fi
done

answer=$(cgi REQUEST_METHOD=HEAD HTTP_AUTHORIZATION="$bearer" 2>/dev/null)
expect 'HEAD' '^Content-Length: [1-9]' "$answer"
if grep -q QAdfIstxuOvwkcm39WEO <<<"$answer"; then
    echo 'HEAD with a body' >&2
    failures=$((failures + 1))
fi

answer=$(cgi HTTP_AUTHORIZATION="$bearer" KHEOPS_WEBHOOKS_DATABASE=host=/nowhere 2>/dev/null)
expect 'no database' '^Status: 503 Service Unavailable$' "$answer"
expect 'no database' '^Retry-After: 1$' "$answer"

# The other two ways to name the database.
expect 'libpq variables' '^Status: 200 OK$' \
    "$(cgi HTTP_AUTHORIZATION="$bearer" KHEOPS_WEBHOOKS_DATABASE= PGHOST="$socket_directory" \
        PGUSER=postgres PGDATABASE="$database" 2>/dev/null)"
expect "Kheops' own settings" '^Status: 200 OK$' \
    "$(cgi HTTP_AUTHORIZATION="$bearer" KHEOPS_WEBHOOKS_DATABASE= KHEOPS_AUTHDB_NAME="$database" \
        KHEOPS_AUTHDB_URL="postgresql:///elsewhere?host=$socket_directory" \
        KHEOPS_AUTHDB_USER=postgres 2>/dev/null)"

exit $((failures > 0))
