#!/bin/bash
# SPDX-License-Identifier: MIT
#
#     tests/systems/package.sh RELEASE
#
# Installs the package on a bare Debian of that release with apt, configures it, upgrades it under load,
# removes and purges it.
#
# KHEOPS_PACKAGES names the directory with the package, built for that release; the directory "before"
# below it has the one with a lower version. Needs root; exit status 77 if this machine cannot run whole
# systems.
#
# shellcheck disable=SC2016,SC2317,SC2329 # other shells expand the commands in quotes; await calls functions
set -eEu
cd "$(dirname "$0")/../.."
# shellcheck source-path=SCRIPTDIR source=../support/system_part.sh
. tests/support/system_part.sh
packages=$(realpath "${KHEOPS_PACKAGES:?names the directory with the package}")
export BUILD_DIR=$directory # where scripts/token keeps its key
failures=0
SECONDS=0

say() {
    echo "package: Debian $release, $SECONDS s: $1"
}

fail() {
    echo "package: FAILED: $1" >&2
    failures=$((failures + 1))
}

# is WHAT EXPECTED GOT
is() {
    [ "$2" = "$3" ] || fail "$1:
$(diff <(printf '%s\n' "$2") <(printf '%s\n' "$3") | sed -n 's/^</expected:/p; s/^>/got:     /p' | head -n 40)"
}

# apt-get in the system. needrestart restarts nothing by itself: one of the tests calls it.
apt_get() { # ARGUMENT...
    in_system env NEEDRESTART_SUSPEND=1 apt-get -qq --yes "$@" </dev/null >"$directory/apt.log" 2>&1 || {
        tail -n 40 "$directory/apt.log" >&2
        echo "package: apt-get $* failed" >&2
        exit 1
    }
}

# Waits until a command succeeds, for at most 30 seconds.
await() { # COMMAND...
    local deadline=$((SECONDS + 30))
    until "$@"; do
        if [ "$SECONDS" -gt "$deadline" ]; then
            fail "waited 30 s for: $*"
            return 0
        fi
        sleep 0.1
    done
}

property() { # UNIT PROPERTY
    in_system systemctl show --property="$2" --value "kheops-webhooks.$1"
}

# --- What must hold -------------------------------------------------------------------------------

# Everything that an installation can leave: each file with its owner, mode and target, what is in /etc and
# in the state of deb-systemd-helper, the users, and what systemd knows. Not listed: what apt, dpkg, systemd,
# the log and PostgreSQL write by themselves, and ldconfig's cache.
# A unit whose files are gone may stay in systemd's memory for a while.
snapshot() {
    in_system bash -c '
        find / /run -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /srv -o -path /tmp -o -path /var/tmp \
            -o -path /run/systemd -o -path /run/udev -o -path /run/user -o -path /run/lock -o -path /run/needrestart -o -path "/run/credentials*" -o -path "/run/log" \
            -o -path /var/log -o -path "/var/cache/*" -o -path /var/lib/apt -o -path "/var/lib/dpkg/*-old" \
            -o -path /var/lib/postgresql -o -path /run/postgresql -o -path /var/lib/nginx \
            -o -path /var/lib/systemd/timers -o -path "/etc/*-" -o -path /etc/.pwd.lock \) -prune \
            -o -printf "%p %y %m %U:%G %l\n" | sort
        find /run/systemd/system /run/systemd/transient /run/systemd/generator* /run/log /run/lock /tmp /var/tmp -iname "*kheops*" 2>/dev/null | sort
        find /etc /var/lib/systemd/deb-systemd-* -type f ! -path "/etc/*-" ! -path /etc/ld.so.cache -exec sha256sum {} + | sort -k 2
        dpkg-query --show --showformat="\${Package} \${Status}\n" "*kheops*" 2>/dev/null
        dpkg-statoverride --list
        systemctl list-unit-files --no-legend --plain | sort
        systemctl list-units --all --no-legend --plain | grep -i kheops | grep -v "not-found inactive dead"
        systemctl --failed --no-legend --plain
        grep -l "^kheops" /proc/[0-9]*/comm
        true'
}

