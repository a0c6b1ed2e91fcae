//! What this machine has to run beads on. Nothing is started or asked: programs are looked up
//! in PATH, and of keys only the names of their variables are noticed.

use std::path::PathBuf;

use super::env::Env;
use super::known;
use super::origin::Origin;
use super::tree::{Node, Table};
use crate::core::{ProviderKind, Way};

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Detected {
    /// Agent CLIs with the absolute path of their program.
    pub(crate) agents: Vec<(ProviderKind, PathBuf)>,
    /// Where an Ollama server would answer; whether it does is seen when it is used.
    pub(crate) ollama: String,
    pub(crate) ollama_origin: Origin,
    /// Services whose key variable is set: their name and the variable's.
    pub(crate) services: Vec<(&'static str, &'static str)>,
    /// Whether this build can run a model in its own process.
    pub(crate) embedded: bool,
}

pub(crate) fn detect(env: &Env) -> Detected {
    let agents = ProviderKind::ALL
        .iter()
        .copied()
        .filter(|kind| kind.way() == Way::Agent)
        .filter_map(|kind| Some((kind, env.find_program(kind.as_str())?)))
        .collect();
    let (ollama, ollama_origin) = known::ollama(env);
    Detected {
        agents,
        ollama,
        ollama_origin,
        services: known::services_with_key(env),
        embedded: cfg!(feature = "local-llm"),
    }
}

impl Detected {
    /// The agents that can be used as they are: they bring the login that their person uses.
    pub(crate) fn ready_agents(&self) -> impl Iterator<Item = &(ProviderKind, PathBuf)> {
        self.agents
            .iter()
            .filter(|(kind, _)| matches!(kind, ProviderKind::Claude | ProviderKind::Codex))
    }

    /// The entries that stand in for `[providers]` where the configuration has none. Services
    /// that bill by use are not among them: a key in the environment is no consent to spend.
    pub(crate) fn entries(&self) -> Table {
        let entry = |kind: ProviderKind, key: &str, value: String, origin: &Origin| {
            let mut node = Node::table(Origin::Detected);
            if let Some(table) = node.as_table_mut() {
                table.insert(
                    "kind".to_owned(),
                    Node::leaf(kind.as_str(), Origin::Detected),
                );
                if !key.is_empty() {
                    table.insert(key.to_owned(), Node::leaf(value, origin.clone()));
                }
            }
            (kind.as_str().to_owned(), node)
        };
        let mut entries: Table = self
            .ready_agents()
            .filter_map(|(kind, path)| Some((*kind, path.to_str()?.to_owned())))
            .map(|(kind, path)| entry(kind, "command", path, &Origin::Detected))
            .collect();
        entries.extend([entry(
            ProviderKind::Ollama,
            "base_url",
            self.ollama.clone(),
            &self.ollama_origin,
        )]);
        if self.embedded {
            entries.extend([entry(
                ProviderKind::Embedded,
                "",
                String::new(),
                &Origin::Detected,
            )]);
        }
        entries
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn agents_in_path_and_the_names_of_keys_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let claude = dir.path().join("claude");
        std::fs::write(&claude, "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(&claude, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::write(dir.path().join("codex"), "not executable").unwrap();
        let vars = [
            ("PATH".into(), dir.path().into()),
            ("DEEPSEEK_API_KEY".into(), "secret".into()),
            ("GROQ_API_KEY".into(), "".into()),
        ];
        let found = detect(&Env::new(vars, PathBuf::from("/")));
        assert_eq!(found.agents, [(ProviderKind::Claude, claude)]);
        assert_eq!(found.services, [("deepseek", "DEEPSEEK_API_KEY")]);
        let names: Vec<String> = found.entries().into_keys().collect();
        let mut want = vec!["claude", "ollama"];
        if cfg!(feature = "local-llm") {
            want.insert(1, "embedded");
        }
        assert_eq!(names, want);
    }
}
