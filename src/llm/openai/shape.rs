//! The form of a request that one server accepts, found by its refusals. Pure.

use serde_json::{Value, json};

use crate::llm::{Message, Request};

/// How an answer is bound to a schema, from firm to not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    /// The server enforces the schema.
    Schema,
    /// The server enforces JSON; the schema is told in words.
    Json,
    /// All is told in words.
    Words,
}

/// The optional parts of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    format: Format,
    /// `max_completion_tokens` instead of `max_tokens`.
    new_limit: bool,
    temperature: bool,
    /// `stream_options`, for usage in the stream.
    count: bool,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            format: Format::Schema,
            new_limit: false,
            temperature: true,
            count: true,
        }
    }
}

impl Shape {
    pub(super) fn enforces_schema(self) -> bool {
        self.format == Format::Schema
    }

    pub(super) fn body(self, model: &str, request: &Request) -> Value {
        let limit = if self.new_limit {
            "max_completion_tokens"
        } else {
            "max_tokens"
        };
        let mut body = json!({
            "model": model,
            "messages": request.messages,
            "stream": true,
            limit: request.max_tokens,
        });
        if self.temperature {
            body["temperature"] = json!(request.temperature);
        }
        if self.count {
            body["stream_options"] = json!({ "include_usage": true });
        }
        let Some(schema) = &request.schema else {
            return body;
        };
        match self.format {
            Format::Schema => {
                body["response_format"] = json!({
                    "type": "json_schema",
                    "json_schema": { "name": "answer", "strict": true, "schema": schema },
                });
            }
            Format::Json => body["response_format"] = json!({ "type": "json_object" }),
            Format::Words => {}
        }
        if self.format != Format::Schema {
            let mut messages = request.messages.clone();
            messages.push(Message::user(format!(
                "Answer with one JSON document and nothing else. It must satisfy this JSON Schema:\n{schema}"
            )));
            body["messages"] = json!(messages);
        }
        body
    }

    /// The form to try after a refusal that names something optional; `None` when the refusal is
    /// about something else.
    pub(super) fn after(self, status: u16, body: &str, request: &Request) -> Option<Self> {
        if !matches!(status, 400 | 404 | 422 | 501) {
            return None;
        }
        let body = body.to_lowercase();
        let names = |words: &[&str]| words.iter().any(|w| body.contains(w));
        if !self.new_limit && names(&["max_completion_tokens"]) {
            return Some(Self {
                new_limit: true,
                ..self
            });
        }
        if self.count && names(&["stream_options", "include_usage"]) {
            return Some(Self {
                count: false,
                ..self
            });
        }
        if self.temperature && names(&["temperature"]) {
            return Some(Self {
                temperature: false,
                ..self
            });
        }
        let about_format = names(&[
            "response_format",
            "json_schema",
            "json_object",
            "schema",
            "grammar",
            "structured output",
        ]);
        if request.schema.is_none()
            || !about_format
            || status == 404 && !names(&["response_format"])
        {
            return None;
        }
        let format = match self.format {
            Format::Schema => Format::Json,
            Format::Json => Format::Words,
            Format::Words => return None,
        };
        Some(Self { format, ..self })
    }
}

/// The document inside a Markdown fence, which models like to put round JSON.
pub(in crate::llm) fn unfenced(text: &str) -> &str {
    let text = text.trim();
    let Some(inner) = text
        .strip_prefix("```")
        .and_then(|rest| rest.strip_suffix("```"))
    else {
        return text;
    };
    inner
        .split_once('\n')
        .map_or(inner, |(_, body)| body)
        .trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(schema: bool) -> Request {
        Request {
            schema: schema.then(|| json!({ "type": "object" })),
            ..Request::new(vec![Message::user("hello")])
        }
    }

    #[test]
    fn each_refusal_changes_the_part_that_it_names() {
        let all = Shape::default();
        for (status, said, want) in [
            (
                400,
                "Unsupported parameter: 'max_tokens' ... Use 'max_completion_tokens' instead.",
                Some(Shape {
                    new_limit: true,
                    ..all
                }),
            ),
            (
                400,
                "Unknown parameter: stream_options",
                Some(Shape {
                    count: false,
                    ..all
                }),
            ),
            (
                400,
                "'temperature' does not support 0 with this model",
                Some(Shape {
                    temperature: false,
                    ..all
                }),
            ),
            (
                400,
                "This response_format type is unavailable now",
                Some(Shape {
                    format: Format::Json,
                    ..all
                }),
            ),
            (
                422,
                "json_schema is not supported",
                Some(Shape {
                    format: Format::Json,
                    ..all
                }),
            ),
            (400, "Invalid model name", None),
            (404, "no schema for model x", None),
            (401, "response_format", None),
            (429, "temperature", None),
        ] {
            assert_eq!(all.after(status, said, &request(true)), want, "{said}");
        }
        assert_eq!(all.after(400, "response_format", &request(false)), None);
        let words = Shape {
            format: Format::Words,
            ..all
        };
        assert_eq!(words.after(400, "response_format", &request(true)), None);
    }

    #[test]
    fn without_enforcement_the_schema_is_told_in_words() {
        let firm = Shape::default().body("m", &request(true));
        assert_eq!(
            firm["response_format"]["json_schema"]["strict"],
            json!(true)
        );
        assert_eq!(firm["messages"].as_array().map(Vec::len), Some(1));
        let shape = Shape {
            format: Format::Json,
            ..Shape::default()
        };
        let loose = shape.body("m", &request(true));
        assert_eq!(loose["response_format"], json!({ "type": "json_object" }));
        assert!(
            loose["messages"][1]["content"]
                .as_str()
                .unwrap()
                .ends_with(r#"{"type":"object"}"#)
        );
    }

    #[test]
    fn a_fence_around_json_is_taken_off() {
        for (text, want) in [
            ("```json\n{\"a\":1}\n```", "{\"a\":1}"),
            ("```\n{}\n```\n", "{}"),
            (" {} ", "{}"),
            ("```{}```", "{}"),
            ("not ```fenced```", "not ```fenced```"),
        ] {
            assert_eq!(unfenced(text), want);
        }
    }
}
