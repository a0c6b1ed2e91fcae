//! One row: a fresh home, one bead, the real program, and what is found afterwards.

use serde_json::Value;
use std::time::Duration;

use super::expect::{Charge, Expect, RESET_IN, RETRY_AFTER, Tank, Then, expect};
use super::upstream::{Call, Told, Upstream};
use crate::conformance::{Program, Scenario};
use crate::e2e::agents::{CODEX_MODEL, OAUTH_TOKEN, RealAgents};
use crate::e2e::goals::{charged, rigs};
use crate::harness::{Output, TestEnv, TestRepo};
use crate::lab::Usage;

/// The variable with the key of those who want one, and the key.
const KEY_ENV: &str = "LAB_KEY";
const KEY: &str = "lab-key";
/// Milliseconds before its end at which a wait is looked at: longer than a command takes.
const BEFORE: i64 = 20_000;
/// After a reset rigs waits a little more, so that many waiters do not come at once.
const JITTER: u64 = 31;

/// What was found; the cells of the table.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) class: String,
    pub(super) tank: String,
    pub(super) waits: String,
    pub(super) tokens: String,
    pub(super) calls: String,
    pub(super) early: String,
    pub(super) left: String,
    /// What is not as it must be; none when the row conforms.
    pub(super) wrong: Vec<String>,
}

impl Found {
    fn check(&mut self, what: &str, is: &dyn std::fmt::Debug, wanted: bool) {
        if !wanted {
            self.wrong.push(format!("{what}: {is:?}"));
        }
    }
}

struct Stage<'a> {
    env: &'a TestEnv,
    repo: TestRepo,
    upstream: &'a Upstream,
    program: Program,
    scenario: Scenario,
    expect: Expect,
    tag: String,
    convoy: String,
}

pub(super) fn run(upstream: &Upstream, program: Program, scenario: Scenario) -> Found {
    let env = TestEnv::new();
    env.var(KEY_ENV, KEY);
    let number = env.root().file_name().unwrap_or_default().to_string_lossy();
    let mut stage = Stage {
        repo: env.repo("project"),
        env: &env,
        upstream,
        program,
        scenario,
        expect: expect(program, scenario),
        tag: format!("{}-{number}", program.name()),
        convoy: String::new(),
    };
    let mut found = Found::default();
    stage.first(&mut found);
    found
}

