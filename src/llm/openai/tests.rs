use pretty_assertions::assert_eq;
use serde_json::json;
use tokio::sync::mpsc;

use super::*;
use crate::core::Usage;
use crate::core::clock::FakeClock;
use crate::llm::Message;
use crate::llm::loopback::{Received, Reply, Server, answer, chunked, chunks};

const SSE: &str = "text/event-stream; charset=utf-8";

fn fake() -> (FakeClock, Clock) {
    FakeClock::at("2026-11-20T08:00:00Z")
}

fn request() -> Request {
    Request::new(vec![Message::user("Hello?")])
}

fn delta(text: &str) -> String {
    let event = json!({ "model": "m-1", "choices": [{ "index": 0, "delta": { "content": text }, "finish_reason": null }] });
    format!("data: {event}\n\n")
}

fn finish(reason: &str) -> String {
    let event = json!({ "model": "m-1", "choices": [{ "index": 0, "delta": {}, "finish_reason": reason }] });
    format!("data: {event}\n\n")
}

const USAGE: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":50,\"completion_tokens\":4,\"prompt_tokens_details\":{\"cached_tokens\":30}}}\n\n";
const DONE: &str = "data: [DONE]\n\n";

/// The result with the server's address replaced, and the requests that were made.
async fn ask(
    replies: Vec<Reply>,
    request: &Request,
) -> (Result<Completion, String>, Vec<Received>) {
    let (_time, clock) = fake();
    let count = replies.len();
    let mut server = Server::new(replies);
    let key = Some(SecretString::from("key-that-nobody-knows"));
    let model = OpenAi::new(&format!("{}/v1", server.url()), "m", key).unwrap();
    let result = model.complete(request, &clock).await;
    let mut requests = Vec::new();
    for _ in 0..count {
        requests.push(server.request().await);
    }
    let address = server.url().replace("http://", "");
    (
        result.map_err(|e| e.to_string().replace(&address, "S")),
        requests,
    )
}

#[tokio::test]
async fn an_answer_is_gathered_from_its_events() {
    let (_time, clock) = fake();
    let body = [
        ": keep-alive\n\n".into(),
        delta("Hel"),
        delta("lo"),
        finish("stop"),
        USAGE.into(),
        DONE.into(),
    ]
    .concat();
    let crlf = body.replace('\n', "\r\n");
    for body in [&body, &crlf] {
        let (a, b) = body.split_at(57);
        let mut server = Server::new(vec![chunked(SSE, &[a, b])]);
        let key = Some(SecretString::from("key-that-nobody-knows"));
        let model = OpenAi::new(&format!("{}/v1/", server.url()), "m", key).unwrap();
        let (sender, mut pieces) = mpsc::channel(8);
        let request = Request {
            pieces: Some(sender),
            ..request()
        };
        assert_eq!(
            model.complete(&request, &clock).await.unwrap(),
            Completion {
                text: "Hello".into(),
                usage: Usage {
                    input: 20,
                    output: 4,
                    cache_read: 30,
                    requests: 1,
                    ..Usage::default()
                },
                model: "m-1".into(),
                truncated: false,
                headers: vec![],
            }
        );
        assert_eq!(pieces.try_recv().unwrap(), "Hel");
        let received = server.request().await;
        assert_eq!(received.line(), "POST /v1/chat/completions HTTP/1.1");
        assert_eq!(
            received.header("authorization"),
            Some("Bearer key-that-nobody-knows")
        );
        assert_eq!(
            received.json(),
            json!({
                "model": "m",
                "messages": [{ "role": "user", "content": "Hello?" }],
                "stream": true,
                "stream_options": { "include_usage": true },
                "max_tokens": 1024,
                "temperature": 0.0,
            })
        );
    }
}

#[tokio::test]
async fn every_way_to_fail_is_named() {
    let malformed = |why: &str| format!("S sent an answer that is not understood: {why}");
    for (reply, want) in [
        (
            answer(
                "401 Unauthorized",
                "",
                r#"{"error":{"message":"Incorrect API key provided: key-that-nobody-knows","code":"invalid_api_key"}}"#,
            ),
            "S answered 401: Incorrect API key provided: [redacted] (invalid_api_key)".into(),
        ),
        (
            answer(
                "402 Payment Required",
                "",
                r#"{"error":{"message":"Insufficient Balance"}}"#,
            ),
            "S answered 402: Insufficient Balance".into(),
        ),
        (
            answer(
                "404 Not Found",
                "",
                r#"{"error":{"message":"The model `m` does not exist","code":"model_not_found"}}"#,
            ),
            "S answered 404: The model `m` does not exist (model_not_found)".into(),
        ),
        (
            answer("502 Bad Gateway", "", "<html>\r\n<h1>Bad gateway</h1>"),
            "S answered 502: <html> <h1>Bad gateway</h1>".into(),
        ),
        (
            chunked(
                SSE,
                &[
                    &delta("Hel"),
                    "data: {\"error\":{\"message\":\"slow down\",\"code\":429}}\n\n",
                ],
            ),
            "S answered 429: slow down (429)".into(),
        ),
        (
            chunked(SSE, &[&delta("Hel")]),
            malformed("it ended before it was done"),
        ),
        (
            Reply::Bytes(chunks(SSE, &[&delta("Hel")])),
            malformed("it was cut off: unexpected EOF during chunk size line"),
        ),
        (chunked(SSE, &[]), malformed("it ended before it was done")),
        (
            chunked(SSE, &["data: <html>\n\n"]),
            malformed("not an event of a completion: <html>"),
        ),
        (
            chunked(SSE, &[&delta("x"), &finish("content_filter"), DONE]),
            malformed("the server's content filter stopped it"),
        ),
        (
            answer(
                "200 OK",
                "content-type: text/event-stream\r\n",
                &"x".repeat(5 << 20),
            ),
            malformed("a line is longer than 4 MiB"),
        ),
    ] {
        let (result, _) = ask(vec![reply], &request()).await;
        assert_eq!(result.unwrap_err(), want);
    }
}

