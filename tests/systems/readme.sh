#!/bin/bash
# SPDX-License-Identifier: MIT
#
#     tests/systems/readme.sh RELEASE
#
# Runs every command of README.md's "Install", docs/from-source.md and docs/other-web-servers.md as it is
# written, on a bare Debian of that release: as a user who may use sudo, in a checkout in a home that
# nobody else can enter. Installing from source needs a compilation, and is done on Debian 12 only.
#
# KHEOPS_PACKAGES names the directory with the package, built for that release. Needs root; exit status
# 77 if this machine cannot run whole systems.
set -eEu
cd "$(dirname "$0")/../.."
# shellcheck source-path=SCRIPTDIR source=../support/system_part.sh
. tests/support/system_part.sh
package=$(realpath "${KHEOPS_PACKAGES:?names the directory with the package}"/kheops-webhooks_*.deb)
checkout=/home/ops/kheops-webhooks
SECONDS=0

say() {
    echo "readme: Debian $release, $SECONDS s: $1"
}

fail() {
    echo "readme: $1" >&2
    exit 1
}

# --- What the documents say -----------------------------------------------------------------------

# Prints the section of a document with that heading.
section() { # FILE HEADING
    awk -v heading="$2" '
        /^ *```/ { fenced = !fenced }
        !fenced && /^#+ / {
            level = index($0, " ") - 1
            if ($0 == heading) { inside = 1; own = level } else if (level <= own) inside = 0
        }
        inside' "$1"
}

# Prints the commands of the text on standard input, one on each line. A command is indented by four
# columns or more; a comment at its end may name the release that it is for.
commands() {
    awk -v other="# Debian $((release == 12 ? 13 : 12))" '
        /^ *```/ { fenced = !fenced; next }
        !fenced && /^    / {
            sub(/^ +/, "")
            line = line $0
            if (sub(/\\$/, "", line)) next
            if (index(line, other) == 0) print line
            line = ""
        }'
}

