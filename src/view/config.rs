//! The settings as an answer: every value with its source.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::config::Config;
use crate::core::ProviderName;
use crate::core::redact::redact;

/// One setting.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Entry {
    /// The path, for example `providers.claude.model`.
    pub(crate) key: String,
    /// `null` when it is not set and has no default.
    pub(crate) value: Value,
    /// `built-in`, `detected`, file:line:column, `$VARIABLE` or the flag.
    pub(crate) source: String,
}

impl Entry {
    /// The value as it would stand in the file.
    pub(crate) fn value_text(&self) -> String {
        match &self.value {
            Value::Null => "(not set)".to_owned(),
            other => other.to_string(),
        }
    }
}

/// Result of a check that found nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Checked {
    pub(crate) ok: bool,
    /// The file that was read; `null` when there is none.
    pub(crate) file: Option<String>,
    /// Providers that are enabled.
    pub(crate) providers: Vec<ProviderName>,
}

/// Where configuration and home are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "ConfigPath")]
pub(crate) struct Located {
    pub(crate) path: String,
    pub(crate) exists: bool,
    pub(crate) home: String,
}

/// Every setting, in the order of the file's sections.
pub(crate) fn entries(config: &Config) -> Vec<Entry> {
    let mut entries = Vec::new();
    // The settings are plain data: they always have a JSON form.
    let values = serde_json::to_value(&config.settings).unwrap_or_default();
    walk(config, &values, &mut Vec::new(), &mut entries);
    entries
}

fn walk<'a>(config: &Config, value: &'a Value, path: &mut Vec<&'a str>, out: &mut Vec<Entry>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (key, value) in fields {
                path.push(key);
                walk(config, value, path, out);
                path.pop();
            }
        }
        Value::Object(_)
        | Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_) => out.push(Entry {
            key: path.join("."),
            value: masked(path, value),
            source: config.origin(path).to_string(),
        }),
    }
}

/// Scheme and host of a URL; that there is more is all that is said about the rest.
fn server(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return "[redacted]".to_owned();
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    if rest.trim_end_matches('/') == host {
        format!("{scheme}://{host}")
    } else {
        format!("{scheme}://{host}/[redacted]")
    }
}

/// Values that are, or look like, secrets are not shown.
fn masked(path: &[&str], value: &Value) -> Value {
    let secret_name = |name: &str| {
        let name = name.to_ascii_uppercase();
        ["KEY", "TOKEN", "SECRET", "PASSWORD"]
            .iter()
            .any(|word| name.contains(word))
    };
    match (path, value) {
        (["providers", _, "env", name], Value::String(_)) if secret_name(name) => {
            Value::from("[redacted]")
        }
        // Whoever knows the path of a webhook may post there.
        (["notify", "webhook_url"], Value::String(url)) => Value::from(server(url)),
        (_, Value::String(text)) => Value::from(redact(text)),
        (_, Value::Array(items)) => items.iter().map(|item| masked(path, item)).collect(),
        (_, other) => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_webhook_only_the_server_is_shown() {
        for (url, shown) in [
            (
                "https://hooks.example.org/services/T0/B0/s3cret",
                "https://hooks.example.org/[redacted]",
            ),
            (
                "http://127.0.0.1:80?token=s3cret",
                "http://127.0.0.1:80/[redacted]",
            ),
            (
                "https://me:s3cret@example.org/",
                "https://example.org/[redacted]",
            ),
            ("https://example.org/", "https://example.org"),
            ("s3cret", "[redacted]"),
        ] {
            assert_eq!(server(url), shown);
        }
    }
}
