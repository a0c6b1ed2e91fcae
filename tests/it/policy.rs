//! The rules about who may run what, and budgets: checked, explained, and obeyed by the loop.

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::flow::{Flow, LONG, always, bead};
use crate::harness::TestEnv;

const RULES: &str = r#"
timezone = "Europe/Berlin"

[[rule]]
name = "weekly for me"
when = { provider = "claude*", window = "7d", window_ratio = "< 20%" }
action = "defer"
reason = "the rest of the week is mine"

[[rule]]
name = "cheap tests"
when = { task_type = "test", model = "opus*" }
action = "modify"
model = "sonnet"

[[rule]]
name = "not on the site"
scope = "repo"
when = { repo = "site", estimated_tokens = "> 100000" }
action = "deny"
"#;

fn rules(env: &TestEnv, text: &str) {
    env.write(env.rigs_home().join("policy.toml"), text);
}

/// An agent that does its work, whatever it is asked.
fn works() -> [Value; 1] {
    [always(&[
        json!({"shell": "date +%N > $(basename $PWD).txt"}),
        json!({"print": "done"}),
    ])]
}

const DENY: &str =
    "[[rule]]\nname = \"nothing today\"\naction = \"deny\"\nreason = \"a holiday\"\n";

#[test]
fn rules_are_checked_listed_and_simulated() {
    let env = TestEnv::new();
    env.config("[providers.claude]\ncommand = \"/bin/true\"\n");
    insta::assert_snapshot!(env.rigs(["policy", "check"]).run());
    rules(&env, RULES);
    insta::assert_snapshot!(env.rigs(["policy", "check"]).run());
    insta::assert_snapshot!(env.rigs(["policy", "list"]).run());
    let low = ["--provider", "claude", "--window", "7d=15%,2d"];
    let simulate = |more: &[&str]| env.rigs(["policy", "simulate"]).args(more).run();
    insta::assert_snapshot!(simulate(&low));
    insta::assert_snapshot!(simulate(&[
        "--provider",
        "codex",
        "--model",
        "opus-4",
        "--task-type",
        "test",
        "--repo",
        "/home/a/site",
        "--tokens",
        "5000",
    ]));
    let denied = env
        .rigs([
            "--json", "policy", "simulate", "--repo", "/x/site", "--tokens", "200000",
        ])
        .run()
        .success()
        .json();
    let verdict = &denied[0]["verdict"];
    assert_eq!(verdict["action"], "deny");
    assert_eq!(verdict["rule"], "not on the site");
    assert_eq!(verdict["policy"].as_str().unwrap().len(), 64);
}

#[test]
fn broken_rules_name_their_place_and_nothing_starts() {
    let env = TestEnv::new();
    env.config("[providers.claude]\ncommand = \"/bin/true\"\n");
    rules(
        &env,
        "[[rule]]\nname = \"a\"\nwhen = { modle = \"opus\" }\naction = \"denyy\"\n",
    );
    insta::assert_snapshot!(env.rigs(["policy", "check"]).run());
    env.rigs(["foreman", "start", "--foreground"])
        .run()
        .exits(5);
    env.rigs(["policy", "check", "nowhere.toml"]).run().exits(5);
    let draft = env.write("draft.toml", "default = \"deny\"\n");
    let draft = draft.to_str().unwrap();
    env.rigs(["policy", "check", draft]).run().success();
    env.rigs(["policy", "simulate", "--file", draft, "--provider", "x"])
        .run()
        .success();
    // Elsewhere by the settings, and by a variable.
    env.config(&format!(
        "[general]\npolicy_file = \"{draft}\"\n[providers.claude]\ncommand = \"/bin/true\"\n"
    ));
    env.rigs(["policy", "check"]).run().success();
    env.rigs(["policy", "check"])
        .var("RIGS_GENERAL__POLICY_FILE", "/nowhere/policy.toml")
        .run()
        .exits(5);
}

