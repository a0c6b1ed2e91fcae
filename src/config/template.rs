//! The `config.toml` that `rigs init` writes: every section with its defaults in comments, and
//! the providers that were found.

use super::detect::Detected;
use super::settings::Settings;

/// The commented file.
pub(crate) fn render(found: &Detected) -> String {
    let d = Settings::default();
    let g = &d.general;
    let gate = &d.gate;
    let mut text = format!(
        r#"# Settings of rigs. `rigs config show` lists every value with its source,
# `rigs config check` checks this file. Every key can also be given as a variable,
# for example RIGS_GENERAL__MAX_PARALLEL=2.

[general]
# max_parallel = {max_parallel}        # polecats at once, over all providers
# log_level = "{log_level}"      # error, warn, info, debug, trace
# worktree_dir = "..."    # where beads get their worktrees; default: worktrees/ beside this file
# policy_file = "..."     # who may run what; default: policy.toml beside this file

# --- providers: how beads are run. Without any entry, what is found on the machine is used.
"#,
        max_parallel = g.max_parallel,
        log_level = g.log_level,
    );
    for (kind, path) in found.ready_agents() {
        text.push_str(&section(
            kind.as_str(),
            &[("command", quoted(&path.to_string_lossy()))],
            "",
        ));
    }
    text.push_str(&section(
        "ollama",
        &[("base_url", quoted(&found.ollama))],
        "used whenever a server answers there",
    ));
    if found.embedded {
        text.push_str(&section(
            "embedded",
            &[],
            "a small model inside rigs, for text; `rigs model pull` fetches it",
        ));
    }
    for (name, variable) in &found.services {
        let entry = section(
            name,
            &[
                ("model", "\"...\"".to_owned()),
                ("api_key_env", quoted(variable)),
            ],
            "found a key for this one; it bills by use, so it is off until you uncomment it",
        );
        text.push_str(&commented(&entry));
    }
    text.push_str(PROVIDER_KEYS);
    let sections = format!(
        r#"
[routing]
# strategy = "{strategy}"      # conservative, balanced, aggressive
# fallback_order = []         # names, best first, among equals
# learn = {learn}                # affinities follow what became of the work
# explore = {explore}              # share of the work that may go to others to learn how they do

[gate]
# commands = [["cargo", "test"]]   # must succeed before work is merged; detected when not set
# setup = []                       # run once in each fresh worktree
# share = []                       # folders of the repository linked into each worktree
# timeout = "{timeout}"                  # per command
# protected = []                   # globs of files whose weakening fails the gate
# max_attempts = {attempts}                 # then a person has to look
# reruns = {reruns}                       # of a gate that failed: it may be flaky

[assayer]
# backends = ["ollama"]       # who plans; plain rules always stand behind them
# planner_model = "..."       # optimizer_model, estimator_model, quality_model likewise
# timeout = "{assay}"

[foreman]
# grace = "{grace}"             # how long a stop waits for running polecats
# lease = "{lease}"
# min_free_memory = {memory}       # MB; with less available, nothing more is started
# min_free_disk = {disk}         # MB, where the store is
# max_load_per_core = 4.0

[notify]
# desktop = true             # when a bead is blocked or failed, at a wall, when a goal is over
# webhook_url = "https://example.org/hook"   # signed: webhook_secret_env, _file or _command
# on = ["blocked", "failed", "wall", "finished"]

[sources]
# github = true              # its limits as a tank of their own; agents call it
# github_token_env = "GITHUB_TOKEN"

[budget]
# timezone = "Europe/Berlin"  # where the day begins; UTC when not set
# tokens_per_day = 2000000
# usd_per_day = 5.0
# tokens_per_bead = 200000
# tokens_per_convoy = 1000000   # usd_per_..., runs_per_... likewise
# window_share_per_bead = 0.25  # of every window of known size
# envelope = 3.0              # a run above so many times its p95 is ended
# requests_per_run = 500
# time_per_run = "2h"
"#,
        strategy = d.routing.strategy,
        learn = d.routing.learn,
        explore = d.routing.explore,
        timeout = gate.timeout,
        attempts = gate.max_attempts,
        reruns = gate.reruns,
        assay = d.assayer.timeout,
        grace = d.foreman.grace,
        lease = d.foreman.lease,
        memory = d.foreman.min_free_memory,
        disk = d.foreman.min_free_disk,
    );
    text.push_str(&sections);
    text
}

