//! May this run start now, and if not, when? All windows of the tank must have room, all
//! circuits on the way must let it through.

use std::time::Duration;

use super::circuit::State;
use super::frame::Amounts;
use super::risk::{self, Expected, Load};
use super::stored::scope_text;
use super::tank::Tank;
use super::window::Window;
use crate::config::{LimitKind, LimitUnit};
use crate::core::words::word_enum;
use crate::core::{Estimate, MicroUsd, Timestamp};
use crate::provider::Scope;

/// What a run is expected to use: the p80 of its estimate and how far it may be off.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ask {
    pub(crate) tokens: u64,
    pub(crate) requests: u64,
    pub(crate) cost: MicroUsd,
    /// Standard deviation of the natural logarithm; 0: exactly that much.
    pub(crate) spread: f64,
    /// How long it takes, about.
    pub(crate) lasts: Option<Duration>,
    /// Windows and circuits of this model count too.
    pub(crate) model: Option<String>,
}

impl Ask {
    /// The tokens of an estimate, in one request.
    pub(crate) fn of(estimate: &Estimate, model: Option<&str>) -> Self {
        let spread = risk::spread(estimate);
        Self {
            tokens: risk::p80(estimate.p50, spread).max(estimate.p80),
            requests: 1,
            cost: MicroUsd::default(),
            spread,
            lasts: None,
            model: model.map(str::to_owned),
        }
    }

