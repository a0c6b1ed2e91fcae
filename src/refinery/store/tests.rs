//! Every store function on a real migrated file.

mod capacity;
mod forecasts;
mod kinds;
mod ledger;
mod processes;
mod proof;
mod said;
mod steps;

use std::time::Duration;

use super::rebuild::{check, repair};
use super::reserve::{Outcome, Reservation, Settled};
use super::*;
use crate::config::{LimitKind, LimitUnit, ProviderSettings, WindowLimit};
use crate::core::Length;
use crate::core::time::Span;
use crate::core::{BeadId, MicroUsd, ProviderName, Timestamp, Usage};
use crate::refinery::admit::Refusal;
use crate::refinery::{Ask, TankSettings};
use crate::testing::TestDb;

const HOUR: Duration = Duration::from_hours(1);

fn provider() -> ProviderName {
    "claude".parse().unwrap()
}

fn bead() -> BeadId {
    "gt-a1b2c".parse().unwrap()
}

fn limit(kind: LimitKind, unit: LimitUnit, length: Duration, amount: u64) -> WindowLimit {
    WindowLimit {
        window: Some(Length::For(Span(length))),
        kind,
        unit,
        amount: Some(amount).filter(|_| unit != LimitUnit::Percent),
        model: None,
        burst: None,
        zone: None,
    }
}

fn settings(limits: &[WindowLimit]) -> TankSettings {
    let entry = ProviderSettings {
        limits: limits.to_vec(),
        max_parallel: 100,
        ..ProviderSettings::default()
    };
    TankSettings::of(&provider(), &entry)
}

/// 1000 tokens in five hours, from the first use.
fn five_hours() -> TankSettings {
    settings(&[limit(
        LimitKind::Anchored,
        LimitUnit::Tokens,
        5 * HOUR,
        1000,
    )])
}

fn used_tokens(tokens: u64) -> Usage {
    Usage {
        input: tokens,
        requests: 1,
        ..Usage::default()
    }
}

fn claim(t: &TestDb, tokens: u64) -> Claim {
    Claim {
        attempt: t.ids.attempt(),
        bead: bead(),
        convoy: None,
        owner: "1.2.abc".into(),
        ask: Ask {
            tokens,
            requests: 1,
            cost: MicroUsd(0),
            spread: 0.0,
            lasts: None,
            model: None,
        },
        expires_at: t.clock.now() + HOUR,
    }
}

/// Reserves in a transaction of its own.
async fn reserve_one(
    t: &TestDb,
    settings: &TankSettings,
    claim: &Claim,
) -> Result<Reservation, Refusal> {
    let mut tx = t.db.write().await.unwrap();
    let answer = reserve(&mut tx, &t.ids, t.clock.now(), settings, claim)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    answer
}

/// Settles with one slice in a transaction of its own.
async fn settle_one(t: &TestDb, claim: &Claim, tokens: u64) -> Settled {
    let slice = Slice {
        number: 0,
        model: None,
        usage: used_tokens(tokens),
    };
    let mut tx = t.db.write().await.unwrap();
    let settled = settle(
        &mut tx,
        &t.ids,
        t.clock.now(),
        claim.attempt,
        &[slice],
        true,
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();
    settled
}

async fn tank(t: &TestDb, settings: &TankSettings) -> crate::refinery::Tank {
    let mut conn = t.db.read().await.unwrap();
    load_one(&mut conn, settings, t.clock.now()).await.unwrap()
}

async fn event_types(t: &TestDb) -> Vec<String> {
    let mut conn = t.db.read().await.unwrap();
    sqlx::query_scalar("SELECT type FROM events ORDER BY seq")
        .fetch_all(&mut *conn)
        .await
        .unwrap()
}

/// Nothing that is derived differs from what it is derived from.
async fn assert_sound(t: &TestDb) {
    let mut conn = t.db.read().await.unwrap();
    assert_eq!(check(&mut conn).await.unwrap(), []);
}

fn minutes(t: &TestDb, n: u64) {
    t.time.advance(Duration::from_mins(n));
}

fn clock_time(text: &str) -> Timestamp {
    format!("2026-11-20T{text}Z").parse().unwrap()
}
