//! How opencode is run.
//!
//! It takes its configuration from a variable. Permissions are its own rules, of which the last
//! that matches a command counts, each part of a chain of commands by itself; all of it was tried
//! with the real program:
//! - `read`: nothing may be written, and only commands that look may be run.
//! - `edit`: files of the worktree may be written, and the programs of [`TOOLCHAINS`] may be run.
//! - `full`: everything but `git push`.
//!
//! What would ask a person is denied, because a question without a person ends its run. What the
//! repository brings (configuration, plugins, agents) is not loaded. A title keeps it from asking
//! a model for one. The key is handed over in [`KEY`], which the configuration only names.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::plan::{ProviderError, RunPlan, base_url};
use super::super::toolchains::{LOOKS, TOOLCHAINS};
use crate::core::Permission;
use crate::process::{Spec, Stdin};

/// Where it finds the key.
const KEY: &str = "RIGS_PROVIDER_KEY";
/// Its name for an endpoint of one's own whose model is given without a provider.
const OWN: &str = "rigs";

/// Longest silence within an answer before it gives up on a request. It tries six times.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

const LEAD: &str = "If this repository has an AGENTS.md or CLAUDE.md, read it first: it says how to work here. \
Commands that are denied stay denied: do not ask for them again.";

pub(crate) fn command(plan: &RunPlan) -> Result<Spec, ProviderError> {
    let target = Target::of(plan)?;
    let mut args: Vec<OsString> = ["run", "--format", "json", "--pure", "--title", "rigs"]
        .map(Into::into)
        .into();
    // It waits for a limit without a word on stdout; that it does is said in its log.
    args.extend(["--print-logs", "--log-level", "ERROR"].map(OsString::from));
    if let Some(target) = &target {
        args.extend(["-m".into(), target.name().into()]);
    }
    if let Some(id) = plan.resume()? {
        args.extend(["-s".into(), id.into()]);
    }
    args.extend(plan.entry.args.iter().map(OsString::from));

    let mut env: Vec<(&str, OsString)> = vec![
        (
            "OPENCODE_CONFIG_CONTENT",
            config(plan, target.as_ref())?.to_string().into(),
        ),
        ("OPENCODE_DISABLE_AUTOUPDATE", "1".into()),
        ("OPENCODE_DISABLE_MODELS_FETCH", "1".into()),
        ("OPENCODE_DISABLE_LSP_DOWNLOAD", "1".into()),
        ("OPENCODE_DISABLE_SHARE", "1".into()),
        ("OPENCODE_DISABLE_PROJECT_CONFIG", "1".into()),
    ];
    if plan.secrets.expose_key().is_some() {
        // They are logins, and are fetched from the network.
        env.push(("OPENCODE_DISABLE_DEFAULT_PLUGINS", "1".into()));
    }
    if let Some(home) = &plan.entry.config_home {
        for (name, folder) in [
            ("XDG_CONFIG_HOME", "config"),
            ("XDG_DATA_HOME", "data"),
            ("XDG_STATE_HOME", "state"),
            ("XDG_CACHE_HOME", "cache"),
        ] {
            env.push((name, PathBuf::from(home).join(folder).into()));
        }
    }
    Ok(Spec {
        program: plan.program.to_owned(),
        args,
        env: plan.child_env(&env, KEY),
        cwd: plan.workdir.to_owned(),
        stdin: Stdin::Bytes(plan.stdin(Some(LEAD))),
    })
}

/// A model of a provider, as opencode names them.
struct Target<'a> {
    provider: &'a str,
    model: &'a str,
    /// The provider is none that it knows.
    own: bool,
}

impl<'a> Target<'a> {
    /// `None` leaves the choice to it.
    fn of(plan: &'a RunPlan) -> Result<Option<Self>, ProviderError> {
        let own_endpoint = plan.entry.base_url.is_some();
        let bad = |value: &str, reason| {
            Err(ProviderError::BadValue {
                what: "a model of opencode",
                value: value.to_owned(),
                reason,
            })
        };
        match plan.model()? {
            Some(model) => match model.split_once('/') {
                Some((provider, model)) => Ok(Some(Self {
                    provider,
                    model,
                    own: false,
                })),
                None if own_endpoint => Ok(Some(Self {
                    provider: OWN,
                    model,
                    own: true,
                })),
                None => bad(model, "write it as provider/model"),
            },
            None if own_endpoint || plan.secrets.expose_key().is_some() => bad(
                "",
                "a key or an endpoint belongs to a provider: set `model`, as provider/model",
            ),
            None => Ok(None),
        }
    }

    fn name(&self) -> String {
        format!("{}/{}", self.provider, self.model)
    }
}

fn config(plan: &RunPlan, target: Option<&Target>) -> Result<Value, ProviderError> {
    let mut config = json!({
        "autoupdate": false,
        "share": "disabled",
        "snapshot": false,
        "permission": permission(plan.permission()),
    });
    let Some(target) = target else {
        return Ok(config);
    };
    let whole = plan.entry.idle_timeout.0;
    // Where rigs itself would end the run by then, it does so first.
    let later = whole + Duration::from_secs(10);
    let pause = if whole > LONGEST_PAUSE {
        LONGEST_PAUSE
    } else {
        later
    };
    let mut options = json!({
        "timeout": millis(later),
        "chunkTimeout": millis(pause),
    });
    if let Some(url) = plan.entry.base_url.as_deref() {
        options["baseURL"] = json!(base_url(url)?);
    }
    if plan.secrets.expose_key().is_some() {
        options["apiKey"] = json!(format!("{{env:{KEY}}}"));
    }
    let mut provider = json!({"options": options});
    if target.own {
        provider["npm"] = json!("@ai-sdk/openai-compatible");
        provider["models"] = json!({target.model: {}});
    }
    config["provider"] = json!({target.provider: provider});
    config["enabled_providers"] = json!([target.provider]);
    // For titles and summaries; another model would have limits of its own.
    config["small_model"] = json!(target.name());
    Ok(config)
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn permission(permission: Permission) -> Value {
    match permission {
        Permission::Read => json!({
            "edit": "deny",
            "bash": only(LOOKS.iter()),
            "webfetch": "deny",
            "websearch": "deny",
            "external_directory": "deny",
        }),
        Permission::Edit => json!({
            "edit": "allow",
            "bash": only(LOOKS.iter().chain(TOOLCHAINS)),
            "webfetch": "deny",
            "websearch": "deny",
            "external_directory": "deny",
        }),
        Permission::Full => json!({
            "*": "allow",
            "bash": {"*": "allow", "git push": "deny", "git push *": "deny"},
        }),
    }
}

/// These commands, with and without arguments. Its rules are read in their order, which is also
/// that of their names: the star comes before any letter.
fn only<'a>(commands: impl Iterator<Item = &'a &'a str>) -> Value {
    let mut rules = serde_json::Map::new();
    rules.insert("*".into(), json!("deny"));
    for command in commands {
        rules.insert((*command).into(), json!("allow"));
        rules.insert(format!("{command} *"), json!("allow"));
    }
    Value::Object(rules)
}
