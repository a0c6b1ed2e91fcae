#!/bin/sh
# conformance.sh [NAME=VALUE...]: every agent CLI in every scenario (docs/conformance.md says
# which), as a table that ends with `conformance: N of N`. UPSTREAM=URL, as an argument or in the
# environment, drives another upstream than the lab; CONFORMANCE_ONLY=TEXT runs the rows whose names
# contain TEXT; UPDATE_DOCS=1 keeps the table.
set -eu

for given in "$@"; do
    case $given in
    UPSTREAM=* | CONFORMANCE_ONLY=* | UPDATE_DOCS=*) export "${given?}" ;;
    http://*) export UPSTREAM="$given" ;;
    *)
        printf 'error: `%s` is not understood: UPSTREAM=URL, CONFORMANCE_ONLY=TEXT or UPDATE_DOCS=1\n' "$given" >&2
        exit 2
        ;;
    esac
done

scripts=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cd "$scripts/../.."
for program in npm git; do
    command -v "$program" >/dev/null 2>&1 || {
        printf 'error: %s is needed for the conformance table\n' "$program" >&2
        exit 1
    }
done

began=$(date +%s)
"$scripts/install-agents.sh" >/dev/null
report=target/e2e/conformance.txt
rm -f "$report"
status=0
RUST_BACKTRACE=0 cargo test --locked --features e2e --test it -- --exact \
    e2e::conformance::every_program_conforms_in_every_scenario || status=$?
printf 'the matrix took %s s in all\n\n' "$(($(date +%s) - began))" >&2
[ -f "$report" ] || {
    printf 'error: there is no table; the output above says why\n' >&2
    exit 1
}
cat "$report"
exit "$status"
