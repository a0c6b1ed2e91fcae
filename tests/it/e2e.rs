//! Real programs against the lab: `scripts/e2e/run.sh` installs them and runs these tests.
//! A missing program fails the test.

mod agents;
mod chaos;
mod claude;
mod claude_alone;
mod codex;
mod codex_alone;
mod conformance;
mod embedded;
mod errors;
mod goals;
mod kill;
mod models;
mod rehearsal;
mod servers;
mod sources;
mod wall;