# The units and the settings as the package leaves them when nobody has configured it.
check_unconfigured() {
    is "the system's state" running "$(in_system systemctl is-system-running || true)"
    is 'the socket without settings' 'active listening enabled' \
        "$(property socket ActiveState) $(property socket SubState) $(property socket UnitFileState)"
    is 'the service without settings' 'inactive exec-condition enabled' \
        "$(property service ActiveState) $(property service Result) $(property service UnitFileState)"
    in_system journalctl --no-pager --output=cat --unit=kheops-webhooks.service |
        grep -q '/etc/kheops-webhooks/environment.*systemctl restart kheops-webhooks' ||
        fail 'the journal does not say which file to edit and which command starts the service'
    check_settings_file
    is "the worker's account" 'kheops_webhooks:/var/lib/kheops-webhooks:/usr/sbin/nologin' \
        "$(in_system getent passwd kheops_webhooks | cut -d : -f 1,6,7)"
}

check_settings_file() {
    is 'the settings file' 'root:kheops_webhooks 640' \
        "$(in_system stat -c '%U:%G %a' /etc/kheops-webhooks/environment)"
}

album=http://127.0.0.1:8080/api/albums/DemoAlbum1/webhooks

# Prints the status of one request, and stores the body.
request() {
    in_system curl --silent --noproxy '*' --max-time 20 --output /run/body --write-out '%{http_code}' \
        --header "Authorization: Bearer $token" "$album" || true
}

check_request() { # WHEN
    is "a request $1" 200 "$(request)"
    in_system grep -q '"QAdfIstxuOvwkcm39WEO"' /run/body || fail "a request $1: not the expected list"
}

is_answered() {
    [ "$(request)" = 200 ]
}

check_program() {
    is 'the program that runs' '/usr/sbin/kheops-webhooks' \
        "$(in_system readlink "/proc/$(property service MainPID)/exe")"
}

# What an upgrade must not change: the socket as systemd and as the kernel know it, and the settings.
constant_things() {
    property socket InvocationID
    property socket ActiveEnterTimestampMonotonic
    in_system stat -c %i /run/kheops-webhooks/worker.sock
    in_system cat /proc/net/unix | awk '$8 == "/run/kheops-webhooks/worker.sock" && $4 == "00010000" { print $7 }'
    in_system sha256sum /etc/kheops-webhooks/environment
}

install_file=/srv/before/kheops-webhooks.deb

# --- A fresh installation, and what a purge leaves of it ------------------------------------------

say 'making the system'
"$debian_system" make "$release" "$system" || exit
mkdir -p "$system/root/srv/before" "$system/root/srv/current"
cp "$packages"/before/kheops-webhooks_*.deb "$system/root/srv/before/kheops-webhooks.deb"
cp "$packages"/kheops-webhooks_*.deb "$system/root/srv/current/kheops-webhooks.deb"
cp "$(scripts/token --public)" "$system/root/srv/keys.pem"
chmod 644 "$system/root/srv/keys.pem"
token=$(scripts/token --lifetime 7200 alice)
"$debian_system" fetch "$system" nginx postgresql curl openssl needrestart /srv/before/kheops-webhooks.deb || exit
"$debian_system" boot "$system"

say 'installing on the bare system'
bare=$(snapshot)
start=$(date +%s%N)
apt_get install --no-install-recommends "$install_file"
answered=$(($(date +%s%N) - start))
check_unconfigured
say 'upgrading without settings'
apt_get install /srv/current/kheops-webhooks.deb
check_unconfigured
in_system grep -q 'build before' /etc/kheops-webhooks/environment && fail 'the upgrade did not replace the unchanged settings file'
say 'installing beside a unit of an installation from source'
in_system install -D -m 644 -t /usr/local/lib/systemd/system /usr/lib/systemd/system/kheops-webhooks.service
apt_get install --reinstall /srv/current/kheops-webhooks.deb
grep -q '/usr/local/lib/systemd/system/kheops-webhooks.service takes precedence.*make uninstall' "$directory/apt.log" ||
    fail 'apt does not warn of the unit in /usr/local'
in_system sh -c 'rm -r /usr/local/lib/systemd && systemctl daemon-reload'
say 'upgrading with settings in another file, to which a link leads'
in_system sh -ec 'mv /etc/kheops-webhooks/environment /srv; chgrp root /srv/environment
    ln -s /srv/environment /etc/kheops-webhooks; echo KHEOPS_WEBHOOKS_LOG=loud >>/srv/environment'
