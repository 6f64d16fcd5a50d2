#!/bin/bash
# SPDX-License-Identifier: MIT
#
# docs/openapi.yaml passes a linter, has the version of the program, and describes the answers in
# tests/recorded/. `openapi.sh answers FILE` validates the answers to the requests of the other tests,
# which support/http_client.hpp has recorded in FILE.
set -eEu
trap 'echo "$0: line $LINENO: status $?: $BASH_COMMAND" >&2' ERR
cd "$(dirname "$0")/../.."
document=$PWD/docs/openapi.yaml
packages=${BUILD_DIR:-$PWD/build}/tests/openapi

status=0
tests/support/install-npm tests/support/openapi "$packages" || status=$?
[ "$status" -eq 0 ] || exit "$status"

if [ "${1:-}" = answers ]; then
    if [ ! -s "$2" ]; then
        echo 'skipped: no answer was recorded'
        exit 77
    fi
    node "$packages/validate.mjs" "$document" answers "$2"
    exit
fi

REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true "$packages/node_modules/.bin/redocly" lint \
    --config "$packages/redocly.yaml" --format=stylish "$document"
node "$packages/validate.mjs" "$document" recorded tests/recorded/cases.json
