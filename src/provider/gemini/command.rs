//! How Gemini CLI is run.
//!
//! It obeys the folder that it works in only if that is trusted; then it also runs the hooks and
//! MCP servers that the repository brings and reads its `.env`. So the folder is not trusted, and
//! what may be done is said by a policy file, which outranks every other rule of its own. All of
//! it was tried with the real program:
//! - `read`: nothing may be written, and only commands that look may be run.
//! - `edit`: files of the worktree may be written, and the programs of [`TOOLCHAINS`] may be run,
//!   each part of a chain of commands by itself. Whatever else would ask a person is denied.
//! - `full`: everything but `git push`.
//!
//! An untrusted folder is refused without a terminal, unless trust is switched off in the
//! settings. Those are read from its home, so that it gets one of rigs' own, which also bounds
//! its retries and keeps it from calling home. With `config_home` the person's own is used.
//!
//! On an API error it writes the conversation into its temporary folder: that is the run's own.

use std::ffi::OsString;
use std::fmt::Write as _;

use serde_json::json;

use super::super::plan::{GivenFile, ProviderError, RunPlan, Session, base_url, word};
use super::super::toolchains::{LOOKS, TOOLCHAINS};
use super::FOLDER;
use crate::core::Permission;
use crate::process::{Spec, Stdin};

/// Without a model it asks a small one which to take, once per turn. The name is its own short
/// one for the newest model that every account may use.
const MODEL: &str = "flash";

/// How often it sends a request. More would hide a wall for minutes.
const ATTEMPTS: u32 = 3;

/// Its tool that runs commands.
const SHELL: &[&str] = &["run_shell_command"];

const LEAD: &str = "If this repository has a GEMINI.md or AGENTS.md, read it first: it says how to work here. \
Commands that are denied stay denied: do not ask for them again.";

pub(crate) fn command(plan: &RunPlan) -> Result<Spec, ProviderError> {
    let mut args: Vec<OsString> = ["--output-format", "stream-json", "-m"]
        .map(Into::into)
        .into();
    args.push(plan.model()?.unwrap_or(MODEL).into());
    args.extend(["--admin-policy".into(), policy_file(plan).into()]);
    match (&plan.session, plan.resume()?) {
        (_, Some(id)) => args.extend(["--resume".into(), id.into()]),
        (Session::New(id), None) => {
            args.extend(["--session-id".into(), word("a session id", id)?.into()]);
        }
        (Session::Resume(_), None) => {}
    }
    args.extend(plan.entry.args.iter().map(OsString::from));

    let home = plan.entry.config_home.as_deref().unwrap_or(plan.home);
    let mut env: Vec<(&str, OsString)> = vec![
        ("GEMINI_CLI_HOME", home.into()),
        ("GEMINI_CLI_TRUST_WORKSPACE", "false".into()),
        // Otherwise it is two processes, of which only the other one can be ended.
        ("GEMINI_CLI_NO_RELAUNCH", "true".into()),
        ("NO_BROWSER", "true".into()),
        ("TMPDIR", plan.scratch.into()),
    ];
    if let Some(url) = plan.entry.base_url.as_deref() {
        env.push(("GOOGLE_GEMINI_BASE_URL", base_url(url)?.into()));
    }
    Ok(Spec {
        program: plan.program.to_owned(),
        args,
        env: plan.child_env(&env, "GEMINI_API_KEY"),
        cwd: plan.workdir.to_owned(),
        stdin: Stdin::Bytes(plan.stdin(Some(LEAD))),
    })
}

fn policy_file(plan: &RunPlan) -> std::path::PathBuf {
    plan.scratch.join("rigs-policy.toml")
}

/// Its policy, and the settings where the home is rigs' own.
pub(crate) fn files(plan: &RunPlan) -> Vec<GivenFile> {
    let mut files = vec![GivenFile {
        path: policy_file(plan),
        text: policy(plan.permission()),
    }];
    if plan.entry.config_home.is_none() {
        files.push(GivenFile {
            path: plan.home.join(FOLDER).join("settings.json"),
            text: settings(plan.secrets.expose_key().is_some()),
        });
    }
    files
}

/// The kind of login must be named, or an endpoint of one's own is taken for something else.
fn settings(has_key: bool) -> String {
    let mut security = json!({"folderTrust": {"enabled": false}});
    if has_key {
        security["auth"] = json!({"selectedType": "gemini-api-key"});
    }
    let settings = json!({
        "general": {
            "maxAttempts": ATTEMPTS,
            "enableAutoUpdate": false,
            "enableAutoUpdateNotification": false,
        },
        "privacy": {"usageStatisticsEnabled": false},
        "security": security,
    });
    format!("{settings:#}\n")
}

/// Rules of its policy engine; a higher priority comes first.
fn policy(permission: Permission) -> String {
    let mut rules = String::new();
    let mut rule = |tools: &[&str], prefixes: &[&str], decision: &str, priority: u32| {
        // A list of one is refused where prefixes of commands follow.
        let tools = match tools {
            [one] => json!(one),
            several => json!(several),
        };
        write!(
            rules,
            "[[rule]]\ntoolName = {tools}\ndecision = \"{decision}\"\npriority = {priority}\n"
        )
        .expect("a string");
        if !prefixes.is_empty() {
            writeln!(rules, "commandPrefix = {}", json!(prefixes)).expect("a string");
        }
        if decision == "allow" && permission != Permission::Read {
            rules.push_str("allowRedirection = true\n");
        }
        rules.push('\n');
    };
    rule(SHELL, &["git push"], "deny", 900);
    match permission {
        Permission::Read => {
            rule(SHELL, LOOKS, "allow", 500);
            rule(
                &["run_shell_command", "write_file", "replace", "save_memory"],
                &[],
                "deny",
                400,
            );
        }
        Permission::Edit => {
            rule(&["write_file", "replace"], &[], "allow", 500);
            let allowed: Vec<&str> = LOOKS.iter().chain(TOOLCHAINS).copied().collect();
            rule(SHELL, &allowed, "allow", 500);
            rule(&["run_shell_command", "save_memory"], &[], "deny", 400);
        }
        Permission::Full => {
            rule(SHELL, &[], "allow", 500);
            rule(&["*"], &[], "allow", 400);
        }
    }
    rules
}
