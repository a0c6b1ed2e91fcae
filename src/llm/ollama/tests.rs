use pretty_assertions::assert_eq;
use serde_json::json;

use tokio::sync::mpsc;

use super::*;
use crate::core::clock::FakeClock;
use crate::llm::Message;
use crate::llm::loopback::{Reply, Server, answer, chunked, chunks};

const NDJSON: &str = "application/x-ndjson";

fn fake() -> (FakeClock, Clock) {
    FakeClock::at("2026-11-20T08:00:00Z")
}

fn request() -> Request {
    Request::new(vec![Message::system("Be short."), Message::user("Hello?")])
}

fn line(content: &str) -> String {
    format!(
        "{{\"model\":\"smol:135m\",\"message\":{{\"role\":\"assistant\",\"content\":{}}},\"done\":false}}\n",
        json!(content)
    )
}

const END: &str = "{\"model\":\"smol:135m\",\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\",\"prompt_eval_count\":21,\"eval_count\":3}\n";

async fn ask(reply: Reply, request: &Request) -> Result<Completion, LlmError> {
    let (_time, clock) = fake();
    let server = Server::new(vec![reply]);
    let model = Ollama::new(&server.url(), "smol").unwrap();
    let result = model.complete(request, &clock).await;
    let address = server.url().replace("http://", "");
    // The port differs from run to run.
    result.map_err(|e| match e {
        LlmError::Status {
            status,
            body,
            headers,
            ..
        } => LlmError::Status {
            endpoint: "S".into(),
            status,
            body,
            headers,
        },
        LlmError::Malformed { reason, .. } => LlmError::Malformed {
            endpoint: "S".into(),
            reason,
        },
        LlmError::Timeout { limit, .. } => LlmError::Timeout {
            endpoint: "S".into(),
            limit,
        },
        LlmError::Unusable(text) => LlmError::Unusable(text.replace(&address, "S")),
        other @ (LlmError::Unreachable { .. } | LlmError::TooLong { .. }) => other,
    })
}

#[tokio::test]
async fn an_answer_is_gathered_from_its_lines() {
    let (_time, clock) = fake();
    let pieces = [
        line("<think>hm"),
        line("</think>\n\nHello"),
        line(" there"),
        "\r\n".into(),
        END.into(),
    ];
    // One piece cut in the middle of a line.
    let (a, b) = pieces[1].split_at(20);
    let reply = chunked(
        NDJSON,
        &[&pieces[0], a, b, &pieces[2], &pieces[3], &pieces[4]],
    );
    let mut server = Server::new(vec![reply]);
    let model = Ollama::new(&format!("{}/", server.url()), "smol").unwrap();
    let (sender, mut pieces) = mpsc::channel(8);
    let request = Request {
        schema: Some(json!({ "type": "string" })),
        pieces: Some(sender),
        ..request()
    };

    assert_eq!(
        model.complete(&request, &clock).await.unwrap(),
        Completion {
            text: "Hello there".into(),
            usage: Usage {
                input: 21,
                output: 3,
                requests: 1,
                ..Usage::default()
            },
            model: "smol:135m".into(),
            truncated: false,
            headers: vec![],
        }
    );
    assert_eq!(pieces.try_recv().unwrap(), "Hello");
    assert_eq!(pieces.try_recv().unwrap(), " there");
    let received = server.request().await;
    assert_eq!(received.line(), "POST /api/chat HTTP/1.1");
    assert_eq!(
        received.json(),
        json!({
            "model": "smol",
            "messages": [
                { "role": "system", "content": "Be short." },
                { "role": "user", "content": "Hello?" },
            ],
            "stream": true,
            "think": false,
            "keep_alive": "10m",
            "format": { "type": "string" },
            "options": { "temperature": 0.0, "seed": 7, "num_ctx": 4096, "num_predict": 1024 },
        })
    );
}

