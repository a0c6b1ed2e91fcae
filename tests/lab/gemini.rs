//! Google's generateContent protocol.

use serde_json::{Value, json};

use super::dialect::{Answer, Call, Conversation, SSE, Turn, add_text, data, halves, list, text};
use super::http::Reply;
use super::limits::{Wall, now_s};
use super::script::{Failure, Usage};
use super::tools;

/// Asked for by programs that let a model judge something beside the work: which model is fit
/// for it, who speaks next. Every field that they look for.
const JUDGEMENT: &str = r#"{"reasoning":"of the lab","model_choice":"flash","next_speaker":"user","complexity_reasoning":"of the lab","complexity_score":10}"#;

/// The model that a path names: `/v1beta/models/gemini-2.5-flash:generateContent`.
pub(super) fn model(path: &str) -> &str {
    let last = path.rsplit('/').next().unwrap_or_default();
    last.split(':').next().unwrap_or_default()
}

pub(super) fn streams(path: &str) -> bool {
    path.ends_with(":streamGenerateContent")
}

/// What is to be said where words would be no answer.
pub(super) fn judgement(body: &Value) -> Option<String> {
    let wanted = &body["generationConfig"]["responseMimeType"];
    (wanted == "application/json").then(|| JUDGEMENT.to_owned())
}

pub(super) fn read(body: &Value) -> Conversation {
    let declared = |tool: &Value| {
        let functions = list(&tool["functionDeclarations"]).to_vec();
        functions.into_iter().map(|f| text(&f["name"]))
    };
    let mut said = Conversation {
        tools: list(&body["tools"]).iter().flat_map(declared).collect(),
        ..Conversation::default()
    };
    let mut everything = words(&body["systemInstruction"]);
    // Calls of the turn before, by name: ids are not always sent back.
    let mut open: Vec<String> = Vec::new();
    for content in list(&body["contents"]) {
        for part in list(&content["parts"]) {
            if let Some(answered) = part.get("functionResponse") {
                let name = text(&answered["name"]);
                match open.iter().position(|called| *called == name) {
                    Some(at) => drop(open.remove(at)),
                    None => said
                        .problems
                        .push(format!("a response of {name}, which was not called before")),
                }
            }
        }
        for name in open.drain(..) {
            said.problems
                .push(format!("the call of {name} has no response"));
        }
        for part in list(&content["parts"]) {
            if let Some(call) = part.get("functionCall") {
                open.push(text(&call["name"]));
                said.calls.push(Call {
                    id: text(&call["id"]),
                    name: text(&call["name"]),
                    input: call["args"].clone(),
                });
            }
        }
        let words = words(content);
        add_text(&mut everything, &words);
        if content["role"] == "user" {
            add_text(&mut said.prompt, &words);
        }
    }
    said.cwd = tools::working_folder(&everything);
    said
}

/// The text of a content, its thoughts left out.
fn words(content: &Value) -> String {
    let parts = list(&content["parts"]).iter();
    let texts: Vec<String> = parts
        .filter(|part| part["thought"] != true)
        .filter_map(|part| part["text"].as_str().map(str::to_owned))
        .collect();
    texts.join("\n")
}

pub(super) fn answer(turn: &Turn<'_>) -> Reply {
    let answer = |part: Value, finish: Option<&str>| {
        let mut candidate = json!({"content": {"role": "model", "parts": [part]}, "index": 0});
        if let Some(finish) = finish {
            candidate["finishReason"] = json!(finish);
        }
        json!({
            "candidates": [candidate],
            "usageMetadata": usage(turn.usage),
            "modelVersion": turn.model,
            "responseId": format!("resp-lab-{:06}", turn.serial),
        })
    };
    let parts = match &turn.answer {
        Answer::Text(text) if turn.stream => halves(text).map(|t| json!({"text": t})).to_vec(),
        Answer::Text(text) => vec![json!({"text": text})],
        Answer::Call(call) => {
            vec![json!({"functionCall": {"name": call.name, "args": call.input}})]
        }
    };
    if !turn.stream {
        let [part] = &parts[..] else {
            unreachable!("only a stream has several parts")
        };
        return Reply::json(200, &answer(part.clone(), Some("STOP")));
    }
    let mut events: Vec<Value> = parts.into_iter().map(|part| answer(part, None)).collect();
    events.push(answer(json!({"text": ""}), Some("STOP")));
    Reply::stream(SSE, events.iter().map(data).collect())
}

