mod fuzz;
mod unknown;

use std::path::PathBuf;
use std::sync::Arc;

use pretty_assertions::assert_eq;

use super::*;
use crate::core::{MicroUsd, Priority, TaskType, Timestamp};

pub(super) fn file() -> Arc<PathBuf> {
    Arc::new(PathBuf::from("policy.toml"))
}

fn policy(text: &str) -> Policy {
    read(&file(), text.as_bytes()).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

/// 2026-11-20 is a Friday.
fn now() -> Timestamp {
    "2026-11-20T10:00:00Z".parse().unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn window(name: &str, ratio: Option<f64>, resets_at: &str) -> WindowFacts {
    WindowFacts {
        name: name.into(),
        ratio,
        resets_at: Some(at(resets_at)),
        p_exhausted: None,
    }
}

fn facts() -> Facts {
    Facts {
        agent: "rigs".into(),
        provider: Some("claude".parse().unwrap()),
        model: Some("opus-4".into()),
        task_type: Some(TaskType::Test),
        priority: Some(Priority::Normal),
        bead: Some("gt-a1".into()),
        convoy: vec!["cv-b2".into(), "night shift".into()],
        repo: Some("/home/a/site".into()),
        estimated_tokens: Some(200_000),
        estimated_cost: Some(MicroUsd(1_500_000)),
        windows: Some(vec![
            window("5h", Some(0.6), "2026-11-20T12:00:00Z"),
            window("7d", Some(0.15), "2026-11-24T00:00:00Z"),
        ]),
        budget_left: Some(1.0),
        ..Facts::default()
    }
}

fn verdict(text: &str, facts: &Facts) -> Verdict {
    evaluate(&policy(text), facts, now())
}

/// Action, rule, until.
fn short(text: &str, facts: &Facts) -> (Action, String, Option<Timestamp>) {
    let v = verdict(text, facts);
    (v.action, v.rule.unwrap_or_default(), v.until)
}

/// Rules in short: name, scope, when, action and the rest.
fn rules(rules: &[(&str, &str, &str, &str)]) -> String {
    let one = |(name, scope, when, action): &(&str, &str, &str, &str)| {
        format!(
            "[[rule]]\nname = \"{name}\"\nscope = \"{scope}\"\nwhen = {{ {when} }}\naction = {action}\n"
        )
    };
    rules.iter().map(one).collect()
}

#[test]
fn everything_that_is_wrong_is_told_with_line_and_column_and_what_was_meant() {
    let text = r#"
defualt = "deny"
unknown = "waarn"
[[rule]]
name = "a"
when = { provdier = "claude", task_type = "tests", window_ratio = "< 120%" }
action = "denyy"
[[rule]]
name = "a"
action = "delay"
model = "opus"
[[rule]]
action = "defer"
scope = "convoy"
when = { window = "5h", timezone = "UTC", hours = "25-26" }
[[rule]]
name = "b"
action = "modify"
max_tokens = -1
[[rule]]
name = "c"
when = 3
"#;
    let problems = read(&file(), text.as_bytes()).unwrap_err();
    let told: Vec<String> = problems
        .iter()
        .map(|p| match &p.hint {
            Some(hint) => format!("{p} [{hint}]"),
            None => p.to_string(),
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn bytes_that_are_no_text_have_a_place_too() {
    let problems = read(&file(), b"# fine\ndefault = \"\xff\"").unwrap_err();
    assert_eq!(
        problems[0].to_string(),
        "policy.toml:2:12: is not UTF-8 text from here on"
    );
}

#[test]
fn the_hash_is_of_the_meaning_and_not_of_the_file() {
    let one = policy("timezone = \"UTC\"\n[[rule]]\nname = \"a\"\naction = \"warn\"\n");
    let same = policy("# words\n[[rule]]\naction = \"warn\"\nscope = 'global'\nname = 'a'");
    let other = policy("[[rule]]\nname = \"a\"\naction = \"deny\"\n");
    assert_eq!(one.hash, same.hash);
    assert_ne!(one.hash, other.hash);
    assert_eq!(one.hash.len(), 64);
    assert_eq!(policy("").hash, Policy::default().hash);
    assert_eq!(verdict("", &facts()).hash, Policy::default().hash);
}

#[test]
fn without_rules_everything_is_approved_unless_the_default_denies() {
    assert_eq!(short("", &facts()).0, Action::Approve);
    let closed = "default = \"deny\"\n";
    let v = verdict(closed, &facts());
    assert_eq!(
        (v.action, v.reason.as_str()),
        (Action::Deny, "no rule approves it")
    );
    let opened = rules(&[("ok", "global", "provider = \"claude\"", "\"approve\"")]);
    assert_eq!(
        short(&format!("{closed}{opened}"), &facts()).0,
        Action::Approve
    );
}

#[test]
fn the_first_match_of_a_scope_counts_and_an_inner_scope_lifts_nothing() {
    let text = rules(&[
        ("mine", "bead", "bead = \"gt-a1\"", "\"approve\""),
        ("urgent", "global", "priority = \"critical\"", "\"approve\""),
        (
            "no tests",
            "global",
            "task_type = [\"test\", \"review\"]",
            "\"deny\"",
        ),
    ]);
    assert_eq!(
        short(&text, &facts()),
        (Action::Deny, "no tests".into(), None)
    );
    let urgent = Facts {
        priority: Some(Priority::Critical),
        ..facts()
    };
    assert_eq!(short(&text, &urgent).0, Action::Approve);
    let inner = rules(&[
        ("all", "global", "", "\"approve\""),
        ("not here", "repo", "repo = \"site\"", "\"deny\""),
    ]);
    assert_eq!(
        short(&inner, &facts()),
        (Action::Deny, "not here".into(), None)
    );
}

#[test]
fn names_repositories_and_convoys_are_known_by_each_of_their_names() {
    for when in [
        "convoy = \"night*\"",
        "convoy = \"cv-b2\"",
        "repo = \"/home/*\"",
        "repo = \"site\"",
        "model = [\"opus*\"]",
        "model = \"!sonnet*\"",
        "agent = \"rigs\"",
        "estimated_tokens = \"> 100000\"",
        "estimated_cost = \">= $1.50\"",
        "window_ratio = \"< 20%\"",
        "window = \"7d\", window_ratio = \"< 20%\"",
        "seconds_to_reset = \"> 3d\"",
        "days = \"fri\", hours = \"09-12\"",
        "hours = \"05-06\", timezone = \"America/New_York\"",
    ] {
        let text = rules(&[("r", "global", when, "\"deny\"")]);
        assert_eq!(short(&text, &facts()).0, Action::Deny, "{when}");
    }
    for when in [
        "convoy = \"other\"",
        "convoy = \"!cv-b2\"",
        "window = \"5h\", window_ratio = \"< 20%\"",
        "window = \"30d\", window_ratio = \"< 20%\"",
        "window = \"30d\", seconds_to_reset = \"< 20h\"",
        "budget_left = \"< 10%\"",
        "days = \"mon-thu\"",
    ] {
        let text = rules(&[("r", "global", when, "\"deny\"")]);
        assert_eq!(short(&text, &facts()).0, Action::Approve, "{when}");
    }
}

#[test]
fn a_deferral_ends_when_its_conditions_can_have_changed() {
    let until = |when: &str| short(&rules(&[("r", "global", when, "\"defer\"")]), &facts()).2;
    let want = |text: &str| Some(at(text));
    assert_eq!(
        until("window_ratio = \"< 20%\""),
        want("2026-11-24T00:00:00Z")
    );
    assert_eq!(
        until("window = \"5h\", window_ratio = \"< 70%\""),
        want("2026-11-20T12:00:00Z")
    );
    assert_eq!(until("hours = \"09-18\""), want("2026-11-20T18:00:00Z"));
    assert_eq!(
        until("window_ratio = \"< 20%\", hours = \"09-18\""),
        want("2026-11-20T18:00:00Z")
    );
    assert_eq!(
        until("seconds_to_reset = \"> 1d\""),
        want("2026-11-23T00:00:00Z")
    );
    assert_eq!(
        until("budget_left = \"> 10%\""),
        want("2026-11-20T10:30:00Z")
    );
}

#[test]
fn runs_begin_as_far_apart_as_a_delay_asks() {
    let text = rules(&[(
        "slow",
        "global",
        "window_ratio = \"< 20%\"",
        "\"delay\"\nwait = \"20m\"",
    )]);
    let after = |last: Option<&str>| {
        let facts = Facts {
            last_start: last.map(at),
            ..facts()
        };
        let (action, _, until) = short(&text, &facts);
        (action, until)
    };
    assert_eq!(after(None), (Action::Approve, None));
    assert_eq!(after(Some("2026-11-20T09:00:00Z")), (Action::Approve, None));
    assert_eq!(
        after(Some("2026-11-20T09:50:00Z")),
        (Action::Delay, Some(at("2026-11-20T10:10:00Z")))
    );
}

#[test]
fn what_is_modified_is_judged_as_it_will_run() {
    let text = rules(&[
        (
            "cheap",
            "global",
            "model = \"opus*\", window_ratio = \"< 20%\"",
            "\"modify\"\nmodel = \"haiku\"",
        ),
        (
            "no haiku",
            "repo",
            "repo = \"site\", model = \"haiku\"",
            "\"deny\"",
        ),
    ]);
    assert_eq!(short(&text, &facts()).1, "no haiku");
    // Also by an outer rule that came before the change.
    let text = rules(&[
        ("no haiku", "global", "model = \"haiku\"", "\"deny\""),
        (
            "cheap",
            "bead",
            "bead = \"gt-*\"",
            "\"modify\"\nmodel = \"haiku\"",
        ),
    ]);
    assert_eq!(short(&text, &facts()).1, "no haiku");
    // And what made the change is not held against what it became.
    let text = rules(&[
        (
            "cheap",
            "global",
            "model = \"opus*\"",
            "\"modify\"\nmodel = \"sonnet\"\neffort = \"low\"\nmax_tokens = 5000",
        ),
        (
            "no opus",
            "repo",
            "repo = \"site\", model = \"opus*\"",
            "\"deny\"",
        ),
        (
            "dear",
            "bead",
            "bead = \"gt-*\"",
            "\"modify\"\nmodel = \"opus-4\"\nmax_tokens = 9000\nprovider = \"codex\"",
        ),
    ]);
    let v = verdict(&text, &facts());
    assert_eq!(v.action, Action::Modify);
    assert_eq!(
        v.modify,
        Modify {
            model: Some("sonnet".into()),
            effort: Some(Effort::Low),
            max_tokens: Some(5000),
            provider: Some("codex".parse().unwrap()),
        }
    );
}

#[test]
fn rules_that_go_round_in_a_circle_are_a_no() {
    let text = rules(&[
        (
            "there",
            "global",
            "model = \"opus*\"",
            "\"modify\"\nmodel = \"sonnet\"",
        ),
        (
            "back",
            "global",
            "model = \"sonnet\"",
            "\"modify\"\nmodel = \"opus\"",
        ),
    ]);
    let v = verdict(&text, &facts());
    assert_eq!(v.action, Action::Deny);
    assert!(v.reason.contains("circle"), "{}", v.reason);
}

#[test]
fn an_explanation_has_every_rule_with_what_it_wants_and_what_there_is() {
    let text = rules(&[
        (
            "weekly",
            "global",
            "provider = \"claude*\", window = \"7d\", window_ratio = \"< 10%\"",
            "\"defer\"",
        ),
        (
            "office",
            "global",
            "days = \"mon-fri\", hours = \"09-18\", priority = [\"low\", \"normal\"]",
            "\"warn\"",
        ),
        ("later", "global", "", "\"deny\""),
    ]);
    let told = explain(&policy(&text), &facts(), now());
    insta::assert_json_snapshot!(told);
}
