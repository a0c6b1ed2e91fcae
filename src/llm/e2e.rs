//! Both HTTP clients against real servers with a real model, see `tests/lab/local-models`
//! (feature `e2e`). `RIGS_E2E_MODELS` names the folder of `install.sh`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use pretty_assertions::assert_eq;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::ollama::{self, Ollama};
use super::openai::OpenAi;
use super::{LanguageModel, LlmError, Message, Request};
use crate::config::Env;
use crate::core::Clock;
use crate::process::{self, Next, Running, Spec, Stdin, Stream};

/// The servers, until [`Servers::end`].
struct Servers {
    running: Running,
    openai: String,
    ollama: String,
    model: String,
    ollama_model: String,
}

impl Servers {
    async fn start() -> Self {
        let env = Env::new(std::env::vars_os(), std::env::current_dir().unwrap());
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let scripts = root.join("tests/lab/local-models");
        let dir = env
            .os("RIGS_E2E_MODELS")
            .map_or_else(|| root.join("target/e2e/models"), PathBuf::from);
        let python = dir.join("venv/bin/python");
        assert!(
            python.exists(),
            "{} is missing: run tests/lab/local-models/install.sh, or name its folder in \
             RIGS_E2E_MODELS",
            python.display()
        );
        let spec = Spec {
            program: python,
            args: vec![
                scripts.join("serve.py").into(),
                dir.join("smollm2.gguf").into(),
            ],
            env: env.child(),
            cwd: dir,
            stdin: Stdin::Null,
        };
        let marker = format!("e2e-models-{}", std::process::id());
        let mut running = process::start(&spec, &marker).unwrap();
        let mut said = String::new();
        let served: Value = loop {
            match running.next().await {
                Next::Line(line) if line.stream == Stream::Out => {
                    break serde_json::from_str(&line.text).unwrap();
                }
                Next::Line(line) => said = format!("{said}{}\n", line.text),
                Next::Exited(exit) => panic!("the servers ended with {exit:?}:\n{said}"),
            }
        };
        let text = |key: &str| served[key].as_str().unwrap().to_owned();
        Self {
            running,
            openai: text("openai"),
            ollama: text("ollama"),
            model: text("model"),
            ollama_model: text("ollama_model"),
        }
    }

    async fn end(mut self) {
        let left = self
            .running
            .end(Duration::from_secs(2), &Clock::system())
            .await;
        assert_eq!(left, [] as [u32; 0]);
    }
}

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "title": { "type": "string", "maxLength": 40 },
            "kind": { "enum": ["bug", "feature", "docs"] },
        },
        "required": ["title", "kind"],
        "additionalProperties": false,
    })
}

async fn check(model: &dyn LanguageModel, clock: &Clock) -> (super::Completion, super::Completion) {
    let question = "What is the capital of France? Answer in one sentence.";
    let (sender, mut pieces) = mpsc::channel(256);
    let request = Request {
        pieces: Some(sender),
        ..Request::new(vec![Message::user(question)])
    };
    let answer = model.complete(&request, clock).await.unwrap();
    drop(request);
    let mut text = String::new();
    let mut count = 0;
    while let Some(piece) = pieces.recv().await {
        text.push_str(&piece);
        count += 1;
    }
    assert!(
        answer.text.contains("Paris") && count > 3,
        "{} in {count}",
        answer.text
    );
    assert_eq!(text, answer.text);

    let planned = Request {
        schema: Some(schema()),
        max_tokens: 200,
        ..Request::new(vec![Message::user("Plan: the login page crashes.")])
    };
    let plan = model.complete(&planned, clock).await.unwrap();
    let value: Value = serde_json::from_str(&plan.text).unwrap();
    assert!(
        ["bug", "feature", "docs"].contains(&value["kind"].as_str().unwrap()),
        "{value}"
    );
    let again = model.complete(&planned, clock).await.unwrap();
    assert_eq!(again.text, plan.text, "temperature 0 repeats");
    (answer, plan)
}

#[tokio::test]
async fn a_real_model_answers_and_obeys_a_schema_over_both_protocols() {
    let clock = Clock::system();
    let servers = Servers::start().await;

    let openai = OpenAi::new(&servers.openai, &servers.model, None).unwrap();
    assert_eq!(
        openai.models(&clock).await.unwrap(),
        [servers.model.clone()]
    );
    let (answer, plan) = check(&openai, &clock).await;
    eprintln!("openai: {answer:?}\n{plan:?}");
    let read = |c: &super::Completion| c.usage.input + c.usage.cache_read;
    assert!(read(&answer) > 20 && answer.usage.output > 5 && answer.usage.requests == 1);
    let short = Request {
        max_tokens: 3,
        ..Request::new(vec![Message::user("Tell me a long story.")])
    };
    let cut = openai.complete(&short, &clock).await.unwrap();
    assert_eq!((cut.truncated, cut.usage.output), (true, 3));
    let long = Request::new(vec![Message::user("word ".repeat(6000))]);
    let refused = openai.complete(&long, &clock).await.unwrap_err();
    assert!(
        matches!(&refused, LlmError::Status { status: 400, body, .. } if body.contains("context size")),
        "{refused}"
    );

    let version = ollama::probe(&servers.ollama, &clock).await.unwrap();
    let listed = ollama::models(&servers.ollama, &clock).await.unwrap();
    assert!(!version.is_empty() && listed.iter().any(|m| m.name == servers.ollama_model));
    let model = Ollama::new(&servers.ollama, &servers.ollama_model).unwrap();
    let (answer, plan) = check(&model, &clock).await;
    eprintln!("ollama {version}: {answer:?}\n{plan:?}");

    // A time-out in the middle of a real answer, and the next question at once.
    let hurried = Request {
        timeout: Duration::from_millis(150),
        ..short.clone()
    };
    let hurried = Request {
        max_tokens: 2000,
        ..hurried
    };
    let late = openai.complete(&hurried, &clock).await;
    assert!(matches!(late, Err(LlmError::Timeout { .. })), "{late:?}");
    assert_eq!(
        openai.complete(&short, &clock).await.unwrap().text,
        cut.text
    );
    servers.end().await;
}
