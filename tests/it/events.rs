//! The log of events from the command line.

use std::time::Duration;

use crate::beads::bead;
use crate::harness::TestEnv;

#[test]
fn events_are_told_in_order_and_filtered() {
    let env = TestEnv::new();
    let first = bead(&env, &["first"]);
    bead(&env, &["second"]);
    drop(env.rigs(["bead", "cancel", &first]).run().success());
    insta::assert_snapshot!(env.rigs(["events"]).run(), @r#"
    00:00  bead.created        gt-00001  {"depends_on":[],"task_type":"implementation","title":"first"}
    00:00  bead.created        gt-00002  {"depends_on":[],"task_type":"implementation","title":"second"}
    00:00  bead.cancel         gt-00001  {"from":"pending","reason":"cancelled by the user","to":"cance…
    [exit status: 0]
    "#);
    let lines = env
        .rigs(["--json", "events", "--bead", &first])
        .run()
        .success()
        .json_lines();
    let types: Vec<&str> = lines.iter().map(|e| e["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["bead.created", "bead.cancel"]);
    let newest = env
        .rigs(["--json", "events", "-n", "1"])
        .run()
        .success()
        .json_lines();
    assert_eq!(newest.len(), 1);
    assert_eq!(newest[0]["type"], "bead.cancel");
    let since = env
        .rigs(["events", "--since", "2030-01-01T00:00:00Z"])
        .run()
        .success();
    assert_eq!(since.stdout, "");
}

#[test]
fn events_are_followed_until_interrupted() {
    let env = TestEnv::new();
    let first = bead(&env, &["first"]);
    let mut follow = env.rigs(["--json", "events", "--follow"]).start();
    follow.wait_for(&first, Duration::from_secs(20));
    let second = bead(&env, &["second"]);
    follow.wait_for(&second, Duration::from_secs(20));
    follow.signal(nix::sys::signal::Signal::SIGINT);
    let ended = follow.wait(Duration::from_secs(20)).exits(130);
    assert_eq!(ended.json_lines().len(), 2);
    assert_eq!(ended.stderr, "");
}
