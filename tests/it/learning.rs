//! Who gets work follows from what became of the work before.

use serde_json::json;

use crate::flow::{Flow, always, bead};

const ONE_BY_ONE: &str = "[general]\nmax_parallel = 1\n[gate]\ncommands = []\n";

#[test]
fn a_provider_that_keeps_failing_loses_its_preference_and_why_says_so() {
    let flow = Flow::new(&format!("{ONE_BY_ONE}[routing]\nexplore = 0.0"));
    let weak = flow.provider_with(
        "weak",
        "command",
        "affinity = { implementation = 0.9 }",
        &[always(&[json!({"print": "no idea"}), json!({"exit": 1})])],
    );
    let strong = flow.provider_with(
        "strong",
        "command",
        "affinity = { implementation = 0.6 }",
        &[always(&[
            json!({"append": {"path": "a.txt", "text": "x\n"}}),
            json!({"print": "done"}),
        ])],
    );
    let beads = [
        bead("one", &[]),
        bead("two", &["one"]),
        bead("three", &["two"]),
    ];
    flow.execute(&beads).run().success();
    // It fails twice at the first bead, and is no longer asked.
    assert_eq!((weak.calls().len(), strong.calls().len()), (2, 3));
    let why = flow.rigs(["why"]).args([flow.bead_id("three")]).run();
    let line = "affinity: weak 0.64: by its entry 0.90, 2 outcomes: 2 failed";
    assert!(why.stdout.contains(line), "{why}");
    let line = "affinity: strong 0.71: by its entry 0.60, 2 outcomes: 2 accepted";
    assert!(why.stdout.contains(line), "{why}");
    assert!(why.stdout.contains("estimate_from: table "), "{why}");

    let table = || {
        let all = flow.rigs(["dispatch", "affinity", "-t", "implementation"]);
        all.args(["--json"]).run().success().json()
    };
    let before = table();
    let first = &before[0];
    assert_eq!(
        (&first["provider"], &first["accepted"], &first["says"]),
        (&json!("strong"), &json!(3), &json!("its entry"))
    );
    assert_eq!(
        (&before[1]["provider"], &before[1]["failed"]),
        (&json!("weak"), &json!(2))
    );
    let again = flow.rigs(["dispatch", "affinity", "--rebuild"]).run();
    assert!(again.stderr.contains("5 attempts counted."), "{again}");
    let counts = |all: &serde_json::Value| {
        let rows = all.as_array().expect("a list").clone();
        let of = |r: &serde_json::Value| (r["accepted"].clone(), r["failed"].clone());
        rows.iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(counts(&table()), counts(&before));
}

#[test]
fn a_share_of_the_work_goes_to_somebody_who_is_not_known() {
    for (share, asked) in [("0.0", [4, 0]), ("0.5", [3, 1])] {
        let flow = Flow::new(&format!("{ONE_BY_ONE}[routing]\nexplore = {share}"));
        let done = [
            json!({"append": {"path": "a.txt", "text": "x\n"}}),
            json!({"print": "done"}),
        ];
        let affinity = |value| format!("affinity = {{ implementation = {value} }}");
        let known = flow.provider_with("known", "command", &affinity(0.6), &[always(&done)]);
        let new = flow.provider_with("new", "command", &affinity(0.5), &[always(&done)]);
        let mut beads: Vec<_> = ["one", "two", "three", "four"]
            .iter()
            .map(|key| bead(key, &[]))
            .collect();
        // Even when it is its turn: somebody waits for it.
        beads[2]["priority"] = json!("critical");
        for (i, before) in ["one", "two", "three"].iter().enumerate() {
            beads[i + 1]["depends_on"] = json!([before]);
        }
        flow.execute(&beads).run().success();
        flow.is_done(4);
        assert_eq!([known.calls().len(), new.calls().len()], asked, "{share}");
        let why = flow.rigs(["why"]).args([flow.bead_id("four")]).run();
        let told = why.stdout.contains("explored_instead_of: known");
        assert_eq!(told, share == "0.5", "{why}");
    }
}
