//! The small default model, really fetched and really run (`--release`, features `e2e` and
//! `local-llm`). `RIGS_E2E_CACHE` names a folder that keeps it from run to run.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::Embedded;
use crate::config::Env;
use crate::core::Clock;
use crate::llm::store::{Model, ModelStore, Progress, SMALL, Tools};
use crate::llm::{LanguageModel, LlmError, Message, Request};

async fn pulled() -> (tempfile::TempDir, Model) {
    let env = Env::new(std::env::vars_os(), std::env::current_dir().unwrap());
    let own = tempfile::tempdir().unwrap();
    let cache = env.os("RIGS_E2E_CACHE").map(PathBuf::from);
    let dir = cache.unwrap_or_else(|| own.path().to_owned());
    let store = ModelStore::new(dir.join("models"));
    let on = |step: Progress| {
        if !matches!(step, Progress::Bytes { .. }) {
            eprintln!("{step:?}");
        }
    };
    let (tools, stop) = (Tools::of(&env), CancellationToken::new());
    let began = Instant::now();
    let model = store
        .pull(&SMALL, &tools, &on, &Clock::system(), &stop)
        .await
        .unwrap();
    eprintln!("pull: {:.1?}", began.elapsed());
    assert_eq!(store.choose(None).unwrap().as_ref(), Some(&model));
    (own, model)
}

async fn ask(model: &Embedded, request: &Request) -> String {
    let (began, computed) = (Instant::now(), cpu());
    let answer = model.complete(request, &Clock::system()).await.unwrap();
    let (seconds, computed) = (began.elapsed().as_secs_f64(), cpu() - computed);
    let (input, output) = (answer.usage.input, answer.usage.output);
    eprintln!(
        "{input} tokens read, {output} written in {seconds:.2} s, {computed:.2} s of it computing; most memory {}, truncated {}:\n{}\n",
        memory(),
        answer.truncated,
        answer.text
    );
    answer.text
}

/// Seconds that this process has computed, which other load does not change much.
fn cpu() -> f64 {
    let used = getrusage(UsageWho::RUSAGE_SELF).unwrap().user_time();
    used.tv_sec() as f64 + used.tv_usec() as f64 / 1e6
}

fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmHWM"));
    line.unwrap_or("unknown")
        .replace("VmHWM:", "")
        .trim()
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_small_model_is_fetched_answers_and_obeys_a_schema() {
    let (_own, model) = pulled().await;
    let began = Instant::now();
    let model = Embedded::load(&model.name, &model.path).await.unwrap();
    eprintln!("load: {:.2?}, most memory {}", began.elapsed(), memory());
    let essay = Request {
        max_tokens: 300,
        ..Request::new(vec![Message::user(
            "Write a long story about a lighthouse.",
        )])
    };
    ask(&model, &essay).await;

    let question = Request {
        max_tokens: 200,
        ..Request::new(vec![Message::user(
            "What is the capital of France? Answer in one sentence.",
        )])
    };
    let first = ask(&model, &question).await;
    assert!(first.contains("Paris"), "{first}");
    assert_eq!(ask(&model, &question).await, first, "greedy answers repeat");

    let schema = json!({
        "type": "object",
        "properties": {
            "title": { "type": "string", "maxLength": 60 },
            "kind": { "enum": ["bug", "feature", "docs"] },
            "steps": { "type": "array", "minItems": 1, "maxItems": 3, "items": { "type": "string", "maxLength": 60 } },
        },
        "required": ["title", "kind", "steps"],
        "additionalProperties": false,
    });
    let planned = Request {
        schema: Some(schema),
        max_tokens: 400,
        ..Request::new(vec![Message::user(
            "Plan this: the login page crashes when the password is empty.",
        )])
    };
    let plan: Value = serde_json::from_str(&ask(&model, &planned).await).unwrap();
    assert!(["bug", "feature", "docs"].contains(&plan["kind"].as_str().unwrap()));

    let long = Request::new(vec![Message::user("word ".repeat(8000))]);
    let refused = model.complete(&long, &Clock::system()).await;
    assert!(
        matches!(refused, Err(LlmError::TooLong { window: 4096, .. })),
        "{refused:?}"
    );

    // A prompt that takes longer than we wait, then at once the next one.
    let slow = Request {
        timeout: Duration::from_millis(300),
        ..Request::new(vec![Message::user("Count: one two three. ".repeat(300))])
    };
    let late = model.complete(&slow, &Clock::system()).await;
    assert!(matches!(late, Err(LlmError::Timeout { .. })), "{late:?}");
    assert_eq!(
        ask(&model, &question).await,
        first,
        "nothing is left of the last question"
    );
    let whole = Request {
        timeout: Duration::from_mins(5),
        max_tokens: 8,
        ..slow
    };
    ask(&model, &whole).await;
}
