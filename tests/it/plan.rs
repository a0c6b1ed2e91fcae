//! `rigs simulate` and `rigs dispatch`: when and where the queue will run.

use serde_json::{Value, json};

use crate::beads::bead;
use crate::harness::TestEnv;

/// Two providers: one with a window of 80,000 tokens, one that suits nothing well.
fn two_providers() -> TestEnv {
    let env = TestEnv::new();
    env.config(
        r#"
        [providers.alpha]
        kind = "command"
        command = ["true"]
        max_parallel = 1
        reserve = 0.0
        limits = [{ window = "5h", kind = "anchored", unit = "tokens", amount = 80000 }]
        affinity = { test = 1.0, review = 1.0 }

        [providers.beta]
        kind = "command"
        command = ["true"]
        max_parallel = 1
        affinity = { test = 0.2, review = 0.2 }
        "#,
    );
    env
}

/// Bead, provider, what it waits for.
fn lines(planned: &Value) -> Vec<(String, String, Value)> {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let beads = planned["beads"].as_array().expect("a list");
    beads
        .iter()
        .map(|b| {
            (
                text(&b["bead_id"]),
                text(&b["provider"]),
                b["waits_for"].clone(),
            )
        })
        .collect()
}

#[test]
fn an_empty_queue_has_nothing_to_do() {
    let env = TestEnv::new();
    insta::assert_snapshot!(env.rigs(["simulate"]).run(), @r"
    Nothing is to be done.
    [exit status: 0]
    ");
}

#[test]
fn a_simulation_tells_where_and_when_and_what_is_waited_for() {
    let env = two_providers();
    let first = bead(&env, &["first", "-t", "test", "--estimate", "30000"]);
    let second = bead(
        &env,
        &[
            "second",
            "-t",
            "review",
            "--estimate",
            "20000",
            "--depends-on",
            &first,
        ],
    );
    let planned = env.rigs(["simulate", "--json"]).run().success().json();
    assert_eq!(
        lines(&planned),
        [
            (first.clone(), "alpha".to_owned(), Value::Null),
            (second.clone(), "alpha".to_owned(), json!(first)),
        ]
    );
    assert_eq!(
        planned["windows"],
        json!([{"provider": "alpha", "window": "5h_tokens", "limit": 80000, "stretches": 1, "used": 0.625}])
    );
    assert_eq!(planned["walls"], json!([]));
    let without = env
        .rigs(["simulate", "--json", "--what-if", "alpha=off"])
        .run()
        .success()
        .json();
    assert_eq!(
        lines(&without),
        [
            (first.clone(), "beta".to_owned(), Value::Null),
            (second.clone(), "beta".to_owned(), json!(first)),
        ]
    );
    let text = env.rigs(["dispatch", "--dry-run"]).run().success();
    let text = text.stdout;
    assert!(text.contains("rule: ") && text.contains("= runs"), "{text}");
    let bar = |id: &str| text.lines().any(|l| l.starts_with(id) && l.contains('='));
    assert!(bar(&first) && bar(&second), "{text}");
}

#[test]
fn a_window_that_is_too_small_is_a_wall_until_it_is_new() {
    let env = two_providers();
    for name in ["one", "two"] {
        bead(
            &env,
            &[
                name,
                "-t",
                "test",
                "--estimate",
                "40000",
                "--provider",
                "alpha",
            ],
        );
    }
    let planned = env.rigs(["simulate", "--json"]).run().success().json();
    assert_eq!(planned["walls"][0]["window"], "5h_tokens");
    assert_eq!(planned["beads"][1]["waits_for"], "the reset of 5h_tokens");
    let twice = env
        .rigs(["simulate", "--json", "--what-if", "alpha=3x"])
        .run()
        .success()
        .json();
    assert_eq!(twice["walls"], json!([]));
}

#[test]
fn the_chart_is_written_as_svg() {
    let env = two_providers();
    bead(&env, &["<b>bold</b>", "-t", "test", "--estimate", "1000"]);
    let file = env.root().join("plan.svg");
    let name = file.to_str().expect("a path of text");
    env.rigs(["simulate", "--svg", name]).run().success();
    let svg = std::fs::read_to_string(&file).expect("it is there");
    assert!(
        svg.starts_with("<svg ") && svg.ends_with("</svg>\n"),
        "{svg}"
    );
    assert!(
        svg.contains("&lt;b&gt;bold") && !svg.contains("<b>"),
        "{svg}"
    );
}

#[test]
fn what_cannot_be_planned_is_named_and_mistakes_are_explained() {
    let env = two_providers();
    insta::assert_snapshot!(env.rigs(["simulate", "--what-if", "gamma=off"]).run(), @r"
    ------- stderr -------
    error: there is no provider `gamma`
      hint: `rigs provider list` shows those there are
    [exit status: 3]
    ");
    let id = bead(&env, &["alone", "-t", "test", "--estimate", "1000"]);
    let planned = env
        .rigs([
            "simulate",
            "--json",
            "--what-if",
            "alpha=off",
            "--what-if",
            "beta=off",
        ])
        .run()
        .success()
        .json();
    assert_eq!(planned["finish"], Value::Null);
    assert_eq!(
        planned["unplanned"],
        json!([{"bead_id": id, "title": "alone", "reason": "no provider that is enabled may take it"}])
    );
}

#[test]
fn dispatch_alone_shows_the_plan_and_who_carries_it_out() {
    let env = two_providers();
    bead(&env, &["alone", "-t", "test", "--estimate", "1000"]);
    let alone = env.rigs(["dispatch"]).run().success();
    let dry = env.rigs(["dispatch", "--dry-run"]).run().success();
    assert!(alone.stdout.contains("rule: "), "{alone}");
    assert!(alone.stderr.contains("rigs foreman start"), "{alone}");
    assert_eq!(dry.stderr, "");
    assert_eq!(env.query("SELECT status FROM beads"), ["pending"]);
}

#[test]
fn the_same_store_and_seed_have_the_same_plan_byte_for_byte() {
    let env = two_providers();
    for (n, kind) in ["test", "review", "test", "review", "test", "review"]
        .iter()
        .enumerate()
    {
        let tokens = (9_000 + 7_000 * n).to_string();
        bead(&env, &["work", "-t", kind, "--estimate", &tokens]);
    }
    let at = "2026-01-02T00:00:00Z";
    let ask = || {
        let args = ["simulate", "--json", "--seed", "7", "--at", at];
        env.rigs(args).run().success().stdout
    };
    let first = ask();
    assert_eq!(first, ask());
    // The rows in another order, under the same ids and times.
    env.break_store(
        "PRAGMA foreign_keys = OFF; CREATE TABLE moved AS SELECT * FROM beads ORDER BY created_at DESC;
         DELETE FROM beads; INSERT INTO beads SELECT * FROM moved ORDER BY rowid; DROP TABLE moved",
    );
    assert_eq!(first, ask());
}
