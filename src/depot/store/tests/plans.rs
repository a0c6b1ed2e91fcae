//! That the statements which everything waits for read an index in its order, however many beads
//! there are: they name it, and sort nothing.

use pretty_assertions::assert_eq;

use super::super::{archive, claim, promote};
use super::*;
use crate::testing::TestDb;

const HOT: &[(&str, &str)] = &[
    (claim::READY, "beads_ready"),
    (claim::PENDING, "beads_pending"),
    (claim::NEXT_DUE, "beads_deferred"),
    (claim::FIRST_DEFERRED, "beads_deferred"),
    (promote::DUE, "beads_deferred"),
    (promote::WAITING, "beads_waiting_for"),
    (archive::NEXT, "beads_by_status"),
    (attempts::OF_MARKER, "attempts_by_marker"),
    (attempts::PAST, "completions_whole"),
];

async fn plan(conn: &mut Conn, sql: &str) -> std::result::Result<Vec<String>, String> {
    let rows: std::result::Result<Vec<(i64, i64, i64, String)>, _> =
        sqlx::query_as(sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")))
            .fetch_all(conn)
            .await;
    rows.map(|rows| rows.into_iter().map(|row| row.3).collect())
        .map_err(|e| e.to_string())
}

#[tokio::test]
async fn hot_statements_walk_their_index_and_sort_nothing() {
    let t = TestDb::new().await;
    let mut conn = t.db.read().await.unwrap();
    for (sql, index) in HOT {
        let plan = plan(&mut conn, sql).await.unwrap();
        let walks = plan.iter().any(|step| step.contains(index));
        assert!(walks, "{sql}: {plan:?}");
        let sorts = plan.iter().any(|step| step.contains("TEMP B-TREE"));
        assert!(!sorts, "{sql}: {plan:?}");
    }
}

#[tokio::test]
async fn of_a_served_convoy_only_its_own_beads_are_read() {
    let t = TestDb::new().await;
    let mut conn = t.db.read().await.unwrap();
    for sql in [claim::READY_OF, claim::PENDING_OF] {
        let plan = plan(&mut conn, sql).await.unwrap().join("; ");
        let index = "SEARCH b USING INDEX beads_by_convoy (convoy_id=? AND status=?)";
        assert!(plan.contains(index), "{sql}: {plan}");
    }
}

#[tokio::test]
async fn without_its_index_a_hot_statement_fails_instead_of_crawling() {
    let t = TestDb::new().await;
    let mut tx = t.db.write().await.unwrap();
    for (sql, index) in HOT {
        let drop = format!("DROP INDEX IF EXISTS {index}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(drop))
            .execute(&mut *tx)
            .await
            .unwrap();
        let error = plan(&mut tx, sql).await.unwrap_err();
        assert!(error.contains("no such index"), "{sql}: {error}");
    }
}

#[tokio::test]
async fn lists_of_every_shape_walk_an_index() {
    let mut desk = Desk::new().await;
    let first = desk.bead("first", &[]).await;
    let second = desk.bead("second", &[]).await;
    desk.queue(&second).await;
    let mut listed = async |filter: BeadFilter| -> Vec<BeadId> {
        let found = list(&mut desk.tx, &filter).await.unwrap();
        found.into_iter().map(|b| b.id).collect()
    };
    let all = BeadFilter {
        limit: 10,
        ..BeadFilter::default()
    };
    let ready = BeadFilter {
        ready: true,
        ..all.clone()
    };
    let of = |statuses: &[BeadStatus]| BeadFilter {
        statuses: statuses.to_vec(),
        ..all.clone()
    };
    let both = vec![second.clone(), first.clone()];
    assert_eq!(listed(all.clone()).await, both);
    assert_eq!(listed(ready).await, vec![second.clone()]);
    assert_eq!(listed(of(&[BeadStatus::Pending])).await, vec![first]);
    let two = [BeadStatus::Pending, BeadStatus::Queued];
    assert_eq!(listed(of(&two)).await, both);
}
