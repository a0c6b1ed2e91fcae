//! What a run needs, resolved; and the pieces that every kind's command is made of.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use crate::config::{Env, ProviderSettings};
use crate::core::redact::Redactor;
use crate::core::text::one_line;
use crate::core::{Permission, ProviderKind, ProviderName};

/// Why a plan cannot become a process. A person must change something: none is worth a retry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProviderError {
    #[error("provider {name} has no kind")]
    NoKind { name: ProviderName },
    #[error("a provider of kind {kind} is not run as a program")]
    NoProgram { kind: ProviderKind },
    #[error("`{value}` cannot be used as {what}: {reason}")]
    BadValue {
        what: &'static str,
        value: String,
        reason: &'static str,
    },
    #[error("provider {name} needs a command: a list of the program and its arguments")]
    NoCommand { name: ProviderName },
    #[error("the command of provider {name} uses {{{placeholder}}}, but none is set")]
    NothingFor {
        name: ProviderName,
        placeholder: &'static str,
    },
    #[error("the command of provider {name} uses the unknown placeholder {{{placeholder}}}")]
    UnknownPlaceholder {
        name: ProviderName,
        placeholder: String,
    },
}

/// A new conversation, or one that goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Session {
    /// With this id, where the program lets us choose it (a UUID).
    New(String),
    /// By the id that the provider reported.
    Resume(String),
}

/// The key of a provider, resolved by the caller from its variable, file or command. It cannot
/// be printed, and leaves only into the environment of the provider's own process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Secrets {
    pub(crate) key: Option<SecretString>,
}

impl Secrets {
    pub(crate) fn with_key(key: SecretString) -> Self {
        Self { key: Some(key) }
    }

    pub(super) fn expose_key(&self) -> Option<&str> {
        self.key.as_ref().map(ExposeSecret::expose_secret)
    }
}

/// Everything that a run needs.
#[derive(Debug, Clone)]
pub(crate) struct RunPlan<'a> {
    pub(crate) name: &'a ProviderName,
    pub(crate) entry: &'a ProviderSettings,
    /// Absolute, as found when the provider was checked.
    pub(crate) program: &'a Path,
    pub(crate) prompt: &'a str,
    /// Standing orders, put before the prompt.
    pub(crate) system: Option<&'a str>,
    pub(crate) workdir: &'a Path,
    pub(crate) permission: Permission,
    /// The model chosen for this bead; the entry's own when `None`.
    pub(crate) model: Option<&'a str>,
    pub(crate) session: Session,
    /// [`base_env`] of the entry.
    pub(crate) env: BTreeMap<String, OsString>,
    pub(crate) secrets: &'a Secrets,
    /// A private folder of this run, which is taken away after it: temporary files, and what the
    /// program must be given as a file.
    pub(crate) scratch: &'a Path,
    /// A private folder of this provider that stays: a home for a program that is not to use the
    /// person's own.
    pub(crate) home: &'a Path,
}

/// A file that a program is to find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GivenFile {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// What the child may see of our own environment: the allowlist and the variables that the entry
/// names in `env_pass`. Nothing else of ours leaks: `ANTHROPIC_*`, `CODEX_*` and the like of the
/// caller would change what a run does.
pub(crate) fn base_env(env: &Env, entry: &ProviderSettings) -> BTreeMap<String, OsString> {
    let mut child = env.child();
    for name in &entry.env_pass {
        if let Some(value) = env.os(name) {
            child.insert(name.clone(), value.to_owned());
        }
    }
    child
}

