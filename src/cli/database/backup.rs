//! `rigs db backup`

use std::path::PathBuf;

use super::super::{App, Ended, Exit, Failure, Kind};
use crate::core::text::thousands;
use crate::db::{Mode, upkeep};
use crate::view::doctor::Backup;

/// Write a copy of the store, while everything goes on
///
/// The copy is checked and only for you to read. A file that is there is never overwritten. To
/// go back to a copy, stop the foreman and put it in the place of rigs.db.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs db backup
  rigs db backup /mnt/backup/rigs.db")]
pub(crate) struct Args {
    /// Where; default: a file named by the time, in backups/ of the home folder
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let path = if let Some(file) = args.file {
        app.env.cwd().join(file)
    } else {
        let dir = app.config()?.paths.backups();
        crate::foreman::private_dir(&dir)?;
        let at = app.now().to_string();
        let name: String = at.chars().filter(char::is_ascii_alphanumeric).collect();
        dir.join(format!("rigs-{name}.db"))
    };
    let db = app.store(Mode::OneShot).await?;
    let mut conn = db.read().await?;
    let bytes = upkeep::backup(&mut conn, &path).await?;
    let backup = Backup { path, bytes };
    app.out.answer(&backup, |page| {
        let bytes = thousands(backup.bytes);
        page.line(format!("{} ({bytes} bytes)", backup.path.display()));
    })?;
    Ok(Exit::Done)
}

impl From<upkeep::BackupError> for Failure {
    fn from(error: upkeep::BackupError) -> Self {
        let (kind, hint) = match error {
            upkeep::BackupError::Db(error) => return error.into(),
            upkeep::BackupError::Exists(_) => (
                Kind::NotPossible,
                "give another name: a copy never replaces a file",
            ),
            upkeep::BackupError::Io { .. } => (
                Kind::Store,
                "check that the folder is there and can be written",
            ),
            upkeep::BackupError::Unsound(_) => (
                Kind::Store,
                "`rigs db check` says what is wrong with the store",
            ),
        };
        Self::from_error(kind, &error).hint(hint)
    }
}
