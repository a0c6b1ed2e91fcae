//! Many commands that write one store, one after another and at once.

use crate::flow::LONG;
use crate::harness::TestEnv;

#[test]
fn commands_that_leave_the_log_of_the_store_do_not_let_it_grow_for_ever() {
    let env = TestEnv::new();
    let log = env.rigs_home().join("rigs.db-wal");
    let length = || std::fs::metadata(&log).map_or(0, |meta| meta.len());
    let mut longest = 0;
    let (mut grew, mut was_emptied) = (false, false);
    for _ in 0..24 {
        let before = length();
        env.rigs(["bead", "create", "one", "--no-repo"])
            .run()
            .success();
        grew |= length() > before;
        was_emptied |= length() < before;
        longest = longest.max(length());
    }
    assert!(grew, "each command brought its log into the file");
    assert!(was_emptied, "{longest}");
    assert!(longest < 600 << 10, "{longest}");
    assert_eq!(env.query("SELECT count(*) FROM beads"), ["24"]);
}

#[test]
fn shells_that_create_beads_at_once_lose_none() {
    let env = TestEnv::new();
    env.rigs(["bead", "create", "first", "--no-repo"])
        .run()
        .success();
    for _ in 0..4 {
        let shells = || env.rigs(["bead", "create", "one", "--no-repo"]).start();
        let all: Vec<_> = (0..8).map(|_| shells()).collect();
        for shell in all {
            let _ended = shell.wait(LONG).success();
        }
    }
    assert_eq!(env.query("SELECT count(*) FROM beads"), ["33"]);
    let events = env.query("SELECT count(*) FROM events WHERE type = 'bead.created'");
    assert_eq!(events, ["33"]);
    assert_eq!(env.query("SELECT * FROM pragma_integrity_check"), ["ok"]);
}
