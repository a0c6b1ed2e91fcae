//! `rigs foreman start` without `--foreground`: the same foreman in a process of its own, which
//! answers here until it stands.

use std::ffi::OsString;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::{App, Ended, Exit, Failure, Format, Kind};
use super::log::Log;
use super::start;
use crate::core::Timestamp;
use crate::foreman::lock::Holder;
use crate::process;
use crate::view::foreman::Started;

/// Opening the store and asking local servers takes seconds at most, on a busy machine some more.
const LIMIT: Duration = Duration::from_mins(2);

/// What the foreman says to its starter before it lets go, as one line of JSON.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Word {
    pid: u32,
    since: Timestamp,
    waits_for: Option<u32>,
}

/// The side of the person: starts it, waits until it stands, says where it is.
pub(super) async fn start(args: &start::Args, app: &mut App) -> Ended {
    let located = app.located()?;
    let program = std::env::current_exe().map_err(|e| {
        Failure::new(
            Kind::Failed,
            format!("the program that runs here cannot be found: {e}"),
        )
        .hint("`rigs foreman start --foreground` needs no second one")
    })?;
    let mut argv: Vec<OsString> = vec!["--home".into(), located.home.into()];
    if located.explicit {
        argv.extend(["--config".into(), located.file.into()]);
    }
    argv.extend(app.output_flags());
    argv.extend(["foreman", "start", "--detached"].map(OsString::from));
    if let Some(n) = args.max_parallel {
        argv.extend(["--max-parallel".into(), n.to_string().into()]);
    }
    let cwd = Some(app.env.cwd()).filter(|cwd| cwd.is_dir());
    let cwd = cwd.unwrap_or(std::path::Path::new("/")).to_owned();
    let begun = process::detach(&program, &argv, app.env.iter(), &cwd, LIMIT)
        .await
        .map_err(|e| Failure::new(Kind::Failed, format!("no process can be started: {e}")))?;
    let Some(begun) = begun else {
        let text = "the foreman did not stand after two minutes, and was ended";
        return Err(Failure::new(Kind::Failed, text)
            .hint("`rigs -v foreman start --foreground` shows what it waits for"));
    };
    app.out.relay(&begun.stderr)?;
    if let Some(code) = begun.ended {
        let kind = Kind::ALL.iter().find(|k| i32::from(k.code()) == code);
        return Ok(Exit::But(kind.copied().unwrap_or(Kind::Failed)));
    }
    let word: Word = serde_json::from_str(&begun.stdout).map_err(|e| {
        Failure::new(
            Kind::Failed,
            format!("process {} says nothing that can be read: {e}", begun.pid),
        )
        .hint("`rigs foreman status` says what runs")
    })?;
    let started = Started {
        pid: word.pid,
        since: word.since,
        waits_for: word.waits_for,
        log: app.config()?.paths.foreman_log(),
    };
    app.out.answer(&started, |page| {
        page.fields(&[
            ("foreman", Some(format!("pid {}", started.pid))),
            (
                "waits",
                started
                    .waits_for
                    .map(|pid| format!("until process {pid} has ended, then it takes over")),
            ),
            ("log", Some(started.log.display().to_string())),
        ]);
    })?;
    app.out.note(
        "it works on everything that is queued; `rigs foreman attach` shows what it does, \
         `rigs foreman stop` ends it",
    )?;
    Ok(Exit::Done)
}

/// The side of the foreman: its log, and whether its starter knows already.
pub(super) struct Background {
    log: Log,
    told: bool,
}

impl Background {
    pub(super) fn new(app: &App) -> Result<Self, Failure> {
        Ok(Self {
            log: Log::new(app.config()?.paths.foreman_log()),
            told: false,
        })
    }

    /// It stands: it drives, or waits behind `other`. From here on everything goes to the log.
    pub(super) fn stands(&mut self, app: &mut App, other: Option<&Holder>) -> Result<(), Failure> {
        if self.told {
            return Ok(());
        }
        self.told = true;
        let log = self.open()?;
        let word = Word {
            pid: std::process::id(),
            since: app.now(),
            waits_for: other.map(|h| h.owner.pid),
        };
        // Four fields always have a JSON form.
        let line = serde_json::to_string(&word).unwrap_or_default();
        app.out.data(&format!("{line}\n"))?;
        if let Some(log) = log {
            process::let_go(&log)?;
        }
        // `--json` was for the answer; the log is for people.
        app.out.format = Format::Text;
        Ok(())
    }

    /// Puts a full log aside. A log that cannot be written is no reason to stop working.
    pub(super) fn look(&mut self) {
        if !self.told {
            return;
        }
        let moved = match self.log.look() {
            Ok(Some(file)) => process::let_go(&file),
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = moved {
            tracing::warn!("{} is not put aside: {error}", self.log.path().display());
        }
    }

    fn open(&mut self) -> Result<Option<std::fs::File>, Failure> {
        self.log.look().map_err(|e| {
            let path = self.log.path().display();
            Failure::new(
                Kind::Store,
                format!("the log {path} cannot be written: {e}"),
            )
            .hint("check the owner and mode of the file and of its folder")
        })
    }
}
