//! The scheduling benchmark: `cargo bench --bench schedule`. One line per preset: the median of
//! makespan over lower bound, the requests that a provider would refuse, the planner's own time per
//! event. `SCHED_DIR` names a folder with other instances of the same form, `SIGMA=0.3` makes the
//! estimates wrong by a log-normal factor (`DRAW=1`, 2, ...: other factors), `EACH=1` prints every
//! instance. See `docs/performance.md`.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use rigs::bench::replay::replay;
use rigs::bench::schedule::{Instance, pace};

/// What is known of the presets of this repository: median ratio of seeds 1 to 5.
const BARS: [(&str, f64); 3] = [("quota", 1.005), ("burst", 1.20), ("dag", 1.06)];
/// And with wrong estimates (sigma 0.3): ratio and refusals of a flat margin of 1.15.
const NOISY_BARS: [(&str, f64, usize); 3] = [
    ("quota", 1.001, 31),
    ("burst", 1.232, 24),
    ("dag", 1.127, 4),
];

#[derive(Default)]
struct Preset {
    ratios: Vec<f64>,
    refused: usize,
    micros: Vec<f64>,
}

fn quantile(of: &mut [f64], q: f64) -> f64 {
    of.sort_by(f64::total_cmp);
    of.get(((of.len().max(1) - 1) as f64 * q).round() as usize)
        .copied()
        .unwrap_or(f64::NAN)
}

fn main() -> ExitCode {
    match run() {
        Ok(0) => ExitCode::SUCCESS,
        Ok(missed) => {
            println!("{missed} bars MISSED");
            ExitCode::FAILURE
        }
        Err(error) => {
            println!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark reads its own settings"
)]
fn var(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn run() -> Result<usize, String> {
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/data");
    let other = var("SCHED_DIR");
    let dir = PathBuf::from(other.as_deref().unwrap_or(own));
    let sigma = match var("SIGMA") {
        Some(text) => text
            .parse::<f64>()
            .map_err(|e| format!("SIGMA={text}: {e}"))?,
        None => 0.0,
    };
    let draw = match var("DRAW") {
        Some(text) => text
            .parse::<u64>()
            .map_err(|e| format!("DRAW={text}: {e}"))?,
        None => 0,
    };
    let mut files: Vec<PathBuf> = std::fs::read_dir(&dir)
        .map_err(|e| format!("{}: {e}", dir.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .collect();
    files.sort();
    let mut presets: BTreeMap<String, Preset> = BTreeMap::new();
    for file in &files {
        let name = file.display();
        let text = std::fs::read_to_string(file).map_err(|e| format!("{name}: {e}"))?;
        let instance = Instance::read(&text).map_err(|e| format!("{name}: {e}"))?;
        let factors = if sigma > 0.0 {
            instance.noise(sigma, draw)
        } else {
            Vec::new()
        };
        let mut played = instance.play(&factors);
        let replayed =
            replay(&text, &factors, &played.requests).map_err(|e| format!("{name}: {e}"))?;
        let ratio = replayed.makespan_ms as f64 / instance.bound_ms(&factors).max(1) as f64;
        if var("EACH").is_some() {
            println!(
                "  {}-{} makespan_ms={} ratio={ratio:.4} refused={} events={}",
                instance.preset,
                instance.seed,
                replayed.makespan_ms,
                replayed.refused,
                played.micros.len(),
            );
        }
        let preset = presets.entry(instance.preset.clone()).or_default();
        preset.ratios.push(ratio);
        preset.refused += replayed.refused;
        preset.micros.append(&mut played.micros);
    }
    let mut missed = 0;
    for (name, of) in &mut presets {
        let ratio = quantile(&mut of.ratios, 0.5);
        println!(
            "schedule {name} ratio={ratio:.4} refused={} plan_us={:.0} plan_us_p99={:.0} worst={:.4} instances={}",
            of.refused,
            quantile(&mut of.micros, 0.5),
            quantile(&mut of.micros, 0.99),
            quantile(&mut of.ratios, 1.0),
            of.ratios.len(),
        );
        if other.is_none() {
            let is_met = if sigma > 0.0 {
                let bar = NOISY_BARS.iter().find(|(n, ..)| n == name);
                bar.is_none_or(|(_, most, refused)| {
                    (ratio * 1e3).round() / 1e3 <= *most && of.refused < *refused
                })
            } else {
                let bar = BARS.iter().find(|(n, _)| n == name);
                bar.is_none_or(|(_, most)| ratio <= *most && of.refused == 0)
            };
            missed += usize::from(!is_met);
        }
    }
    for (ready, most) in [(500, 2_000.0), (10_000, 20_000.0)] {
        let mut micros = pace(ready, 40);
        let first = micros.first().copied().unwrap_or(f64::NAN);
        let median = quantile(&mut micros, 0.5);
        println!(
            "schedule event ready={ready} plan_us={median:.0} plan_us_p99={:.0} first_us={first:.0} bar_us={most:.0}",
            quantile(&mut micros, 0.99),
        );
        missed += usize::from(median >= most);
    }
    Ok(missed)
}
