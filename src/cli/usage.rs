//! Command lines that are not understood, in the form that was asked for.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::output::{Color, Format, Output};
use super::{Failure, Kind};
use crate::config::Env;

/// Prints help, the version or what is wrong, and gives the exit code.
pub(crate) fn tell(error: &clap::Error, args: &[OsString], env: &Env) -> ExitCode {
    // Nothing was parsed: the two flags that say how to tell are looked up by hand.
    let words: Vec<&str> = args
        .iter()
        .filter_map(|arg| arg.to_str())
        .take_while(|arg| *arg != "--")
        .collect();
    let format = if words.contains(&"--json") {
        Format::Json
    } else {
        Format::Text
    };
    let mut out = Output::new(format, color(&words), false, env);
    if !error.use_stderr() {
        return match out.clap(error) {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => ExitCode::from(failure.kind.code()),
        };
    }
    match format {
        Format::Json => out.failure(&failure(error)),
        Format::Text => {
            if let Err(unwritten) = out.clap(error) {
                return ExitCode::from(unwritten.kind.code());
            }
        }
    }
    ExitCode::from(Kind::Usage.code())
}

fn color(words: &[&str]) -> Color {
    let value = words.iter().enumerate().find_map(|(i, word)| match *word {
        "--color" => words.get(i + 1).copied(),
        word => word.strip_prefix("--color="),
    });
    match value {
        Some("always") => Color::Always,
        Some("never") => Color::Never,
        Some(_) | None => Color::Auto,
    }
}

/// Clap's words, taken apart.
fn failure(error: &clap::Error) -> Failure {
    let text = error.render().to_string();
    let message = match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => "a command is missing".to_owned(),
        _ => text
            .split("\n\n")
            .next()
            .unwrap_or_default()
            .trim_start_matches("error: ")
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" "),
    };
    let mut failure = Failure::usage(message);
    for kind in [
        ContextKind::SuggestedSubcommand,
        ContextKind::SuggestedArg,
        ContextKind::SuggestedValue,
    ] {
        match error.get(kind) {
            Some(ContextValue::String(near)) => {
                failure = failure.hint(format!("did you mean `{near}`?"));
            }
            Some(ContextValue::Strings(near)) if !near.is_empty() => {
                failure = failure.hint(format!("did you mean `{}`?", near.join("`, `")));
            }
            Some(_) | None => {}
        }
    }
    failure.hint("`rigs --help` shows the commands, `rigs COMMAND --help` one of them")
}
