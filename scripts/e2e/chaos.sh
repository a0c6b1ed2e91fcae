#!/bin/sh
# chaos.sh [KILLS=N] [SEED=N]: the campaign of kills of tests/it/chaos.rs with the real claude against
# the loopback lab. Ends as scripts/chaos.sh does.
set -eu

scripts=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
command -v npm >/dev/null 2>&1 || {
    printf 'error: npm is needed for the agents\n' >&2
    exit 1
}
"$scripts/install-agents.sh" >/dev/null
RIGS_CHAOS_TEST=e2e::chaos::the_real_claude_loses_nothing_in_a_campaign_of_kills
RIGS_CHAOS_FEATURES=e2e
export RIGS_CHAOS_TEST RIGS_CHAOS_FEATURES
exec "$scripts/../chaos.sh" KILLS=20 "$@"
