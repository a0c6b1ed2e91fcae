//! A campaign of kills: convoys on one store, scripted agents, walls and failures; SIGKILL of
//! rigs, of agents, of git and of everything at once with the end of the store's log torn off, at
//! moments that a seed chooses. In the end everything was done once and nothing is left.
//!
//! `just chaos KILLS=500 SEED=7` runs a long one; the tests run a short one.

mod audit;
mod breaks;
mod dice;
mod power;
mod world;

use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use self::audit::{Findings, audit};
use self::dice::Dice;
use self::world::World;
use crate::flow::LONG;
use crate::harness::{caller_var, wait_until};

/// More than the rest of a world takes when nobody is killed any more.
const REST: Duration = Duration::from_mins(4);
/// Kills of one world: more, and it never gets anywhere.
const KILLS_PER_WORLD: usize = 60;

#[test]
fn a_campaign_of_kills_loses_nothing() {
    let (mut campaign, wanted) = Campaign::asked_for(15, 1);
    // A short campaign has little to kill.
    let most = if wanted > 20 { 6 } else { 2 };
    campaign.goes_on(wanted, |dice| World::scripted(dice, most));
    campaign.verdict(wanted);
}

/// A number that the caller gives in the environment.
fn given(name: &str) -> Option<u64> {
    let text = caller_var(name)?.into_string().expect("a number");
    Some(
        text.parse()
            .unwrap_or_else(|e| panic!("{name}={text}: {e}")),
    )
}

pub(crate) struct Campaign {
    dice: Dice,
    slow: u32,
    loud: bool,
    began: Instant,
    /// Kills by victim.
    killed: BTreeMap<&'static str, usize>,
    found: Findings,
}

impl Campaign {
    /// As the caller asks for it, else this many kills. `slow` says how many times longer an agent
    /// takes than a scripted one.
    pub(crate) fn asked_for(kills: usize, slow: u32) -> (Self, usize) {
        let asked = given("RIGS_CHAOS_KILLS");
        let campaign = Self {
            dice: Dice::new(given("RIGS_CHAOS_SEED").unwrap_or(1)),
            slow,
            loud: asked.is_some(),
            began: Instant::now(),
            killed: BTreeMap::new(),
            found: Findings::default(),
        };
        (campaign, asked.map_or(kills, |n| n as usize))
    }

    /// World after world, until enough was killed.
    fn goes_on(&mut self, wanted: usize, make: impl Fn(&mut Dice) -> World) {
        while self.kills() < wanted {
            let most = (wanted - self.kills()).min(KILLS_PER_WORLD);
            let world = make(&mut self.dice);
            self.world(&world, self.kills() + most);
        }
    }

    /// The same with the real claude, as this entry of the configuration has it.
    #[cfg(feature = "e2e")]
    pub(crate) fn goes_on_with(&mut self, wanted: usize, entry: &str) {
        self.goes_on(wanted, |dice| World::real(entry, dice));
    }

    fn kills(&self) -> usize {
        self.killed.values().sum()
    }

    fn killed(&mut self, victim: &'static str) {
        *self.killed.entry(victim).or_default() += 1;
    }

    fn say(&self, line: &str) {
        if self.loud {
            let at = self.began.elapsed().as_secs();
            writeln!(std::io::stdout(), "{at:>5}s  {line}").expect("stdout");
        }
    }

    /// One store from its first convoy to its last bead.
    fn world(&mut self, world: &World, until: usize) {
        self.orders(world);
        while self.kills() < until && !world.is_over() {
            self.episode(world);
        }
        self.rest(world);
        let found = audit(world);
        for (kind, line) in found.all() {
            self.say(&format!("{kind}: {line}"));
        }
        let attempts = world.count("SELECT count(*) FROM attempts");
        self.say(&format!(
            "{} beads in {attempts} attempts; kills so far: {:?}",
            world.beads, self.killed
        ));
        if found.all().next().is_some() {
            world.flow.env.leaves_the_store_open();
        }
        self.found.extend(found);
    }

    /// Makes the convoys, some at the second try.
    fn orders(&mut self, world: &World) {
        while let Some(mut order) = world.order() {
            let dies = self.dice.percent(25);
            if dies {
                let side = if self.dice.percent(50) {
                    "before"
                } else {
                    "after"
                };
                order = order.var("RIGS_TEST_CRASH", format!("{side} convoy.stored"));
            }
            let output = order.run();
            if output.code == 137 {
                self.killed("client");
            } else {
                assert_eq!(output.code, 0, "{output}");
            }
        }
        let convoys = world.count("SELECT count(*) FROM convoys");
        assert_eq!(convoys, world.convoys(), "one convoy per order");
    }

