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
        // Two levels are worth four days.
        rank: was.rank + 4 * 86_400_000,
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

#[tokio::test]
async fn what_a_convoy_is_due_for_moves_its_beads_forward() {
    let mut d = Desk::new().await;
    let plain = d.bead("plain", &[]).await;
    let (conn, act) = d.parts();
    let convoy = NewConvoy {
        name: "urgent".into(),
        deadline: Some(act.now + std::time::Duration::from_hours(2)),
        ..NewConvoy::default()
    };
    let convoy = insert_convoy(conn, act, convoy).await.unwrap().id;
    let mut new = NewBead::new("due", TaskType::Test);
    new.convoy_id = Some(convoy.clone());
    let due = insert(conn, act, new).await.unwrap().id;
    let added = d.bead("added", &[]).await;
    let (conn, act) = d.parts();
    add_bead(conn, act, &convoy, &added).await.unwrap();
    for id in [&plain, &due, &added] {
        d.queue(id).await;
    }
    let order = ready(&mut d.tx, None, 10).await.unwrap();
    let order: Vec<BeadId> = order.into_iter().map(|r| r.id).collect();
    assert_eq!(order, [due, added, plain]);
}

#[tokio::test]
async fn only_beads_that_are_being_worked_on_hold_their_files() {
    let mut d = Desk::new().await;
    let (conn, act) = d.parts();
    let convoy = NewConvoy {
        name: "c".into(),
        ..NewConvoy::default()
    };
    let convoy = insert_convoy(conn, act, convoy).await.unwrap().id;
    let mut ids = Vec::new();
    for file in ["src/a.rs", "src/b.rs"] {
        let mut new = NewBead::new(file, TaskType::Test);
        new.convoy_id = Some(convoy.clone());
        new.files = vec![file.into()];
        ids.push(insert(conn, act, new).await.unwrap().id);
    }
    d.queue(&ids[0]).await;
    d.queue(&ids[1]).await;
    assert_eq!(touched(&mut d.tx, &convoy).await.unwrap(), vec![]);
    d.claim(&ids[1]).await;
    assert_eq!(
        touched(&mut d.tx, &convoy).await.unwrap(),
        vec![(ids[1].clone(), vec!["src/b.rs".to_owned()])]
    );
}
