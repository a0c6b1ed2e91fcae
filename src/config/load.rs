//! Brings the layers together: built-in values, the file, the environment, flags.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::env::Env;
use super::origin::Origin;
use super::paths::Paths;
use super::problem::{ConfigError, Problem};
use super::settings::Settings;
use super::tree::{self, Content, Node};
use super::{check, detect, home, keys, known, seed, variables};
use crate::core::ProviderName;

/// Larger files are not configuration.
const MAX_FILE: u64 = 1 << 20;

/// What the command line says about the configuration.
#[derive(Debug, Clone, Default)]
pub(crate) struct Given {
    pub(crate) home: Option<PathBuf>,
    pub(crate) file: Option<PathBuf>,
    /// Settings given by flags: path, value, name of the flag.
    pub(crate) flags: Vec<(&'static [&'static str], toml::Value, &'static str)>,
}

/// The home folder and the file that is, or would be, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Located {
    pub(crate) home: PathBuf,
    pub(crate) file: PathBuf,
    /// Named by `--config`: it must exist.
    pub(crate) explicit: bool,
}

/// The settings, where each value came from, and where things are.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) settings: Settings,
    pub(crate) paths: Paths,
    /// The file that was read, if there is one.
    pub(crate) file: Option<PathBuf>,
    tree: Node,
}

pub(crate) fn locate(env: &Env, given: &Given) -> Result<Located, ConfigError> {
    let home = home::locate(env, given.home.as_deref())?;
    let file = match &given.file {
        Some(file) => env.cwd().join(home::expand(env, file)),
        None => Paths::new(home.clone(), None).config(),
    };
    Ok(Located {
        home,
        file,
        explicit: given.file.is_some(),
    })
}

impl Config {
    /// Reads and checks everything; all problems are told at once.
    pub(crate) fn load(env: &Env, given: &Given) -> Result<Self, ConfigError> {
        let located = locate(env, given)?;
        let text = read(&located)?;
        let file = Arc::new(located.file.clone());
        let mut problems = Vec::new();

        let mut root = match text.as_deref().map(|text| tree::parse(&file, text)) {
            None => Node::table(Origin::BuiltIn),
            Some(Ok(root)) => root,
            Some(Err(problem)) => return Err(ConfigError::Invalid(vec![problem])),
        };
        detected(&mut root, env);
        let (from_env, misnamed) = variables::tree(env, &root);
        problems.extend(misnamed);
        root.lay_over(from_env);
        for (path, value, flag) in &given.flags {
            root.lay_over(branch(path, value, flag));
        }
        problems.extend(seed::translate(&mut root));
        problems.extend(keys::unknown(&root));
        if let Some(providers) = root
            .as_table_mut()
            .and_then(|table| table.get_mut("providers"))
            .and_then(Node::as_table_mut)
        {
            problems.extend(known::complete(providers, env));
        }
        check::shorthands(&mut root);

        let mut settings = settings(&mut root, env, &mut problems);
        expand(&mut settings, env);
        problems.extend(check::check(&settings, &root));
        if !problems.is_empty() {
            return Err(ConfigError::Invalid(in_order(problems)));
        }
        let worktrees = settings.general.worktree_dir.clone();
        Ok(Self {
            settings,
            paths: Paths::new(located.home, worktrees),
            file: text.map(|_| located.file),
            tree: root,
        })
    }

    /// Where the value at `path` came from.
    pub(crate) fn origin(&self, path: &[&str]) -> &Origin {
        let mut node = &self.tree;
        for step in path {
            let child = node.nearest(&[step]);
            if std::ptr::eq(child, node) {
                return &Origin::BuiltIn;
            }
            node = child;
        }
        &node.origin
    }
}

/// In the order of the file, each place and key once: what is wrong in one way often is in two.
fn in_order(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by_key(|problem| match &problem.origin {
        Origin::File(place) => (place.line, place.column),
        Origin::BuiltIn | Origin::Detected | Origin::Env(_) | Origin::Flag(_) => (usize::MAX, 0),
    });
    problems.dedup_by(|a, b| a.origin == b.origin && a.key == b.key);
    problems
}

/// The file's text; `None` where there is no file and none was named.
fn read(located: &Located) -> Result<Option<String>, ConfigError> {
    let unreadable = |reason: String| ConfigError::Unreadable {
        file: located.file.clone(),
        reason,
    };
    let file = match std::fs::File::open(&located.file) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && !located.explicit => return Ok(None),
        Err(e) => return Err(unreadable(e.to_string())),
    };
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| unreadable(e.to_string()))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(unreadable("it is larger than 1 MiB".to_owned()));
    }
    String::from_utf8(bytes)
        .map(Some)
        .map_err(|_| unreadable("it is not UTF-8 text".to_owned()))
}

