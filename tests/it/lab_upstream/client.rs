//! A small HTTP client that sees how an answer ends.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use serde_json::{Value, json};

use crate::lab::Upstream;

/// What came back until the connection was closed.
#[derive(Debug, Default)]
pub(super) struct Got {
    /// 0: nothing came.
    pub(super) status: u16,
    headers: Vec<(String, String)>,
    pub(super) body: String,
    pub(super) is_chunked: bool,
    /// The body came to its proper end.
    pub(super) is_whole: bool,
    pub(super) chunks: usize,
}

impl Got {
    /// Reads until the server closes.
    pub(super) fn read(mut stream: TcpStream) -> Self {
        let mut bytes = Vec::new();
        // A connection that is reset ends what was read so far.
        drop(stream.read_to_end(&mut bytes));
        let text = String::from_utf8(bytes).expect("UTF-8");
        let text = text
            .strip_prefix("HTTP/1.1 100 Continue\r\n\r\n")
            .unwrap_or(&text);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            return Self::default();
        };
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        let headers = lines.filter_map(|line| line.split_once(": "));
        let mut got = Self {
            status: status.and_then(|s| s.parse().ok()).expect("a status"),
            headers: headers.map(|(n, v)| (n.to_owned(), v.to_owned())).collect(),
            ..Self::default()
        };
        got.is_chunked = got.header("transfer-encoding") == Some("chunked");
        if got.is_chunked {
            got.take_chunks(body);
        } else {
            got.body = body.to_owned();
            got.is_whole = got.header("content-length") == Some(body.len().to_string().as_str());
        }
        got
    }

    fn take_chunks(&mut self, mut rest: &str) {
        while let Some((size, tail)) = rest.split_once("\r\n") {
            let size = usize::from_str_radix(size, 16).expect("the size of a chunk");
            self.is_whole = size == 0;
            if self.is_whole {
                return;
            }
            self.body.push_str(&tail[..size]);
            self.chunks += 1;
            rest = &tail[size + 2..];
        }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }

    #[track_caller]
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }

    /// The events of a stream: of SSE or of JSON lines.
    pub(super) fn events(&self) -> Vec<Value> {
        let data = |line: &str| {
            let text = line.strip_prefix("data: ").unwrap_or(line);
            serde_json::from_str(text).ok()
        };
        self.body.lines().filter_map(data).collect()
    }
}

/// The smallest valid request of a protocol.
pub(super) fn body(path: &str, prompt: &str) -> Value {
    let messages = json!([{"role": "user", "content": prompt}]);
    match path {
        "/v1/responses" => json!({"model": "m", "input": prompt}),
        "/api/chat" => json!({"model": "lab-model", "messages": messages, "stream": false}),
        "/v1beta/models/m:generateContent" => {
            json!({"contents": [{"role": "user", "parts": [{"text": prompt}]}]})
        }
        _ => json!({"model": "m", "max_tokens": 9, "messages": messages}),
    }
}

pub(super) fn with_tools(path: &str, mut body: Value, names: &[&str]) -> Value {
    let tool = |name: &&str| match path {
        "/v1/messages" | "/v1/responses" => json!({"name": name}),
        "/v1beta/models/m:generateContent" => json!({"functionDeclarations": [{"name": name}]}),
        _ => json!({"type": "function", "function": {"name": name}}),
    };
    body["tools"] = names.iter().map(tool).collect();
    body
}

pub(super) fn streamed(mut body: Value) -> Value {
    body["stream"] = true.into();
    body
}

pub(super) fn ask(lab: &Upstream, tag: &str, path: &str, body: &Value) -> Got {
    Got::read(post(lab, tag, path, body))
}

pub(super) fn ask_streamed(lab: &Upstream, tag: &str, path: &str, body: &Value) -> Got {
    // One protocol asks for a stream in its path.
    if let Some(path) = path.strip_suffix(":generateContent") {
        let path = format!("{path}:streamGenerateContent?alt=sse");
        return ask(lab, tag, &path, body);
    }
    ask(lab, tag, path, &streamed(body.clone()))
}

pub(super) fn get(lab: &Upstream, tag: &str, path: &str) -> Got {
    let target = target(lab, tag, path);
    Got::read(open(
        lab,
        &format!("GET {target} HTTP/1.1\r\nconnection: close\r\n\r\n"),
    ))
}

/// Sends a request and does not wait for the answer.
pub(super) fn post(lab: &Upstream, tag: &str, path: &str, body: &Value) -> TcpStream {
    let (target, text) = (target(lab, tag, path), body.to_string());
    let head = format!(
        "POST {target} HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         authorization: Bearer sk-test\r\nconnection: close\r\n\r\n",
        text.len()
    );
    open(lab, &(head + &text))
}

/// Sends these bytes, and nothing after them.
pub(super) fn send_raw(lab: &Upstream, text: &str) -> Got {
    let stream = open(lab, text);
    stream
        .shutdown(Shutdown::Write)
        .expect("an open connection");
    Got::read(stream)
}

fn target(lab: &Upstream, tag: &str, path: &str) -> String {
    let url = if tag.is_empty() {
        String::new()
    } else {
        lab.url(tag)
    };
    let prefix = url
        .strip_prefix(&format!("http://{}", lab.address()))
        .unwrap_or_default();
    format!("{prefix}{path}")
}

fn open(lab: &Upstream, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(lab.address()).expect("the lab listens");
    stream.write_all(text.as_bytes()).expect("the lab reads");
    stream
}
