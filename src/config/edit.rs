//! Changes to `config.toml` that leave everything else in it as it is: comments, order, blanks.
//! The changed text is checked as a whole before it takes the place of the old one.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use toml_edit::visit_mut::{self, VisitMut};
use toml_edit::{Array, DocumentMut, Item, Table, Value};

use super::held::Held;
use super::settings::Command;
use crate::core::ProviderName;

/// What an entry is made of; what is `None` or empty is left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct NewEntry {
    pub(crate) kind: Option<String>,
    pub(crate) command: Option<Command>,
    pub(crate) args: Vec<String>,
    pub(crate) model: Option<String>,
    pub(crate) base_url: Option<String>,
    pub(crate) api_key_env: Option<String>,
    pub(crate) config_home: Option<String>,
    pub(crate) permission: Option<String>,
    pub(crate) max_parallel: Option<u32>,
}

/// Why the file was not changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EditError {
    #[error("{} has no entry [providers.{name}]", file.display())]
    Absent { file: PathBuf, name: ProviderName },
    #[error("{} has an entry [providers.{name}] already", file.display())]
    There { file: PathBuf, name: ProviderName },
    #[error("{} cannot be edited: {reason}", file.display())]
    Unreadable { file: PathBuf, reason: String },
    #[error("cannot write {}: {source}", file.display())]
    Unwritable {
        file: PathBuf,
        source: std::io::Error,
    },
}

/// Adds entries to the text of a configuration.
pub(crate) fn add(
    file: &Path,
    text: &str,
    entries: &[(ProviderName, NewEntry)],
) -> Result<String, EditError> {
    let mut doc = parse(file, text)?;
    // Of a file without any key, the comments would end up below what is added.
    let mut head = String::new();
    if doc.is_empty() {
        head = doc.trailing().as_str().unwrap_or("").into();
        doc.set_trailing("");
    }
    let root = doc.as_table_mut();
    if !root.contains_key("providers") {
        let mut providers = Table::new();
        providers.set_implicit(true);
        root.insert("providers", Item::Table(providers));
    }
    for (name, entry) in entries {
        let providers = providers(root, file)?;
        if providers.contains_key(name.as_str()) {
            return Err(EditError::There {
                file: file.to_owned(),
                name: name.clone(),
            });
        }
        providers.insert(name.as_str(), table(entry));
    }
    Ok(head + &doc.to_string())
}

/// Takes one entry, all its parts included, out of the text of a configuration. Comments above
/// it go with it up to the last blank line; those before that are not about the entry alone.
pub(crate) fn remove(file: &Path, text: &str, name: &ProviderName) -> Result<String, EditError> {
    let mut doc = parse(file, text)?;
    let absent = || EditError::Absent {
        file: file.to_owned(),
        name: name.clone(),
    };
    if !doc.contains_key("providers") {
        return Err(absent());
    }
    let gone = providers(doc.as_table_mut(), file)?
        .remove(name.as_str())
        .ok_or_else(absent)?;
    let (kept, position) = match &gone {
        Item::Table(table) => (above(table), table.position()),
        Item::None | Item::Value(_) | Item::ArrayOfTables(_) => (String::new(), None),
    };
    if kept.is_empty() {
        return Ok(doc.to_string());
    }
    let mut next = Next {
        after: position,
        found: None,
    };
    next.visit_document_mut(&mut doc);
    if let Some(position) = next.found {
        Prepend { position, kept }.visit_document_mut(&mut doc);
    } else {
        let trailing = doc.trailing().as_str().unwrap_or("").to_owned();
        doc.set_trailing(kept + &trailing);
    }
    Ok(doc.to_string())
}

