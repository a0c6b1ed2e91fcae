//! Secrets taken out of text before it is logged, stored or shown.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use regex::Regex;
use serde_json::Value;

/// Shapes of the keys that providers hand out, and of headers that carry one. A constant table
/// compiled once; it holds no state.
static SHAPES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"sk-[A-Za-z0-9_-]{12,}",
        r"|AIza[0-9A-Za-z_-]{20,}",
        r"|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}",
        r"|xai-[A-Za-z0-9]{16,}|gsk_[A-Za-z0-9]{16,}|hf_[A-Za-z0-9]{16,}",
        r"|AKIA[0-9A-Z]{16}",
        r"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
        r"|-----BEGIN [A-Z ]*PRIVATE KEY-----(?s:.*?)(?:-----END [A-Z ]*PRIVATE KEY-----|\z)",
        r"|(?P<name>(?i:authorization|proxy-authorization|x-api-key|x-goog-api-key|api[_-]?key|cookie|access_token|refresh_token)",
        r#"["']?\s*[:=]\s*["']?(?i:bearer\s+|basic\s+)?)[^\s"',;}]{6,}"#,
    ))
    .expect("invariant: the pattern above is valid")
});

/// Names of fields whose text is a secret, whatever it looks like.
static NAMES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?i:(?:proxy-)?authorization|x-api-key|x-goog-api-key|api[_-]?key|(?:set-)?cookie|access_token|refresh_token|password|client_secret)$")
        .expect("invariant: the pattern above is valid")
});

const MASK: &str = "[redacted]";

/// Every shape begins with, or is named by, one of these, in capitals or not.
const SIGNS: [&str; 21] = [
    "sk-",
    "aiza",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "xai-",
    "gsk_",
    "hf_",
    "akia",
    "eyj",
    "-----begin",
    "authorization",
    "api-key",
    "api_key",
    "apikey",
    "cookie",
    "access_token",
    "refresh_token",
];

/// Whether no shape can be in the text. A command writes an event or two: compiling the patterns
/// for them takes longer than the rest of its work.
fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    // Beyond ASCII there are letters that are taken for a plain k and s.
    bytes.is_ascii()
        && !bytes.iter().enumerate().any(|(at, first)| {
            let first = first.to_ascii_lowercase();
            SIGNS.iter().map(|sign| sign.as_bytes()).any(|sign| {
                sign[0] == first
                    && bytes[at..]
                        .get(..sign.len())
                        .is_some_and(|there| there.eq_ignore_ascii_case(sign))
            })
        })
}

/// Whether the field is a secret by its name.
fn is_secret_name(name: &str) -> bool {
    const OTHERS: [&str; 2] = ["password", "client_secret"];
    let may_be = !is_plain(name) || OTHERS.iter().any(|other| name.eq_ignore_ascii_case(other));
    may_be && NAMES.is_match(name)
}

/// Takes known shapes of secrets, and the given values themselves, out of text.
#[derive(Clone, Default)]
pub(crate) struct Redactor {
    values: Vec<String>,
}

impl Redactor {
    /// A redactor that also knows these exact values; short ones are ignored, they would hit
    /// innocent text.
    pub(crate) fn knowing(values: impl IntoIterator<Item = String>) -> Self {
        let mut values: Vec<String> = values.into_iter().filter(|v| v.len() >= 8).collect();
        values.sort_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
        values.dedup();
        Self { values }
    }

    pub(crate) fn apply(&self, text: &str) -> String {
        let mut text = Cow::Borrowed(text);
        for value in &self.values {
            if text.contains(value.as_str()) {
                text = Cow::Owned(text.replace(value.as_str(), MASK));
            }
        }
        if LazyLock::get(&SHAPES).is_none() && is_plain(&text) {
            return text.into_owned();
        }
        let masked = SHAPES.replace_all(&text, |found: &regex::Captures<'_>| {
            format!("{}{MASK}", found.name("name").map_or("", |m| m.as_str()))
        });
        masked.into_owned()
    }

    /// The same for every text in a document, text by text: what masks serialised JSON as a whole
    /// may take a quote or a brace with the secret.
    pub(crate) fn apply_json(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.apply(&text)),
            Value::Array(items) => items.into_iter().map(|v| self.apply_json(v)).collect(),
            Value::Object(fields) => {
                let field = |(name, value): (String, Value)| {
                    let is_secret = value.is_string() && is_secret_name(&name);
                    let value = if is_secret {
                        MASK.into()
                    } else {
                        self.apply_json(value)
                    };
                    (self.apply(&name), value)
                };
                Value::Object(fields.into_iter().map(field).collect())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value,
        }
    }
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor({} values)", self.values.len())
    }
}

/// The secrets that runs of this process were given, by value: what one run wrote into a file may
/// be printed by whoever comes later, a gate for example.
#[derive(Clone, Default, Debug)]
pub(crate) struct Given(Arc<Mutex<Redactor>>);

