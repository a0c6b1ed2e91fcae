//! Which sources a provider has, by its entry alone.

use std::path::PathBuf;

use reqwest::Url;

use crate::config::{Env, ProviderSettings, Settings};
use crate::core::{ProviderKind, ProviderName};
use crate::provider::probe::Probe;
use crate::refinery::configured;

/// One provider with its sources.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Target {
    pub(crate) name: ProviderName,
    pub(crate) entry: ProviderSettings,
    pub(crate) sources: Vec<Source>,
}

/// One way to ask it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) probe: Probe,
    /// Absolute; `None` where none is needed, or it was not found.
    pub(crate) program: Option<PathBuf>,
}

/// Every enabled provider, and GitHub where it is wanted; in order of their names.
pub(crate) fn targets(settings: &Settings, env: &Env) -> Vec<Target> {
    let providers = settings
        .providers
        .iter()
        .filter(|(_, entry)| entry.enabled && entry.kind.is_some())
        .map(|(name, entry)| target(name, entry, env));
    let mut all: Vec<Target> = providers.collect();
    if let Some((name, entry)) = configured::github(settings) {
        all.push(Target {
            name,
            entry,
            sources: vec![Source {
                probe: Probe::GitHub,
                program: None,
            }],
        });
        all.sort_by(|a, b| a.name.cmp(&b.name));
    }
    all
}

fn target(name: &ProviderName, entry: &ProviderSettings, env: &Env) -> Target {
    let program = |default: &str| {
        let wanted = match &entry.command {
            Some(crate::config::settings::Command::Program(program)) => program,
            Some(_) | None => default,
        };
        env.find_program(wanted)
    };
    let with = |probe, program| Source { probe, program };
    let mut sources = Vec::new();
    match entry.kind {
        // A key or an endpoint of one's own has no plan, and its limits come with its answers.
        Some(ProviderKind::Claude) if !has_key(entry) => {
            let found = program("claude");
            if is_real(entry) {
                sources.push(with(Probe::Usage, found.clone()));
            }
            sources.push(with(Probe::Login, found));
            let ccusage = env.find_program("ccusage");
            if ccusage.is_some() {
                sources.push(with(Probe::Ccusage, ccusage));
            }
            if entry.allow_token_reading && (is_real(entry) || is_loopback(entry)) {
                sources.push(with(Probe::OAuth, None));
            }
        }
        Some(ProviderKind::Codex) if !has_key(entry) && entry.base_url.is_none() => {
            sources.push(with(Probe::AppServer, program("codex")));
            sources.push(with(Probe::Rollout, None));
        }
        Some(ProviderKind::Openai) => {
            let service = |word: &str, host: &str| {
                name.as_str() == word || self::host(entry).is_some_and(|h| h == host)
            };
            if service("openrouter", "openrouter.ai") {
                sources.push(with(Probe::OpenRouter, None));
            } else if service("deepseek", "api.deepseek.com") {
                sources.push(with(Probe::DeepSeek, None));
            }
        }
        Some(ProviderKind::Ollama) => sources.push(with(Probe::Ollama, None)),
        Some(
            ProviderKind::Claude
            | ProviderKind::Codex
            | ProviderKind::Gemini
            | ProviderKind::Opencode
            | ProviderKind::Command
            | ProviderKind::Anthropic
            | ProviderKind::Google
            | ProviderKind::Embedded
            | ProviderKind::Sim,
        )
        | None => {}
    }
    Target {
        name: name.clone(),
        entry: entry.clone(),
        sources,
    }
}

fn has_key(entry: &ProviderSettings) -> bool {
    entry.api_key_env.is_some() || entry.api_key_file.is_some() || entry.api_key_command.is_some()
}

/// Claude Code asks its maker about usage whatever endpoint it works with: only where that is
/// the same one is the question one about this account.
fn is_real(entry: &ProviderSettings) -> bool {
    const OTHERS: &str = "ANTHROPIC_BASE_URL";
    let named = |name: &String| name == OTHERS;
    entry.base_url.is_none() && !entry.env.keys().chain(&entry.env_pass).any(named)
}

fn host(entry: &ProviderSettings) -> Option<String> {
    let url = Url::parse(entry.base_url.as_deref()?).ok()?;
    url.host_str().map(str::to_owned)
}

/// A token goes to its own provider, or to this machine; never anywhere else.
fn is_loopback(entry: &ProviderSettings) -> bool {
    host(entry).is_some_and(|h| ["127.0.0.1", "localhost", "[::1]"].contains(&h.as_str()))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn probes(name: &str, entry: ProviderSettings) -> String {
        let entry = ProviderSettings {
            kind: entry.kind.or(name.parse().ok()),
            ..entry
        };
        let env = Env::new([("PATH".into(), "/nowhere".into())], PathBuf::from("/"));
        let name = name.parse().unwrap();
        let target = target(&name, &entry, &env);
        let words: Vec<&str> = target.sources.iter().map(|s| s.probe.as_str()).collect();
        words.join(" ")
    }

    #[test]
    fn an_entry_has_the_sources_of_its_account() {
        let entry = ProviderSettings::default;
        let key = || Some("KEY".to_owned());
        let url = |url: &str| Some(url.to_owned());
        let openai = |base_url| ProviderSettings {
            kind: Some(ProviderKind::Openai),
            base_url,
            ..entry()
        };
        assert_eq!(probes("claude", entry()), "usage login");
        let token = ProviderSettings {
            allow_token_reading: true,
            ..entry()
        };
        assert_eq!(probes("claude", token.clone()), "usage login oauth");
        for (base_url, want) in [
            ("http://127.0.0.1:8080", "login oauth"),
            ("https://example.org", "login"),
        ] {
            let elsewhere = ProviderSettings {
                base_url: url(base_url),
                ..token.clone()
            };
            assert_eq!(probes("claude", elsewhere), want, "{base_url}");
        }
        let passed = ProviderSettings {
            env_pass: vec!["ANTHROPIC_BASE_URL".into()],
            ..entry()
        };
        assert_eq!(probes("claude", passed), "login");
        let with_key = ProviderSettings {
            api_key_env: key(),
            ..token
        };
        assert_eq!(probes("claude", with_key.clone()), "");
        assert_eq!(probes("codex", entry()), "app-server rollout");
        assert_eq!(probes("codex", with_key), "");
        assert_eq!(probes("ollama", entry()), "ollama");
        assert_eq!(probes("openrouter", openai(None)), "openrouter");
        assert_eq!(
            probes("mine", openai(url("https://api.deepseek.com/v1"))),
            "deepseek"
        );
        assert_eq!(probes("mine", openai(url("https://api.x.ai/v1"))), "");
        assert_eq!(probes("embedded", entry()), "");
    }
}
