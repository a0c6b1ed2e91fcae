//! A night in minutes: real agents whose windows are sixty seconds long, new convoys all the time,
//! a foreman that is killed half-way, and nobody who looks after it. `just rehearsal MINUTES=10`.

#![expect(
    clippy::disallowed_methods,
    reason = "it plays the world outside of rigs, which goes by the real clock"
)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::signal::Signal;
use serde_json::Value;

use super::agents::{CODEX_KEY, CODEX_KEY_ENV, RealAgents};
use super::goals::{LONG, rigs, told};
use crate::harness::{Running, TestEnv, TestRepo, caller_var, wait_until};
use crate::lab::{Limits, Rule, Script, Share, Step, Upstream, Usage, Window};

/// Of every window of the providers.
const WINDOW: Duration = Duration::from_mins(1);
/// What comes in while it goes on: a convoy of three beads, the last of them after the others.
const EVERY: Duration = Duration::from_secs(20);
/// Calls that a window of each provider holds.
const HOLDS: [(&str, u64); 2] = [("claude", 8), ("codex", 10)];
/// What one call takes: a bead takes about what its estimate says.
const STEP: Usage = Usage {
    input: 6_000,
    output: 1_500,
    cache_read: 3_000,
    cache_write: 500,
};
/// Between a refusal and the moment when rigs has heard of it from the agent.
const HEARD: f64 = 5.0;

/// From when to when a provider refused everything, in epoch seconds.
#[derive(Debug, Clone, Copy)]
struct Wall {
    tag: &'static str,
    from: f64,
    until: u64,
}

/// The window of one provider: it begins with a call.
struct Meter {
    tag: &'static str,
    holds: u64,
    ends: Option<Instant>,
    /// Calls that were seen before it began.
    before: u64,
}

impl Meter {
    /// Tells how full it is, and raises a wall when it is full.
    fn look(&mut self, lab: &Upstream) -> Option<Wall> {
        let (now, calls) = (Instant::now(), lab.counts(self.tag).requests);
        let Some(ends) = self.ends.filter(|ends| now < *ends) else {
            if self.ends.take().is_some() {
                self.before = calls;
            }
            self.ends = (calls > self.before).then(|| now + WINDOW);
            return None;
        };
        if lab.wall(self.tag).is_some() {
            return None;
        }
        let left = ends - now;
        let used = (calls - self.before) as f64 / self.holds as f64;
        if used < 1.0 {
            let five_hour = Some(Share::new(used, left));
            let told = Limits {
                five_hour,
                ..Limits::default()
            };
            lab.set_limits(self.tag, told);
            return None;
        }
        Some(Wall {
            tag: self.tag,
            from: epoch_now(),
            until: lab.raise_wall(self.tag, Window::FiveHour, left),
        })
    }
}

/// Keeps the windows until it is over; the walls that it raised.
fn keep_windows(lab: &Upstream, over: &AtomicBool) -> Vec<Wall> {
    let mut meters = HOLDS.map(|(tag, holds)| Meter {
        tag,
        holds,
        ends: None,
        before: 0,
    });
    let mut walls = Vec::new();
    while !over.load(Ordering::Relaxed) {
        walls.extend(meters.iter_mut().filter_map(|meter| meter.look(lab)));
        std::thread::sleep(Duration::from_millis(50));
    }
    walls
}

/// Ends the keeping of windows, also when the test fails in between.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn epoch_now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("after 1970").as_secs_f64()
}

/// A convoy of three beads; their ids. Each agent knows from the script what to do.
fn submit(env: &TestEnv, repo: &TestRepo, lab: &Upstream, number: usize) -> Vec<String> {
    let id = |args: &[&str]| rigs(env, repo, args).run().success().line().to_owned();
    let convoy = id(&["convoy", "create", &format!("part {number}")]);
    let mut beads: Vec<String> = Vec::new();
    for (i, letter) in ["a", "b", "c"].into_iter().enumerate() {
        let title = format!("piece {number}{letter}");
        let file = format!("piece-{number}{letter}.txt");
        for (tag, make) in [
            ("claude", Step::write(&file, "made\n")),
            ("codex", Step::shell(&format!("touch {file}"))),
        ] {
            let steps = [make, Step::text("made it")].map(|step| step.usage(STEP));
            lab.add(
                Rule::new(steps)
                    .tag(tag)
                    .when(&format!("Task: {title}"))
                    .repeat(),
            );
        }
        let mut args = vec!["bead", "create", &title, "--convoy", &convoy];
        args.extend(["--estimate", "16000"]);
        if i == 2 {
            for before in &beads {
                args.extend(["--depends-on", before]);
            }
        }
        let bead = id(&args);
        beads.push(bead);
    }
    beads
}

fn foreman<'a>(env: &'a TestEnv, repo: &TestRepo) -> Running<'a> {
    let foreman = rigs(env, repo, &["foreman", "start", "--foreground"]);
    foreman.timeout(Duration::from_hours(2)).start()
}

fn show(env: &TestEnv, repo: &TestRepo, bead: &str) -> Value {
    let shown = rigs(env, repo, &["bead", "show", bead, "--json"]).run();
    shown.success().json()
}

