#!/bin/bash
# SPDX-License-Identifier: MIT
#
# scripts/demo shows the expected answer, and leaves nothing behind however it ends.
set -eEu
set -m # each demo runs in its own process group, so that the test can interrupt it as a terminal does
cd "$(dirname "$0")/../.."
PATH=$PATH:/usr/sbin
# shellcheck source-path=SCRIPTDIR source=../../scripts/lib.sh
. scripts/lib.sh
for tool in nginx spawn-fcgi curl openssl cmake make; do
    if ! command -v "$tool" >/dev/null; then
        echo "skipped: $tool is not installed" >&2
        exit 77
    fi
done
if ! postgres_bindir >/dev/null; then
    exit 77
fi

failures=0
directory=$(mktemp -d "${TMPDIR:-/tmp}/kheops-demo-test.XXXXXX")
occupant=
demo=
# shellcheck disable=SC2317,SC2329 # called by the trap
clean_up() {
    if [ -n "$demo" ]; then
        kill -TERM "$demo" 2>/dev/null || true
        wait "$demo" || true
    fi
    [ -z "$occupant" ] || kill "$occupant" 2>/dev/null || true
    rm -rf -- "$directory"
}
trap clean_up EXIT
mkdir "$directory/tmp" "$directory/bin"
chmod 711 "$directory" "$directory/tmp" # root's demo runs PostgreSQL as another user
export TMPDIR="$directory/tmp"
# initdb takes a second or more, so it runs once, and each demo gets a copy of the cluster.
server=$(postgres_bindir)
export KHEOPS_TEST_POSTGRESQL="$directory/postgresql"
mkdir -m 1777 "$KHEOPS_TEST_POSTGRESQL"
ln -s "$server/pg_ctl" "$KHEOPS_TEST_POSTGRESQL/pg_ctl"
cat >"$KHEOPS_TEST_POSTGRESQL/initdb" <<END
#!/bin/bash
made=$KHEOPS_TEST_POSTGRESQL/made
[ -d "\$made" ] || "$server/initdb" "\$@" --pgdata="\$made" || exit
cp -a "\$made" "\${1#--pgdata=}"
END
chmod 755 "$KHEOPS_TEST_POSTGRESQL/initdb"
# No package is missing here, so a demo that installs packages is wrong and fails.
for tool in apt-get sudo; do
    printf '#!/bin/sh\necho "%s was called: $*" >&2\nexit 1\n' "$tool" >"$directory/bin/$tool"
    chmod +x "$directory/bin/$tool"
done
export PATH="$directory/bin:$PATH"

# Shows what the demo has printed (the worker's log is in errors), and its logs while they are there.
fail() { # WHAT
    local file
    {
        echo "$1"
        for file in "$directory"/{output,errors,answer} \
            "$TMPDIR"/*/{psql.log,nginx/output,nginx/error.log,postgresql/postgresql.log}; do
            [ ! -s "$file" ] || tail -n 40 "$file" | sed "s/^/    ${file##*/}: /"
        done
    } >&2
    failures=$((failures + 1))
}
trap 'fail "line $LINENO: status $?: $BASH_COMMAND"' ERR

# Prints the processes whose working directory or command line is in the demo's directory, and its files.
left_behind() {
    local process
    {
        # shellcheck disable=SC2062 # the pattern is on standard input, for grep not to find itself
        grep -lsF -f - /proc/[0-9]*/cmdline <<<"$TMPDIR/" || true
        find /proc/[0-9]*/cwd -lname "$TMPDIR/*" 2>/dev/null || true
    } | sed 's,/[^/]*$,,' | sort -u | while read -r process; do
        echo "$process: $(tr '\0' ' ' 2>/dev/null <"$process/cmdline")"
    done
    find "$TMPDIR" -mindepth 1
}

start() { # ARGUMENT...
    rm -f "$directory/answer"
    : >"$directory/errors" # before the demo starts, because await_line reads it at once
    scripts/demo "$@" >"$directory/output" 2>"$directory/errors" </dev/null &
    demo=$!
}