/// Cached input is part of the prompt here; thoughts are output that is counted apart.
fn usage(usage: Usage) -> Value {
    let input = usage.input + usage.cache_read + usage.cache_write;
    let thoughts = usage.output / 4;
    json!({
        "promptTokenCount": input,
        "cachedContentTokenCount": usage.cache_read,
        "candidatesTokenCount": usage.output - thoughts,
        "thoughtsTokenCount": thoughts,
        "totalTokenCount": input + usage.output,
    })
}

pub(super) fn failure(failure: &Failure) -> Reply {
    match failure {
        Failure::RateLimited { retry_after_s } => exhausted("Minute", "20", *retry_after_s),
        Failure::Overloaded => error(
            503,
            "UNAVAILABLE",
            "The model is overloaded. Please try again later.",
        ),
        Failure::Internal => error(500, "INTERNAL", "An internal error has occurred."),
        Failure::Unauthorized => error(
            401,
            "UNAUTHENTICATED",
            "Request had invalid authentication credentials.",
        ),
        Failure::Forbidden => error(
            403,
            "PERMISSION_DENIED",
            "The caller does not have permission.",
        ),
        // A quota of nothing: the project has no plan that pays for this model.
        Failure::NoCredit => exhausted("Day", "0", None),
        Failure::NoModel => error(
            404,
            "NOT_FOUND",
            "The model is not found for API version v1beta, or is not supported for \
             generateContent.",
        ),
        Failure::BadRequest => error(
            400,
            "INVALID_ARGUMENT",
            "Request contains an invalid argument.",
        ),
        Failure::TooLong => error(
            400,
            "INVALID_ARGUMENT",
            "The input token count exceeds the maximum number of tokens allowed (1048576).",
        ),
    }
}

/// How Google refuses a key that it does not know.
pub(super) fn bad_key() -> Reply {
    error(
        400,
        "INVALID_ARGUMENT",
        "API key not valid. Please pass a valid API key.",
    )
}

/// The requests of the day are used up.
pub(super) fn limit(wall: Wall) -> Reply {
    exhausted("Day", "20", Some(wall.until.saturating_sub(now_s())))
}

fn error(status: u16, name: &str, message: &str) -> Reply {
    Reply::json(
        status,
        &json!({"error": {"code": status, "status": name, "message": message}}),
    )
}

fn exhausted(per: &str, limit: &str, retry_after_s: Option<u64>) -> Reply {
    let metric = "generativelanguage.googleapis.com/generate_content_free_tier_requests";
    let retry = retry_after_s.map(|seconds| format!("\nPlease retry in {seconds}s."));
    let message = format!(
        "You exceeded your current quota, please check your plan and billing details.\n* Quota \
         exceeded for metric: {metric}, limit: {limit}{}",
        retry.unwrap_or_default()
    );
    let mut details = vec![json!({
        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
        "violations": [{
            "quotaMetric": metric,
            "quotaId": format!("GenerateRequestsPer{per}PerProjectPerModel-FreeTier"),
            "quotaDimensions": {"location": "global", "model": "lab-model"},
            "quotaValue": limit,
        }],
    })];
    if let Some(seconds) = retry_after_s {
        details.push(json!({
            "@type": "type.googleapis.com/google.rpc.RetryInfo",
            "retryDelay": format!("{seconds}s"),
        }));
    }
    Reply::json(
        429,
        &json!({"error": {
            "code": 429,
            "status": "RESOURCE_EXHAUSTED",
            "message": message,
            "details": details,
        }}),
    )
}