impl RunPlan<'_> {
    /// The kind that the entry says, or that its name is.
    pub(super) fn kind(&self) -> Result<ProviderKind, ProviderError> {
        self.entry
            .kind
            .or_else(|| self.name.as_str().parse().ok())
            .ok_or_else(|| ProviderError::NoKind {
                name: self.name.clone(),
            })
    }

    /// Never more than the entry allows.
    pub(super) fn permission(&self) -> Permission {
        self.permission.min(self.entry.permission)
    }

    pub(super) fn model(&self) -> Result<Option<&str>, ProviderError> {
        self.model
            .or(self.entry.model.as_deref())
            .map(|model| word("a model", model))
            .transpose()
    }

    /// The id to resume by.
    pub(super) fn resume(&self) -> Result<Option<&str>, ProviderError> {
        match &self.session {
            Session::New(_) => Ok(None),
            Session::Resume(id) => word("a session id", id).map(Some),
        }
    }

    /// Standing orders and prompt, for the standard input: arguments show in every process list
    /// and end at 128 KiB.
    pub(super) fn stdin(&self, lead: Option<&str>) -> Vec<u8> {
        let parts: Vec<&str> = [self.system, lead, Some(self.prompt)]
            .into_iter()
            .flatten()
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .collect();
        format!("{}\n", parts.join("\n\n")).into_bytes()
    }

    /// The environment of the child: the base, what the kind sets, the key under `key_name`, and
    /// last what the entry sets itself.
    pub(super) fn child_env(
        &self,
        kind: &[(&str, OsString)],
        key_name: &str,
    ) -> BTreeMap<String, OsString> {
        let mut env = self.env.clone();
        env.extend(kind.iter().map(|(k, v)| ((*k).to_owned(), v.clone())));
        if let Some(key) = self.secrets.expose_key() {
            env.insert(key_name.to_owned(), key.into());
        }
        let own = self.entry.env.iter();
        env.extend(own.map(|(k, v)| (k.clone(), OsString::from(v))));
        env
    }

    /// Knows every secret that this run is given, by value.
    pub(crate) fn redactor(&self) -> Redactor {
        let named = |name: &str| {
            let name = name.to_ascii_uppercase();
            ["KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL"]
                .iter()
                .any(|part| name.contains(part))
        };
        let passed = self
            .entry
            .env_pass
            .iter()
            .filter_map(|name| Some(self.env.get(name)?.to_str()?.to_owned()));
        let set = self
            .entry
            .env
            .iter()
            .filter(|(name, _)| named(name))
            .map(|(_, value)| value.clone());
        let key = self.secrets.expose_key().map(str::to_owned);
        Redactor::knowing(passed.chain(set).chain(key))
    }
}

/// A name that goes into an argument by itself: it can be no flag, and holds nothing that is
/// special to a shell, to TOML or to a terminal.
pub(super) fn word<'a>(what: &'static str, value: &'a str) -> Result<&'a str, ProviderError> {
    let bad = |reason| {
        Err(ProviderError::BadValue {
            what,
            value: one_line(value, 60),
            reason,
        })
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/@[]+".contains(c);
    if value.is_empty() || value.len() > 200 {
        bad("it must have 1 to 200 characters")
    } else if value.starts_with('-') {
        bad("it begins with a dash")
    } else if !value.chars().all(plain) {
        bad("only letters, digits and -_.:/@[]+ may be in it")
    } else {
        Ok(value)
    }
}

/// A base URL without a password in it and without anything that needs quoting.
pub(super) fn base_url(url: &str) -> Result<&str, ProviderError> {
    let bad = |reason| {
        Err(ProviderError::BadValue {
            what: "a base_url",
            value: one_line(url.rsplit_once('@').map_or(url, |(_, host)| host), 60),
            reason,
        })
    };
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    match rest {
        None => bad("it must begin with http:// or https://"),
        Some(rest) if rest.split('/').next().is_some_and(|h| h.contains('@')) => {
            bad("a password belongs into api_key_env, api_key_file or api_key_command")
        }
        Some(rest)
            if rest.is_empty()
                || !url
                    .chars()
                    .all(|c| c.is_ascii_graphic() && !"\"\\`".contains(c)) =>
        {
            bad("it is not a plain URL")
        }
        Some(_) => Ok(url.trim_end_matches('/')),
    }
}
