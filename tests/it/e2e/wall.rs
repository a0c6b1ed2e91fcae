//! The wall of a subscription in the middle of a convoy, met by the real claude.

use std::time::Duration;

use super::agents::{CODEX_KEY, CODEX_KEY_ENV, RealAgents};
use super::goals::{self, charged, rigs, told};
use crate::harness::TestEnv;
use crate::lab::{Rule, Script, Step, Upstream};

/// Long enough for codex's beads on a busy machine, short enough to be waited for.
const WALL: Duration = Duration::from_secs(20);

#[test]
fn a_wall_defers_one_provider_until_its_reset_and_the_other_goes_on() {
    let (env, agents) = (TestEnv::new(), RealAgents::find());
    env.var(CODEX_KEY_ENV, CODEX_KEY);
    let repo = env.repo("project");
    let base = repo.commit_of("HEAD");
    let lab = Upstream::start(Script::new([
        Rule::new([
            Step::write("claude.txt", "half\n"),
            Step::limit(WALL),
            Step::edit("claude.txt", "half", "whole"),
            Step::text("the rest of it"),
        ])
        .tag("claude"),
        Rule::new([Step::shell("touch made-$$.txt"), Step::text("made it")])
            .tag("codex")
            .when(r"Task: (part \w+)"),
    ]));
    env.config(
        &(agents.claude_provider("claude", &lab)
            + &agents.codex_provider("codex", &lab)
            + "affinity = { implementation = 0.1 }\n"),
    );
    let plan = goals::plan(
        &env,
        "three parts",
        &[
            ("1", "part one", &[]),
            ("2", "part two", &[]),
            ("3", "part three", &[]),
        ],
    );
    let plan = plan.to_string_lossy();
    let gate = ["--gate", "true"];
    let goal = [
        "goal",
        "execute",
        "--plan",
        &plan,
        "--no-wait",
        "-y",
        "--json",
    ];
    let stopped = rigs(&env, &repo, &goal).args(gate).run().exits(75);
    let reset = lab
        .wall("claude")
        .expect("the wall stands as long as codex works");
    let summary = stopped.json();
    assert_eq!(
        goals::statuses(&summary),
        ["deferred", "completed", "completed"]
    );
    // Not before the reset that was stated, and not long after it.
    let until = goals::epoch(&summary["waiting_until"]);
    assert!(
        (reset..=reset + 6).contains(&until),
        "{until} for a reset at {reset}: {summary}"
    );
    assert_eq!(lab.counts("codex").answered, 4);

    let resume = ["goal", "resume", "--json"];
    let done = rigs(&env, &repo, &resume).run().success();
    let summary = done.json();
    assert_eq!(
        goals::statuses(&summary),
        ["completed", "completed", "completed"]
    );
    // One call met the wall; none was made against it while it stood.
    let counts = lab.counts("claude");
    assert_eq!((counts.walled, counts.statuses.get(&429)), (0, Some(&1)));
    // It went on in its session: the same one, which still knows the task.
    let beads = goals::beads(&env, &repo, &summary);
    let attempts = beads[0]["attempts"].as_array().expect("attempts");
    let seen: Vec<_> = attempts.iter().map(|a| a["status"].as_str()).collect();
    assert_eq!(seen, [Some("limit"), Some("done")]);
    assert_eq!(attempts[0]["session_id"], attempts[1]["session_id"]);
    let last = lab.requests("claude").pop().expect("requests");
    assert!(last.prompt.contains("Task: part one"), "{}", last.prompt);
    assert_eq!(beads[0]["failures"], 0);

    let (ours, requests) = charged(&summary);
    let both = [lab.counts("claude"), lab.counts("codex")].map(|c| told(&c));
    let mut usage = both[0].0;
    usage += both[1].0;
    assert_eq!((ours, requests), (usage, both[0].1 + both[1].1));
    let branch = summary["branch"].as_str().expect("a branch");
    assert_eq!(repo.show(branch, "claude.txt"), "whole");
    assert_eq!(repo.commit_of("main"), base);
    lab.assert_in_order();
}
