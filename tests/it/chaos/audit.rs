//! What must hold when everything is completed, however often something was killed on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use super::world::World;
use crate::harness::TestRepo;

/// What is wrong, by kind; a line each.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) lost: Vec<String>,
    pub(super) twice: Vec<String>,
    pub(super) orphans: Vec<String>,
    pub(super) leaked: Vec<String>,
}

impl Findings {
    pub(super) fn extend(&mut self, other: Self) {
        self.lost.extend(other.lost);
        self.twice.extend(other.twice);
        self.orphans.extend(other.orphans);
        self.leaked.extend(other.leaked);
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&'static str, &String)> {
        let named = [
            ("lost", &self.lost),
            ("twice", &self.twice),
            ("orphan", &self.orphans),
            ("leaked", &self.leaked),
        ];
        named
            .into_iter()
            .flat_map(|(kind, lines)| lines.iter().map(move |line| (kind, line)))
    }
}

pub(super) fn audit(world: &World) -> Findings {
    let mut found = Findings::default();
    store(world, &mut found);
    merges(world, &mut found);
    tokens(world, &mut found);
    left_behind(world, &mut found);
    found
}

fn store(world: &World, found: &mut Findings) {
    let ask = |query| world.flow.env.query(query);
    let broken = ask("SELECT * FROM pragma_integrity_check WHERE integrity_check <> 'ok'");
    found.lost.extend(broken);
    let broken = ask("SELECT 'foreign key of ' || \"table\" FROM pragma_foreign_key_check");
    found.lost.extend(broken);
    let open = ask("SELECT id || ' is ' || status FROM beads WHERE status <> 'completed'");
    found.lost.extend(open);
    let twice = ask(
        "SELECT bead_id || ' completed ' || count(*) || ' times' FROM events
         WHERE type = 'bead.complete' GROUP BY bead_id HAVING count(*) > 1",
    );
    found.twice.extend(twice);
    let beads = world.count("SELECT count(*) FROM beads");
    if beads != world.beads {
        let line = format!("{beads} beads instead of {}", world.beads);
        if beads > world.beads {
            found.twice.push(line);
        } else {
            found.lost.push(line);
        }
    }
    found.leaked.extend(world.flow.env.held());
    let running =
        ask("SELECT 'attempt ' || id || ' runs for ever' FROM attempts WHERE status = 'running'");
    found.leaked.extend(running);
    let uncharged = ask(
        "SELECT 'attempt ' || a.id || ' (' || a.status || ') is in no account' FROM attempts a
         WHERE a.status <> 'not_started' AND NOT EXISTS (SELECT 1 FROM usage u WHERE u.attempt_id = a.id)",
    );
    found.leaked.extend(uncharged);
    let over = ask("SELECT id || ' is ' || status FROM convoys WHERE status <> 'completed'");
    found.lost.extend(over);
}

/// Each bead is in its convoy's branch by one merge.
fn merges(world: &World, found: &mut Findings) {
    let convoys = world
        .flow
        .env
        .query("SELECT id || ' ' || branch || ' ' || base_commit || ' ' || repo FROM convoys");
    let beads = world
        .flow
        .env
        .query("SELECT convoy_id || ' ' || id FROM beads");
    for convoy in convoys {
        let words: Vec<&str> = convoy.splitn(4, ' ').collect();
        let [id, branch, base, repo] = words[..] else {
            panic!("{convoy}")
        };
        let range = format!("{base}..{branch}");
        let format = "--format=%(trailers:key=Rigs-Bead,valueonly,separator=%x2C)";
        let git = &world.flow.repo;
        let log = git.git([
            "-C",
            repo,
            "log",
            "--merges",
            "--first-parent",
            format,
            &range,
        ]);
        let mut merged: BTreeMap<&str, usize> = BTreeMap::new();
        for bead in log.lines() {
            *merged.entry(bead).or_default() += 1;
        }
        for bead in beads.iter().filter_map(|b| b.strip_prefix(id)) {
            match merged.get(bead.trim()) {
                None => found.lost.push(format!("{bead} is not merged")),
                Some(1) => {}
                Some(n) => found.twice.push(format!("{bead} is merged {n} times")),
            }
        }
    }
}

/// What agents said they wrote is in a commit that a ref leads to; and never were two of them at
/// one bead.
fn tokens(world: &World, found: &mut Findings) {
    let mut kept = BTreeSet::new();
    for repo in [&world.flow.repo, &world.other] {
        kept.extend(written_in(repo));
    }
    for fake in &world.fakes {
        let log = fake.log();
        let told = log
            .iter()
            .filter_map(|call| call.get("token").and_then(Value::as_str));
        for token in told.filter(|token| !kept.contains(*token)) {
            found.lost.push(format!("{token} is in no commit"));
        }
    }
    found.twice.extend(world.flow.env.fake_problems());
}

fn written_in(repo: &TestRepo) -> BTreeSet<String> {
    let refs = repo.git(["for-each-ref", "--format=%(refname)"]);
    let args = ["grep", "-h", "-o", "-E", "token-[0-9-]+|# a project"];
    let text = repo.git(args.into_iter().chain(refs.lines()));
    text.lines().map(str::to_owned).collect()
}

fn left_behind(world: &World, found: &mut Findings) {
    let env = &world.flow.env;
    found
        .orphans
        .extend(env.processes().iter().map(ToString::to_string));
    for repo in [&world.flow.repo, &world.other] {
        let worktrees = repo.git(["worktree", "list", "--porcelain"]);
        let of_rigs = worktrees
            .lines()
            .filter_map(|l| l.strip_prefix("worktree "))
            .skip(1);
        found
            .leaked
            .extend(of_rigs.map(|path| format!("worktree {path}")));
        let branches = repo.branches().into_iter();
        let of_beads = branches.filter(|b| b.starts_with("rigs/gt-"));
        found
            .leaked
            .extend(of_beads.map(|branch| format!("branch {branch}")));
        locks(&repo.root().join(".git"), found);
        let status = repo.git(["status", "--porcelain"]);
        found
            .lost
            .extend(status.lines().map(|l| format!("the user's checkout: {l}")));
    }
    for (folder, depth) in [("worktrees", 1), ("tmp", 2)] {
        entries(&env.rigs_home().join(folder), depth, found);
    }
}

fn locks(dir: &Path, found: &mut Findings) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            locks(&path, found);
        } else if path.extension().is_some_and(|e| e == "lock") {
            found.leaked.push(format!("lock {}", path.display()));
        }
    }
}

/// Everything that lies so deep.
fn entries(dir: &Path, depth: usize, found: &mut Findings) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        if depth > 1 && entry.path().is_dir() {
            entries(&entry.path(), depth - 1, found);
        } else {
            found
                .leaked
                .push(format!("folder {}", entry.path().display()));
        }
    }
}
