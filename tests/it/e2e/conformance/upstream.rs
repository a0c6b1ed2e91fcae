//! The upstream of the matrix, by nothing but its address: the lab, or another one that speaks
//! the same control paths (`UPSTREAM=URL`).

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::lab::Usage;

/// A protocol, as far as the matrix must know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Messages,
    Responses,
    Chat,
    Gemini,
}

impl Dialect {
    const ALL: [Self; 4] = [Self::Messages, Self::Responses, Self::Chat, Self::Gemini];

    /// How the paths of its model calls end.
    fn ends(self) -> &'static [&'static str] {
        match self {
            Self::Messages => &["/messages"],
            Self::Responses => &["/responses"],
            Self::Chat => &["/chat/completions"],
            Self::Gemini => &[":generateContent", ":streamGenerateContent"],
        }
    }

    fn of_path(path: &str) -> Option<Self> {
        let is_of = |dialect: &Self| dialect.ends().iter().any(|end| path.ends_with(end));
        Self::ALL.into_iter().find(is_of)
    }

    /// The smallest call, and the usage of its answer in the kinds of the ledger.
    fn probe(self, post: impl Fn(&str, &Value) -> Value) -> Usage {
        let hello = json!([{"role": "user", "content": "hello"}]);
        let number = |value: &Value| value.as_u64().unwrap_or_default();
        let of_openai = |usage: &Value, input: &str, output: &str| {
            let cached = number(&usage[format!("{input}_details")]["cached_tokens"]);
            Usage {
                input: number(&usage[input]) - cached,
                output: number(&usage[output]),
                cache_read: cached,
                cache_write: 0,
            }
        };
        match self {
            Self::Messages => {
                let body = json!({"model": "m", "max_tokens": 9, "messages": hello});
                let usage = &post("/v1/messages", &body)["usage"];
                Usage {
                    input: number(&usage["input_tokens"]),
                    output: number(&usage["output_tokens"]),
                    cache_read: number(&usage["cache_read_input_tokens"]),
                    cache_write: number(&usage["cache_creation_input_tokens"]),
                }
            }
            Self::Responses => {
                let body = json!({"model": "m", "input": "hello", "stream": false});
                let answer = post("/v1/responses", &body);
                of_openai(&answer["usage"], "input_tokens", "output_tokens")
            }
            Self::Chat => {
                let body = json!({"model": "m", "messages": hello});
                let answer = post("/v1/chat/completions", &body);
                of_openai(&answer["usage"], "prompt_tokens", "completion_tokens")
            }
            Self::Gemini => {
                let body = json!({"contents": [{"role": "user", "parts": [{"text": "hello"}]}]});
                let answer = post("/v1beta/models/m:generateContent", &body);
                let usage = &answer["usageMetadata"];
                let cached = number(&usage["cachedContentTokenCount"]);
                Usage {
                    input: number(&usage["promptTokenCount"]) - cached,
                    output: number(&usage["candidatesTokenCount"])
                        + number(&usage["thoughtsTokenCount"]),
                    cache_read: cached,
                    cache_write: 0,
                }
            }
        }
    }
}

/// One model call, as the upstream has logged it.
#[derive(Debug, Clone)]
pub(super) struct Call {
    /// Epoch seconds.
    pub(super) at: f64,
    pub(super) mode: String,
    pub(super) status: u64,
    dialect: Dialect,
    how: String,
}

impl Told {
    /// The same usage, and a request for each answer.
    pub(super) fn is(&self, usage: Usage, requests: u64) -> bool {
        let answers = self.answers..=self.answers + self.cut;
        usage == self.usage && answers.contains(&requests)
    }
}

impl Call {
    /// Its answer was sent to its end, usage included.
    fn is_answered(&self) -> bool {
        let breaks = ["hangstream", "truncate", "disconnect", "sseerror"];
        let is_broken = self.how == "sse" && breaks.contains(&self.mode.as_str());
        self.status == 200 && !is_broken && self.how != "malformed" && self.how != "hang"
    }

    /// It broke off after its first events.
    fn is_cut(&self) -> bool {
        self.status == 200 && self.how == "sse" && !self.is_answered()
    }
}

