//! Made-up histories of six weeks of all kinds of habits, to hold forecasts against what they
//! were not chosen on.

use std::time::Duration;

use super::super::file::Tested;
use super::super::history::{History, Use};
use crate::core::Timestamp;
use crate::core::dice::Dice;

/// Kinds of habits, by `seed % 8`.
pub(super) const KINDS: [&str; 8] = [
    "office hours",
    "round the clock",
    "night owl",
    "nearly idle",
    "very bursty",
    "a change up",
    "a change down",
    "several changes",
];

const DAYS: f64 = 42.0;
const DAY: f64 = 86_400.0;

struct Habits {
    /// Share of a day's tasks that begins in each hour of UTC.
    hours: [f64; 24],
    weekend: f64,
    tasks_a_day: f64,
    /// Tokens of a task: median, and spread as a logarithm.
    size: f64,
    spread: f64,
    /// From this day on there are so many times as many tasks, so many hours later.
    changes: (f64, f64, f64),
    /// How often a task brings another one soon after it.
    follows: f64,
    /// Two and a half days without any, from this day on.
    holiday: Option<f64>,
}

fn between(dice: &mut Dice, low: f64, high: f64) -> f64 {
    low + (high - low) * dice.unit()
}

fn habits(kind: usize, dice: &mut Dice) -> Habits {
    let zone = (dice.unit() * 24.0) as usize;
    let shape = if kind < 3 {
        kind
    } else {
        (dice.unit() * 4.0) as usize
    };
    let mut hours = [0.0; 24];
    for hour in 0..24 {
        let share = match shape {
            0 if (8..18).contains(&hour) => 1.0,
            0 => 0.05,
            2 if (8..20).contains(&hour) => 0.15,
            1 | 2 => 1.0,
            _ => 0.65 + 0.35 * ((hour as f64 - 14.0) / 24.0 * std::f64::consts::TAU).cos(),
        };
        hours[(hour + zone) % 24] = share * between(dice, 0.7, 1.3);
    }
    let all: f64 = hours.iter().sum();
    let weekend = [0.05, 0.4, 1.0][(dice.unit() * 3.0) as usize];
    let tasks_a_day = match kind {
        3 => between(dice, 0.5, 2.5),
        4 => between(dice, 3.0, 8.0),
        _ => between(dice, 8.0, 26.0),
    };
    let (low, high) = if kind == 4 { (1.6, 1.9) } else { (0.8, 1.4) };
    let changes = match kind {
        5 => (7.0 * between(dice, 2.0, 5.0), between(dice, 1.8, 3.5), 0.0),
        6 => (
            7.0 * between(dice, 2.0, 5.0),
            between(dice, 0.25, 0.55),
            0.0,
        ),
        7 => (
            7.0 * between(dice, 1.0, 5.0),
            between(dice, 0.4, 2.5),
            between(dice, -6.0, 6.0),
        ),
        _ => (DAYS, 1.0, 0.0),
    };
    Habits {
        hours: hours.map(|h| h / all),
        weekend,
        tasks_a_day,
        size: between(dice, 60e3, 200e3),
        spread: between(dice, low, high),
        changes,
        follows: between(dice, 0.0, 0.5),
        holiday: (dice.unit() < 0.3).then(|| between(dice, 0.0, 40.0)),
    }
}

impl Habits {
    /// Tasks a day at this time, in days from a Monday.
    fn rate(&self, day: f64) -> f64 {
        let (from, times, later) = self.changes;
        let changed = day >= from;
        let hour = day.fract() * 24.0 - if changed { later } else { 0.0 };
        let off = day as u64 % 7 >= 5;
        let away = self.holiday.is_some_and(|h| (h..h + 2.5).contains(&day));
        24.0 * self.tasks_a_day
            * self.hours[hour.rem_euclid(24.0) as usize % 24]
            * if off { self.weekend } else { 1.0 }
            * if changed { times } else { 1.0 }
            * if away { 0.0 } else { 1.0 }
    }
}

/// A history with its windows of 5 h and 7 d.
pub(super) fn history(seed: u64) -> (Vec<Tested>, History) {
    let mut dice = Dice::new(seed.wrapping_mul(7919) + 13);
    let habits = habits(seed as usize % KINDS.len(), &mut dice);
    let most = habits.hours.iter().copied().fold(0.0, f64::max)
        * 24.0
        * habits.tasks_a_day
        * habits.changes.1.max(1.0);
    let monday = Timestamp::from_secs(1_788_739_200);
    let mut uses = Vec::new();
    let mut day = 0.0;
    while day < DAYS {
        day -= (1.0 - dice.unit()).ln() / most;
        if dice.unit() >= habits.rate(day) / most {
            continue;
        }
        let mut at = day * DAY;
        while at < DAYS * DAY {
            let size = (habits.size.ln() + habits.spread * dice.normal()).exp();
            let requests = (size.clamp(2e3, 1.2e7) / 60e3).ceil();
            let apart = between(&mut dice, 55.0, 75.0);
            for _ in 0..requests as usize {
                uses.push(Use {
                    at: monday + Duration::from_secs_f64(at),
                    tokens: (size.clamp(2e3, 1.2e7) / requests) as u64,
                });
                at += apart;
            }
            if dice.unit() >= habits.follows {
                break;
            }
            at -= 600.0 * (1.0 - dice.unit()).ln();
        }
    }
    let all: u64 = uses.iter().map(|u| u.tokens).sum();
    let history = History::new(uses, &[]);
    let stretches = history.instances(18_000.0).len().max(1) as f64;
    let tested = |id: &str, hours, limit: f64| Tested {
        id: id.to_owned(),
        length: Duration::from_hours(hours),
        limit: limit.max(1.0) as u64,
    };
    let windows = vec![
        tested(
            "5h",
            5,
            all as f64 / stretches * between(&mut dice, 1.2, 2.4),
        ),
        tested(
            "7d",
            7 * 24,
            all as f64 / 6.0 * between(&mut dice, 0.9, 1.3),
        ),
    ];
    (windows, history)
}
