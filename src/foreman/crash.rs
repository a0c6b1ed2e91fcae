//! Places where a test may pull the plug. Without the feature `test-hooks` nothing is left of
//! them.

/// Dies here, by SIGKILL and without a word, when `RIGS_TEST_CRASH` names this point.
#[cfg(feature = "test-hooks")]
pub(crate) fn point(env: &crate::config::Env, name: &str) {
    debug_assert!(POINTS.contains(&name), "{name} is not on the list");
    if env.get("RIGS_TEST_CRASH") == Some(name) {
        let _ = nix::sys::signal::kill(nix::unistd::Pid::this(), nix::sys::signal::Signal::SIGKILL);
    }
}

#[cfg(not(feature = "test-hooks"))]
pub(crate) fn point(_: &crate::config::Env, _: &str) {}

/// Every point, in the order a bead passes them.
#[cfg(feature = "test-hooks")]
const POINTS: &[&str] = &[
    "convoy.stored",
    "bead.claimed",
    "worktree.made",
    "run.spawned",
    "run.session",
    "run.exited",
    "work.committed",
    "run.settled",
    "review.passed",
    "bead.accepted",
    "merge.made",
    "merge.advanced",
    "bead.completed",
];
