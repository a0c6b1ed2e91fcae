//! Random steps through the store, each held against the plain definitions; some of them are cut
//! off before they are committed, and now and then everything is closed and opened again.

use super::*;
use crate::refinery::brute::steps::{Dice, ask, observation, some_reset, window};
use crate::refinery::brute::{Brute, Run, Said};
use pretty_assertions::assert_eq;

const CASES: u64 = 21;
const STEPS: u64 = 40;

/// One store with what should be in it.
struct Bench {
    t: TestDb,
    settings: TankSettings,
    brute: Brute,
    /// The claims of the runs of `brute`, in the same order.
    claims: Vec<Claim>,
}

impl Bench {
    fn now(&self) -> i64 {
        self.t.clock.now().millis()
    }

    /// Reserves where the definition says that there is room, or is refused.
    async fn reserve(&mut self, amount: u64, cut_off: bool) {
        let claim = Claim {
            ask: ask(amount),
            ..claim(&self.t, 0)
        };
        let mut tx = self.t.db.write().await.unwrap();
        let answer = reserve(
            &mut tx,
            &self.t.ids,
            self.t.clock.now(),
            &self.settings,
            &claim,
        )
        .await
        .unwrap();
        assert_eq!(
            answer.is_ok(),
            self.brute.has_room(amount, self.now()),
            "{answer:?} {:?}",
            self.brute
        );
        if cut_off {
            return;
        }
        tx.commit().await.unwrap();
        if answer.is_ok() {
            let began = self.now();
            self.brute.runs.push(Run { began, amount });
            self.brute.begun.push(began);
            self.claims.push(claim);
        }
    }

    /// Ends a run: with what it used, with its estimate, or as one that never started.
    async fn end(&mut self, which: usize, how: u64, used: u64, cut_off: bool) {
        let (run, attempt) = (self.brute.runs[which], self.claims[which].attempt);
        let slice = Slice {
            number: 0,
            model: None,
            usage: Usage {
                input: used,
                requests: used,
                cost_micro_usd: MicroUsd(used as i64),
                ..Usage::default()
            },
        };
        let (ids, now) = (&self.t.ids, self.t.clock.now());
        let mut tx = self.t.db.write().await.unwrap();
        let charged = match how {
            0 => {
                release(&mut tx, ids, now, attempt).await.unwrap();
                None
            }
            1 => {
                charge_estimate(&mut tx, ids, now, attempt).await.unwrap();
                Some(run.amount)
            }
            _ => {
                settle(&mut tx, ids, now, attempt, &[slice], true)
                    .await
                    .unwrap();
                Some(used)
            }
        };
        if cut_off {
            return;
        }
        tx.commit().await.unwrap();
        self.brute.runs.swap_remove(which);
        self.claims.swap_remove(which);
        if let Some(amount) = charged {
            self.brute.charge(now.millis(), run.began, amount);
        } else {
            let at = self.brute.begun.iter().position(|b| *b == run.began);
            self.brute.begun.remove(at.unwrap());
        }
    }

    async fn say(&mut self, said: Said, cut_off: bool) {
        let (ids, now) = (&self.t.ids, self.t.clock.now());
        let told = observation(&self.brute, said);
        let mut tx = self.t.db.write().await.unwrap();
        observe(&mut tx, ids, now, &provider(), None, &told)
            .await
            .unwrap();
        if self.brute.kind == LimitKind::Percent {
            let tank = load_one(&mut tx, &self.settings, now).await.unwrap();
            let order = SetOrder {
                limit: Some(self.brute.limit),
                ..SetOrder::default()
            };
            set(&mut tx, ids, now, &tank, &order)
                .await
                .unwrap()
                .unwrap();
        }
        if cut_off {
            return;
        }
        tx.commit().await.unwrap();
        self.brute.said = Some(said);
    }

    async fn holds(&self, step: &str) {
        let tank = tank(&self.t, &self.settings).await;
        let window = &tank.windows[0];
        let now = self.now();
        assert_eq!(
            (window.used, window.reserved, tank.in_flight),
            (
                self.brute.used(now),
                self.brute.reserved(now),
                self.claims.len() as u64
            ),
            "{step}: {:?}",
            self.brute
        );
        assert_sound(&self.t).await;
    }
}

#[tokio::test]
async fn whatever_happens_and_wherever_it_is_cut_off_the_tank_is_what_its_history_says() {
    for case in 0..CASES {
        let mut dice = Dice::new(case + 1_000_000);
        let kind = LimitKind::ALL[(case % LimitKind::ALL.len() as u64) as usize];
        let (settings, brute) = window(kind, &mut dice);
        let mut bench = Bench {
            t: TestDb::new().await,
            settings,
            brute,
            claims: Vec::new(),
        };
        let pace = match kind {
            LimitKind::Refill => 200,
            LimitKind::Calendar => 10 * 3_600_000,
            LimitKind::Anchored
            | LimitKind::Rolling
            | LimitKind::Concurrency
            | LimitKind::Balance
            | LimitKind::Percent => 40_000,
        };
        for step in 0..STEPS {
            let amount = dice.below(bench.brute.capacity().min(60) + 1);
            let cut_off = dice.below(5) == 0;
            match dice.below(10) {
                0..3 => bench
                    .t
                    .time
                    .advance(Duration::from_millis(dice.below(pace))),
                3..7 => bench.reserve(amount, cut_off).await,
                7 | 8 if !bench.claims.is_empty() => {
                    let which = dice.below(bench.claims.len() as u64) as usize;
                    bench.end(which, dice.below(6), amount, cut_off).await;
                }
                9 if kind != LimitKind::Concurrency && dice.below(2) == 0 => {
                    let now = bench.now();
                    let said = Said {
                        at: now,
                        left: dice.below(bench.brute.limit + 1),
                        resets_at: some_reset(&bench.brute, now, &mut dice),
                    };
                    bench.say(said, cut_off).await;
                }
                _ => bench.t.reopen().await,
            }
            bench
                .holds(&format!("case {case} ({kind}), step {step}"))
                .await;
        }
    }
}