# Prints the blocks of that language, each line without the indentation of its fence.
fenced() { # LANGUAGE
    awk -v fence='```'"$1" '
        match($0, /^ *```/) { if (inside) { inside = 0 } else if (substr($0, RLENGTH - 2) == fence) { inside = 1; indent = RLENGTH - 3 } next }
        inside { print substr($0, indent + 1) }'
}

# --- The system -----------------------------------------------------------------------------------

# Runs a line as the operator types it, in the checkout. Without optimization, it compiles in half the time.
type_in() { # LINE
    in_system runuser -l ops -c "cd $checkout && export CXXFLAGS=-g0 CMAKE_BUILD_TYPE=Debug \
        TOKEN='${token:-}' ALBUM=DemoAlbum1 && $1"
}

# What the program `editor` writes into the file that it is called with.
will_write() { # TEXT
    in_system sh -c 'cat >/run/edited' <<<"$1"
}

settings="KHEOPS_WEBHOOKS_DATABASE='host=/run/postgresql dbname=kheops user=kheops_webhooks'
KHEOPS_WEBHOOKS_JWKS=/srv/keys.pem
KHEOPS_WEBHOOKS_ISSUER=https://demo.invalid/realms/kheops"

# The commands that are still to be run, and the output of the last one.
pending=()
output=
opened=

open_section() { # FILE HEADING
    [ "${#pending[@]}" -eq 0 ] || fail "these commands were not run: ${pending[*]}"
    mapfile -t pending < <(section "$@" | commands)
    [ "${#pending[@]}" -gt 0 ] || fail "no commands found in $*"
    opened+="$*
"
}

perform() { # LINE
    local line=$1 status=0 tries=0
    case $line in
    'make deb')
        # It was built before.
        in_system test -e "$checkout/build/packages/${package##*/}" || fail 'make deb was not run'
        return
        ;;
    'cp build/packages/'* | 'docker build '*) return ;; # tests/systems/container.sh
    'sudo systemctl edit '*) line="script -qec '$line' /dev/null" ;; # it insists on a terminal
    'sudo editor /etc/kheops-webhooks/environment') will_write "$settings" ;;
    */scripts/compare' --tokens FILE '*)
        # In place of Kheops, with TLS.
        line=${line/https:\/\/kheops.example.org\/api/http:\/\/127.0.0.1:8083}
        ;;
    'sudo '* | 'make && sudo make install' | 'curl -i '*) ;;
    *) fail "this test does not know how to run: $line" ;;
    esac
    output=$(type_in "$line" 2>&1 </dev/null) || status=$?
    # nginx, whose configuration was reloaded by the line before, does not listen yet.
    while [[ $line == 'curl '* && $status -eq 7 && $((++tries)) -lt 100 ]]; do
        sleep 0.1
        status=0
        output=$(type_in "$line" 2>&1 </dev/null) || status=$?
    done
    [ "$status" -eq 0 ] || fail "status $status: $line
$output"
}

# Runs the commands up to and including the first one that contains the text.
run_to() { # TEXT
    local line
    while [ "${#pending[@]}" -gt 0 ]; do
        line=${pending[0]}
        pending=("${pending[@]:1}")
        perform "$line"
        [[ $line != *"$1"* ]] || return 0
    done
    fail "no command contains: $1"
}

run_rest() {
    run_to "${pending[-1]}"
}

# --- What must hold -------------------------------------------------------------------------------

contains() { # TEXT PART WHAT
    [[ $1 == *"$2"* ]] || fail "$3: expected '$2' in:
$1"
}

# Sends a request with a valid token until the answer has that status and text, as a web server takes a
# while to read its configuration. The worker also answers a token that is none.
answers() { # URL STATUS TEXT
    local answer deadline=$((SECONDS + 20))
    until answer=$(ask "$token" "$1") && [[ $answer == HTTP/*" $2"*"$3"* ]]; do
        [ "$SECONDS" -lt "$deadline" ] || fail "$1: expected $2 and '$3':
$answer"
        sleep 0.1
    done
    [ "$3" = "$list" ] || return 0
    answer=$(ask a.b.c "$1")
    [[ $answer == HTTP/*' 401'*'"message":"Authorization error"'* ]] || fail "$1 without a valid token:
$answer"
}
list='"number_of_triggers"'

ask() { # TOKEN URL
    in_system curl --silent --show-error --include --max-time 20 --header "Authorization: Bearer $1" \
        "$2/albums/DemoAlbum1/webhooks" 2>&1
}

check() {
    in_system sudo -u kheops_webhooks kheops-webhooks --check --settings /etc/kheops-webhooks/environment || true
}

# Nothing of an installation is left, but what other packages and this test have made.
is_removed() { # WHAT
    local left
    left=$(in_system find / -xdev \( -path /home -o -path /srv \) -prune -o \( -name '*kheops*webhooks*' -o -name 'kheops-*.conf' \) \
        -not -path '/var/lib/systemd/*' -not -path '/var/log/*' -not -path '/tmp/*' -print)
    [ -z "$left" ] || fail "left of $1: $left"
    ! in_system getent passwd kheops_webhooks || fail "the user is left of $1"
    left=$(in_system runuser -u postgres -- psql -d kheops -Atc \
        "SELECT rolname FROM pg_roles WHERE rolname ~ 'webhooks' UNION SELECT nspname FROM pg_namespace WHERE nspname ~ 'webhooks'")
    [ -z "$left" ] || fail "left of $1 in the database: $left"
}

# --- Prepare --------------------------------------------------------------------------------------

say 'making the system'
# A host that runs Kheops' database and nginx. debconf must not ask.
host=(sudo postgresql nginx curl openssl jq)
"$debian_system" make "$release" "$system" "${host[@]}"
install -D -t "$system/root/srv" "$package"
say 'fetching packages, as it has no network later'
fetched=(lighttpd apache2 haproxy)
if [ "$release" -eq 12 ]; then
    build_packages=$(sed -n 's/^ *sudo apt-get install \(g++ .*\)/\1/p' docs/from-source.md)
    # shellcheck disable=SC2206 # a list
    fetched+=($build_packages spawn-fcgi)
fi
"$debian_system" fetch "$system" "/srv/${package##*/}"
"$debian_system" fetch "$system" "${fetched[@]}"
"$debian_system" boot "$system"
in_system sh -e <<'END'
echo '127.0.1.1 kheopsauthorization' "$(hostname)" >>/etc/hosts
# As in an interactive shell in which the operator answers yes, and keeps the settings.
echo 'APT::Get::Assume-Yes "true"; DPkg::Options { "--force-confdef"; "--force-confold"; };' >/etc/apt/apt.conf.d/90operator
useradd --create-home --shell /bin/bash ops
chmod 700 /home/ops
echo 'ops ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/ops
# systemd of Debian 13 passes the number of a line before the file.
printf '#!/bin/sh\nfor file; do :; done\ncat /run/edited >"$file"\n' >/usr/local/bin/editor
chmod 755 /usr/local/bin/editor
END
git ls-files -z --cached --others --exclude-standard | tar -c --null --files-from=- |
    in_system runuser -u ops -- sh -c "mkdir $checkout && tar -C $checkout -x && mkdir -p $checkout/build/packages"
in_system cp "/srv/${package##*/}" "$checkout/build/packages/"
in_system runuser -u postgres -- createdb kheops
cat sql/schema.sql sql/example-data.sql | in_system runuser -u postgres -- psql --quiet -v ON_ERROR_STOP=1 -d kheops
openssl genpkey -quiet -algorithm RSA -out "$directory/key.pem"
openssl pkey -in "$directory/key.pem" -pubout | in_system sh -c 'cat >/srv/keys.pem && chmod 644 /srv/keys.pem'
token=$(scripts/token --key "$directory/key.pem" alice)
type_in "umask 077 && echo '$token' >FILE"
# Kheops, whose server block includes the line of the drop-in.
kheops() { # LINE
    in_system sh -e -c 'cat >/etc/nginx/conf.d/kheops.conf && nginx -q -t && systemctl reload nginx' <<END
server {
    listen 127.0.0.1:8082;
    error_page 490 = @kheopsAuthorization;
    location /api { return 490; }
    location @kheopsAuthorization { proxy_pass http://kheopsauthorization:8080; }
    $1
}
server { listen 127.0.1.1:8080; return 200 Kheops; }
# For scripts/compare: Kheops has a list of albums, and looks for the album before it reads the parameters.
server {
    listen 127.0.0.1:8083;
    default_type application/json;
    location = /albums { return 200 '[{"album_id":"DemoAlbum1","is_admin":true}]'; }
    location / {
        if (\$arg_limit = abc) { return 404; }
        proxy_pass http://127.0.0.1:8080;
    }
}
END
}

# --- README.md: the package -----------------------------------------------------------------------

package_route() {
    say 'the package'
    open_section README.md '## Install'
    run_to 'sudo apt install'
    in_system systemctl --quiet is-active kheops-webhooks.socket || fail 'the socket does not listen'
    ! in_system systemctl --quiet is-failed kheops-webhooks.service || fail 'the service has failed'
    run_to 'kheops-webhooks --check'
    ! grep -v '^ok: ' <<<"$output" || fail "the check finds: $output"
    run_to 'kheops-drop-in-location.conf'
    kheops "$(section README.md '## Install' | fenced nginx)"
    answers http://127.0.0.1:8082/api 200 "$list"
    in_system systemctl stop kheops-webhooks.socket kheops-webhooks.service
    answers http://127.0.0.1:8082/api 200 Kheops
    in_system systemctl start kheops-webhooks.socket kheops-webhooks.service
    run_to 'curl -i'
    [[ $output == *'HTTP/1.1 401 '*'application/json'* ]] || fail "the first request: $output"
    run_to 'curl -i'
    [[ $output == *'HTTP/1.1 200 '*'application/json'* ]] || fail "the second request: $output"

    say 'nginx of another group'
    in_system sh -e -c 'useradd --system --user-group nginx
        sed -i "s/^user .*/user nginx;/" /etc/nginx/nginx.conf
        systemctl restart nginx'
    answers http://127.0.0.1:8080 502 '"message":"Bad Gateway"'
    answers http://127.0.0.1:8082/api 200 Kheops
    contains "$(in_system cat /var/log/nginx/error.log)" '(13: Permission denied)' "nginx's log"
    contains "$(check)" 'warning: socket ' 'the check'
    will_write "$(section README.md '## Install' | fenced ini)"
    run_to 'systemctl restart kheops-webhooks.socket'
    answers http://127.0.0.1:8080 200 "$list"
    [[ $(check) != *'warning: '* ]] || fail "the check finds: $(check)"

    say 'before you switch over'
    run_to 'accelerate.sql'
    contains "$(check)" 'of this version and in force' 'the check'
    run_to 'scripts/compare'
}

other_web_servers() {
    local server file service pending=()
    say 'other web servers'
    in_system sh -e -c 'systemctl stop nginx
        rm -r /etc/systemd/system/kheops-webhooks.socket.d
        systemctl daemon-reload
        systemctl restart kheops-webhooks.socket kheops-webhooks.service'
    for server in lighttpd Apache HAProxy; do
        case $server in
        lighttpd) file=/etc/lighttpd/conf-available/50-kheops-webhooks.conf service=lighttpd ;;
        Apache) file=/etc/apache2/conf-available/kheops-webhooks.conf service=apache2 ;;
        HAProxy) file=/etc/haproxy/haproxy.cfg service=haproxy ;;
        esac
        contains "$(section "$other" "## $server")" "$file" "the section of $server"
        in_system apt-get -qq install --no-install-recommends "$service" >"$directory/apt" 2>&1 ||
            fail "$(cat "$directory/apt")"
        section "$other" "## $server" | fenced "${server,,}" | in_system sh -c "cat >>$file"
        will_write "$(section "$other" "## $server" | fenced ini)"
        open_section "$other" "## $server"
        run_rest
        answers "http://127.0.0.1$([ "$server" != HAProxy ] || echo :8080)" 200 "$list"
        in_system systemctl stop "$service"
    done
    in_system sh -c 'apt-get -qq purge lighttpd apache2 haproxy >/dev/null 2>&1
        rm -rf /etc/lighttpd /etc/apache2 /etc/haproxy /var/lib/apache2 /var/lib/haproxy
        sed -i "s/^user .*/user www-data;/" /etc/nginx/nginx.conf
        systemctl start nginx'
}
other=docs/other-web-servers.md

remove_package() {
    say 'upgrade and remove'
    kheops ''
    run_to 'apt purge'
    run_rest
    is_removed 'the package'
}

# --- docs/from-source.md --------------------------------------------------------------------------

source=docs/from-source.md

# The packages whose libraries the program uses must not go with the development packages.
keeps_libraries() {
    local removed library
    # shellcheck disable=SC2086 # a list
    removed=$(in_system apt-get --simulate --auto-remove remove $build_packages)
    contains "$removed" 'Remv libpq-dev ' 'the development packages'
    while read -r library; do
        library=$(in_system dpkg-query --search "*/${library##*/}" | sed -n '1s/[,:].*//p')
        [[ $removed != *"Remv $library "* ]] || fail "apt removes $library, which the program needs"
    done < <(in_system ldd /usr/local/sbin/kheops-webhooks | awk '$2 == "=>" { print $3 }')
}

source_route() {
    say 'from source'
    open_section "$source" '## Install'
    run_to 'make install'
    say 'built'
    run_to 'kheops-webhooks --check'
    ! grep -v '^ok: ' <<<"$output" || fail "the check finds: $output"
    run_rest
    contains "$output" 'HTTP/1.1 401 ' 'the first request'
    answers http://127.0.0.1:8080 200 "$list"
    open_section "$source" '## Without the development packages'
    run_rest
    keeps_libraries
    open_section "$source" '## Upgrade'
    run_rest
    answers http://127.0.0.1:8080 200 "$list"

    say 'from source to the package'
    open_section "$source" '## Move to the package'
    run_rest
    type_in "sudo apt install ./build/packages/${package##*/}" >"$directory/apt" 2>&1 || fail "$(cat "$directory/apt")"
    answers http://127.0.0.1:8080 200 "$list"
    [[ $(check) != *'problem: '* ]] || fail "the check finds: $(check)"
    in_system apt-get -qq purge kheops-webhooks >/dev/null 2>&1

    say 'removing an installation from source'
    open_section "$source" '## Install'
    run_rest
    open_section "$source" '## Remove'
    run_rest
    is_removed 'the installation from source'

    say 'without systemd'
    open_section "$source" '## Install'
    run_to 'grants.sql'
    mapfile -t pending < <(printf '%s\n' "${pending[@]}" | grep nginx)
    run_rest
    open_section "$source" '## Without systemd'
    run_to 'kheops-webhooks --check'
    run_to 'start-stop-daemon --start'
    answers http://127.0.0.1:8080 200 "$list"
    in_system grep -q ' status=200 ' /var/log/kheops-webhooks.log || fail 'the log is empty'
    in_system sudo -u kheops_webhooks test -w /var/lib/kheops-webhooks || fail 'the worker cannot store keys'
    run_rest
    answers http://127.0.0.1:8080 502 '"message":"Bad Gateway"'
}

every_section_was_run() { # FILE
    local heading
    while read -r heading; do
        [ -z "$(section "$1" "$heading" | commands)" ] || [[ $opened == *"$1 $heading"$'\n'* ]] ||
            fail "$1: the commands of '$heading' were not run"
    done < <(grep '^## ' "$1")
}

package_route
other_web_servers
remove_package
every_section_was_run "$other"
if [ "$release" -eq 12 ]; then
    source_route
    every_section_was_run "$source"
fi
say 'everything works as it is written'
