//! The tank of one provider: all its windows and circuits at a point in time, and its health.

use super::circuit::Circuit;
use super::frame::{Count, Counted, Frame, Open};
use super::keeping::Keeping;
use super::stored::Stored;
use super::window::Window;
use crate::config::{LimitKind, ProviderSettings};
use crate::core::words::word_enum;
use crate::core::{ProviderKind, ProviderName, Timestamp};
use crate::provider::{Scope, default_windows};

word_enum! {
    /// How much a tank still holds, by its provider's thresholds.
    pub(crate) enum Health as "health" {
        Green = "green",
        Yellow = "yellow",
        Red = "red",
        Empty = "empty",
        Unknown = "unknown",
    }
}

/// What the configuration says about one tank.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TankSettings {
    pub(crate) provider: ProviderName,
    /// Nobody is behind it.
    pub(crate) simulated: bool,
    pub(crate) limits: Vec<Frame>,
    pub(crate) threshold_yellow: f64,
    pub(crate) threshold_red: f64,
    /// What is kept for the person.
    pub(crate) keeping: Keeping,
    /// Digest of the provider's whole configuration.
    pub(crate) fingerprint: String,
}

impl TankSettings {
    /// The limits given by the person, or else the windows that the kind is known to have.
    pub(crate) fn of(name: &ProviderName, entry: &ProviderSettings) -> Self {
        let mut limits: Vec<Frame> = match entry.kind {
            Some(kind) if entry.limits.is_empty() => default_windows(kind, entry)
                .iter()
                .map(Frame::guessed)
                .collect(),
            Some(_) | None => entry.limits.iter().map(Frame::configured).collect(),
        };
        limits.push(Frame::slots(entry.max_parallel));
        Self {
            provider: name.clone(),
            simulated: entry.kind == Some(ProviderKind::Sim),
            limits,
            threshold_yellow: entry.threshold_yellow,
            threshold_red: entry.threshold_red,
            keeping: Keeping::of(entry),
            fingerprint: fingerprint(entry),
        }
    }
}

