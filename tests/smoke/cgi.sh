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

trap 'psql_in postgres -c "DROP DATABASE IF EXISTS $database WITH (FORCE)"' EXIT
psql_in postgres -c "CREATE DATABASE $database"
psql_in "$database" -f sql/schema.sql -f sql/example-data.sql

# cgi VARIABLE=VALUE…: the whole answer to that request.
cgi() {
    env -i KHEOPS_WEBHOOKS_DATABASE="host=$socket_directory user=postgres dbname=$database" \
        KHEOPS_WEBHOOKS_JWKS="$(scripts/token --public)" \
        KHEOPS_WEBHOOKS_ISSUER="$(scripts/token --print-issuer)" \
        REQUEST_METHOD=GET PATH_INFO="/albums/$album/webhooks" "$@" "$program" </dev/null
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
expect 'its log line' '^link=false sourceIP=192\.0\.2\.9 .*status=401 ' \
    "$(cgi REMOTE_ADDR=192.0.2.9 2>&1 >/dev/null)"

answer=$(cgi REQUEST_METHOD=HEAD HTTP_AUTHORIZATION="$bearer" 2>/dev/null)
expect 'HEAD' '^Content-Length: [1-9]' "$answer"
if grep -q QAdfIstxuOvwkcm39WEO <<<"$answer"; then
    echo 'HEAD: there is a body' >&2
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
