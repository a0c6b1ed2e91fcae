//! `rigs doctor`, `rigs db`.

use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::flow::{Flow, LONG, always, bead, endless, write};
use crate::harness::{Output, TestEnv};

/// `area level fixed` of everything that is not simply fine.
fn told(output: &Output) -> Vec<String> {
    let report = output.json();
    let all = report["findings"].as_array().expect("findings");
    all.iter()
        .filter(|f| f["level"] != "ok")
        .map(|f| {
            let fixed = if f["fixed"] == true { " fixed" } else { "" };
            let text = |key: &str| f[key].as_str().unwrap_or_default().to_owned();
            assert_ne!(f["next"], Value::Null, "what to do: {f}");
            format!("{} {}{fixed}", text("area"), text("level"))
        })
        .collect()
}

#[test]
fn a_healthy_home_is_told_so() {
    let flow = Flow::new("[gate]\ncommands = []");
    flow.provider("fake", "command", &[]);
    flow.rigs(["init"]).run().success();
    let output = flow.rigs(["doctor", "--json"]).run().exits(1);
    // The tests write the settings with the mode of any file.
    assert_eq!(told(&output), ["home problem"], "{output}");
    let output = flow.rigs(["doctor", "--fix", "--json"]).run().success();
    assert_eq!(told(&output), ["home problem fixed"], "{output}");
    let output = flow.rigs(["doctor"]).run().success();
    assert!(!output.stdout.contains("WRONG"), "{output}");
    assert!(output.stdout.contains("git version"), "{output}");
}

#[test]
fn what_is_wrong_with_the_settings_is_told_and_nothing_else_is_tried() {
    let env = TestEnv::new();
    env.only_programs(&["git"]);
    let output = env.rigs(["doctor", "--json"]).run().exits(1);
    assert_eq!(
        told(&output),
        ["home warning", "providers problem"],
        "{output}"
    );
    assert!(!env.rigs_home().exists(), "looking makes nothing");
    env.config("[general]\nmax_paralel = 2\n");
    let output = env.rigs(["doctor"]).run().exits(1);
    assert!(output.stdout.contains("config.toml:2:1"), "{output}");
    assert!(output.stdout.contains("max_parallel"), "{output}");
}

#[test]
fn what_a_killed_foreman_left_is_found_and_put_back() {
    let flow = Flow::new("[gate]\ncommands = []");
    let endless = endless("one", &[]);
    let fake = flow.provider("fake", "command", &[endless]);
    flow.rigs(["init"]).run().success();
    let _closed = flow.rigs(["doctor", "--fix"]).run().success();
    let goal = flow.execute(&[bead("one", &[])]).start();
    fake.wait_for("runs");
    let healthy = flow.rigs(["doctor", "--json"]).run().success();
    assert_eq!(
        told(&healthy),
        Vec::<String>::new(),
        "what runs is no finding"
    );
    goal.signal(Signal::SIGKILL);
    let _killed = goal.wait(LONG).exits(137);

    let scratch = flow.env.write("rigs/tmp/left-over", "x");
    let plan = flow.env.write("rigs/tmp/plan-mine.json", "{}");
    for file in [&scratch, &plan] {
        let old = std::time::SystemTime::UNIX_EPOCH;
        let file = std::fs::File::options()
            .write(true)
            .open(file)
            .expect("a file");
        file.set_modified(old).expect("a time");
    }
    let strange = flow.env.write("rigs/worktrees/mine/notes.txt", "x");
    let found = flow.rigs(["doctor", "--json"]).run().exits(1);
    let areas = told(&found);
    for area in [
        "lock warning",
        "process problem",
        "work problem",
        "tmp warning",
        "worktree warning",
    ] {
        assert!(areas.iter().any(|a| a == area), "{area}: {areas:?}");
    }
    assert_ne!(flow.env.processes(), [], "looking ends nothing");

    let fixed = flow.rigs(["doctor", "--fix", "--json"]).run().success();
    assert!(
        told(&fixed)
            .iter()
            .all(|t| t.ends_with("fixed") || t == "worktree warning"),
        "{fixed}"
    );
    assert_eq!(flow.env.processes(), []);
    assert_eq!(flow.env.held(), Vec::<String>::new());
    assert_eq!(flow.statuses(), ["queued"]);
    assert!(!scratch.exists() && plan.exists() && strange.exists());
    let after = flow.rigs(["doctor", "--json"]).run().success();
    assert_eq!(told(&after), ["worktree warning"], "{after}");
}