/// Without providers in the file, those of this machine stand in.
fn detected(root: &mut Node, env: &Env) {
    if let Some(table) = root.as_table_mut()
        && !table.contains_key("providers")
    {
        let mut providers = Node::table(Origin::Detected);
        providers.content = Content::Table(detect::detect(env).entries());
        table.insert("providers".to_owned(), providers);
    }
}

fn branch(path: &[&str], value: &toml::Value, flag: &str) -> Node {
    let origin = Origin::Flag(flag.to_owned());
    let Some((first, rest)) = path.split_first() else {
        return Node::leaf(value.clone(), origin);
    };
    let mut node = Node::table(origin);
    if let Some(table) = node.as_table_mut() {
        table.insert((*first).to_owned(), branch(rest, value, flag));
    }
    node
}

/// Section by section and provider by provider, so that each can tell its own type error.
fn settings(root: &mut Node, env: &Env, problems: &mut Vec<Problem>) -> Settings {
    let mut settings = Settings {
        general: section(root, &["general"], env, problems),
        assayer: section(root, &["assayer"], env, problems),
        routing: section(root, &["routing"], env, problems),
        gate: section(root, &["gate"], env, problems),
        foreman: section(root, &["foreman"], env, problems),
        sources: section(root, &["sources"], env, problems),
        budget: section(root, &["budget"], env, problems),
        notify: section(root, &["notify"], env, problems),
        providers: std::collections::BTreeMap::new(),
    };
    let providers = root.nearest(&["providers"]);
    if let (false, Content::Leaf(_) | Content::List(_)) =
        (std::ptr::eq(providers, root), &providers.content)
    {
        problems.push(
            Problem::new(&providers.origin, "providers", "must be a table")
                .hint("write one [providers.NAME] section per provider"),
        );
    }
    let names: Vec<String> = providers
        .as_table()
        .filter(|_| !std::ptr::eq(providers, root))
        .into_iter()
        .flat_map(|table| table.keys().cloned())
        .collect();
    for name in names {
        let entry = section(root, &["providers", &name], env, problems);
        // A bad name was told when the entries were completed.
        if let Ok(name) = name.parse::<ProviderName>() {
            settings.providers.insert(name, entry);
        }
    }
    settings
}

/// Reads one table. A variable's value that was taken for a number but is wanted as text is
/// read again as text.
fn section<T: DeserializeOwned + Default>(
    root: &mut Node,
    at: &[&str],
    env: &Env,
    problems: &mut Vec<Problem>,
) -> T {
    let Some(node) = root.get_mut(at) else {
        return T::default();
    };
    loop {
        let error = match serde_path_to_error::deserialize::<_, T>(node.to_value()) {
            Ok(value) => return value,
            Err(error) => error,
        };
        let path: Vec<String> = error.path().iter().map(ToString::to_string).collect();
        let path: Vec<&str> = path
            .iter()
            .map(|step| step.trim_start_matches('[').trim_end_matches(']'))
            .collect();
        if let Some(there) = node.get_mut(&path)
            && let Origin::Env(name) = &there.origin
            && !matches!(there.content, Content::Leaf(toml::Value::String(_)))
            && let Some(raw) = env.get(name)
        {
            there.content = Content::Leaf(raw.into());
            continue;
        }
        let mut key = at.join(".");
        for step in &path {
            key = format!("{key}.{step}");
        }
        let message = check::plain(error.inner().message());
        problems.push(Problem::new(&node.nearest(&path).origin, &key, message));
        return T::default();
    }
}

/// `~/` in paths of the settings.
fn expand(settings: &mut Settings, env: &Env) {
    let fix = |path: &mut Option<PathBuf>| {
        if let Some(path) = path {
            *path = home::expand(env, path);
        }
    };
    fix(&mut settings.general.worktree_dir);
    fix(&mut settings.general.policy_file);
    fix(&mut settings.notify.webhook_secret_file);
    for provider in settings.providers.values_mut() {
        fix(&mut provider.api_key_file);
        fix(&mut provider.config_home);
        if let Some(super::settings::Command::Program(program)) = &mut provider.command
            && program.starts_with("~/")
            && let Some(path) = home::expand(env, Path::new(program)).to_str()
        {
            path.clone_into(program);
        }
    }
}
