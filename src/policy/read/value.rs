//! The values of a policy's file, each with what is wrong about it.

use std::str::FromStr;

use crate::config::problem::Problem;
use crate::config::tree::{Content, Node, Table};
use crate::core::redact::redact;
use crate::core::schedule::Days;
use crate::core::suggest::nearest;
use crate::core::text::one_line;
use crate::policy::names::Names;
use crate::policy::truth::{Compare, Measure};

#[derive(Default)]
pub(super) struct Reader {
    pub(super) problems: Vec<Problem>,
}

/// A table with its keys looked after, and what it is called in messages.
pub(super) struct Section<'a> {
    pub(super) table: &'a Table,
    pub(super) path: String,
    pub(super) node: &'a Node,
}

impl Section<'_> {
    pub(super) fn key(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }
}

impl Reader {
    pub(super) fn add(&mut self, node: &Node, key: &str, message: impl Into<String>) {
        let message = one_line(&redact(&message.into()), 300);
        self.problems.push(Problem::new(&node.origin, key, message));
    }

    pub(super) fn section<'a>(
        &mut self,
        node: &'a Node,
        path: String,
        known: &[&str],
    ) -> Option<Section<'a>> {
        let Some(table) = node.as_table() else {
            self.add(node, &path, "must be a table");
            return None;
        };
        let section = Section { table, path, node };
        for (key, value) in table {
            if known.contains(&key.as_str()) {
                continue;
            }
            let shown = section.key(&one_line(&redact(key), 60));
            let hint = match nearest(key, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known here: {}", known.join(", ")),
            };
            let problem = Problem::new(&value.origin, &shown, "is not known").hint(hint);
            self.problems.push(problem);
        }
        Some(section)
    }

    /// A value that is one word or text with a form of its own.
    pub(super) fn word<T: FromStr>(
        &mut self,
        s: &Section<'_>,
        key: &str,
        words: &[&'static str],
    ) -> Option<T>
    where
        T::Err: std::fmt::Display,
    {
        let node = s.table.get(key)?;
        self.parsed(node, &s.key(key), words)
    }

    fn parsed<T: FromStr>(&mut self, node: &Node, key: &str, words: &[&'static str]) -> Option<T>
    where
        T::Err: std::fmt::Display,
    {
        let Some(text) = node.as_str() else {
            self.add(node, key, "must be text in quotes");
            return None;
        };
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.add(node, key, error.to_string());
                if let (Some(near), Some(problem)) = (
                    nearest(text, words.iter().copied()),
                    self.problems.last_mut(),
                ) {
                    problem.hint = Some(format!("did you mean `{near}`?"));
                }
                None
            }
        }
    }

    pub(super) fn text(&mut self, s: &Section<'_>, key: &str, most: usize) -> Option<String> {
        let node = s.table.get(key)?;
        let text = self.parsed::<String>(node, &s.key(key), &[])?;
        if text.trim().is_empty() || text != one_line(&text, most) {
            let message = format!("must be one line of 1 to {most} characters");
            self.add(node, &s.key(key), message);
            return None;
        }
        Some(text)
    }

    pub(super) fn count(&mut self, s: &Section<'_>, key: &str) -> Option<u64> {
        let node = s.table.get(key)?;
        let n = match node.content {
            Content::Leaf(toml::Value::Integer(n)) => u64::try_from(n).ok().filter(|n| *n > 0),
            Content::Leaf(_) | Content::List(_) | Content::Table(_) => None,
        };
        if n.is_none() {
            self.add(node, &s.key(key), "must be a whole number above 0");
        }
        n
    }

    /// One text or a list of texts.
    fn texts<'a>(&mut self, node: &'a Node, key: &str) -> Option<Vec<&'a Node>> {
        let nodes: Vec<&Node> = match &node.content {
            Content::List(items) => items.iter().collect(),
            Content::Leaf(_) | Content::Table(_) => vec![node],
        };
        for node in &nodes {
            if node.as_str().is_none() {
                self.add(node, key, "must be text in quotes, or a list of such");
                return None;
            }
        }
        Some(nodes)
    }

    pub(super) fn names(&mut self, s: &Section<'_>, key: &str) -> Option<Names> {
        let node = s.table.get(key)?;
        let texts = self.texts(node, &s.key(key))?;
        match Names::new(texts.iter().filter_map(|node| node.as_str())) {
            Ok(names) => Some(names),
            Err(message) => {
                self.add(node, &s.key(key), message);
                None
            }
        }
    }

    /// Words of an enum.
    pub(super) fn words<T: FromStr>(
        &mut self,
        s: &Section<'_>,
        key: &str,
        words: &[&'static str],
    ) -> Option<Vec<T>>
    where
        T::Err: std::fmt::Display,
    {
        let node = s.table.get(key)?;
        let nodes = self.texts(node, &s.key(key))?;
        if nodes.is_empty() {
            self.add(node, &s.key(key), "must name something");
            return None;
        }
        let read = nodes
            .iter()
            .map(|node| self.parsed(node, &s.key(key), words));
        read.collect()
    }

    /// `"mon-fri"` or `["sat", "sun"]`.
    pub(super) fn days(&mut self, s: &Section<'_>) -> Option<Days> {
        let node = s.table.get("days")?;
        let nodes = self.texts(node, &s.key("days"))?;
        let all: Vec<&str> = nodes.iter().filter_map(|node| node.as_str()).collect();
        match all.join(",").parse() {
            Ok(days) => Some(days),
            Err(error) => {
                self.add(node, &s.key("days"), error.to_string());
                None
            }
        }
    }

    pub(super) fn compare(
        &mut self,
        s: &Section<'_>,
        key: &str,
        measure: Measure,
    ) -> Option<Compare> {
        let node = s.table.get(key)?;
        let Some(text) = node.as_str() else {
            self.add(
                node,
                &s.key(key),
                "must be a comparison in quotes, for example \"< 20%\"",
            );
            return None;
        };
        match Compare::parse(measure, text) {
            Ok(compare) => Some(compare),
            Err(message) => {
                self.add(node, &s.key(key), message);
                None
            }
        }
    }
}
