//! `rigs assayer calibration`: how far off estimates are.

use serde_json::Value;

use crate::harness::{Output, TestEnv};

fn of(env: &TestEnv, history: &str, json: bool) -> Output {
    let file = format!("{}/benches/data/runs/{history}", env!("CARGO_MANIFEST_DIR"));
    let run = env.rigs(["assayer", "calibration"]).args([file]);
    let run = if json { run.args(["--json"]) } else { run };
    run.run().success()
}

#[test]
fn the_page_about_estimates_shows_what_the_command_says() {
    let env = TestEnv::new();
    let page = include_str!("../../docs/assayer.md");
    for history in ["claude-code.jsonl", "made-up.jsonl"] {
        let said = of(&env, history, false).stdout;
        let shown = format!("calibration benches/data/runs/{history}\n{said}```\n");
        assert!(page.contains(&shown), "docs/assayer.md lacks:\n{said}");
    }
}

#[test]
fn quantiles_cover_what_they_say_and_beat_fixed_multiples() {
    let env = TestEnv::new();
    for history in ["claude-code.jsonl", "made-up.jsonl"] {
        let report = of(&env, history, true).json();
        let methods = report["methods"].as_array().expect("a list");
        for c in methods[0]["coverage"].as_array().expect("a list") {
            let [quantile, share, low, high] =
                ["quantile", "share", "low", "high"].map(|key| c[key].as_f64());
            // Too wide a p95 costs a little room; one that does not hold costs a wall.
            let is_wide = quantile == Some(0.95) && share > high;
            assert!(low <= share && (share <= high || is_wide), "{history}: {c}");
        }
        let skill = |name: &str| {
            let found = methods.iter().find(|m| m["method"] == name);
            found.and_then(|m| m["skill"].as_f64())
        };
        assert!(skill("table") > Some(0.3), "{history}: {report}");
        assert!(skill("all runs") > Some(-0.02), "{history}: {report}");
    }
}

#[test]
fn a_history_that_says_nothing_is_refused_with_its_line() {
    let env = TestEnv::new();
    let empty = env.rigs(["assayer", "calibration"]).run().exits(4);
    assert!(empty.stderr.contains("0 runs are too few"), "{empty}");
    let line =
        r#"{"task_type":"debug","complexity":"small","agent":true,"provider":"p","tokens":5}"#;
    for (text, want) in [
        (
            format!("{line}\n\n{{\"tokens\": 1}}\n"),
            "line 3: missing field",
        ),
        (line.replace("tokens", "tokns"), "line 1: unknown field"),
        (line.replace("small", "tiny"), "line 1: unknown"),
    ] {
        let file = env.write("runs.jsonl", text);
        let refused = env
            .rigs(["assayer", "calibration"])
            .args([file])
            .run()
            .exits(2);
        assert!(refused.stderr.contains(want), "{refused}");
    }
    let report: Value = of(&env, "made-up.jsonl", true).json();
    assert_eq!(
        (&report["runs"], &report["scored"]),
        (&240.into(), &160.into())
    );
}