#[test]
fn what_is_denied_on_one_provider_runs_on_another() {
    let flow = Flow::new("[gate]\ncommands = []");
    let one = flow.provider_with(
        "one",
        "command",
        "affinity = { implementation = 1.0 }",
        &works(),
    );
    let two = flow.provider_with(
        "two",
        "command",
        "affinity = { implementation = 0.1 }",
        &works(),
    );
    rules(
        &flow.env,
        "[[rule]]\nname = \"not one\"\nwhen = { provider = \"one\" }\naction = \"deny\"\n",
    );
    flow.execute(&[bead("a", &[])]).run().success();
    flow.is_done(1);
    assert_eq!((one.calls().len(), two.calls().len()), (0, 1));
    let why = flow
        .rigs(["--json", "why", &flow.bead_id("a")])
        .run()
        .json();
    let claim = why["events"]
        .as_array()
        .unwrap()
        .iter()
        .find(|e| e["type"] == "bead.claim")
        .unwrap();
    let decision = &claim["payload"]["decision"];
    assert_eq!(decision["policy"].as_str().unwrap().len(), 64);
    let considered = decision["considered"].as_array().unwrap();
    let ruled = considered.iter().find(|c| c["provider"] == "one").unwrap();
    assert_eq!(ruled["policy"]["rule"], "not one");
    assert_eq!(ruled["room"]["state"], "never");
}

#[test]
fn what_is_denied_everywhere_is_blocked_until_the_rules_change() {
    let flow = Flow::new("[gate]\ncommands = []");
    let fake = flow.provider("fake", "command", &works());
    rules(&flow.env, DENY);
    let beads = [bead("a", &[]), bead("b", &["a"])];
    let output = flow.execute(&beads).run().exits(1);
    assert_eq!(flow.statuses(), ["blocked", "blocked"]);
    assert!(output.stdout.contains("a holiday"), "{output}");
    assert_eq!(
        flow.env
            .query("SELECT block_cause FROM beads ORDER BY created_at, rowid"),
        ["policy", "dependency"]
    );
    let explained = flow
        .rigs(["policy", "explain", &flow.bead_id("a")])
        .run()
        .success();
    assert!(
        explained
            .stdout
            .contains("global nothing today (deny) matches"),
        "{explained}"
    );
    // The same rules forbid the same, others let it go on by itself.
    flow.goal(["resume"]).run().exits(1);
    rules(
        &flow.env,
        "[[rule]]\nname = \"careful\"\naction = \"warn\"\n",
    );
    flow.goal(["resume"]).run().success();
    flow.is_done(2);
    assert_eq!(fake.calls().len(), 2);
    assert_eq!(flow.events("policy.loaded"), 2);
}

#[test]
fn a_running_foreman_takes_new_rules_and_keeps_the_old_ones_when_they_are_broken() {
    let flow = Flow::new("[gate]\ncommands = []");
    let fake = flow.provider("fake", "command", &works());
    rules(&flow.env, DENY);
    flow.execute(&[bead("a", &[])])
        .args(["--detach"])
        .run()
        .success();
    let mut foreman = flow.rigs(["foreman", "start", "--foreground"]).start();
    foreman.wait_for("blocked: the policy forbids it", LONG);
    rules(&flow.env, "[[rule]]\nname = \"x\"\naction = \"denny\"\n");
    foreman.signal(Signal::SIGHUP);
    foreman.wait_for("policy.toml:3:1: `rule 1.action`", LONG);
    assert_eq!(fake.calls().len(), 0);
    rules(&flow.env, "# no rules\n");
    foreman.wait_for("done", LONG);
    foreman.signal(Signal::SIGTERM);
    foreman.wait(LONG).exits(143);
    flow.is_done(1);
    assert_eq!(
        (flow.events("policy.refused"), flow.events("policy.loaded")),
        (1, 2)
    );
}