# Waits until the demo ends; checks its status, and that it left nothing behind.
ends() { # WHAT STATUS
    local got=0 left deadline=$((SECONDS + 120))
    while kill -0 "$demo" 2>/dev/null; do
        if [ "$SECONDS" -gt "$deadline" ]; then
            fail "$1: the demo has not ended after 120 s; left: $(left_behind)"
            exit 1
        fi
        sleep 0.02
    done
    wait "$demo" || got=$?
    demo=
    [ "$got" -eq "$2" ] || fail "$1: exit status $got (wanted: $2)"
    # PostgreSQL removes its pid file, for which pg_ctl waits, just before it ends.
    deadline=$((SECONDS + 5))
    until left=$(left_behind) && [ -z "$left" ] || [ "$SECONDS" -gt "$deadline" ]; do
        sleep 0.02
    done
    [ -z "$left" ] || fail "$1: left behind: $left"
    ! grep -q 'Sanitizer' "$directory/errors" || fail "$1: a sanitizer reported an error"
}

# Waits until the demo prints this line.
await_line() { # TEXT
    local deadline=$((SECONDS + 120))
    until grep -qF "$1" "$directory/errors"; do
        if ! kill -0 "$demo" 2>/dev/null || [ "$SECONDS" -gt "$deadline" ]; then
            fail "the demo ended, or 120 s passed, before it printed: $1"
            return
        fi
        sleep 0.02
    done
}

# --- One request, while the default port is taken -----------------------------------------------

until (: <>/dev/tcp/127.0.0.1/8080) 2>/dev/null; do # another program may have it already
    if [ -z "$occupant" ] || ! kill -0 "$occupant" 2>/dev/null; then
        spawn-fcgi -n -a 127.0.0.1 -p 8080 -- /bin/sleep 600 2>/dev/null &
        occupant=$!
    fi
    sleep 0.02
done

start --once
ends '--once' 0
grep -q '^HTTP/1.1 200 OK' "$directory/output" || fail '--once: no answer is shown'
grep -q '^\[{"id":"QAdfIstxuOvwkcm39WEO"' "$directory/output" || fail '--once: no list is shown'
if kill -0 "$occupant" 2>/dev/null && grep -q ':8080/' "$directory/output"; then
    fail '--once: the line to copy has port 8080, which is taken'
fi

start --once --port 8080
ends 'a port that is taken' 1
grep -q 'port 8080 is taken' "$directory/errors" || fail 'a port that is taken: no message names it'
kill "$occupant" 2>/dev/null || true
wait "$occupant" 2>/dev/null || true
occupant=

# --- Interrupted at each step -------------------------------------------------------------------

for step in 'starting PostgreSQL' 'starting the worker' 'starting nginx'; do
    start
    await_line "demo: $step"
    kill -INT -- "-$demo"
    ends "Ctrl-C while $step" 130
done

start
await_line 'demo: starting PostgreSQL'
kill -TERM "$demo"
ends 'SIGTERM while starting PostgreSQL' 143

# --- In the foreground: the line to copy works, the log is shown, Ctrl-C ends the demo ----------

start
await_line "the worker's log follows"
line=$(grep '^curl ' "$directory/output") || fail 'no line to copy'
(eval "$line") >"$directory/answer" 2>&1 || true
grep -q '^HTTP/1.1 200 OK' "$directory/answer" || fail "the line to copy does not work: $line"
[ "$(grep -c '^user=alice .*status=200 ' "$directory/errors")" -eq 2 ] ||
    fail 'the log does not show the two requests'
kill -INT -- "-$demo"
ends 'Ctrl-C in the foreground' 130

# --- Errors are reported ------------------------------------------------------------------------

KHEOPS_WEBHOOKS_THREADS=0 start --once
ends 'a worker that does not start' 1
grep -q 'KHEOPS_WEBHOOKS_THREADS=0' "$directory/errors" ||
    fail 'a worker that does not start: its reason is not shown'

for arguments in --bogus '--port' '--port x' '--port 0' '--port 65536'; do
    # shellcheck disable=SC2086 # several
    start $arguments
    ends "$arguments" 2
done
scripts/demo --help | grep -q -- --once || fail '--help does not mention --once'

exit $((failures > 0))