#[tokio::test]
async fn every_way_to_fail_is_named() {
    let bytes = |text: &str| Reply::Bytes(text.as_bytes().to_vec());
    for (reply, want) in [
        (
            answer("404 Not Found", "", r#"{"error":"model 'smol' not found"}"#),
            "the Ollama server at S has no model `smol` (model 'smol' not found); `ollama pull smol` fetches it",
        ),
        (
            answer(
                "503 Service Unavailable",
                "Retry-After: 3\r\n",
                r#"{"error":"server busy, please try again.  maximum pending requests exceeded"}"#,
            ),
            "S answered 503: server busy, please try again. maximum pending requests exceeded",
        ),
        (
            answer("302 Found", "Location: http://elsewhere/\r\n", ""),
            "S answered 302: ",
        ),
        (
            chunked(NDJSON, &[&line("Hel"), "{\"error\":\"out of memory\"}\n"]),
            "S answered 200: out of memory",
        ),
        (
            chunked(NDJSON, &[&line("Hel")]),
            "S sent an answer that is not understood: it ended before it was done",
        ),
        (
            Reply::Bytes(chunks(NDJSON, &[&line("Hel")])),
            "S sent an answer that is not understood: it was cut off: unexpected EOF during chunk size line",
        ),
        (
            chunked(NDJSON, &["<html>\u{1b}[2Jno</html>"]),
            "S sent an answer that is not understood: not a line of JSON: <html>no</html>",
        ),
        (
            chunked(NDJSON, &["[1]\n"]),
            "S sent an answer that is not understood: not a line of JSON: [1]",
        ),
        (
            answer("200 OK", "", &"x".repeat(5 << 20)),
            "S sent an answer that is not understood: a line is longer than 4 MiB",
        ),
        (
            answer("200 OK", "", &line(&"x".repeat(1 << 20)).repeat(20)),
            "S sent an answer that is not understood: it is longer than 16 MiB",
        ),
        (
            bytes("garbage\r\n\r\n"),
            "cannot reach HOST: invalid HTTP version parsed",
        ),
    ] {
        let error = ask(reply, &request()).await.unwrap_err().to_string();
        let error = match error.split_once("cannot reach 127.0.0.1:") {
            Some((_, rest)) => format!("cannot reach HOST:{}", rest.split_once(':').unwrap().1),
            None => error,
        };
        assert_eq!(error, want);
    }
}

#[tokio::test]
async fn the_headers_of_a_refusal_are_kept() {
    let reply = answer(
        "429 Too Many Requests",
        "Retry-After: 7\r\nX-Other: 1\r\nX-Request-Id: abc\r\n",
        "{}",
    );
    let Err(LlmError::Status { headers, .. }) = ask(reply, &request()).await else {
        panic!("a status");
    };
    let want =
        [("retry-after", "7"), ("x-request-id", "abc")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!(headers, want);
}

#[tokio::test]
async fn a_cut_at_the_token_limit_is_reported() {
    let end = END.replace("\"stop\"", "\"length\"");
    let got = ask(chunked(NDJSON, &[&line("Hel"), &end]), &request())
        .await
        .unwrap();
    assert_eq!((got.text.as_str(), got.truncated), ("Hel", true));
}

#[tokio::test]
async fn a_server_that_never_answers_costs_the_whole_time_limit() {
    let (time, clock) = fake();
    let mut server = Server::new(vec![Reply::Hang(vec![])]);
    let model = Ollama::new(&server.url(), "smol").unwrap();
    let request = request();
    let (result, ()) = tokio::join!(model.complete(&request, &clock), async {
        server.request().await;
        time.advance(request.timeout);
    });
    let want = format!(
        "no answer from {} within 120s",
        server.url().replace("http://", "")
    );
    assert_eq!(result.unwrap_err().to_string(), want);
}

#[tokio::test]
async fn silence_in_the_middle_of_an_answer_costs_the_idle_limit() {
    let (time, clock) = fake();
    let server = Server::new(vec![Reply::Hang(chunks(NDJSON, &[&line("Hel")]))]);
    let model = Ollama::new(&server.url(), "smol").unwrap();
    let (sender, mut pieces) = mpsc::channel(8);
    let request = Request {
        pieces: Some(sender),
        ..request()
    };
    let (result, ()) = tokio::join!(model.complete(&request, &clock), async {
        assert_eq!(pieces.recv().await.as_deref(), Some("Hel"));
        time.advance(request.idle_timeout);
    });
    assert!(
        matches!(result, Err(LlmError::Timeout { limit, .. }) if limit == request.idle_timeout)
    );
}

#[tokio::test]
async fn nobody_listening_is_unreachable() {
    let (_time, clock) = fake();
    let url = Server::new(vec![]).url();
    let error = probe(&url, &clock).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "cannot reach {}: Connection refused (os error 111)",
            url.replace("http://", "")
        )
    );
}

