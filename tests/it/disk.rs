//! A store that cannot grow, or cannot be written: a clear error with the next step, nothing lost,
//! and everything goes on once it can.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::flow::{Flow, LONG, always, bead};
use crate::harness::wait_until;

fn work() -> Vec<Value> {
    vec![
        json!({"shell": "echo x >> $(basename $PWD).txt"}),
        json!({"print": "done"}),
    ]
}

#[test]
fn on_a_full_disk_it_says_so_and_goes_on_when_there_is_space() {
    let flow = Flow::new("[gate]\ncommands = []");
    flow.provider("fake", "command", &[always(&work())]);
    let beads = [bead("one", &[]), bead("two", &["one"])];
    let stored = flow.execute(&beads).args(["--detach"]).run();
    let _stored = stored.success();
    let size = std::fs::metadata(flow.env.store()).expect("a store").len();
    // Full at one step after another: each time the log of the store may grow a little more.
    let mut refusals = 0;
    for more in [16, 48, 96, 160, 240] {
        let output = flow.goal(["resume"]).file_limit(size + more * 1024).run();
        if output.code == 0 {
            break;
        }
        refusals += 1;
        assert!(output.stderr.contains("the disk is full"), "{output}");
        assert!(output.stderr.contains("hint: free some space"), "{output}");
    }
    assert!(refusals >= 2, "the disk was hardly ever full: {refusals}");
    if flow.statuses() != ["completed"; 2] {
        flow.goal(["resume"]).run().success();
    }
    flow.is_done(2);
    let broken = flow.env.query("SELECT * FROM pragma_integrity_check");
    assert_eq!(broken, ["ok"]);
}

#[test]
#[cfg(target_os = "linux")]
fn a_foreman_that_meets_a_full_disk_waits_for_space_and_goes_on() {
    let flow = Flow::new("[gate]\ncommands = []");
    let fake = flow.provider("fake", "command", &[always(&work())]);
    let beads = [bead("one", &[]), bead("two", &["one"])];
    let _stored = flow.execute(&beads).args(["--detach"]).run().success();
    let size = std::fs::metadata(flow.env.store()).expect("a store").len();
    // Enough to begin the first bead, not enough to end both.
    let foreman = flow.rigs(["foreman", "start", "--foreground"]);
    let mut foreman = foreman.file_limit(size + 96 * 1024).start();
    foreman.wait_for("the disk is full: what ran is ended", LONG);
    assert_eq!(flow.events("foreman.waited"), 0);
    assert_ne!(flow.statuses(), ["completed"; 2]);
    assert_eq!(foreman.ended(), None);
    foreman.has_space();
    foreman.wait_for("there is space on the disk again", LONG);
    assert!(
        wait_until(LONG, || flow.statuses() == ["completed"; 2]),
        "{:?}",
        flow.statuses()
    );
    foreman.signal(Signal::SIGTERM);
    let _stopped = foreman.wait(LONG).exits(143);
    assert_eq!(flow.events("foreman.waited"), 1);
    let runs = fake.calls().len();
    assert!(
        (2..=3).contains(&runs),
        "{runs} runs: one may have been lost"
    );
    flow.is_done(2);
    let broken = flow.env.query("SELECT * FROM pragma_integrity_check");
    assert_eq!(broken, ["ok"]);
}

#[test]
fn a_disk_with_little_space_starts_nothing_and_says_so() {
    let flow = Flow::new("[gate]\ncommands = []\n[foreman]\nmin_free_disk = 1000000000");
    let fake = flow.provider("fake", "command", &[always(&work())]);
    let beads = [bead("one", &[])];
    let _stored = flow.execute(&beads).args(["--detach"]).run().success();
    let why = flow.rigs(["why"]).args([flow.bead_id("one")]);
    let why = why.run().success();
    assert!(
        why.stdout
            .contains("foreman.min_free_disk is 1000000000 MB"),
        "{why}"
    );
    let mut foreman = flow
        .rigs(["-v", "foreman", "start", "--foreground"])
        .start();
    foreman.wait_for("nothing more is started for now", LONG);
    foreman.signal(Signal::SIGTERM);
    let _stopped = foreman.wait(LONG).exits(143);
    assert_eq!(
        (flow.statuses(), fake.calls().len()),
        (vec!["queued".to_owned()], 0)
    );
}

fn mode(path: &Path, mode: u32) {
    let mode = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(path, mode).expect("our own file");
}

#[test]
fn a_store_that_cannot_be_written_is_named_with_what_to_do_and_stays_as_it_is() {
    let flow = Flow::new("[gate]\ncommands = []");
    let fake = flow.provider("fake", "command", &[always(&work())]);
    let _stored = flow
        .execute(&[bead("one", &[])])
        .args(["--detach"])
        .run()
        .success();
    let store = flow.env.store();
    let before = std::fs::read(&store).expect("a store");
    mode(&store, 0o444);
    let refused: [&[&str]; 4] = [
        &["foreman", "start", "--foreground"],
        &["foreman", "start"],
        &["goal", "resume"],
        &["bead", "create", "more", "--no-repo"],
    ];
    for args in refused {
        let output = flow.rigs([]).args(args).modes_bind().run().exits(6);
        let named = format!("the store {} cannot be written", store.display());
        assert!(output.stderr.contains(&named), "{output}");
        assert!(
            output.stderr.contains("check the owner and mode"),
            "{output}"
        );
    }
    let shown = flow.rigs(["status"]).modes_bind().run().success();
    assert!(
        shown.stdout.contains("pending") || shown.stdout.contains("queued"),
        "{shown}"
    );
    assert_eq!(std::fs::read(&store).expect("a store"), before);
    assert_eq!(fake.calls().len(), 0);
    mode(&store, 0o600);
    flow.goal(["resume"]).run().success();
    flow.is_done(1);
}
