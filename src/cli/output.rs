//! Where answers and words about them go: data to stdout, the rest to stderr, each written
//! whole. Colour only for a terminal, and only when wanted.

use std::io::{IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};
use serde::Serialize;

use super::failure::Failure;
use super::page::{BAD, BOLD, DIM, Page, WARN};
use crate::config::Env;
use crate::core::text::clean;

/// For people or for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Json,
}

/// `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

/// Width of text that no terminal bounds, such as a file's.
const NO_TERMINAL_WIDTH: usize = 100;

/// The two writers of a command.
pub(crate) struct Output {
    pub(crate) format: Format,
    quiet: bool,
    width: usize,
    stdout: AutoStream<std::io::Stdout>,
    stderr: AutoStream<std::io::Stderr>,
    stderr_is_terminal: bool,
}

impl Output {
    pub(crate) fn new(format: Format, color: Color, quiet: bool, env: &Env) -> Self {
        let (stdout, stderr) = (std::io::stdout(), std::io::stderr());
        let stderr_is_terminal = stderr.is_terminal();
        let width = match env.get("COLUMNS").and_then(|c| c.parse::<usize>().ok()) {
            Some(columns) if columns > 0 => columns,
            Some(_) | None => match terminal_size::terminal_size() {
                Some((width, _)) if width.0 > 0 => usize::from(width.0),
                Some(_) => 80,
                None => NO_TERMINAL_WIDTH,
            },
        };
        Self {
            format,
            quiet,
            width: width.clamp(40, 400),
            stdout: AutoStream::new(stdout, choice(color, env, std::io::stdout().is_terminal())),
            stderr: AutoStream::new(stderr, choice(color, env, stderr_is_terminal)),
            stderr_is_terminal,
        }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Whether progress may be drawn and redrawn.
    pub(crate) fn is_live(&self) -> bool {
        self.stderr_is_terminal && !self.quiet && !self.is_json()
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// The answer of a command: one JSON document, or the page that `text` fills.
    pub(crate) fn answer<T: Serialize>(
        &mut self,
        answer: &T,
        text: impl FnOnce(&mut Page),
    ) -> Result<(), Failure> {
        match self.format {
            Format::Json => {
                let mut document = serde_json::to_string_pretty(answer).map_err(|e| {
                    Failure::new(
                        super::failure::Kind::Failed,
                        format!("the answer is no JSON: {e}"),
                    )
                })?;
                document.push('\n');
                self.data(&document)
            }
            Format::Text => {
                let mut page = Page::new(self.width);
                text(&mut page);
                self.data(&page.into_text())
            }
        }
    }

    /// One element of a stream: a JSON line, or the lines that `text` fills.
    pub(crate) fn item<T: Serialize>(
        &mut self,
        item: &T,
        text: impl FnOnce(&mut Page),
    ) -> Result<(), Failure> {
        match self.format {
            Format::Json => {
                let mut line = serde_json::to_string(item).map_err(|e| {
                    Failure::new(
                        super::failure::Kind::Failed,
                        format!("the answer is no JSON: {e}"),
                    )
                })?;
                line.push('\n');
                self.data(&line)
            }
            Format::Text => self.answer(item, text),
        }
    }

    /// Data as it is, in one piece, to stdout.
    pub(crate) fn data(&mut self, text: &str) -> Result<(), Failure> {
        self.stdout.write_all(text.as_bytes())?;
        Ok(self.stdout.flush()?)
    }

    /// Words about the data, for people; not with `--quiet`.
    pub(crate) fn note(&mut self, text: impl AsRef<str>) -> Result<(), Failure> {
        if self.quiet {
            return Ok(());
        }
        let text = format!("{}\n", clean(text.as_ref()));
        Ok(self.stderr.write_all(text.as_bytes())?)
    }

    /// What another process of ours has said on its stderr.
    pub(crate) fn relay(&mut self, text: &str) -> Result<(), Failure> {
        Ok(self.stderr.write_all(clean(text).as_bytes())?)
    }

    /// Something that the person should know; also with `--quiet`.
    pub(crate) fn warn(&mut self, text: impl AsRef<str>) -> Result<(), Failure> {
        let text = format!("{WARN}warning:{WARN:#} {}\n", clean(text.as_ref()));
        Ok(self.stderr.write_all(text.as_bytes())?)
    }

    /// Tells the failure, in the form that was asked for. There is nobody left to tell when
    /// that fails.
    pub(crate) fn failure(&mut self, failure: &Failure) {
        let failure = &failure.redacted();
        let text = match self.format {
            Format::Json => format!("{}\n", failure.json()),
            Format::Text => failure_text(failure),
        };
        let told = self.stderr.write_all(text.as_bytes());
        if let Err(error) = told {
            tracing::debug!(%error, "the failure could not be told");
        }
    }

    /// Text from clap, which has its own styles.
    pub(crate) fn clap(&mut self, error: &clap::Error) -> Result<(), Failure> {
        let mut text = error.render().ansi().to_string();
        if !text.ends_with('\n') {
            text.push('\n');
        }
        if error.use_stderr() {
            Ok(self.stderr.write_all(text.as_bytes())?)
        } else {
            self.data(&text)
        }
    }
}

fn failure_text(failure: &Failure) -> String {
    let mut text = format!(
        "{BAD}error:{BAD:#} {BOLD}{}{BOLD:#}\n",
        clean(&failure.message)
    );
    for cause in &failure.causes {
        text = format!("{text}  {DIM}caused by:{DIM:#} {}\n", clean(cause));
    }
    for hint in &failure.hints {
        text = format!("{text}  {WARN}hint:{WARN:#} {}\n", clean(hint));
    }
    text
}

fn choice(color: Color, env: &Env, terminal: bool) -> ColorChoice {
    let dumb = env.get("TERM").is_some_and(|term| term == "dumb");
    let wanted = match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => terminal && !dumb && env.get("NO_COLOR").is_none(),
    };
    if wanted {
        ColorChoice::AlwaysAnsi
    } else {
        ColorChoice::Never
    }
}
