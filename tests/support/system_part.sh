# shellcheck shell=bash
# What the scripts in tests/systems begin with. Sourced in the top directory, with the RELEASE in $1, by
# bash scripts with `set -eEu`. Sets release, debian_system, and system, which is to be made in directory;
# both are removed however the script ends.
trap 'echo "$0: line $LINENO: status $?: $BASH_COMMAND" >&2' ERR
# shellcheck disable=SC2034 # for the scripts that source this file
release=$1
debian_system=$PWD/tests/support/debian-system
part=${0##*/}
directory=$(mktemp -d "${TMPDIR:-/tmp}/kheops-${part%.sh}.XXXXXX")
system=$directory/system
trap '"$debian_system" remove "$system"; rm -rf -- "$directory"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

in_system() { # COMMAND...
    "$debian_system" run "$system" "$@"
}
