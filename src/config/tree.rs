//! Settings as a tree that remembers where each value came from. Files and variables become
//! trees, trees are laid over each other, and the result is read into the typed settings.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use toml::Value;
use toml::de::{DeTable, DeValue};

use super::origin::{Origin, Place};
use super::problem::Problem;

/// A value with its origin.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) content: Content,
    /// Where its key stands; for values in lists, where the value stands.
    pub(crate) origin: Origin,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Content {
    Table(Table),
    List(Vec<Node>),
    Leaf(Value),
}

pub(crate) type Table = BTreeMap<String, Node>;

impl Node {
    pub(crate) fn leaf(value: impl Into<Value>, origin: Origin) -> Self {
        Self {
            content: Content::Leaf(value.into()),
            origin,
        }
    }

    pub(crate) fn table(origin: Origin) -> Self {
        Self {
            content: Content::Table(Table::new()),
            origin,
        }
    }

    pub(crate) fn as_table(&self) -> Option<&Table> {
        match &self.content {
            Content::Table(table) => Some(table),
            Content::List(_) | Content::Leaf(_) => None,
        }
    }

    pub(crate) fn as_table_mut(&mut self) -> Option<&mut Table> {
        match &mut self.content {
            Content::Table(table) => Some(table),
            Content::List(_) | Content::Leaf(_) => None,
        }
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match &self.content {
            Content::Leaf(Value::String(text)) => Some(text),
            Content::Leaf(_) | Content::Table(_) | Content::List(_) => None,
        }
    }

    pub(crate) fn to_value(&self) -> Value {
        match &self.content {
            Content::Table(table) => Value::Table(
                table
                    .iter()
                    .map(|(key, node)| (key.clone(), node.to_value()))
                    .collect(),
            ),
            Content::List(items) => Value::Array(items.iter().map(Self::to_value).collect()),
            Content::Leaf(value) => value.clone(),
        }
    }

    /// The node that `path` leads to, or the nearest one above it.
    pub(crate) fn nearest<'a>(&'a self, path: &[&str]) -> &'a Self {
        let Some((first, rest)) = path.split_first() else {
            return self;
        };
        let child = match &self.content {
            Content::Table(table) => table.get(*first),
            Content::List(items) => first.parse::<usize>().ok().and_then(|i| items.get(i)),
            Content::Leaf(_) => None,
        };
        child.map_or(self, |child| child.nearest(rest))
    }

    /// The node that `path` leads to.
    pub(crate) fn get_mut(&mut self, path: &[&str]) -> Option<&mut Self> {
        let Some((first, rest)) = path.split_first() else {
            return Some(self);
        };
        match &mut self.content {
            Content::Table(table) => table.get_mut(*first)?.get_mut(rest),
            Content::List(items) => items.get_mut(first.parse::<usize>().ok()?)?.get_mut(rest),
            Content::Leaf(_) => None,
        }
    }

    /// Lays `over` on top: tables are merged key by key, anything else is replaced.
    pub(crate) fn lay_over(&mut self, over: Self) {
        match (&mut self.content, over.content) {
            (Content::Table(below), Content::Table(above)) => {
                for (key, node) in above {
                    match below.get_mut(&key) {
                        Some(there) => there.lay_over(node),
                        None => drop(below.insert(key, node)),
                    }
                }
                self.origin = over.origin;
            }
            (_, content) => {
                *self = Self {
                    content,
                    origin: over.origin,
                }
            }
        }
    }
}

/// Reads TOML text. Broken syntax is one problem, at its place.
pub(crate) fn parse(file: &Arc<PathBuf>, text: &str) -> Result<Node, Problem> {
    let place = |offset: usize| Origin::File(Place::at(file, text, offset));
    match DeTable::parse(text) {
        Ok(document) => table(document.get_ref(), place(0), &place),
        Err(error) => {
            let at = place(error.span().map_or(0, |span| span.start));
            let message = crate::core::redact::redact(error.message());
            Err(Problem::new(&at, "", message.replace('\n', ", ")))
        }
    }
}

/// Reads the text of an environment variable: as TOML where it is a TOML value, else as text.
pub(crate) fn from_variable(name: &str, raw: &str) -> Node {
    let origin = Origin::Env(name.to_owned());
    DeValue::parse(raw)
        .ok()
        .and_then(|value| node(value.get_ref(), origin.clone(), &|_| origin.clone()).ok())
        .unwrap_or_else(|| Node::leaf(raw, origin))
}

fn table(
    table: &DeTable<'_>,
    origin: Origin,
    place: &impl Fn(usize) -> Origin,
) -> Result<Node, Problem> {
    let mut out = Table::new();
    for (key, value) in table {
        let at = place(key.span().start);
        out.insert(key.get_ref().to_string(), node(value.get_ref(), at, place)?);
    }
    Ok(Node {
        content: Content::Table(out),
        origin,
    })
}

fn node(
    value: &DeValue<'_>,
    origin: Origin,
    place: &impl Fn(usize) -> Origin,
) -> Result<Node, Problem> {
    let leaf = match value {
        DeValue::Table(inner) => return table(inner, origin, place),
        DeValue::Array(items) => {
            let items: Result<Vec<Node>, Problem> = items
                .iter()
                .map(|item| node(item.get_ref(), place(item.span().start), place))
                .collect();
            return Ok(Node {
                content: Content::List(items?),
                origin,
            });
        }
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(n) => match i64::from_str_radix(n.as_str(), n.radix()) {
            Ok(n) => Value::Integer(n),
            Err(_) => return Err(Problem::new(&origin, "", "the number is too large")),
        },
        DeValue::Float(x) => match x.as_str().parse::<f64>() {
            Ok(x) => Value::Float(x),
            Err(_) => return Err(Problem::new(&origin, "", "the number is not understood")),
        },
        DeValue::Boolean(b) => Value::Boolean(*b),
        DeValue::Datetime(t) => Value::Datetime(*t),
    };
    Ok(Node {
        content: Content::Leaf(leaf),
        origin,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Arc<PathBuf> {
        Arc::new(PathBuf::from("config.toml"))
    }

    #[test]
    fn every_value_knows_its_line_and_column() {
        let text = "# é\n[a]\nx = 1\n  y = [\n  { z = 2 } ]\n";
        let tree = parse(&file(), text).unwrap();
        let at = |path: &[&str]| tree.nearest(path).origin.to_string();
        assert_eq!(at(&["a", "x"]), "config.toml:3:1");
        assert_eq!(at(&["a", "y", "0", "z"]), "config.toml:5:5");
        assert_eq!(at(&["a", "nothing"]), "config.toml:2:2");
    }

    #[test]
    fn broken_syntax_is_a_problem_at_its_place() {
        let problem = parse(&file(), "a = 1\nb = = 2\n").unwrap_err();
        assert!(
            problem.to_string().starts_with("config.toml:2:5: "),
            "{problem}"
        );
    }

    #[test]
    fn the_upper_layer_wins_key_by_key() {
        let mut below = parse(&file(), "[a]\nx = 1\ny = [1, 2]\n").unwrap();
        let above = parse(&file(), "[a]\ny = [3]\nz = 4\n").unwrap();
        below.lay_over(above);
        let want: Value = toml::from_str("[a]\nx = 1\ny = [3]\nz = 4").unwrap();
        assert_eq!(below.to_value(), want);
    }
}
