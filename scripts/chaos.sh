#!/bin/sh
# chaos.sh [KILLS=N] [SEED=N]: the campaign of kills of tests/it/chaos.rs, with scripted agents. Ends
# with `chaos: kills=N lost=0 twice=0 orphans=0 leaked=0`; fails when a figure is not 0, or when
# fewer were killed than asked for.
set -eu

RIGS_CHAOS_KILLS=500
RIGS_CHAOS_SEED=1
for given in "$@"; do
    case $given in
    KILLS=*) RIGS_CHAOS_KILLS=${given#KILLS=} ;;
    SEED=*) RIGS_CHAOS_SEED=${given#SEED=} ;;
    *)
        printf 'error: `%s` is not understood: KILLS=N or SEED=N\n' "$given" >&2
        exit 2
        ;;
    esac
done
export RIGS_CHAOS_KILLS RIGS_CHAOS_SEED

cd "$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)/.."
began=$(date +%s)
report=target/chaos.txt
rm -f "$report"
status=0
RUST_BACKTRACE=0 RIGS_CHAOS_REPORT="$PWD/$report" \
    cargo test --locked --quiet --features "${RIGS_CHAOS_FEATURES:-}" --test it -- --exact --nocapture \
    "${RIGS_CHAOS_TEST:-chaos::a_campaign_of_kills_loses_nothing}" || status=$?
printf 'the campaign took %s s in all\n' "$(($(date +%s) - began))" >&2
[ -f "$report" ] || {
    printf 'error: the campaign broke off; the output above says why\n' >&2
    exit 1
}
cat "$report"
exit "$status"
