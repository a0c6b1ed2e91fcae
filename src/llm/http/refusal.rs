//! What an error answer says, in one bounded line for people and for the tables that class it.

use serde_json::Value;

use super::MAX_ERROR;
use crate::core::text::{clean, one_line};

/// Most characters of what stands behind the message: words, and Google's details.
const MAX_WORDS: usize = 98;
const MAX_DETAILS: usize = 400;
/// Some servers put the error of another one, as JSON, into the message of theirs.
const MAX_NESTING: usize = 3;

/// The message of an error body where it has a known form, else its text. The machine-readable
/// words behind the message are kept: they tell one refusal from another. So are Google's
/// details, as `quota NAME = AMOUNT` and `retry in 34.07s`.
pub(crate) fn error_text(body: &str) -> String {
    let Ok(json) = serde_json::from_str::<Value>(body) else {
        let text = clean(&body.chars().take(16 * MAX_ERROR).collect::<String>());
        return one_line(&text, MAX_ERROR);
    };
    in_words(&json, MAX_NESTING)
}

fn in_words(json: &Value, nesting: usize) -> String {
    // Some servers wrap the object into a list.
    let json = json.get(0).unwrap_or(json);
    let error = json.get("error").unwrap_or(json);
    let word = |of: &Value, key: &str| match of.get(key) {
        Some(Value::String(s)) if !s.is_empty() => Some(s.clone()),
        Some(Value::Number(n)) => Some(n.to_string()),
        _ => None,
    };
    let message = match error {
        Value::String(s) => Some(s.clone()),
        _ => word(error, "message").or_else(|| word(error, "detail")),
    };
    let Some(message) = message else {
        return one_line(&json.to_string(), MAX_ERROR);
    };
    let inner = message
        .find('{')
        .filter(|_| nesting > 0)
        .and_then(|at| serde_json::from_str::<Value>(message[at..].trim_end()).ok());
    if let Some(inner) = inner.filter(|inner| inner.get("error").is_some()) {
        return in_words(&inner, nesting - 1);
    }
    let words: Vec<String> = ["type", "status", "code", "param"]
        .into_iter()
        .filter_map(|key| word(error, key))
        .chain(word(&error["details"], "error_code"))
        .collect();
    let details = details(&error["details"]);
    let behind = [
        one_line(&words.join(", "), MAX_WORDS),
        one_line(&details.join("; "), MAX_DETAILS),
    ];
    let behind: Vec<&str> = behind
        .iter()
        .map(String::as_str)
        .filter(|part| !part.is_empty())
        .collect();
    let message = one_line(&message, MAX_ERROR - 100);
    if behind.is_empty() {
        message
    } else {
        format!("{message} ({})", behind.join("; "))
    }
}

/// Google's list of details: the quotas that are used up, the reason, the wait.
fn details(list: &Value) -> Vec<String> {
    let mut said = Vec::new();
    for detail in list.as_array().into_iter().flatten().take(16) {
        let quotas = detail["violations"].as_array().into_iter().flatten();
        for quota in quotas.take(8) {
            let amount = &quota["quotaValue"];
            let amount = amount.as_str().map(str::to_owned);
            if let Some(id) = quota["quotaId"].as_str() {
                said.push(
                    match amount.or_else(|| Some(quota["quotaValue"].as_u64()?.to_string())) {
                        Some(amount) => format!("quota {id} = {amount}"),
                        None => format!("quota {id}"),
                    },
                );
            }
        }
        if let Some(reason) = detail["reason"].as_str() {
            said.push(reason.to_owned());
        }
        if let Some(delay) = detail["retryDelay"].as_str() {
            said.push(format!("retry in {delay}"));
        }
    }
    said
}
