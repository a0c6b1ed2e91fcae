//! From a request to what is done about it.

use serde_json::json;

use super::dialect::{Answer, Conversation, Dialect, Turn};
use super::http::{Body, Reply, Request};
use super::limits::{Limits, Wall, epoch_s, reset_at};
use super::script::{Act, FINAL_TEXT, Fault, Step, Usage};
use super::state::{Record, State};
use super::{gemini, knobs, ollama, pages, tools};

/// A reply with the way it is sent.
pub(super) struct Plan {
    pub(super) serial: u64,
    pub(super) tag: String,
    pub(super) is_model_call: bool,
    pub(super) reply: Reply,
    /// Counted when the reply was sent to its end.
    pub(super) usage: Option<Usage>,
    /// Waits for this name before anything is sent.
    pub(super) hold: Option<String>,
    pub(super) pace_ms: u64,
    pub(super) end: End,
    pub(super) how: &'static str,
}

/// How the sending of a reply ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Whole,
    /// Nothing is sent; the client leaves.
    Never,
    /// A part is sent; the client leaves.
    HangsInside,
    /// A part is sent, then a proper end.
    TooEarly,
    /// A part is sent, then the connection closes.
    Cut,
}

/// Decides about a request, and writes it down.
pub(super) fn plan(state: &mut State, request: &Request) -> Plan {
    state.serial += 1;
    let (tag, knobs, path) = knobs::split(&state.control, &request.path);
    let mut plan = Plan {
        serial: state.serial,
        tag: tag.clone(),
        is_model_call: false,
        reply: Reply::json(
            404,
            &json!({"error": {"message": "the lab has no such page"}}),
        ),
        usage: None,
        hold: None,
        pace_ms: 0,
        end: End::Whole,
        how: "other",
    };
    let mut record = Record {
        serial: state.serial,
        tag,
        at_ms: state.now_ms(),
        at: epoch_s(),
        method: request.method.clone(),
        path: path.clone(),
        query: request.query.clone(),
        bytes: request.body.len(),
        credential: credential(request),
        headers: request.headers.clone(),
        body: serde_json::from_slice(&request.body).unwrap_or_default(),
        ..Record::default()
    };
    inspect(state, request, &record);
    if request.wants_websocket() {
        plan.reply = Reply::json(426, &json!({"error": {"message": "no websockets here"}}));
        plan.how = "websocket";
    } else if let (Some(dialect), "POST") = (Dialect::of_path(&path), request.method.as_str()) {
        plan.is_model_call = true;
        let said = dialect.read(&path, &record.body);
        record.dialect = Some(dialect.name());
        let judgement = (dialect == Dialect::Gemini).then(|| gemini::judgement(&record.body));
        let number = state.tag(&plan.tag).counts.requests + 1;
        if let Some(words) = judgement.flatten() {
            let step = Step::text("");
            answer(&mut plan, dialect, &said, Answer::Text(words), &step);
        } else if let Some(knobs) = &knobs {
            tell(state, plan.serial, &plan.tag, said.problems.clone());
            knobs.mode(number).clone_into(&mut record.mode);
            knobs.play(&mut plan, dialect, &said, &record.mode);
        } else {
            call(state, &mut plan, dialect, &said);
        }
        record.model = said.model;
        record.stream = said.stream;
        record.prompt = said.prompt;
        record.tools = said.tools;
    } else if let Some(reply) = pages::page(state, &record, knobs.as_ref()) {
        plan.reply = reply;
    }
    let counts = &mut state.tag(&plan.tag).counts;
    if plan.is_model_call {
        counts.requests += 1;
    } else {
        counts.others += 1;
    }
    state.record(record);
    plan
}

fn credential(request: &Request) -> Option<String> {
    let bearer = request
        .header("authorization")
        .map(|v| v.trim_start_matches("Bearer "));
    let keys = ["x-api-key", "x-goog-api-key"].map(|name| request.header(name));
    bearer.or(keys[0]).or(keys[1]).map(str::to_owned)
}

/// What no request may have.
fn inspect(state: &mut State, request: &Request, record: &Record) {
    let mut problems = Vec::new();
    let address = format!("{}?{}", request.path, request.query);
    let keys = ["key=", "token=", "secret="];
    if keys
        .iter()
        .any(|key| request.query.to_ascii_lowercase().contains(key))
        || record
            .credential
            .as_ref()
            .is_some_and(|key| address.contains(key.as_str()))
    {
        problems.push("a key in the address".to_owned());
    }
    let body = String::from_utf8_lossy(&request.body);
    for word in &state.forbidden {
        if body.contains(word) || address.contains(word) {
            problems.push(format!("it contains `{word}`"));
        }
    }
    if let Some(encoding) = request.header("content-encoding") {
        problems.push(format!(
            "a body encoded as {encoding}, which the lab cannot read"
        ));
    } else if request.method == "POST" && record.body.is_null() {
        problems.push("a body that is not JSON".into());
    }
    let wanted = state.tag(&record.tag).credential.clone();
    if wanted.is_some() && wanted != record.credential {
        problems.push("another credential than the one expected".into());
    }
    tell(state, record.serial, &record.tag, problems);
}