impl Given {
    pub(crate) fn learn(&self, more: &Redactor) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if more.values.iter().any(|value| !all.values.contains(value)) {
            *all = Redactor::knowing(all.values.iter().chain(&more.values).cloned());
        }
    }

    pub(crate) fn redactor(&self) -> Redactor {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Takes the known shapes of secrets out of text.
pub(crate) fn redact(text: &str) -> String {
    Redactor::default().apply(text)
}

/// Takes the known shapes of secrets out of every text of a document.
pub(crate) fn redact_json(value: Value) -> Value {
    Redactor::default().apply_json(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn known_shapes_are_masked_and_ordinary_text_is_not() {
        let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln";
        for (text, want) in [
            ("key sk-ant-REDACTED end".to_owned(), "key [redacted] end"),
            (format!("token {jwt}"), "token [redacted]"),
            (
                "Authorization: Bearer abcdefgh12345".into(),
                "Authorization: [redacted]",
            ),
            (
                r#"{"api_key":"abcdef123456"}"#.into(),
                r#"{"api_key":"[redacted]"}"#,
            ),
            (
                "the risk-averse sk-ip task".into(),
                "the risk-averse sk-ip task",
            ),
        ]
        .map(|(a, b): (String, &str)| (a, b))
        {
            let got = redact(&text);
            let keeps_no_secret = !got.contains("abcdefgh12345") && !got.contains(jwt);
            assert!(
                keeps_no_secret && got.contains(want.trim_start_matches("Authorization: ")),
                "{got}"
            );
        }
    }

    #[test]
    fn what_any_run_was_given_is_masked_later() {
        let given = Given::default();
        given.learn(&Redactor::knowing(["first-secret".into()]));
        given
            .clone()
            .learn(&Redactor::knowing(["second-secret".into()]));
        let masked = given
            .redactor()
            .apply("first-secret, second-secret, third-secret");
        assert_eq!(masked, "[redacted], [redacted], third-secret");
        assert!(!format!("{given:?}").contains("secret"));
    }

    #[test]
    fn given_values_are_masked_wherever_they_stand() {
        let r = Redactor::knowing(["hunter2hunter2".into(), "abc".into()]);
        assert_eq!(r.apply("x=hunter2hunter2, abc"), "x=[redacted], abc");
    }

    #[test]
    fn a_document_stays_one_whatever_its_texts_hold() {
        let hostile = json!({
            "message": "api_key: abcdef12345\"}",
            "tail": ["-----BEGIN RSA PRIVATE KEY----- and no end", 1],
            "api_key": "abc",
            "nested": {"Authorization": "Basic x", "tokens": 3, "cookie": null},
        });
        assert_eq!(
            redact_json(hostile),
            json!({
                "message": "api_key: [redacted]\"}",
                "tail": ["[redacted]", 1],
                "api_key": "[redacted]",
                "nested": {"Authorization": "[redacted]", "tokens": 3, "cookie": null},
            })
        );
    }

    #[test]
    fn names_of_secrets_are_known_in_every_spelling() {
        for name in [
            "Authorization",
            "proxy-authorization",
            "X-Api-Key",
            "x-goog-api-key",
            "apikey",
            "API_KEY",
            "cookie",
            "Set-Cookie",
            "access_token",
            "Refresh_Token",
            "password",
            "PASSWORD",
            "client_secret",
            "coo\u{212a}ie",
            "pa\u{17f}sword",
        ] {
            assert!(is_secret_name(name), "{name}");
            assert_eq!(redact_json(json!({ name: "x" }))[redact(name)], json!(MASK));
        }
        for name in ["title", "my_password", "key", "cookies", "tokens"] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_taken_for_plain_that_has_a_shape(
            parts in prop::collection::vec(
                prop_oneof![
                    prop::sample::select(SIGNS.to_vec()).prop_map(str::to_owned),
                    prop::sample::select(SIGNS.to_vec()).prop_map(str::to_uppercase),
                    "[A-Za-z0-9_-]{1,30}",
                    "[ :=.\"']{1,2}",
                    prop::sample::select(vec!["AIza", "AKIA", "eyJ", "coo\u{212a}ie", "-----BEGIN PRIVATE KEY-----"])
                        .prop_map(str::to_owned),
                ],
                0..6,
            ),
        ) {
            let text = parts.concat();
            prop_assert!(!(is_plain(&text) && SHAPES.is_match(&text)), "{text}");
            prop_assert!(!(is_plain(&text) && redact(&text) != text), "{text}");
        }

        #[test]
        fn masking_keeps_no_given_value_and_ends(head in ".{0,30}", tail in ".{0,30}") {
            let text = format!("{head}hunter2hunter2{tail}");
            let masked = Redactor::knowing(["hunter2hunter2".into()]).apply(&text);
            prop_assert!(!masked.contains("hunter2hunter2"));
        }
    }
}
