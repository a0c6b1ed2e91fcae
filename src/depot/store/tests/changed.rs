//! What a person changes and approves.

use pretty_assertions::assert_eq;

use super::*;
use crate::core::{Permission, Priority};
use crate::db::NewEvent;
use crate::depot::BeadEdit;

#[tokio::test]
async fn what_does_not_run_can_be_changed_and_the_change_is_on_record() {
    let mut d = Desk::new().await;
    let id = d.bead("a", &[]).await;
    d.queue(&id).await;
    let was = d.get(&id).await;
    let change = BeadEdit {
        description: Some("b".into()),
        priority: Some(Priority::Critical),
        permission: Some(Permission::Read),
        estimate: Some(ESTIMATE),
        ..BeadEdit::default()
    };
    let (conn, act) = d.parts();
    let changed = edit(conn, act, &was, &change).await.unwrap();
    assert_eq!(changed, ["description", "permission", "priority"]);
    let is = d.get(&id).await;
    let want = Bead {
        description: "b".into(),
        priority: Priority::Critical,
        permission: Permission::Read,
        rank: was.rank + 2_000_000,
        updated_at: is.updated_at,
        ..was.clone()
    };
    assert_eq!(is, want);
    let edited = events::latest(&mut d.tx, events::EventType::BeadEdited)
        .await
        .unwrap();
    assert_eq!(
        edited.unwrap().payload,
        json!({ "changed": {
            "description": {"was": "a", "is": "b"},
            "permission": {"was": was.permission, "is": "read"},
            "priority": {"was": "normal", "is": "critical"},
        }})
    );
    // The same again changes nothing and says nothing.
    let (conn, act) = d.parts();
    assert_eq!(
        edit(conn, act, &is, &change).await.unwrap(),
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn what_runs_and_what_has_moved_is_not_changed() {
    let mut d = Desk::new().await;
    let id = d.bead("a", &[]).await;
    let stale = d.get(&id).await;
    d.queue(&id).await;
    let change = BeadEdit {
        title: Some("new".into()),
        ..BeadEdit::default()
    };
    let (conn, act) = d.parts();
    assert!(matches!(
        edit(conn, act, &stale, &change).await,
        Err(DepotError::LostRace { .. })
    ));
    d.claim(&id).await;
    let runs = d.get(&id).await;
    let (conn, act) = d.parts();
    assert!(matches!(
        edit(conn, act, &runs, &change).await,
        Err(DepotError::Busy {
            status: BeadStatus::Assigned,
            ..
        })
    ));
}

#[tokio::test]
async fn only_what_waits_for_a_person_is_approved_and_it_is_told_the_answer() {
    let mut d = Desk::new().await;
    let id = d.bead("a", &[]).await;
    let next = d.bead("b", &[&id]).await;
    d.queue(&id).await;
    for cause in [BlockCause::Policy, BlockCause::TooLarge] {
        let (conn, act) = d.parts();
        block(conn, act, &id, BeadStatus::Queued, None, cause, "no")
            .await
            .unwrap();
        assert_eq!(approve(conn, act, &id, None).await.unwrap(), None);
        retry(conn, act, &id).await.unwrap();
    }
    count_failure(&mut d.tx, &id, "a test fails").await.unwrap();
    let (conn, act) = d.parts();
    let cause = BlockCause::Person;
    block(conn, act, &id, BeadStatus::Queued, None, cause, "look")
        .await
        .unwrap();
    let approved = approve(conn, act, &id, Some("leave it out")).await;
    assert_eq!(approved.unwrap(), Some(BeadStatus::Queued));
    let is = d.get(&id).await;
    assert_eq!(
        (
            is.status,
            is.failures,
            is.block_cause,
            is.feedback.as_deref()
        ),
        (
            BeadStatus::Queued,
            0,
            None,
            Some(
                "A person has looked at it and says:\nleave it out\n\nWhat was found before:\na test fails"
            )
        )
    );
    assert_eq!(d.get(&next).await.status, BeadStatus::Queued);
    let (conn, act) = d.parts();
    assert_eq!(approve(conn, act, &id, None).await.unwrap(), None);
}

#[tokio::test]
async fn work_that_was_finished_is_checked_again_unless_there_is_an_answer_or_it_met_a_conflict() {
    for (answer, commit, conflict, want) in [
        (None, Some("c0ffee"), false, BeadStatus::Reviewing),
        (Some("smaller"), Some("c0ffee"), false, BeadStatus::Queued),
        (None, None, false, BeadStatus::Queued),
        (None, Some("c0ffee"), true, BeadStatus::Queued),
    ] {
        let mut d = Desk::new().await;
        let id = d.bead("a", &[]).await;
        d.queue(&id).await;
        let fence = d.claim(&id).await;
        let (conn, act) = d.parts();
        start(conn, act, &id, &fence).await.unwrap();
        finish(conn, act, &id, &fence, "done").await.unwrap();
        let attempt = last_attempt(conn, &id).await.unwrap().unwrap();
        let end = AttemptEnd {
            status: "done".into(),
            commit_id: commit.map(str::to_owned),
            ..AttemptEnd::default()
        };
        end_attempt(conn, act, &attempt, &end).await.unwrap();
        if conflict {
            let event = NewEvent::new(events::EventType::MergeConflict, "foreman")
                .bead(&id)
                .attempt(Some(attempt.id));
            events::append(conn, act.ids, act.now, event).await.unwrap();
        }
        let from = BeadStatus::Reviewing;
        let cause = BlockCause::Person;
        block(conn, act, &id, from, Some(&fence), cause, "no gate")
            .await
            .unwrap();
        assert_eq!(approve(conn, act, &id, answer).await.unwrap(), Some(want));
        let waiting = to_review(conn, None).await.unwrap();
        let waiting: Vec<&BeadId> = waiting.iter().map(|b| &b.id).collect();
        let wanted: &[&BeadId] = if want == BeadStatus::Reviewing {
            &[&id]
        } else {
            &[]
        };
        assert_eq!(waiting, wanted);
        // Another convoy's foreman does not look at it.
        assert_eq!(to_review(conn, Some(&[])).await.unwrap(), []);
    }
}
