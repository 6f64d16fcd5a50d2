#!/bin/bash
# SPDX-License-Identifier: MIT
#
# scripts/compare, between a stand-in for Kheops that sends recorded answers (tests/recorded) and the
# real worker behind nginx with the same data: what agrees, each kind of difference, wrong use.
set -eEu
cd "$(dirname "$0")/../.."
PATH=$PATH:/usr/sbin
for tool in nginx spawn-fcgi curl jq script; do
    if ! command -v "$tool" >/dev/null; then
        echo "skipped: $tool is not installed" >&2
        exit 77
    fi
done
failures=0
directory=$(mktemp -d "${TMPDIR:-/tmp}/kheops-compare-test.XXXXXX")
socket_directory=$(cat "$KHEOPS_TEST_CLUSTER")
database=compare_$$
worker=
nginx=

fail() { # WHAT
    {
        echo "$1"
        for file in output errors; do
            [ ! -s "$directory/$file" ] || sed "s/^/    $file: /" "$directory/$file"
        done
    } >&2
    failures=$((failures + 1))
}
trap 'fail "line $LINENO: status $?: $BASH_COMMAND"' ERR

psql_in() { # DATABASE ARGUMENT…
    local name=$1
    shift
    psql -X -q -v ON_ERROR_STOP=1 -h "$socket_directory" -U postgres -d "$name" "$@" >/dev/null
}

# shellcheck disable=SC2317,SC2329 # called by the trap
clean_up() {
    local process
    for process in $nginx $worker; do
        kill -TERM "$process" 2>/dev/null || true
        wait "$process" || true
    done
    psql_in postgres -c "DROP DATABASE IF EXISTS $database WITH (FORCE)"
    rm -rf -- "$directory"
}
trap clean_up EXIT
export TMPDIR="$directory/tmp"
mkdir "$TMPDIR" "$directory/bin" "$directory/answers"

# --- The worker ---------------------------------------------------------------------------------

psql_in postgres -c "CREATE DATABASE $database"
psql_in "$database" -f sql/schema.sql -f tests/recorded/seed.sql
(
    export KHEOPS_WEBHOOKS_DATABASE="host=$socket_directory user=postgres dbname=$database"
    KHEOPS_WEBHOOKS_JWKS=$(scripts/token --public)
    KHEOPS_WEBHOOKS_ISSUER=$(scripts/token --print-issuer)
    export KHEOPS_WEBHOOKS_JWKS KHEOPS_WEBHOOKS_ISSUER
    program=$(cd "${BUILD_DIR:-build}" && pwd)/kheops-webhooks
    cd "$directory" # a Unix socket's path is short
    exec spawn-fcgi -n -s worker.sock -b 1024 -- "$program"
) </dev/null >"$directory/worker.log" 2>&1 &
worker=$!

