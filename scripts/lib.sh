# shellcheck shell=bash
# Shell functions that several scripts share. Sourced by bash scripts; does nothing by itself.

# --- A private PostgreSQL -----------------------------------------------------------------------

# Prints the directory of a PostgreSQL server's programs: KHEOPS_TEST_POSTGRESQL if set, otherwise that
# of the newest server in Debian's directories, which are not in PATH.
postgres_bindir() {
    local initdb newest=
    if [ -n "${KHEOPS_TEST_POSTGRESQL:-}" ]; then
        printf '%s\n' "$KHEOPS_TEST_POSTGRESQL"
        return 0 # also in a trap, where return alone gives the status from before the trap
    fi
    while IFS= read -r initdb; do
        [ -x "$initdb" ] && newest=$initdb
    done < <(printf '%s\n' /usr/lib/postgresql/*/bin/initdb | sort -V)
    if [ -z "$newest" ]; then
        echo "PostgreSQL's server is not installed: there is no /usr/lib/postgresql/*/bin/initdb (Debian package: postgresql)" >&2
        return 1
    fi
    dirname "$newest"
}

# Runs a command as the owner of the cluster in DIR: PostgreSQL refuses to run as root.
postgres_run() { # DIR COMMAND...
    local owner
    owner=$(stat -c %U "$1")
    shift
    if [ "$(id -un)" = "$owner" ]; then
        (cd / && "$@")
    else
        (cd / && runuser -u "$owner" -- "$@")
    fi
}

# Makes a cluster in DIR (created, or empty) and starts it. It listens only on a Unix socket, in a
# directory that no other user can enter and whose path is in DIR/socket-dir; port 5432. Whoever reaches
# the socket is trusted; the superuser is "postgres". Passwords are stored as in PostgreSQL 14 and
# later. Nothing is flushed to disk: do not store data that you need. If root runs this, DIR is given
# to the user postgres (or nobody), who must be able to reach it. The server's log is
# DIR/postgresql.log. Each SETTING is a line for postgresql.conf.
postgres_start() { # DIR [SETTING...]
    local dir bin owner socket_dir
    bin=$(postgres_bindir) || return
    mkdir -p "$1" || return
    dir=$(cd "$1" && pwd) || return
    if [ -n "$(ls -A "$dir")" ]; then
        echo "postgres_start: $dir is not empty" >&2
        return 1
    fi

    if [ "$(id -u)" -eq 0 ]; then
        owner=postgres
        id "$owner" >/dev/null 2>&1 || owner=nobody
        chown "$owner:$(id -gn "$owner")" "$dir" || return
        if ! postgres_run "$dir" test -w "$dir"; then
            echo "postgres_start: the user $owner, who is to run PostgreSQL, cannot reach $dir" >&2
            return 1
        fi
    fi
    if ! postgres_run "$dir" test -x "$bin/initdb"; then
        echo "postgres_start: the user $(stat -c %U "$dir") cannot run $bin/initdb" >&2
        return 1
    fi
    chmod 700 "$dir" || return

    # The path of a Unix socket has 107 bytes at most; "/.s.PGSQL.5432.lock" takes 19 of them.
    socket_dir=$dir
    if [ "$(printf %s "$socket_dir" | wc -c)" -gt 88 ]; then
        socket_dir=$(mktemp -d "${TMPDIR:-/tmp}/pg.XXXXXX") || return
        if [ "$(printf %s "$socket_dir" | wc -c)" -gt 88 ]; then
            rmdir "$socket_dir"
            socket_dir=$(mktemp -d /tmp/pg.XXXXXX) || return
        fi
        chown "$(stat -c %U:%G "$dir")" "$socket_dir" || return
    fi
    printf '%s\n' "$socket_dir" >"$dir/socket-dir" || return

    if ! postgres_run "$dir" "$bin/initdb" --pgdata="$dir/data" --username=postgres --auth=trust \
        --encoding=UTF8 --locale=C --no-sync >"$dir/initdb.log" 2>&1; then
        cat "$dir/initdb.log" >&2
        return 1
    fi
    cat >>"$dir/data/postgresql.conf" <<END || return
listen_addresses = ''
port = 5432
unix_socket_directories = '${socket_dir//\'/\'\'}'
unix_socket_permissions = 0700
fsync = off
full_page_writes = off
password_encryption = 'scram-sha-256'
END
    printf '%s\n' "${@:2}" >>"$dir/data/postgresql.conf" || return
    if ! postgres_run "$dir" "$bin/pg_ctl" --pgdata="$dir/data" --log="$dir/postgresql.log" \
        --wait --timeout=60 --silent start; then
        cat "$dir/postgresql.log" >&2
        return 1
    fi
}

# Stops the cluster in DIR at once, whatever its state; succeeds too if it is not running. DIR stays.
postgres_stop() { # DIR
    local dir=$1 bin socket_dir
    if [ -f "$dir/data/postmaster.pid" ]; then
        bin=$(postgres_bindir) || return
        if ! postgres_run "$dir" "$bin/pg_ctl" --pgdata="$dir/data" --mode=immediate --wait --silent \
            stop; then
            ! postgres_run "$dir" "$bin/pg_ctl" --pgdata="$dir/data" status >/dev/null || return
            # A killed server leaves its pid file and shared memory, which the next server removes.
            postgres_run "$dir" "$bin/postgres" --single -D "$dir/data" postgres \
                </dev/null >/dev/null 2>&1 || true
        fi
    fi
    if [ -f "$dir/socket-dir" ]; then
        socket_dir=$(cat "$dir/socket-dir")
        if [ "$socket_dir" != "$dir" ]; then
            rm -rf -- "$socket_dir"
        fi
    fi
}

# --- end of: A private PostgreSQL ---------------------------------------------------------------

# --- Directories --------------------------------------------------------------------------------

# Makes DIR if necessary. Returns 1, with one line that says what to do, if no file can be written in it.
require_writable() { # DIR REMEDY
    if ! mkdir -p -- "$1" 2>/dev/null || [ ! -w "$1" ]; then
        echo "Cannot write to $(realpath -ms -- "$1"); $2" >&2
        return 1
    fi
}

# Runs a command that builds in the build tree DIR, when no other script builds there. The command does not
# inherit the lock, so that a process that it leaves behind does not keep it.
in_build_tree() { # DIR COMMAND...
    local lock=$1/.lock
    shift
    if ! flock --nonblock "$lock" true; then
        echo "Waiting for another script, which builds in $(dirname "$lock")" >&2
    fi
    flock --close "$lock" "$@"
}

# --- end of: Directories ------------------------------------------------------------------------

# --- Debian packages ----------------------------------------------------------------------------

# The packages that the scripts need. "a|b": one of them suffices (shell patterns allowed), and the
# first is installed if none is.
nginx_package='nginx|nginx-core|nginx-light|nginx-full|nginx-extras'
postgresql_package='postgresql|postgresql-[0-9][0-9]'
# shellcheck disable=SC2034 # for the scripts that source this file
build_packages=(g++ make cmake 'pkg-config|pkgconf' libfcgi-dev libcjson-dev libssl-dev libpq-dev
    'libcurl4-openssl-dev|libcurl4-gnutls-dev' prometheus-cpp-dev)
# shellcheck disable=SC2034
demo_packages=("$nginx_package" "$postgresql_package" spawn-fcgi curl openssl)
# shellcheck disable=SC2034
test_packages=("$nginx_package" "$postgresql_package" spawn-fcgi curl openssl
    pgbouncer libgtest-dev jq shellcheck php-fpm php-pgsql prometheus mandoc groff-base)
# shellcheck disable=SC2034
packaging_packages=(build-essential debhelper libgtest-dev lintian)
# shellcheck disable=SC2034
container_packages=("$nginx_package" "$postgresql_package" buildah crun mmdebstrap curl openssl jq
    python3-yaml iproute2)
# shellcheck disable=SC2034
fuzz_packages=(clang 'libclang-rt-dev|libclang-rt-[0-9][0-9]-dev' libgtest-dev)

# Runs apt-get as root. A terminal shows all that it prints; a log, what it installs and what goes wrong.
run_apt() { # ARGUMENT...
    local command=(env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@")
    [ "$(id -u)" -eq 0 ] || command=(sudo "${command[@]}")
    if [ -t 2 ]; then
        "${command[@]}" </dev/null >&2
        return
    fi
    # apt-get must not lose its reader at Ctrl-C, while dpkg runs.
    "${command[@]}" </dev/null 2>&1 | {
        trap '' INT
        awk '/^(Need to get|After this operation|[0-9]+ upgraded|E:|W: Failed|dpkg: error|Waiting for)|REMOVED:$/ ||
            /^(sudo:|Sorry, user )|sudoers/ || listed {
            print "  " $0; fflush() }
            { listed = /REMOVED:$/ }' >&2
    }
    return "${PIPESTATUS[0]}"
}

# Installs the missing ones of the packages, which needs root or sudo; if none is missing, it does
# nothing and needs neither. Returns 1 when it cannot install them. It removes no package.
#
# When Debian installs postgresql, nginx, php-fpm or prometheus, it configures and starts servers of its
# own. Only files in /etc and /usr/sbin could prevent that, and these apply to every other installation
# too (createcluster.conf, policy-rc.d). So this function lets it happen and prints a note.
install_missing() { # PACKAGE...
    local installed wanted name names found sudo='' servers='' started=$SECONDS missing=()
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        echo "This is not Debian, so nothing is installed. Install what Debian calls: ${*%%|*}" >&2
        return 0
    fi

    installed=$(dpkg-query --show --showformat='${db:Status-Status} ${Package}\n') || return
    for wanted in "$@"; do
        found=
        IFS='|' read -ra names <<<"$wanted"
        for name in "${names[@]}"; do
            # shellcheck disable=SC2053 # a pattern
            [[ $'\n'$installed$'\n' != *$'\n'"installed "$name$'\n'* ]] || found=yes
        done
        [ -n "$found" ] || missing+=("${wanted%%|*}")
    done
    [ "${#missing[@]}" -gt 0 ] || return 0

    if [ "$(id -u)" -ne 0 ]; then
        sudo='sudo '
        if ! command -v sudo >/dev/null; then
            cat >&2 <<END
Packages are missing, and there is no sudo to install them. An administrator has to run:
    apt-get update && apt-get install -y --no-install-recommends ${missing[*]}
END
            return 1
        fi
    fi
    for name in "${missing[@]}"; do
        case $name in nginx | postgresql | php-fpm | prometheus) servers+=${servers:+, }$name ;; esac
    done
    echo "Installing ${missing[*]}, which takes some minutes" >&2
    if ! { run_apt update && run_apt install -y --no-install-recommends --no-remove "${missing[@]}"; }; then
        echo "Could not install ${missing[*]}, for the reason above. apt-get may not remove packages for it." >&2
        return 1
    fi
    cat >&2 <<END
Installed in $((SECONDS - started)) s. The packages stay; to remove them later:
    ${sudo}apt-get purge --auto-remove ${missing[*]}
END
    [ -z "$servers" ] ||
        echo "Debian's own servers of $servers run now, and at each start of this machine. They are not used here." >&2
}

# --- end of: Debian packages --------------------------------------------------------------------
