#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Holds the structure of src/: includes point downwards only, and one file knows each C library, or
# of libpq, one for each subject.
set -eu
cd "$(dirname "$0")/../../src"

# From the bottom up. What stands on one line does not include each other, a folder's own files
# apart.
rings='
deadline descriptor key_times settings variables webhook text/
log regular_file http/
token/ database/ webhook_filter webhook_json
provider/
config list_webhooks
open_keys server/
main
'

# Which files may include which library.
users='
cjson/ text/json.cpp
openssl/ token/signature.cpp
libpq-fe.h database/conninfo.cpp database/connect.cpp database/connection.cpp database/result.cpp
curl/ provider/download.cpp
fcgiapp.h server/fastcgi.cpp
'

failures=0

fail() {
    echo "$1" >&2
    failures=$((failures + 1))
}

# ring_of FILE: the number of the ring that the file is in; nothing when it is in none.
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
            fail "src/$file includes $included, which is not below it"
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
