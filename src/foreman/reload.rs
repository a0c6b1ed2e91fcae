//! The configuration while the loop goes on: read again when somebody asks for it (SIGHUP). What
//! runs goes on with the settings that it began with; a file that is broken changes nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::drive::Foreman;
use super::lookout::Lookout;
use super::models::Models;
use super::pinned::pin_providers;
use super::{ForemanError, rules};
use crate::config::{Config, Settings};
use crate::core::text::one_line;
use crate::db::EventType;

/// What is set up once, when the program starts.
const AT_START: [&str; 2] = ["general.log_level", "general.worktree_dir"];

/// What a look at the configuration found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Changed {
    /// Keys whose new values hold from now on.
    now: Vec<String>,
    /// Keys that differ from what the program was started with.
    after_restart: Vec<String>,
}

impl Foreman {
    /// Reads the configuration again; true when other settings hold now.
    pub(super) async fn read_config(&mut self) -> Result<bool, ForemanError> {
        let read = Config::load(&self.ctx.env, &self.ctx.source)
            .map_err(|error| (error.place(), error.to_string()));
        let taken = read.and_then(|config| self.take(config.settings));
        let changed = match taken {
            Ok(changed) => changed,
            Err((place, message)) => {
                tracing::warn!("the settings read before hold on: {message}");
                let (line, column) = place.unzip();
                let payload = json!({
                    "line": line, "column": column, "message": one_line(&message, 400),
                });
                self.say(EventType::ConfigRefused, payload).await?;
                return Ok(false);
            }
        };
        if changed == Changed::default() {
            tracing::info!("the configuration was read again and says what it said");
            return Ok(false);
        }
        if !changed.after_restart.is_empty() {
            let keys = changed.after_restart.join(", ");
            tracing::warn!("{keys}: holds when the foreman is started again");
        }
        let payload = json!({"changed": changed.now, "after_restart": changed.after_restart});
        self.say(EventType::ConfigLoaded, payload).await?;
        if changed.now.is_empty() {
            return Ok(false);
        }
        Arc::make_mut(&mut self.ctx).probe().await;
        self.notifier.take(&self.ctx).await?;
        self.note_policy().await?;
        Ok(true)
    }

    /// Lets these settings hold, as far as they can while the program runs.
    fn take(&mut self, mut new: Settings) -> Result<Changed, (Option<(usize, usize)>, String)> {
        let old = Arc::clone(&self.ctx.settings);
        if let Some(n) = self.ctx.parallel {
            new.general.max_parallel = n;
        }
        let at_start = |key: &String| AT_START.contains(&key.as_str());
        let (after_restart, now) = changed_keys(&old, &new).into_iter().partition(at_start);
        let changed = Changed { now, after_restart };
        new.general.log_level.clone_from(&old.general.log_level);
        new.general
            .worktree_dir
            .clone_from(&old.general.worktree_dir);
        if changed.now.is_empty() {
            return Ok(changed);
        }
        if new.general.policy_file != old.general.policy_file {
            self.policy = rules::open(&new, &self.ctx.paths)
                .map_err(|error| (error.place(), error.to_string()))?;
        }
        let ctx = Arc::make_mut(&mut self.ctx);
        let mut providers = pin_providers(&new, &ctx.env);
        let mut tanks = crate::refinery::configured::tanks(&new);
        // What runs is settled where it began.
        for name in self.active.values().map(|active| &active.job.provider) {
            if let (false, Some(gone)) = (providers.contains_key(name), ctx.providers.get(name)) {
                let mut gone = gone.clone();
                gone.unusable = Some("the configuration does not have it any more".to_owned());
                providers.insert(name.clone(), gone);
            }
            let known = tanks.iter().any(|tank| tank.provider == *name);
            let tank = ctx.tanks.iter().find(|tank| tank.provider == *name);
            tanks.extend(tank.filter(|_| !known).cloned());
        }
        ctx.providers = Arc::new(providers);
        ctx.tanks = Arc::new(tanks);
        ctx.settings = Arc::new(new);
        if changed.now.iter().any(|key| key.starts_with("providers.")) {
            // Clients were made for the old entries.
            ctx.models = Arc::new(Models::default());
        }
        self.lookout = Lookout::new(&self.ctx);
        Ok(changed)
    }
}

/// The keys whose values differ, to the last table.
fn changed_keys(old: &Settings, new: &Settings) -> Vec<String> {
    let tree = |settings| serde_json::to_value(settings).unwrap_or_default();
    let mut keys = Vec::new();
    compare(
        &mut Vec::new(),
        Some(&tree(old)),
        Some(&tree(new)),
        &mut keys,
    );
    keys
}

fn compare<'a>(
    path: &mut Vec<&'a str>,
    old: Option<&'a Value>,
    new: Option<&'a Value>,
    keys: &mut Vec<String>,
) {
    if let (Some(Value::Object(old)), Some(Value::Object(new))) = (old, new) {
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for name in names {
            path.push(name);
            compare(path, old.get(name), new.get(name), keys);
            path.pop();
        }
    } else if old != new {
        keys.push(path.join("."));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ProviderSettings;

    #[test]
    fn changes_are_told_by_their_keys_and_never_by_their_values() {
        let old = Settings::default();
        assert_eq!(changed_keys(&old, &old), Vec::<String>::new());
        let mut new = old.clone();
        new.general.max_parallel += 1;
        new.gate.commands = Some(vec![vec!["make".to_owned()]]);
        let entry = ProviderSettings::default();
        new.providers.insert("one".parse().unwrap(), entry.clone());
        assert_eq!(
            changed_keys(&old, &new),
            ["gate.commands", "general.max_parallel", "providers.one"]
        );
        let mut newer = new.clone();
        let env = [("TOKEN".to_owned(), "s3cret".to_owned())].into();
        newer
            .providers
            .insert("one".parse().unwrap(), ProviderSettings { env, ..entry });
        assert_eq!(changed_keys(&new, &newer), ["providers.one.env.TOKEN"]);
    }
}
