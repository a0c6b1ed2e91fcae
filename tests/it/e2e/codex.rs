//! Whole goals by the real codex.

use std::time::Duration;

use serde_json::json;

use super::agents::{CODEX_KEY, CODEX_KEY_ENV, RealAgents};
use super::goals::{self, charged, passes_on, rigs, told};
use crate::harness::TestEnv;
use crate::lab::{Limits, Rule, Script, Share, Step, Upstream, Usage};

#[test]
fn a_goal_mends_a_failing_test_suite() {
    let (env, agents) = (TestEnv::new(), RealAgents::find());
    env.var(CODEX_KEY_ENV, CODEX_KEY);
    let repo = env.repo("project");
    let base = repo.failing_script();
    let lab = Upstream::start(Script::steps([
        Step::shell("sh test.sh"),
        Step::edit("answer.txt", "41", "42"),
        Step::shell("make test"),
        Step::text("The answer was wrong; it is 42 now.").usage(Usage {
            input: 11,
            output: 7,
            cache_read: 5,
            cache_write: 3,
        }),
    ]));
    lab.expect_credential("codex", CODEX_KEY);
    lab.forbid(CODEX_KEY);
    lab.set_limits(
        "codex",
        Limits {
            five_hour: Some(Share::new(0.42, Duration::from_mins(90))),
            seven_day: Some(Share::new(0.17, Duration::from_hours(96))),
            ..Limits::default()
        },
    );
    env.config(&agents.codex_provider("codex", &lab));

    let goal = [
        "goal",
        "execute",
        "make the failing tests pass",
        "-y",
        "--json",
    ];
    let summary = rigs(&env, &repo, &goal).run().success().json();
    assert_eq!(goals::statuses(&summary), ["completed"]);
    let branch = summary["branch"].as_str().expect("a branch");
    assert!(passes_on(&env, &repo, branch, &["make", "test"]));
    assert_eq!(repo.commit_of("main"), base);
    assert_eq!(repo.git(["status", "--porcelain"]), "");

    let counts = lab.counts("codex");
    assert_eq!(charged(&summary), told(&counts));
    let beads = goals::beads(&env, &repo, &summary);
    let attempts = beads[0]["attempts"].as_array().expect("attempts");
    assert_eq!(
        (attempts.len(), &attempts[0]["status"]),
        (1, &json!("done"))
    );
    assert_eq!(attempts[0]["session_id"].as_str().map(str::len), Some(36));
    // Only the rollout file has the limits.
    assert_eq!(
        goals::percents(&env, &repo, "codex"),
        [(18_000, 42.0), (604_800, 17.0)]
    );

    let convoy = summary["convoy_id"].as_str().expect("an id");
    rigs(&env, &repo, &["convoy", "land", convoy])
        .run()
        .success();
    assert_eq!(repo.read("answer.txt"), "42\n");
    lab.assert_in_order();
}

#[test]
fn a_bead_sees_what_the_bead_before_it_did() {
    let (env, agents) = (TestEnv::new(), RealAgents::find());
    env.var(CODEX_KEY_ENV, CODEX_KEY);
    let repo = env.repo("project");
    repo.failing_script();
    let lab = Upstream::start(Script::new([
        Rule::new([
            Step::write("parts/one.txt", "one\n"),
            Step::text("made the first part"),
        ])
        .when("Task: make the first part"),
        Rule::new([
            Step::shell("cat parts/one.txt && cp parts/one.txt parts/two.txt"),
            Step::edit("answer.txt", "41", "42"),
            Step::text("made the second part"),
        ])
        .when("Task: make the second part"),
    ]));
    env.config(&agents.codex_provider("codex", &lab));
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
    let beads = goals::beads(&env, &repo, &summary);
    let requests: Vec<u64> = beads.iter().map(|bead| charged(bead).1).collect();
    assert_eq!(requests, [2, 3]);
    assert_eq!(charged(&summary), told(&lab.counts("codex")));
    lab.assert_in_order();
}
