//! What became of the attempts of each provider and model, per kind of task.

use std::collections::BTreeMap;

use crate::core::{ProviderName, TaskType, Timestamp};
use crate::depot::Verdict;

/// After so many days an attempt counts half. Models behind a name and the programs around them
/// change every month or two: after two months a fourth is left.
const HALF_LIFE_DAYS: f64 = 30.0;

/// Work that was sent back is gone on with in the same worktree, and only the rest of it is still
/// to be done: half an attempt. A choice; nobody has measured it.
const REWORKED: f64 = 0.5;

/// Accepted work counts in full up to twice the tokens that were estimated for it (four of five
/// runs of an agent stay below that), and then an eighth less for each doubling; but always more
/// than work that was not accepted. The estimate is of the bead and the same for every provider.
const LEEWAY: f64 = 2.0;
const PER_DOUBLING: f64 = 0.125;
const LEAST_ACCEPTED: f64 = 0.75;

/// What one attempt is worth, 0 to 1.
fn credit(verdict: Verdict, estimated: i64, actual: i64) -> f64 {
    match verdict {
        Verdict::Accepted if estimated > 0 && actual > 0 => {
            let over = actual as f64 / (LEEWAY * estimated as f64);
            (1.0 - PER_DOUBLING * over.log2().max(0.0)).max(LEAST_ACCEPTED)
        }
        // Nobody knows what it took.
        Verdict::Accepted => 1.0,
        Verdict::Revised => REWORKED,
        Verdict::Failed => 0.0,
    }
}

/// One attempt that is over.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) provider: ProviderName,
    /// As rigs asked for it; `None`: the provider's own choice.
    pub(crate) model: Option<String>,
    pub(crate) task_type: TaskType,
    pub(crate) verdict: Verdict,
    /// The p50 of the whole run before it began.
    pub(crate) estimated_tokens: i64,
    pub(crate) actual_tokens: i64,
}

/// The attempts of one provider and model at one kind of task.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Record {
    pub(crate) accepted: i64,
    pub(crate) reworked: i64,
    pub(crate) failed: i64,
    pub(crate) tokens: i64,
    /// Attempts that were given only to find out.
    pub(crate) tried: i64,
    /// How many attempts they counted as at `updated_at`.
    pub(crate) weight: f64,
    /// The sum of their credits then.
    pub(crate) credit: f64,
    pub(crate) updated_at: Timestamp,
}

impl Record {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            accepted: 0,
            reworked: 0,
            failed: 0,
            tokens: 0,
            tried: 0,
            weight: 0.0,
            credit: 0.0,
            updated_at: now,
        }
    }

    /// Weight and sum of credits at `now`, the older the less; never in the future, if the clock
    /// was set back.
    pub(crate) fn faded(&self, now: Timestamp) -> (f64, f64) {
        let days = now.since(self.updated_at).as_secs_f64() / 86_400.0;
        let left = (-days / HALF_LIFE_DAYS).exp2();
        let weight = (self.weight * left).clamp(0.0, f64::MAX);
        (weight, (self.credit * left).clamp(0.0, weight))
    }

    /// With one more attempt.
    pub(crate) fn with(mut self, outcome: &Outcome, now: Timestamp) -> Self {
        let (weight, credit_so_far) = self.faded(now);
        let actual = outcome.actual_tokens.max(0);
        self.weight = weight + 1.0;
        self.credit = credit_so_far + credit(outcome.verdict, outcome.estimated_tokens, actual);
        self.tokens = self.tokens.saturating_add(actual);
        self.updated_at = self.updated_at.max(now);
        let count = match outcome.verdict {
            Verdict::Accepted => &mut self.accepted,
            Verdict::Revised => &mut self.reworked,
            Verdict::Failed => &mut self.failed,
        };
        *count = count.saturating_add(1);
        self
    }

    fn outcomes(&self) -> i64 {
        self.accepted
            .saturating_add(self.reworked)
            .saturating_add(self.failed)
    }
}

/// Everything that is known.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Records(BTreeMap<ProviderName, Vec<(String, TaskType, Record)>>);

impl Records {
    pub(crate) fn add(&mut self, provider: ProviderName, model: String, task: TaskType, r: Record) {
        self.0.entry(provider).or_default().push((model, task, r));
    }

    pub(crate) fn get(
        &self,
        provider: &ProviderName,
        model: Option<&str>,
        task: TaskType,
    ) -> Option<&Record> {
        let model = model.unwrap_or_default();
        self.0
            .get(provider)?
            .iter()
            .find(|(m, t, _)| *t == task && m == model)
            .map(|(_, _, record)| record)
    }

    /// Provider, model (empty: its own choice), kind of task, and what is known.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&ProviderName, &str, TaskType, &Record)> {
        let all = self.0.iter();
        all.flat_map(|(provider, of)| {
            of.iter()
                .map(move |(m, t, r)| (provider, m.as_str(), *t, r))
        })
    }

    /// Attempts at a kind of task that are over, of all providers, and those that were given only
    /// to find out.
    pub(crate) fn at(&self, task: TaskType) -> (i64, i64) {
        let mine = self.iter().filter(|(_, _, t, _)| *t == task);
        mine.fold((0, 0), |(outcomes, tried), (_, _, _, r)| {
            (
                r.outcomes().saturating_add(outcomes),
                r.tried.saturating_add(tried),
            )
        })
    }
}

#[cfg(test)]
mod tests;
