use pretty_assertions::assert_eq;

use super::super::{insert_many, page, states_of};
use super::*;
use crate::depot::Arrival;

impl Desk {
    fn arrival(&self, id: &str, on: &[&str], status: BeadStatus) -> Arrival {
        let mut new = NewBead::new(id, TaskType::Test);
        new.depends_on = on.iter().map(|id| id.parse().unwrap()).collect();
        let now = self.t.clock.now();
        Arrival {
            id: id.parse().unwrap(),
            new,
            status,
            reason: None,
            output: None,
            created_at: now,
            completed_at: status.is_over().then_some(now),
        }
    }

    async fn arrive(&mut self, arrivals: &[Arrival]) -> Result<()> {
        let (conn, act) = self.parts();
        insert_many(conn, act, arrivals).await
    }
}

#[tokio::test]
async fn beads_that_arrive_together_are_like_beads_made_one_by_one() {
    let mut desk = Desk::new().await;
    let made = desk.bead("gt-aaaaa", &[]).await;
    let made = desk.get(&made).await;
    let arrival = desk.arrival("gt-aaaaa", &[], BeadStatus::Pending);
    desk.arrive(&[arrival]).await.unwrap();
    let id = "gt-aaaaa".parse().unwrap();
    let arrived = desk.get(&id).await;
    assert_eq!(arrived, Bead { id, ..made });
    let told = "SELECT count(*) FROM events WHERE type = 'bead.created'";
    let n: i64 = sqlx::query_scalar(told)
        .fetch_one(&mut *desk.tx)
        .await
        .unwrap();
    assert_eq!(n, 2);
    assert_eq!(
        status_counts(&mut desk.tx, None).await.unwrap(),
        vec![(BeadStatus::Pending, 2)]
    );
}

#[tokio::test]
async fn what_is_open_among_dependencies_is_counted_and_the_hopeless_is_blocked() {
    let mut desk = Desk::new().await;
    let (pending, completed) = (BeadStatus::Pending, BeadStatus::Completed);
    let all = [
        desk.arrival("gt-done1", &[], completed),
        desk.arrival("gt-lost1", &[], BeadStatus::Failed),
        desk.arrival("gt-open1", &["gt-done1"], pending),
        desk.arrival("gt-open2", &["gt-done1", "gt-open1"], pending),
        desk.arrival("gt-never", &["gt-lost1"], pending),
        desk.arrival("gt-after", &["gt-never"], pending),
    ];
    desk.arrive(&all).await.unwrap();
    let mut found = Vec::new();
    for a in &all {
        let bead = desk.get(&a.id).await;
        found.push((bead.open_deps, bead.status));
    }
    let blocked = BeadStatus::Blocked;
    assert_eq!(
        found,
        vec![
            (0, completed),
            (0, BeadStatus::Failed),
            (0, pending),
            (1, pending),
            (1, blocked),
            (1, blocked)
        ]
    );
}

#[tokio::test]
async fn an_id_that_is_taken_stores_nothing_of_a_batch() {
    let mut desk = Desk::new().await;
    let one = desk.arrival("gt-aaaaa", &[], BeadStatus::Pending);
    desk.arrive(std::slice::from_ref(&one)).await.unwrap();
    let two = desk.arrival("gt-bbbbb", &[], BeadStatus::Pending);
    let error = desk.arrive(&[two, one.clone()]).await.unwrap_err();
    assert!(matches!(error, DepotError::Taken), "{error}");
    let ids = ["gt-aaaaa", "gt-ccccc"].map(|id| id.parse().unwrap());
    let known = states_of(&mut desk.tx, &ids).await.unwrap();
    assert_eq!(
        known.into_iter().collect::<Vec<_>>(),
        vec![(one.id, BeadStatus::Pending)]
    );
}

#[tokio::test]
async fn pages_hold_every_bead_once_in_the_order_they_were_made() {
    let mut desk = Desk::new().await;
    let mut all = Vec::new();
    for n in 0..25 {
        all.push(desk.arrival(&format!("gt-bead{n:02}"), &[], BeadStatus::Pending));
    }
    desk.arrive(&all).await.unwrap();
    let mut seen = Vec::new();
    let mut last: Option<(i64, Bead)> = None;
    loop {
        let after = last.as_ref().map(|(row, bead)| (bead, *row));
        let next = page(&mut desk.tx, after, 10).await.unwrap();
        if next.is_empty() {
            break;
        }
        seen.extend(next.iter().map(|(_, bead)| bead.id.clone()));
        last = next.into_iter().next_back();
    }
    let ids: Vec<BeadId> = all.into_iter().map(|a| a.id).collect();
    assert_eq!(seen, ids);
}
