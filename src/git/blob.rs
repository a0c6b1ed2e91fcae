//! One file as a commit has it.

use super::command::Call;
use super::{GitError, Repo, names};

impl Repo {
    /// The text of a plain file at the top of `commit`, lossy UTF-8; `None` when there is none of
    /// that name, or a folder or link instead. At most about `max` bytes of it: what is longer
    /// has lost its middle.
    pub(crate) async fn file_at(
        &self,
        commit: &str,
        name: &str,
        max: usize,
    ) -> Result<Option<String>, GitError> {
        let place = self.checkout();
        let args = ["ls-tree", "-z", names::commit(commit)?, "--", name];
        let listed = self.call(&place, &args).text().await?;
        // `100644 blob ID TAB NAME NUL`.
        let mut words = listed.split([' ', '\t']);
        let (mode, kind, id) = (words.next(), words.next(), words.next());
        let (Some("100644" | "100755"), Some("blob"), Some(id)) = (mode, kind, id) else {
            return Ok(None);
        };
        let args = ["cat-file", "blob", names::commit(id)?];
        let call: Call<'_> = self.call(&place, &args);
        Ok(Some(call.at_most(max).text().await?))
    }
}
