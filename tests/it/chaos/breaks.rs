//! The audit itself: a world that is over is broken in one place after another, and each time it
//! is noticed. A campaign whose counts are 0 says nothing else.

use std::path::Path;

use nix::sys::signal::Signal;

use super::audit::{Findings, audit};
use super::world::World;
use super::{Campaign, Dice};
use crate::flow::LONG;

#[test]
fn what_is_lost_doubled_orphaned_or_leaked_is_found() {
    let (mut campaign, _) = Campaign::asked_for(0, 1);
    let world = World::scripted(&mut Dice::new(1), 2);
    while let Some(order) = world.order() {
        order.run().success();
    }
    campaign.rest(&world);
    assert_eq!(lines(&audit(&world)), Vec::<String>::new());

    left_running(&world);
    left_in_the_repository(&world);
    left_in_the_home(&world);
    told_by_an_agent(&world);
    lost_from_the_repository(&world);
    changed_in_the_store(&world);
}

/// Exactly one new line of this kind has all these words.
#[track_caller]
fn finds(world: &World, kind: &str, words: &str) {
    let all = lines(&audit(world));
    let found = all
        .iter()
        .filter(|line| line.starts_with(kind) && line.contains(words));
    assert_eq!(found.count(), 1, "{kind}, {words}: {all:#?}");
}

fn lines(found: &Findings) -> Vec<String> {
    found
        .all()
        .map(|(kind, line)| format!("{kind}: {line}"))
        .collect()
}

fn left_running(world: &World) {
    let env = &world.flow.env;
    let endless = env.program_run(Path::new("tail"), ["-f", "/dev/null"]);
    let endless = endless.start();
    finds(world, "orphan", "tail -f");
    endless.signal(Signal::SIGKILL);
    let _dead = endless.wait(LONG).exits(137);
}

fn left_in_the_repository(world: &World) {
    let repo = &world.flow.repo;
    let tree = world.flow.env.root().join("tree");
    let tree = tree.to_str().expect("a path");
    repo.git(["worktree", "add", "-b", "rigs/gt-00000", tree]);
    finds(world, "leaked", "worktree ");
    finds(world, "leaked", "branch rigs/gt-00000");
    repo.git(["worktree", "remove", tree]);
    repo.git(["branch", "-D", "rigs/gt-00000"]);
    let lock = repo.file(".git/refs/heads/rigs.lock", "");
    finds(world, "leaked", "lock ");
    std::fs::remove_file(lock).expect("a lock");
    let file = repo.file("README.md", "changed");
    finds(world, "lost", "the user's checkout");
    repo.git(["checkout", "--", file.to_str().expect("a path")]);
}

fn left_in_the_home(world: &World) {
    for folder in ["rigs/worktrees/gt-00000/x", "rigs/tmp/1/run-1/x"] {
        let env = &world.flow.env;
        let file = env.write(folder, "");
        finds(world, "leaked", "folder ");
        std::fs::remove_dir_all(file.parent().expect("a folder")).expect("removed");
    }
}

fn told_by_an_agent(world: &World) {
    let log = world.fakes[0].script().with_extension("json.log");
    let told = std::fs::read_to_string(&log).expect("a log");
    for (line, kind, words) in [
        (r#"{"token": "token-0-0-0"}"#, "lost", "token-0-0-0"),
        (r#"{"problem": "not alone"}"#, "twice", "not alone"),
    ] {
        std::fs::write(&log, format!("{told}{line}\n")).expect("written");
        finds(world, kind, words);
    }
    std::fs::write(&log, told).expect("written");
}

fn lost_from_the_repository(world: &World) {
    let repo = &world.flow.repo;
    let query = "SELECT branch || ' ' || base_commit FROM convoys ORDER BY created_at LIMIT 1";
    let convoy = world.flow.env.query(query);
    let (branch, base) = convoy[0].split_once(' ').expect("two words");
    let name = format!("refs/heads/{branch}");
    let tip = repo.commit_of(branch);
    repo.git(["update-ref", &name, base]);
    let lost = lines(&audit(world));
    assert!(
        lost.iter().any(|l| l.ends_with("is not merged")),
        "{lost:#?}"
    );
    repo.git(["update-ref", &name, &tip]);
    // The same bead once more.
    let first = repo.git(["rev-list", "--merges", "--first-parent", branch]);
    let first = first.lines().next().expect("a merge");
    let message = repo.git(["log", "-1", "--format=%B", first]);
    let tree = format!("{tip}^{{tree}}");
    let again = repo.git(["commit-tree", &tree, "-p", &tip, "-p", base, "-m", &message]);
    repo.git(["update-ref", &name, again.trim()]);
    finds(world, "twice", "is merged 2 times");
    repo.git(["update-ref", &name, &tip]);
}

fn changed_in_the_store(world: &World) {
    let cases = [
        (
            "INSERT INTO events (id, at, type, actor, bead_id)
             SELECT 'again', at, type, actor, bead_id FROM events WHERE type = 'bead.complete' LIMIT 1",
            "twice",
            "completed 2 times",
        ),
        (
            "UPDATE reservations SET settled_at = NULL WHERE id = (SELECT min(id) FROM reservations)",
            "leaked",
            "reservation",
        ),
        (
            "UPDATE attempts SET status = 'running' WHERE id = (SELECT min(id) FROM attempts)",
            "leaked",
            "runs for ever",
        ),
        (
            "DROP TRIGGER usage_is_never_deleted; DELETE FROM usage WHERE attempt_id = (SELECT max(attempt_id) FROM usage)",
            "leaked",
            "is in no account",
        ),
        (
            "UPDATE convoys SET status = 'paused' WHERE id = (SELECT min(id) FROM convoys)",
            "lost",
            "is paused",
        ),
        (
            "UPDATE beads SET status = 'queued' WHERE id = (SELECT min(id) FROM beads)",
            "lost",
            "is queued",
        ),
    ];
    for (statement, kind, words) in cases {
        world.flow.env.break_store(statement);
        finds(world, kind, words);
    }
    world.flow.env.leaves_the_store_open();
}
