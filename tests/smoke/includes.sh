#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Checks the structure of src/: files include only files of lower rings, and one file uses each C
# library (libpq: one for each subject).
set -eu
cd "$(dirname "$0")/../../src"

# The rings, the lowest first. Files of one ring do not include each other, except within a
# folder.
rings='
deadline descriptor key_times settings variables webhook text/
log regular_file http/
token/ database/ webhook_filter webhook_json page_links
provider/
config list_webhooks
open_keys settings_file server/
check/
main
'

# Which files may include which library.
users='
cjson/ text/json.cpp
openssl/ token/signature.cpp
libpq-fe.h database/conninfo.cpp database/connect.cpp database/connection.cpp database/result.cpp
curl/ provider/download.cpp
fcgiapp.h server/fastcgi.cpp
prometheus/ server/metrics.cpp
'

failures=0

fail() {
    echo "$1" >&2
    failures=$((failures + 1))
}

# ring_of FILE: prints the number of the file's ring; nothing if it has none.
ring_of() {
    awk -v file="${1%.[ch]pp}" '{
        for (i = 1; i <= NF; i++)
            if ($i == file || ($i ~ /\/$/ && index(file, $i) == 1)) print NR
    }' <<<"$rings"
}

for file in *.[ch]pp */*.[ch]pp; do
    ring=$(ring_of "$file")
    [ -n "$ring" ] || fail "src/$file is in no ring: name it in tests/smoke/includes.sh"
    while read -r included; do
        below=$(ring_of "$included")
        own=false
        case "$included" in
            "${file%.cpp}.hpp") own=true ;;
            */*) [ "$(dirname "$included")" != "$(dirname "$file")" ] || own=true ;;
        esac
        if [ -z "$below" ] || { [ "$own" = false ] && [ "$below" -ge "$ring" ]; }; then
            fail "src/$file includes $included, which is not in a lower ring"
        fi
    done < <(sed -n 's/^#include "\(.*\)".*/\1/p' "$file")
done

while read -r library files; do
    [ -n "$library" ] || continue
    while read -r file; do
        [[ " $files " == *" $file "* ]] ||
            fail "src/$file includes <$library…>, which only these may: $files"
    done < <(grep -rl "^#include <$library" .  | sed 's|^\./||')
    for file in $files; do
        grep -q "^#include <$library" "$file" || fail "src/$file no longer includes <$library…>"
    done
done <<<"$users"

exit $((failures > 0))
