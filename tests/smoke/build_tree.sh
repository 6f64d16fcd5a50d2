#!/bin/bash
# SPDX-License-Identifier: MIT
#
# One script at a time builds in a build tree, and a directory that cannot be written gets one line.
set -eEu
trap 'echo "$0: line $LINENO: status $?: $BASH_COMMAND" >&2' ERR
cd "$(dirname "$0")/../.."
unset BUILD_DIR MAKEFLAGS MFLAGS MAKELEVEL
# shellcheck source-path=SCRIPTDIR source=../../scripts/lib.sh
. scripts/lib.sh
directory=$(mktemp -d "${TMPDIR:-/tmp}/kheops-build-tree.XXXXXX")
# shellcheck disable=SC2317,SC2329 # called by the trap
clean_up() {
    : >"$directory/go"
    [ ! -s "$directory/server" ] || kill "$(cat "$directory/server")" 2>/dev/null || true
    wait
    chmod -R u+w "$directory"
    rm -rf -- "$directory"
}
trap clean_up EXIT
chmod 755 "$directory"
failures=0

fail() { # WHAT
    echo "$1" >&2
    failures=$((failures + 1))
}

await() { # CONDITION...
    local deadline=$((SECONDS + 60))
    until "$@"; do
        if [ "$SECONDS" -gt "$deadline" ]; then
            echo "60 s passed before: $*" >&2
            exit 1
        fi
        sleep 0.02
    done
}

# --- Two at once: each build waits for the file go, and the first leaves a process behind -----------

mkdir "$directory/tree"
: >"$directory/steps"
# shellcheck disable=SC2016 # the inner bash expands it
build='echo begin >>"$0/steps"
[ -e "$0/server" ] || { sleep 600 & echo $! >"$0/server"; }
until [ -e "$0/go" ]; do sleep 0.02; done
echo end >>"$0/steps"'
in_build_tree "$directory/tree" bash -c "$build" "$directory" >"$directory/first" 2>&1 &
await grep -q begin "$directory/steps"
in_build_tree "$directory/tree" bash -c "$build" "$directory" >"$directory/second" 2>&1 &
second=$!
await grep -q "Waiting for another script, which builds in $directory/tree" "$directory/second"
[ "$(grep -c begin "$directory/steps")" -eq 1 ] || fail 'two builds run at the same time'
: >"$directory/go"
# If the process that is left behind had the lock, the second build would not begin.
await grep -q -z 'begin.end.begin.end' "$directory/steps"
wait "$second"
[ ! -s "$directory/first" ] || fail "the first build waits: $(cat "$directory/first")"

# --- Directories that cannot be written -----------------------------------------------------------

as_user=() # to whom permissions apply
[ "$(id -u)" -ne 0 ] || as_user=(runuser -u nobody --)
checkout=$directory/checkout
mkdir -p "$checkout/tests/fuzz" "$checkout/tests/support/postgresql-versions"
cp -R Makefile debian scripts "$checkout"
: >"$checkout/tests/fuzz/a_fuzz.cpp"
cp tests/support/postgresql-versions/package.json "$checkout/tests/support/postgresql-versions"
chmod -R a+rX,a-w "$checkout"

# refused LINE COMMAND...: the command fails and prints one line, this one (a pattern).
refused() {
    local line=$1 output status=0
    shift
    output=$(cd "$checkout" && "${as_user[@]}" env "$@" 2>&1 </dev/null) || status=$?
    output=$(grep -v '^make: \*\*\*' <<<"$output" || true)
    # shellcheck disable=SC2053 # a pattern
    if [ "$status" -eq 0 ] || [[ $output != $line || $output == *$'\n'* ]]; then
        fail "$*: status $status: $output"
    fi
}

for command in scripts/{demo,test,bench,fuzz,test-versions,package}; do
    refused "Cannot write to $checkout/build*; *" "$command"
done
refused "Cannot write to $checkout/packages; name another directory: *" scripts/package --output packages
refused 'make: cannot write to the build tree build; *' make
refused 'make: cannot write to the build tree build; *' make test
for name in demo test; do
    refused 'Cannot write to /proc/nowhere; set TMPDIR to *' TMPDIR=/proc/nowhere BUILD_DIR=/tmp "scripts/$name"
done

# --- TMPDIR in the sources: the copy that scripts/package builds does not contain itself ------------

chmod -R u+w "$checkout"
mkdir "$checkout/tmp" "$directory/fakes"
cat >"$directory/fakes/dpkg-buildpackage" <<END
#!/bin/bash
{ ls tmp; ls scripts/package; } >"$directory/copied"
exit 1
END
for tool in dpkg-query dpkg-parsechangelog apt-get; do
    printf '#!/bin/bash\nexit 0\n' >"$directory/fakes/$tool"
done
chmod +x "$directory"/fakes/*
for temporary in tmp "$checkout/tmp"; do
    rm -f "$directory/copied"
    (cd "$checkout" &&
        PATH=$directory/fakes:$PATH TMPDIR=$temporary scripts/package --output "$directory") \
        >"$directory/output" 2>&1 </dev/null || true
    [ "$(cat "$directory/copied")" = scripts/package ] || fail "TMPDIR=$temporary: $(cat "$directory/output")"
    [ -z "$(ls "$checkout/tmp")" ] || fail "TMPDIR=$temporary: a file is left"
done

exit $((failures > 0))
