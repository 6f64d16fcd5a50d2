#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The program, CHANGELOG.md and docs/openapi.yaml name the version of debian/changelog.
set -eEu
trap 'echo "$0: line $LINENO: status $?: $BASH_COMMAND" >&2' ERR
cd "$(dirname "$0")/../.."
failures=0

fail() {
    echo "$1" >&2
    failures=$((failures + 1))
}

# same WHAT VERSION EXPECTED
same() {
    [ "$2" = "$3" ] || fail "$1 has $2, debian/changelog $3"
}

package=$(sed -n '1s/^kheops-webhooks (\([^)]*\)) .*/\1/p' debian/changelog)
[ -n "$package" ] || fail 'the first line of debian/changelog has no version'
same 'kheops-webhooks --version' "$("${BUILD_DIR:-build}/kheops-webhooks" --version)" "kheops-webhooks $package"

# A rebuild may add a suffix, such as ~bpo12+1.
release=${package%%[~+]*}
read -r version date < <(sed -n 's/^## \([0-9].*\)/\1/p' CHANGELOG.md)
same CHANGELOG.md "$version" "$release"
if [ "$release" = "$package" ]; then
    same CHANGELOG.md "$date" "($(date --utc --date "$(sed -n '0,/^ -- /s/^ -- .*>  //p' debian/changelog)" +%F))"
fi
same docs/openapi.yaml "$(sed -n 's/^  version: //p' docs/openapi.yaml)" "$release"

exit $((failures > 0))