    /// A foreman from its start to its death.
    fn episode(&mut self, world: &World) {
        if self.dice.percent(45) {
            return self.dies_at_a_point(world);
        }
        let mut foreman = world.foreman().start();
        let second = self.dice.percent(15).then(|| world.foreman().start());
        for _ in 0..self.dice.below(3) {
            let victim = if self.dice.percent(60) {
                "agent"
            } else {
                "git"
            };
            self.kills_one(world, victim);
        }
        self.pause(500);
        if self.dice.percent(30) {
            self.power_cut(world);
            let _dead = foreman.wait(LONG);
            return;
        }
        if foreman.ended().is_none() {
            foreman.signal(Signal::SIGKILL);
            self.killed("rigs");
        }
        let output = foreman.wait(LONG);
        assert_eq!(output.code, 137, "the foreman ended by itself: {output}");
        if let Some(second) = second {
            self.pause(1500);
            second.signal(Signal::SIGKILL);
            self.killed("rigs");
            let _dead = second.wait(LONG).exits(137);
        }
    }

    fn dies_at_a_point(&mut self, world: &World) {
        let point = format!("any:{}", self.dice.between(1, 90));
        let mut foreman = world.foreman().var("RIGS_TEST_CRASH", point).start();
        let patience = Duration::from_secs(3) * self.slow;
        let ended = wait_until(patience, || foreman.ended().is_some() || world.is_over());
        let by_itself = foreman.ended();
        if by_itself.is_none() {
            foreman.signal(Signal::SIGKILL);
        }
        let output = foreman.wait(LONG);
        assert_eq!(output.code, 137, "the foreman ended by itself: {output}");
        self.killed(match by_itself {
            Some(_) => "rigs at a point",
            None if ended => "rigs at the end",
            None => "rigs",
        });
    }

    /// SIGKILL of one process of this kind, if there is one soon.
    fn kills_one(&mut self, world: &World, victim: &'static str) {
        self.pause(100);
        let is_one = |command: &str| {
            let program = command.split(' ').next().unwrap_or_default();
            let is_agent = program.ends_with("/fake-agent") || program.ends_with("claude");
            if victim == "git" {
                program.ends_with("/git")
            } else {
                is_agent && !command.contains("--fake-child")
            }
        };
        let mut hit = false;
        wait_until(Duration::from_millis(500) * self.slow, || {
            let mut all = world.flow.env.processes();
            all.retain(|process| is_one(&process.command));
            if let Some(process) = self.dice.pick(&all) {
                hit = kill(Pid::from_raw(process.pid as i32), Signal::SIGKILL).is_ok();
            }
            hit
        });
        if hit {
            self.killed(victim);
        }
    }

    /// Everything ends at once, and of the store's log nothing is left after the last commit.
    fn power_cut(&mut self, world: &World) {
        let env = &world.flow.env;
        let dead = wait_until(LONG, || {
            let all = env.processes();
            for process in &all {
                // It may be gone already.
                let _gone = kill(Pid::from_raw(process.pid as i32), Signal::SIGKILL);
            }
            all.is_empty()
        });
        assert!(dead, "{:?}", env.processes());
        let last = "SELECT coalesce(max(seq), 0) FROM events";
        let before = world.count(last);
        power::cut(&env.store(), &mut self.dice);
        assert_eq!(
            world.count(last),
            before,
            "a commit was lost with the power"
        );
        self.killed("power");
    }

    fn pause(&mut self, most_ms: usize) {
        let time = Duration::from_millis(self.dice.below(most_ms) as u64) * self.slow;
        wait_until(time, || false);
    }

    /// The rest without kills, with a person who sends back what waits for one.
    fn rest(&mut self, world: &World) {
        let foreman = world.foreman().start();
        let began = Instant::now();
        while !world.is_over() && began.elapsed() < REST {
            world.settles(REST.saturating_sub(began.elapsed()));
            for (bead, why) in world.stuck() {
                self.say(&format!("a person sends back {bead}, {why}"));
                let retry = world.flow.rigs(["bead", "retry"]).args([bead]);
                let output = retry.run();
                assert_eq!(output.code, 0, "{output}");
            }
        }
        // It may have been over before: then this foreman only tidies up.
        let worktrees = world.flow.env.rigs_home().join("worktrees");
        wait_until(LONG, || {
            let left = std::fs::read_dir(&worktrees);
            left.into_iter().flatten().count() == 0
        });
        foreman.signal(Signal::SIGTERM);
        let _stopped = foreman.wait(LONG).exits(143);
    }

    pub(crate) fn verdict(self, wanted: usize) {
        let found = &self.found;
        let line = format!(
            "chaos: kills={} lost={} twice={} orphans={} leaked={}",
            self.kills(),
            found.lost.len(),
            found.twice.len(),
            found.orphans.len(),
            found.leaked.len(),
        );
        let all: Vec<String> = found
            .all()
            .map(|(kind, l)| format!("{kind}: {l}"))
            .collect();
        self.say(&line);
        if let Some(path) = caller_var("RIGS_CHAOS_REPORT") {
            std::fs::write(path, format!("{line}\n")).expect("the report");
        }
        assert!(all.is_empty(), "{line}\n{}", all.join("\n"));
        assert!(self.kills() >= wanted, "{line}, of {wanted}");
    }
}
