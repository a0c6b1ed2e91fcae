//! Attempts, ids, lists, and what a crash leaves.

use pretty_assertions::assert_eq;

use super::*;

#[tokio::test]
async fn an_attempt_ends_once() {
    let mut d = Desk::new().await;
    let id = d.bead("a", &[]).await;
    d.queue(&id).await;
    d.claim(&id).await;
    let attempt = last_attempt(&mut d.tx, &id).await.unwrap().unwrap();
    assert_eq!(
        running_attempts(&mut d.tx).await.unwrap(),
        std::slice::from_ref(&attempt)
    );
    let end = AttemptEnd {
        status: "limit".into(),
        rule: Some("r".into()),
        ..Default::default()
    };
    let (conn, act) = d.parts();
    assert!(end_attempt(conn, act, &attempt, &end).await.unwrap());
    assert!(
        !end_attempt(
            conn,
            act,
            &attempt,
            &AttemptEnd {
                status: "lost".into(),
                ..Default::default()
            }
        )
        .await
        .unwrap()
    );
    assert_eq!(attempts_of(conn, &id).await.unwrap()[0].status, "limit");
}

#[tokio::test]
async fn ids_are_found_by_any_unique_beginning() {
    let mut d = Desk::new().await;
    let ids = [d.bead("a", &[]).await, d.bead("b", &[]).await];
    let whole = ids[0].as_str();
    for typed in [
        whole.to_owned(),
        whole[3..].to_owned(),
        whole[..6].to_uppercase(),
    ] {
        assert_eq!(
            find_bead(&mut d.tx, &typed).await.unwrap(),
            Found::One(ids[0].clone()),
            "{typed}"
        );
    }
    for none in ["gt-", "", "zzzzzzzzz", "gt-%", "' OR 1=1"] {
        assert_eq!(
            find_bead(&mut d.tx, none).await.unwrap(),
            Found::None,
            "{none}"
        );
    }
}

#[tokio::test]
async fn lists_filter_and_keep_their_order() {
    let mut d = Desk::new().await;
    let a = d.bead("a", &[]).await;
    d.t.time.advance(std::time::Duration::from_secs(1));
    let b = d.bead("b", &[]).await;
    d.queue(&b).await;
    let mut ids = async |filter: BeadFilter| -> Vec<BeadId> {
        list(&mut d.tx, &filter)
            .await
            .unwrap()
            .into_iter()
            .map(|b| b.id)
            .collect()
    };
    let all = BeadFilter {
        limit: 10,
        ..Default::default()
    };
    assert_eq!(ids(all.clone()).await, [b.clone(), a.clone()]);
    assert_eq!(
        ids(BeadFilter {
            statuses: vec![BeadStatus::Pending],
            ..all.clone()
        })
        .await,
        [a.clone()]
    );
    let two = vec![BeadStatus::Pending, BeadStatus::Queued];
    assert_eq!(
        ids(BeadFilter {
            statuses: two,
            ..all.clone()
        })
        .await,
        [b.clone(), a]
    );
    assert_eq!(
        ids(BeadFilter {
            ready: true,
            ..all.clone()
        })
        .await,
        [b]
    );
    assert_eq!(
        ids(BeadFilter {
            task_type: Some(TaskType::Debug),
            ..all
        })
        .await,
        []
    );
}

#[tokio::test]
async fn a_crash_leaves_review_and_merge_to_be_adopted() {
    let mut d = Desk::new().await;
    let id = d.bead("a", &[]).await;
    d.queue(&id).await;
    let fence = d.claim(&id).await;
    let (conn, act) = d.parts();
    start(conn, act, &id, &fence).await.unwrap();
    finish(conn, act, &id, &fence, "done").await.unwrap();
    let held = leased(conn).await.unwrap();
    adopt(conn, act, &held[0], "heir", act.now).await.unwrap();
    let heir = Fence {
        attempt: 1,
        owner: "heir".into(),
    };
    let error = accept(conn, act, &id, &fence, json!([])).await.unwrap_err();
    assert!(matches!(error, DepotError::Fenced { .. }), "{error}");
    accept(conn, act, &id, &heir, json!([])).await.unwrap();
    complete(conn, act, &id, &heir, None).await.unwrap();
    assert!(matches!(
        BeadStatus::Completed.apply(BeadEvent::Complete),
        Err(IllegalTransition { .. })
    ));
}
