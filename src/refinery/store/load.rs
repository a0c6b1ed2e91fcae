//! Tanks out of the store: a fixed number of statements, however many providers there are and
//! however long the ledger is. Sums read no further back than each window's own stretch.

use std::collections::BTreeMap;
use std::time::Duration;

use sqlx::{FromRow as _, Row as _};

use super::sums::{self, Anchor, Want};
use super::windows::{self, StoredRow};
use super::{circuits, count, json};
use crate::core::{ProviderName, Timestamp};
use crate::db::{Conn, DbError};
use crate::provider::Scope;
use crate::refinery::circuit::Circuit;
use crate::refinery::frame::{Amounts, Counted, Frame, Open};
use crate::refinery::risk::Expected;
use crate::refinery::stored::Stored;
use crate::refinery::tank::{Tank, TankSettings, counts, frames};

/// Every tank, in the order of `settings`.
pub(crate) async fn load(
    conn: &mut Conn,
    settings: &[TankSettings],
    now: Timestamp,
) -> Result<Vec<Tank>, DbError> {
    Ok(load_with_anchors(conn, settings, Detail::Falls, now)
        .await?
        .0)
}

/// One tank.
pub(crate) async fn load_one(
    conn: &mut Conn,
    settings: &TankSettings,
    now: Timestamp,
) -> Result<Tank, DbError> {
    let tanks = load(conn, std::slice::from_ref(settings), now).await?;
    Ok(only(tanks))
}

pub(super) fn only(mut tanks: Vec<Tank>) -> Tank {
    tanks.pop().expect("invariant: one tank per settings")
}

/// How much of rolling windows is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// Enough to admit.
    Sums,
    /// Also when each part falls out, to say exactly when something will fit.
    Falls,
}

pub(super) async fn load_with_anchors(
    conn: &mut Conn,
    settings: &[TankSettings],
    detail: Detail,
    now: Timestamp,
) -> Result<(Vec<Tank>, Vec<Anchor>), DbError> {
    let names = json(
        &settings
            .iter()
            .map(|s| s.provider.as_str())
            .collect::<Vec<_>>(),
    );
    let mut rows: BTreeMap<ProviderName, Vec<Stored>> = BTreeMap::new();
    let mut circuits: BTreeMap<ProviderName, Vec<(Scope, Circuit)>> = BTreeMap::new();
    let mut open: BTreeMap<ProviderName, Vec<Open>> = BTreeMap::new();
    // One text, see `db::events::joint`; `part` tells whose row it is.
    for row in sqlx::query(ALL).bind(&names).fetch_all(&mut *conn).await? {
        match row.try_get("part")? {
            0 => {
                let row = windows::decode(StoredRow::from_row(&row)?)?;
                rows.entry(row.provider.clone()).or_default().push(row);
            }
            1 => {
                let (provider, scope, circuit) = circuits::read(&row)?;
                circuits.entry(provider).or_default().push((scope, circuit));
            }
            _ => {
                let row = reservation(OpenRow::from_row(&row)?);
                open.entry(row.provider.clone()).or_default().push(row);
            }
        }
    }

    let framed: Vec<Vec<Frame>> = settings
        .iter()
        .map(|s| frames(s, rows.get(&s.provider).map_or(&[], Vec::as_slice), now))
        .collect();
    let wants: Vec<Want> = settings
        .iter()
        .zip(&framed)
        .flat_map(|(s, frames)| {
            let counts = counts(frames, now);
            frames
                .iter()
                .zip(counts)
                .map(|(frame, count)| Want::new(&s.provider, frame, count))
        })
        .collect();
    let (counted, anchors) = sums::ask(conn, &wants, detail, now).await?;

    let mut counted = counted.into_iter();
    let tanks = settings
        .iter()
        .zip(&framed)
        .map(|(s, frames)| {
            let mine: Vec<Counted> = counted.by_ref().take(frames.len()).collect();
            let open = open.get(&s.provider).map_or(&[][..], Vec::as_slice);
            let circuits = circuits.remove(&s.provider).unwrap_or_default();
            Tank::at(s, frames, mine, open, circuits, now)
        })
        .collect();
    Ok((tanks, anchors))
}

/// Those that are not settled, of the providers named in a JSON list.
macro_rules! open {
    () => {
        "SELECT 2 AS part, provider, model, created_at, tokens, requests, cost_micro_usd AS cost,
             used_tokens, used_requests, used_cost_micro_usd AS used_cost, spread, lasts_ms
         FROM reservations
         WHERE settled_at IS NULL AND provider IN (SELECT value FROM json_each(?1))"
    };
}

const ALL: &str = concat!(
    "SELECT 0 AS part, * FROM windows WHERE provider IN (SELECT value FROM json_each(?1))
     ORDER BY provider, scope, duration_ms, limit_id; ",
    circuits::not_closed!(),
    "; ",
    open!()
);

pub(super) async fn reservations(conn: &mut Conn, names: &str) -> Result<Vec<Open>, DbError> {
    let rows: Vec<OpenRow> = sqlx::query_as(open!()).bind(names).fetch_all(conn).await?;
    Ok(rows.into_iter().map(reservation).collect())
}

#[derive(sqlx::FromRow)]
struct OpenRow {
    provider: ProviderName,
    model: Option<String>,
    created_at: Timestamp,
    tokens: i64,
    requests: i64,
    cost: i64,
    used_tokens: i64,
    used_requests: i64,
    used_cost: i64,
    spread: f64,
    lasts_ms: i64,
}

fn reservation(row: OpenRow) -> Open {
    Open {
        provider: row.provider,
        model: row.model,
        created_at: row.created_at,
        run: Expected {
            p80: Amounts::expected(count(row.tokens), count(row.requests), count(row.cost)),
            used: Amounts {
                runs: u64::from(row.used_tokens > 0 || row.used_requests > 0),
                ..Amounts::expected(
                    count(row.used_tokens),
                    count(row.used_requests),
                    count(row.used_cost),
                )
            },
            spread: row.spread,
            lasts: Some(Duration::from_millis(count(row.lasts_ms))).filter(|d| !d.is_zero()),
        },
    }
}
