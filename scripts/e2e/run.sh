#!/bin/sh
# run.sh [TEST...]: the tests with real programs: installs the agents and the model servers, builds
# rigs with the embedded model, then runs them all, or those whose names contain TEST.
set -eu

scripts=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cd "$scripts/../.."

for program in npm python3 git make; do
    command -v "$program" >/dev/null 2>&1 || {
        printf 'error: %s is needed for the e2e tests\n' "$program" >&2
        exit 1
    }
done

began=$(date +%s)
"$scripts/install-agents.sh" >/dev/null
tests/lab/local-models/install.sh >/dev/null
printf 'agents and models are here after %s s\n' "$(($(date +%s) - began))" >&2
if [ -z "${RIGS_E2E_BIN:-}" ]; then
    cargo build --locked --release --features local-llm
    export RIGS_E2E_BIN="$PWD/target/release/rigs"
fi
[ $# -gt 0 ] || set -- e2e::
cargo test --locked --features e2e --lib --test it -- "$@"
printf 'the e2e tests took %s s in all\n' "$(($(date +%s) - began))" >&2
