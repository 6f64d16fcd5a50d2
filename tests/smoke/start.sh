#!/bin/bash
# SPDX-License-Identifier: MIT
#
# How the program starts: --help, --version, by hand, and with wrong settings.
set -eEu
trap 'echo "$0: line $LINENO: status $?: $BASH_COMMAND" >&2' ERR
cd "$(dirname "$0")/../.."
program=${BUILD_DIR:-build}/kheops-webhooks
directory=$(mktemp -d "${TMPDIR:-/tmp}/kheops-start.XXXXXX")
trap 'rm -rf "$directory"' EXIT
failures=0

# check WHAT STATUS PATTERN COMMAND…: the command ends with that status, and what it writes matches
# the extended regular expression.
check() {
    local what=$1 status=$2 pattern=$3 got=0
    shift 3
    "$@" >"$directory/output" 2>"$directory/errors" </dev/null || got=$?
    { echo && cat "$directory/errors"; } >>"$directory/output"
    if [ "$got" -ne "$status" ] || ! grep -Eq -- "$pattern" "$directory/output"; then
        {
            echo "$what: exit status $got (expected: $status), or no match for: $pattern"
            cat "$directory/output"
        } >&2
        failures=$((failures + 1))
    fi
}

# shellcheck disable=SC2317,SC2329 # called by check
# started SETTING…: as CGI, the simplest start with settings.
started() {
    env -i REQUEST_METHOD=GET PATH_INFO=/ KHEOPS_WEBHOOKS_JWKS="$directory/keys.pem" \
        KHEOPS_WEBHOOKS_ISSUER=https://issuer.example "$@" "$program"
}

openssl genpkey -quiet -algorithm ED25519 -out "$directory/private.pem"
openssl pkey -in "$directory/private.pem" -pubout -out "$directory/keys.pem"

check '--help' 0 'KHEOPS_WEBHOOKS_TIMEOUT' "$program" --help
check '--version' 0 '^kheops-webhooks [0-9]+\.[0-9]+\.[0-9]+$' "$program" --version
check 'an unknown argument' 2 "unknown argument '--verbose'.*--help" "$program" --verbose
check 'too many arguments' 2 '--help' "$program" --help --version
check 'by hand' 2 'started by hand; it needs a listening socket as descriptor 0.*--check \[--settings FILE\]' \
    env -u REQUEST_METHOD "$program"
for option in --check --settings; do
    check "$option in the help" 0 "^  $option" "$program" --help
done

# The options, and the exit status of each command line.
printf 'KHEOPS_WEBHOOKS_JWKS=%s\nKHEOPS_WEBHOOKS_LOG=loud\n' "$directory/keys.pem" >"$directory/settings"
for arguments in '--settings' '--settings=' '--check --settings' '--check now' '--check --version' \
    '--check --no-such' "--help --settings $directory/settings"; do
    # shellcheck disable=SC2086 # several arguments
    check "$arguments" 2 '^kheops-webhooks: .*--help' "$program" $arguments
done
for arguments in "--check --settings $directory/settings" "--settings=$directory/settings --check"; do
    # shellcheck disable=SC2086 # several arguments
    check "$arguments" 1 '^problem: setting KHEOPS_WEBHOOKS_LOG=loud: must be .*; ' \
        env -u REQUEST_METHOD "$program" $arguments
done
check 'a settings file by hand' 2 'started by hand' \
    env -u REQUEST_METHOD "$program" --settings "$directory/settings"

check 'the right settings' 0 '^Status: 404 Not Found' started
# Arguments are part of the query of a CGI request (RFC 3875 section 4.4).
check 'arguments of a CGI request' 0 '^Status: 404 Not Found' \
    env -i REQUEST_METHOD=GET PATH_INFO=/ KHEOPS_WEBHOOKS_JWKS="$directory/keys.pem" \
    KHEOPS_WEBHOOKS_ISSUER=https://issuer.example "$program" --check --settings "$directory/settings"
check 'a misspelt setting' 0 'event=setting_unknown level=warning name=KHEOPS_WEBHOOKS_TIEMOUT nearest=KHEOPS_WEBHOOKS_TIMEOUT' \
    started KHEOPS_WEBHOOKS_TIEMOUT=3
