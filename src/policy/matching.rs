//! Whether the conditions of a rule hold.

use super::evaluate::Told;
use super::facts::{Facts, WindowFacts};
use super::names::Names;
use super::rule::When;
use super::truth::{Compare, Measure, Truth};
use crate::core::words::word_enum;
use crate::core::{Priority, ProviderName, TaskType, Timestamp};

word_enum! {
    /// What a rule can ask about.
    pub(crate) enum Condition as "condition" {
        Provider = "provider",
        Model = "model",
        TaskType = "task_type",
        Priority = "priority",
        Agent = "agent",
        Convoy = "convoy",
        Repo = "repo",
        Bead = "bead",
        EstimatedTokens = "estimated_tokens",
        EstimatedCost = "estimated_cost",
        WindowRatio = "window_ratio",
        PExhausted = "p_exhausted",
        SecondsToReset = "seconds_to_reset",
        Time = "time",
        BudgetLeft = "budget_left",
    }
}

/// All conditions together; stops at the first that does not hold.
pub(super) fn when(when: &When, facts: &Facts, now: Timestamp) -> Truth {
    let mut all = Truth::Yes;
    for condition in Condition::ALL {
        if let Some(truth) = holds(*condition, when, facts, now) {
            all = all.and(truth);
            if all == Truth::No {
                return all;
            }
        }
    }
    all
}

/// The conditions that cannot be judged.
pub(super) fn unknown(when: &When, facts: &Facts, now: Timestamp) -> Vec<Condition> {
    let of = |c: &&Condition| holds(**c, when, facts, now) == Some(Truth::Unknown);
    Condition::ALL.iter().filter(of).copied().collect()
}

pub(super) fn whose(facts: &Facts) -> &str {
    facts.provider.as_ref().map_or("the run", |p| p.as_str())
}

/// `None` where the rule does not ask about it.
fn holds(condition: Condition, when: &When, facts: &Facts, now: Timestamp) -> Option<Truth> {
    let f = facts;
    match condition {
        Condition::Provider => {
            let provider = f.provider.as_ref().map(ProviderName::as_str);
            name(when.provider.as_ref(), provider)
        }
        Condition::Model => name(when.model.as_ref(), f.model.as_deref()),
        Condition::TaskType => word(when.task_type.as_deref(), f.task_type),
        Condition::Priority => word(when.priority.as_deref(), f.priority),
        Condition::Agent => Some(Truth::of(when.agent.as_ref()?.matches(&[&f.agent]))),
        Condition::Convoy => {
            let names: Vec<&str> = f.convoy.iter().map(String::as_str).collect();
            Some(Truth::of(is_named(when.convoy.as_ref()?, &names)))
        }
        Condition::Repo => {
            let wanted = when.repo.as_ref()?;
            let names = f.repo.as_deref().map(repo_names);
            Some(Truth::of(is_named(
                wanted,
                names.as_ref().map_or(&[], |n| n),
            )))
        }
        Condition::Bead => {
            let id = f.bead.as_deref();
            let ids = id.as_slice();
            Some(Truth::of(is_named(when.bead.as_ref()?, ids)))
        }
        Condition::EstimatedTokens => {
            let tokens = f.estimated_tokens.map(|n| n as f64);
            Some(when.estimated_tokens?.test(tokens))
        }
        Condition::EstimatedCost => {
            let dollars = f.estimated_cost.map(|cost| cost.0 as f64 / 1e6);
            Some(when.estimated_cost?.test(dollars))
        }
        Condition::WindowRatio => Some(ratio(&when.window_ratio?, when, f)),
        Condition::PExhausted => Some(exhausted(&when.p_exhausted?, when, f)),
        Condition::SecondsToReset => Some(to_reset(&when.seconds_to_reset?, when, f, now)),
        Condition::Time => Some(Truth::of(when.time?.covers(now))),
        Condition::BudgetLeft => Some(when.budget_left?.test(f.budget_left())),
    }
}

fn name(wanted: Option<&Names>, is: Option<&str>) -> Option<Truth> {
    let wanted = wanted?;
    Some(is.map_or(Truth::Unknown, |is| Truth::of(wanted.matches(&[is]))))
}

fn word<T: PartialEq>(wanted: Option<&[T]>, is: Option<T>) -> Option<Truth> {
    let wanted = wanted?;
    Some(is.map_or(Truth::Unknown, |is| Truth::of(wanted.contains(&is))))
}

/// What has no such name is not meant by one, but by "all but" one.
fn is_named(wanted: &Names, names: &[&str]) -> bool {
    if names.is_empty() {
        return wanted.any_of.is_empty();
    }
    wanted.matches(names)
}