impl Stage<'_> {
    /// The only provider of this home, played by these knobs.
    fn configure(&self, knobs: &str) {
        let agents = RealAgents::find();
        let base = self.upstream.base(&format!("{knobs},tag={}", self.tag));
        let wrong = self.scenario == Scenario::WrongModel && knobs == self.expect.knobs;
        let model = |usual: &str| if wrong { "no-such-model" } else { usual }.to_owned();
        let (suffix, model, login) = match self.program {
            Program::Claude => (
                "",
                model("sonnet"),
                format!("env = {{ CLAUDE_CODE_OAUTH_TOKEN = \"{OAUTH_TOKEN}\" }}"),
            ),
            Program::Codex => ("/v1", model(CODEX_MODEL), key()),
            Program::Gemini => ("", model("gemini-2.5-flash"), key()),
            Program::Opencode => ("/v1", model("lab-model"), key()),
        };
        // Silence is what a hang is known by, and must not be taken for one on a busy machine.
        let hangs = matches!(self.scenario, Scenario::Hang | Scenario::HangInStream);
        let silence = if hangs { quiet(self.program) } else { 90 };
        let name = self.program.name();
        self.env.config(&format!(
            "[providers.{name}]\ncommand = \"{}\"\nbase_url = \"{base}{suffix}\"\n{login}\n\
             model = \"{model}\"\nidle_timeout = \"{silence}s\"\nstartup_timeout = \"90s\"\n",
            agents.program(name).display(),
        ));
    }

    fn rigs(&self, args: &[&str]) -> crate::harness::Run<'_> {
        rigs(self.env, &self.repo, args).timeout(Duration::from_mins(8))
    }

    fn json(&self, args: &[&str]) -> Value {
        self.rigs(args).run().success().json()
    }

    fn calls(&self) -> Vec<Call> {
        self.upstream.calls(&self.tag)
    }

    /// A bead that needs no change of files: its answer is what the program says.
    fn plan(&self) -> String {
        let bead = serde_json::json!({
            "key": "1", "title": "say pong", "description": "Say pong.", "task_type": "review",
            "complexity": "small", "priority": "normal", "acceptance_criteria": ["pong is said"],
            "depends_on": [], "files": [],
        });
        let plan =
            serde_json::json!({"goal": "pong", "beads": [bead], "planned_by": "test", "notes": []});
        let path = self.env.write("plan.json", plan.to_string());
        path.to_string_lossy().into_owned()
    }

    fn first(&mut self, found: &mut Found) {
        let plan = self.plan();
        self.configure(self.expect.knobs);
        let output = self.rigs(&execute(&plan)).run();
        let left = self.env.processes().len();
        let calls = self.calls();
        found.check("exit", &output.code, output.code == self.expect.exit);
        let summary = output.json();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        self.convoy = text(&summary["convoy_id"]);
        let id = text(&summary["beads"][0]["id"]);
        let bead = self.json(&["bead", "show", &id, "--json"]);
        self.outcome(found, &bead, &output);
        self.charge(found, &charged(&summary), &self.upstream.told(&calls));
        let tank = self.json(&["tank", "status", self.program.name(), "--json"]);
        let until = self.tank(found, &tank, &bead, &calls);
        found.check(
            "calls",
            &calls.len(),
            (1..=self.expect.calls).contains(&(calls.len() as u64)),
        );
        found.calls = calls.len().to_string();
        if self.scenario == Scenario::RetryAfter {
            let gaps = calls.windows(2).map(|pair| pair[1].at - pair[0].at);
            let least = gaps.fold(f64::MAX, f64::min);
            found.check(
                "shortest wait of its own",
                &least,
                least >= RETRY_AFTER as f64,
            );
        }
        let left = left + self.afterwards(found, &id, until, calls.len());
        found.check("processes left", &left, left == 0);
        found.left = left.to_string();
    }

    fn outcome(&self, found: &mut Found, bead: &Value, output: &Output) {
        let attempts = bead["attempts"].as_array().expect("attempts");
        let classes: Vec<&str> = attempts
            .iter()
            .filter_map(|a| a["status"].as_str())
            .collect();
        let wanted = vec![self.expect.class; self.expect.attempts];
        let messages: Vec<&Value> = attempts.iter().map(|a| &a["message"]).collect();
        let said = format!("{messages:?}\n{output}");
        found.check("classes", &(&classes, said), classes == wanted);
        found.check("bead", &bead["status"], bead["status"] == self.expect.bead);
        let times = if classes.len() > 1 {
            format!(" x {}", classes.len())
        } else {
            String::new()
        };
        found.class = format!("{}{times}", classes.last().unwrap_or(&"none"));
    }

    /// The ledger against what the server told.
    fn charge(&self, found: &mut Found, ours: &(Usage, u64), told: &Told) {
        let all = |usage: Usage| {
            let Usage {
                input,
                output,
                cache_read,
                cache_write,
            } = usage;
            input + output + cache_read + cache_write
        };
        let (usage, requests) = *ours;
        let (fits, sign) = match self.expect.charge {
            Charge::Equal => (told.is(usage, requests), "="),
            Charge::Estimate => {
                let wanted = all(told.at_most).max(1);
                (all(usage) >= wanted, ">")
            }
        };
        found.check("charged, told", &(ours, told), fits);
        found.tokens = format!("{} {sign} {}", all(usage), all(told.usage));
    }

    /// What the tank shows; until when it is closed, in epoch milliseconds.
    fn tank(&self, found: &mut Found, tank: &Value, bead: &Value, calls: &[Call]) -> Option<i64> {
        let list = |name: &str| tank[name].as_array().cloned().unwrap_or_default();
        let circuits = list("circuits");
        let disabled = circuits.iter().any(|c| c["state"] == "disabled");
        let paused = circuits.iter().filter(|c| c["state"] == "open");
        let paused = paused.filter_map(|c| millis(&c["until"])).max();
        let closed = list("windows")
            .iter()
            .filter_map(|w| millis(&w["closed_until"]))
            .max();
        let percent = list("windows")
            .iter()
            .filter(|w| w["kind"] == "percent")
            .filter_map(|w| w["percent"].as_f64())
            .reduce(f64::max)
            .map(|p| p.round() as u32);
        // A wall of seconds may have fallen while we looked: the bead was deferred to its end.
        let deferred = millis(&bead["deferred_until"]);
        let until = paused.or(closed).or(deferred);
        let refused: Vec<&Call> = calls.iter().filter(|c| c.status >= 400).collect();
        // Whole seconds: that is how resets are stated.
        let reset = refused
            .first()
            .map(|c| (c.at as i64 + RESET_IN as i64) * 1000);
        let last = calls.last().map(|c| (c.at * 1000.0) as i64);
        let after = |ms: i64, from: Option<i64>| from.map(|from| (ms - from) / 1000);
        let (fits, shown) = match self.expect.tank {
            Tank::Open(wanted) => (
                !disabled && until.is_none() && percent == wanted,
                percent.map_or("open".to_owned(), |p| format!("open, {p} % used")),
            ),
            Tank::ClosedUntilReset => {
                let late = until.and_then(|ms| after(ms, reset));
                let fits = late.is_some_and(|s| (0..=JITTER as i64).contains(&s));
                (
                    fits && paused.is_none(),
                    "closed until the reset".to_owned(),
                )
            }
            Tank::ClosedForTheDay => {
                let wait = until.and_then(|ms| after(ms, last));
                let fits = wait.is_some_and(|s| (0..=86_400 + JITTER as i64).contains(&s));
                (fits && paused.is_none(), "closed for the day".to_owned())
            }
            Tank::ClosedForAWhile => {
                let wait = until.and_then(|ms| after(ms, last));
                // Without that header, a program may pass on another: a request is free in a second.
                let is_asked = !self.expect.knobs.contains("retry_after=none");
                let least = if is_asked { RETRY_AFTER as i64 } else { 1 };
                // A plan's limit is looked at again after half an hour, a rate after a minute or
                // two.
                let most = if self.expect.class == "limit" {
                    1800
                } else {
                    120
                };
                let fits = wait.is_some_and(|s| (least..=most + JITTER as i64).contains(&s));
                (fits && paused.is_none(), "closed for a while".to_owned())
            }
            Tank::Paused => {
                let fits = paused.is_some() && closed.is_none();
                (fits, "paused".to_owned())
            }
            Tank::Disabled => (disabled, "disabled".to_owned()),
        };
        found.check("tank", tank, fits);
        found.tank = shown;
        let waits = matches!(self.expect.then, Then::Waits | Then::Later);
        found.check("deferral", &(deferred, until), !waits || deferred == until);
        found.check("deferral", &deferred, waits || deferred.is_none());
        found.waits = match (deferred, self.expect.tank) {
            (None, _) => "-".to_owned(),
            (Some(ms), Tank::ClosedUntilReset) => {
                format!("reset + {} s", after(ms, reset).unwrap_or_default())
            }
            (Some(ms), _) => format!("{} s", after(ms, last).unwrap_or_default()),
        };
        until
    }

    /// While it is closed nothing is sent; afterwards the bead is completed. The processes that
    /// were left behind.
    fn afterwards(&self, found: &mut Found, id: &str, until: Option<i64>, made: usize) -> usize {
        let resume = ["goal", "resume", &self.convoy, "--json"];
        let no_wait = [&resume[..], &["--no-wait"]].concat();
        let mut left = 0;
        let mut done = |output: &Output| {
            left += self.env.processes().len();
            output.code
        };
        if self.expect.then == Then::Done {
            found.early = "-".to_owned();
            return 0;
        }
        // Again at once: the answer is the same, and the server is not asked. A bead that has
        // failed leaves its provider paused: another bead waits for it.
        let plan = self.plan();
        let (again, wanted) = match self.expect.then {
            Then::Failed => (execute(&plan).to_vec(), 75),
            Then::Done | Then::Waits | Then::Later | Then::Mended => {
                (no_wait.clone(), self.expect.exit)
            }
        };
        let again = self.rigs(&again);
        let again = match (self.expect.then, until) {
            // However short its wait is: while it lasts.
            (Then::Later, Some(until)) => again.var("RIGS_TEST_TIME", rfc3339(until - BEFORE)),
            _ => again,
        };
        let code = done(&again.run());
        found.check("exit while it is closed", &code, code == wanted);
        let mut early = self.calls().len() - made;
        let completes = match self.expect.then {
            Then::Done | Then::Failed => None,
            Then::Waits | Then::Mended => {
                self.configure("ok");
                Some(self.rigs(&resume).run())
            }
            Then::Later => {
                self.configure("ok");
                let until = until.expect("what waits has been told until when");
                let after = self
                    .rigs(&resume)
                    .var("RIGS_TEST_TIME", rfc3339(until + 1_000));
                Some(after.run())
            }
        };
        if let Some(output) = completes {
            let code = done(&output);
            found.check("exit afterwards", &(code, &output.stderr), code == 0);
            let bead = self.json(&["bead", "show", id, "--json"]);
            let calls = self.calls();
            let told = self.upstream.told(&calls);
            let all = charged(&bead);
            found.check(
                "bead afterwards",
                &bead["status"],
                bead["status"] == "completed",
            );
            let exact = self.expect.charge == Charge::Equal;
            found.check(
                "charged, told afterwards",
                &(&all, &told),
                !exact || told.is(all.0, all.1),
            );
            if self.expect.then == Then::Waits {
                let wall = calls.iter().find(|c| c.status == 429);
                let (from, reset) =
                    wall.map_or((0.0, 0.0), |c| (c.at, c.at.floor() + RESET_IN as f64));
                early = calls.iter().filter(|c| c.at > from && c.at < reset).count();
            }
        }
        found.check("calls before the reset", &early, early == 0);
        found.early = early.to_string();
        left
    }
}

fn execute(plan: &str) -> [&str; 7] {
    [
        "goal",
        "execute",
        "--plan",
        plan,
        "--no-wait",
        "-y",
        "--json",
    ]
}

fn key() -> String {
    format!("api_key_env = \"{KEY_ENV}\"")
}

/// Seconds of silence after which a program is given up where it is to hang: longer than it takes
/// from its first line to its first request on a busy machine.
fn quiet(program: Program) -> u64 {
    match program {
        Program::Claude | Program::Codex => 5,
        Program::Gemini => 15,
        Program::Opencode => 25,
    }
}

fn millis(time: &Value) -> Option<i64> {
    let time: chrono::DateTime<chrono::Utc> = time.as_str()?.parse().expect("RFC 3339");
    Some(time.timestamp_millis())
}

fn rfc3339(millis: i64) -> String {
    let time = chrono::DateTime::from_timestamp_millis(millis).expect("a time in range");
    time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}
