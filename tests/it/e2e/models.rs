//! A real, very small model as a planner and as a provider of text, over both protocols. It is
//! an excellent source of bad plans; what must hold is what rigs makes of them.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::Value;

use super::goals::{charged, rigs};
use super::servers::{Servers, servers};
use crate::harness::TestEnv;

/// At temperature 0 the model makes plans of both kinds of these: sound in form, and not.
const GOALS: [&str; 3] = [
    "Fix the memory leak in the cache",
    "Add user authentication with OAuth2",
    "Greet the reader of the README",
];
/// A planning call on a busy machine: 30 tokens a second, up to a few hundred of them, twice.
const PATIENCE: Duration = Duration::from_mins(5);

fn openai(servers: &Servers) -> String {
    format!(
        "[providers.small]\nkind = \"openai\"\nbase_url = \"{}\"\nmodel = \"{}\"\ntimeout = \"2m\"\n",
        servers.openai, servers.model
    )
}

fn ollama(servers: &Servers) -> String {
    format!(
        "[providers.small]\nkind = \"ollama\"\nbase_url = \"{}\"\nmodel = \"{}\"\ntimeout = \"2m\"\n",
        servers.ollama, servers.ollama_model
    )
}

/// Plans every goal; how many plans the model made, and how many the rules.
fn plans(config: &str, label: &str) -> (usize, usize) {
    let env = TestEnv::new();
    let repo = env.repo("project");
    repo.failing_script();
    env.config(config);
    let (mut by_model, mut by_rules) = (0, 0);
    for goal in GOALS {
        let plan = rigs(&env, &repo, &["goal", "plan", goal, "--json"])
            .timeout(PATIENCE)
            .run();
        let plan = plan.success().json();
        let notes = plan["notes"].to_string();
        is_sound(&plan);
        if plan["planned_by"] == "rules" {
            assert!(
                notes.contains(label) && notes.contains("rejected"),
                "{notes}"
            );
            assert!(notes.contains("planned by rules instead"), "{notes}");
            by_rules += 1;
        } else {
            assert!(
                plan["planned_by"].as_str().expect("a name").contains(label),
                "{plan}"
            );
            by_model += 1;
        }
    }
    (by_model, by_rules)
}

/// Whoever made it: unique titles, and every bead waits for earlier ones only.
#[track_caller]
fn is_sound(plan: &Value) {
    let (mut keys, mut titles) = (HashSet::new(), HashSet::new());
    let beads = plan["beads"].as_array().expect("beads");
    assert!((1..=12).contains(&beads.len()), "{plan}");
    for bead in beads {
        let on = bead["depends_on"].as_array().expect("a list");
        assert!(on.iter().all(|key| keys.contains(key)), "{plan}");
        assert!(
            keys.insert(&bead["key"]) && titles.insert(&bead["title"]),
            "{plan}"
        );
    }
}

#[test]
fn a_model_plans_over_the_openai_protocol_and_its_bad_plans_are_refused() {
    let (servers, _turn) = servers();
    let config = openai(servers) + "[assayer]\nbackends = [\"small\"]\n";
    let (by_model, by_rules) = plans(&config, &servers.model);
    assert!(
        by_model > 0 && by_rules > 0,
        "{by_model} by the model, {by_rules} by rules"
    );
}

#[test]
fn a_model_plans_over_the_ollama_protocol_and_its_bad_plans_are_refused() {
    let (servers, _turn) = servers();
    let config = format!(
        "[assayer]\nbackends = [\"ollama\"]\nbase_url = \"{}\"\nplanner_model = \"{}\"\n",
        servers.ollama, servers.ollama_model
    );
    let (by_model, by_rules) = plans(&config, &servers.model);
    assert!(
        by_model > 0 && by_rules > 0,
        "{by_model} by the model, {by_rules} by rules"
    );
}

#[test]
fn a_goal_without_a_repository_is_answered_by_the_model() {
    let (servers, _turn) = servers();
    for (config, label) in [
        (openai(servers), format!("{} at ", servers.model)),
        (ollama(servers), servers.ollama_model.clone()),
    ] {
        let env = TestEnv::new();
        env.config(&(config + "[assayer]\nbackends = []\n"));
        let goal = ["goal", "execute", "Name three colours", "--no-repo", "-y"];
        let run = || env.rigs(goal).real_time().timeout(PATIENCE);
        let shown = run().run().success();
        let answered = shown.stdout.lines().find(|l| l.starts_with("answered by"));
        let answered = answered.unwrap_or_else(|| panic!("{shown}"));
        assert!(
            answered.contains("small") && answered.contains(&label),
            "{answered}"
        );

        let summary = run().args(["--json"]).run().success().json();
        let answer = summary["answer"].as_str().expect("an answer");
        assert!(!answer.trim().is_empty());
        // The same question, the same answer; and it is printed first.
        assert!(shown.stdout.starts_with(answer), "{shown}");
        let (used, requests) = charged(&summary);
        assert!(
            used.input > 0 && used.output > 0 && requests == 1,
            "{used:?}, {requests}"
        );
    }
}
