use super::*;
use crate::core::EstimateSource;
use proptest::prelude::*;

fn estimate(p50: u64, p80: u64, p95: u64) -> Estimate {
    Estimate {
        p50,
        p80,
        p95,
        source: EstimateSource::Given,
    }
}

fn tokens(tokens: u64) -> Amounts {
    Amounts {
        tokens,
        requests: 1,
        ..Amounts::default()
    }
}

/// A run of this median.
fn run(median: u64, spread: f64) -> Expected {
    Expected {
        p80: tokens(p80(median, spread)),
        spread,
        ..Expected::default()
    }
}

fn load(run: &Expected) -> Load {
    run.rest(LimitUnit::Tokens, None)
}

const HUGE: u64 = 1_000_000_000_000;

#[test]
fn the_spread_covers_both_upper_quantiles() {
    let rounded = |e: Estimate| (spread(&e) * 1000.0).round();
    assert_eq!(rounded(estimate(100, 100, 100)), 0.0);
    assert_eq!(rounded(estimate(110_500, 255_708, 570_354)), 998.0);
    assert_eq!(rounded(estimate(100, 300, 300)), 1305.0);
    assert_eq!(rounded(estimate(100, 110, 300)), 668.0);
    assert_eq!(rounded(estimate(0, 5, 9)), 0.0);
    assert_eq!(rounded(estimate(1, 2, u64::MAX)), 2000.0);
    // Quantiles out of order are nobody's spread.
    assert_eq!(rounded(estimate(100, 50, 20)), 0.0);
}

#[test]
fn the_quantile_of_one_run_is_that_of_its_log_normal() {
    let one = load(&run(100_000, 0.5));
    for (z, factor) in [(0.0, 1.0), (1.6449, 2.276), (2.6521, 3.766)] {
        let (got, want) = (one.quantile(z), 100_000.0 * factor);
        assert!((got / want - 1.0).abs() < 0.002, "{z}: {got} for {want}");
    }
}

#[test]
fn two_in_a_thousand_of_sums_lie_above_their_quantile() {
    // By simulation with another programme: 0.998 of the sums of six runs with medians 1, 1, 1,
    // 3, 3 and 8 and a spread of 0.5 lie below 44.75.
    let six: Load = [1, 1, 1, 3, 3, 8]
        .iter()
        .fold(Load::default(), |sum, n| sum + load(&run(n * 100_000, 0.5)));
    let got = six.quantile(normal_quantile(0.002)) / 100_000.0;
    assert!((got / 44.75 - 1.0).abs() < 0.02, "{got}");
}

#[test]
fn what_is_certain_needs_no_margin() {
    let sum = load(&run(70_001, 0.0)) + load(&run(3, 0.0)) + load(&run(0, 0.0));
    assert_eq!(
        (sum.need(HUGE), sum.least(), sum.expected()),
        (70_004, 70_004, 70_004)
    );
}

#[test]
fn the_margin_of_many_is_less_than_that_of_each() {
    let one = load(&run(100_000, 0.5));
    let eight = (0..8).fold(Load::default(), |sum, _| sum + one);
    assert_eq!((one.need(HUGE), one.expected()), (376_683, 113_315));
    assert!(eight.need(HUGE) < 8 * one.need(HUGE) * 2 / 3);
}

#[test]
fn the_margin_takes_a_quarter_of_a_window_at_most_and_half_with_others() {
    let one = load(&run(100_000, 1.0));
    assert_eq!(one.expected(), 164_873);
    assert_eq!(one.need(1_000_000), 164_873 + 250_000);
    let two = one + one;
    assert_eq!(two.need(1_000_000), 329_745 + 500_000);
    // Never less than the p80.
    assert_eq!(one.need(100_000), p80(100_000, 1.0));
}

