//! The foreman: the one loop that drives everything, for `goal execute` and for
//! `foreman start` alike.
//!
//! ```text
//!   store changed, deadline, signal          notes (session, usage, windows)
//!                 │                        ┌──────────────────────────────┐
//!                 ▼                        ▼                              │
//!   ┌───────────────────────────────────────────┐  spawns   ┌─────────────┴───────────┐
//!   │ drive: promote, assay, dispatch, settle   │ ────────► │ stages, one task each:  │
//!   │ (the only task that writes the store)     │ ◄──────── │ run, review, merge      │
//!   └───────────────────────────────────────────┘   ends    └─────────────────────────┘
//! ```
//!
//! A stage works in its bead's own worktree and reports; what follows from a report is decided
//! and written here, one transaction per step, under the fence of the attempt. Every stage can
//! be done twice with the same end, which is what recovery after a crash does.

mod account;
mod again;
mod approved;
mod conflict;
pub(crate) mod context;
pub(crate) mod crash;
mod dispatching;
mod drive;
mod due;
mod ending;
pub(crate) mod follow;
mod freeze;
pub(crate) mod goal;
pub(crate) mod host;
pub(crate) mod lock;
mod lookout;
mod merge;
pub(crate) mod models;
pub(crate) mod notify;
mod orders;
mod pinned;
pub(crate) mod planning;
mod polecat;
mod prompt;
mod recover;
mod reload;
mod review;
pub(crate) mod rules;
mod simulated;
pub(crate) mod space;
mod stage;
mod stages;
mod sweep;
pub(crate) mod trusted;
mod worktree;

pub(crate) use context::{Context, ForemanError};
pub(crate) use dispatching::{Wish, kept, outlook_of, route, told_of};
pub(crate) use drive::drive;
pub(crate) use follow::{Follower, News};
pub(crate) use freeze::{Tidied, tidy};
pub(crate) use orders::{Ended, Interrupt, Orders, Scope, Until};
pub(crate) use prompt::past_runs;
pub(crate) use recover::is_gone;
pub(crate) use worktree::{NoPlace, private_dir};

/// The commands that work on the repository at `root` must pass, before a convoy says otherwise.
pub(crate) fn gate_commands(ctx: &Context, root: &std::path::Path) -> Vec<Vec<String>> {
    review::commands(ctx, None, root)
}
