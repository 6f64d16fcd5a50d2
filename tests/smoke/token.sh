#!/bin/bash
# SPDX-License-Identifier: MIT
#
# scripts/token: its tokens verify and have the requested claims, and wrong use is refused.
set -eEu
trap 'echo "$0: line $LINENO: status $?: $BASH_COMMAND" >&2' ERR
cd "$(dirname "$0")/../.."
for tool in openssl jq; do
    if ! command -v "$tool" >/dev/null; then
        echo "skipped: $tool is not installed" >&2
        exit 77
    fi
done
directory=$(mktemp -d "${TMPDIR:-/tmp}/kheops-token.XXXXXX")
trap 'rm -rf "$directory"' EXIT
export BUILD_DIR="$directory/build" # so that scripts/token makes a key
failures=0

fail() {
    echo "$1" >&2
    failures=$((failures + 1))
}

# part TOKEN NUMBER: prints that part, decoded.
part() {
    local text
    text=$(cut -d. -f"$2" <<<"$1" | tr -- '-_' '+/')
    while [ $((${#text} % 4)) -ne 0 ]; do text+='='; done
    openssl base64 -d -A <<<"$text"
}

# verify WHAT TOKEN PUBLIC-KEY: the token has three parts of base64url and a good signature.
verify() {
    [[ $2 =~ ^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$ ]] || fail "$1: not three parts: $2"
    part "$2" 3 >"$directory/signature"
    printf %s "${2%.*}" |
        openssl dgst -sha256 -verify "$3" -signature "$directory/signature" >/dev/null ||
        fail "$1: the signature does not verify"
    [ "$(part "$2" 1 | jq -c .)" = '{"alg":"RS256","typ":"JWT"}' ] || fail "$1: its header is $(part "$2" 1)"
}

# claim TOKEN NAME: prints the value as JSON.
claim() {
    part "$1" 2 | jq -c ".$2"
}

# Four first uses at the same time sign with the same key.
for i in 1 2 3 4; do
    scripts/token alice >"$directory/token$i" &
done
wait
public=$(scripts/token --public)
for i in 1 2 3 4; do
    verify "first use, $i" "$(cat "$directory/token$i")" "$public"
done
[ "$(find "$BUILD_DIR" -type f | wc -l)" -eq 2 ] || fail "not two files: $(find "$BUILD_DIR")"
[ "$(stat -c %a "$BUILD_DIR/demo/private.pem")" = 600 ] || fail 'others can read the private key'

token=$(scripts/token alice)
[ "$(claim "$token" sub)" = '"alice"' ] || fail "sub is $(claim "$token" sub)"
[ "$(claim "$token" iss)" = "\"$(scripts/token --print-issuer)\"" ] || fail "iss is $(claim "$token" iss)"
[ "$(claim "$token" 'exp - .iat')" = 3600 ] || fail "exp - iat is $(claim "$token" 'exp - .iat')"
[ "$(claim "$token" 'iat > now - 600 and .iat <= now')" = true ] || fail "iat is $(claim "$token" iat)"
[ "$(claim "$token" 'aud')$(claim "$token" scope)" = nullnull ] || fail 'aud or scope is set without its option'

openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$directory/private.pem"
openssl pkey -in "$directory/private.pem" -pubout -out "$directory/public.pem"
token=$(scripts/token --key "$directory/private.pem" --issuer 'https://a.example/"b"' --audience kheops \
    --scope 'read write' --lifetime -120 -- -alice)
verify 'all options' "$token" "$directory/public.pem"
for expected in 'iss == "https://a.example/\"b\""' 'aud == "kheops"' 'scope == "read write"' \
    'exp == .iat - 120' 'sub == "-alice"'; do
    [ "$(claim "$token" "$expected")" = true ] || fail "false: $expected; the claims are $(part "$token" 2)"
done

# shellcheck disable=SC2016 # nothing in there is to be expanded
for sub in 'quote " and \ backslash' '\u0041' '& $(echo) * %s %%' 'ü ÿ 漢字 😀' ' ' \
    "$(printf 'x%.0s' {1..300})"; do
    token=$(scripts/token "$sub")
    verify "sub $sub" "$token" "$public"
    # jq decodes the claim, so that it is compared as plain text.
    [ "$(part "$token" 2 | jq -r .sub)" = "$sub" ] || fail "sub $sub became $(claim "$token" sub)"
done

# refused STATUS ARGUMENT…: it fails and prints only a reason, on standard error.
refused() {
    local status=$1 got=0
    shift
    scripts/token "$@" >"$directory/output" 2>"$directory/errors" || got=$?
    if [ "$got" -ne "$status" ] || [ -s "$directory/output" ] || [ ! -s "$directory/errors" ]; then
        fail "scripts/token $*: exit status $got (expected: $status): $(cat "$directory/output" "$directory/errors")"
    fi
}

refused 2
refused 2 ''
refused 2 alice bob
refused 2 --colour alice
refused 2 --key
refused 2 --public alice
refused 2 --issuer '' alice
refused 2 --lifetime soon alice
refused 2 --lifetime 1.5 alice
refused 2 --lifetime 007 alice
refused 2 $'two\nlines'
refused 2 $'\x7f'
refused 2 $'not UTF-8: \xff'
refused 1 --key /no/such/file alice
openssl genpkey -quiet -algorithm ED25519 -out "$directory/ed25519.pem"
refused 1 --key "$directory/ed25519.pem" alice
scripts/token --help | grep -q -- '--lifetime' || fail '--help lacks --lifetime'

exit $((failures > 0))