#[tokio::test]
async fn a_refused_schema_is_told_in_words_and_remembered() {
    let refused = |what: &str| {
        answer(
            "400 Bad Request",
            "",
            &json!({ "error": { "message": what } }).to_string(),
        )
    };
    let fenced = [
        delta("```json\n{\"a\":1}\n```"),
        finish("stop"),
        DONE.into(),
    ]
    .concat();
    let request = Request {
        schema: Some(json!({ "type": "object" })),
        ..request()
    };
    let (result, requests) = ask(
        vec![
            refused("Unrecognized request argument: stream_options"),
            refused("response_format.type `json_schema` is not supported"),
            refused("response_format is not supported at all"),
            chunked(SSE, &[&fenced]),
        ],
        &request,
    )
    .await;
    assert_eq!(result.unwrap().text, "{\"a\":1}");
    let formats: Vec<_> = requests
        .iter()
        .map(|r| r.json()["response_format"]["type"].clone())
        .collect();
    assert_eq!(
        formats,
        [
            json!("json_schema"),
            json!("json_schema"),
            json!("json_object"),
            json!(null)
        ]
    );

    let (_time, clock) = fake();
    let mut server = Server::new(vec![
        refused("response_format is unavailable"),
        chunked(SSE, &[&fenced]),
        chunked(SSE, &[&fenced]),
    ]);
    let model = OpenAi::new(&server.url(), "m", None).unwrap();
    for _ in 0..2 {
        model.complete(&request, &clock).await.unwrap();
    }
    server.request().await;
    for _ in 0..2 {
        assert_eq!(
            server.request().await.json()["response_format"]["type"],
            json!("json_object")
        );
    }
}

#[tokio::test]
async fn a_server_that_does_not_stream_is_understood() {
    let body = r#"{"model":"m-1","choices":[{"index":0,"message":{"content":"<think>x</think>Hi"},"finish_reason":"length"}],"usage":{"prompt_tokens":5,"completion_tokens":2}}"#;
    let (result, requests) = ask(
        vec![answer(
            "200 OK",
            "content-type: application/json\r\nx-ratelimit-remaining-requests: 9\r\n",
            body,
        )],
        &request(),
    )
    .await;
    assert_eq!(requests.len(), 1);
    assert_eq!(
        result.unwrap(),
        Completion {
            text: "Hi".into(),
            usage: Usage {
                input: 5,
                output: 2,
                requests: 1,
                ..Usage::default()
            },
            model: "m-1".into(),
            truncated: true,
            headers: vec![("x-ratelimit-remaining-requests".into(), "9".into())],
        }
    );
}

#[tokio::test]
async fn silence_in_the_middle_of_an_answer_costs_the_idle_limit() {
    let (time, clock) = fake();
    let server = Server::new(vec![Reply::Hang(chunks(SSE, &[&delta("Hel")]))]);
    let model = OpenAi::new(&server.url(), "m", None).unwrap();
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

/// A connection kept open after the last event must not be waited for.
#[tokio::test]
async fn the_answer_is_there_as_soon_as_the_server_says_done() {
    let (_time, clock) = fake();
    let server = Server::new(vec![Reply::Hang(chunks(
        SSE,
        &[&delta("Hi"), &finish("stop"), DONE],
    ))]);
    let model = OpenAi::new(&server.url(), "m", None).unwrap();
    assert_eq!(model.complete(&request(), &clock).await.unwrap().text, "Hi");
}

#[tokio::test]
async fn models_are_listed_and_named() {
    let (_time, clock) = fake();
    let server = Server::new(vec![answer(
        "200 OK",
        "",
        r#"{"data":[{"id":"a"},{"id":"b\u001b[2J"},{}]}"#,
    )]);
    let model = OpenAi::new(&server.url(), "m", None).unwrap();
    assert_eq!(model.models(&clock).await.unwrap(), ["a", "b"]);
    assert_eq!(
        model.label(),
        format!("m at {}", server.url().replace("http://", ""))
    );
    let openai = OpenAi::new("https://api.openai.com/v1", "gpt-5-mini", None).unwrap();
    assert_eq!(openai.label(), "openai gpt-5-mini");
}
