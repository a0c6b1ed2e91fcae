//! Doing a step with git again when its git was killed (by the kernel for want of memory, by
//! hand): every step of ours can be done twice with the same end.

use super::worktree::NoPlace;
use crate::git::GitError;

/// Killed so often in a row, it is no chance.
const TRIES: u32 = 3;

/// The errors of a step that may be done again at once.
pub(super) trait MayPass {
    fn may_pass(&self) -> bool;
}

impl MayPass for GitError {
    fn may_pass(&self) -> bool {
        matches!(self, Self::Killed { .. })
    }
}

impl MayPass for NoPlace {
    fn may_pass(&self) -> bool {
        matches!(self, Self::Git(GitError::Killed { .. }))
    }
}

/// Does the step, up to three times.
pub(super) async fn again<T, E, F>(mut step: impl FnMut() -> F) -> Result<T, E>
where
    E: MayPass + std::fmt::Display,
    F: Future<Output = Result<T, E>>,
{
    let mut tries = 1;
    loop {
        match step().await {
            Err(error) if error.may_pass() && tries < TRIES => {
                tracing::warn!("{error}; once more");
                tries += 1;
            }
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn killed() -> GitError {
        let command = "git add".to_owned();
        GitError::Killed { command }
    }

    #[tokio::test]
    async fn a_step_whose_git_was_killed_is_done_again_three_times_at_most() {
        for (deaths, tries, ends_well) in [(0, 1, true), (2, 3, true), (9, 3, false)] {
            let count = Cell::new(0);
            let done = again(|| async {
                count.set(count.get() + 1);
                if count.get() > deaths {
                    Ok(())
                } else {
                    Err(killed())
                }
            });
            let done = done.await;
            assert_eq!((done.is_ok(), count.get()), (ends_well, tries));
        }
    }

    #[tokio::test]
    async fn other_errors_are_final() {
        let count = Cell::new(0);
        let done: Result<(), GitError> = again(|| async {
            count.set(count.get() + 1);
            Err(GitError::TooOld)
        })
        .await;
        assert!(matches!(done, Err(GitError::TooOld)));
        assert_eq!(count.get(), 1);
    }
}