/// Attempts that began at a provider that was known to refuse everything.
fn early(beads: &[Value], walls: &[Wall], lab: &Upstream) -> Vec<String> {
    let mut early = Vec::new();
    for wall in walls {
        let refused = lab
            .requests(wall.tag)
            .into_iter()
            .find(|r| r.status == 429 && (wall.from..wall.until as f64).contains(&r.at));
        let Some(refused) = refused else { continue };
        let closed = refused.at + HEARD..wall.until as f64;
        for attempt in beads.iter().flat_map(attempts) {
            let began: chrono::DateTime<chrono::Utc> = attempt["started_at"]
                .as_str()
                .and_then(|at| at.parse().ok())
                .expect("when it began");
            let began = began.timestamp_millis() as f64 / 1000.0;
            if attempt["provider"] == wall.tag && closed.contains(&began) {
                early.push(format!("{attempt} within {closed:?}"));
            }
        }
    }
    early
}

fn attempts(bead: &Value) -> &Vec<Value> {
    bead["attempts"].as_array().expect("attempts")
}

#[test]
fn a_night_in_minutes_is_worked_through_and_every_wait_is_explained() {
    let minutes = caller_var("REHEARSAL_MINUTES").map_or(0.7, |minutes| {
        let minutes = minutes.to_str().and_then(|text| text.parse().ok());
        minutes.expect("REHEARSAL_MINUTES is a number")
    });
    let length = Duration::from_secs_f64(minutes * 60.0);
    let (env, agents) = (TestEnv::new(), RealAgents::find());
    env.var(CODEX_KEY_ENV, CODEX_KEY);
    let repo = env.repo("project");
    let base = repo.commit_of("HEAD");
    let lab = Upstream::start(Script::new([]));
    for (tag, _) in HOLDS {
        lab.set_window(tag, WINDOW);
    }
    env.config(
        &("[gate]\ncommands = [[\"true\"]]\n".to_owned()
            + &agents.claude_provider("claude", &lab)
            + &agents.codex_provider("codex", &lab)),
    );

    let over = AtomicBool::new(false);
    let (beads, walls) = std::thread::scope(|scope| {
        let windows = scope.spawn(|| keep_windows(&lab, &over));
        let ends = Ends(&over);
        let beads = work_through(&env, &repo, &lab, length);
        drop(ends);
        (beads, windows.join().expect("the windows were kept"))
    });

    assert_eq!(env.processes(), []);
    let shown: Vec<Value> = beads.iter().map(|id| show(&env, &repo, id)).collect();
    for bead in &shown {
        assert_eq!(bead["status"], "completed", "{bead}");
        // An agent that was killed in its tool may think it has done its work.
        let lost = attempts(bead).iter().any(|a| a["status"] == "lost");
        assert!(bead["failures"] == 0 || lost, "{bead}");
        let done = attempts(bead).iter().filter(|a| a["status"] == "done");
        assert_eq!(done.count(), 1, "{bead}");
    }
    assert_eq!(repo.commit_of("main"), base);
    assert_eq!(early(&shown, &walls, &lab), [""; 0]);
    // Each wait has its reason.
    let events = rigs(&env, &repo, &["events", "--json"]).run().success();
    let events = events.json_lines();
    let deferred: Vec<&Value> = events
        .iter()
        .filter(|e| e["type"] == "bead.defer")
        .collect();
    for event in &deferred {
        let bead = event["bead_id"].as_str().expect("a bead");
        let why = rigs(&env, &repo, &["why", bead]).run().success();
        let until = event["payload"]["until"].as_str().is_some();
        assert!(until && why.stdout.contains("deferred"), "{event}\n{why}");
    }
    // Of what was told to the end, nothing is missing in the ledger; killed runs are charged more.
    let mut counted = Usage::default();
    for (tag, _) in HOLDS {
        counted += told(&lab.counts(tag)).0;
    }
    let charged = env.query("SELECT sum(input + output + cache_write) FROM usage");
    let charged: u64 = charged[0].parse().expect("a sum");
    let told = counted.input + counted.output + counted.cache_write;
    assert!(charged >= told, "{charged} of {told}");
    assert_eq!(
        env.query("SELECT count(*) FROM reservations WHERE outcome IS NULL"),
        ["0"]
    );
    println!(
        "rehearsal: minutes={minutes} beads={} completed={} walls={} deferred={} early=0 orphans=0 lost=0",
        beads.len(),
        shown.len(),
        walls.len(),
        deferred.len(),
    );
}

/// Convoys come in until the time is up, the foreman is killed half-way; then everything is
/// worked off. The ids of all beads.
fn work_through(env: &TestEnv, repo: &TestRepo, lab: &Upstream, length: Duration) -> Vec<String> {
    let began = Instant::now();
    let mut running = foreman(env, repo);
    let mut killed = false;
    let mut beads = Vec::new();
    let mut number = 0;
    while began.elapsed() < length {
        number += 1;
        beads.extend(submit(env, repo, lab, number));
        std::thread::sleep(EVERY);
        if !killed && began.elapsed() > length / 2 {
            killed = true;
            running.signal(Signal::SIGKILL);
            assert_eq!(running.wait(LONG).code, 137);
            running = foreman(env, repo);
        }
    }
    let is_over = || {
        let open = "SELECT count(*) FROM beads WHERE status NOT IN ('completed', 'failed', 'cancelled', 'blocked')";
        env.query(open) == ["0"]
    };
    assert!(
        wait_until(length + Duration::from_mins(10), is_over),
        "{:?}",
        env.query("SELECT id || ' ' || status || ' ' || coalesce(deferred_until, '') FROM beads")
    );
    running.signal(Signal::SIGTERM);
    assert_eq!(running.wait(LONG).code, 143);
    beads
}
