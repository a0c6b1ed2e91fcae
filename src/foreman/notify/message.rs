//! What a person is told about an event.

use serde::Serialize;

use crate::config::settings::Occasion;
use crate::core::redact::redact;
use crate::core::text::one_line;
use crate::core::{BeadId, ConvoyId, Ids, ProviderName, Timestamp};
use crate::db::{Event, EventType};

/// Most characters of a message.
const TEXT: usize = 300;

/// The body that is posted. Fields are only ever added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Message {
    /// The same for every try: who has seen it before may drop it.
    pub(crate) id: String,
    /// `null` for a test.
    pub(crate) occasion: Option<Occasion>,
    pub(crate) at: Timestamp,
    pub(crate) title: String,
    pub(crate) text: String,
    pub(crate) bead_id: Option<BeadId>,
    pub(crate) convoy_id: Option<ConvoyId>,
    pub(crate) provider: Option<ProviderName>,
}

impl Message {
    /// One that nothing has happened for.
    pub(crate) fn test(ids: &Ids, at: Timestamp) -> Self {
        Self {
            id: ids.event().to_string(),
            occasion: None,
            at,
            title: "rigs can reach you".into(),
            text: "this message was asked for by `rigs notify test`".into(),
            bead_id: None,
            convoy_id: None,
            provider: None,
        }
    }
}

/// What a person would be told about the event for; `None` for nearly all of them.
pub(crate) fn occasion(event: &Event) -> Option<Occasion> {
    let text = |key: &str| event.payload.get(key).and_then(|v| v.as_str());
    match event.kind {
        // One that waits for another bead is told with that one.
        EventType::BeadBlock if text("cause") == Some("dependency") => None,
        EventType::BeadBlock => Some(Occasion::Blocked),
        EventType::BeadFail => Some(Occasion::Failed),
        EventType::WindowClosed => Some(Occasion::Wall),
        EventType::ConvoyCompleted | EventType::ConvoyFailed => Some(Occasion::Finished),
        _ => None,
    }
}

/// `title` is of the bead or convoy that the event is about.
pub(crate) fn of(event: &Event, occasion: Occasion, title: Option<&str>) -> Message {
    let said = |key: &str| {
        event
            .payload
            .get(key)
            .and_then(|v| v.as_str())
            .unwrap_or("")
    };
    let bead = event.bead_id.as_ref().map_or("", BeadId::as_str);
    let convoy = event.convoy_id.as_ref().map_or("", ConvoyId::as_str);
    let provider = event.provider.as_ref().map_or("", ProviderName::as_str);
    let what = title.unwrap_or_default();
    let (head, text) = match occasion {
        Occasion::Blocked => (
            format!("{bead} needs you"),
            format!("{what}: {}", said("reason")),
        ),
        Occasion::Failed => (
            format!("{bead} failed"),
            format!("{what}: {}", said("error")),
        ),
        Occasion::Wall => (
            format!("{provider} is used up"),
            format!("nothing is started there until {}", said("until")),
        ),
        Occasion::Finished if event.kind == EventType::ConvoyFailed => (
            format!("{convoy} failed"),
            format!("{what}: it can go no further, and a bead failed"),
        ),
        Occasion::Finished => (format!("{convoy} is done"), what.to_owned()),
    };
    Message {
        id: event.id.to_string(),
        occasion: Some(occasion),
        at: event.at,
        title: redact(&one_line(&head, 100)),
        text: redact(&one_line(&text, TEXT)),
        bead_id: event.bead_id.clone(),
        convoy_id: event.convoy_id.clone(),
        provider: event.provider.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn event(kind: EventType, payload: Value) -> Event {
        Event {
            seq: 1,
            id: "01a1f966-ce5c-7000-9974-58e31aec522f".parse().unwrap(),
            at: "2026-11-20T08:00:00Z".parse().unwrap(),
            kind,
            schema_version: 1,
            actor: "foreman".into(),
            bead_id: Some("gt-a1b2c".parse().unwrap()),
            convoy_id: Some("cv-a1b2c".parse().unwrap()),
            provider: Some("claude".parse().unwrap()),
            correlation_id: None,
            payload,
        }
    }

    #[test]
    fn only_what_somebody_may_want_to_know_is_told() {
        let told: Vec<(EventType, Occasion)> = EventType::ALL
            .iter()
            .filter_map(|kind| Some((*kind, occasion(&event(*kind, json!({})))?)))
            .collect();
        assert_eq!(
            told,
            [
                (EventType::BeadBlock, Occasion::Blocked),
                (EventType::BeadFail, Occasion::Failed),
                (EventType::ConvoyCompleted, Occasion::Finished),
                (EventType::ConvoyFailed, Occasion::Finished),
                (EventType::WindowClosed, Occasion::Wall),
            ]
        );
        let waits = event(EventType::BeadBlock, json!({"cause": "dependency"}));
        assert_eq!(occasion(&waits), None);
    }

    #[test]
    fn a_message_says_what_and_why_in_one_clean_line_without_keys() {
        let key = format!("sk-ant-{}", "a".repeat(40));
        let reason = format!("look\nhere \u{1b}[31m {key}");
        let blocked = event(EventType::BeadBlock, json!({"reason": reason}));
        let message = of(&blocked, Occasion::Blocked, Some("Fix it"));
        assert_eq!(message.title, "gt-a1b2c needs you");
        assert!(message.text.starts_with("Fix it: look here"), "{message:?}");
        assert!(!message.text.contains(&key), "{message:?}");
        assert!(!message.text.contains('\u{1b}'), "{message:?}");
        let wall = event(
            EventType::WindowClosed,
            json!({"until": "2026-11-20T09:00:00.000Z"}),
        );
        let message = of(&wall, Occasion::Wall, None);
        assert_eq!(message.title, "claude is used up");
        assert_eq!(
            message.text,
            "nothing is started there until 2026-11-20T09:00:00.000Z"
        );
    }
}