apt_get install --reinstall -o Dpkg::Options::=--force-confold /srv/current/kheops-webhooks.deb
is 'the file to which the link leads' 'root:root 640' "$(in_system stat -c '%U:%G %a' /srv/environment)"
is 'the service with a wrong setting' failed "$(property service ActiveState)"
say 'purging with a failed service, and another account in the group'
in_system useradd --system --gid kheops_webhooks another
apt_get purge kheops-webhooks
is 'the group, which another account has' kheops_webhooks "$(in_system getent group kheops_webhooks | cut -d : -f 1)"
in_system sh -ec 'userdel another 2>/dev/null; groupdel kheops_webhooks'
# In Debian 13, libc6 recommends and systemd suggests some of the libraries.
apt_get -o APT::AutoRemove::RecommendsImportant=false -o APT::AutoRemove::SuggestsImportant=false autoremove --purge
is 'files, users and units after a purge on the bare system' "$bare" "$(snapshot)"

# --- nginx and PostgreSQL -------------------------------------------------------------------------

say 'installing nginx and PostgreSQL'
start=$(date +%s%N)
apt_get install nginx postgresql curl openssl
answered=$((answered + $(date +%s%N) - start))
apt_get install needrestart "$install_file"
# debian/tests/smoke makes the database, and configures nginx with the installed file.
mkdir "$system/root/srv/smoke"
cp debian/tests/smoke "$system/root/srv/smoke"
in_system env AUTOPKGTEST_TMP=/srv/smoke /srv/smoke/smoke >"$directory/log" 2>&1 </dev/null ||
    fail "debian/tests/smoke: $(cat "$directory/log")"
apt_get purge kheops-webhooks
before_installation=$(snapshot)

# --- Requests -------------------------------------------------------------------------------------

say 'installing, and requests without settings'
apt_get install "$install_file"
check_unconfigured
for _ in 1 2 3; do
    is 'a request without settings' 502 "$(request)"
