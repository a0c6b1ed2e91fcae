//! A program that a person works in, such as an editor: it gets the terminal and the whole
//! environment, because it is theirs.

use std::io;
use std::path::Path;

/// Runs `argv` with `file` as its last argument until the person is done; whether it succeeded.
#[expect(
    clippy::disallowed_methods,
    reason = "the one child that is the person's own"
)]
pub(crate) async fn interactive<'a>(
    argv: &[String],
    file: &Path,
    env: impl Iterator<Item = (&'a str, &'a std::ffi::OsStr)>,
) -> io::Result<bool> {
    let Some((program, args)) = argv.split_first() else {
        return Ok(false);
    };
    let mut command = tokio::process::Command::new(program);
    let status = command
        .args(args)
        .arg(file)
        .env_clear()
        .envs(env)
        .status()
        .await?;
    Ok(status.success())
}
