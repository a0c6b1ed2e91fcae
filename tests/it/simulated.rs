//! Providers of kind `sim`: a rehearsal from the first command to the last, that nobody can take
//! for the real thing.

use crate::flow::{Flow, always, bead, write};

/// Runs that take no time to speak of.
const QUICK: &str = "[providers.rehearsal]\nkind = \"sim\"\nmax_parallel = 4\n\
                     [providers.rehearsal.sim]\nseconds_p50 = 0.05\n";

#[test]
fn a_goal_is_rehearsed_with_everything_that_can_happen_and_says_so_everywhere() {
    let flow = Flow::new("[gate]\ncommands = [[\"true\"]]\nmax_attempts = 9\n");
    // With these seeds and titles each end of a run comes at least once.
    flow.entry(QUICK);
    flow.entry("seed = 71\nreworked = 0.3\nfailed = 0.15\nwall = 0.2\nwall_seconds = 1\n");
    let keys = ["one", "two", "three", "four", "five", "six"];
    flow.execute(&keys.map(|key| bead(key, &[])))
        .run()
        .success();
    flow.is_done(keys.len());
    let rules = flow
        .env
        .query("SELECT DISTINCT rule FROM attempts ORDER BY rule");
    let all = ["done", "failed", "reworked", "wall"].map(|end| format!("simulated.{end}"));
    assert_eq!(rules, all);
    for key in keys {
        let id = flow.bead_id(key);
        let file = flow
            .repo
            .show(&flow.branch(), &format!("simulated/{id}.txt"));
        assert!(
            file.contains(&format!("simulated: {id} is done in attempt")),
            "{file}"
        );
    }
    let used = "SELECT DISTINCT model || ' ' || cost_micro_usd FROM usage";
    assert_eq!(flow.env.query(used), ["simulated 0"]);

    let tanks = flow.rigs(["tank", "list"]).run().success();
    assert!(
        tanks.stdout.contains("simulated, nobody's capacity"),
        "{tanks}"
    );
    let cost = flow.rigs(["cost"]).run().success();
    assert!(cost.stdout.contains("were only simulated"), "{cost}");
    assert!(!cost.stdout.contains('$'), "{cost}");
    let why = flow.rigs(["why", &flow.bead_id("one")]).run().success();
    assert!(why.stdout.contains("simulated"), "{why}");

    let convoy = flow.convoy();
    let refused = flow.rigs(["convoy", "land", &convoy]).run().exits(4);
    assert!(refused.stderr.contains("only simulated"), "{refused}");
    assert_eq!(flow.repo.commit_of("main"), flow.base);
}

#[test]
fn beads_that_edit_one_file_meet_in_a_conflict_and_come_out_of_it() {
    // Nothing is merged before both have their worktree.
    let flow = Flow::new("");
    let gate = format!(
        "cd {} && until test -e met || test $(ls rigs/worktrees | wc -l) -ge 2; \
         do sleep 0.05; done; touch met",
        flow.env.root().display()
    );
    flow.entry(&format!(
        "[gate]\ncommands = [[\"sh\", \"-c\", \"{gate}\"]]\n"
    ));
    flow.entry(QUICK);
    flow.entry("edits = \"shared\"\n");
    flow.execute(&[bead("one", &[]), bead("two", &[])])
        .run()
        .success();
    let resolved = "SELECT count(*) FROM beads WHERE status = 'completed'";
    assert_eq!(
        flow.env.query(resolved),
        ["3"],
        "two, and one for the conflict"
    );
    let both = flow.repo.show(&flow.branch(), "simulated.txt");
    for key in ["one", "two"] {
        let line = format!("simulated: {} is done in attempt", flow.bead_id(key));
        assert!(both.contains(&line), "{both}");
    }
    assert!(!both.contains("<<<"), "{both}");
}

#[test]
fn beside_real_providers_it_takes_only_what_names_it() {
    let flow = Flow::new("[gate]\ncommands = []");
    flow.entry(QUICK);
    let real = [write("a.txt", "a\n"), serde_json::json!({"print": "done"})];
    flow.provider_with(
        "worker",
        "command",
        "affinity = { implementation = 0.01 }",
        &[always(&real)],
    );
    flow.execute(&[bead("one", &[])]).run().success();
    let who = "SELECT DISTINCT provider FROM attempts";
    assert_eq!(flow.env.query(who), ["worker"]);
    let why = flow.rigs(["why", &flow.bead_id("one")]).run().success();
    assert!(why.stdout.contains("it only simulates"), "{why}");
    // A goal that names it goes there, and its plan says so.
    let named = flow
        .execute(&[bead("two", &[])])
        .args(["--provider", "rehearsal"]);
    let named = named.run().success();
    let plan = named.stderr.lines().find(|line| line.starts_with("two "));
    let plan = plan.unwrap_or_else(|| panic!("no plan: {named}"));
    assert!(plan.contains("  rehearsal  "), "{named}");
}

#[test]
fn it_is_added_tested_and_checked_like_any_other_provider() {
    let flow = Flow::new("");
    let add = ["provider", "add", "rehearsal", "--kind", "sim"];
    flow.rigs(add).run().success();
    let tested = flow.rigs(["provider", "test", "rehearsal"]).run().success();
    assert!(tested.stdout.contains("made up inside rigs"), "{tested}");
    let list = flow.rigs(["provider", "list"]).run().success();
    assert!(list.stdout.contains("simulated"), "{list}");
    for (setting, said) in [
        ("wall = 0.7\ncrash = 0.6\n", "more than 1 together"),
        ("tokens_sigma = nan\n", "must be between 0 and 3"),
        ("seconds_p50 = 1e9\n", "must be between 0 and 86400"),
        ("wall_seconds = 0\n", "must be between 1 and 604800"),
        ("token_p50 = 5\n", "tokens_p50"),
    ] {
        let config = format!("{QUICK}{setting}").replace("seconds_p50 = 0.05\n", "");
        flow.env.config(&config);
        let checked = flow.rigs(["config", "check"]).run().exits(5);
        assert!(checked.stderr.contains(said), "{setting}: {checked}");
    }
}
