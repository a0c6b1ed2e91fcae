//! Whole goals by the real claude.

use std::time::Duration;

use serde_json::json;

use super::agents::{OAUTH_TOKEN, RealAgents};
use super::goals::{self, charged, passes_on, rigs, told};
use crate::harness::TestEnv;
use crate::lab::{Limits, Rule, Script, Share, Step, Upstream, Usage};

#[test]
fn a_goal_mends_a_failing_test_suite() {
    let (env, agents) = (TestEnv::new(), RealAgents::find());
    env.with_cargo();
    let repo = env.repo("sums");
    let base = repo.failing_crate();
    let lab = Upstream::start(Script::steps([
        Step::shell("cargo test --offline --quiet"),
        Step::edit("src/lib.rs", "a - b", "a + b"),
        Step::shell("cargo test --offline --quiet"),
        Step::text("`add` subtracted; it adds now, and the test passes.").usage(Usage {
            input: 11,
            output: 7,
            cache_read: 5,
            cache_write: 3,
        }),
    ]));
    lab.expect_credential("claude", OAUTH_TOKEN);
    lab.set_limits(
        "claude",
        Limits {
            five_hour: Some(Share::new(0.42, Duration::from_mins(90))),
            seven_day: Some(Share::new(0.17, Duration::from_hours(96))),
            ..Limits::default()
        },
    );
    env.config(&agents.claude_provider("claude", &lab));

    let goal = [
        "goal",
        "execute",
        "make the failing tests pass",
        "-y",
        "--json",
    ];
    let done = rigs(&env, &repo, &goal).run().success();
    let summary = done.json();
    assert_eq!(
        (&summary["status"], &summary["progress"]["completed"]),
        (&json!("completed"), &json!(1)),
        "{done}"
    );
    let branch = summary["branch"].as_str().expect("a branch");
    assert!(passes_on(
        &env,
        &repo,
        branch,
        &["cargo", "test", "--offline", "--quiet"]
    ));

    // The person's own branch and files are as they were.
    assert_eq!(repo.commit_of("main"), base);
    assert_eq!(repo.git(["status", "--porcelain"]), "");

    // The ledger has what the server counted, to the token.
    let counts = lab.counts("claude");
    assert_eq!(charged(&summary), told(&counts));
    let beads = goals::beads(&env, &repo, &summary);
    assert_eq!(beads.len(), 1);
    assert_eq!(charged(&beads[0]), told(&counts));
    assert_eq!(
        beads[0]["actual_tokens"],
        counts.usage.input + counts.usage.output + counts.usage.cache_write
    );
    let attempts = beads[0]["attempts"].as_array().expect("attempts");
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0]["status"], "done");
    assert_eq!(attempts[0]["session_id"].as_str().map(str::len), Some(36));

    // What the run told about the subscription is in the tank.
    assert_eq!(
        goals::percents(&env, &repo, "claude"),
        [(18_000, 42.0), (604_800, 17.0)]
    );

    // Nothing of it is on the base branch until it is landed.
    let convoy = summary["convoy_id"].as_str().expect("an id");
    rigs(&env, &repo, &["convoy", "land", convoy])
        .run()
        .success();
    assert_eq!(
        repo.read("src/lib.rs"),
        "pub fn add(a: i32, b: i32) -> i32 {\n    a + b\n}\n"
    );
    assert_eq!(repo.commit_of("main"), repo.commit_of("HEAD"));
    assert_eq!(repo.git(["status", "--porcelain"]), "");
    lab.assert_in_order();
}

#[test]
fn a_bead_sees_what_the_bead_before_it_did() {
    let (env, agents) = (TestEnv::new(), RealAgents::find());
    let repo = env.repo("project");
    repo.failing_script();
    let lab = Upstream::start(Script::new([
        Rule::new([
            Step::write("parts/one.txt", "one\n"),
            Step::text("made the first part"),
        ])
        .when("Task: make the first part"),
        Rule::new([
            Step::shell("make --version && cat parts/one.txt && cp parts/one.txt parts/two.txt"),
            Step::edit("answer.txt", "41", "42"),
            Step::text("made the second part"),
        ])
        .when("Task: make the second part"),
    ]));
    env.config(&agents.claude_provider("claude", &lab));
    let plan = goals::plan(
        &env,
        "two parts",
        &[
            ("1", "make the first part", &[]),
            ("2", "make the second part", &["1"]),
        ],
    );
    let plan = plan.to_string_lossy();
    let gate = "sh -c 'test -s parts/one.txt'";
    let goal = [
        "goal", "execute", "--plan", &plan, "--gate", gate, "-y", "--json",
    ];
    let summary = rigs(&env, &repo, &goal).run().success().json();
    assert_eq!(goals::statuses(&summary), ["completed", "completed"]);
    let branch = summary["branch"].as_str().expect("a branch");
    assert_eq!(repo.show(branch, "parts/two.txt"), "one");
    assert!(passes_on(&env, &repo, branch, &["make", "test"]));
    // Each bead by itself has what its own calls cost, and together they have all of it.
    let beads = goals::beads(&env, &repo, &summary);
    assert_eq!(charged(&summary), told(&lab.counts("claude")));
    let requests: Vec<u64> = beads.iter().map(|bead| charged(bead).1).collect();
    assert_eq!(requests, [3, 4]);
    // The second is told what the first said.
    let asked = lab.requests("claude");
    let second = asked
        .iter()
        .find(|r| r.prompt.contains("Task: make the second part"));
    assert!(
        second
            .expect("a call")
            .prompt
            .contains("made the first part")
    );
    lab.assert_in_order();
}