/// A repository goes by its path and by its folder's name.
fn repo_names(path: &str) -> [&str; 2] {
    let folder = path.trim_end_matches('/').rsplit('/').next();
    [path, folder.unwrap_or(path)]
}

/// The windows that the rule is about.
fn windows<'a>(when: &'a When, facts: &'a Facts) -> Option<impl Iterator<Item = &'a WindowFacts>> {
    let wanted = when.window.as_ref();
    let is_meant = move |w: &&WindowFacts| wanted.is_none_or(|names| names.matches(&[&w.name]));
    Some(facts.windows.as_deref()?.iter().filter(is_meant))
}

/// The smallest share left, of which an unknown one may be smaller than all that are known.
/// A tank without such a window is not short of it.
fn ratio(wanted: &Compare, when: &When, facts: &Facts) -> Truth {
    match smallest(when, facts) {
        None => Truth::Unknown,
        Some((low, high)) => wanted.test_range(low, high),
    }
}

/// Where the smallest share left lies, for sure.
fn smallest(when: &When, facts: &Facts) -> Option<(f64, f64)> {
    let mut is_known = true;
    let mut least = 1.0_f64;
    for window in windows(when, facts)? {
        match window.ratio() {
            Some(ratio) => least = least.min(ratio),
            None => is_known = false,
        }
    }
    Some((if is_known { least } else { 0.0 }, least))
}

fn exhausted(wanted: &Compare, when: &When, facts: &Facts) -> Truth {
    let Some(windows) = windows(when, facts) else {
        return Truth::Unknown;
    };
    let (mut is_known, mut most) = (true, 0.0_f64);
    for window in windows {
        match window.p_exhausted() {
            Some(p) => most = most.max(p),
            None => is_known = false,
        }
    }
    wanted.test_range(most, if is_known { most } else { 1.0 })
}

/// Of the window with the smallest share left; where shares are unknown, of any of them.
fn to_reset(wanted: &Compare, when: &When, facts: &Facts, now: Timestamp) -> Truth {
    if windows(when, facts).is_some_and(|mut all| all.next().is_none()) {
        return Truth::No;
    }
    let Some((low, high)) = resets(when, facts) else {
        return Truth::Unknown;
    };
    wanted.test_range(low.since(now).as_secs_f64(), high.since(now).as_secs_f64())
}

/// The earliest and the latest moment at which the window with the smallest share left may be
/// full again; `None` when a reset is not known, or there is no such window.
fn resets(when: &When, facts: &Facts) -> Option<(Timestamp, Timestamp)> {
    let (low, high) = smallest(when, facts)?;
    let mut range: Option<(Timestamp, Timestamp)> = None;
    for window in windows(when, facts)? {
        let may_be_it = match window.ratio() {
            Some(ratio) => low < high || ratio <= high,
            None => true,
        };
        if may_be_it {
            let at = window.resets_at?;
            range = Some(match range {
                // Of equals the later one is meant: all of them must be full again.
                Some((_, last)) if low == high => (last.max(at), last.max(at)),
                Some((first, last)) => (first.min(at), last.max(at)),
                None => (at, at),
            });
        }
    }
    range
}

/// The first moment at which time alone may have changed what the rule sees; `None` when that is
/// not known.
pub(super) fn changes_at(when: &When, facts: &Facts, now: Timestamp) -> Option<Timestamp> {
    let at_reset = (when.window_ratio.is_some()
        || when.p_exhausted.is_some()
        || when.seconds_to_reset.is_some())
    .then(|| resets_of_all(when, facts, now))
    .flatten();
    // "more than an hour before the reset" is over an hour before the reset.
    let before = when.seconds_to_reset.and_then(|c| c.above);
    let before = before.and_then(|bound| {
        let (_, last) = resets(when, facts)?;
        let ahead = std::time::Duration::from_secs_f64(bound.at.clamp(0.0, 1e10));
        Some(last.minus(ahead)).filter(|at| *at > now)
    });
    let by_time = when.time.and_then(|time| time.ends(now));
    let by_budget = when.budget_left.and(facts.budget_resets_at);
    [before.or(at_reset), by_time, by_budget]
        .into_iter()
        .flatten()
        .filter(|at| *at > now)
        .min()
}

/// The reset of the window that is short; where that is not clear, the first of all.
fn resets_of_all(when: &When, facts: &Facts, now: Timestamp) -> Option<Timestamp> {
    match resets(when, facts) {
        Some((first, last)) if first == last => Some(last),
        Some(_) | None => windows(when, facts)?
            .filter_map(|w| w.resets_at)
            .filter(|at| *at > now)
            .min(),
    }
}