for setting in THREADS=0 TIMEOUT=never LOG=loud ISSUER= JWKS= JWKS=/no/such/file JWKS=/; do
    name=KHEOPS_WEBHOOKS_${setting%%=*}
    value=${setting#*=}
    check "$setting" 2 "^kheops-webhooks: $name=${value:-\"\"}: .*must " \
        started "KHEOPS_WEBHOOKS_$setting"
    check "$setting, the answer" 2 '^Status: 500 Internal Server Error' \
        started "KHEOPS_WEBHOOKS_$setting"
done
# Each wrong setting is named, as a worker and as CGI. The environment is that of Kheops' own container.
kheops_container=(KHEOPS_AUTHDB_URL=postgresql://kheopspostgres:5432 KHEOPS_AUTHDB_NAME=kheops
    KHEOPS_AUTHDB_USER=kheopsuser KHEOPS_OIDC_PROVIDER=http://keycloak:8080/auth/realms/kheops
    KHEOPS_ROOT_URL=http://127.0.0.1 KHEOPS_API_PATH=/api KHEOPS_AUTHORIZATION_HOST=kheopsauthorization
    KHEOPS_UI_CLIENTID=loginConnect KHEOPS_CLIENT_ZIPPERCLIENTID=Zipper CATALINA_OPTS=-Duser.timezone=UTC)
settings=("${kheops_container[@]}" KHEOPS_WEBHOOKS_THREADS=0 KHEOPS_WEBHOOKS_LOG=loud)
worker=(spawn-fcgi -n -s "$directory/socket" -- "$(realpath "$program")")
for start in worker cgi; do
    command=("${worker[@]}")
    [ "$start" = worker ] || command=(REQUEST_METHOD=GET PATH_INFO=/ "$program")
    for error in 'KHEOPS_WEBHOOKS_LOG=loud: must be error, ' 'KHEOPS_WEBHOOKS_THREADS=0: must be a ' \
        'KHEOPS_OIDC_PROVIDER=http://keycloak:8080/auth/realms/kheops: .*PROVIDER_HTTP=allow.*KHEOPS_WEBHOOKS_ISSUER'; do
        check "three wrong settings, $start" 2 "^kheops-webhooks: $error" \
            env -i "PATH=$PATH" "${settings[@]}" "${command[@]}"
        rm -f "$directory/socket"
    done
    if [ "$(grep -c '^kheops-webhooks: ' "$directory/output")" -ne 3 ] || grep -q event= "$directory/output"; then
        echo "three wrong settings, $start: not three lines:" >&2
        cat "$directory/output" >&2
        failures=$((failures + 1))
    fi
done
check 'a wrong setting and a wrong key file' 2 "^kheops-webhooks: KHEOPS_WEBHOOKS_JWKS=/no/such/file: " \
    started KHEOPS_WEBHOOKS_JWKS=/no/such/file KHEOPS_WEBHOOKS_LOG=loud
grep -q '^kheops-webhooks: KHEOPS_WEBHOOKS_LOG=loud: ' "$directory/output" || failures=$((failures + 1))
yes 'no setting' | head -n 30 >"$directory/text"
check 'a settings file that is none' 2 '^kheops-webhooks: 11 more wrong lines and settings$' \
    env -i "PATH=$PATH" "${worker[@]}" --settings "$directory/text"
rm "$directory/socket"
check 'a missing settings file' 2 '^kheops-webhooks: settings file /no/such/file: ' \
    env -i "PATH=$PATH" "${worker[@]}" --settings /no/such/file
if [ "$(grep -c '^kheops-webhooks: ' "$directory/output")" -ne 1 ]; then
    echo 'a missing settings file: more is named as missing' >&2
    failures=$((failures + 1))
fi

check 'a password in a wrong connection string' 2 'KHEOPS_WEBHOOKS_DATABASE: must .*not shown' \
    started KHEOPS_WEBHOOKS_DATABASE='host=a password=geheim nonsense'
if grep -q geheim "$directory/output"; then
    echo 'the password was shown' >&2
    failures=$((failures + 1))
fi

: >"$directory/empty"
echo 'no keys here' >"$directory/text"
echo '{"keys":[]}' >"$directory/none.json"
echo '{"keys":[{"kty":"oct","kid":"short","k":"AAAA"}]}' >"$directory/short.json"
for file in empty text none.json short.json private.pem; do
    check "the key file $file" 2 "^kheops-webhooks: KHEOPS_WEBHOOKS_JWKS=$directory/$file: " \
        started KHEOPS_WEBHOOKS_JWKS="$directory/$file"
done

# One good key and one broken one: the program uses the former, logs the latter.
{
    cat "$directory/keys.pem"
    printf -- '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n'
} >"$directory/mixed.pem"
check 'one good and one broken key' 0 'event=key_skipped level=warning reason="key 2: ' \
    started KHEOPS_WEBHOOKS_JWKS="$directory/mixed.pem"
check 'one good and one broken key, the answer' 0 '^Status: 404' \
    started KHEOPS_WEBHOOKS_JWKS="$directory/mixed.pem"

exit $((failures > 0))