done
# Many at once do not make the socket fail; each is refused, and the service can be stopped meanwhile.
skipped_starts() {
    in_system journalctl --no-pager --output=cat --unit=kheops-webhooks.service | grep -c 'There are no settings yet'
}
starts=$(skipped_starts)
refusals=$(in_system bash -c '
    for client in 1 2 3 4; do
        for number in {1..50}; do
            curl --silent --noproxy "*" --max-time 20 --output /dev/null --write-out "%{http_code}\n" "$0"
        done &
    done
    wait' "$album" </dev/null | sort | uniq -c)
# 429: nginx admits 100 a second.
is '200 requests without settings' '' "$(grep -v -e ' 502$' -e ' 429$' <<<"$refusals" || true)"
in_system systemctl stop kheops-webhooks.service
is 'the service, stopped after requests without settings' inactive "$(property service ActiveState)"
starts=$(($(skipped_starts) - starts))
[ "$starts" -lt 10 ] || fail "200 requests started the service $starts times"
in_system systemctl start kheops-webhooks.service
check_unconfigured
say 'configuring it'
start=$(date +%s%N)
in_system sh -c 'cp /srv/keys.pem /etc/kheops-webhooks && cat >>/etc/kheops-webhooks/environment' <<END
KHEOPS_WEBHOOKS_DATABASE='host=/run/postgresql dbname=kheops user=kheops_webhooks'
KHEOPS_WEBHOOKS_JWKS=/etc/kheops-webhooks/keys.pem
KHEOPS_WEBHOOKS_ISSUER=$(scripts/token --print-issuer)
END
in_system systemctl restart kheops-webhooks || fail 'the service does not start'
check_request 'after the configuration'
answered=$((answered + $(date +%s%N) - start))
say "from apt install on the bare system to the first answer, nginx and PostgreSQL included: $((answered / 1000000)) ms"
is "the system's state with settings" running "$(in_system systemctl is-system-running || true)"
check_program
in_system runuser -u kheops_webhooks -- kheops-webhooks --check --settings /etc/kheops-webhooks/environment \
    >"$directory/check" 2>&1 || fail "--check: status $?: $(cat "$directory/check")"
is 'problems found by --check' '' "$(grep -v '^ok:' "$directory/check" || true)"

say 'restarting the units in quick succession'
for _ in 1 2 3 4 5 6 7 8; do
    in_system systemctl restart kheops-webhooks.socket kheops-webhooks.service || fail 'the units do not restart'
done
check_request 'after restarts in quick succession'

# --- Upgrade under load ---------------------------------------------------------------------------

# Two clients, which send some 60 requests a second together: nginx admits 100.
in_system bash -c '
    rm -rf /run/load && mkdir /run/load
    for client in 1 2; do
        while [ ! -e /run/load/stop ]; do
            curl --silent --noproxy "*" --max-time 30 --output /dev/null --write-out "%{http_code} %{errormsg}\n" \
                --header "Authorization: Bearer $0" "$1"
            sleep 0.03
        done >"/run/load/$client" &
    done
    wait' "$token" "$album" </dev/null &
load=$!

answers() {
    in_system sh -c 'cat /run/load/[0-9]* | wc -l'
}

# Waits for more answers than there are now: the load goes on.
await_answers() { # NUMBER
    local number
    number=$(($(answers) + $1))
    has_more() {
        [ "$(answers)" -ge "$number" ]
    }
    await has_more
}

await in_system test -e /run/load/2
await_answers 20
say 'upgrading under load'
process=$(property service MainPID)
constant=$(constant_things)
during=$(answers)
apt_get install -o Dpkg::Options::=--force-confold /srv/current/kheops-webhooks.deb
during=$(($(answers) - during))
await_answers 20
[ "$(property service MainPID)" != "$process" ] || fail 'the upgrade did not restart the service'
is 'the version of the program' "$(dpkg-deb --field "$packages"/kheops-webhooks_*.deb Version)" \
    "$(in_system kheops-webhooks --version | grep -oE '[0-9][0-9a-z.~+]*' | head -n 1)"
check_program
is 'the socket and the settings after the upgrade' "$constant" "$(constant_things)"
check_settings_file

say 'reinstalling under load'
process=$(property service MainPID)
apt_get install --reinstall -o Dpkg::Options::=--force-confold /srv/current/kheops-webhooks.deb
await_answers 20
[ "$(property service MainPID)" != "$process" ] || fail 'the reinstallation did not restart the service'
is 'the socket and the settings after the reinstallation' "$constant" "$(constant_things)"
check_settings_file

say 'changing a library, and needrestart'
process=$(property service MainPID)
in_system bash -c '
    set -e
    library=$(awk "/libcjson/ { print \$6; exit }" "/proc/$0/maps")
    cp -p "$library" "$library.new"
    mv "$library.new" "$library"' "$process"
in_system needrestart -r a -m a -q -l </dev/null >"$directory/log" 2>&1 || fail "needrestart: $(cat "$directory/log")"
was_restarted() {
    [ "$(property service MainPID)" != "$process" ] && is_answered
}
await was_restarted
await_answers 20
is 'the socket and the settings after needrestart' "$constant" "$(constant_things)"

in_system touch /run/load/stop
wait "$load"
say "$(answers) requests, $during of them while apt upgraded the package"
[ "$during" -gt 0 ] || fail 'no request was answered while apt upgraded the package'
is 'requests that were lost' '' "$(in_system sh -c 'cat /run/load/[0-9]* | grep -v "^200 $"' || true)"

# --- Remove and purge -----------------------------------------------------------------------------

say 'removing'
settings=$(in_system sha256sum /etc/kheops-webhooks/environment)
apt_get remove kheops-webhooks
is 'the settings after the removal' "$settings" "$(in_system sha256sum /etc/kheops-webhooks/environment)"
check_settings_file
is 'units after the removal' 'inactive not-found inactive not-found' \
    "$(property service ActiveState) $(property service LoadState) $(property socket ActiveState) $(property socket LoadState)"
is "the worker's processes after the removal" '' "$(in_system sh -c 'grep -l ^kheops /proc/[0-9]*/comm' || true)"
is 'in /run after the removal' '' "$(in_system find /run -maxdepth 1 -name '*kheops*')"
is 'a request after the removal' 502 "$(request)"

say 'installing again'
apt_get install /srv/current/kheops-webhooks.deb
is 'the settings after the second installation' "$settings" "$(in_system sha256sum /etc/kheops-webhooks/environment)"
check_settings_file
await is_answered
check_request 'after the second installation'

say 'purging'
apt_get purge kheops-webhooks
in_system rm -rf /run/load /run/body
is 'files, users and units after a purge' "$before_installation" "$(snapshot)"
[ "$failures" -eq 0 ] || in_system journalctl --no-pager --unit='kheops-webhooks.*' | grep -v ' status=200 ' | tail -n 60
say "$failures failures"
exit $((failures > 0))
