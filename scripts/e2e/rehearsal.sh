#!/bin/sh
# rehearsal.sh [MINUTES=N]: real claude and codex against the lab with windows of sixty seconds: work
# comes in for N minutes (10), the foreman is killed half-way, and everything is worked off. Ends
# with a line `rehearsal: ...`.
set -eu

REHEARSAL_MINUTES=10
for given in "$@"; do
    case $given in
    MINUTES=*) REHEARSAL_MINUTES=${given#MINUTES=} ;;
    *)
        printf 'error: `%s` is not understood: MINUTES=N\n' "$given" >&2
        exit 2
        ;;
    esac
done
export REHEARSAL_MINUTES

scripts=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cd "$scripts/../.."
command -v npm >/dev/null 2>&1 || {
    printf 'error: npm is needed for the agents\n' >&2
    exit 1
}
"$scripts/install-agents.sh" >/dev/null
cargo test --locked --features e2e --test it -- --nocapture --exact \
    e2e::rehearsal::a_night_in_minutes_is_worked_through_and_every_wait_is_explained
