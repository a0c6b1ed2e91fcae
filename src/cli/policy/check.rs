//! `rigs policy check`

use std::path::PathBuf;

use super::super::{App, Ended, Exit};
use crate::core::ProviderName;
use crate::core::suggest::nearest;
use crate::core::text::count;
use crate::policy::names::Names;
use crate::policy::{Does, Policy};
use crate::view::policy::Checked;

/// Check the rules and say everything that is wrong with them
///
/// Exits 5 when something is wrong, naming file, line and column.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs policy check
  rigs policy check draft.toml")]
pub(crate) struct Args {
    /// File to check; default: the one in force
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, app: &mut App) -> Ended {
    let rules = super::rules(app, args.file.as_deref())?;
    let policy = rules.policy();
    let known: Vec<&str> = match app.config() {
        Ok(config) => config
            .settings
            .providers
            .keys()
            .map(ProviderName::as_str)
            .collect(),
        // The rules can be fine where the settings are not.
        Err(_) => Vec::new(),
    };
    let answer = Checked {
        ok: true,
        file: rules.file().display().to_string(),
        hash: policy.hash.to_string(),
        rules: policy.rules.len(),
        warnings: strangers(policy, &known),
    };
    app.out.answer(&answer, |page| {
        let rules = count(answer.rules, "rule", "rules");
        if answer.rules == 0 {
            page.line(format!("{}: no rules, everything is approved", answer.file));
        } else {
            page.line(format!("{} is fine: {rules}", answer.file));
        }
        page.line(format!("Policy {}", answer.hash));
        for warning in &answer.warnings {
            page.line(format!("Warning: {warning}"));
        }
    })?;
    Ok(Exit::Done)
}

/// Rules about providers that are not configured.
fn strangers(policy: &Policy, known: &[&str]) -> Vec<String> {
    let mut warnings = Vec::new();
    if known.is_empty() {
        return warnings;
    }
    for rule in &policy.rules {
        let asked = rule.when.provider.iter().flat_map(Names::plain);
        let sent = match &rule.does {
            Does::Modify(modify) => modify.provider.as_ref().map(ProviderName::as_str),
            Does::Approve | Does::Warn | Does::Delay { .. } | Does::Defer | Does::Deny => None,
        };
        for name in asked.chain(sent).filter(|name| !known.contains(name)) {
            let hint = match nearest(name, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are: {}", known.join(", ")),
            };
            warnings.push(format!(
                "rule {} names the provider `{name}`, which is not configured ({hint})",
                rule.name
            ));
        }
    }
    warnings
}
