//! What is asked for: beads in bursts, each with its estimate and with what it will really take.

use std::time::Duration;

use super::Knobs;
use crate::core::{Estimate, EstimateSource, Timestamp};

/// Tokens of the median bead.
const MEDIAN: f64 = 60_000.0;
/// Tokens of one request, about.
const STEP: f64 = 8_000.0;
/// Before the first request, and per request.
const SETUP: Duration = Duration::from_mins(1);
const PER_REQUEST: Duration = Duration::from_secs(20);

pub(super) struct Bead {
    pub(super) arrives: Timestamp,
    pub(super) estimate: Estimate,
    /// Expected.
    pub(super) requests: u64,
    pub(super) lasts: Duration,
    /// What only the oracle knows: after how long each request comes, and its tokens.
    pub(super) truth: Vec<(Duration, u64)>,
    pub(super) tokens: u64,
    pub(super) really_lasts: Duration,
}

/// Tokens that a run takes on average.
pub(super) fn mean(knobs: &Knobs) -> f64 {
    MEDIAN * f64::midpoint(knobs.sizes.powi(2), knobs.sigma.powi(2)).exp()
}

/// The month's beads in the order of their arrival.
pub(super) fn beads(knobs: &Knobs) -> Vec<Bead> {
    let mut chance = Chance(knobs.seed.wrapping_mul(7919).wrapping_add(13));
    let asked = super::truth::daily_capacity(knobs) * knobs.load / mean(knobs);
    let between = 86_400.0 * knobs.burst / asked;
    let mut at = 0.0;
    let mut beads = Vec::new();
    while at < knobs.days as f64 * 86_400.0 {
        let many = (knobs.burst * (0.5 + chance.unit())).round() as usize;
        for _ in 0..many {
            let arrives = at + 600.0 * chance.unit();
            beads.push(bead(knobs, &mut chance, arrives));
        }
        at += -between * chance.unit().ln();
    }
    beads.sort_by_key(|bead| bead.arrives);
    beads
}

fn bead(knobs: &Knobs, chance: &mut Chance, arrives: f64) -> Bead {
    let p50 = MEDIAN * (knobs.sizes * chance.normal()).exp();
    let off = (knobs.sigma * chance.normal()).exp();
    let pace = (knobs.pace * chance.normal()).exp();
    let uneven = if knobs.sigma > 0.0 { 0.5 } else { 0.0 };

    let expected = (p50 / STEP).ceil();
    let requests = ((expected * off).round() as u64).max(1);
    let tokens = ((p50 * off).round() as u64).max(requests);
    let duration = |requests: f64| SETUP + PER_REQUEST.mul_f64(requests);
    let really_lasts = duration(requests as f64).mul_f64(pace);
    let mut truth: Vec<(Duration, u64)> = (0..requests)
        .map(|i| {
            let early = if i == 0 {
                0.0
            } else {
                uneven * (chance.unit() - 0.5)
            };
            let at = really_lasts.mul_f64((i as f64 + early) / requests as f64);
            // The first ones take what does not divide evenly.
            (at, tokens / requests + u64::from(i < tokens % requests))
        })
        .collect();
    truth.sort();
    let quantile = |z: f64| (p50 * (knobs.sigma * z).exp()).round() as u64;
    Bead {
        arrives: Timestamp::from_millis((arrives * 1000.0) as i64),
        estimate: Estimate {
            p50: quantile(0.0),
            p80: quantile(0.8416),
            p95: quantile(1.6449),
            source: EstimateSource::History,
        },
        requests: expected as u64,
        lasts: duration(expected),
        truth,
        tokens,
        really_lasts,
    }
}

/// SplitMix64: the same month for the same seed on every machine.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Between 0 and 1, neither of them.
    fn unit(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Box and Muller.
    fn normal(&mut self) -> f64 {
        let (r, angle) = (self.unit(), self.unit());
        (-2.0 * r.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
    }
}
