//! What proves that a wall or a circuit is open again, or that a stored row is damaged.

use super::said::{hit, observation, say, subscription, wall};
use super::*;
use crate::provider::{Class, Observation, Scope};
use pretty_assertions::assert_eq;

#[tokio::test]
async fn a_success_proves_what_lies_on_its_models_way_and_nothing_else() {
    let t = TestDb::new().await;
    let settings = five_hours();
    let (opus, haiku) = (Scope::Model("opus".into()), Scope::Model("haiku".into()));
    let mut tx = t.db.write().await.unwrap();
    for scope in [&opus, &haiku] {
        for _ in 0..3 {
            let (now, class) = (t.clock.now(), Class::Overloaded);
            failure(&mut tx, &t.ids, now, &provider(), scope, class)
                .await
                .unwrap();
        }
        let order = CloseOrder {
            scope: scope.clone(),
            ..wall(None, None)
        };
        close(&mut tx, &t.ids, t.clock.now(), &order).await.unwrap();
    }
    tx.commit().await.unwrap();
    minutes(&t, 60);
    let mut tx = t.db.write().await.unwrap();
    let (now, model) = (t.clock.now(), Some("claude-opus-5-5"));
    success(&mut tx, &t.ids, now, &provider(), model, now)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let tank = tank(&t, &settings).await;
    let scopes: Vec<&Scope> = tank.circuits.iter().map(|(scope, _)| scope).collect();
    assert_eq!(scopes, [&haiku]);
    let unproven: Vec<&Scope> = tank
        .windows
        .iter()
        .filter(|w| w.is_cautious)
        .map(|w| &w.key.scope)
        .collect();
    assert_eq!(unproven, [&haiku]);
    assert_sound(&t).await;
}

#[tokio::test]
async fn an_early_reset_that_a_refresh_finds_opens_the_wall_at_once() {
    let t = TestDb::new().await;
    let settings = subscription();
    let metered = |t: &TestDb, share| Observation {
        status: None,
        ..observation(t, Some(share))
    };
    say(&t, None, &metered(&t, 0.9)).await;
    minutes(&t, 1);
    hit(&t, &wall(None, None)).await;
    minutes(&t, 1);
    // A meter that still shows much says nothing about the wall.
    say(&t, None, &metered(&t, 0.9)).await;
    assert!(reserve_one(&t, &settings, &claim(&t, 1)).await.is_err());
    minutes(&t, 1);
    say(&t, None, &metered(&t, 0.03)).await;
    reserve_one(&t, &settings, &claim(&t, 1)).await.unwrap();
    assert_sound(&t).await;
}

#[tokio::test]
async fn damage_to_a_derived_row_is_found_and_mended_in_one_step_with_an_event() {
    let t = TestDb::new().await;
    say(&t, None, &observation(&t, Some(0.5))).await;
    let mut tx = t.db.write().await.unwrap();
    sqlx::query("UPDATE windows SET used_fraction = 0.1")
        .execute(&mut *tx)
        .await
        .unwrap();
    sqlx::query(
        "INSERT INTO anchors VALUES ('claude', 'model:opus', 5000, '2026-11-20T07:00:00.000Z')",
    )
    .execute(&mut *tx)
    .await
    .unwrap();
    let found = repair(&mut tx, &t.ids, t.clock.now()).await.unwrap();
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "claude account five_hour: is not what was observed",
            "claude model:opus: no window began at 2026-11-20T07:00:00.000Z",
        ]
    );
    tx.commit().await.unwrap();
    assert_sound(&t).await;
    assert_eq!(event_types(&t).await.last().unwrap(), "windows.rebuilt");
}
