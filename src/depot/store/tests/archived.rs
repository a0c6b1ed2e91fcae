//! What is archived: out of the way, and still there for whoever asks.

use std::time::Duration;

use pretty_assertions::assert_eq;

use super::*;
use crate::core::Timestamp;

/// What is archived of what ended before this.
async fn sweep(desk: &mut Desk, before: Timestamp) -> Vec<BeadId> {
    let mut sweep = Sweep::of(before);
    let mut gone = Vec::new();
    let (conn, act) = desk.parts();
    while !sweep.is_done() {
        let page = sweep.next(conn).await.unwrap();
        archive(conn, act, &page).await.unwrap();
        gone.extend(page);
    }
    gone
}

impl Desk {
    /// With its attempt ended as well, as the foreman does it.
    async fn done(&mut self, id: &BeadId) {
        self.complete(id).await;
        let attempt = last_attempt(&mut self.tx, id).await.unwrap().unwrap();
        let (conn, act) = self.parts();
        let end = AttemptEnd {
            status: "done".into(),
            ..AttemptEnd::default()
        };
        assert!(end_attempt(conn, act, &attempt, &end).await.unwrap());
    }

    fn later(&self) -> Timestamp {
        self.t.clock.now() + Duration::from_hours(1)
    }
}

async fn rows(conn: &mut Conn, sql: &'static str) -> Vec<(String, String)> {
    sqlx::query_as(sql).fetch_all(conn).await.unwrap()
}

#[tokio::test]
async fn an_archived_bead_is_shown_counted_found_and_waited_for_as_before() {
    let mut d = Desk::new().await;
    let a = d.bead("a", &[]).await;
    let b = d.bead("b", &[&a]).await;
    d.done(&a).await;
    d.done(&b).await;
    let open = d.bead("open", &[]).await;
    let before = (
        d.get(&b).await,
        dependencies_of(&mut d.tx, &b).await.unwrap(),
        attempts_of(&mut d.tx, &b).await.unwrap(),
        status_counts(&mut d.tx, None).await.unwrap(),
    );
    let later = d.later();
    assert_eq!(sweep(&mut d, later).await.len(), 2);
    let after = (
        d.get(&b).await,
        dependencies_of(&mut d.tx, &b).await.unwrap(),
        attempts_of(&mut d.tx, &b).await.unwrap(),
        status_counts(&mut d.tx, None).await.unwrap(),
    );
    assert_eq!(after, before);
    assert_eq!(
        find_bead(&mut d.tx, &a.as_str()[3..]).await.unwrap(),
        Found::One(a.clone())
    );
    let every = BeadFilter {
        limit: 10,
        ..BeadFilter::default()
    };
    let listed = list(&mut d.tx, &every).await.unwrap();
    let listed: Vec<_> = listed.into_iter().map(|bead| bead.id).collect();
    assert_eq!(listed, std::slice::from_ref(&open));
    let known = states_of(&mut d.tx, &[a.clone(), open.clone()])
        .await
        .unwrap();
    assert_eq!(known[&a], BeadStatus::Completed);
    // It is completed: nothing waits for it, and that it was named is known.
    let late = d.bead("late", &[&a]).await;
    assert_eq!(d.get(&late).await.open_deps, 0);
    assert_eq!(dependencies_of(&mut d.tx, &late).await.unwrap(), [a]);
    let events = rows(
        &mut d.tx,
        "SELECT type, count(*) || '' FROM events WHERE type = 'beads.archived' GROUP BY type",
    );
    assert_eq!(events.await, [("beads.archived".into(), "1".into())]);
}

#[tokio::test]
async fn nothing_can_be_done_with_an_archived_bead() {
    let mut d = Desk::new().await;
    let id = d.bead("a", &[]).await;
    let (conn, act) = d.parts();
    cancel(conn, act, &id, "not needed").await.unwrap();
    let later = d.later();
    assert_eq!(sweep(&mut d, later).await, std::slice::from_ref(&id));
    let (conn, act) = d.parts();
    let error = retry(conn, act, &id).await.unwrap_err();
    assert!(matches!(error, DepotError::Archived(_)), "{error:?}");
    let waiting = NewBead {
        depends_on: vec![id],
        ..NewBead::new("waits for what will not come", TaskType::Test)
    };
    let error = insert(conn, act, waiting).await.unwrap_err();
    assert!(matches!(error, DepotError::Archived(_)), "{error:?}");
}

