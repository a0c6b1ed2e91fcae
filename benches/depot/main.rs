//! The depot as it grows: `cargo bench --bench depot`, or with the names of some parts (`start`,
//! `create`, `shells`, `claim`, `head`, `processes`, `cycle`, `listing`, `foreman`) and
//! `SIZES=1000,100000,1000000`. Every figure is a median beside a yardstick of the same run.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]
#![expect(
    clippy::disallowed_methods,
    reason = "it starts programs and waits for them, as a person does"
)]

mod programs;
mod yard;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use programs::{Home, pairs};
use rigs::bench::Depot;
use yard::Yard;

/// Claims that are timed at each size.
const CLAIMS: u32 = 400;
const RUNS: u32 = 50;
/// Processes that claim take as many beads each.
const EACH: u32 = 50;

struct Bench {
    root: PathBuf,
    sizes: Vec<u64>,
    parts: Vec<String>,
    missed: Vec<String>,
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [word, store, who, beads] = args.as_slice()
        && word == "--claim"
    {
        return claim_as_a_process(Path::new(store), who, beads);
    }
    let root = tempfile::tempdir().expect("a folder");
    let mut bench = Bench {
        root: root.path().to_owned(),
        sizes: vec![1_000, 100_000, 1_000_000],
        parts: Vec::new(),
        missed: Vec::new(),
    };
    for arg in args.iter().filter(|a| *a != "--bench") {
        match arg.split_once('=') {
            Some(("SIZES", sizes)) => {
                bench.sizes = sizes
                    .split(',')
                    .map(|n| n.parse().expect("SIZES are numbers"))
                    .collect();
            }
            Some(_) => panic!("`{arg}` is nothing that this bench knows"),
            None => bench.parts.push(arg.clone()),
        }
    }
    bench.run();
    println!("depot: {} bars missed", bench.missed.len());
    assert!(
        bench.missed.is_empty(),
        "{}; see docs/performance.md",
        bench.missed.join(", ")
    );
}

fn median(took: &[Duration]) -> f64 {
    quantile(took, 0.5)
}

/// In milliseconds.
fn quantile(took: &[Duration], q: f64) -> f64 {
    let mut all: Vec<f64> = took.iter().map(|d| d.as_secs_f64() * 1e3).collect();
    all.sort_by(f64::total_cmp);
    all[((all.len() - 1) as f64 * q) as usize]
}

impl Bench {
    fn run(&mut self) {
        println!("{:<52} {:>9} {:>9} {:>7}", "", "p50 ms", "p99 ms", "ratio");
        let empty = Home::new(&self.root, "empty");
        Depot::open(&empty.store(), 0, false).close();
        if self.wants("start") {
            self.start(&empty);
        }
        let homes: Vec<(u64, Home)> = self
            .sizes
            .clone()
            .into_iter()
            .map(|n| (n, self.filled(n)))
            .collect();
        if self.wants("create") {
            self.create(&empty, "in an empty store", 1.5);
            for (n, home) in &homes {
                // 1.2 of what it may take in an empty one.
                self.create(home, &format!("at {n}"), 1.5 * 1.2);
            }
        }
        if self.wants("shells") {
            self.shells();
        }
        if self.wants("claim") {
            self.claim(&homes);
        }
        if self.wants("head") {
            self.head();
        }
        if self.wants("listing") {
            self.listing(&homes);
        }
        if self.wants("cycle") {
            self.cycle(&homes);
        }
        if self.wants("processes") {
            self.processes(&homes);
        }
        if self.wants("foreman") {
            self.foreman(&homes);
        }
    }

