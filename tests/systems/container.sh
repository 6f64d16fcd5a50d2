#!/bin/bash
# SPDX-License-Identifier: MIT
#
# tests/systems/container.sh RELEASE: builds the container (container/Containerfile) from the Debian
# package for that release (12 or 13) in $KHEOPS_PACKAGES, and runs it as examples/compose.yaml says,
# beside a database, a provider, and nginx with the configuration of Kheops' reverse proxy. Needs root.
# Exit status 77: skipped, with the reason.
set -eEuo pipefail
cd "$(dirname "$0")/../.."
trap 'echo "$0: line $LINENO: status $?: $BASH_COMMAND" >&2' ERR

skip() { # REASON
    echo "skipped: $1"
    exit 77
}

if [ "${2:-}" != --alone ]; then
    # shellcheck source=scripts/lib.sh
    . scripts/lib.sh
    [ "$(id -u)" -eq 0 ] || skip 'only root can make containers here'
    install_missing "${container_packages[@]}" || skip 'packages are missing'
    unshare --mount --net --cgroup --pid --fork true || skip 'this system has no namespaces of mounts and networks'
    work=$(mktemp -d "${TMPDIR:-/tmp}/kheops-container.XXXXXX")
    chmod 755 "$work"
    trap 'rm -rf "$work"' EXIT
    # The image is built with the network of this machine; everything else is in namespaces of its own,
    # so that no address, mount or process of this machine is touched or left behind.
    case $1 in
    12) debian=bookworm ;;
    13) debian=trixie ;;
    *)
        echo "$0: RELEASE must be 12 or 13" >&2
        exit 2
        ;;
    esac
    buildah=(buildah --root "$work/storage" --runroot "$work/runroot" --storage-driver vfs)
    echo "Making the base image debian:$debian-slim"
    mmdebstrap --quiet --variant=minbase "$debian" "$work/base.tar" || skip 'mmdebstrap cannot make a system here'
    base=$("${buildah[@]}" from scratch) || skip 'buildah cannot run here'
    "${buildah[@]}" add --quiet "$base" "$work/base.tar" / >/dev/null
    "${buildah[@]}" commit --quiet --rm "$base" "debian:$debian-slim" >/dev/null
    rm "$work/base.tar"

    echo 'Building the image'
    cp -r container "$work"
    cp "$KHEOPS_PACKAGES"/kheops-webhooks_*.deb "$work/container"
    # README's command, with buildah in place of docker.
    read -ra arguments < <(sed -n 's/^ *docker build //p' README.md)
    (cd "$work" && "${buildah[@]}" build --isolation chroot --format docker --pull-never --quiet \
        --build-arg "RELEASE=$debian" "${arguments[@]}") >"$work/build.log" 2>&1 || {
        tail -n 40 "$work/build.log" >&2
        exit 1
    }
    container=$("${buildah[@]}" from --pull-never localhost/kheops-webhooks)
    "${buildah[@]}" mount "$container" >"$work/rootfs"
    "${buildah[@]}" inspect --type image localhost/kheops-webhooks | jq .OCIv1.config >"$work/image.json"
    "${buildah[@]}" inspect --type image localhost/kheops-webhooks | jq .Docker.config >"$work/docker.json"
    status=0
    unshare --mount --net --cgroup --fork --pid --mount-proc --kill-child -- "$0" "$1" --alone "$work" || status=$?
    exit "$status"
fi

. scripts/lib.sh
work=$3
rootfs=$(cat "$work/rootfs")
failures=0
mount --make-rprivate /
ip link set lo up
# The runtime knows the unified hierarchy only.
if [ "$(stat --file-system --format %T /sys/fs/cgroup)" != cgroup2fs ]; then
    umount --recursive /sys/fs/cgroup
    mount -t cgroup2 none /sys/fs/cgroup
fi

fail() { # TEXT
    echo "FAILED: $1" >&2
    failures=$((failures + 1))
}

# await WHAT COMMAND…: until the command succeeds, for at most 30 seconds.
await() {
    local what=$1 end=$((SECONDS + 30))
    shift
    until "$@" >/dev/null 2>&1; do
        if [ "$SECONDS" -ge "$end" ]; then
            fail "not within 30 s: $what"
            return 0
        fi
        sleep 0.1
    done
    echo "ok: $what"
}

# matches WHAT PATTERN FILE: a line of the file matches the extended regular expression.
matches() {
    if grep -Eq -- "$2" "$3"; then
        echo "ok: $1"
    else
        fail "$1: no match for $2 in:"
        cat "$3" >&2
    fi
}

# --- The example: compose's file as JSON, and the names that Kheops' published file has