fn tell(state: &mut State, serial: u64, tag: &str, problems: Vec<String>) {
    for problem in problems {
        state.violation(format!("request {serial} ({tag}): {problem}"));
    }
}

/// A model call: a wall, or the next step of the script.
fn call(state: &mut State, plan: &mut Plan, dialect: Dialect, said: &Conversation) {
    tell(state, plan.serial, &plan.tag, said.problems.clone());
    if let Some(wall) = state.wall(&plan.tag) {
        state.tag(&plan.tag).counts.walled += 1;
        return refuse(state, plan, dialect, wall, "walled");
    }
    if dialect == Dialect::Ollama && !ollama::has_model(&state.models, &said.model) {
        plan.reply = dialect.failure(&super::script::Failure::NoModel);
        plan.how = "no model";
        return;
    }
    let next = state.next_step(&plan.tag, said);
    let exhausted = next.is_none();
    let (place, step) = match next {
        Some((place, step)) => (Some(place), step),
        None => (None, Step::text(FINAL_TEXT)),
    };
    let mut done = true;
    match &step.act {
        Act::Limit {
            reset_in_ms,
            window,
        } => {
            let until = reset_at(std::time::Duration::from_millis(*reset_in_ms));
            let wall = Wall {
                window: *window,
                until,
            };
            state.tag(&plan.tag).wall = Some(wall);
            refuse(state, plan, dialect, wall, "limit");
        }
        Act::Fail(failure) => {
            plan.reply = dialect.failure(failure);
            plan.how = "failure";
        }
        Act::Break(fault) => {
            answer(plan, dialect, said, Answer::Text(FINAL_TEXT.into()), &step);
            break_off(plan, dialect, *fault);
        }
        act @ (Act::Text(_)
        | Act::Shell(_)
        | Act::Write { .. }
        | Act::Edit { .. }
        | Act::Call { .. }) => {
            let id = format!("call_lab_{:06}", plan.serial);
            let chosen = tools::choose(act, said, &id).unwrap_or_else(|problem| {
                tell(
                    state,
                    plan.serial,
                    &plan.tag,
                    vec![format!("unplayable: {problem}")],
                );
                (Answer::Text(problem), true)
            });
            done = chosen.1;
            answer(plan, dialect, said, chosen.0, &step);
            plan.how = if exhausted { "script is over" } else { "step" };
        }
    }
    if !matches!(step.act, Act::Limit { .. }) {
        let limits = state.tag(&plan.tag).limits;
        with_headers(plan, dialect.limit_headers(&limits, None));
    }
    let own = step
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()));
    with_headers(plan, own);
    plan.hold = step.hold;
    plan.pace_ms = step.pace_ms;
    if let (Some(place), true) = (place, done) {
        state.advance(place);
    }
}

fn refuse(state: &mut State, plan: &mut Plan, dialect: Dialect, wall: Wall, how: &'static str) {
    let limits: Limits = state.tag(&plan.tag).limits.behind(wall);
    plan.reply = dialect.limit(wall);
    with_headers(plan, dialect.limit_headers(&limits, Some(wall)));
    plan.how = how;
}

pub(super) fn answer(
    plan: &mut Plan,
    dialect: Dialect,
    said: &Conversation,
    answer: Answer,
    step: &Step,
) {
    let usage = step.usage.unwrap_or(Usage::USUAL);
    plan.reply = dialect.answer(&Turn {
        model: &said.model,
        stream: said.stream,
        answer,
        usage,
        serial: plan.serial,
    });
    plan.usage = Some(dialect.reported(usage));
}

pub(super) fn with_headers(plan: &mut Plan, headers: impl IntoIterator<Item = (String, String)>) {
    let id = format!("req_lab_{:06}", plan.serial);
    let has_id = plan
        .reply
        .headers
        .iter()
        .any(|(name, _)| name == "request-id");
    let ids = ["request-id", "x-request-id"].map(|name| (name.to_owned(), id.clone()));
    plan.reply
        .headers
        .extend(ids.into_iter().filter(|_| !has_id));
    plan.reply.headers.extend(headers);
}

pub(super) fn break_off(plan: &mut Plan, dialect: Dialect, fault: Fault) {
    plan.usage = None;
    plan.how = "broken";
    match fault {
        Fault::Hang => plan.end = End::Never,
        Fault::HangInStream => plan.end = End::HangsInside,
        Fault::Truncate => plan.end = End::TooEarly,
        Fault::Cut => plan.end = End::Cut,
        Fault::Malformed => {
            let half = br#"{"id":"msg_lab","type":"message","role":"assis"#;
            plan.reply = Reply {
                body: Body::Whole(half.to_vec()),
                ..Reply::json(200, &json!({}))
            };
        }
        Fault::BadEvent => {
            if let Body::Parts(parts) = &mut plan.reply.body {
                parts[1] = "data: {\"type\":\"content_block_delta\",\"delta\":{\"te\n\n".into();
            }
        }
        Fault::ErrorEvent => {
            if let Body::Parts(parts) = &mut plan.reply.body {
                parts.truncate(1);
                parts.push(dialect.error_event());
            }
        }
    }
}
