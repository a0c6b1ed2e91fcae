//! How long a decision takes, purely and in a store: `cargo bench --bench decide`. A counted
//! harness: every figure is a quantile of many samples, beside a yardstick of the same run.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use rigs::bench::{Herd, Pure, Store};

const SAMPLES: usize = 5_000;

struct Quantiles {
    p50: f64,
    p99: f64,
}

/// In microseconds.
fn quantiles(mut took: Vec<f64>) -> Quantiles {
    took.sort_by(f64::total_cmp);
    let at = |q: f64| took[((took.len() - 1) as f64 * q) as usize];
    Quantiles {
        p50: at(0.5),
        p99: at(0.99),
    }
}

/// Each sample is the mean of `batch` calls.
fn time<T>(batch: u32, mut work: impl FnMut() -> T) -> Quantiles {
    for _ in 0..SAMPLES / 10 {
        black_box(work());
    }
    let samples = (0..SAMPLES).map(|_| {
        let began = Instant::now();
        for _ in 0..batch {
            black_box(work());
        }
        began.elapsed().as_secs_f64() * 1e6 / f64::from(batch)
    });
    quantiles(samples.collect())
}

fn micros(took: &[Duration]) -> Quantiles {
    quantiles(took.iter().map(|d| d.as_secs_f64() * 1e6).collect())
}

/// Sums a table of numbers: work of the size of a decision that never changes.
fn yardstick() -> u64 {
    let mut x: u64 = 0x9E37_79B9_7F4A_7C15;
    for _ in 0..1000 {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    x
}

fn main() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = Store::new(dir.path(), 5_000);
    let pure = Pure::new(&store);
    assert!(pure.admit() && pure.policy() && pure.pure());
    assert_eq!((pure.route(), pure.route_by_rules()), (10, 10));
    let mut missed = 0;
    let mut row = |what: &str, q: &Quantiles, bar: Option<f64>, per: f64| {
        let is_met = bar.is_none_or(|bar| q.p99 < bar);
        missed += i32::from(!is_met);
        let bar = bar.map_or(String::new(), |bar| {
            let word = if is_met { "met" } else { "MISSED" };
            format!("p99 < {bar} us: {word}")
        });
        println!(
            "{what:<46} {:>9.2} {:>9.2} {:>8.2}  {bar}",
            q.p50,
            q.p99,
            q.p50 / per
        );
    };
    println!("{:<46} {:>9} {:>9} {:>8}", "", "p50 us", "p99 us", "ratio");
    let unit = time(10, yardstick);
    let per = unit.p50;
    row("yardstick: 1000 steps of xorshift", &unit, None, per);
    row(
        "admit, 5 windows",
        &time(50, || pure.admit()),
        Some(1.0),
        per,
    );
    row(
        "policy, 100 rules",
        &time(5, || pure.policy()),
        Some(20.0),
        per,
    );
    row(
        "pure: policy of 100 rules + 5 windows",
        &time(5, || pure.pure()),
        Some(50.0),
        per,
    );
    row(
        "route, 10 providers x 5 windows",
        &time(5, || pure.route()),
        Some(10.0),
        per,
    );
    row(
        "route with 100 rules about each",
        &time(1, || pure.route_by_rules()),
        None,
        per,
    );

    let bare = micros(&store.bare_commits(2_000));
    let per = bare.p50;
    row("yardstick: one event, one commit", &bare, None, per);
    let paced = Herd {
        agents: 100,
        rounds: 10,
        every: Duration::from_secs(1),
    };
    row(
        "decision, 100 agents, each once a second",
        &micros(&store.decisions(paced)),
        Some(10_000.0),
        per,
    );
    let busy = Herd {
        rounds: 25,
        every: Duration::from_millis(400),
        ..paced
    };
    row(
        "decision, 100 agents, each every 400 ms",
        &micros(&store.decisions(busy)),
        None,
        per,
    );
    let herd = Herd {
        rounds: 1,
        every: Duration::from_millis(100),
        ..paced
    };
    let herds: Vec<Duration> = (0..20).flat_map(|_| store.decisions(herd)).collect();
    row(
        "decision, 100 agents within 100 ms",
        &micros(&herds),
        None,
        per,
    );
    println!("decide: {missed} bars missed");
    assert_eq!(missed, 0, "see docs/performance.md");
}
