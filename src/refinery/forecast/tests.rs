//! What forecasts must hold. The histories in `tests/data/histories` are six weeks each; the last
//! one changes its habits after three.

mod made_up;

use proptest::prelude::*;

use super::file::{FileError, Tested, parse};
use super::score::interval_score;
use super::*;

fn stored(name: &str) -> (Vec<Tested>, History) {
    let path = format!(
        "{}/tests/data/histories/{name}.jsonl",
        env!("CARGO_MANIFEST_DIR")
    );
    let (windows, uses) = parse(&std::fs::read_to_string(path).unwrap()).unwrap();
    (windows, History::new(uses, &[]))
}

fn at(hours: f64) -> Timestamp {
    // A Monday.
    Timestamp::from_secs(1_788_739_200) + Duration::from_secs_f64(hours * 3600.0)
}

/// An hour of work, 1,000 tokens a minute, at nine every day.
fn office(days: u32) -> Vec<Use> {
    (0..days)
        .flat_map(|day| (0..60).map(move |m| (day, m)))
        .map(|(day, m)| Use {
            at: at(f64::from(day) * 24.0 + 9.0 + f64::from(m) / 60.0),
            tokens: 1000,
        })
        .collect()
}

fn standing(used: u64, limit: u64, resets_at: Timestamp) -> Standing {
    Standing {
        used,
        limit,
        length: Duration::from_hours(5),
        resets_at,
        unseen: 0.0,
    }
}

fn told(uses: Vec<Use>, window: &Standing, now: Timestamp) -> Option<Forecast> {
    Forecaster::new(History::new(uses, &[]), now).forecast(window)
}

/// The bar, on every tenth moment of that which `rigs tank backtest` forecasts: all of them
/// take a minute without optimisation.
#[test]
fn forecasts_beat_climatology_by_15_percent_and_p90_holds_on_each_history() {
    let mut model = 0.0;
    let mut climatology = 0.0;
    for name in ["100", "101", "102", "103"] {
        let (windows, history) = stored(name);
        let report = backtest::backtest_every(10, name, &windows, &history).pooled;
        let moments = report.moments as f64;
        model += report.wis.unwrap() * moments;
        climatology += report.wis_climatology.unwrap() * moments;
        let covered = report.coverage_p90.unwrap();
        assert!((0.85..=0.95).contains(&covered), "{name}: {covered}");
    }
    assert!(model <= 0.85 * climatology, "{model} of {climatology}");
}

/// One history of each kind; `docs/forecast.md` has the figures of eight of each.
#[test]
fn histories_of_all_kinds_of_habits_are_forecast_better_than_by_climatology() {
    let mut model = 0.0;
    let mut climatology = 0.0;
    let mut covered = 0.0;
    let mut moments = 0.0;
    for (seed, kind) in made_up::KINDS.iter().enumerate() {
        let (windows, history) = made_up::history(seed as u64);
        let report = backtest::backtest_every(20, kind, &windows, &history).pooled;
        let n = report.moments as f64;
        moments += n;
        model += report.wis.unwrap() * n;
        climatology += report.wis_climatology.unwrap() * n;
        covered += report.coverage_p90.unwrap() * n;
        let coverage = report.coverage_p90.unwrap();
        assert!((0.8..=0.98).contains(&coverage), "{kind}: {report:?}");
        assert!(
            report.skill_climatology.unwrap() > -0.1,
            "{kind}: {report:?}"
        );
    }
    assert!(model < 0.9 * climatology, "{model} of {climatology}");
    assert!(
        (0.87..0.93).contains(&(covered / moments)),
        "{covered} of {moments}"
    );
}

#[test]
fn the_score_is_that_of_bracher_and_a_point_scores_its_absolute_error() {
    // By hand: 0.5 |y - m| + 0.05 IS(90 %) + 0.1 IS(80 %) + 0.25 IS(50 %), over 3.5.
    let quantiles = [0.0, 1.0, 3.0, 4.0, 5.0, 7.0, 8.0];
    let inside = (0.5 * 0.0 + 0.05 * 8.0 + 0.1 * 6.0 + 0.25 * 2.0) / 3.5;
    assert!((interval_score(&quantiles, 4.0) - inside).abs() < 1e-12);
    let above = (0.5 * 6.0 + (0.4 + 2.0) + (0.6 + 3.0) + (0.5 + 5.0)) / 3.5;
    assert!((interval_score(&quantiles, 10.0) - above).abs() < 1e-12);
    assert!((interval_score(&[3.0; 7], 5.5) - 2.5).abs() < 1e-12);
}

