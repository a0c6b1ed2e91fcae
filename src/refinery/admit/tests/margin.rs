use super::*;
use pretty_assertions::assert_eq;

/// A run whose p50 this is, with the spread of half an order of e.
fn unsure(p50: u64) -> Ask {
    let [p80, p95] = [0.8416_f64, 1.6449].map(|z| (p50 as f64 * (0.5 * z).exp()).round() as u64);
    let estimate = Estimate {
        p50,
        p80,
        p95,
        source: crate::core::EstimateSource::Given,
    };
    Ask::of(&estimate, None)
}

#[test]
fn a_run_that_may_take_more_than_is_left_is_refused_in_numbers_that_a_person_understands() {
    let tank = |used| {
        let counted = Counted {
            start: Some(at(0)),
            used: tokens(used),
            ..Counted::default()
        };
        tank(
            LimitKind::Anchored,
            LimitUnit::Tokens,
            1_000_000,
            counted,
            &[],
        )
    };
    let refusal = |used| match admit(&tank(used), &unsure(50_000), at(10)) {
        Admit::Yes => None,
        Admit::No(no) => Some((no.until, no.reason)),
    };
    assert_eq!(refusal(811_000), None);
    let reason = "claude 5h_tokens: about 56658 tokens asked, with its margin 188342, 188000 left";
    assert_eq!(refusal(812_000), Some((Some(at(300)), reason.into())));
}

#[test]
fn the_runs_under_way_may_leave_enough_of_their_margin_to_be_waited_for() {
    let under_way = Open {
        run: unsure(100_000).run(),
        ..open(0)
    };
    let others = vec![under_way; 3];
    let refusal = |used| {
        let counted = Counted {
            start: Some(at(0)),
            used: tokens(used),
            ..Counted::default()
        };
        let tank = tank(
            LimitKind::Anchored,
            LimitUnit::Tokens,
            1_000_000,
            counted,
            &others,
        );
        match admit(&tank, &unsure(50_000), at(10)) {
            Admit::Yes => None,
            Admit::No(no) => Some((no.until, no.reason)),
        }
    };
    assert_eq!(refusal(100_000), None);
    let reason = |left| {
        format!(
            "claude 5h_tokens: about 56658 tokens asked, with 3 runs under way and the margin \
             896059, {left} left"
        )
    };
    // Until one of them ends, nobody knows; when even little of it cannot be enough, the reset.
    assert_eq!(refusal(400_000), Some((None, reason(600_000))));
    assert_eq!(refusal(800_000), Some((Some(at(300)), reason(200_000))));
}
