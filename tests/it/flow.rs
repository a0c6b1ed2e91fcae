//! What the tests of the main job share: a repository, fake agents as providers, a plan of beads
//! that a test writes itself, and looks at what became of them.

use std::cell::RefCell;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{FakeAgent, Output, Run, TestEnv, TestRepo};

/// More than a goal of a test takes.
pub(crate) const LONG: Duration = Duration::from_secs(40);

/// A home with a repository `project` and providers.
pub(crate) struct Flow {
    pub(crate) env: TestEnv,
    pub(crate) repo: TestRepo,
    /// The commit that everything starts from.
    pub(crate) base: String,
    config: RefCell<String>,
}

/// One bead of a plan; the agent is told `do KEY`.
pub(crate) fn bead(key: &str, after: &[&str]) -> Value {
    json!({
        "key": key,
        "title": format!("Bead {key}"),
        "description": format!("do {key}"),
        "task_type": "implementation",
        "acceptance_criteria": ["it is done"],
        "depends_on": after,
    })
}

/// A run of the bead of this key in its first attempt.
pub(crate) fn on(key: &str, steps: &[Value]) -> Value {
    json!({"when": format!("(?m)^do {key}$"), "steps": steps})
}

/// Any run, as often as it comes.
pub(crate) fn always(steps: &[Value]) -> Value {
    json!({"times": 0, "steps": steps})
}

pub(crate) fn write(path: &str, text: &str) -> Value {
    json!({"write": {"path": path, "text": text}})
}

/// A run of the bead of this key that never ends: after these steps and with a child of its own
/// it says `runs`.
pub(crate) fn endless(key: &str, before: &[Value]) -> Value {
    let mut steps = before.to_vec();
    steps.extend([
        json!({"child": {}}),
        json!({"signal": "runs"}),
        json!("never_end"),
    ]);
    on(key, &steps)
}

/// What claude tells first and last, around some steps.
pub(crate) fn claude(steps: &[Value]) -> Vec<Value> {
    let mut all = vec![json!({"claude": "start"})];
    all.extend_from_slice(steps);
    all.push(json!({"claude": {"done": {"text": "all done"}}}));
    all
}

impl Flow {
    /// `settings` goes before the providers in `config.toml`.
    pub(crate) fn new(settings: &str) -> Self {
        let env = TestEnv::new();
        let repo = env.repo("project");
        let base = repo.commit_of("HEAD");
        let rules = "[assayer]\nbackends = [\"rules\"]\n";
        let flow = Self {
            config: RefCell::new(format!("{rules}{settings}\n")),
            env,
            repo,
            base,
        };
        flow.env.config(&flow.config.borrow());
        flow
    }

    /// One more provider, a fake agent of this kind that plays these runs.
    pub(crate) fn provider(&self, name: &str, kind: &str, runs: &[Value]) -> FakeAgent {
        self.provider_with(name, kind, "", runs)
    }

    /// The same with further settings of the entry.
    pub(crate) fn provider_with(
        &self,
        name: &str,
        kind: &str,
        settings: &str,
        runs: &[Value],
    ) -> FakeAgent {
        let shape = if kind == "command" { "plain" } else { kind };
        let fake = self
            .env
            .fake_agent(name, &json!({"shape": shape, "runs": runs}));
        self.entry(&format!("{}{settings}\n", fake.provider(name, kind)));
        fake
    }

    /// The agents know from this file by how much the clock of `rigs` is ahead.
    pub(crate) fn leaping(&self, ahead: &std::path::Path) {
        let leap = format!("env = {{ FAKE_AGENT_LEAP = \"{}\", ", ahead.display());
        let mut config = self.config.borrow_mut();
        *config = config.replace("env = { ", &leap);
        self.env.config(&config);
    }

    /// One more entry of a provider in the configuration.
    pub(crate) fn entry(&self, toml: &str) {
        let mut config = self.config.borrow_mut();
        config.push_str(toml);
        self.env.config(&config);
    }

    /// The whole configuration.
    pub(crate) fn settings(&self) -> String {
        self.config.borrow().clone()
    }

