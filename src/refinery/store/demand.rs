//! What forecasts look back on: use by the minute (`demand`, kept by a trigger of the ledger, so
//! that 60 days are at most 86,400 rows however long the ledger is), walls, and drift.

use std::time::Duration;

use super::drift::drifts;
use super::{count, from_json};
use crate::core::{ProviderName, Timestamp};
use crate::db::{Conn, DbError};
use crate::refinery::forecast::{KEPT, Minute, Past, Shut, TankForecast};
use crate::refinery::frame::Amounts;
use crate::refinery::stored::{Evidence, Key};
use crate::refinery::tank::Tank;

/// More walls than this in 60 days tell nothing new.
const MOST_WALLS: i64 = 1000;

/// The forecasts of `tanks`, in their order.
pub(crate) async fn forecasts(
    conn: &mut Conn,
    tanks: &[Tank],
    now: Timestamp,
) -> Result<Vec<TankForecast>, DbError> {
    let mut all = Vec::with_capacity(tanks.len());
    for tank in tanks {
        let past = past(conn, &tank.provider, now).await?;
        all.push(TankForecast::of(&tank.windows, &past, now));
    }
    Ok(all)
}

/// The past of one provider up to `now`.
pub(crate) async fn past(
    conn: &mut Conn,
    provider: &ProviderName,
    now: Timestamp,
) -> Result<Past, DbError> {
    Ok(Past {
        minutes: minutes(conn, provider, now).await?,
        shut: shut(conn, provider, now).await?,
        drifts: drifts(conn, provider).await?,
    })
}

#[derive(sqlx::FromRow)]
struct MinuteRow {
    first_at: Timestamp,
    model: String,
    input: i64,
    output: i64,
    cache_read: i64,
    cache_write: i64,
    requests: i64,
    cost_micro_usd: i64,
}

async fn minutes(
    conn: &mut Conn,
    provider: &ProviderName,
    now: Timestamp,
) -> Result<Vec<Minute>, DbError> {
    let rows: Vec<MinuteRow> = sqlx::query_as(
        "SELECT first_at, model, input, output, cache_read, cache_write, requests, cost_micro_usd
         FROM demand
         WHERE provider = ?1 AND minute >= substr(?2, 1, 16) AND minute <= substr(?3, 1, 16)
         ORDER BY minute, model",
    )
    .bind(provider)
    .bind(now.minus(KEPT))
    .bind(now)
    .fetch_all(conn)
    .await?;
    let minutes = rows.into_iter().map(|row| {
        let input = count(row.input).saturating_add(count(row.cache_write));
        let tokens = input.saturating_add(count(row.output));
        Minute {
            at: row.first_at.min(now),
            model: Some(row.model).filter(|m| !m.is_empty()),
            used: Amounts {
                tokens,
                input_tokens: input,
                output_tokens: count(row.output),
                all_tokens: tokens.saturating_add(count(row.cache_read)),
                requests: count(row.requests),
                cost_micro_usd: count(row.cost_micro_usd),
                runs: 0,
            },
        }
    });
    Ok(minutes.collect())
}

/// When walls stood: from when they were met until their reset, or until one was proven gone.
async fn shut(
    conn: &mut Conn,
    provider: &ProviderName,
    now: Timestamp,
) -> Result<Vec<Shut>, DbError> {
    let bodies: Vec<String> = sqlx::query_scalar(
        "SELECT body FROM observations
         WHERE provider = ?1 AND observed_at >= ?2 AND observed_at <= ?3
             AND json_extract(body, '$.what') IN ('closed', 'opened')
         ORDER BY seq DESC LIMIT ?4",
    )
    .bind(provider)
    .bind(now.minus(KEPT + Duration::from_hours(24)))
    .bind(now)
    .bind(MOST_WALLS)
    .fetch_all(conn)
    .await?;
    let mut walls: Vec<(Key, Shut)> = Vec::new();
    for body in bodies.iter().rev() {
        match from_json(body)? {
            Evidence::Closed {
                window, at, until, ..
            } => {
                let shut = Shut {
                    scope: window.scope.clone(),
                    from: at,
                    until: until.min(now),
                };
                walls.push((window, shut));
            }
            Evidence::Opened { window, at, .. } => {
                for (_, shut) in walls.iter_mut().filter(|(key, _)| *key == window) {
                    shut.until = shut.until.min(at).max(shut.from);
                }
            }
            Evidence::Observed { .. } | Evidence::Set { .. } => {}
        }
    }
    Ok(walls.into_iter().map(|(_, shut)| shut).collect())
}
