//! The envelope of one run: more than that, and it has run away, whatever the budgets say.

use std::time::Duration;

use crate::config::BudgetSettings;
use crate::core::text::thousands;
use crate::core::time::Span;
use crate::core::{MicroUsd, Usage};

/// Never call a run a runaway below this, however small its estimate.
const SMALLEST: u64 = 100_000;

/// What one run may use at most; `None` is no bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub(crate) tokens: u64,
    pub(crate) requests: Option<u64>,
    pub(crate) cost: Option<MicroUsd>,
    pub(crate) time: Option<Duration>,
}

impl Envelope {
    /// `p95` is of the run's estimate; `most_tokens` is what a rule of the policy allows.
    pub(crate) fn new(settings: &BudgetSettings, p95: u64, most_tokens: Option<u64>) -> Self {
        let usual = (p95 as f64 * settings.envelope.clamp(1.0, 1e6)).min(1e15) as u64;
        let bounds = [settings.tokens_per_run, most_tokens];
        Self {
            tokens: bounds
                .into_iter()
                .flatten()
                .fold(usual.max(SMALLEST), u64::min),
            requests: settings.requests_per_run,
            cost: settings.usd_per_run.map(MicroUsd::from_usd),
            time: settings.time_per_run.map(|span| span.0),
        }
    }

    /// No bound at all.
    pub(crate) fn none() -> Self {
        Self {
            tokens: u64::MAX,
            requests: None,
            cost: None,
            time: None,
        }
    }

    /// What of it is broken by what the run has used since it began.
    pub(crate) fn broken(&self, used: &Usage) -> Option<String> {
        let over = |what: &str, used: u64, most: u64| {
            (used > most).then(|| {
                let (used, most) = (thousands(used), thousands(most));
                format!("it used {used} {what}, more than the {most} of its envelope")
            })
        };
        let cost = self.cost.filter(|most| used.cost_micro_usd > *most);
        over("tokens", used.tokens(), self.tokens)
            .or_else(|| over("requests", used.requests, self.requests?))
            .or_else(|| {
                let (used, most) = (used.cost_micro_usd, cost?);
                Some(format!(
                    "it cost {used}, more than the {most} of its envelope"
                ))
            })
    }

    /// The words for a run that took longer than it may.
    pub(crate) fn too_long(&self) -> String {
        let most = Span(self.time.unwrap_or_default());
        format!("it took longer than the {most} of its envelope")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_and_every_bound_make_the_envelope() {
        let mut settings = BudgetSettings::default();
        assert_eq!(Envelope::new(&settings, 200_000, None).tokens, 600_000);
        assert_eq!(Envelope::new(&settings, 1_000, None).tokens, SMALLEST);
        assert_eq!(Envelope::new(&settings, 1_000, Some(500)).tokens, 500);
        settings.envelope = 1.5;
        settings.tokens_per_run = Some(250_000);
        assert_eq!(Envelope::new(&settings, 100_000, None).tokens, 150_000);
        assert_eq!(
            Envelope::new(&settings, 200_000, Some(300_000)).tokens,
            250_000
        );
        settings.envelope = f64::INFINITY;
        assert_eq!(Envelope::new(&settings, u64::MAX, None).tokens, 250_000);
    }

    #[test]
    fn tokens_requests_and_cost_each_break_it() {
        let envelope = Envelope {
            tokens: 1000,
            requests: Some(10),
            cost: Some(MicroUsd(2_000_000)),
            time: Some(Duration::from_mins(90)),
        };
        let used = |input, requests, cost| Usage {
            input,
            requests,
            cost_micro_usd: MicroUsd(cost),
            ..Usage::default()
        };
        let broken = |u| envelope.broken(&u).unwrap_or_default();
        assert_eq!(broken(used(1000, 10, 2_000_000)), "");
        assert_eq!(
            broken(used(1001, 1, 1)),
            "it used 1,001 tokens, more than the 1,000 of its envelope"
        );
        assert!(broken(used(1, 11, 1)).starts_with("it used 11 requests"));
        assert!(broken(used(1, 1, 2_000_001)).starts_with("it cost $2.00"));
        assert_eq!(
            envelope.too_long(),
            "it took longer than the 1h 30m of its envelope"
        );
    }
}