/// What the upstream has told the clients of a tag that they used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    /// In answers that came to their end, and in what came of the others.
    pub(super) usage: Usage,
    pub(super) answers: u64,
    /// Answers that broke off on the way; a program may count them as requests.
    pub(super) cut: u64,
    /// If every broken answer had come to its end too.
    pub(super) at_most: Usage,
}

pub(super) struct Upstream {
    url: String,
    /// One answer of each dialect.
    answer: Vec<(Dialect, Usage)>,
}

impl Upstream {
    /// Asks it once in every dialect how much an answer is.
    pub(super) fn at(url: &str) -> Self {
        let url = url.trim_end_matches('/').to_owned();
        let post = |path: &str, body: &Value| {
            request(&format!("{url}/__m/ok,tag=probe{path}"), Some(body))
        };
        let answer = Dialect::ALL.map(|dialect| (dialect, dialect.probe(post)));
        for (dialect, usage) in &answer {
            assert!(
                usage.input > 0 && usage.output > 0,
                "{url} tells no usage in {dialect:?}: {usage:?}"
            );
        }
        Self {
            answer: answer.to_vec(),
            url,
        }
    }

    /// The base of a provider's calls, played by these knobs.
    pub(super) fn base(&self, knobs: &str) -> String {
        format!("{}/__m/{knobs}", self.url)
    }

    /// The model calls of a tag, oldest first.
    pub(super) fn calls(&self, tag: &str) -> Vec<Call> {
        let log = request(&format!("{}/__log", self.url), None);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let entries = log.as_array().expect("a list").iter();
        let mut calls: Vec<Call> = entries
            .filter(|entry| entry["tag"] == tag && entry["method"] == "POST")
            .filter_map(|entry| {
                Some(Call {
                    at: entry["ts"].as_f64().expect("a time"),
                    mode: text(&entry["mode"]),
                    status: entry["status"].as_u64().unwrap_or_default(),
                    dialect: Dialect::of_path(entry["path"].as_str()?)?,
                    how: text(&entry["how"]),
                })
            })
            .collect();
        calls.sort_by(|a, b| a.at.total_cmp(&b.at));
        calls
    }

    pub(super) fn told(&self, calls: &[Call]) -> Told {
        let mut told = Told {
            usage: Usage::default(),
            answers: 0,
            cut: 0,
            at_most: Usage::default(),
        };
        for call in calls {
            let of = |(dialect, _): &&(Dialect, Usage)| *dialect == call.dialect;
            let (_, usage) = self.answer.iter().find(of).expect("every dialect");
            if call.is_answered() {
                told.usage += *usage;
                told.answers += 1;
            } else if call.is_cut() {
                told.cut += 1;
                told.usage += match call.dialect {
                    // The first event tells the input, and one token of output.
                    Dialect::Messages => Usage {
                        output: 1,
                        ..*usage
                    },
                    // Every event tells it all.
                    Dialect::Gemini => *usage,
                    // The last event tells it all.
                    Dialect::Responses | Dialect::Chat => Usage::default(),
                };
            }
            if call.status == 200 {
                told.at_most += *usage;
            }
        }
        told
    }
}

/// One request, by a client that knows just enough of HTTP.
fn request(url: &str, body: Option<&Value>) -> Value {
    let rest = url
        .strip_prefix("http://")
        .unwrap_or_else(|| panic!("{url}: only http:// is spoken here"));
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let body = body.map(Value::to_string);
    let method = if body.is_some() { "POST" } else { "GET" };
    let body = body.unwrap_or_default();
    let mut stream = TcpStream::connect(host).unwrap_or_else(|e| panic!("{url}: {e}"));
    let timeout = Some(Duration::from_secs(30));
    stream.set_read_timeout(timeout).expect("a time limit");
    let head = format!(
        "{method} /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream
        .write_all((head + &body).as_bytes())
        .unwrap_or_else(|e| panic!("{url}: {e}"));
    let mut answer = Vec::new();
    stream
        .read_to_end(&mut answer)
        .unwrap_or_else(|e| panic!("{url}: {e}"));
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("{url}: {answer}"));
    assert!(head.contains(" 200 "), "{url}: {answer}");
    serde_json::from_str(body).unwrap_or_else(|e| panic!("{url}: {e}: {body}"))
}
