//! The refinery's tables: `usage`, `reservations`, `windows`, `observations`, `circuits`,
//! `anchors`, `demand`, `drift`. Every function takes the caller's connection or transaction; what changes state
//! writes its event there as well.

mod budgets;
mod circuits;
mod demand;
mod drift;
mod evidence;
mod forget;
mod ledger;
mod load;
pub(crate) mod rebuild;
mod reserve;
mod set;
mod spent;
mod sums;
#[cfg(test)]
mod tests;
mod windows;

pub(crate) use budgets::{Share, Spending, Sums, last_starts, spending, used_at};
pub(crate) use circuits::{disable, failure, lift, success};
pub(crate) use demand::{forecasts, past};
pub(crate) use evidence::{CloseOrder, close, observe};
pub(crate) use forget::forget;
pub(crate) use ledger::{Of, UsageRow, UsageSource, record, used};
pub(crate) use load::{load, load_one};
pub(crate) use reserve::{Claim, Slice, charge_estimate, expired, release, renew, reserve, settle};
pub(crate) use set::{SetOrder, set};
pub(crate) use spent::{By, Spent, spent};

use std::fmt::Display;
use std::str::FromStr;

use crate::db::DbError;

/// Counters are stored as SQLite integers; a figure beyond this is nonsense, and its sum over
/// a large ledger must not overflow.
const MOST: u64 = 1_000_000_000_000;

fn int(n: u64) -> i64 {
    n.min(MOST) as i64
}

fn count(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

/// A word of one of our enums, read from the store.
fn word<T: FromStr>(text: &str) -> Result<T, DbError>
where
    T::Err: Display,
{
    text.parse().map_err(|e: T::Err| undecodable(&e))
}

fn undecodable(error: &dyn Display) -> DbError {
    DbError::from(sqlx::Error::Decode(error.to_string().into()))
}

fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("invariant: plain data is always JSON")
}

fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, DbError> {
    serde_json::from_str(text).map_err(|e| undecodable(&e))
}