#[test]
fn a_window_begins_with_the_first_use_after_the_one_before() {
    let uses = [0.0, 1.0, 4.9, 5.0, 11.0]
        .map(|h| Use {
            at: at(h),
            tokens: 10,
        })
        .to_vec();
    let instances = History::new(uses, &[]).instances(5.0 * 3600.0);
    let told: Vec<(f64, f64)> = instances
        .iter()
        .map(|i| ((i.starts - seconds(at(0.0))) / 3600.0, i.total))
        .collect();
    assert_eq!(told, [(0.0, 30.0), (5.0, 10.0), (11.0, 10.0)]);
}

#[test]
fn without_a_past_there_is_no_forecast() {
    let window = standing(0, 100, at(2.0));
    assert_eq!(told(Vec::new(), &window, at(0.0)), None);
    assert_eq!(told(office(1), &window, at(0.0)), None);
}

#[test]
fn nothing_is_forecast_across_a_reset() {
    let over = standing(0, 1, at(480.0));
    assert_eq!(told(office(20), &over, at(480.0)), None);
    // Two hours before work begins, a window that resets before it most likely stays as it is.
    let now = at(20.0 * 24.0 + 6.0);
    let window = standing(500, 20_000, now + Duration::from_hours(2));
    let quiet = told(office(20), &window, now).unwrap();
    assert_eq!((quiet.total[0], quiet.runs_out[0]), (500, None));
    assert!(quiet.p_exhausted < 0.2, "{quiet:?}");
}

#[test]
fn a_morning_like_all_others_is_expected_to_run_out_during_work() {
    // Half an hour before work, of which the window holds a third.
    let now = at(20.0 * 24.0 + 8.5);
    let window = standing(0, 20_000, now + Duration::from_hours(5));
    let forecast = told(office(20), &window, now).unwrap();
    assert!(forecast.p_exhausted > 0.5, "{forecast:?}");
    assert!(
        (20_000..=60_000).contains(&forecast.total[0]),
        "{forecast:?}"
    );
    assert!(
        (60_000..120_000).contains(&forecast.total[1]),
        "{forecast:?}"
    );
    assert_eq!(forecast.headroom, 0);
    let after = forecast.runs_out[1].unwrap().since(now).as_secs() / 60;
    assert!((25..90).contains(&after), "{after} minutes");
}

#[test]
fn a_window_that_is_used_up_has_run_out_now() {
    let now = at(20.0 * 24.0 + 10.0);
    let window = standing(60_000, 60_000, now + Duration::from_hours(4));
    let spent = told(office(20), &window, now).unwrap();
    assert_eq!(
        (spent.p_exhausted, spent.runs_out, spent.headroom),
        (1.0, [Some(now); 3], 0)
    );
}

#[test]
fn use_that_the_ledger_does_not_see_widens_the_forecast() {
    let now = at(20.0 * 24.0 + 8.5);
    let with = |unseen: f64| {
        let window = Standing {
            unseen,
            ..standing(0, 100_000, now + Duration::from_hours(5))
        };
        told(office(20), &window, now).unwrap()
    };
    let (seen, half) = (with(0.0), with(0.5));
    assert_eq!(seen.total[0], half.total[0]);
    assert!(half.total[1] > seen.total[1]);
    assert!(half.headroom < seen.headroom);
    assert!(half.p_exhausted >= seen.p_exhausted);
}

#[test]
fn a_day_on_which_the_tank_was_closed_is_no_quiet_day() {
    // Closed on each of the last ten mornings: what was wanted then is not known, and the days
    // before speak.
    let closed: Vec<_> = (10..20)
        .map(|day| {
            (
                at(f64::from(day) * 24.0 + 6.0),
                at(f64::from(day) * 24.0 + 14.0),
            )
        })
        .collect();
    let now = at(20.0 * 24.0 + 8.5);
    let window = standing(0, 100_000, now + Duration::from_hours(5));
    let expected = |closed: &[(Timestamp, Timestamp)]| {
        let forecaster = Forecaster::new(History::new(office(10), closed), now);
        forecaster.forecast(&window).unwrap().total[1]
    };
    assert!(expected(&closed) > 2 * expected(&[]).max(1000));
}

