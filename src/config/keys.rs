//! Which keys there are. They are taken from the settings' own types, so the two cannot drift.

use serde::de::{self, Deserialize, Deserializer, Visitor};

use super::problem::Problem;
use super::settings::{
    AssayerSettings, BudgetSettings, ForemanSettings, GateSettings, GeneralSettings,
    NotifySettings, Price, ProviderBudget, ProviderSettings, ReserveHours, RoutingSettings,
    Settings, SimSettings, SourcesSettings, WindowLimit,
};
use super::tree::{Content, Node};
use crate::core::suggest::nearest;

/// Keys of later versions: understood, but nothing here acts on them.
const LATER: &[&str] = &["gastown", "database", "gate.review", "foreman.listen"];

/// The keys of the table at `path`, or `None` where any key may stand.
fn known(path: &[&str]) -> Option<&'static [&'static str]> {
    match path {
        [] => Some(fields_of::<Settings>()),
        ["general"] => Some(fields_of::<GeneralSettings>()),
        ["providers", _] => Some(fields_of::<ProviderSettings>()),
        ["providers", _, "price"] => Some(fields_of::<Price>()),
        ["providers", _, "limits", _] => Some(fields_of::<WindowLimit>()),
        ["providers", _, "reserve_hours", _] => Some(fields_of::<ReserveHours>()),
        ["providers", _, "budget"] => Some(fields_of::<ProviderBudget>()),
        ["providers", _, "sim"] => Some(fields_of::<SimSettings>()),
        ["providers", _, "affinity"] | ["routing", "affinity", _] => {
            Some(crate::core::TaskType::WORDS)
        }
        ["assayer"] => Some(fields_of::<AssayerSettings>()),
        ["routing"] => Some(fields_of::<RoutingSettings>()),
        ["gate"] => Some(fields_of::<GateSettings>()),
        ["foreman"] => Some(fields_of::<ForemanSettings>()),
        ["sources"] => Some(fields_of::<SourcesSettings>()),
        ["budget"] => Some(fields_of::<BudgetSettings>()),
        ["notify"] => Some(fields_of::<NotifySettings>()),
        _ => None,
    }
}

/// Every key of `root` that does not exist, as problems.
pub(crate) fn unknown(root: &Node) -> Vec<Problem> {
    let mut problems = Vec::new();
    walk(root, &mut Vec::new(), &mut problems);
    problems
}

fn walk<'a>(node: &'a Node, path: &mut Vec<&'a str>, problems: &mut Vec<Problem>) {
    match &node.content {
        Content::Table(table) => {
            let known = known(path);
            for (key, child) in table {
                match known {
                    Some(keys) if !keys.contains(&key.as_str()) => {
                        problems.push(unknown_key(path, key, child, keys));
                    }
                    Some(_) | None => {
                        path.push(key);
                        walk(child, path, problems);
                        path.pop();
                    }
                }
            }
        }
        Content::List(items) => {
            for item in items {
                path.push("0");
                walk(item, path, problems);
                path.pop();
            }
        }
        Content::Leaf(_) => {}
    }
}

fn unknown_key(path: &[&str], key: &str, node: &Node, keys: &[&str]) -> Problem {
    let mut full = path.to_vec();
    full.push(key);
    let shown = crate::core::text::one_line(&full.join("."), 120);
    if LATER.iter().any(|later| matches(later, &full)) {
        return Problem::new(
            &node.origin,
            &shown,
            "belongs to a later version of rigs; this one would ignore it",
        )
        .hint(format!("remove `{shown}`"));
    }
    let what = if path.is_empty() { "section" } else { "key" };
    let problem = Problem::new(&node.origin, &shown, format!("unknown {what}"));
    match nearest(key, keys.iter().copied()) {
        Some(near) => problem.hint(format!("did you mean `{near}`?")),
        None => problem.hint(format!("known here: {}", keys.join(", "))),
    }
}

fn matches(pattern: &str, path: &[&str]) -> bool {
    let parts: Vec<&str> = pattern.split('.').collect();
    parts.len() == path.len() && parts.iter().zip(path).all(|(p, k)| *p == "*" || p == k)
}

/// The names of a struct's fields, as its `Deserialize` announces them.
fn fields_of<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    let mut fields: &'static [&'static str] = &[];
    let asked = T::deserialize(Probe(&mut fields));
    debug_assert!(asked.is_err(), "the probe never gives a value");
    fields
}

/// A deserializer that only listens to what is asked of it.
struct Probe<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(de::Error::custom("only structs have fields"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Self::Error> {
        *self.0 = fields;
        Err(de::Error::custom("fields noted"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        option unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier
        ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_those_of_the_types() {
        assert_eq!(
            fields_of::<GeneralSettings>(),
            ["log_level", "max_parallel", "worktree_dir", "policy_file"]
        );
        assert!(fields_of::<ProviderSettings>().contains(&"api_key_env"));
        assert!(fields_of::<WindowLimit>().contains(&"amount"));
    }
}
