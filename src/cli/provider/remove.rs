//! `rigs provider remove`

use super::super::failure::{Failure, Kind};
use super::super::{App, Ended, Exit};
use super::placed;
use crate::config::edit::{self, EditError};
use crate::core::ProviderName;
use crate::view;

/// Remove a provider from config.toml, comments and everything else in it kept
///
/// Its history (usage, attempts, events) stays in the store. Beads that name it wait until it is
/// back, or until they are given another.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs provider remove lab")]
pub(crate) struct Args {
    /// Name of the provider
    #[arg(value_name = "NAME")]
    name: ProviderName,
}

pub(crate) fn run(args: Args, app: &mut App) -> Ended {
    let name = args.name;
    let located = app.located()?;
    let removed = placed(app, &located, "", |text| {
        edit::remove(&located.file, text, &name)
    });
    if let Err(failure) = removed {
        let is_detected =
            failure.kind == Kind::NotFound && app.config()?.settings.providers.contains_key(&name);
        if !is_detected {
            return Err(failure);
        }
        return Err(Failure::new(
            Kind::NotPossible,
            format!("`{name}` is in no file: it is used because it was found on this machine"),
        )
        .hint(format!(
            "to leave it out, add [providers.{name}] with `enabled = false` to {}",
            located.file.display()
        )));
    }
    app.reload();
    let left = view::provider::list(app.config()?, &app.env);
    let is_back = left.iter().any(|provider| provider.name == name);
    let on_its_own = !left.is_empty() && left.iter().all(|p| app.is_detected(&p.name));
    app.out.answer(&left, |page| {
        page.line(format!("Removed {name} from {}", located.file.display()));
        if on_its_own {
            page.line("No entry is left: what is found on this machine is used from now on");
        }
        if is_back {
            page.line(format!(
                "{name} is among it; to leave it out, add [providers.{name}] with `enabled = false`"
            ));
        }
    })?;
    Ok(Exit::Done)
}

impl From<EditError> for Failure {
    fn from(error: EditError) -> Self {
        let (kind, hint) = match &error {
            EditError::Absent { .. } => (
                Kind::NotFound,
                "`rigs provider list` shows where each one comes from".to_owned(),
            ),
            EditError::There { name, .. } => (
                Kind::NotPossible,
                format!("choose another name, or `rigs provider remove {name}` first"),
            ),
            EditError::Unreadable { .. } => (
                Kind::Config,
                "`rigs config check` says what is wrong and where".to_owned(),
            ),
            EditError::Unwritable { .. } => (
                Kind::Config,
                "check the owner and mode of the file and of its folder; it is unchanged"
                    .to_owned(),
            ),
        };
        Self::from_error(kind, &error).hint(hint)
    }
}