#[tokio::test]
async fn what_is_young_open_waited_for_or_of_an_open_convoy_stays() {
    let mut d = Desk::new().await;
    let (conn, act) = d.parts();
    let convoy = insert_convoy(conn, act, NewConvoy::default())
        .await
        .unwrap();
    let with = NewBead {
        convoy_id: Some(convoy.id.clone()),
        ..NewBead::new("of a convoy", TaskType::Test)
    };
    let of_convoy = insert(conn, act, with.clone()).await.unwrap().id;
    let other_of_it = insert(conn, act, with).await.unwrap().id;
    let waited_for = d.bead("waited for", &[]).await;
    let waits = d.bead("waits", &[&waited_for]).await;
    d.done(&of_convoy).await;
    d.done(&waited_for).await;
    let now = d.t.clock.now();
    assert_eq!(sweep(&mut d, now).await, [], "they ended just now");
    let later = d.later();
    assert_eq!(sweep(&mut d, later).await, []);
    d.done(&other_of_it).await;
    d.done(&waits).await;
    let progress_before = progress(&mut d.tx, &convoy.id).await.unwrap();
    let beads_before = beads_of(&mut d.tx, &convoy.id).await.unwrap();
    assert_eq!(sweep(&mut d, later).await.len(), 4);
    assert_eq!(
        progress(&mut d.tx, &convoy.id).await.unwrap(),
        progress_before
    );
    assert_eq!(beads_of(&mut d.tx, &convoy.id).await.unwrap(), beads_before);
}

#[tokio::test]
async fn the_tables_of_the_archive_have_the_columns_of_the_others() {
    let mut d = Desk::new().await;
    for (table, archive) in [
        (
            "SELECT name, type FROM pragma_table_info('beads')",
            "SELECT name, type FROM pragma_table_info('archived_beads') WHERE name NOT IN ('archived_at', 'at_row')",
        ),
        (
            "SELECT name, type FROM pragma_table_info('attempts')",
            "SELECT name, type FROM pragma_table_info('archived_attempts')",
        ),
        (
            "SELECT name, type FROM pragma_table_info('completions')",
            "SELECT name, type FROM pragma_table_info('archived_completions')",
        ),
        (
            "SELECT name, type FROM pragma_table_info('dependencies')",
            "SELECT name, type FROM pragma_table_info('archived_dependencies')",
        ),
    ] {
        let columns = rows(&mut d.tx, table).await;
        assert!(columns.len() > 2);
        assert_eq!(rows(&mut d.tx, archive).await, columns, "{archive}");
    }
}

#[tokio::test]
async fn more_than_a_page_is_looked_at_once_and_goes_in_steps() {
    let mut d = Desk::new().await;
    for n in 0..3 {
        let _stays = d.bead(&n.to_string(), &[]).await;
    }
    sqlx::query(
        "INSERT INTO beads (id, title, description, task_type, status, created_at, updated_at, completed_at)
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)
         SELECT printf('gt-x%05d', i), 't', 'd', 'test', CASE WHEN i % 3 = 0 THEN 'failed' ELSE 'completed' END,
             ?1, ?1, CASE WHEN i % 400 = 1 THEN ?2 ELSE ?1 END FROM n",
    )
    .bind(d.t.clock.now())
    .bind(d.later())
    .execute(&mut *d.tx)
    .await
    .unwrap();
    let before = d.t.clock.now() + Duration::from_secs(1);
    assert_eq!(sweep(&mut d, before).await.len(), 1200 - 3);
    assert_eq!(
        sweep(&mut d, before).await,
        [],
        "a second time there is nothing"
    );
    let left = rows(&mut d.tx, "SELECT 'left', count(*) || '' FROM beads").await;
    assert_eq!(left[0].1, "6");
}
