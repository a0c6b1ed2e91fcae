//! A night in which the clock leaps over every wait: many beads in six convoys on three agents that
//! meet walls, crash, hang, spoil the build and write the same file; in the morning a person looks
//! at what is left. `just night BEADS=200`.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::flow::{Flow, LONG, always, write};
use crate::harness::{caller_var, wait_until};

/// Work in a file that only this bead has: its worktree has its name.
fn work() -> Value {
    json!({"shell": "date +%s%N >> \"work-$(basename \"$PWD\").txt\""})
}

fn once(when: &str, steps: &[Value]) -> Value {
    json!({"when": format!("(?m)do {when}$"), "steps": steps})
}

/// What goes wrong at an agent of this shape, and how it works otherwise.
fn runs(shape: &str) -> Vec<Value> {
    let tell = |what: Value| json!({shape: what});
    let start = || tell(json!("start"));
    let done = |steps: Vec<Value>| {
        let end = json!({"done": {"text": "all done", "usage": {"input": 900, "output": 100}}});
        [vec![start()], steps, vec![tell(end)]].concat()
    };
    let wall = |hours: u64| json!({"limit": {"reset_in_s": hours * 3600}});
    let error = json!({"error": {"status": 529, "kind": "overloaded_error", "text": "Overloaded"}});
    vec![
        // Met in the middle of the work: it goes on in its session after the reset.
        once(r"c[135]-\d+", &[start(), work(), tell(wall(3))]),
        once(r"c[246]-\d+", &[start(), tell(wall(2))]),
        once(r"c\d-05", &[start(), work(), json!({"kill": 9})]),
        once(r"c\d-06", &[start(), tell(error)]),
        // Says nothing more, and leaves a child in a session of its own behind.
        once(
            r"c1-07",
            &[start(), json!({"child": {}}), json!("never_end")],
        ),
        // Spoils the build as often as it may.
        json!({"when": r"(?m)do c2-10$", "times": 1, "steps": done(vec![write("broken", "1\n")])}),
        json!({"when": r"(?m)do c\d-08$", "times": 0, "steps": done(vec![write("shared.txt", "eight\n")])}),
        json!({"when": r"(?m)do c\d-09$", "times": 0, "steps": done(vec![write("shared.txt", "nine\n")])}),
        always(&done(vec![work()])),
    ]
}