    /// `goal execute` of a plan with these beads, not started yet.
    pub(crate) fn execute(&self, beads: &[Value]) -> Run<'_> {
        let plan = json!({"version": 1, "goal": "the whole goal", "beads": beads});
        let plan = self.env.write("plan.json", plan.to_string());
        self.goal(["execute", "-y", "--plan"]).args([plan])
    }

    /// `rigs goal ...` in the repository, on the real clock.
    pub(crate) fn goal<const N: usize>(&self, args: [&str; N]) -> Run<'_> {
        self.rigs(["goal"]).args(args)
    }

    pub(crate) fn rigs<const N: usize>(&self, args: [&str; N]) -> Run<'_> {
        self.env
            .rigs(args)
            .dir(self.repo.root())
            .real_time()
            .timeout(LONG)
    }

    /// The convoy, when there is one only.
    #[track_caller]
    pub(crate) fn convoy(&self) -> String {
        let all = self.env.query("SELECT id FROM convoys");
        assert_eq!(all.len(), 1, "one convoy: {all:?}");
        all[0].clone()
    }

    /// The integration branch of the convoy.
    #[track_caller]
    pub(crate) fn branch(&self) -> String {
        format!("rigs/{}", self.convoy())
    }

    /// Status of each bead, in the order of the plan.
    pub(crate) fn statuses(&self) -> Vec<String> {
        self.env
            .query("SELECT status FROM beads ORDER BY created_at, rowid")
    }

    /// The id of the bead of this key.
    #[track_caller]
    pub(crate) fn bead_id(&self, key: &str) -> String {
        let all = self.env.query("SELECT id || ' ' || title FROM beads");
        let title = format!("Bead {key}");
        let found = all.iter().find_map(|line| {
            let (id, found) = line.split_once(' ')?;
            (found == title).then(|| id.to_owned())
        });
        found.unwrap_or_else(|| panic!("no bead {key}: {all:?}"))
    }

    /// Everything is as it must be after every bead was completed: one merge each on the branch
    /// of the convoy, one event each, the base and the checkout untouched, nothing left over.
    #[track_caller]
    pub(crate) fn is_done(&self, beads: usize) {
        assert_eq!(self.statuses(), vec!["completed"; beads]);
        let completed = self
            .env
            .query("SELECT count(*) FROM events WHERE type = 'bead.complete' GROUP BY bead_id");
        assert_eq!(completed, vec!["1"; beads], "completed exactly once");
        let range = format!("{}..{}", self.base, self.branch());
        let merges = self.repo.git([
            "log",
            "--merges",
            "--format=%(trailers:key=Rigs-Bead,valueonly,separator=%x2C)",
            &range,
        ]);
        let mut merged: Vec<&str> = merges.lines().collect();
        merged.sort_unstable();
        let mut all = self.env.query("SELECT id FROM beads");
        all.sort_unstable();
        assert_eq!(merged, all, "merged exactly once");
        self.leaves_nothing();
    }

    /// No worktree, bead branch, lease, reservation or process is left; the base is as it was.
    #[track_caller]
    pub(crate) fn leaves_nothing(&self) {
        assert_eq!(self.repo.commit_of("main"), self.base, "the base moved");
        assert_eq!(self.repo.git(["status", "--porcelain"]), "");
        let worktrees = self.repo.git(["worktree", "list", "--porcelain"]);
        let count = worktrees.matches("worktree ").count();
        assert_eq!(count, 1, "worktrees are left:\n{worktrees}");
        let dir = self.env.rigs_home().join("worktrees");
        let left: Vec<_> = std::fs::read_dir(dir).into_iter().flatten().collect();
        assert_eq!(left.len(), 0, "{left:?}");
        let branches = self.repo.branches();
        let beads: Vec<&String> = branches
            .iter()
            .filter(|b| b.starts_with("rigs/gt-"))
            .collect();
        assert_eq!(beads, Vec::<&String>::new(), "branches of beads are left");
        assert_eq!(self.env.held(), Vec::<String>::new());
        let left = self.env.processes();
        assert_eq!(left, [], "processes are left");
    }

    /// How often `kind` is in the event log.
    pub(crate) fn events(&self, kind: &str) -> usize {
        let all = self.env.query("SELECT type FROM events");
        all.iter().filter(|t| *t == kind).count()
    }
}

/// The JSON summary of a goal: status of each bead, in order.
pub(crate) fn statuses_of(output: &Output) -> Vec<String> {
    let summary = output.json();
    let beads = summary["beads"].as_array().expect("beads").clone();
    beads
        .iter()
        .map(|b| b["status"].as_str().expect("a status").to_owned())
        .collect()
}
