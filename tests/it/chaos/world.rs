//! A store with convoys on two repositories and three scripted agents that meet walls and fail.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::dice::Dice;
use crate::flow::{Flow, LONG, bead};
use crate::harness::{FakeAgent, Run, TestRepo, wait_until};

pub(super) struct World {
    pub(super) flow: Flow,
    pub(super) other: TestRepo,
    pub(super) fakes: Vec<FakeAgent>,
    /// Plans that are not a convoy yet, and where they are to be one.
    orders: Vec<(PathBuf, PathBuf)>,
    pub(super) beads: usize,
}

const SETTINGS: &str = "\
[general]\nmax_parallel = 3\n[gate]\ncommands = [[\"true\"]]\nmax_attempts = 10\n\
[foreman]\ngrace = \"100ms\"\n";

impl World {
    /// Three scripted agents; convoys of up to `most` beads.
    pub(super) fn scripted(dice: &mut Dice, most: usize) -> Self {
        let flow = Flow::new(SETTINGS);
        let fakes = ["claude", "codex", "command"].map(|kind| {
            let runs = runs(kind, dice);
            flow.provider_with(kind, kind, "max_parallel = 2", &runs)
        });
        Self::with(flow, fakes.into(), (3, most), dice)
    }

    /// The real claude, as this entry of the configuration has it.
    #[cfg(feature = "e2e")]
    pub(super) fn real(entry: &str, dice: &mut Dice) -> Self {
        let flow = Flow::new(SETTINGS);
        flow.entry(entry);
        Self::with(flow, Vec::new(), (1, 3), dice)
    }

    /// So many convoys of up to so many beads.
    fn with(flow: Flow, fakes: Vec<FakeAgent>, size: (usize, usize), dice: &mut Dice) -> Self {
        let (convoys, most) = size;
        let other = flow.env.repo("other");
        // Agents that are killed break off their stories; the audit reads what they complain of.
        flow.env.lets_fakes_complain();
        let mut world = Self {
            fakes,
            orders: Vec::new(),
            beads: 0,
            other,
            flow,
        };
        for n in 0..convoys {
            let beads = plan(n, most, dice);
            world.beads += beads.len();
            let plan = json!({"version": 1, "goal": format!("goal {n}"), "beads": beads});
            let env = &world.flow.env;
            let plan = env.write(format!("plan-{n}.json"), plan.to_string());
            let repo = if n == 1 {
                &world.other
            } else {
                &world.flow.repo
            };
            world.orders.push((plan, repo.root().to_owned()));
        }
        world
    }

    /// The next convoy, to be made by this command; `None` when there are all.
    pub(super) fn order(&self) -> Option<Run<'_>> {
        let made = self.count("SELECT count(*) FROM convoys");
        let (plan, repo) = self.orders.get(made)?;
        let run = self.flow.goal(["execute", "-y", "--detach", "--plan"]);
        Some(run.args([plan]).dir(repo))
    }

    pub(super) fn convoys(&self) -> usize {
        self.orders.len()
    }

    pub(super) fn foreman(&self) -> Run<'_> {
        self.flow
            .rigs(["foreman", "start", "--foreground"])
            .timeout(LONG)
    }

    /// The one number that a query gives; 0 when there is no store yet.
    pub(super) fn count(&self, query: &'static str) -> usize {
        let found = self.flow.env.query(query);
        found.first().and_then(|n| n.parse().ok()).unwrap_or(0)
    }

    /// Every bead is completed.
    pub(super) fn is_over(&self) -> bool {
        self.count("SELECT count(*) FROM beads WHERE status = 'completed'") == self.beads
    }

    /// Beads that wait for a person, with the reason.
    pub(super) fn stuck(&self) -> Vec<(String, String)> {
        let rows = self.flow.env.query(
            "SELECT id || ' ' || status || ': ' || coalesce(block_reason, error, '') FROM beads
             WHERE status = 'failed' OR status = 'blocked' AND block_cause <> 'dependency'",
        );
        let split = |row: String| {
            let (id, why) = row.split_once(' ').expect("an id and a reason");
            (id.to_owned(), why.to_owned())
        };
        rows.into_iter().map(split).collect()
    }

    /// Waits until everything is completed or waits for a person.
    pub(super) fn settles(&self, time: Duration) -> bool {
        let open =
            "SELECT count(*) FROM beads WHERE status NOT IN ('completed', 'failed', 'blocked')";
        wait_until(time, || self.count(open) == 0)
    }
}

/// Beads that depend on earlier ones here and there.
fn plan(convoy: usize, most: usize, dice: &mut Dice) -> Vec<Value> {
    let key = |n: usize| format!("c{convoy}b{n}");
    let beads = (0..dice.between(most / 2, most)).map(|n| {
        let after = (n > 0 && dice.percent(40)).then(|| key(dice.below(n)));
        bead(
            &key(n),
            &after.iter().map(String::as_str).collect::<Vec<_>>(),
        )
    });
    beads.collect()
}

/// What one agent does, run after run: good work, now and then a wall or a failure.
fn runs(kind: &str, dice: &mut Dice) -> Vec<Value> {
    let mut all = Vec::new();
    for _ in 0..2 {
        let mut run = good(kind, dice);
        run["times"] = json!(dice.between(1, 4));
        all.push(run);
        all.push(if dice.percent(50) {
            wall(kind, dice)
        } else {
            failure(kind)
        });
    }
    let mut last = good(kind, dice);
    last["times"] = json!(0);
    all.push(last);
    all
}

/// Nobody else works on the bead, and what is written is there and told, in this order.
fn work(dice: &mut Dice) -> Vec<Value> {
    vec![
        json!("alone"),
        json!("token"),
        json!({"wait_ms": dice.below(60)}),
        json!("token"),
    ]
}

fn good(kind: &str, dice: &mut Dice) -> Value {
    let mut steps = work(dice);
    if dice.percent(30) {
        steps.push(json!({"child": {}}));
    }
    if kind == "command" {
        steps.push(json!({"print": "done"}));
    } else {
        steps.insert(0, json!({kind: "start"}));
        steps.push(json!({kind: {"say": "at work"}}));
        steps.push(json!({kind: {"done": {"text": "all done"}}}));
    }
    json!({"steps": steps})
}

fn wall(kind: &str, dice: &mut Dice) -> Value {
    if kind == "command" {
        return failure(kind);
    }
    let mut steps = vec![json!({kind: "start"})];
    steps.extend(work(dice));
    steps.push(json!({kind: {"limit": {"reset_in_s": 1}}}));
    json!({"steps": steps})
}

fn failure(kind: &str) -> Value {
    let end = match kind {
        "claude" => {
            json!({"claude": {"error": {"status": 400, "kind": "invalid_request", "text": "it is refused"}}})
        }
        _ => json!({"exit": 1}),
    };
    let start = match kind {
        "command" => json!({"print": "trying"}),
        _ => json!({kind: "start"}),
    };
    json!({"steps": [start, "alone", "token", end]})
}