fn fingerprint(entry: &ProviderSettings) -> String {
    use sha2::{Digest, Sha256};
    let text = serde_json::to_vec(entry).expect("invariant: settings are plain data");
    let digest = Sha256::digest(text);
    let first = digest.iter().take(8);
    first
        .fold(0_u64, |n, byte| n << 8 | u64::from(*byte))
        .to_string()
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tank {
    pub(crate) provider: ProviderName,
    pub(crate) health: Health,
    /// The smallest of its windows' ratios; `None` when none of them is known.
    pub(crate) ratio: Option<f64>,
    /// The latest reset among the windows that block.
    pub(crate) next_reset: Option<Timestamp>,
    pub(crate) windows: Vec<Window>,
    /// Those that are not closed, with the account or model each is for.
    pub(crate) circuits: Vec<(Scope, Circuit)>,
    /// Attempts that hold a reservation.
    pub(crate) in_flight: u64,
    /// Share kept for the person now, 0 to 1.
    pub(crate) reserve: f64,
    /// When less will be kept, and how much.
    pub(crate) reserve_falls: Vec<(Timestamp, f64)>,
    /// How much of it will go unused, 0 to 1; see [`spare`].
    pub(crate) spare: f64,
}

/// The windows of a tank before the ledger is asked: configured limits with what is stored
/// about each, then windows of which only the provider or a person has spoken.
pub(crate) fn frames(settings: &TankSettings, rows: &[Stored], now: Timestamp) -> Vec<Frame> {
    let mut rows = without_superseded(rows);
    let vanished: Vec<bool> = rows.iter().map(|r| has_vanished(r, &rows, now)).collect();
    let mut vanished = vanished.into_iter();
    rows.retain(|_| !vanished.next().unwrap_or(false));

    let mut frames: Vec<Frame> = Vec::new();
    for limit in &settings.limits {
        let mut frame = limit.clone();
        if let Some(at) = rows.iter().position(|row| row.key == frame.key) {
            let row = rows.remove(at);
            frame.limit = row.limit.or(frame.limit);
            frame.guess &= row.limit.is_none();
            frame.stored = Some(row);
        } else if frame.kind == LimitKind::Percent && has_spoken(&frame.key.scope, &rows, &frames) {
            // The provider said which windows it has, and this is not one of them.
            continue;
        }
        if !frames.iter().any(|f| f.key == frame.key) {
            frames.push(frame);
        }
    }
    frames.extend(rows.into_iter().map(Frame::stored));
    frames.retain(|f| !f.is_idle_wall());
    // Slots come last: they are no fuel.
    frames.sort_by_key(|f| f.kind == LimitKind::Concurrency);
    frames
}

fn has_spoken(scope: &Scope, rows: &[Stored], frames: &[Frame]) -> bool {
    let attached = frames.iter().filter_map(|f| f.stored.as_ref());
    rows.iter()
        .chain(attached)
        .any(|row| row.key.scope == *scope && row.is_the_providers())
}

/// Windows come and go: one whose stretch was over when the provider spoke of others, and not
/// of it, is there no more.
fn has_vanished(row: &Stored, all: &[Stored], now: Timestamp) -> bool {
    row.is_the_providers()
        && row.closed.is_none()
        && row.ends_at().is_some_and(|end| {
            end <= now
                && all.iter().any(|other| {
                    other.is_the_providers()
                        && other.key.scope == row.key.scope
                        && other.key != row.key
                        && other.observed_at > end
                })
        })
}

/// What a person set about a percent window before its provider named it: its size goes over
/// to the provider's window of the same length.
fn without_superseded(rows: &[Stored]) -> Vec<Stored> {
    let is_placeholder = |row: &Stored| {
        row.source == "manual" && row.kind == LimitKind::Percent && row.key.duration.is_some()
    };
    let (placeholders, mut kept): (Vec<Stored>, Vec<Stored>) =
        rows.iter().cloned().partition(is_placeholder);
    for placeholder in placeholders {
        let named = kept.iter_mut().find(|row| {
            row.is_the_providers()
                && row.kind == LimitKind::Percent
                && row.key.scope == placeholder.key.scope
                && row.key.duration == placeholder.key.duration
        });
        match named {
            Some(row) => row.limit = row.limit.or(placeholder.limit),
            None => kept.push(placeholder),
        }
    }
    kept
}

impl Tank {
    /// `counted` answers [`Frame::count`] of each of `frames`, in the same order.
    pub(crate) fn at(
        settings: &TankSettings,
        frames: &[Frame],
        counted: Vec<Counted>,
        open: &[Open],
        circuits: Vec<(Scope, Circuit)>,
        now: Timestamp,
    ) -> Self {
        let provider = &settings.provider;
        let windows: Vec<Window> = frames
            .iter()
            .zip(counted)
            .map(|(frame, counted)| Window::at(frame, provider, counted, open, now))
            .collect();
        let circuits: Vec<_> = circuits
            .into_iter()
            .map(|(scope, circuit)| (scope, circuit.under(&settings.fingerprint)))
            .filter(|(_, circuit)| *circuit != Circuit::default())
            .collect();
        let ratio = ratio(&windows);
        let spare = spare(&windows, now);
        Self {
            provider: provider.clone(),
            health: health(ratio, settings),
            ratio,
            next_reset: telling(&windows).filter_map(Window::blocked_until).max(),
            windows,
            circuits,
            in_flight: open.len() as u64,
            reserve: settings.keeping.share(now),
            reserve_falls: settings.keeping.falls(now),
            spare,
        }
    }
}

/// The windows that speak for the tank. Those of one model do so only where they are all there
/// is: one spent model does not empty the account.
fn telling(windows: &[Window]) -> impl Iterator<Item = &Window> {
    let is_quota = |w: &&Window| w.kind != LimitKind::Concurrency;
    let has_account = windows
        .iter()
        .filter(is_quota)
        .any(|w| w.key.scope == Scope::Account);
    windows
        .iter()
        .filter(is_quota)
        .filter(move |w| !has_account || w.key.scope == Scope::Account)
}

/// A tank that has nothing but slots is full: slots are not used up.
fn ratio(windows: &[Window]) -> Option<f64> {
    if telling(windows).next().is_none() {
        return Some(1.0);
    }
    telling(windows).filter_map(Window::ratio).reduce(f64::min)
}

/// How much of the tank goes unused if nobody hurries: use it or lose it. Of each window it is
/// the share that is left beyond the share of time that is left, weighed by the time that is
/// over; of the tank the least of its windows, because a session that would go unused is no loss
/// while the week is behind. 0 to 1; windows that lose nothing with time make it 0.
fn spare(windows: &[Window], now: Timestamp) -> f64 {
    let of = |w: &Window| match (w.kind, w.ratio(), w.resets_at, w.key.duration) {
        (LimitKind::Balance, ..) => Some(0.0),
        (
            LimitKind::Anchored | LimitKind::Calendar | LimitKind::Percent,
            Some(left),
            Some(reset),
            Some(length),
        ) if !length.is_zero() => {
            let ahead = (reset.since(now).as_secs_f64() / length.as_secs_f64()).min(1.0);
            Some((left - ahead).max(0.0) * (1.0 - ahead))
        }
        // Nobody knows, or it fills up by itself.
        (
            LimitKind::Refill
            | LimitKind::Anchored
            | LimitKind::Rolling
            | LimitKind::Calendar
            | LimitKind::Concurrency
            | LimitKind::Percent,
            ..,
        ) => None,
    };
    telling(windows)
        .filter_map(of)
        .reduce(f64::min)
        .unwrap_or(0.0)
}

fn health(ratio: Option<f64>, settings: &TankSettings) -> Health {
    match ratio {
        None => Health::Unknown,
        Some(r) if r <= 0.0 => Health::Empty,
        Some(r) if r < settings.threshold_red => Health::Red,
        Some(r) if r < settings.threshold_yellow => Health::Yellow,
        Some(_) => Health::Green,
    }
}

/// What the ledger must be asked for each of the frames.
pub(crate) fn counts(frames: &[Frame], now: Timestamp) -> Vec<Count> {
    frames.iter().map(|f| f.count(now)).collect()
}

#[cfg(test)]
mod tests;
