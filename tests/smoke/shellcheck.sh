#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The shell scripts of the project pass shellcheck.
set -eu
cd "$(dirname "$0")/../.."
if ! command -v shellcheck >/dev/null; then
    echo 'skipped: shellcheck is not installed' >&2
    exit 77
fi
mapfile -t scripts < <(grep -rlE '^(#!.*[/ ](ba)?sh|# shellcheck shell=)' scripts tests debian container .ci)
echo "checking ${#scripts[@]} scripts"
shellcheck --external-sources "${scripts[@]}"