/// Every condition of the rule with what is there.
pub(super) fn each(when: &When, facts: &Facts, now: Timestamp) -> Vec<Told> {
    let told = |condition: &Condition| {
        let holds = holds(*condition, when, facts, now)?;
        Some(Told {
            condition: *condition,
            wants: wants(*condition, when),
            is: is(*condition, when, facts, now).unwrap_or_else(|| "unknown".to_owned()),
            holds,
        })
    };
    Condition::ALL.iter().filter_map(told).collect()
}

fn wants(condition: Condition, when: &When) -> String {
    let name = |names: &Option<Names>| names.as_ref().map(ToString::to_string);
    let figure = |compare: Option<Compare>| compare.map(|c| c.to_string());
    let of = match &when.window {
        Some(window) => format!(" of {window}"),
        None => String::new(),
    };
    let windowed = |compare: Option<Compare>| compare.map(|c| format!("{c}{of}"));
    let words = |words: Vec<&str>| Some(words.join(", "));
    let text = match condition {
        Condition::Provider => name(&when.provider),
        Condition::Model => name(&when.model),
        Condition::TaskType => when
            .task_type
            .as_ref()
            .and_then(|all| words(all.iter().map(|t: &TaskType| t.as_str()).collect())),
        Condition::Priority => when
            .priority
            .as_ref()
            .and_then(|all| words(all.iter().map(|p: &Priority| p.as_str()).collect())),
        Condition::Agent => name(&when.agent),
        Condition::Convoy => name(&when.convoy),
        Condition::Repo => name(&when.repo),
        Condition::Bead => name(&when.bead),
        Condition::EstimatedTokens => figure(when.estimated_tokens),
        Condition::EstimatedCost => figure(when.estimated_cost),
        Condition::WindowRatio => windowed(when.window_ratio),
        Condition::PExhausted => windowed(when.p_exhausted),
        Condition::SecondsToReset => windowed(when.seconds_to_reset),
        Condition::Time => when.time.map(|time| time.to_string()),
        Condition::BudgetLeft => figure(when.budget_left),
    };
    text.unwrap_or_default()
}

/// The conditions of a rule as people read them.
pub(crate) fn shown(when: &When) -> Vec<(Condition, String)> {
    let all = Condition::ALL.iter().map(|c| (*c, wants(*c, when)));
    all.filter(|(_, wants)| !wants.is_empty()).collect()
}

/// What is there, in the words of the condition; `None` when nobody knows.
fn is(condition: Condition, when: &When, facts: &Facts, now: Timestamp) -> Option<String> {
    let f = facts;
    let none = || "none".to_owned();
    match condition {
        Condition::Provider => f.provider.as_ref().map(ToString::to_string),
        Condition::Model => f.model.clone(),
        Condition::TaskType => f.task_type.map(|t| t.to_string()),
        Condition::Priority => f.priority.map(|p| p.to_string()),
        Condition::Agent => Some(f.agent.clone()),
        Condition::Convoy => Some(f.convoy.last().cloned().unwrap_or_else(none)),
        Condition::Repo => Some(f.repo.clone().unwrap_or_else(none)),
        Condition::Bead => Some(f.bead.clone().unwrap_or_else(none)),
        Condition::EstimatedTokens => f
            .estimated_tokens
            .map(|n| Compare::show(Measure::Count, n as f64)),
        Condition::EstimatedCost => f.estimated_cost.map(|cost| cost.to_string()),
        Condition::WindowRatio => {
            let (low, high) = smallest(when, f)?;
            let high = Compare::show(Measure::Share, high);
            Some(if low == 0.0 && high != "0%" {
                format!("{high} or less, not all windows are known")
            } else {
                high
            })
        }
        Condition::PExhausted => {
            let known = windows(when, f)?.filter_map(WindowFacts::p_exhausted);
            known.reduce(f64::max).map(|p| {
                format!(
                    "{} in the windows that are known",
                    Compare::show(Measure::Share, p)
                )
            })
        }
        Condition::SecondsToReset => {
            let (_, last) = resets(when, f)?;
            Some(Compare::show(Measure::Time, last.since(now).as_secs_f64()))
        }
        Condition::Time => {
            let local = when.time?.zone.wall(now);
            Some(local.format("%a %H:%M").to_string().to_lowercase())
        }
        Condition::BudgetLeft => f.budget_left().map(|x| Compare::show(Measure::Share, x)),
    }
}