/// Reads the file, changes it, checks what came of it, and puts it in place of the old one:
/// whole, with the same mode, while no other `rigs` does the same. A file that is not there is
/// taken for `fresh`.
pub(crate) fn change<E: From<EditError>>(
    file: &Path,
    fresh: &str,
    edit: impl FnOnce(&str) -> Result<String, EditError>,
    check: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<(), E> {
    // What a link points at is changed, not the link.
    let target = std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let unwritable = |source| EditError::Unwritable {
        file: target.clone(),
        source,
    };
    let lock = target.with_extension("toml.lock");
    let _held = Held::wait(&lock).map_err(unwritable)?;
    let (text, mode) = read(&target, fresh)?;
    let changed = edit(&text)?;
    let draft = target.with_extension(format!("toml.new.{}", std::process::id()));
    let written = write(&draft, &changed, mode).map_err(|source| EditError::Unwritable {
        file: draft.clone(),
        source,
    });
    let placed = written
        .map_err(E::from)
        .and_then(|()| check(&draft))
        .and_then(|()| Ok(std::fs::rename(&draft, &target).map_err(unwritable)?));
    if placed.is_err() {
        // The error that counts is the one that is returned.
        let removed = std::fs::remove_file(&draft);
        drop(removed);
    }
    placed
}

fn read(file: &Path, fresh: &str) -> Result<(String, u32), EditError> {
    let unreadable = |reason: String| EditError::Unreadable {
        file: file.to_owned(),
        reason,
    };
    let mut open = match File::open(file) {
        Ok(open) => open,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok((fresh.to_owned(), 0o600)),
        Err(e) => return Err(unreadable(e.to_string())),
    };
    let meta = open.metadata().map_err(|e| unreadable(e.to_string()))?;
    let mut text = String::new();
    open.read_to_string(&mut text)
        .map_err(|e| unreadable(e.to_string()))?;
    Ok((text, meta.permissions().mode() & 0o777))
}

fn write(file: &Path, text: &str, mode: u32) -> std::io::Result<()> {
    let mut out = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(file)?;
    out.write_all(text.as_bytes())?;
    out.sync_all()
}

fn parse(file: &Path, text: &str) -> Result<DocumentMut, EditError> {
    text.parse()
        .map_err(|e: toml_edit::TomlError| EditError::Unreadable {
            file: file.to_owned(),
            reason: e.message().to_owned(),
        })
}

fn providers<'a>(
    root: &'a mut Table,
    file: &Path,
) -> Result<&'a mut dyn toml_edit::TableLike, EditError> {
    root.get_mut("providers")
        .and_then(Item::as_table_like_mut)
        .ok_or_else(|| EditError::Unreadable {
            file: file.to_owned(),
            reason: "`providers` is no table".to_owned(),
        })
}

fn table(entry: &NewEntry) -> Item {
    let mut table = Table::new();
    table.decor_mut().set_prefix("\n");
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            table.insert(key, Item::Value(value));
        }
    };
    let text = |text: &Option<String>| text.as_deref().map(Value::from);
    let list = |items: &[String]| Value::Array(items.iter().collect::<Array>());
    put("kind", text(&entry.kind));
    put(
        "command",
        entry.command.as_ref().map(|command| match command {
            Command::Program(program) => Value::from(program.as_str()),
            Command::Argv(argv) => list(argv),
        }),
    );
    put("args", (!entry.args.is_empty()).then(|| list(&entry.args)));
    put("model", text(&entry.model));
    put("base_url", text(&entry.base_url));
    put("api_key_env", text(&entry.api_key_env));
    put("config_home", text(&entry.config_home));
    put("permission", text(&entry.permission));
    put(
        "max_parallel",
        entry.max_parallel.map(|n| Value::from(i64::from(n))),
    );
    Item::Table(table)
}

/// The comments above a table that are not about it alone: all up to its last blank line.
fn above(table: &Table) -> String {
    let prefix = table
        .decor()
        .prefix()
        .and_then(|p| p.as_str())
        .unwrap_or("");
    let mut end = 0;
    let mut at = 0;
    for line in prefix.split_inclusive('\n') {
        at += line.len();
        if line.trim().is_empty() {
            end = at;
        }
    }
    let kept = &prefix[..end];
    if kept.trim().is_empty() {
        String::new()
    } else {
        kept.to_owned()
    }
}

/// Looks for the table that stands next in the file.
struct Next {
    after: Option<isize>,
    found: Option<isize>,
}

impl VisitMut for Next {
    fn visit_table_mut(&mut self, table: &mut Table) {
        if let Some(position) = table.position().filter(|p| Some(*p) > self.after)
            && !table.is_implicit()
        {
            self.found = Some(self.found.map_or(position, |found| found.min(position)));
        }
        visit_mut::visit_table_mut(self, table);
    }
}

/// Puts comments above the table at a position.
struct Prepend {
    position: isize,
    kept: String,
}

impl VisitMut for Prepend {
    fn visit_table_mut(&mut self, table: &mut Table) {
        if table.position() == Some(self.position) && !table.is_implicit() {
            let own = table
                .decor()
                .prefix()
                .and_then(|p| p.as_str())
                .unwrap_or("");
            let both = format!("{}{}", self.kept, own.trim_start_matches('\n'));
            table.decor_mut().set_prefix(both);
        }
        visit_mut::visit_table_mut(self, table);
    }
}

#[cfg(test)]
mod tests;
