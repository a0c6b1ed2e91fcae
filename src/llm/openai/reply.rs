//! The events of a streamed completion, and the document of one that is not streamed, gathered
//! into one answer. Pure.

use serde::Deserialize;
use serde_json::Value;

use crate::core::{MicroUsd, Usage};

/// Why an event ends the answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The server reports an error in the stream, with its status where it names one.
    Error {
        status: u16,
        body: String,
    },
    Garbage(String),
}

/// The answer so far.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    text: String,
    model: Option<String>,
    finish: Option<String>,
    usage: Option<Counts>,
    done: bool,
}

#[derive(Deserialize)]
struct Event {
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Option<Counts>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    index: u64,
    /// Streamed.
    #[serde(default)]
    delta: Option<Said>,
    /// Not streamed.
    #[serde(default)]
    message: Option<Said>,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    content: Option<String>,
}

/// `prompt_tokens` contains the cached ones.
#[derive(Debug, Deserialize)]
struct Counts {
    #[serde(default)]
    prompt_tokens: Option<u64>,
    #[serde(default)]
    completion_tokens: Option<u64>,
    #[serde(default)]
    prompt_tokens_details: Option<Details>,
    /// DeepSeek's name for cached tokens.
    #[serde(default)]
    prompt_cache_hit_tokens: Option<u64>,
    /// OpenRouter: US dollars.
    #[serde(default)]
    cost: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct Details {
    #[serde(default)]
    cached_tokens: Option<u64>,
    #[serde(default)]
    cache_write_tokens: Option<u64>,
}

impl Gathered {
    /// Takes the data of one event, or a whole document.
    pub(super) fn take(&mut self, data: &str) -> Result<(), Refusal> {
        let data = data.trim();
        if data.is_empty() {
            return Ok(());
        }
        if data == "[DONE]" {
            self.done = true;
            return Ok(());
        }
        let garbage = || Refusal::Garbage(data.to_owned());
        let json: Value = serde_json::from_str(data).map_err(|_| garbage())?;
        if let Some(error) = json.get("error").filter(|e| !e.is_null()) {
            let status = ["code", "status"]
                .iter()
                .find_map(|key| error.get(key)?.as_u64())
                .and_then(|code| u16::try_from(code).ok())
                .filter(|code| (400..600).contains(code))
                .unwrap_or(200);
            return Err(Refusal::Error {
                status,
                body: data.to_owned(),
            });
        }
        let event: Event = serde_json::from_value(json).map_err(|_| garbage())?;
        self.model = event.model.filter(|m| !m.is_empty()).or(self.model.take());
        self.usage = event.usage.or(self.usage.take());
        for choice in event.choices.into_iter().filter(|c| c.index == 0) {
            let said = choice.delta.or(choice.message);
            if let Some(content) = said.and_then(|s| s.content) {
                self.text.push_str(&content);
            }
            self.finish = choice.finish_reason.or(self.finish.take());
        }
        Ok(())
    }

    /// The text that came since the last call.
    pub(super) fn take_text(&mut self) -> String {
        std::mem::take(&mut self.text)
    }

    /// The server said that nothing follows.
    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    /// The answer has an end. Servers leave out one or the other mark of it.
    pub(super) fn is_complete(&self) -> bool {
        self.done || self.finish.is_some()
    }

    pub(super) fn was_truncated(&self) -> bool {
        self.finish.as_deref() == Some("length")
    }

    pub(super) fn was_filtered(&self) -> bool {
        self.finish.as_deref() == Some("content_filter")
    }

    pub(super) fn model(&self) -> Option<String> {
        self.model
            .as_deref()
            .map(|m| crate::core::text::one_line(m, 120))
    }

    /// The four kinds of tokens, disjoint; all zero when the server counted nothing.
    pub(super) fn usage(&self) -> Usage {
        let Some(counts) = &self.usage else {
            return Usage::default();
        };
        let (prompt, output) = (counts.prompt_tokens, counts.completion_tokens);
        if prompt.is_none() && output.is_none() {
            return Usage::default();
        }
        let prompt = prompt.unwrap_or(0);
        let details = counts.prompt_tokens_details.as_ref();
        let cache_read = details
            .and_then(|d| d.cached_tokens)
            .or(counts.prompt_cache_hit_tokens)
            .unwrap_or(0)
            .min(prompt);
        let cache_write = details
            .and_then(|d| d.cache_write_tokens)
            .unwrap_or(0)
            .min(prompt - cache_read);
        Usage {
            input: prompt - cache_read - cache_write,
            output: output.unwrap_or(0),
            cache_read,
            cache_write,
            requests: 1,
            cost_micro_usd: counts
                .cost
                .filter(|c| c.is_finite() && *c > 0.0)
                .map_or_else(MicroUsd::default, MicroUsd::from_usd),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gathered(events: &[&str]) -> Gathered {
        let mut g = Gathered::default();
        for event in events {
            g.take(event).unwrap();
        }
        g
    }

    #[test]
    fn cached_tokens_are_not_counted_as_input_again() {
        for (usage, want) in [
            (
                r#"{"prompt_tokens":100,"completion_tokens":7}"#,
                (100, 7, 0, 0, 1),
            ),
            (
                r#"{"prompt_tokens":100,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":60}}"#,
                (40, 7, 60, 0, 1),
            ),
            (
                r#"{"prompt_tokens":100,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":60,"cache_write_tokens":30}}"#,
                (10, 7, 60, 30, 1),
            ),
            (
                r#"{"prompt_tokens":100,"completion_tokens":7,"prompt_cache_hit_tokens":64}"#,
                (36, 7, 64, 0, 1),
            ),
            (
                r#"{"prompt_tokens":5,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":9}}"#,
                (0, 1, 5, 0, 1),
            ),
            ("{}", (0, 0, 0, 0, 0)),
            ("null", (0, 0, 0, 0, 0)),
        ] {
            let u = gathered(&[&format!(r#"{{"choices":[],"usage":{usage}}}"#)]).usage();
            let got = (u.input, u.output, u.cache_read, u.cache_write, u.requests);
            assert_eq!(got, want, "{usage}");
        }
        let paid =
            gathered(&[r#"{"usage":{"prompt_tokens":1,"completion_tokens":1,"cost":0.0125}}"#]);
        assert_eq!(paid.usage().cost_micro_usd, MicroUsd(12_500));
    }

    #[test]
    fn an_error_in_the_stream_keeps_its_status() {
        let mut g = Gathered::default();
        let rate = r#"{"error":{"message":"slow down","code":429}}"#;
        assert_eq!(
            g.take(rate),
            Err(Refusal::Error {
                status: 429,
                body: rate.into()
            })
        );
        let word = r#"{"error":{"message":"no","code":"insufficient_quota"}}"#;
        assert_eq!(
            g.take(word),
            Err(Refusal::Error {
                status: 200,
                body: word.into()
            })
        );
        assert_eq!(g.take(r#"{"error":null,"choices":[]}"#), Ok(()));
        assert_eq!(g.take("<html>"), Err(Refusal::Garbage("<html>".into())));
    }

    #[test]
    fn other_choices_and_empty_fields_are_left_alone() {
        let mut g = gathered(&[
            r#"{"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":null}}]}"#,
            r#"{"model":"","choices":[{"index":1,"delta":{"content":"no"}},{"index":0,"delta":{"content":"yes"}}]}"#,
        ]);
        assert_eq!(
            (g.take_text(), g.model(), g.is_complete()),
            ("yes".into(), Some("m".into()), false)
        );
        g.take("[DONE]").unwrap();
        assert!(g.is_complete() && !g.was_truncated());
    }
}