#[test]
fn a_night_with_everything_that_goes_wrong_ends_with_everything_done_once() {
    let beads: usize = caller_var("NIGHT_BEADS").map_or(20, |beads| {
        let beads = beads.to_str().and_then(|text| text.parse().ok());
        beads.expect("NIGHT_BEADS is a number")
    });
    // Ten beads have everything that goes wrong among them.
    let convoys = (beads / 10).clamp(1, 6);
    let patience = LONG.max(Duration::from_secs(8) * u32::try_from(beads).expect("not so many"));
    let flow = Flow::new(
        "[gate]\ncommands = [[\"sh\", \"-c\", \"! test -e broken\"]]\n\
         [general]\nmax_parallel = 4\n",
    );
    let ahead = flow.env.write("ahead", "0");
    flow.env.var("RIGS_TEST_LEAP", ahead.as_os_str());
    for (name, kind) in [
        ("claude", "claude"),
        ("codex", "codex"),
        ("spare", "claude"),
    ] {
        let settings = "idle_timeout = \"3s\"\nmax_parallel = 2\n";
        let agent = flow.provider_with(name, kind, settings, &runs(kind));
        drop(agent);
    }
    flow.leaping(&ahead);
    let id = |args: &[String]| {
        let run = flow.env.rigs(args).dir(flow.repo.root()).real_time().run();
        run.success().line().to_owned()
    };
    for convoy in 1..=convoys {
        let convoy_id = id(&["convoy", "create", &format!("part {convoy}")].map(String::from));
        let mut first = None;
        for bead in 1..=beads.div_ceil(convoys) {
            let what = format!("do c{convoy}-{bead:02}");
            let mut args = ["bead", "create", &what, "--convoy", &convoy_id]
                .map(String::from)
                .to_vec();
            if let Some(first) = first.as_ref().filter(|_| bead % 3 == 0) {
                args.extend(["--depends-on".to_owned(), String::clone(first)]);
            }
            first.get_or_insert(id(&args));
        }
    }

    let foreman = flow
        .rigs(["foreman", "start", "--foreground"])
        .timeout(patience)
        .start();
    let count = |status: &str| {
        let all = flow.env.query("SELECT status FROM beads");
        all.iter().filter(|s| *s == status).count()
    };
    let all = beads.div_ceil(convoys) * convoys;
    let is_still = || count("completed") + count("failed") + count("blocked") == all;
    // Each time that nothing goes on any more, a person looks at what is left.
    let mut by_hand = 0;
    loop {
        let open = "SELECT title || ' ' || status FROM beads WHERE status <> 'completed'";
        assert!(wait_until(patience, is_still), "{:?}", flow.env.query(open));
        let left = flow.env.query(
            "SELECT id FROM beads
             WHERE status = 'failed' OR status = 'blocked' AND block_cause <> 'dependency'",
        );
        if left.is_empty() {
            break;
        }
        for bead in &left {
            flow.rigs(["bead", "retry"]).args([bead]).run().success();
        }
        by_hand += left.len();
        assert!(by_hand <= all, "{:?}", flow.env.query(open));
    }
    assert_eq!(count("completed"), all);
    foreman.signal(Signal::SIGTERM);
    foreman.wait(LONG).exits(143);

    assert_eq!(flow.env.processes(), []);
    assert_eq!(flow.repo.commit_of("main"), flow.base);
    let none = [
        "SELECT bead_id FROM events WHERE type = 'bead.complete' GROUP BY bead_id HAVING count(*) > 1",
        "SELECT id FROM reservations WHERE outcome IS NULL",
        "SELECT id FROM beads WHERE lease_owner IS NOT NULL",
        "SELECT id FROM attempts WHERE status = 'running'",
        // Nothing was begun at a provider that was known to be closed.
        "SELECT a.id || ' ' || a.started_at || ' ' || e.at || ' ' || e.payload FROM attempts a JOIN events e
         ON e.type = 'window.closed' AND e.provider = a.provider
             AND a.started_at > e.at AND a.started_at < e.payload ->> 'until'",
    ];
    for query in none {
        assert_eq!(flow.env.query(query), [""; 0], "{query}");
    }
    // Each wait says why.
    let deferred = flow.env.query(
        "SELECT bead_id || '|' || coalesce(payload ->> '$.waits_for.reason', '') FROM events
         WHERE type = 'bead.defer'",
    );
    for line in &deferred {
        let (bead, reason) = line.split_once('|').expect("two columns");
        let why = flow.rigs(["why", bead]).run().success();
        let words: Vec<&str> = reason.split_whitespace().take(4).collect();
        assert!(!words.is_empty(), "{line}");
        assert!(why.stdout.contains(&words.join(" ")), "{line}\n{why}");
    }
    let hours = std::fs::read_to_string(&ahead).expect("how far it is ahead");
    let hours = hours.parse::<f64>().expect("milliseconds") / 3_600_000.0;
    let ends = "SELECT provider || ' ' || status || ' ' || count(*) FROM attempts GROUP BY provider, status";
    let ends = flow.env.query(ends).join(", ");
    assert!(hours >= 2.0, "{hours} hours were leapt over: {ends}");
    assert!(!deferred.is_empty());
    println!(
        "night: beads={all} completed={} deferred={} by_hand={} hours={hours:.1} lost=0 twice=0 orphans=0 leaked=0",
        count("completed"),
        deferred.len(),
        by_hand,
    );
}
