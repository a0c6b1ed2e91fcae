use super::*;
use pretty_assertions::assert_eq;
use proptest::prelude::*;

fn features<'a>() -> Features<'a> {
    Features {
        task_type: TaskType::Implementation,
        complexity: Complexity::Medium,
        agent: true,
        prompt_tokens: 500,
        provider: Some("claude"),
        model: None,
        repo: None,
    }
}

fn estimate(features: &Features<'_>, history: &[PastRun]) -> Estimate {
    make(features, history).estimate
}

fn run(tokens: u64) -> PastRun {
    PastRun {
        bead: None,
        task_type: TaskType::Implementation,
        complexity: Complexity::Medium,
        agent: true,
        prompt_chars: 2000,
        provider: "claude".into(),
        model: None,
        repo: None,
        tokens,
    }
}

#[test]
fn a_given_number_is_the_median_and_has_a_spread_of_its_own() {
    assert_eq!(
        given(100_000),
        Estimate {
            p50: 100_000,
            p80: 134_254,
            p95: 177_840,
            source: EstimateSource::Given
        }
    );
}

#[test]
fn without_history_the_table_speaks_and_says_so() {
    let made = make(&features(), &[]);
    assert_eq!(
        made,
        Made {
            estimate: Estimate {
                p50: 110_500,
                p80: 255_708,
                p95: 570_354,
                source: EstimateSource::Prior
            },
            table: 110_500,
            effects: Vec::new(),
        }
    );
    let answer = estimate(
        &Features {
            agent: false,
            ..features()
        },
        &[],
    );
    assert_eq!((answer.p50, answer.p80), (2100, 2937));
}

#[test]
fn history_draws_the_estimate_towards_itself() {
    let few: Vec<PastRun> = (0..2).map(|_| run(20_000)).collect();
    let many: Vec<PastRun> = (0..200).map(|n| run(20_000 + n * 10)).collect();
    let [none, few, many] = [&[][..], &few, &many].map(|h| estimate(&features(), h).p50);
    assert!(
        none > few && few > many && many < 25_000,
        "{none} {few} {many}"
    );
    assert_eq!(
        estimate(&features(), &[run(1)]).source,
        EstimateSource::History
    );
}

#[test]
fn what_it_rests_on_is_told() {
    let history = [
        run(110_500),
        PastRun {
            task_type: TaskType::Debug,
            repo: Some("r".into()),
            ..run(20_000)
        },
    ];
    let known = Features {
        repo: Some("r"),
        ..features()
    };
    let made = make(&known, &history);
    let told: Vec<(&str, usize)> = made.effects.iter().map(|e| (e.of, e.runs)).collect();
    assert_eq!(
        told,
        [
            ("all runs", 2),
            ("provider", 2),
            ("task type", 1),
            ("size", 2),
            ("repository", 1)
        ]
    );
    let beads = ["gt-aaaaa", "gt-bbbbb"];
    let named: Vec<PastRun> = history
        .iter()
        .zip(beads)
        .map(|(run, bead)| PastRun {
            bead: Some(bead.into()),
            ..run.clone()
        })
        .collect();
    let because = make(&known, &named).because(&known, &named);
    assert_eq!(
        because,
        "table 110,500, all runs x0.76 (2 runs), provider x0.89 (2 runs), task type x1.04 (1 run), \
         size x0.92 (2 runs), repository x0.89 (1 run); most alike: gt-bbbbb took 20,000, gt-aaaaa took 110,500"
    );
    let factor: f64 = made.effects.iter().map(|e| e.factor).product();
    assert!(factor < 1.0 && made.effects[0].factor < 1.0, "{made:?}");
}

#[test]
fn other_kinds_of_work_tell_something_and_answers_nothing_about_agents() {
    let text = PastRun {
        agent: false,
        ..run(10)
    };
    assert_eq!(estimate(&features(), &[text]), estimate(&features(), &[]));
    let other = PastRun {
        task_type: TaskType::Debug,
        ..run(25_500)
    };
    let [none, far, near] =
        [Vec::new(), vec![other; 20], vec![run(20_500); 20]].map(|h| estimate(&features(), &h).p50);
    assert!(none > far && far > near, "{none} {far} {near}");
}

/// A stream of numbers for tests that need a distribution, and no more.
fn uniform(n: u64) -> f64 {
    let x = n
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    ((x ^ (x >> 33)) >> 11) as f64 / (1u64 << 53) as f64
}

#[test]
fn quantiles_are_where_the_runs_are() {
    // Sums of twelve uniforms are about normal.
    let normal = |i: u64| (0..12).map(|k| uniform(i * 12 + k)).sum::<f64>() - 6.0;
    let history: Vec<PastRun> = (0..300)
        .map(|i| run((40_000.0 * (0.7 * normal(i)).exp()) as u64))
        .collect();
    let made = estimate(&features(), &history);
    let below = |limit: u64| history.iter().filter(|r| r.tokens <= limit).count();
    let counts = [made.p50, made.p80, made.p95].map(below);
    for (count, want) in counts.iter().zip([150, 240, 285]) {
        assert!(count.abs_diff(want) <= 15, "{counts:?}");
    }
}

fn any_run() -> impl Strategy<Value = PastRun> {
    let small = (
        0..8usize,
        0..4usize,
        any::<bool>(),
        any::<u64>(),
        0..3u8,
        any::<u64>(),
    );
    small.prop_map(|(t, c, agent, tokens, who, prompt_chars)| PastRun {
        bead: None,
        task_type: TaskType::ALL[t],
        complexity: Complexity::ALL[c],
        agent,
        prompt_chars,
        provider: format!("p{who}"),
        model: (who > 0).then(|| format!("m{who}")),
        repo: (who > 1).then(|| "r".to_owned()),
        tokens,
    })
}

proptest! {
    #[test]
    fn quantiles_rise_and_never_fall_below_the_prompt(
        history in prop::collection::vec(any_run(), 0..30),
        prompt_tokens in 0u64..1_000_000,
        t in 0..8usize, c in 0..4usize, agent in any::<bool>(),
    ) {
        let features = Features {
            task_type: TaskType::ALL[t],
            complexity: Complexity::ALL[c],
            agent,
            prompt_tokens,
            provider: Some("p1"),
            model: None,
            repo: None,
        };
        let made = estimate(&features, &history);
        prop_assert!(prompt_tokens <= made.p50 && made.p50 <= made.p80 && made.p80 <= made.p95);
        prop_assert!(made.p95 <= 2 * MOST_TOKENS as u64);
        let mut turned = history.clone();
        turned.reverse();
        prop_assert_eq!(estimate(&features, &turned), made);
    }
}
