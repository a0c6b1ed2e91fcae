//! A million random steps through the pure windows, each held against the plain definitions.

use std::time::Duration;

use super::{Brute, Charge, Run, Said};
use crate::config::{LimitKind, LimitUnit, ProviderSettings, WindowLimit};
use crate::core::time::Span;
use crate::core::{Length, MicroUsd, ProviderName, Timestamp};
use crate::provider::Observation;
use crate::refinery::admit::{Admit, Ask, admit};
use crate::refinery::frame::{Amounts, Count, Counted, Frame, Open};
use crate::refinery::quota::Fall;
use crate::refinery::risk::Expected;
use crate::refinery::stored::{Evidence, Stored, apply};
use crate::refinery::tank::{Tank, TankSettings, counts, frames};

const CASES: u64 = 16_000;
const STEPS: u64 = 64;

/// Small and seeded (splitmix64): a case that fails can be run again by its number.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % n
    }
}

pub(crate) fn provider() -> ProviderName {
    "claude".parse().unwrap()
}

fn time(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

/// The settings of one window of this kind, and its definition.
pub(crate) fn window(kind: LimitKind, dice: &mut Dice) -> (TankSettings, Brute) {
    const ZONES: [&str; 3] = ["America/Los_Angeles", "Europe/Berlin", "UTC"];
    let limit = 20 + dice.below(200);
    let zone = ZONES[dice.below(3) as usize];
    let length = match kind {
        LimitKind::Refill => 1_000,
        LimitKind::Calendar => 86_400_000,
        LimitKind::Anchored
        | LimitKind::Rolling
        | LimitKind::Concurrency
        | LimitKind::Balance
        | LimitKind::Percent => 100_000,
    };
    let burst = limit / 2 + dice.below(limit);
    let limit = match kind {
        LimitKind::Concurrency => 1 + dice.below(6),
        // Shares of it are whole percents.
        LimitKind::Percent => 100,
        LimitKind::Refill
        | LimitKind::Anchored
        | LimitKind::Rolling
        | LimitKind::Calendar
        | LimitKind::Balance => limit,
    };
    let entry = ProviderSettings {
        max_parallel: 1000,
        limits: vec![WindowLimit {
            window: match kind {
                LimitKind::Calendar => Some("day".parse().unwrap()),
                LimitKind::Balance | LimitKind::Concurrency => None,
                LimitKind::Refill
                | LimitKind::Anchored
                | LimitKind::Rolling
                | LimitKind::Percent => Some(Length::For(Span(Duration::from_millis(length)))),
            },
            kind,
            unit: match kind {
                LimitKind::Concurrency => LimitUnit::Runs,
                LimitKind::Balance => LimitUnit::MicroUsd,
                LimitKind::Percent => LimitUnit::Percent,
                LimitKind::Refill
                | LimitKind::Anchored
                | LimitKind::Rolling
                | LimitKind::Calendar => LimitUnit::Tokens,
            },
            amount: (kind != LimitKind::Percent).then_some(limit),
            model: None,
            burst: (kind == LimitKind::Refill).then_some(burst),
            zone: (kind == LimitKind::Calendar).then(|| zone.parse().unwrap()),
        }],
        ..ProviderSettings::default()
    };
    let brute = Brute {
        kind,
        limit,
        length: length as i64,
        burst,
        zone: zone.parse().unwrap(),
        charges: Vec::new(),
        runs: Vec::new(),
        begun: Vec::new(),
        said: None,
    };
    (TankSettings::of(&provider(), &entry), brute)
}

/// What the ledger would answer.
fn answer(count: &Count, brute: &Brute, now: i64) -> Counted {
    let sum = |counts: &dyn Fn(&Charge) -> bool| {
        let all = brute.charges.iter().filter(|c| counts(c));
        let amount = all.map(|c| c.amount).sum();
        Amounts {
            runs: 0,
            ..Amounts::expected(amount, amount, amount)
        }
    };
    let after = |t: &Option<Timestamp>| t.map_or(i64::MIN, Timestamp::millis);
    match count {
        Count::Nothing => Counted::default(),
        Count::Since { from, began_after } => Counted {
            used: sum(&|c| c.at >= from.millis() && c.began > after(began_after)),
            ..Counted::default()
        },
        Count::Each { from, began_after } => Counted {
            uses: brute
                .charges
                .iter()
                .filter(|c| c.at >= from.millis() && c.began > after(began_after))
                .map(|c| (time(c.at), c.amount))
                .collect(),
            ..Counted::default()
        },
        Count::Rolling { length, from } => {
            let ms = length.as_millis() as i64;
            let within = |c: &&Charge| c.at > now - ms && c.at >= after(from);
            Counted {
                used: sum(&|c| within(&c)),
                falls: brute
                    .charges
                    .iter()
                    .filter(within)
                    .map(|c| Fall {
                        at: time(c.at + ms),
                        amount: c.amount,
                    })
                    .collect(),
                ..Counted::default()
            }
        }
        // One look-up per stretch, as the store does.
        Count::Anchored { length, from } => {
            let ms = length.as_millis() as i64;
            let first_from = |t: i64| {
                let uses = brute.charges.iter().map(|c| c.at);
                uses.chain(brute.begun.iter().copied())
                    .filter(|at| *at >= t)
                    .min()
            };
            let mut start = first_from(after(from));
            while let Some(next) = start.and_then(|s| first_from(s + ms)) {
                start = Some(next);
            }
            let start = start.filter(|s| s + ms > now);
            Counted {
                start: start.map(time),
                used: start.map_or_else(Amounts::default, |s| sum(&|c| c.at >= s && c.at < s + ms)),
                ..Counted::default()
            }
        }
    }
}

fn tank(settings: &TankSettings, row: Option<&Stored>, brute: &Brute, now: i64) -> Tank {
    let rows: &[Stored] = row.map_or(&[], std::slice::from_ref);
    let frames: Vec<Frame> = frames(settings, rows, time(now));
    let counted = counts(&frames, time(now))
        .iter()
        .map(|count| answer(count, brute, now))
        .collect();
    let open: Vec<Open> = brute
        .runs
        .iter()
        .map(|run| Open {
            provider: provider(),
            model: None,
            created_at: time(run.began),
            run: Expected::exactly(Amounts::expected(run.amount, run.amount, run.amount)),
        })
        .collect();
    Tank::at(settings, &frames, counted, &open, Vec::new(), time(now))
}

/// What the provider says at `now`: so much is left until then.
pub(crate) fn observation(brute: &Brute, said: Said) -> Observation {
    let is_percent = brute.kind == LimitKind::Percent;
    let name = match brute.kind {
        LimitKind::Calendar => "day_tokens",
        LimitKind::Refill => "1s_tokens",
        LimitKind::Balance => "balance",
        LimitKind::Percent => "1m40s_percent",
        LimitKind::Anchored | LimitKind::Rolling | LimitKind::Concurrency => "1m40s_tokens",
    };
    let used = (brute.limit - said.left) as f64 / brute.limit as f64;
    Observation {
        duration: (brute.kind != LimitKind::Balance)
            .then(|| Duration::from_millis(brute.length as u64)),
        used_fraction: is_percent.then_some(used),
        limit_amount: (!is_percent).then_some(brute.limit),
        remaining_amount: (!is_percent).then_some(said.left),
        resets_at: (brute.kind != LimitKind::Balance).then(|| time(said.resets_at)),
        kind: Some(brute.kind),
        ..Observation::new(name, "event", time(said.at))
    }
}

pub(crate) fn ask(amount: u64) -> Ask {
    Ask {
        tokens: amount,
        requests: amount,
        cost: MicroUsd(amount as i64),
        spread: 0.0,
        lasts: None,
        model: None,
    }
}

/// A moment at which the provider may say that the window ends.
pub(crate) fn some_reset(brute: &Brute, now: i64, dice: &mut Dice) -> i64 {
    now + 1 + dice.below(brute.length as u64 / 2) as i64
}

#[test]
fn a_million_random_steps_agree_with_the_plain_definitions() {
    let steps: u64 = std::thread::scope(|scope| {
        let halves = [0, 1]
            .map(|first| scope.spawn(move || (first..CASES).step_by(2).map(walk).sum::<u64>()));
        halves.into_iter().map(|half| half.join().unwrap()).sum()
    });
    assert!(steps > 1_000_000, "{steps}");
}

/// One history of one window; how many steps it took.
fn walk(case: u64) -> u64 {
    let mut steps = 0_u64;
    let mut dice = Dice::new(case);
    let kind = LimitKind::ALL[(case % LimitKind::ALL.len() as u64) as usize];
    let (settings, mut brute) = window(kind, &mut dice);
    // Days before the clocks change in America and, weeks later, in Europe.
    let mut now = 1_772_841_600_000 + dice.below(30 * 86_400_000) as i64;
    let mut row: Option<Stored> = None;
    let pace = match kind {
        LimitKind::Refill => 100,
        LimitKind::Calendar => 6 * 3_600_000,
        LimitKind::Anchored
        | LimitKind::Rolling
        | LimitKind::Concurrency
        | LimitKind::Balance
        | LimitKind::Percent => 30_000,
    };
    for step in 0..STEPS {
        steps += 1;
        let amount = dice.below(brute.capacity().min(60) + 1);
        match dice.below(10) {
            0..4 => now += dice.below(pace) as i64,
            4..7 => {
                let tank = tank(&settings, row.as_ref(), &brute, now);
                let answer = admit(&tank, &ask(amount), time(now));
                let expected = brute.has_room(amount, now);
                let context = || format!("case {case}, step {step}: {amount} of {brute:?}");
                assert_eq!(answer == Admit::Yes, expected, "{}: {answer:?}", context());
                match answer {
                    Admit::Yes => {
                        brute.runs.push(Run { began: now, amount });
                        brute.begun.push(now);
                    }
                    Admit::No(no) => exact(&brute, amount, now, &no, &context),
                }
            }
            7 | 8 if !brute.runs.is_empty() => {
                let run = brute
                    .runs
                    .swap_remove(dice.below(brute.runs.len() as u64) as usize);
                if dice.below(8) == 0 {
                    // It never started.
                    let at = brute.begun.iter().position(|b| *b == run.began).unwrap();
                    brute.begun.remove(at);
                } else {
                    let used = dice.below(2 * run.amount + 2);
                    brute.charge(now, run.began, used);
                }
            }
            9 if kind != LimitKind::Concurrency && dice.below(3) == 0 => {
                let said = Said {
                    at: now,
                    left: dice.below(brute.limit + 1),
                    resets_at: some_reset(&brute, now, &mut dice),
                };
                brute.said = Some(said);
                let evidence = Evidence::Observed {
                    observation: observation(&brute, said),
                    began_at: time(now),
                    taken_at: time(now),
                };
                row = apply(row, &provider(), &evidence, 0);
                if kind == LimitKind::Percent {
                    // Its size was set: what is learned is tested by itself.
                    row.as_mut().unwrap().limit = Some(brute.limit);
                }
            }
            _ => {}
        }
        let tank = tank(&settings, row.as_ref(), &brute, now);
        let window = &tank.windows[0];
        assert_eq!(
            (window.used, window.reserved),
            (brute.used(now), brute.reserved(now)),
            "case {case}, step {step}, {now}: {brute:?} {row:?}"
        );
        assert!(window.ratio().is_none_or(|r| (0.0..=1.0).contains(&r)));
        assert!(
            tank.next_reset.is_none_or(|t| t > time(now)),
            "a wait is never negative"
        );
    }
    steps
}

/// With nothing under way, the moment that a refusal names is the first at which it fits.
fn exact(
    brute: &Brute,
    amount: u64,
    now: i64,
    no: &crate::refinery::admit::Refusal,
    context: &dyn Fn() -> String,
) {
    if !brute.runs.is_empty() || brute.kind == LimitKind::Balance {
        return;
    }
    let until = no.until.map(Timestamp::millis);
    let Some(until) = until else {
        panic!("no time at which it fits: {no:?} {}", context());
    };
    assert!(until > now, "{}", context());
    assert!(
        brute.has_room(amount, until),
        "does not fit at {until}: {}",
        context()
    );
    assert!(
        !brute.has_room(amount, until - 1),
        "fits before {until}: {}",
        context()
    );
}
