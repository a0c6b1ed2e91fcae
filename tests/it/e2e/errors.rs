//! What goes wrong at a provider, as the real claude and codex pass it on: told in its class,
//! without endless tries, and with an exit code that says what to do.

use std::time::Duration;

use serde_json::Value;

use super::agents::{CODEX_KEY, CODEX_KEY_ENV, RealAgents};
use super::goals::{self, charged, rigs};
use crate::harness::{Output, TestEnv};
use crate::lab::{Failure, Fault, Rule, Script, Step, Upstream, Usage};

/// What came of a goal whose every model call ends like this.
struct Met {
    output: Output,
    summary: Value,
    /// Class and message of every attempt.
    attempts: Vec<(String, String)>,
    requests: u64,
}

fn meet(agent: &str, step: Step, more: &str) -> Met {
    let (env, agents) = (TestEnv::new(), RealAgents::find());
    env.var(CODEX_KEY_ENV, CODEX_KEY);
    let repo = env.repo("project");
    let base = repo.failing_script();
    let lab = Upstream::start(Script::new([Rule::new([step]).repeat()]));
    let entry = match agent {
        "claude" => agents.claude_provider("claude", &lab),
        _ => agents.codex_provider("codex", &lab),
    };
    env.config(&(entry + more));
    let goal = [
        "goal",
        "execute",
        "make the failing tests pass",
        "-y",
        "--json",
        "--no-wait",
    ];
    let output = rigs(&env, &repo, &goal).run();
    assert_eq!(env.processes(), []);
    let summary = output.json();
    let beads = goals::beads(&env, &repo, &summary);
    let told = |attempt: &Value| {
        let text = |name: &str| attempt[name].as_str().unwrap_or_default().to_owned();
        (text("status"), text("message"))
    };
    let attempts = beads[0]["attempts"].as_array().expect("attempts");
    assert_eq!(beads[0]["failures"], 0, "{output}");
    assert_eq!(repo.commit_of("main"), base);
    assert_eq!(lab.violations(), Vec::<String>::new());
    Met {
        attempts: attempts.iter().map(told).collect(),
        requests: lab.counts(agent).requests,
        summary,
        output,
    }
}

impl Met {
    /// It ends so, after `attempts` that all were of this class, and at most so many requests.
    #[track_caller]
    fn is(self, exit: i32, attempts: usize, class: &str, says: &str, most_requests: u64) {
        let Self {
            output,
            summary,
            attempts: met,
            requests,
        } = self;
        assert_eq!(output.code, exit, "{met:?}\n{output}");
        assert_eq!(met.len(), attempts, "{met:?}");
        for (status, message) in &met {
            assert_eq!(status, class, "{met:?}");
            assert!(message.contains(says), "{met:?}");
        }
        assert!(
            (1..=most_requests).contains(&requests),
            "{requests} requests"
        );
        // Refused is not used; of what was never answered nobody knows.
        let used = charged(&summary);
        assert_eq!(used == (Usage::default(), 0), class != "silent", "{output}");
    }
}

#[test]
fn a_login_that_is_refused() {
    let step = || Step::fail(Failure::Unauthorized);
    meet("claude", step(), "").is(7, 1, "auth", "/login", 2);
    meet("codex", step(), "").is(7, 1, "auth", "401", 9);
}

#[test]
fn a_model_that_does_not_exist() {
    let step = || Step::fail(Failure::NoModel);
    let model = "model = \"claude-none-9\"\n";
    meet("claude", step(), model).is(7, 1, "bad_model", "claude-none-9", 2);
    meet("codex", step(), "").is(7, 1, "bad_model", "model", 9);
}

#[test]
fn an_account_without_credit() {
    let step = || Step::fail(Failure::NoCredit);
    meet("claude", step(), "").is(7, 1, "out_of_credit", "Credit balance is too low", 1);
    meet("codex", step(), "").is(7, 1, "out_of_credit", "Quota exceeded", 9);
}

#[test]
fn a_server_that_is_overloaded_is_left_alone_for_a_while() {
    let step = || Step::fail(Failure::Overloaded);
    for (agent, says, most_requests) in [("claude", "Overloaded", 12), ("codex", "capacity", 9)] {
        let met = meet(agent, step(), "");
        assert!(goals::epoch(&met.summary["waiting_until"]) > 0);
        met.is(75, 3, "overloaded", says, most_requests);
    }
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let quick = "idle_timeout = \"2s\"\nstartup_timeout = \"90s\"\n";
    for agent in ["claude", "codex"] {
        let met = meet(agent, Step::breaks(Fault::Hang), quick);
        assert!(met.output.duration < Duration::from_secs(45));
        met.is(1, 3, "silent", "no output for too long", 3);
    }
}