admin=alice-sub
# shellcheck disable=SC2034 # used as ${!user}
member=$(jq -r '.[] | select(.name == "member who is no admin" and (.target | contains("hPVVSyl0M2")))
    | .token.sub' tests/recorded/cases.json)
# shellcheck disable=SC2034
unknown=$(jq -r '.[] | select(.name == "unknown user").token.sub' tests/recorded/cases.json)
for user in admin member unknown; do
    scripts/token "${!user}" >"$directory/$user"
done
scripts/token --lifetime -120 "$admin" >"$directory/expired"

# --- The stand-in for Kheops --------------------------------------------------------------------

# An answer is a path: /STATUS/TOTAL/FILE, with - for no total. /good/api sends what was recorded,
# other names before /api send a planted difference instead where there is one.

# The recorded answers: key, path and body. The keys of nginx's map ignore case.
recorded=$(jq -r --arg admin "$admin" '
    map(select(.method == "GET" and .token.sub == $admin and (.name | test("[cC]ase|L|W") | not))
        | .key = "admin|\(.headers.Accept // "application/json")|\(.target)")
    | unique_by(.key) | to_entries[] | .key as $number | .value | [
        .key,
        "/\(.status)/\(.response_headers["x-total-count"] // "-")/\($number)",
        .body // "<!doctype html><html lang=\"en\"><title>HTTP Status</title></html>"]
    | join("\t")' tests/recorded/cases.json)
while IFS=$'\t' read -r _ path body; do
    printf %s "$body" >"$directory/answers/${path##*/}"
done <<<"$recorded"
path_of() { # TARGET: of the recorded answer
    awk -F '\t' -v key="admin|application/json|$1" '$1 == key { print $2 }' <<<"$recorded"
}

list=/albums/hPVVSyl0M2/webhooks
planted=
plants=0
# Sends JSON that a jq program made of the recorded answer, or another status or total.
plant() { # VARIANT TARGET STATUS TOTAL PROGRAM
    local file=$1-$((++plants)) path
    path=$(path_of "$2")
    jq -c "$5" "$directory/answers/${path##*/}" >"$directory/answers/$file"
    planted+="\"$1|admin|application/json|$2\" \"/$3/$4/$file\";"$'\n'
}
plant differing "$list" 200 7 '[.[1], .[0]] + .[2:]'
plant differing "$list?limit=0" 200 8 .
plant differing "$list?limit=1" 403 - '{message: "Authorization error"}'
plant differing "$list?limit=1&offset=1" 200 7 '.[0].enabled |= not'
plant differing "$list?limit=2&offset=2" 200 7 '.[1] |= (to_entries | reverse | from_entries)'
plant differing "$list?offset=7" 200 7 '[{}]'
plant differing "$list?url=" 200 0 '{name: "\u009b31m"}'
plant differing /albums/ZZZZZZZZZZ/webhooks 404 - '.detail = "There is none"'
plant failing "$list?limit=0" 503 - .
plant changing "$list" once 7 '.[0].name = "changed meanwhile"'

planted+="\"echoing|admin|application/json|$list?limit=1\" /echo;"$'\n'
planted+="\"endless|admin|application/json|$list\" /large;"$'\n'
truncate -s 33M "$directory/answers/large"

jq -j '[.[] | select(.status == 403)][0].body' tests/recorded/cases.json >"$directory/answers/no-admin"
echo '<!doctype html>' >"$directory/answers/html"
# A list of albums in two pages.
echo '[{"album_id":"hPVVSyl0M2","name":"a","is_admin":true}]' >"$directory/answers/albums-1"
echo '[{"album_id":"ufhPxCAvGX","name":"b","is_admin":true}]' >"$directory/answers/albums-2"
albums='/albums?sort=created_time&limit=100&offset='

stand_in() { # PORT: nginx's configuration
    cat <<END
map \$request_uri \$variant { "~^/(?<name>[a-z]+)/api/" \$name; }
map \$request_uri \$target { "~^/[a-z]+/api(?<rest>/.*)\$" \$rest; }
map \$http_authorization \$user {
    default "";
$(for user in admin member unknown; do echo "\"~^Bearer $(cat "$directory/$user")\$\" $user;"; done)
}
# What is not recorded for each user, in the order of Kheops' checks.
map "\$user|\$http_accept|\$target" \$recorded {
    default "";
$(awk -F '\t' '{ printf "\"%s\" \"%s\";\n", $1, $2 }' <<<"$recorded")
    "admin|application/json|${albums}0" /200/2/albums-1;
    "admin|application/json|${albums}1" /200/2/albums-2;
    "~\|/albums/short/" /404/-/html;
    "~\|text/html\|" /406/-/html;
    "~^(unknown)?\|" /401/-/html;
    "~\|/albums/ZZZZZZZZZZ/" $(path_of /albums/ZZZZZZZZZZ/webhooks);
    "~^member\|.*\|$list" /403/-/no-admin;
}
map "\$variant|\$user|\$http_accept|\$target" \$planted {
    default \$recorded;
$planted
}
limit_req_zone \$target zone=once:1m rate=1r/m;
server {
    listen 127.0.0.1:$1;
    large_client_header_buffers 4 32k;
    root "$directory";
    default_type text/plain;
    location / { rewrite ^ \$planted last; }
    location ~ "^/200/(?<total>[0-9]+)/(?<file>.*)\$" {
        internal;
        add_header X-Total-Count \$total;
        try_files /answers/\$file =500;
    }
    # Sends its answer once, and after that the recorded one.
    location ~ "^/once/(?<total>[0-9]+)/(?<file>.*)\$" {
        internal;
        limit_req zone=once;
        limit_req_status 429;
        error_page 429 = @recorded;
        add_header X-Total-Count \$total;
        try_files /answers/\$file =500;
    }
    location @recorded { rewrite ^ \$recorded last; }
$(for status in 400 401 403 404 406 503; do
        echo "location /$status/ { internal; error_page $status /error\$uri; return $status; }"
    done)
    location ~ "^/error/[0-9]+/-/(?<file>.*)\$" {
        internal;
        try_files /answers/\$file =500;
    }
    location = /echo {
        internal;
        add_header X-Total-Count \$http_authorization;
        return 200 '[{"\$http_authorization\u202e":"\$http_authorization"}]';
    }
    # Without Content-Length.
    location = /large {
        internal;
        sub_filter a b;
        sub_filter_types *;
        try_files /answers/large =500;
    }
    location /down/ { return 502; }
}
END
}

start_nginx() { # PORT: of the worker; the next one is the stand-in's
    local socket='server unix:/run/kheops-webhooks/worker.sock;' listen='listen 127.0.0.1:8080;' path
    mkdir -p "$directory/kheops-webhooks"
    cp nginx/kheops-errors.conf "$directory/kheops-webhooks"
    cat >"$directory/nginx.conf" <<END
$([ "$(id -u)" -ne 0 ] || echo 'user root;')
daemon off;
worker_processes 1;
pid nginx.pid;
error_log error.log info;
events { worker_connections 512; }
http {
    access_log off;
    map_hash_max_size 4096;
    map_hash_bucket_size 4096;
$(for path in client_body fastcgi proxy scgi uwsgi; do echo "${path}_temp_path $path;"; done)
$(sed -e "s|$socket|server unix:$directory/worker.sock;|" -e "s|$listen|listen 127.0.0.1:$1;|" \
        nginx/kheops-webhooks.conf)
$(stand_in $(($1 + 1)))
}
END
    : >"$directory/error.log"
    nginx -p "$directory/" -c nginx.conf -e error.log >"$directory/nginx.log" 2>&1 &
    nginx=$!
    # nginx writes its process id when it listens.
    until [ -s "$directory/nginx.pid" ]; do
        if ! kill -0 "$nginx" 2>/dev/null; then
            wait "$nginx" || true
            nginx=
            grep -q 'Address already in use' "$directory/error.log" && return 1
            cat "$directory/nginx.log" "$directory/error.log" >&2
            exit 1
        fi
        sleep 0.02
    done
}
until port=$((20000 + RANDOM % 12000)) && start_nginx "$port"; do :; done
until [ -S "$directory/worker.sock" ]; do
    kill -0 "$worker" || { cat "$directory/worker.log" >&2 && exit 1; }
    sleep 0.02
done
worker_url=http://127.0.0.1:$port
kheops=http://127.0.0.1:$((port + 1))

# --- What is compared ---------------------------------------------------------------------------

# A curl that looks for the tokens where others could find them, and then does its work.
cat >"$directory/bin/curl" <<END
#!/bin/bash
{
    tr '\0' '\n' <"/proc/\$\$/cmdline"
    env
    find "$TMPDIR" -type f -exec cat {} +
} | grep -F -f "$directory/parts" >>"$directory/leaks"
find "$TMPDIR" -mindepth 1 -maxdepth 1 -perm /077 >>"$directory/leaks"
exec $(command -v curl) "\$@"
END
chmod +x "$directory/bin/curl"
# The signatures, without their first letters, which one request changes.
for user in admin member unknown expired; do
    sed 's/.*\..//' "$directory/$user"
done >"$directory/parts"
: >"$directory/leaks"

# check WHAT STATUS OUTPUT ERROR ARGUMENT…: scripts/compare ends with that status, prints exactly
# that, and what it writes to standard error matches the extended regular expression (empty: nothing).
check() {
    local what=$1 status=$2 output=$3 error=$4 got=0
    shift 4
    scripts/compare --rate 1000 "$@" >"$directory/output" 2>"$directory/errors" <"$directory/input" || got=$?
    if [ "$got" -ne "$status" ] || [ "$(<"$directory/output")" != "$output" ] ||
        ! grep -Eq -- "${error:-^$}" <(cat "$directory/errors" && [ -s "$directory/errors" ] || echo); then
        fail "$what: exit status $got (expected: $status), or another output than:
$output
or no match for: ${error:-nothing}"
    fi
    ! grep -qF -f "$directory/parts" "$directory/output" "$directory/errors" || fail "$what: a token is shown"
    [ -z "$(ls -A "$TMPDIR")" ] || fail "$what: left behind: $(ls -A "$TMPDIR")"
}
: >"$directory/input"

# 12 requests for each album with a list, 17 others for each user.
check 'all albums of a user' 0 'compared 41 requests: 41 agree, 0 differ' '' \
    --tokens "$directory/admin" "$kheops/good/api" "$worker_url/"

cat "$directory/member" "$directory/unknown" >"$directory/input"
PATH=$directory/bin:$PATH check 'a member and an unknown user' 2 \
    'compared 36 requests: 36 agree, 0 differ' 'no list was compared' \
    --tokens - "$kheops/good/api" "$worker_url" hPVVSyl0M2
: >"$directory/input"

# That the first list differs only once shows that a difference is asked again.
(
    KHEOPS_TOKENS=$(<"$directory/admin")
    export KHEOPS_TOKENS
    PATH=$directory/bin:$PATH
    cd "$directory"
    script --quiet --return --command "'$OLDPWD/scripts/compare' --rate 1000 $kheops/changing/api \
        $worker_url hPVVSyl0M2 >output" terminal >/dev/null
) || fail 'data that changes: exit status'
[ "$(<"$directory/output")" = 'compared 29 requests: 29 agree, 0 differ' ] || fail 'data that changes'
grep -qF "compared 2 requests, 0 differ: $list" "$directory/terminal" ||
    fail "no progress on a terminal: $(<"$directory/terminal")"

[ ! -s "$directory/leaks" ] || fail "others can read a token or a file: $(sort -u "$directory/leaks")"

# --- What differs -------------------------------------------------------------------------------

planted_differences=$(
    cat <<END
differs: GET $list: order, JSON[0].id: Kheops "Yw5FlRDqCp9AyQY3ypoE", worker "M63oubDXWoBjreVTLCTM"
differs: GET $list?limit=0: X-Total-Count: Kheops 8, worker 7
differs: GET $list?limit=1: status: Kheops 403, worker 200
differs: GET $list?limit=1&offset=1: JSON[0].enabled: Kheops true, worker false
differs: GET $list?limit=2&offset=2: members of JSON[1]: Kheops ["number_of_triggers","last_triggers",\
"enabled","events","use_secret","name","url","id"], worker ["id","url","name","use_secret","events",\
"enabled","last_triggers","number_of_triggers"]
differs: GET $list?offset=7: length of JSON: Kheops 1, worker 0
differs: GET $list?url=: JSON: Kheops {"name":"?31m"}, worker []
differs: GET /albums/ZZZZZZZZZZ/webhooks: JSON.detail: Kheops "There is none", worker "The album does \
not exist or you don't have access"
compared 29 requests: 21 agree, 8 differ
END
)
check 'planted differences' 1 "$planted_differences" '' --tokens "$directory/admin" "$kheops/differing/api" "$worker_url" hPVVSyl0M2

check 'an answer that repeats the token' 1 "$(
    header="Bearer $(sed 's/\..*//' "$directory/admin")" # of the token
    first=$(sed 's/.*\.\(.\).*/\1/' "$directory/admin") # letter of its signature
    echo "differs: GET $list?limit=1: X-Total-Count: Kheops $header.....$first..., worker 7; members of JSON[0]:\
 Kheops [\"$header.….$first…?\"], worker [\"id\",\"url\",\"name\",\"use_secret\",\"events\",\"enabled\",\
\"number_of_triggers\"]"
    echo 'compared 29 requests: 28 agree, 1 differ'
)" '' --tokens "$directory/admin" "$kheops/echoing/api" "$worker_url" hPVVSyl0M2

# The worker must answer 400 to a wrong parameter, also if Kheops does not. Two failures do not agree.
check 'Kheops in place of the worker' 1 "$(
    echo "differs: GET $list?limit=0: status: Kheops 503, worker 503"
    for query in limit=abc limit=2147483648 offset=abc; do
        echo "differs: GET $list?$query: status: Kheops 404, worker 404, which must be 400"
    done
    echo 'compared 29 requests: 25 agree, 4 differ'
)" '' \
    --tokens "$directory/admin" "$kheops/failing/api" "$kheops/failing/api" hPVVSyl0M2

# --- What cannot be compared --------------------------------------------------------------------

check 'the worker in place of Kheops' 2 '' '^scripts/compare: kheops .* answers as the worker does' \
    --tokens "$directory/admin" "$worker_url" "$worker_url"
check 'an expired token' 2 '' 'neither accepts token 1 \(401\)' \
    --tokens "$directory/expired" "$kheops/good/api" "$worker_url"
check 'no Kheops' 2 '' '^scripts/compare: kheops \(http://127\.0\.0\.1:1\) cannot be reached' \
    --tokens "$directory/admin" http://127.0.0.1:1 "$worker_url"
check 'no worker' 2 '' '^scripts/compare: worker \(http://127\.0\.0\.1:1\) cannot be reached' \
    --tokens "$directory/admin" "$kheops/good/api" http://127.0.0.1:1
check 'an answer of 33 MiB' 2 '' '^scripts/compare: kheops .* cannot be reached.* curl: \((23|63)\) ' \
    --tokens "$directory/admin" "$kheops/endless/api" "$worker_url" hPVVSyl0M2
check 'no worker behind nginx' 2 '' '^scripts/compare: worker .* answers 502' \
    --tokens "$directory/admin" "$kheops/good/api" "$kheops/down"
check 'an unknown user without albums' 2 '' 'Kheops answers 401 to token 1' \
    --tokens "$directory/unknown" "$kheops/good/api" "$worker_url"

echo 'not a token' >"$directory/text"
for wrong in "--tokens $directory/text" "--tokens $directory/none" '--tokens' '--tokens -' '' '--rate 0' \
    '--rate 5.5' '--rate 1001' --bogus; do
    # shellcheck disable=SC2086 # several
    check "wrong use: $wrong" 2 '' '^scripts/compare: ' $wrong "$kheops/good/api" "$worker_url"
done
for wrong in "" "$kheops" "ftp://127.0.0.1 $kheops" "http://user:password@127.0.0.1 $kheops" \
    "$kheops $worker_url short"; do
    # shellcheck disable=SC2086 # several
    check "wrong use: $wrong" 2 '' '^scripts/compare: ' --tokens "$directory/admin" $wrong
done
scripts/compare --help | grep -q -- --tokens || fail '--help does not help'

exit $((failures > 0))
