use pretty_assertions::assert_eq;
use serde_json::{Value, json};

use super::*;
use crate::core::{
    BeadStatus, Criterion, Estimate, EstimateSource, Permission, Priority, TaskType,
};
use crate::depot::NewBead;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    at("2026-11-20T08:00:00Z")
}

fn line(value: &Value) -> Result<Line, String> {
    read(&value.to_string(), now())
}

fn bead(value: &Value) -> Incoming {
    match line(value) {
        Ok(Line::Bead(incoming)) => *incoming,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_line_of_ours_is_taken_field_by_field() {
    let got = bead(&json!({
        "id": "gt-a1b2c", "title": "The parser", "description": "Make it faster",
        "task_type": "refactor", "priority": "high", "status": "in_progress", "permission": "full",
        "acceptance_criteria": ["it is faster", {"kind": "gate", "gate": "cargo-test"}],
        "dependencies": ["gt-zzzzz"], "files": ["src/parser.rs"], "labels": ["slow"],
        "metadata": {"ticket": 7}, "estimated_tokens": 1000, "convoy_id": "cv-aaaaa",
        "deadline": "2026-11-21T08:00:00Z", "created_at": "2026-11-01T08:00:00Z",
        "attempts": [{"number": 1}], "usage": {"input": 3}
    }));
    let mut new = NewBead::new("Make it faster", TaskType::Refactor);
    new.title = "The parser".into();
    new.priority = Priority::High;
    new.permission = Permission::Full;
    new.acceptance_criteria = vec![
        Criterion::text("it is faster"),
        Criterion::Gate {
            text: "cargo-test passes".into(),
            gate: "cargo-test".into(),
        },
    ];
    new.files = vec!["src/parser.rs".into()];
    new.labels = vec!["slow".into()];
    new.metadata = json!({"ticket": 7});
    new.estimate = Some(Estimate {
        p50: 1000,
        p80: 1500,
        p95: 3000,
        source: EstimateSource::Given,
    });
    new.deadline = Some(at("2026-11-21T08:00:00Z"));
    let want = Incoming {
        key: Some("gt-a1b2c".into()),
        waits_for: vec!["gt-zzzzz".into()],
        convoy: "cv-aaaaa".parse().ok(),
        arrival: Arrival {
            id: "gt-a1b2c".parse().unwrap(),
            new,
            status: BeadStatus::Pending,
            reason: None,
            output: None,
            created_at: at("2026-11-01T08:00:00Z"),
            completed_at: None,
        },
    };
    assert_eq!(got, want);
}

#[test]
fn what_a_bead_came_to_elsewhere_stays() {
    let landed = |more: Value| {
        let mut value = json!({"title": "x"});
        let fields = value.as_object_mut().unwrap();
        fields.extend(more.as_object().unwrap().clone());
        let a = bead(&value).arrival;
        (a.status, a.reason, a.completed_at)
    };
    let done = Some(at("2026-11-02T08:00:00Z"));
    assert_eq!(
        landed(json!({"status": "completed", "completed_at": "2026-11-02T08:00:00Z"})),
        (BeadStatus::Completed, None, done)
    );
    assert_eq!(
        landed(json!({"status": "failed", "error": "no"})),
        (BeadStatus::Failed, Some("no".into()), Some(now()))
    );
    assert_eq!(
        landed(json!({"status": "blocked", "blocked": {"cause": "dependency"}})),
        (BeadStatus::Pending, None, None)
    );
    assert_eq!(
        landed(json!({"status": "blocked", "blocked": {"cause": "person", "reason": "ask"}})),
        (BeadStatus::Blocked, Some("ask".into()), None)
    );
}

#[test]
fn an_issue_of_gas_town_becomes_a_bead_that_keeps_what_it_has_no_field_for() {
    let got = bead(&json!({
        "_type": "issue", "id": "bd-4f", "title": "It crashes", "description": "On start",
        "status": "open", "priority": 0, "issue_type": "bug", "assignee": "mayor",
        "created_at": "2026-11-01T08:00:00Z", "updated_at": "2026-11-01T08:00:00Z",
        "acceptance_criteria": "It starts", "labels": ["p0"], "estimated_minutes": 30,
        "dependencies": [
            {"issue_id": "bd-4f", "depends_on_id": "bd-1", "type": "blocks", "created_at": "x"},
            {"issue_id": "bd-4f", "depends_on_id": "bd-2", "type": "related", "created_at": "x"}],
        "metadata": {"rigs": {"note": [1, 2]}}, "dependency_count": 2
    }));
    let a = &got.arrival;
    assert_eq!(got.key.as_deref(), Some("bd-4f"));
    assert_eq!(got.waits_for, ["bd-1"]);
    assert_eq!(a.id, id_of("bd-4f"));
    assert_ne!(a.id, id_of("bd-4e"));
    assert_eq!(
        (a.new.task_type, a.new.priority, a.status),
        (TaskType::Debug, Priority::Critical, BeadStatus::Pending)
    );
    assert_eq!(a.new.acceptance_criteria, [Criterion::text("It starts")]);
    assert_eq!(
        a.new.metadata,
        json!({
            "rigs": {"note": [1, 2]},
            "gastown": {
                "_type": "issue", "id": "bd-4f", "status": "open", "priority": 0,
                "issue_type": "bug", "assignee": "mayor", "created_at": "2026-11-01T08:00:00Z",
                "updated_at": "2026-11-01T08:00:00Z", "estimated_minutes": 30,
                "dependencies": [
                    {"issue_id": "bd-4f", "depends_on_id": "bd-1", "type": "blocks", "created_at": "x"},
                    {"issue_id": "bd-4f", "depends_on_id": "bd-2", "type": "related", "created_at": "x"}],
                "dependency_count": 2
            }
        })
    );
    // What came so goes on as metadata of ours, unchanged.
    let again = bead(&json!({"id": a.id, "title": "x", "metadata": a.new.metadata}));
    assert_eq!(again.arrival.new.metadata, a.new.metadata);
}

#[test]
fn every_state_and_kind_of_an_issue_has_its_place() {
    let landed = |status: &str| {
        bead(&json!({"title": "x", "priority": 2, "status": status}))
            .arrival
            .status
    };
    let all = [
        "open",
        "deferred",
        "closed",
        "hooked",
        "in_progress",
        "their own",
    ];
    assert_eq!(
        all.map(landed),
        [
            BeadStatus::Pending,
            BeadStatus::Pending,
            BeadStatus::Completed,
            BeadStatus::Blocked,
            BeadStatus::Blocked,
            BeadStatus::Blocked
        ]
    );
    for skipped in [
        json!({"_type": "memory", "key": "a", "value": "b"}),
        json!({"issue_type": "message", "title": "x"}),
        json!({"issue_type": "task", "title": "x", "status": "tombstone"}),
        json!({"issue_type": "task", "title": "x", "ephemeral": true}),
    ] {
        assert!(matches!(line(&skipped), Ok(Line::Skipped(_))), "{skipped}");
    }
}

#[test]
fn what_is_wrong_with_a_line_is_said() {
    let says = |text: &str| read(text, now()).unwrap_err();
    assert!(says("{").starts_with("it is not JSON: "), "{}", says("{"));
    assert_eq!(says("[]"), "it is not a JSON object");
    assert_eq!(says("{}"), "it has neither a title nor a description");
    assert!(says(r#"{"titles":"x"}"#).contains("unknown field `titles`"));
    assert!(says(r#"{"title":"x","priority":"urgent"}"#).starts_with("priority: "));
    assert_eq!(
        says(r#"{"title":"x","priority":9}"#),
        "priority: it is not a number from 0 to 4"
    );
    assert_eq!(
        says(r#"{"title":"x","priority":1,"due_at":"soon"}"#),
        "due_at: it is not a time such as 2026-11-20T08:00:00Z"
    );
    let wild =
        r#"{"title":"x","estimate":{"p50":18446744073709551615,"p80":0,"p95":1,"source":"given"}}"#;
    let Ok(Line::Bead(incoming)) = read(wild, now()) else {
        panic!("it is a bead");
    };
    let most = 1_000_000_000;
    let estimate = incoming.arrival.new.estimate.unwrap();
    assert_eq!([estimate.p50, estimate.p80, estimate.p95], [most; 3]);
}
