//! What there is in a repository.

use super::{GitError, Repo};

impl Repo {
    /// Names of the branches below `prefix`, which ends in `/`.
    pub(crate) async fn branches(&self, prefix: &str) -> Result<Vec<String>, GitError> {
        let pattern = format!("refs/heads/{prefix}");
        let args = ["for-each-ref", "--format=%(refname:lstrip=2)", &pattern];
        let place = self.checkout();
        let found = self.call(&place, &args).text().await?;
        Ok(found.lines().map(str::to_owned).collect())
    }
}
