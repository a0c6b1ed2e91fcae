//! The account of one attempt: its slices in the ledger, its reservation, its provider's
//! circuits. Everything runs in the transaction of the step it belongs to.

use std::time::Duration;

use super::drive::Active;
use super::{Context, ForemanError};
use crate::core::{AttemptId, BeadId, ProviderName, Timestamp, Usage};
use crate::db::{Act, Conn, DbError};
use crate::provider::{Class, Outcome};
use crate::refinery::store::{self, CloseOrder, Of, Slice, UsageRow, UsageSource};

/// Adds what the run used since the last slice. The figure is everything since its start.
pub(super) async fn add(
    tx: &mut Conn,
    act: Act<'_>,
    active: &mut Active,
    so_far: Usage,
) -> Result<(), DbError> {
    let more = so_far.beyond(&active.recorded);
    if more.is_zero() {
        return Ok(());
    }
    let job = &active.job;
    let row = UsageRow {
        attempt: job.attempt,
        slice: active.slices,
        bead: job.bead.id.clone(),
        convoy: job.bead.convoy_id.clone(),
        provider: job.provider.clone(),
        model: active.model.clone().or_else(|| job.model.clone()),
        usage: more,
        source: UsageSource::Reported,
        began_at: active.slice_began,
        at: act.now,
    };
    store::record(tx, &row).await?;
    active.recorded = so_far;
    active.slices += 1;
    active.slice_began = act.now;
    Ok(())
}

/// Settles the attempt with all it used; what nobody knows is charged as estimated. An attempt
/// that never started gives its reservation back.
pub(super) async fn settle(
    tx: &mut Conn,
    act: Act<'_>,
    active: &Active,
    used: Option<Usage>,
    started: bool,
) -> Result<(), DbError> {
    let (ids, now, attempt) = (act.ids, act.now, active.job.attempt);
    let settled = match used {
        Some(total) if total.is_zero() && !started => store::release(tx, ids, now, attempt).await?,
        Some(total) => {
            let more = total.beyond(&active.recorded);
            let last = Slice {
                number: active.slices,
                model: active.model.clone(),
                usage: more,
            };
            let slices = if more.is_zero() {
                Vec::new()
            } else {
                vec![last]
            };
            store::settle(tx, ids, now, attempt, &slices, true).await?
        }
        None => store::charge_estimate(tx, ids, now, attempt).await?,
    };
    tracing::debug!(%attempt, ?settled, "the attempt is settled");
    sum_up(tx, &active.job.bead.id).await
}

/// Charges a lost attempt: what it reported, and the rest of its estimate.
pub(super) async fn charge_lost(
    tx: &mut Conn,
    act: Act<'_>,
    attempt: AttemptId,
    bead: &BeadId,
) -> Result<(), DbError> {
    store::charge_estimate(tx, act.ids, act.now, attempt).await?;
    sum_up(tx, bead).await
}

/// The bead's own figure is the sum of the ledger over all its attempts.
async fn sum_up(tx: &mut Conn, bead: &BeadId) -> Result<(), DbError> {
    let used = store::used(tx, Of::Bead(bead), None).await?;
    crate::depot::store::charge(tx, bead, used.tokens())
        .await
        .map_err(|e| match e {
            crate::depot::DepotError::Db(error) => error,
            other => DbError::Sqlx(sqlx::Error::Protocol(other.to_string())),
        })
}

/// What the outcome of a run says about its provider: that it is well, at a wall (until when),
/// at fault, or in need of a person. Nothing of that depends on what became of the bead.
pub(super) async fn outcome(
    tx: &mut Conn,
    ctx: &Context,
    active: &Active,
    outcome: &Outcome,
) -> Result<Option<Timestamp>, ForemanError> {
    let (act, job) = (ctx.act(), &active.job);
    match outcome.class {
        Class::Done => {
            let model = job.model.as_deref();
            store::success(tx, act.ids, act.now, &job.provider, model, active.began).await?;
        }
        Class::Limit | Class::RateLimited => {
            let until = wall(tx, ctx, act, &job.provider, job.attempt, outcome).await?;
            return Ok(Some(until));
        }
        Class::Overloaded | Class::Network | Class::Silent | Class::TimedOut | Class::Broken => {
            fault(tx, act, &job.provider, outcome).await?;
        }
        Class::OutOfCredit | Class::Auth | Class::BadModel | Class::NotStarted => {
            disable(tx, ctx, act, &job.provider, outcome).await?;
        }
        Class::ContextTooLong | Class::Failed | Class::Runaway | Class::Stopped => {}
    }
    Ok(None)
}

/// A wall: closes what the provider named until its reset, and says until when.
async fn wall(
    tx: &mut Conn,
    ctx: &Context,
    act: Act<'_>,
    provider: &ProviderName,
    attempt: AttemptId,
    outcome: &Outcome,
) -> Result<Timestamp, DbError> {
    let order = CloseOrder {
        provider: provider.clone(),
        scope: outcome.scope.clone(),
        limit_id: None,
        resets_at: outcome.resets_at,
        class: outcome.class,
        rule: outcome.rule.to_owned(),
        jitter: jitter(
            outcome.resets_at.map(|at| at.since(act.now)),
            ctx.ids.unit(),
        ),
        attempt: Some(attempt),
    };
    store::close(tx, act.ids, act.now, &order).await
}

/// Not all at once after a reset: 1 to 30 s, and never more than a twentieth of the wait on top
/// of the first second. `unit` is uniform in 0 to 1.
fn jitter(wait: Option<Duration>, unit: f64) -> Duration {
    let most = wait.map_or(29.0, |w| (w.as_secs_f64() / 20.0).clamp(0.0, 29.0));
    Duration::from_secs_f64(1.0 + most * unit.clamp(0.0, 1.0))
}

/// A fault of the provider that may pass.
async fn fault(
    tx: &mut Conn,
    act: Act<'_>,
    provider: &ProviderName,
    outcome: &Outcome,
) -> Result<(), DbError> {
    store::failure(
        tx,
        act.ids,
        act.now,
        provider,
        &outcome.scope,
        outcome.class,
    )
    .await?;
    Ok(())
}

/// A fault that only a person can mend.
async fn disable(
    tx: &mut Conn,
    ctx: &Context,
    act: Act<'_>,
    provider: &ProviderName,
    outcome: &Outcome,
) -> Result<(), ForemanError> {
    let settings = ctx.tank(provider)?;
    store::disable(
        tx,
        act.ids,
        act.now,
        settings,
        &outcome.scope,
        outcome.class,
        &outcome.message,
    )
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_grows_with_the_wait_up_to_half_a_minute() {
        let seconds =
            |wait: Option<u64>, unit| jitter(wait.map(Duration::from_secs), unit).as_secs();
        assert_eq!(seconds(Some(0), 1.0), 1);
        assert_eq!(seconds(Some(100), 1.0), 6);
        assert_eq!(seconds(Some(18_000), 0.0), 1);
        assert_eq!(seconds(Some(18_000), 1.0), 30);
        assert_eq!(seconds(None, 1.0), 30);
    }
}