#[tokio::test]
async fn a_long_prompt_gets_the_context_that_the_model_has() {
    let (_time, clock) = fake();
    let show = |n: u64| {
        let body =
            json!({ "model_info": { "general.architecture": "llama", "llama.context_length": n } });
        answer("200 OK", "", &body.to_string())
    };
    for (prompt, window, want) in [
        (20_000, 131_072, Ok(16_384)),
        (20_000, 8192, Ok(8192)),
        (90_000, 8192, Err(15_000)),
    ] {
        let mut server = Server::new(vec![show(window), chunked(NDJSON, &[END])]);
        let model = Ollama::new(&server.url(), "smol").unwrap();
        let request = Request::new(vec![Message::user("x".repeat(prompt))]);
        let result = model.complete(&request, &clock).await;
        assert_eq!(server.request().await.line(), "POST /api/show HTTP/1.1");
        match want {
            Ok(context) => {
                result.unwrap();
                assert_eq!(
                    server.request().await.json()["options"]["num_ctx"],
                    json!(context)
                );
            }
            Err(tokens) => assert!(
                matches!(result, Err(LlmError::TooLong { tokens: t, window: 8192, .. }) if t == tokens)
            ),
        }
    }
}

#[tokio::test]
async fn version_and_models_are_read() {
    let (_time, clock) = fake();
    let tags =
        r#"{"models":[{"name":"qwen2.5-coder:7b","size":4700000000},{"name":"x"},{"size":3}]}"#;
    let server = Server::new(vec![
        answer("200 OK", "", r#"{"version":"0.9.1"}"#),
        answer("200 OK", "", tags),
    ]);
    assert_eq!(probe(&server.url(), &clock).await.unwrap(), "0.9.1");
    let want =
        [("qwen2.5-coder:7b", 4_700_000_000), ("x", 0)].map(|(name, size_bytes)| Installed {
            name: name.into(),
            size_bytes,
        });
    assert_eq!(models(&server.url(), &clock).await.unwrap(), want);
}

#[test]
fn the_largest_model_for_code_that_fits_is_chosen() {
    let models = [
        ("nomic-embed-text", 9),
        ("llama3:8b", 5),
        ("qwen2.5-coder:1.5b", 1),
        ("qwen2.5-coder:7b", 4),
        ("cloud", 0),
    ]
    .map(|(name, gb)| Installed {
        name: name.into(),
        size_bytes: gb << 30,
    });
    let chosen = |room: u64| choose(&models, room << 30).map(|m| m.name.as_str());
    assert_eq!(chosen(16), Some("qwen2.5-coder:7b"));
    assert_eq!(chosen(3), Some("qwen2.5-coder:1.5b"));
    assert_eq!(chosen(0), None);
}

#[test]
fn the_server_is_where_the_entry_or_the_variable_says() {
    for (configured, variable, want) in [
        (None, None, "http://127.0.0.1:11434"),
        (Some("http://a:1"), Some("b"), "http://a:1"),
        (None, Some("gpubox"), "http://gpubox:11434"),
        (None, Some("0.0.0.0"), "http://127.0.0.1:11434"),
        (None, Some("0.0.0.0:8080"), "http://127.0.0.1:8080"),
        (None, Some("http://[::1]:9/"), "http://[::1]:9"),
        (None, Some("[::1]"), "http://[::1]:11434"),
        (
            None,
            Some("https://llm.example.com"),
            "https://llm.example.com",
        ),
        (None, Some(" "), "http://127.0.0.1:11434"),
    ] {
        assert_eq!(base_url(configured, variable), want, "{variable:?}");
    }
}
