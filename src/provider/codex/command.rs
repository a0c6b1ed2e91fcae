//! How Codex is run.
//!
//! Permissions are its own sandbox, by Landlock and seccomp on Linux: `read` may write nothing,
//! `edit` the worktree and temporary folders without network, `full` is unconfined. Tools that
//! fail because the host lacks the sandbox are reported.
//!
//! A `base_url` becomes a model provider of its own, so that retries are bounded and no login is
//! used; the key is handed over in [`KEY`]. Flags stand before `resume`: behind it they are
//! refused.

use std::ffi::OsString;

use crate::core::Permission;
use crate::process::{Spec, Stdin};

use super::super::plan::{ProviderError, RunPlan, base_url};

/// Where a provider of our own finds its key.
const KEY: &str = "RIGS_PROVIDER_KEY";
/// Where the built-in provider finds one.
const BUILT_IN_KEY: &str = "CODEX_API_KEY";

/// Without these it calls home, or waits for the network for ever.
pub(in crate::provider) const SETTINGS: &[&str] = &[
    "analytics.enabled=false",
    "features.plugins=false",
    "check_for_update_on_startup=false",
    "features.unbounded_connection_retries=false",
];

pub(crate) fn command(plan: &RunPlan) -> Result<Spec, ProviderError> {
    let mut args: Vec<OsString> = ["exec", "--json", "--skip-git-repo-check", "-C"]
        .map(Into::into)
        .into();
    args.push(plan.workdir.into());
    args.push("-s".into());
    args.push(
        match plan.permission() {
            Permission::Read => "read-only",
            Permission::Edit => "workspace-write",
            Permission::Full => "danger-full-access",
        }
        .into(),
    );
    if let Some(model) = plan.model()? {
        args.extend(["-m".into(), model.into()]);
    }
    for setting in SETTINGS {
        args.extend(["-c".into(), (*setting).into()]);
    }
    let mut key = BUILT_IN_KEY;
    if let Some(url) = plan.entry.base_url.as_deref() {
        let url = base_url(url)?;
        let env_key = match plan.secrets.expose_key() {
            Some(_) => format!("env_key=\"{KEY}\","),
            None => String::new(),
        };
        let provider = format!(
            "model_providers.rigs={{name=\"rigs\",base_url=\"{url}\",{env_key}wire_api=\"responses\",request_max_retries=2,stream_max_retries=2,stream_idle_timeout_ms=300000}}"
        );
        args.extend(["-c".into(), "model_provider=\"rigs\"".into()]);
        args.extend(["-c".into(), provider.into()]);
        key = KEY;
    }
    args.extend(plan.entry.args.iter().map(OsString::from));
    if let Some(id) = plan.resume()? {
        args.extend(["resume".into(), id.into()]);
    }
    args.push("-".into());

    let mut env: Vec<(&str, OsString)> = Vec::new();
    if let Some(home) = &plan.entry.config_home {
        env.push(("CODEX_HOME", home.into()));
    }
    Ok(Spec {
        program: plan.program.to_owned(),
        args,
        env: plan.child_env(&env, key),
        cwd: plan.workdir.to_owned(),
        stdin: Stdin::Bytes(plan.stdin(None)),
    })
}
