//! What providers say, made fit to be stored: names of one line, figures within bounds.

use super::learn::short;
use crate::core::text::one_line;
use crate::provider::{Observation, Scope};

pub(crate) fn tidy(mut o: Observation) -> Observation {
    const MOST: u64 = 1_000_000_000_000_000;
    o.limit_id = match one_line(&o.limit_id, 64) {
        id if id.is_empty() => "unnamed".into(),
        id => id,
    };
    o.scope = tidy_scope(&o.scope);
    o.source = one_line(&o.source, 24);
    o.used_fraction = o
        .used_fraction
        .filter(|f| f.is_finite())
        .map(|f| short(f.clamp(0.0, 100.0)));
    o.limit_amount = o.limit_amount.map(|n| n.min(MOST));
    o.remaining_amount = o.remaining_amount.map(|n| n.min(MOST));
    o.duration = o
        .duration
        .filter(|d| (1..=366 * 86_400).contains(&d.as_secs()));
    o
}

pub(crate) fn tidy_scope(scope: &Scope) -> Scope {
    match scope {
        Scope::Account => Scope::Account,
        Scope::Model(model) => Scope::Model(one_line(model, 96)),
    }
}
