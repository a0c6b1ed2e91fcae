//! How Claude Code is run.
//!
//! Permissions, all of them tried with the real program:
//! - `read`: only the reading tools exist, and `dontAsk` denies every command that is not a plain
//!   look (`ls`, `grep`; not `touch`).
//! - `edit`: files may be edited, and the build and test programs of [`TOOLCHAINS`] may be run;
//!   without those an agent could not run the tests it is asked to make pass. Whatever else would
//!   ask a person is denied. This guards against accidents, not against malice: a test may do
//!   anything. More is allowed by `args = ["--allowedTools", "Bash(mytool *)"]`.
//! - `full`: everything. The program refuses that as root unless `env = { IS_SANDBOX = "1" }`.
//!
//! Settings and MCP servers of the repository are not loaded: in `-p` mode its hooks would run
//! without a question. That also leaves its CLAUDE.md out, so the prompt names it.

use std::ffi::OsString;

use crate::core::Permission;
use crate::process::{Spec, Stdin};

use super::super::plan::{ProviderError, RunPlan, Session, base_url, word};
use super::super::toolchains::TOOLCHAINS;

/// Never in a worktree of ours, whatever else is allowed: the work leaves it only by a merge.
const DENIED: &str = "Bash(git push *),EnterWorktree,CronCreate,RemoteTrigger";

/// The program's own retries. More would hide a wall for minutes; rigs retries by itself and
/// with the other providers in view.
const RETRIES: &str = "3";

const LEAD: &str =
    "If this repository has a CLAUDE.md or AGENTS.md, read it first: it says how to work here.";

pub(crate) fn command(plan: &RunPlan) -> Result<Spec, ProviderError> {
    let mut args: Vec<OsString> = ["-p", "--output-format", "stream-json"]
        .map(Into::into)
        .into();
    let mut flag = |name: &str, value: &str| {
        args.push(name.into());
        args.push(value.into());
    };
    match plan.permission() {
        Permission::Read => {
            flag("--permission-mode", "dontAsk");
            flag("--tools", "Read,Grep,Glob,Bash,Task");
            flag("--setting-sources", "user");
        }
        Permission::Edit => {
            let allowed: Vec<String> = TOOLCHAINS.iter().map(|t| format!("Bash({t} *)")).collect();
            flag("--permission-mode", "acceptEdits");
            flag("--allowedTools", &allowed.join(","));
            flag("--disallowedTools", DENIED);
            flag("--setting-sources", "user");
        }
        Permission::Full => {
            flag("--permission-mode", "bypassPermissions");
            flag("--disallowedTools", DENIED);
            flag("--setting-sources", "user");
        }
    }
    if let Some(model) = plan.model()? {
        flag("--model", model);
    }
    if let Some(model) = plan.entry.fallback_model.as_deref() {
        flag("--fallback-model", word("a fallback model", model)?);
    }
    match (&plan.session, plan.resume()?) {
        (_, Some(id)) => flag("--resume", id),
        (Session::New(id), None) => flag("--session-id", word("a session id", id)?),
        (Session::Resume(_), None) => {}
    }
    // Last of ours and without a value, so that nothing of the entry's is taken for one.
    args.extend(["--strict-mcp-config", "--verbose"].map(OsString::from));
    args.extend(plan.entry.args.iter().map(OsString::from));

    let mut env: Vec<(&str, OsString)> = vec![
        ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1".into()),
        ("DISABLE_AUTOUPDATER", "1".into()),
        ("CLAUDE_CODE_MAX_RETRIES", RETRIES.into()),
    ];
    if let Some(home) = &plan.entry.config_home {
        env.push(("CLAUDE_CONFIG_DIR", home.into()));
    }
    if let Some(url) = plan.entry.base_url.as_deref() {
        env.push(("ANTHROPIC_BASE_URL", base_url(url)?.into()));
    }
    Ok(Spec {
        program: plan.program.to_owned(),
        args,
        env: plan.child_env(&env, "ANTHROPIC_API_KEY"),
        cwd: plan.workdir.to_owned(),
        stdin: Stdin::Bytes(plan.stdin(Some(LEAD))),
    })
}