#[test]
fn what_is_left_of_a_run_is_what_exceeds_that_which_it_has_used() {
    let after = |used: u64, spread: f64| {
        let run = Expected {
            used: tokens(used),
            ..run(100_000, spread)
        };
        load(&run).expected()
    };
    assert_eq!(after(40_000, 0.0), 60_000);
    assert_eq!(after(140_000, 0.0), 0);
    // Closed forms by numerical integration.
    assert_eq!(after(0, 0.5), 113_315);
    for (used, want) in [(50_000, 69_888.0), (100_000, 56_707.0), (300_000, 62_770.0)] {
        let got = after(used, 0.5) as f64;
        assert!((got / want - 1.0).abs() < 0.001, "{used}: {got} for {want}");
    }
    // Ten and a hundred times the median: still finite, and in proportion.
    let far = |used| after(used, 0.5) as f64 / used as f64;
    assert!((far(10_000_000) / far(100_000_000) - 1.0).abs() < 0.01);
    assert!(far(100_000_000) < 0.2);
}

#[test]
fn a_window_shorter_than_the_run_is_charged_its_share() {
    let run = Expected {
        p80: Amounts {
            requests: 40,
            ..tokens(400_000)
        },
        lasts: Some(Duration::from_mins(20)),
        ..Expected::default()
    };
    let in_a_minute = |unit| run.rest(unit, Some(Duration::from_mins(1))).need(HUGE);
    assert_eq!(in_a_minute(LimitUnit::Requests), 2);
    assert_eq!(in_a_minute(LimitUnit::Tokens), 20_000);
    let whole = run.rest(LimitUnit::Requests, Some(Duration::from_hours(5)));
    assert_eq!(whole.need(HUGE), 40);
    let wide = Expected { spread: 0.5, ..run };
    let minute = wide.rest(LimitUnit::Requests, Some(Duration::from_mins(1)));
    assert_eq!((minute.expected(), minute.need(HUGE)), (2, 5));
}

proptest! {
    #[test]
    fn a_further_run_never_needs_less_and_no_need_is_below_what_is_expected(
        runs in proptest::collection::vec((1_u64..5_000_000, 0.0_f64..1.5, 0_u64..3), 1..12),
        usable in 1_u64..100_000_000,
    ) {
        let mut sum = Load::default();
        let mut before = 0;
        for (median, spread, used) in runs {
            let run = Expected { used: tokens(used * median / 2), ..run(median, spread) };
            sum += load(&run);
            let need = sum.need(usable);
            // The quantile is an approximation: a part in a million is rounding.
            prop_assert!(need + need / 1_000_000 + 1 >= before, "{} after {}", need, before);
            prop_assert!(need >= sum.expected());
            prop_assert!(sum.least() <= sum.expected());
            before = need;
        }
    }

    #[test]
    fn a_wider_spread_and_a_larger_run_never_need_less(
        median in 1_u64..5_000_000, spread in 0.0_f64..1.9, more in 0_u64..1000, usable in 1_u64..100_000_000,
    ) {
        let need = |median, spread| load(&run(median, spread)).need(usable);
        // Rounding of the p80 moves the median by half a token.
        prop_assert!(need(median, spread + 0.1) + 5 >= need(median, spread));
        prop_assert!(need(median + more, spread) + 5 >= need(median, spread));
    }

    #[test]
    fn certain_amounts_add_up_exactly(amounts in proptest::collection::vec(0_u64..1_000_000_000, 0..20)) {
        let sum = amounts.iter().fold(Load::default(), |sum, n| sum + load(&run(*n, 0.0)));
        prop_assert_eq!(sum.need(HUGE), amounts.iter().sum::<u64>());
        prop_assert_eq!(sum.least(), amounts.iter().sum::<u64>());
    }

    #[test]
    fn no_figure_from_outside_makes_nonsense(
        p80 in any::<u64>(), used in any::<u64>(), spread in any::<f64>(), usable in any::<u64>(),
        lasts in any::<u32>(), length in any::<u32>(),
    ) {
        let run = Expected {
            p80: tokens(p80),
            used: tokens(used),
            spread,
            lasts: Some(Duration::from_millis(u64::from(lasts))),
        };
        let load = run.rest(LimitUnit::Tokens, Some(Duration::from_millis(u64::from(length))));
        prop_assert!(load.mean.is_finite() && load.mean >= 0.0);
        let three = load + load + load;
        prop_assert!(three.need(usable) >= three.expected());
    }
}
