//! Conflict beads, and the originals that wait for them.

use pretty_assertions::assert_eq;

use super::*;

/// An original in `merging`, and the conflict bead it waits for, in a convoy.
async fn waiting(d: &mut Desk) -> (ConvoyId, BeadId, BeadId) {
    let (conn, act) = d.parts();
    let convoy = insert_convoy(conn, act, NewConvoy::default())
        .await
        .unwrap()
        .id;
    let original = d.bead("a", &[]).await;
    let (conn, act) = d.parts();
    add_bead(conn, act, &convoy, &original).await.unwrap();
    d.queue(&original).await;
    let fence = d.claim(&original).await;
    let (conn, act) = d.parts();
    start(conn, act, &original, &fence).await.unwrap();
    finish(conn, act, &original, &fence, "done").await.unwrap();
    accept(conn, act, &original, &fence, json!([]))
        .await
        .unwrap();
    let mut bead = NewBead::new("bring both together", TaskType::Test);
    bead.convoy_id = Some(convoy.clone());
    let opening = Opening {
        original: &original,
        fence: &fence,
        commit: "c0ffee",
        files: &["a.txt".to_owned()],
        bead,
    };
    let bead = open_conflict(conn, act, opening).await.unwrap();
    (convoy, original, bead)
}

async fn statuses(d: &mut Desk, beads: [&BeadId; 2]) -> [BeadStatus; 2] {
    [d.get(beads[0]).await.status, d.get(beads[1]).await.status]
}

#[tokio::test]
async fn an_original_waits_without_a_lease_and_nobody_takes_it_back() {
    let mut d = Desk::new().await;
    let (convoy, original, bead) = waiting(&mut d).await;
    assert_eq!(d.get(&original).await.status, BeadStatus::Merging);
    assert_eq!(leased(&mut d.tx).await.unwrap(), []);
    let p = progress(&mut d.tx, &convoy).await.unwrap();
    assert_eq!((p.total, p.active, p.waiting), (2, 0, 2));
    let known = conflict_of(&mut d.tx, &original, "c0ffee").await.unwrap();
    assert_eq!(known, Some((bead.clone(), BeadStatus::Pending)));
    let open = open_conflicts(&mut d.tx, None).await.unwrap();
    assert_eq!(open, std::slice::from_ref(&bead));
    // Once its conflict bead is over, it is taken up like any that was let go.
    d.queue(&bead).await;
    let fence = d.claim(&bead).await;
    let (conn, act) = d.parts();
    start(conn, act, &bead, &fence).await.unwrap();
    finish(conn, act, &bead, &fence, "done").await.unwrap();
    accept(conn, act, &bead, &fence, json!([])).await.unwrap();
    complete(conn, act, &bead, &fence, None).await.unwrap();
    let left: Vec<BeadId> = leased(conn)
        .await
        .unwrap()
        .into_iter()
        .map(|b| b.id)
        .collect();
    assert_eq!(left, [original]);
    assert_eq!(progress(conn, &convoy).await.unwrap().active, 1);
}

#[tokio::test]
async fn a_conflict_bead_that_cannot_go_on_leaves_its_original_to_a_person() {
    for how in ["blocked", "failed", "cancelled"] {
        let mut d = Desk::new().await;
        let (_, original, bead) = waiting(&mut d).await;
        let from = BeadStatus::Pending;
        let (conn, act) = d.parts();
        let done = match how {
            "blocked" => {
                block(
                    conn,
                    act,
                    &bead,
                    from,
                    None,
                    BlockCause::Policy,
                    "forbidden",
                )
                .await
            }
            "failed" => fail(conn, act, &bead, from, None, "broken").await,
            _ => cancel(conn, act, &bead, "not wanted").await.map(drop),
        };
        done.unwrap();
        let now = statuses(&mut d, [&original, &bead]).await;
        assert_eq!(now, [BeadStatus::Blocked, BeadStatus::Cancelled], "{how}");
        let left = d.get(&original).await;
        assert_eq!(left.block_cause, Some(BlockCause::Person));
        assert!(left.block_reason.unwrap().contains(bead.as_str()));
        assert!(left.feedback.unwrap().contains("a.txt"));
        let (conn, act) = d.parts();
        let again = retry(conn, act, &bead).await.unwrap_err();
        assert!(matches!(again, DepotError::NotNeeded { .. }), "{again:?}");
        retry(conn, act, &original).await.unwrap();
        assert_eq!(d.get(&original).await.status, BeadStatus::Queued);
    }
}

#[tokio::test]
async fn with_an_original_or_a_convoy_goes_the_conflict_bead() {
    let mut d = Desk::new().await;
    let (_, original, bead) = waiting(&mut d).await;
    let (conn, act) = d.parts();
    cancel(conn, act, &original, "no").await.unwrap();
    let over = [BeadStatus::Cancelled; 2];
    assert_eq!(statuses(&mut d, [&original, &bead]).await, over);

    let mut d = Desk::new().await;
    let (convoy, original, bead) = waiting(&mut d).await;
    let (conn, act) = d.parts();
    cancel_convoy(conn, act, &convoy, "no").await.unwrap();
    assert_eq!(statuses(&mut d, [&original, &bead]).await, over);
}