    pub(crate) fn run(&self) -> Expected {
        let cost = self.cost.0.max(0).unsigned_abs();
        Expected {
            p80: Amounts::expected(self.tokens, self.requests, cost),
            used: Amounts::default(),
            spread: self.spread,
            lasts: self.lasts,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Admit {
    Yes,
    No(Refusal),
}

/// Why a run may not start now.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Refusal {
    pub(crate) why: Why,
    /// The window that binds: the one that frees last.
    pub(crate) window: Option<String>,
    /// When it will fit at the latest, as far as is known. `None`: when another run here ends,
    /// or, for [`Why::Disabled`] and [`Why::TooLarge`], when a person acts.
    pub(crate) until: Option<Timestamp>,
    /// For a person.
    pub(crate) reason: String,
}

word_enum! {
    /// What refuses.
    pub(crate) enum Why as "refusal" {
        /// Used up, or too little left.
        Full = "full",
        /// The provider refused; its reset has not come.
        Closed = "closed",
        /// Too little is known to let two run at once.
        OneAtATime = "one_at_a_time",
        /// As many run as may.
        Slots = "slots",
        /// Errors in a row; a pause.
        Paused = "paused",
        /// A person must act.
        Disabled = "disabled",
        /// Larger than a limit that is never overdrawn.
        TooLarge = "too_large",
    }
}

/// Every window must have room for `ask`; the share of `tank.reserve` is the person's.
pub(crate) fn admit(tank: &Tank, ask: &Ask, now: Timestamp) -> Admit {
    let model = ask.model.as_deref();
    let run = ask.run();
    let by_circuit = tank
        .circuits
        .iter()
        .filter_map(|(scope, circuit)| paused(tank, scope, &circuit.state, model, now));
    let by_window = tank
        .windows
        .iter()
        .filter(|w| w.covers(model))
        .filter_map(|w| Some(sooner(refused(w, &run, tank.reserve)?, w, &run, tank)));
    match by_circuit.chain(by_window).max_by_key(weight) {
        Some(refusal) => Admit::No(refusal),
        None => Admit::Yes,
    }
}

/// Where it fits as soon as less is kept for the person, that is waited for, and not the reset.
fn sooner(no: Refusal, w: &Window, run: &Expected, tank: &Tank) -> Refusal {
    let waits = match no.why {
        Why::Full => no.until.is_some(),
        Why::TooLarge => true,
        Why::Closed | Why::OneAtATime | Why::Slots | Why::Paused | Why::Disabled => false,
    };
    let mut falls = tank.reserve_falls.iter().filter(|_| waits);
    match falls.find(|(_, share)| refused(w, run, *share).is_none()) {
        Some((at, _)) if no.until.is_none_or(|until| *at < until) => Refusal {
            why: Why::Full,
            until: Some(*at),
            reason: format!("{}; less is kept for you from then on", no.reason),
            ..no
        },
        Some(_) | None => no,
    }
}

/// The order in which refusals bind: what needs a person, then the latest time, then the end
/// of another run.
fn weight(refusal: &Refusal) -> (u8, Option<Timestamp>) {
    let rank = match refusal.why {
        Why::Disabled => 2,
        Why::TooLarge => 1,
        Why::Full | Why::Closed | Why::OneAtATime | Why::Slots | Why::Paused => 0,
    };
    (rank, refusal.until)
}

fn paused(
    tank: &Tank,
    scope: &Scope,
    state: &State,
    model: Option<&str>,
    now: Timestamp,
) -> Option<Refusal> {
    let refusal = |why, until, reason| Refusal {
        why,
        window: None,
        until,
        reason,
    };
    match state {
        _ if !scope.covers(model) => None,
        State::Disabled { class, reason, .. } => Some(refusal(
            Why::Disabled,
            None,
            format!("{} is disabled ({class}): {reason}", tank.provider),
        )),
        State::Open { until, class } if *until > now => Some(refusal(
            Why::Paused,
            Some(*until),
            format!("{} pauses after errors in a row ({class})", tank.provider),
        )),
        State::Open { .. } if tank.in_flight > 0 => Some(refusal(
            Why::OneAtATime,
            None,
            format!("{} is being probed after errors", tank.provider),
        )),
        State::Closed | State::Open { .. } => None,
    }
}

fn refused(w: &Window, run: &Expected, reserve: f64) -> Option<Refusal> {
    let no = |why, until, reason: &str| {
        Some(Refusal {
            why,
            window: Some(w.name.clone()),
            until,
            reason: match &w.key.scope {
                Scope::Account => format!("{} {}: {reason}", w.provider, w.name),
                scope @ Scope::Model(_) => {
                    format!("{} {} {}: {reason}", w.provider, w.name, scope_text(scope))
                }
            },
        })
    };
    if w.kind == LimitKind::Concurrency {
        return match w.limit {
            Some(0) => no(Why::Disabled, None, "its configuration lets nothing run"),
            Some(limit) if w.in_flight >= limit => no(
                Why::Slots,
                None,
                &format!("{} of {limit} slots taken", w.in_flight),
            ),
            Some(_) | None => None,
        };
    }
    if let Some(until) = w.closed_until {
        return no(Why::Closed, Some(until), "closed by the provider");
    }
    if w.is_rejected {
        return no(Why::Closed, w.blocks_until, "the provider refuses more");
    }
    let kept = reserve.clamp(0.0, 1.0);
    let used_up = w
        .share
        .is_some_and(|share| share >= 1.0 - kept && share > 0.0);
    // Where no end is known, one bead may find out: nothing else would ever tell.
    let may_probe = |until: Option<Timestamp>| {
        until.is_none() && w.in_flight == 0 && w.kind != LimitKind::Balance
    };
    if used_up && w.limit.is_none() && !may_probe(w.blocks_until) {
        return no(Why::Full, w.blocks_until, "used up");
    }
    if w.is_cautious && w.in_flight > 0 {
        return no(
            Why::OneAtATime,
            None,
            "one bead at a time until more is known",
        );
    }
    let (Some(limit), Some(used)) = (w.limit, w.used) else {
        return None;
    };
    let usable = limit - (limit as f64 * kept).ceil().min(limit as f64) as u64;
    let ask = run.rest(w.unit, w.key.duration);
    // Whatever runs uses something, also where nobody could say how much.
    let least = u64::from(ask.expected() == 0);
    let together = (w.load + ask).need(usable).saturating_add(least);
    if used.saturating_add(together) <= usable {
        return None;
    }
    let (amount, alone) = (run.p80.of(w.unit), ask.need(usable));
    // Waiting brings no money; only what running attempts give back may be waited for.
    if w.kind == LimitKind::Balance && used.saturating_add(alone.max(1)) > usable {
        let left = usable.saturating_sub(used);
        let reason = format!(
            "{amount} {} asked, {left} left; add credit, then `rigs tank refresh {}`",
            unit_word(w.unit),
            w.provider
        );
        return no(Why::Disabled, None, &reason);
    }
    if alone > usable {
        // Nothing is deferred for ever: too large for any window, it runs alone in a fresh one
        // and its debt is carried there. Money is never overdrawn.
        if usable == 0 || (w.unit == LimitUnit::MicroUsd && amount > usable) {
            let reason = format!("{amount} {} asked, {usable} is all there can be", w.unit);
            return no(Why::TooLarge, None, &reason);
        }
        let until = w.frees(used.saturating_add(w.reserved));
        return match (is_fresh(w), w.in_flight) {
            (true, 0) => None,
            (true, _) => no(
                Why::OneAtATime,
                None,
                "larger than the window: it must run alone",
            ),
            (false, _) if may_probe(until) => None,
            (false, _) => no(
                Why::Full,
                until,
                "larger than the window: it waits for a fresh one",
            ),
        };
    }
    let until = w.frees(used.saturating_add(together) - usable);
    if may_probe(until) {
        return None;
    }
    let reason = too_little(w, &ask, together, usable.saturating_sub(used));
    // Those that run may yet leave enough of what is kept for them.
    let at_best = used.saturating_add(w.load.least()).saturating_add(alone);
    let until = until.filter(|_| w.in_flight == 0 || at_best > usable);
    no(Why::Full, until, &reason)
}

/// What was asked and what is left, in numbers that add up.
fn too_little(w: &Window, ask: &Load, together: u64, left: u64) -> String {
    let (unit, asked) = (unit_word(w.unit), ask.expected());
    let certain = w.reserved.saturating_add(asked);
    if together <= certain {
        return format!(
            "{asked} {unit} asked, {} left",
            left.saturating_sub(w.reserved)
        );
    }
    match w.load.runs {
        0 => format!("about {asked} {unit} asked, with its margin {together}, {left} left"),
        1 => format!(
            "about {asked} {unit} asked, with the run under way and the margin {together}, {left} left"
        ),
        n => format!(
            "about {asked} {unit} asked, with {n} runs under way and the margin {together}, {left} left"
        ),
    }
}

/// Untouched; a share that a provider reports is seldom quite zero, because a person uses the
/// account as well.
fn is_fresh(w: &Window) -> bool {
    const NEARLY: f64 = 0.05;
    w.used == Some(0) || (w.kind == LimitKind::Percent && w.share.is_some_and(|s| s <= NEARLY))
}

fn unit_word(unit: LimitUnit) -> &'static str {
    match unit {
        LimitUnit::Percent => "tokens",
        LimitUnit::Tokens
        | LimitUnit::InputTokens
        | LimitUnit::OutputTokens
        | LimitUnit::AllTokens
        | LimitUnit::Requests
        | LimitUnit::MicroUsd
        | LimitUnit::Runs => unit.as_str(),
    }
}

#[cfg(test)]
mod tests;
