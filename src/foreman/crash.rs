//! Places where a test may pull the plug: one before and one after each effect of a bead's life.
//! Without the feature `test-hooks` nothing is left of them.

/// Which side of an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Before,
    After,
}

/// Dies here, by SIGKILL and without a word, when `RIGS_TEST_CRASH` says so: `before EFFECT` or
/// `after EFFECT` at the first passing, `...:N` at the nth one; `any:N` at the nth of all.
#[cfg(feature = "test-hooks")]
pub(crate) fn point(env: &crate::config::Env, side: Side, effect: &str) {
    use std::sync::atomic::{AtomicU32, Ordering};
    static PASSED: AtomicU32 = AtomicU32::new(0);

    debug_assert!(EFFECTS.contains(&effect), "{effect} is not on the list");
    let Some(wanted) = env.get("RIGS_TEST_CRASH") else {
        return;
    };
    let (place, nth) = wanted.split_once(':').unwrap_or((wanted, "1"));
    let here = match side {
        Side::Before => place.strip_prefix("before "),
        Side::After => place.strip_prefix("after "),
    };
    if place != "any" && here != Some(effect) {
        return;
    }
    let passed = PASSED.fetch_add(1, Ordering::SeqCst) + 1;
    if nth.parse() == Ok(passed) {
        let _ = nix::sys::signal::kill(nix::unistd::Pid::this(), nix::sys::signal::Signal::SIGKILL);
    }
}

#[cfg(not(feature = "test-hooks"))]
pub(crate) fn point(_: &crate::config::Env, _: Side, _: &str) {}

/// Nothing happens before `to`: where `RIGS_TEST_LEAP` names a file, the clock goes there at once,
/// and the file says how far it is ahead, for every command that is started later.
#[cfg(feature = "test-hooks")]
pub(crate) fn leap(
    env: &crate::config::Env,
    clock: &crate::core::Clock,
    to: crate::core::Timestamp,
) {
    if let Some(file) = env.get("RIGS_TEST_LEAP")
        && let Some(ahead) = clock.leap(to)
    {
        let part = format!("{file}.part");
        let written = std::fs::write(&part, ahead.as_millis().to_string())
            .and_then(|()| std::fs::rename(&part, file));
        assert!(written.is_ok(), "{file}: {written:?}");
    }
}

#[cfg(not(feature = "test-hooks"))]
pub(crate) fn leap(_: &crate::config::Env, _: &crate::core::Clock, _: crate::core::Timestamp) {}

/// Every effect, in the order of a bead's life, then those of a recovery.
#[cfg(feature = "test-hooks")]
const EFFECTS: &[&str] = &[
    "convoy.stored",
    "bead.assayed",
    "bead.claimed",
    "worktree.made",
    "worktree.noted",
    "run.spawned",
    "run.noted",
    "session.noted",
    "usage.noted",
    "window.noted",
    "run.exited",
    "work.committed",
    "work.kept",
    "run.settled",
    "bead.deferred",
    "bead.promoted",
    "work.reviewed",
    "bead.accepted",
    "merge.made",
    "merge.advanced",
    "worktree.cleared",
    "branch.deleted",
    "bead.completed",
    "worktree.swept",
    "convoy.moved",
    "convoy.landed",
    "lost.ended",
    "lost.kept",
    "lost.closed",
    "bead.adopted",
    "recovery.closed",
];
