//! `rigs bead logs`

use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::super::{App, Ended, Exit, Failure, Kind, find};
use crate::core::BeadId;
use crate::db::{Db, Mode};
use crate::depot::{Attempt, store};

/// Print what the agent of a bead printed
///
/// The last attempt, unless --attempt names another. With --json one line of output per line.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs bead logs gt-a1b2c
  rigs bead logs gt-a1b2c --attempt 1
  rigs bead logs gt-a1b2c --follow")]
pub(crate) struct Args {
    /// Id of the bead, or its beginning
    #[arg(value_name = "ID")]
    id: String,
    /// Go on printing until the attempt ends
    #[arg(short, long)]
    follow: bool,
    /// Number of the attempt
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    attempt: Option<i64>,
}

/// One line of a log.
#[derive(Debug, Serialize)]
struct Line<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    text: &'a str,
}

/// Read in pieces, so that a log of any size can be shown.
const PIECE: u64 = 64 * 1024;
const LOOK_EVERY: Duration = Duration::from_millis(250);

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let db = app.store(Mode::OneShot).await?;
    let id = {
        let mut conn = db.read().await?;
        find::bead(&mut conn, &args.id).await?
    };
    let attempt = attempt(&db, &id, args.attempt).await?;
    let file = match &attempt.log_path {
        Some(path) => PathBuf::from(path),
        None => app.config()?.paths.attempt_log(&id, attempt.number),
    };
    let mut log = Log {
        file,
        at: 0,
        rest: Vec::new(),
    };
    loop {
        // Asked first: what is written before the end is there once the end is seen.
        let ended = self::attempt(&db, &id, Some(attempt.number)).await?.status != "running";
        while let Some(text) = log.next()? {
            print(app, &text)?;
        }
        if ended || !args.follow {
            break;
        }
        app.clock.sleep(LOOK_EVERY).await;
    }
    if !log.rest.is_empty() {
        let text = String::from_utf8_lossy(&log.rest).into_owned();
        print(app, &text)?;
    }
    Ok(Exit::Done)
}

fn print(app: &mut App, text: &str) -> Result<(), Failure> {
    let text = crate::core::redact::redact(text);
    for line in text.lines() {
        let line = Line {
            kind: "line",
            text: line,
        };
        app.out.item(&line, |page| page.line(line.text))?;
    }
    Ok(())
}

async fn attempt(db: &Db, id: &BeadId, number: Option<i64>) -> Result<Attempt, Failure> {
    let mut conn = db.read().await?;
    let mut attempts = store::attempts_of(&mut conn, id).await?;
    if attempts.is_empty() {
        return Err(Failure::new(
            Kind::NotPossible,
            format!("{id} was never started, so it has no log"),
        )
        .hint(format!("`rigs why {id}` says what it waits for")));
    }
    let last = attempts.len();
    match number {
        None => Ok(attempts.swap_remove(last - 1)),
        Some(number) => attempts
            .into_iter()
            .find(|attempt| attempt.number == number)
            .ok_or_else(|| {
                Failure::not_found(format!("{id} has no attempt {number}"))
                    .hint(format!("`rigs bead show {id}` lists its attempts"))
            }),
    }
}

/// A log file read up to its last whole line.
struct Log {
    file: PathBuf,
    at: u64,
    /// The begun line at the end.
    rest: Vec<u8>,
}

impl Log {
    /// The next whole lines; `None` at the end of what is there.
    fn next(&mut self) -> Result<Option<String>, Failure> {
        let piece = match read(&self.file, self.at) {
            Ok(piece) => piece,
            // Nothing was printed yet.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => {
                return Err(Failure::new(
                    Kind::Failed,
                    format!("cannot read {}: {e}", self.file.display()),
                ));
            }
        };
        if piece.is_empty() {
            return Ok(None);
        }
        self.at += piece.len() as u64;
        self.rest.extend(piece);
        let whole = self
            .rest
            .iter()
            .rposition(|b| *b == b'\n')
            .map_or(0, |i| i + 1);
        let lines: Vec<u8> = self.rest.drain(..whole).collect();
        Ok(Some(String::from_utf8_lossy(&lines).into_owned()))
    }
}

fn read(file: &Path, at: u64) -> std::io::Result<Vec<u8>> {
    let mut file = std::fs::File::open(file)?;
    file.seek(SeekFrom::Start(at))?;
    let mut piece = Vec::new();
    file.take(PIECE).read_to_end(&mut piece)?;
    Ok(piece)
}