const PROVIDER_KEYS: &str = r#"
# More keys of a provider (the kinds: claude, codex, gemini, opencode, command, ollama, openai, anthropic,
# google, embedded, sim):
# [providers.NAME]
# kind = "openai"             # not needed when NAME is a kind
# enabled = true
# command = "claude"          # program; for kind "command" a list of program and arguments
# args = []                   # further arguments
# model = "..."
# base_url = "http://127.0.0.1:8080/v1"
# api_key_env = "MY_API_KEY"  # the NAME of the variable; or api_key_file, api_key_command
# env = { NAME = "value" }    # added to the child's scrubbed environment
# env_pass = ["NAME"]         # taken over from yours
# permission = "edit"         # read, edit, full
# max_parallel = 2
# timeout = "45m"             # idle_timeout = "10m", startup_timeout = "2m"
# reserve = 0.1               # share of every window kept for yourself; by the hour: reserve_hours
# budget = { tokens_per_day = 500000, runs_per_day = 20 }
# limits = [ { window = "5h", kind = "anchored", unit = "tokens", amount = 1000000 } ]
"#;

fn section(name: &str, keys: &[(&str, String)], comment: &str) -> String {
    let mut text = String::from("\n");
    if !comment.is_empty() {
        text.push_str("# ");
        text.push_str(comment);
        text.push('\n');
    }
    text.push_str("[providers.");
    text.push_str(name);
    text.push_str("]\n");
    for (key, value) in keys {
        text.push_str(key);
        text.push_str(" = ");
        text.push_str(value);
        text.push('\n');
    }
    text
}

/// Every line that is not yet one made a comment.
fn commented(text: &str) -> String {
    text.lines()
        .map(|line| match line {
            "" => "\n".to_owned(),
            line if line.starts_with('#') => format!("{line}\n"),
            line => format!("# {line}\n"),
        })
        .collect()
}

/// A TOML string, whatever the text holds.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::config::Origin;
    use crate::core::ProviderKind;

    fn found() -> Detected {
        Detected {
            agents: vec![(ProviderKind::Claude, PathBuf::from("/opt/a \"b\"/claude"))],
            ollama: "http://127.0.0.1:11434".into(),
            ollama_origin: Origin::BuiltIn,
            services: vec![("deepseek", "DEEPSEEK_API_KEY")],
            embedded: true,
        }
    }

    #[test]
    fn the_file_holds_what_was_found_and_only_comments_else() {
        let value: toml::Value = toml::from_str(&render(&found())).unwrap();
        let want: toml::Value = toml::from_str(
            r#"
            providers.claude.command = '/opt/a "b"/claude'
            providers.ollama.base_url = "http://127.0.0.1:11434"
            [providers.embedded]
            [general]
            [routing]
            [gate]
            [assayer]
            [foreman]
            [notify]
            [sources]
            [budget]
            "#,
        )
        .unwrap();
        assert_eq!(value, want);
    }

    #[test]
    fn every_key_in_a_comment_is_a_real_one_with_a_value_of_its_type() {
        let mut text = String::new();
        for line in render(&found()).lines() {
            let bare = line.strip_prefix("# ").unwrap_or(line);
            let is_key = bare
                .split_once(" = ")
                .is_some_and(|(key, _)| key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
            // A placeholder for a folder is no absolute path; everything else is as written.
            if (is_key || bare.starts_with('['))
                && !bare.starts_with("worktree_dir")
                && !bare.starts_with("policy_file")
            {
                text.push_str(&bare.replace("[providers.NAME]", "[providers.name]"));
                text.push('\n');
            }
        }
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.toml");
        std::fs::write(&file, &text).unwrap();
        let vars = [("HOME".into(), dir.path().into())];
        let given = crate::config::Given {
            file: Some(file),
            ..Default::default()
        };
        let env = crate::config::Env::new(vars, dir.path().into());
        let config = crate::config::Config::load(&env, &given);
        assert!(config.is_ok(), "{}\n{text}", config.unwrap_err());
    }
}
