//! DeepSeek's page about the account, `GET /user/balance`: what is left of money paid in
//! advance. Its limits are slots per model, which no page tells.

use serde_json::Value;

use super::super::signal::{Observation, WindowStatus};
use super::{Answer, ProbeError};
use crate::core::text::one_line;
use crate::core::{LimitKind, LimitUnit, MicroUsd, Timestamp};

pub(super) const BASE: &str = "https://api.deepseek.com";
pub(super) const PATH: &str = "/user/balance";

/// More currencies than an account has.
const MOST: usize = 4;

/// Amounts are texts. Only dollars are counted; without them the page says just whether there is
/// enough.
pub(super) fn read(page: &Value, now: Timestamp) -> Result<Answer, ProbeError> {
    let (Some(available), Some(balances)) = (
        page["is_available"].as_bool(),
        page["balance_infos"].as_array(),
    ) else {
        return Err(ProbeError::Unreadable("no balance in it".into()));
    };
    let said = balances.iter().take(MOST).map(|of| {
        let word = |key: &str| one_line(of[key].as_str().unwrap_or("?"), 24);
        format!("{} {}", word("total_balance"), word("currency"))
    });
    let dollars = balances.iter().find(|of| of["currency"] == "USD");
    let left = dollars
        .and_then(|of| of["total_balance"].as_str()?.parse::<f64>().ok())
        .filter(|usd| usd.is_finite())
        .map(|usd| MicroUsd::from_usd(usd.clamp(0.0, 1e9)).0.unsigned_abs());
    Ok(Answer {
        said: said.collect(),
        observations: vec![Observation {
            kind: Some(LimitKind::Balance),
            unit: Some(LimitUnit::MicroUsd),
            remaining_amount: if available { left } else { Some(0) },
            status: Some(if available {
                WindowStatus::Allowed
            } else {
                WindowStatus::Rejected
            }),
            ..Observation::new("balance", "deepseek", now)
        }],
        ..Answer::default()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_dollars_are_counted_and_none_is_empty() {
        let now = Timestamp::from_secs(0);
        let seen = |page: Value| {
            let answer = read(&page, now).map_err(|e| e.to_string())?;
            let o = &answer.observations[0];
            Ok::<_, String>((o.remaining_amount, o.status, answer.said.join("; ")))
        };
        let info =
            |currency: &str, total: &str| json!({"currency": currency, "total_balance": total});
        assert_eq!(
            seen(json!({"is_available": true,
                "balance_infos": [info("CNY", "110.00"), info("USD", "7.25")]})),
            Ok((
                Some(7_250_000),
                Some(WindowStatus::Allowed),
                "110.00 CNY; 7.25 USD".into()
            ))
        );
        assert_eq!(
            seen(json!({"is_available": true, "balance_infos": [info("CNY", "110.00")]})),
            Ok((None, Some(WindowStatus::Allowed), "110.00 CNY".into()))
        );
        assert_eq!(
            seen(json!({"is_available": false, "balance_infos": [info("CNY", "0.00")]})),
            Ok((Some(0), Some(WindowStatus::Rejected), "0.00 CNY".into()))
        );
        assert_eq!(
            seen(json!({"error": 1})),
            Err("its answer is not understood: no balance in it".into())
        );
    }
}
