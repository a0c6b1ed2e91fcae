//! Kind `command`: any program. The prompt comes on stdin; stdout is the answer, or lines of
//! JSON in a small protocol. `docs/command-provider.md` is the contract with its users.

mod reader;

use std::ffi::OsString;

use super::plan::{ProviderError, RunPlan};
use crate::config::settings::Command;
use crate::process::{Spec, Stdin};

pub(crate) use reader::Reader;

/// Where the key is found when the entry does not name a variable for it.
const KEY: &str = "RIGS_API_KEY";

pub(super) fn command(plan: &RunPlan) -> Result<Spec, ProviderError> {
    let template: &[String] = match &plan.entry.command {
        Some(Command::Argv(argv)) if !argv.is_empty() => &argv[1..],
        Some(Command::Program(_)) => &[],
        Some(Command::Argv(_)) | None => {
            return Err(ProviderError::NoCommand {
                name: plan.name.clone(),
            });
        }
    };
    let args = template
        .iter()
        .chain(&plan.entry.args)
        .map(|arg| filled(arg, plan))
        .collect::<Result<Vec<OsString>, _>>()?;
    let mut env: Vec<(&str, OsString)> = vec![
        ("RIGS_PERMISSION", plan.permission().as_str().into()),
        ("RIGS_WORKDIR", plan.workdir.into()),
    ];
    if let Some(model) = plan.model()? {
        env.push(("RIGS_MODEL", model.into()));
    }
    if let Some(session) = plan.resume()? {
        env.push(("RIGS_SESSION", session.into()));
    }
    let key = plan.entry.api_key_env.as_deref().unwrap_or(KEY);
    Ok(Spec {
        program: plan.program.to_owned(),
        args,
        env: plan.child_env(&env, key),
        cwd: plan.workdir.to_owned(),
        stdin: Stdin::Bytes(plan.stdin(None)),
    })
}

/// One argument with its placeholders filled in; always one argument, whatever stands in it.
/// `{{` and `}}` are braces; braces around anything but a lower-case word are left alone.
fn filled(arg: &str, plan: &RunPlan) -> Result<OsString, ProviderError> {
    let mut out = OsString::new();
    let mut rest = arg;
    while let Some(at) = rest.find(['{', '}']) {
        out.push(&rest[..at]);
        let (brace, after) = rest[at..].split_at(1);
        if let Some(after_two) = after.strip_prefix(brace) {
            out.push(brace);
            rest = after_two;
            continue;
        }
        let word = after.split_once('}').map(|(word, _)| word).filter(|word| {
            brace == "{" && !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase())
        });
        let Some(word) = word else {
            out.push(brace);
            rest = after;
            continue;
        };
        match word {
            "model" => out.push(plan.model()?.ok_or_else(|| ProviderError::NothingFor {
                name: plan.name.clone(),
                placeholder: "model",
            })?),
            "workdir" => out.push(plan.workdir),
            "scratch" => out.push(plan.scratch),
            "permission" => out.push(plan.permission().as_str()),
            unknown => {
                return Err(ProviderError::UnknownPlaceholder {
                    name: plan.name.clone(),
                    placeholder: crate::core::text::one_line(unknown, 40),
                });
            }
        }
        rest = &after[word.len() + 1..];
    }
    out.push(rest);
    Ok(out)
}