#[test]
fn branches_records_and_tanks_that_are_not_as_they_should_be_are_found_and_mended() {
    let flow = Flow::new("[gate]\ncommands = []");
    let work = [write("a.txt", "a\n"), json!({"print": "done"})];
    let limits =
        "limits = [{ window = \"5h\", kind = \"anchored\", unit = \"tokens\", amount = 1000000 }]";
    let _fake = flow.provider_with("fake", "command", limits, &[always(&work)]);
    flow.execute(&[bead("one", &[])]).run().success();
    let _closed = flow.rigs(["doctor", "--fix"]).run().success();
    let set = ["tank", "set", "fake", "--percent", "40", "--reset", "3h"];
    flow.rigs(set).run().success();
    let healthy = flow.rigs(["doctor", "--json"]).run().success();
    assert_eq!(told(&healthy), Vec::<String>::new(), "{healthy}");

    // A branch of a bead that is over: one whose work is merged, one with a commit of its own.
    let bead = flow.bead_id("one");
    let git = |args: &[&str]| flow.repo.git(args);
    let name = format!("rigs/{bead}");
    git(&["branch", &name, &flow.branch()]);
    // A worktree of the convoy whose folder somebody took away.
    let convoy = flow.convoy();
    let trees = flow.env.rigs_home().join("worktrees");
    std::fs::create_dir_all(&trees).expect("a folder");
    let tree = trees.canonicalize().expect("a folder").join(&convoy);
    let place = tree.display().to_string();
    let reason = "rigs works here, and removes it";
    git(&[
        "worktree",
        "add",
        "-q",
        "--lock",
        "--reason",
        reason,
        &place,
        &flow.branch(),
    ]);
    std::fs::remove_dir_all(&tree).expect("removed");
    flow.env
        .break_store("UPDATE windows SET used_fraction = 0.9");
    let found = flow.rigs(["doctor", "--json"]).run().exits(1);
    let want = ["tanks problem", "worktree warning", "branch warning"];
    assert_eq!(told(&found), want, "{found}");
    assert!(
        git(&["worktree", "list"]).contains(&place),
        "looking ends nothing"
    );
    let fixed = flow.rigs(["doctor", "--fix", "--json"]).run().success();
    assert_eq!(
        told(&fixed),
        want.map(|area| format!("{area} fixed")),
        "{fixed}"
    );
    let after = flow.rigs(["doctor", "--json"]).run().success();
    assert_eq!(told(&after), Vec::<String>::new(), "{after}");
    flow.is_done(1);

    // Work that nothing else keeps stays, whatever state its bead is in.
    let lone = git(&[
        "commit-tree",
        "-p",
        &flow.base,
        "-m",
        "mine",
        &format!("{}^{{tree}}", flow.base),
    ]);
    git(&["branch", &name, &lone]);
    let kept = flow.rigs(["doctor", "--fix", "--json"]).run().success();
    assert_eq!(told(&kept), ["branch warning"], "{kept}");
    assert!(kept.stdout.contains("nothing else keeps"), "{kept}");
    assert_eq!(flow.repo.commit_of(&name), lone);
}

#[test]
fn the_store_is_copied_while_it_is_used_and_never_over_a_file() {
    let flow = Flow::new("");
    let _one = flow.rigs(["bead", "create", "keep me"]).run().success();
    let first = flow.rigs(["db", "backup", "--json"]).run().success().json();
    let path = first["path"].as_str().expect("a path");
    assert!(path.contains("/rigs/backups/rigs-"), "{path}");
    let mode = std::fs::metadata(path)
        .expect("a copy")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let there = flow.env.write("mine.txt", "precious");
    let refused = flow.rigs(["db", "backup"]).args([&there]).run().exits(4);
    assert!(refused.stderr.contains("is there already"), "{refused}");
    assert_eq!(std::fs::read_to_string(there).expect("a file"), "precious");

    // The copy is a store that works.
    let home = flow.env.root().join("other");
    std::fs::create_dir(&home).expect("a folder");
    std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o700)).expect("a mode");
    std::fs::copy(path, home.join("rigs.db")).expect("a copy");
    let beads = flow
        .rigs(["bead", "list", "--json"])
        .var("RIGS_HOME", &home)
        .run()
        .success()
        .json();
    assert_eq!(beads[0]["title"], "keep me");
}

#[test]
fn a_damaged_store_is_found() {
    let flow = Flow::new("");
    let _one = flow.rigs(["bead", "create", "one"]).run().success();
    let fine = flow.rigs(["db", "check", "--json"]).run().success().json();
    assert_eq!(fine["ok"], true);
    assert_eq!(fine["problems"], json!([]));
    let store = flow.env.store();
    let mut bytes = std::fs::read(&store).expect("a store");
    let end = bytes.len();
    // Every page but the first: the header still says that it is a store of ours.
    bytes[4096..end].fill(0x5a);
    std::fs::write(&store, bytes).expect("a file");
    let output = flow.rigs(["db", "check"]).run().exits(6);
    let all = format!("{}{}", output.stdout, output.stderr);
    assert!(
        all.contains("NOT sound") || all.contains("damaged"),
        "{output}"
    );
    flow.provider("fake", "command", &[]);
    let output = flow.rigs(["doctor", "--json"]).run().exits(1);
    assert!(
        told(&output).contains(&"store problem".to_owned()),
        "{output}"
    );
    // Nothing more can be asked of it.
    std::fs::remove_file(&store).expect("a file");
}