python3 -c 'import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)' \
    <examples/compose.yaml >"$work/compose.json"
compose() { # FILTER
    jq --raw-output "$1" "$work/compose.json"
}
# shellcheck disable=SC2016 # jq's variables
foreign=$(compose '
    ["kheops-reverse-proxy"] as $services |
    ["kheops_network", "keycloak_network"] as $networks |
    ["kheops_authdb_pass"] as $secrets |
    (.services | keys) - ["kheops-webhooks"] - $services,
    [.services[] | .networks // [] | .[]] - $networks,
    [.services[] | .secrets // [] | .[]] - $secrets,
    [.services[] | .env_file // empty] - ["docker-compose.env"],
    (.networks // {} | keys), (.secrets // {} | keys) | .[]')
[ -z "$foreign" ] || fail "the example has names that Kheops' file does not have: $foreign"
worker_service='.services["kheops-webhooks"]'

# What Kheops' docker-compose.env holds, and what its file adds for kheops-authorization.
cat >"$work/docker-compose.env" <<'END'
KHEOPS_ROOT_URL=http://127.0.0.1
KHEOPS_API_PATH=/api
KHEOPS_OIDC_PROVIDER=http://127.0.0.1:8080/auth/realms/kheops
KHEOPS_AUTHDB_USER=kheopsuser
KHEOPS_AUTHDB_NAME=kheops
KHEOPS_AUTHDB_URL=postgresql://kheopspostgres:5432
KHEOPS_UI_TITLE=Kheops
KHEOPS_UI_CLIENTID=loginConnect
KHEOPS_UI_USER_MANAGEMENT_URL=http://127.0.0.1:8080/auth/realms/kheops/account
KHEOPS_VIEWER_URL=https://ohif.kheops.online
KHEOPS_VIEWER_SM_URL=https://reportprovider.kheops.online/wsi-viewer
KHEOPS_PROXY_PACS_WADO_URI=http://pacsarc:8080/dcm4chee-arc/aets/DCM4CHEE/wado
KHEOPS_PROXY_PACS_WADO_RS=http://pacsarc:8080/dcm4chee-arc/aets/DCM4CHEE/rs
KHEOPS_CLIENT_DICOMWEBPROXYCLIENTID=DICOMWebProxy
KHEOPS_CLIENT_ZIPPERCLIENTID=Zipper
KHEOPS_DICOMWEB_PROXY_HOST=kheopsdicomwebproxy
KHEOPS_DICOMWEB_PROXY_PORT=8080
KHEOPS_ZIPPER_HOST=kheopszipper
KHEOPS_ZIPPER_PORT=8080
KHEOPS_AUTHORIZATION_HOST=kheopsauthorization
KHEOPS_AUTHORIZATION_PORT=8080
KHEOPS_AUTHORIZATION_PATH=/authorization
KHEOPS_PACS_PEP_HOST=pacsauthorizationproxy
KHEOPS_PACS_PEP_PORT=80
KHEOPS_UI_HOST=kheopsui
KHEOPS_UI_PORT=3000
END
kheops_environment=(KHEOPS_OIDC_PROVIDER=http://keycloak:8080/auth/realms/kheops
    CATALINA_OPTS=-Duser.timezone=UTC)

# --- What the containers have in common

# The networks' names.
cat >"$work/hosts" <<'END'
127.0.0.1 localhost
127.0.0.2 keycloak
127.0.0.3 kheopsauthorization
127.0.0.4 kheopspostgres
END
mount --bind "$work/hosts" /etc/hosts
# The socket's volume.
mkdir "$work/socket" "$work/keys"
mount -t "$(compose '.volumes["kheops-webhooks-socket"].driver_opts.type')" \
    -o "$(compose '.volumes["kheops-webhooks-socket"].driver_opts.o')" kheops-webhooks-socket "$work/socket"
chown 901:901 "$work/keys"
chmod 700 "$work/keys"
# The secret, with the owner and mode that the example asks for.
echo s3cret >"$work/secret"
chown 901 "$work/secret"
chmod 400 "$work/secret"

# --- Keycloak, as far as the worker asks it, and Kheops, as far as nginx asks it

# Only the containers' nginx is looked at: its configuration in /etc/nginx, its user nginx with the
# numbers that nginx's own image gives it.
mount -t tmpfs tmpfs /run
mkdir -p /run/kheops-webhooks
grep -v '^nginx:' /etc/passwd >"$work/passwd"
echo 'nginx:x:101:101::/nonexistent:/usr/sbin/nologin' >>"$work/passwd"
grep -v '^nginx:' /etc/group >"$work/group"
echo 'nginx:x:101:' >>"$work/group"
mount --bind "$work/passwd" /etc/passwd
mount --bind "$work/group" /etc/group

key=$(scripts/token --public)
modulus=$(openssl rsa -pubin -in "$key" -noout -modulus | sed 's/^Modulus=//' | basenc --base16 --decode |
    basenc --base64url --wrap=0 | tr -d =)
mkdir -p "$work/nginx/conf.d" "$work/nginx/kheops" "$work/nginx/kheops-webhooks" "$work/log"
cat >"$work/nginx/nginx.conf" <<END
user nginx;
worker_processes 1;
pid $work/nginx.pid;
error_log $work/log/error.log warn;
events { }
http {
    access_log off;
    client_body_temp_path $work/log/body;
    proxy_temp_path $work/log/proxy;
    fastcgi_temp_path $work/log/fastcgi;
    uwsgi_temp_path $work/log/uwsgi;
    scgi_temp_path $work/log/scgi;
    include /etc/nginx/conf.d/*.conf;
    default_type application/json;
    server { # Keycloak
        listen 127.0.0.2:8080;
        location = /auth/realms/kheops/.well-known/openid-configuration {
            return 200 '{"issuer":"http://keycloak:8080/auth/realms/kheops","jwks_uri":"http://keycloak:8080/certs"}';
        }
        location = /certs {
            return 200 '{"keys":[{"kty":"RSA","n":"$modulus","e":"AQAB","alg":"RS256","use":"sig"}]}';
        }
    }
    server { # Kheops
        listen 127.0.0.3:8080;
        return 200 '"Kheops"';
    }
}
END
# The reverse proxy, as far as the drop-in depends on it.
cat >"$work/nginx/conf.d/kheops.conf" <<'END'
limit_conn_zone $server_name zone=servers:10m;
server {
    listen 127.0.0.1:8042;
    limit_conn servers 1000;
    client_max_body_size 20000M;
    include /etc/nginx/kheops/*.conf;
}
END
cat >"$work/nginx/kheops/01_locations.conf" <<'END'
error_page 490 = @kheopsAuthorization;
location /api {
    return 490;
}
location @kheopsAuthorization {
    rewrite ^/api(.*)$ /authorization$1 break;
    proxy_pass http://kheopsauthorization:8080;
}
END
mount --bind "$work/nginx" /etc/nginx
while IFS=: read -r source target mode; do
    case $source in
    ./kheops-webhooks/*)
        [ -f "${source#./kheops-webhooks/}" ] || fail "the example mounts $source, which is not there"
        touch "$target"
        mount --bind "${source#./kheops-webhooks/}" "$target"
        ;;
    *) mount --bind "$work/socket" "$target" ;;
    esac
    [ "$mode" = ro ] || fail "the example does not mount $source read-only"
    mount -o "remount,bind,$mode" "$target"
done < <(compose '.services["kheops-reverse-proxy"].volumes[]')
if nginx -t 2>"$work/nginx-t"; then
    echo "ok: nginx takes the files as the example mounts them"
else
    cat "$work/nginx-t" >&2
    exit 1
fi
nginx

# --- Kheops' database

mkdir "$work/postgres"
postgres_start "$work/postgres" "listen_addresses = 'kheopspostgres'"
sed -i '1i host all kheopsuser all scram-sha-256' "$work/postgres/data/pg_hba.conf"
psql=(psql -X -q -v ON_ERROR_STOP=1 -h "$(cat "$work/postgres/socket-dir")" -U postgres)
"${psql[@]}" -d postgres -c "CREATE ROLE kheopsuser LOGIN PASSWORD 's3cret'" \
    -c 'CREATE DATABASE kheops OWNER kheopsuser' -c 'SELECT pg_reload_conf()' >/dev/null
PGOPTIONS='-c role=kheopsuser' "${psql[@]}" -d kheops -f sql/schema.sql -f sql/example-data.sql >/dev/null
album=$("${psql[@]}" -A -t -d kheops \
    -c 'SELECT id FROM albums WHERE pk = (SELECT album_fk FROM webhooks LIMIT 1)')
pg_ctl() { # ARGUMENT…
    postgres_run "$work/postgres" "$(postgres_bindir)/pg_ctl" --pgdata="$work/postgres/data" \
        --log="$work/postgres/postgresql.log" --wait --silent "$@"
}

# --- The worker's container

# bundle NAME VARIABLE=VALUE…: makes the runtime's configuration from the image, the example and the
# variables, which win over both; `unchanged` as NAME: without the example's variables. $argument is
# the argument for the image's entry point, if there is one.
argument=
bundle() {
    local name=$1
    shift
    mkdir -p "$work/$name"
    {
        jq --raw-output '.Env[]' "$work/image.json"
        cat "$work/docker-compose.env"
        [ "$name" = unchanged ] ||
            compose "$worker_service.environment | to_entries[] | \"\\(.key)=\\(.value)\""
        printf '%s\n' "$@"
    } | jq --raw-input --null-input '[inputs | select(. != "")]' >"$work/$name/environment.json"
    (cd "$work/$name" && rm -f config.json && crun spec)
    jq --slurpfile image "$work/image.json" --slurpfile environment "$work/$name/environment.json" \
        --slurpfile compose "$work/compose.json" --arg rootfs "$rootfs" --arg work "$work" \
        --arg argument "$argument" \
        '($compose[0].services["kheops-webhooks"]) as $service |
         ($image[0].User | split(":")) as $user |
         .process += {terminal: false, cwd: "/", user: {uid: ($user[0] | tonumber), gid: ($user[1] | tonumber)},
            args: ($image[0].Entrypoint + ([$argument] - [""])),
            env: ([$environment[0][] | capture("^(?<key>[^=]*)=(?<value>.*)$")] | from_entries |
                  [to_entries[] | .key + "=" + .value]),
            noNewPrivileges: ($service.security_opt | index("no-new-privileges:true") != null)} |
         if $service.cap_drop == ["ALL"] then
            .process.capabilities |= map_values([]) else . end |
         .root = {path: $rootfs, readonly: $service.read_only} |
         # The networks of this namespace; the runtime cannot make control groups everywhere.
         .linux.namespaces |= map(select(.type != "network")) | del(.linux.resources) |
         .mounts |= map(select(.type != "cgroup" and .type != "sysfs")) |
         .mounts += [
            ($service.volumes[] | split(":") | {destination: .[1], type: "bind", options: ["bind", "rw"],
                source: ($work + {"kheops-webhooks-socket": "/socket", "kheops-webhooks-keys": "/keys"}[.[0]])}),
            ($service.secrets[] | {destination: ("/run/secrets/" + .), type: "bind",
                options: ["bind", "ro"], source: ($work + "/secret")}),
            {destination: "/etc/hosts", type: "bind", options: ["bind", "ro"], source: ($work + "/hosts")}]' \
        "$work/$name/config.json" >"$work/$name/config.new"
    mv "$work/$name/config.new" "$work/$name/config.json"
}

crun=(crun --root "$work/crun" --cgroup-manager disabled)
container=
start() { # NAME
    name=$1
    "${crun[@]}" run --bundle "$work/$name" "$name" >>"$work/$name/output" 2>&1 &
    container=$!
}
ended() { # STATUS WHAT: waits until what start started has ended, with that exit status
    local status=0 end=$((SECONDS + 30))
    while kill -0 "$container" 2>/dev/null && [ "$SECONDS" -lt "$end" ]; do sleep 0.1; done
    "${crun[@]}" kill "$name" KILL 2>/dev/null || true # it has ended, or hangs
    wait "$container" || status=$?
    if [ "$status" -eq "$1" ]; then
        echo "ok: $2"
    else
        fail "$2: exit status $status"
    fi
}
mapfile -t health < <(compose "$worker_service.healthcheck.test[1:][]")
user=$(jq --raw-output .User "$work/image.json")
healthy() { "${crun[@]}" exec --user "$user" "$name" "${health[@]}"; }
unhealthy() { ! healthy; }
answer() { # prints the answer to a signed request by nginx
    curl -s -i --max-time 10 -H "Authorization: Bearer $(scripts/token \
        --issuer "$(compose "$worker_service.environment.KHEOPS_WEBHOOKS_ISSUER")" alice)" \
        "http://127.0.0.1:8042/api/albums/$album/webhooks"
}
listed() {
    answer | tr -d '\r' >"$work/answer"
    grep -q '^HTTP/1.1 200 ' "$work/answer" && grep -q '^X-Total-Count: [1-9]' "$work/answer"
}

[ "$(jq --compact-output '.Healthcheck.Test[1:]' "$work/docker.json")" = \
    "$(compose "$worker_service.healthcheck.test[1:] | tojson")" ] ||
    fail 'the health probes of the image and of the example differ'

bundle unchanged "${kheops_environment[@]}"
# Without the image's entry point: one that does not start is a failure.
mkdir "$work/probe"
jq '.process.args = ["/bin/true"]' "$work/unchanged/config.json" >"$work/probe/config.json"
"${crun[@]}" run --bundle "$work/probe" probe || skip 'crun cannot run a container here'
status=0
"${crun[@]}" run --bundle "$work/unchanged" unchanged >"$work/unchanged/output" 2>&1 || status=$?
[[ $status -eq 2 && $(wc -l <"$work/unchanged/output") -eq 1 ]] ||
    fail "Kheops' environment: exit status $status, or not one line: $(cat "$work/unchanged/output")"
for setting in KHEOPS_WEBHOOKS_PROVIDER_HTTP=allow KHEOPS_WEBHOOKS_ISSUER; do
    matches "Kheops' environment: $setting is missing" \
        "^kheops-webhooks: KHEOPS_OIDC_PROVIDER=http://keycloak:8080/[^ ]*: .*$setting" "$work/unchanged/output"
done

argument=--check
bundle unchanged "${kheops_environment[@]}"
status=0
"${crun[@]}" run --bundle "$work/unchanged" unchanged >"$work/unchanged/output" 2>&1 || status=$?
[ "$status" -eq 1 ] || fail "--check of Kheops' environment: exit status $status"
matches "--check of Kheops' environment shows the issuer" \
    '^ok: provider .*for tokens with the issuer http://keycloak:8080/auth/realms/kheops' "$work/unchanged/output"
matches "--check of Kheops' environment looks at the database" '^ok: database ' "$work/unchanged/output"

chown 0 "$work/secret"
bundle check
status=0
"${crun[@]}" run --bundle "$work/check" check >"$work/check/output" 2>&1 || status=$?
[ "$status" -eq 1 ] || fail "--check without the right to read the secret: exit status $status"
matches '--check names a secret that the user cannot read' \
    '^problem: .*/run/secrets/kheops_authdb_pass.*Permission denied' "$work/check/output"
chown 901 "$work/secret"
status=0
"${crun[@]}" run --bundle "$work/check" check >"$work/check/output" 2>&1 || status=$?
[ "$status" -eq 0 ] || fail "--check of the example: exit status $status: $(cat "$work/check/output")"
argument=

answer >"$work/answer"
matches 'without the worker, Kheops answers' '^"Kheops"' "$work/answer"

bundle worker
start worker
await 'the worker is healthy' healthy
await 'a signed request is answered by the worker' listed
[ "$(stat -c %u:%g:%a "$work/socket/worker.sock")" = 901:101:660 ] ||
    fail "the socket: $(stat -c %u:%g:%a "$work/socket/worker.sock")"
! grep -q setting_unknown "$work/worker/output" || fail "Kheops' environment has unknown settings"

pg_ctl --mode=fast stop
answer >"$work/answer" # the worker notices
await 'without the database, the worker is not healthy' unhealthy
pg_ctl --timeout=60 start
await 'the worker is healthy again' healthy
"${crun[@]}" kill worker STOP
status=0
timeout 60 "${crun[@]}" exec --user "$user" worker "${health[@]}" || status=$?
[ "$status" -eq 1 ] || fail "the probe of a worker that hangs: exit status $status"
"${crun[@]}" kill worker CONT

"${crun[@]}" kill worker KILL
ended 137 'SIGKILL ends it'
[ -S "$work/socket/worker.sock" ] || fail 'no socket was left behind'
start worker
await 'after SIGKILL it starts again' listed
"${crun[@]}" kill worker TERM
ended 0 'SIGTERM ends it with the exit status 0'

bundle tcp LISTEN=127.0.0.1:9000
start tcp
await 'over TCP, the worker is healthy' healthy
sed 's|server unix:/run/kheops-webhooks/worker.sock;|server 127.0.0.1:9000;|' nginx/kheops-drop-in.conf >"$work/tcp.conf"
umount /etc/nginx/conf.d/kheops-webhooks.conf
cp "$work/tcp.conf" /etc/nginx/conf.d/kheops-webhooks.conf
nginx -s reload
await 'over TCP, a signed request is answered by the worker' listed
"${crun[@]}" kill tcp TERM
ended 0 'over TCP, SIGTERM ends it with the exit status 0'

for listen in worker.sock '[::]:9000' ::1:9000; do
    bundle nowhere "LISTEN=$listen"
    status=0
    "${crun[@]}" run --bundle "$work/nowhere" nowhere >"$work/nowhere/output" 2>&1 || status=$?
    [ "$status" -eq 2 ] || fail "LISTEN=$listen: exit status $status"
    grep -qF "LISTEN=$listen: must be " "$work/nowhere/output" || fail "LISTEN=$listen: $(cat "$work/nowhere/output")"
done

pg_ctl --mode=immediate stop
if [ "$failures" -gt 0 ]; then
    tail -n 20 "$work/worker/output" "$work/log/error.log" >&2
    exit 1
fi
