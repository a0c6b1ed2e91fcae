//! Bringing finished work to the user's branch: the one place that writes in their checkout.

use std::path::{Path, PathBuf};

use super::command::Place;
use super::diff::{self, Untracked};
use super::{GitError, Merge, Message, Repo, names, one_line_end};

/// What became of a landing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Landed {
    /// The base had all of it.
    UpToDate,
    /// The base is at the landed commit itself.
    FastForward { commit: String },
    /// The base had moved on; it is at a merge of both.
    Merged { commit: String },
    /// Nothing was changed.
    Refused(Refusal),
}

/// Why nothing was landed, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    NoBranch,
    /// The base's checkout has changes of its own, or files in the way.
    Dirty {
        checkout: PathBuf,
        files: Vec<String>,
    },
    Conflict {
        files: Vec<String>,
    },
    /// Somebody moved the base meanwhile: try again.
    Moved,
    /// These files pass through filters of the user's (git-lfs, ...), which rigs does not run:
    /// the user merges by hand.
    Filtered {
        checkout: PathBuf,
        files: Vec<String>,
    },
    /// Git itself would not (a merge in progress, a lock, ...).
    Git {
        checkout: PathBuf,
        reason: String,
    },
}

impl Repo {
    /// Brings `base` to `commit`: forward if it can, else by a merge that is made in a worktree
    /// of our own at `scratch` (made and removed here). Where `base` is checked out, that
    /// checkout follows, and must not have changes in tracked files; untracked ones stay.
    pub(crate) async fn land(
        &self,
        base: &str,
        commit: &str,
        message: &Message,
        scratch: &Path,
    ) -> Result<Landed, GitError> {
        names::commit(commit)?;
        let name = format!("refs/heads/{}", names::branch(base)?);
        let Some(tip) = self.resolve(&name).await? else {
            return Ok(Landed::Refused(Refusal::NoBranch));
        };
        if self.is_ancestor(commit, &tip).await? {
            return Ok(Landed::UpToDate);
        }
        let checkout = self
            .checked_out_at(base)
            .await?
            .filter(|path| path.is_dir());
        // Before the work of a merge, and again by git when it writes.
        if let Some(checkout) = &checkout
            && let Some(refusal) = self.unfit(checkout, base, &tip).await?
        {
            return Ok(Landed::Refused(refusal));
        }
        let forward = self.is_ancestor(&tip, commit).await?;
        let target = if forward {
            commit.to_owned()
        } else {
            match self.merge_aside(scratch, &tip, commit, message).await? {
                Merge::Merged(merged) => merged,
                Merge::UpToDate => return Ok(Landed::UpToDate),
                Merge::Conflict { files } => {
                    return Ok(Landed::Refused(Refusal::Conflict { files }));
                }
            }
        };
        let refused = match &checkout {
            Some(checkout) => self.bring(checkout, base, &tip, &target).await?,
            None => match self.update_ref(&name, &target, Some(&tip)).await {
                Ok(()) => None,
                Err(GitError::Moved { .. }) => Some(Refusal::Moved),
                Err(error) => return Err(error),
            },
        };
        Ok(match refused {
            Some(refusal) => Landed::Refused(refusal),
            None if forward => Landed::FastForward { commit: target },
            None => Landed::Merged { commit: target },
        })
    }

    async fn merge_aside(
        &self,
        scratch: &Path,
        tip: &str,
        commit: &str,
        message: &Message,
    ) -> Result<Merge, GitError> {
        // One left by a crash may be at another commit.
        self.remove_worktree(scratch).await?;
        self.add_detached(scratch, tip).await?;
        let merged = self.merge_in(scratch, commit, message).await;
        // The merge commit lives on as an object until the base is at it, in a moment; a crash
        // before that costs nothing but doing it again.
        self.discard(scratch).await?;
        merged
    }

    /// The user's checkout at `path`, to work in.
    async fn place_of(&self, path: &Path) -> Result<Place, GitError> {
        let settings = self.user.carried.clone();
        let found = Place::folder(path, settings.clone());
        let git_dir = self.call(&found, &["rev-parse", "--absolute-git-dir"]);
        let git_dir = one_line_end(&git_dir.text().await?);
        Ok(Place::tree(path, Path::new(&git_dir), settings))
    }

    async fn unfit(
        &self,
        checkout: &Path,
        base: &str,
        tip: &str,
    ) -> Result<Option<Refusal>, GitError> {
        let place = self.place_of(checkout).await?;
        let on = self
            .call(&place, &["symbolic-ref", "-q", "HEAD"])
            .run()
            .await?;
        let at = super::stage::commit_at(&self.git, &place, "HEAD").await?;
        let still = one_line_end(&on.stdout) == format!("refs/heads/{base}");
        if !still || at.as_deref() != Some(tip) {
            return Ok(Some(Refusal::Moved));
        }
        let files = diff::status(&self.git, &place, Untracked::LeaveOut).await?;
        Ok((!files.is_empty()).then(|| Refusal::Dirty {
            checkout: checkout.to_path_buf(),
            files,
        }))
    }

    /// Moves the checkout, and with it its branch, forward to `target`.
    async fn bring(
        &self,
        checkout: &Path,
        base: &str,
        tip: &str,
        target: &str,
    ) -> Result<Option<Refusal>, GitError> {
        let place = self.place_of(checkout).await?;
        let files = self.filtered(&place, tip, target).await?;
        if !files.is_empty() {
            return Ok(Some(Refusal::Filtered {
                checkout: checkout.to_path_buf(),
                files,
            }));
        }
        if let Some(refusal) = self.unfit(checkout, base, tip).await? {
            return Ok(Some(refusal));
        }
        let args = ["merge", "--ff-only", "--no-stat", "--quiet", "--", target];
        let call = self.call(&place, &args).slow();
        // Options that the branch's own configuration would add.
        let call = call.setting(format!("branch.{base}.mergeOptions"), "");
        let done = call.run().await?;
        if done.exit.success() {
            return Ok(None);
        }
        let checkout = checkout.to_path_buf();
        // Git lists files in the way indented by a tab.
        let in_the_way = done
            .stderr
            .lines()
            .filter_map(|line| line.strip_prefix('\t'));
        let files: Vec<String> = in_the_way.map(str::to_owned).collect();
        Ok(Some(if files.is_empty() {
            Refusal::Git {
                checkout,
                reason: done.reason(),
            }
        } else {
            Refusal::Dirty { checkout, files }
        }))
    }

    /// Files between `from` and `to` that the user's git would filter in this checkout.
    async fn filtered(&self, place: &Place, from: &str, to: &str) -> Result<Vec<String>, GitError> {
        if self.user.filters.is_empty() {
            return Ok(Vec::new());
        }
        let changed = diff::stat(&self.git, place, &[from, to]).await?;
        let paths: Vec<String> = changed.into_iter().map(|change| change.path).collect();
        let args = ["check-attr", "--stdin", "-z", "filter"];
        let answer = self
            .call(place, &args)
            .stdin(paths.join("\0"))
            .text()
            .await?;
        // path, "filter", value; each ends with a NUL.
        let fields: Vec<&str> = answer.split('\0').collect();
        let filtered = fields
            .chunks_exact(3)
            .filter(|f| self.user.filters.contains(f[2]));
        Ok(filtered.map(|f| f[0].to_owned()).collect())
    }
}
