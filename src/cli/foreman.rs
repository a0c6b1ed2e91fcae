//! `rigs foreman`: the loop that drives everything.

mod attach;
mod background;
mod log;
pub(crate) mod start;
mod status;
mod stop;

use super::{App, Ended};
use crate::config::Paths;
use crate::core::text::count;
use crate::foreman::lock::{self, Driver, Holder};
use crate::view::status::{ForemanView, RunView};

/// Run the loop that plans, dispatches, watches and merges
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Start(start::Args),
    Stop(stop::Args),
    Status(status::Args),
    Attach(attach::Args),
}

pub(crate) async fn run(command: Command, app: &mut App) -> Ended {
    match command {
        Command::Start(args) => start::run(args, app).await,
        Command::Stop(args) => stop::run(args, app).await,
        Command::Status(args) => status::run(args, app).await,
        Command::Attach(args) => attach::run(args, app).await,
    }
}

/// What a person should know about runs whose foreman died, and do; `None` when there are none.
pub(crate) fn abandoned(runs: &[RunView], another_drives: bool) -> Option<String> {
    let mut of: Vec<&str> = runs
        .iter()
        .filter(|run| run.abandoned)
        .map(|run| run.bead_id.as_str())
        .collect();
    of.dedup();
    let whose = count(of.len(), "run", "runs");
    let next = if another_drives {
        "the one that runs now takes it up"
    } else {
        "`rigs foreman start` ends what is left of it and goes on with the work"
    };
    (!of.is_empty()).then(|| {
        format!(
            "{whose} without a foreman, which is gone: {}; {next}",
            of.join(", ")
        )
    })
}

/// Who runs the loop, and which foreman in the background waits to do so.
#[derive(Debug, Default)]
pub(crate) struct Drivers {
    pub(crate) drives: Option<Holder>,
    /// The foreman in the background, whether it drives or waits.
    pub(crate) background: Option<Holder>,
}

impl Drivers {
    pub(crate) fn look(paths: &Paths) -> Self {
        Self {
            drives: lock::holder(&paths.lock()),
            background: lock::holder(&paths.daemon_lock()),
        }
    }

    /// The foremen among them, each once: who runs the loop first.
    pub(crate) fn foremen(&self) -> Vec<&Holder> {
        let drives = self
            .drives
            .as_ref()
            .filter(|h| h.driver != Some(Driver::Goal));
        let waits = self
            .background
            .as_ref()
            .filter(|b| drives.is_none_or(|d| d.owner.pid != b.owner.pid));
        drives.into_iter().chain(waits).collect()
    }

    fn is_background(&self, holder: &Holder) -> bool {
        self.background
            .as_ref()
            .is_some_and(|b| b.owner.pid == holder.owner.pid)
    }

    /// Who runs the loop, as it is shown.
    pub(crate) fn view(&self) -> Option<ForemanView> {
        self.drives.as_ref().map(|h| self.view_of(h))
    }

    /// The foreman in the background that waits behind another process.
    pub(crate) fn waiting(&self) -> Option<ForemanView> {
        let waits = self.background.as_ref().filter(|b| {
            self.drives
                .as_ref()
                .is_none_or(|d| d.owner.pid != b.owner.pid)
        });
        waits.map(|h| self.view_of(h))
    }

    fn view_of(&self, holder: &Holder) -> ForemanView {
        ForemanView {
            pid: holder.owner.pid,
            since: holder.since,
            driver: holder.driver.map(|d| d.as_str().to_owned()),
            background: self.is_background(holder),
        }
    }
}