#[test]
fn a_history_that_cannot_be_read_names_the_line() {
    let head =
        r#"{"windows": [{"id": "5h", "kind": "anchored", "length_s": 18000, "limit_tokens": 9}]}"#;
    let rows = [
        (String::new(), "it is empty"),
        (
            "nonsense".into(),
            "the first line: expected ident at column",
        ),
        (
            head.replace("anchored", "rolling"),
            "the first line: window `5h` is `rolling`",
        ),
        (
            head.replace("18000", "1"),
            "the first line: window `5h` needs a length",
        ),
        (
            head.replace(":9}", ":0}").replace(": 9}", ": 0}"),
            "the first line: window `5h` needs",
        ),
        (
            format!("{head}\n[1, 2]"),
            "line 2: there is no use before it",
        ),
        (
            format!("{head}\n\n{{\"at\": \"2026-09-07T00:00:00Z\", \"tokens\": -4}}"),
            "line 3: invalid value",
        ),
        (
            format!("{head}\n{{\"at\": \"yesterday\", \"tokens\": 4}}"),
            "line 2: `yesterday` is not",
        ),
        (
            format!(
                "{head}\n{{\"at\": \"2020-09-07T00:00:00Z\", \"tokens\": 4}}\n\
                 {{\"at\": \"2026-09-07T00:00:00Z\", \"tokens\": 4}}"
            ),
            "its uses are more than 400 days apart",
        ),
    ];
    for (text, begins) in rows {
        let error: FileError = parse(&text).unwrap_err();
        assert!(error.to_string().starts_with(begins), "{error}");
    }
}

#[test]
fn both_forms_of_a_line_say_the_same() {
    let head =
        r#"{"windows": [{"id": "5h", "kind": "anchored", "length_s": 18000, "limit_tokens": 9}]}"#;
    let first = r#"{"at": "2026-09-07T00:00:00.250Z", "tokens": 4}"#;
    let long = format!("{head}\n{first}\n{{\"at\": \"2026-09-07T00:01:00.000Z\", \"tokens\": 5}}");
    let short = format!("{head}\n{first}\n[59750, 5]\n");
    assert_eq!(parse(&long), parse(&short));
}

fn uses() -> impl Strategy<Value = Vec<Use>> {
    let one = (
        0_u32..40 * 24 * 60,
        prop_oneof![0_u64..100_000, Just(u64::MAX)],
    );
    prop::collection::vec(one, 0..60).prop_map(|all| {
        all.into_iter()
            .map(|(minute, tokens)| Use {
                at: at(f64::from(minute) / 60.0),
                tokens,
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_forecast_is_in_order_and_within_its_bounds(
        uses in uses(),
        minute in 0_u32..45 * 24 * 60,
        left in 1_u32..8 * 24 * 60,
        used in 0_u64..2_000_000,
        limit in prop_oneof![0_u64..2_000_000, Just(u64::MAX)],
        unseen in prop_oneof![0.0..1.0, Just(f64::NAN), Just(f64::INFINITY)],
    ) {
        let now = at(f64::from(minute) / 60.0);
        let resets_at = now + Duration::from_mins(u64::from(left));
        let window = Standing { unseen, ..standing(used, limit, resets_at) };
        if let Some(f) = told(uses, &window, now) {
            prop_assert!(f.total.is_sorted() && f.total[0] >= used);
            prop_assert!((0.0..=1.0).contains(&f.p_exhausted));
            prop_assert!(f.p_exhausted < 1.0 || used >= limit);
            prop_assert!(f.headroom <= limit.saturating_sub(used));
            let times = f.runs_out.map(|t| t.unwrap_or(Timestamp::from_secs(i64::MAX / 2000)));
            prop_assert!(times[2] <= times[1] && times[1] <= times[0]);
            for t in f.runs_out.into_iter().flatten() {
                prop_assert!(t >= now && t <= resets_at);
            }
        }
    }

    /// What comes later changes nothing.
    #[test]
    fn a_forecast_knows_nothing_of_the_future(uses in uses(), minute in 0_u32..40 * 24 * 60) {
        let now = at(f64::from(minute) / 60.0);
        let window = standing(0, 50_000, now + Duration::from_hours(4));
        let known: Vec<Use> = uses.iter().copied().filter(|u| u.at <= now).collect();
        prop_assert_eq!(told(uses, &window, now), told(known, &window, now));
    }
}