    fn wants(&self, part: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|p| p == part)
    }

    /// One line; a bar is the most that the ratio may be.
    fn row(&mut self, what: &str, took: &[Duration], per: f64, bar: Option<f64>) {
        let ratio = median(took) / per;
        let word = self.judge(what, bar.map(|bar| (ratio <= bar, format!("<= {bar:.2}"))));
        println!(
            "{what:<52} {:>9.3} {:>9.3} {ratio:>7.2}  {word}",
            median(took),
            quantile(took, 0.99)
        );
    }

    fn judge(&mut self, what: &str, bar: Option<(bool, String)>) -> String {
        match bar {
            None => String::new(),
            Some((true, bar)) => format!("{bar}: met"),
            Some((false, bar)) => {
                self.missed.push(what.to_owned());
                format!("{bar}: MISSED")
            }
        }
    }

    fn filled(&self, beads: u64) -> Home {
        let home = Home::new(&self.root, &format!("beads-{beads}"));
        let depot = Depot::open(&home.store(), 0, false);
        let took = depot.fill(beads);
        depot.close();
        println!(
            "bulk import of {beads}: {:.1} s, {:.0} beads/s",
            took.as_secs_f64(),
            beads as f64 / took.as_secs_f64().max(1e-9)
        );
        home
    }

    fn start(&mut self, home: &Home) {
        let [ours, bare] = pairs(RUNS, || home.rigs(&["--version"]), programs::bare_cli);
        let per = median(&bare);
        self.row("yardstick: a program with a command line", &bare, per, None);
        self.row("rigs --version", &ours, per, Some(2.0));
    }

    /// Against the `sqlite3` program where there is one, else a row through sqlx.
    fn create(&mut self, home: &Home, at: &str, bar: f64) {
        let db = self.root.join("yard.db");
        Yard::open(&db, 0).close();
        let Some(insert) = programs::sqlite3(&db) else {
            println!("there is no sqlite3: `bead create` is not compared");
            return;
        };
        let create = || home.rigs(&["bead", "create", "one more change"]);
        let before = programs::rows(&db);
        let [ours, bare] = pairs(RUNS, create, insert);
        let inserted = programs::rows(&db) - before;
        assert_eq!(inserted, RUNS + 1, "the yardstick inserts nothing");
        let per = median(&bare);
        self.row("yardstick: sqlite3 inserts a row", &bare, per, None);
        self.row(&format!("rigs bead create {at}"), &ours, per, Some(bar));
    }

    fn shells(&mut self) {
        let db = self.root.join("shells.db");
        Yard::open(&db, 0).close();
        let Some(insert) = programs::sqlite3(&db) else {
            println!("there is no sqlite3: parallel shells are not compared");
            return;
        };
        let home = Home::new(&self.root, "shells");
        let (mut ours, mut bare) = (Vec::new(), Vec::new());
        for _ in 0..5 {
            let (took, failed) = programs::shells(16, 10, || home.rigs(&["bead", "create", "one"]));
            assert_eq!(failed, 0, "a `bead create` failed among 16 shells");
            ours.push(took);
            bare.push(programs::shells(16, 10, &insert).0);
        }
        println!("rows of sqlite3: {} of {}", programs::rows(&db), 5 * 160);
        let per = median(&bare);
        self.row(
            "yardstick: 16 shells x 10 sqlite3 inserts",
            &bare,
            per,
            None,
        );
        self.row("16 shells x 10 bead create", &ours, per, Some(0.5));
        let listed = home
            .rigs(&["bead", "list", "--limit", "1000", "--json"])
            .output()
            .expect("a list");
        let beads = String::from_utf8_lossy(&listed.stdout)
            .matches("\"open_dependencies\"")
            .count();
        assert_eq!(beads, 5 * 160, "beads are missing");
    }

    fn claim(&mut self, homes: &[(u64, Home)]) {
        let mut first = None;
        for (n, home) in homes {
            let mut yard = Yard::open(&self.root.join(format!("yard-{n}.db")), *n);
            let depot = Depot::open(&home.store(), 0, true);
            // By turns, so that both see the same machine.
            let (mut bare, mut ours) = (Vec::new(), Vec::new());
            for _ in 0..10 {
                bare.extend(yard.claims(CLAIMS / 10));
                ours.extend(depot.claims(CLAIMS / 10));
            }
            let per = median(&bare);
            self.row(&format!("yardstick: bare claim at {n}"), &bare, per, None);
            // A quarter of the rate is four times the time.
            self.row(&format!("whole claim at {n}"), &ours, per, Some(4.0));
            let small = *first.get_or_insert(median(&ours));
            self.row(
                &format!("whole claim at {n}, to the first"),
                &ours,
                small,
                Some(1.2),
            );
            depot.close();
        }
    }

    fn head(&mut self) {
        let [free, blocked] = ["free", "blocked"].map(|name| {
            let home = Home::new(&self.root, name);
            let depot = Depot::open(&home.store(), 0, true);
            let _ = depot.fill(2_000);
            if name == "blocked" {
                depot.fill_head(10_000);
            }
            depot
        });
        let (mut without, mut with) = (Vec::new(), Vec::new());
        for _ in 0..10 {
            without.extend(free.claims(CLAIMS / 10));
            with.extend(blocked.claims(CLAIMS / 10));
        }
        let per = median(&without);
        self.row("claim, nothing blocked", &without, per, None);
        self.row("claim behind 10000 blocked beads", &with, per, Some(1.2));
    }

    fn listing(&mut self, homes: &[(u64, Home)]) {
        let (Some((_, small)), Some((n, big))) = (homes.first(), homes.last()) else {
            return;
        };
        let commands: [&[&str]; 4] = [
            &["bead", "list", "--limit", "20"],
            &["bead", "list", "--ready", "--limit", "20"],
            &["status"],
            &["tank", "list"],
        ];
        for args in commands {
            let [at_big, at_small] = pairs(RUNS, || big.rigs(args), || small.rigs(args));
            let what = args.join(" ");
            let per = median(&at_small);
            self.row(&format!("{what} at {}", homes[0].0), &at_small, per, None);
            self.row(&format!("{what} at {n}"), &at_big, per, Some(1.5));
        }
    }

    /// apalis-sqlite does 540 cycles where a bare insert through sqlx is done 4,200 times
    /// (docs/performance.md): twice that is 0.26 of the bare rate.
    fn cycle(&mut self, homes: &[(u64, Home)]) {
        let Some((n, home)) = homes.iter().find(|(n, _)| *n >= 100_000).or(homes.last()) else {
            return;
        };
        let mut yard = Yard::open(&self.root.join("cycle.db"), 0);
        let depot = Depot::open(&home.store(), 0, true);
        let (mut bare, mut ours) = (Vec::new(), Vec::new());
        for _ in 0..10 {
            bare.extend(yard.inserts(CLAIMS / 10));
            ours.extend(depot.cycles(CLAIMS / 10));
        }
        let per = median(&bare);
        self.row("yardstick: one row, one transaction", &bare, per, None);
        let bar = 4_200.0 / (2.0 * 540.0);
        self.row(
            &format!("enqueue, claim, complete at {n}"),
            &ours,
            per,
            Some(bar),
        );
        depot.close();
    }

    fn processes(&mut self, homes: &[(u64, Home)]) {
        let this = std::env::current_exe().expect("this program");
        let mut seen = BTreeSet::new();
        for (n, home) in homes {
            for count in [1_u32, 4, 16] {
                let mut all = Vec::new();
                let running: Vec<_> = (0..count)
                    .map(|who| {
                        Command::new(&this)
                            .arg("--claim")
                            .arg(home.store())
                            .args([who.to_string(), EACH.min(*n as u32 / 32).to_string()])
                            .stdout(Stdio::piped())
                            .spawn()
                            .expect("a process")
                    })
                    .collect();
                for process in running {
                    let done = process.wait_with_output().expect("its end");
                    assert!(done.status.success(), "a process that claims failed");
                    for line in String::from_utf8_lossy(&done.stdout).lines() {
                        let (id, us) = line.split_once(' ').expect("an id and a time");
                        assert!(seen.insert((*n, id.to_owned())), "{id} was claimed twice");
                        all.push(Duration::from_micros(us.parse().expect("a number")));
                    }
                }
                let what = format!("claim by {count} processes at {n}");
                let p99 = quantile(&all, 0.99);
                let word = self.judge(&what, Some((p99 < 250.0, "p99 < 250 ms".to_owned())));
                println!(
                    "{what:<52} {:>9.3} {p99:>9.3} {:>7}  {word}",
                    median(&all),
                    ""
                );
            }
        }
    }

    fn foreman(&mut self, homes: &[(u64, Home)]) {
        for (n, home) in homes {
            let mut foreman = home
                .rigs(&["foreman", "start", "--foreground"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("a foreman");
            // It looks at the queue at its start and whenever the store changes.
            let mut most: f64 = 0.0;
            for round in 0..40 {
                if round % 4 == 0 {
                    programs::time(home.rigs(&["bead", "create", "one more"]));
                }
                std::thread::sleep(Duration::from_millis(250));
                most = most.max(programs::resident_mb(foreman.id()).unwrap_or(0.0));
            }
            programs::time(home.rigs(&["foreman", "stop"]));
            foreman.wait().expect("its end");
            let what = format!("foreman beside {n} beads, most MB of memory");
            let word = self.judge(&what, Some((most <= 60.0, "<= 60".to_owned())));
            println!("{what:<52} {most:>9.1} {:>9} {:>7}  {word}", "", "");
        }
    }
}

/// One of many processes: claims, and prints what it got and how long that took.
fn claim_as_a_process(store: &Path, who: &str, beads: &str) {
    let depot = Depot::open(store, who.parse().expect("a number"), false);
    for (id, took) in depot.claim(beads.parse().expect("a number")) {
        println!("{id} {}", took.as_micros());
    }
    depot.close();
}