#[test]
fn a_rule_changes_model_and_provider_of_a_run() {
    let flow = Flow::new("[gate]\ncommands = []");
    let model = "model = \"opus\"\naffinity = { implementation = 1.0 }";
    let one = flow.provider_with("one", "command", model, &works());
    let two = flow.provider_with(
        "two",
        "command",
        "model = \"large\"\naffinity = { implementation = 0.1 }",
        &works(),
    );
    rules(
        &flow.env,
        "[[rule]]\nname = \"there\"\nwhen = { provider = \"one\" }\naction = \"modify\"\nprovider = \"two\"\n\
         [[rule]]\nname = \"small\"\nwhen = { model = \"large\" }\naction = \"modify\"\nmodel = \"small\"\nmax_tokens = 7000\n",
    );
    flow.execute(&[bead("a", &[])]).run().success();
    flow.is_done(1);
    assert_eq!((one.calls().len(), two.calls().len()), (0, 1));
    assert_eq!(
        flow.env
            .query("SELECT provider || ' ' || model FROM attempts"),
        ["two small"]
    );
}

#[test]
fn a_rule_of_hours_defers_until_they_are_over() {
    let flow = Flow::new("[gate]\ncommands = []");
    let fake = flow.provider("fake", "command", &works());
    rules(
        &flow.env,
        "[[rule]]\nname = \"always closed\"\nwhen = { days = [\"mon-sun\"], hours = \"00-24\" }\naction = \"defer\"\n",
    );
    let output = flow
        .execute(&[bead("a", &[])])
        .args(["--no-wait"])
        .run()
        .exits(75);
    assert_eq!(flow.statuses(), ["deferred"]);
    assert!(output.stderr.contains("rule always closed"), "{output}");
    assert_eq!(fake.calls().len(), 0);
    assert_eq!(flow.events("dispatch.decided"), 1);
}

#[test]
fn the_day_s_budget_waits_for_the_next_day_and_others_for_a_person() {
    let spends = |settings: &str| {
        let flow = Flow::new(&format!("[gate]\ncommands = []\n[budget]\n{settings}"));
        flow.provider("fake", "command", &works());
        let beads = [bead("a", &[]), bead("b", &["a"])];
        let output = flow.execute(&beads).args(["--no-wait"]).run();
        (output.code, flow.statuses().join(" "), output.to_string())
    };
    let (code, statuses, told) = spends("runs_per_day = 1");
    assert_eq!(
        (code, statuses.as_str()),
        (75, "completed deferred"),
        "{told}"
    );
    assert!(
        told.contains("the day's budget of 1 run is reached"),
        "{told}"
    );
    let (code, statuses, told) = spends("runs_per_convoy = 1");
    assert_eq!((code, statuses.as_str()), (7, "completed queued"), "{told}");
    assert!(
        told.contains("raise budget.runs_per_convoy to 2 runs or more"),
        "{told}"
    );
    // A budget that no day is enough for is no wait either.
    let (code, statuses, told) = spends("tokens_per_day = 50000");
    assert_eq!((code, statuses.as_str()), (7, "queued queued"), "{told}");
    assert!(told.contains("raise budget.tokens_per_day to"), "{told}");
    assert!(told.contains("--estimate N"), "{told}");
}

#[test]
fn a_run_that_leaves_its_envelope_is_ended_and_says_which_bound_it_broke() {
    let flow =
        Flow::new("[gate]\ncommands = []\nmax_attempts = 1\n[budget]\ntime_per_run = \"1s\"");
    let slow = always(&[json!({"shell": "exec sleep 100"})]);
    flow.provider("fake", "command", &[slow]);
    let output = flow.execute(&[bead("a", &[])]).run().exits(1);
    assert!(
        output
            .stdout
            .contains("it took longer than the 1s of its envelope"),
        "{output}"
    );
    assert_eq!(flow.env.query("SELECT status FROM attempts"), ["runaway"]);

    let flow = Flow::new("[gate]\ncommands = []\nmax_attempts = 1\n[budget]\ntokens_per_run = 2");
    let steps = [
        json!({"claude": "start"}),
        json!({"claude": {"say": "thinking"}}),
        json!({"shell": "exec sleep 100"}),
    ];
    flow.provider("claude", "claude", &[always(&steps)]);
    let output = flow.execute(&[bead("a", &[])]).run().exits(1);
    assert!(
        output
            .stdout
            .contains("tokens, more than the 2 of its envelope"),
        "{output}"
    );
    assert_eq!(flow.env.query("SELECT status FROM attempts"), ["runaway"]);
}
