//! `rigs goal`: from a goal to checked, merged work, with fake agents.

use serde_json::json;

use crate::flow::{Flow, always, bead, claude, on, statuses_of, write};

#[test]
fn dependent_beads_run_in_order_and_see_the_work_before_them() {
    let flow = Flow::new("[gate]\ncommands = []");
    let see = |path: &str| json!({"shell": format!("test -f {path}")});
    flow.provider(
        "fake",
        "command",
        &[
            on(
                "one",
                &[write("one.txt", "1\n"), json!({"print": "made one"})],
            ),
            on(
                "two",
                &[
                    see("one.txt"),
                    json!({"need_prompt": "made one"}),
                    write("two.txt", "2\n"),
                    json!({"print": "made two"}),
                ],
            ),
            on(
                "three",
                &[
                    see("one.txt"),
                    see("two.txt"),
                    write("three.txt", "3\n"),
                    json!({"print": "made three"}),
                ],
            ),
        ],
    );
    let beads = [
        bead("one", &[]),
        bead("two", &["one"]),
        bead("three", &["two"]),
    ];
    let output = flow.execute(&beads).run().success();
    flow.is_done(3);
    for (path, text) in [("one.txt", "1"), ("two.txt", "2"), ("three.txt", "3")] {
        assert_eq!(flow.repo.show(&flow.branch(), path), text);
    }
    insta::assert_snapshot!(without_times(&output), @r"
    cv-00001  done
    BEAD      STATUS     ON     TOKENS  TITLE
    gt-00002  completed  fake  255,211  Bead one
    gt-00003  completed  fake  255,211  Bead two
    gt-00004  completed  fake  255,211  Bead three

    tokens       765,633 used, 330,006 estimated
    time         [duration]
    planned by   person
    branch       rigs/cv-00001 (your branch main is as it was)
    next  git diff main...rigs/cv-00001
          rigs convoy land cv-00001
    ------- stderr -------
    the whole goal

    #      TYPE            AFTER    TOKENS  ON    TITLE
    one    implementation         ~110,002  fake  Bead one
    two    implementation  one    ~110,002  fake  Bead two
    three  implementation  two    ~110,002  fake  Bead three

    3 beads, about 330,006 tokens, seldom more than 1,709,568; planned by person
    from branch main; no test command was found: name one with --gate
    cv-00001: working on it (`rigs convoy show cv-00001` from elsewhere)
    hh:mm  gt-00002  runs on fake
    hh:mm  gt-00002  passed the gate
    hh:mm  gt-00002  done
    hh:mm  gt-00003  runs on fake
    hh:mm  gt-00003  passed the gate
    hh:mm  gt-00003  done
    hh:mm  gt-00004  runs on fake
    hh:mm  gt-00004  passed the gate
    hh:mm  gt-00004  done
    [exit status: 0]
    ");
}

#[test]
fn beads_of_equal_priority_are_taken_in_the_order_of_the_plan() {
    let flow = Flow::new("[gate]\ncommands = []");
    let work = [
        json!({"shell": "date +%N > $(basename $PWD).txt"}),
        json!({"print": "done"}),
    ];
    let fake = flow.provider_with("fake", "command", "max_parallel = 1", &[always(&work)]);
    let keys = ["five", "two", "eight", "one", "seven"];
    flow.execute(&keys.map(|key| bead(key, &[])))
        .run()
        .success();
    flow.is_done(5);
    let told: Vec<String> = fake
        .calls()
        .iter()
        .map(|call| call["prompt"].to_string())
        .collect();
    let expected = keys.map(|key| format!("do {key}\\n"));
    for (prompt, expected) in told.iter().zip(expected) {
        assert!(prompt.contains(&expected), "not `{expected}`: {prompt}");
    }
}

#[test]
fn json_gives_one_document_with_the_whole_account() {
    let flow = Flow::new("[gate]\ncommands = []");
    let used = json!({"claude": {"done": {"text": "ok", "usage": {"input": 700, "output": 50, "cache_read": 9000, "cache_write": 250}, "cost_usd": 0.25}}});
    flow.provider(
        "claude",
        "claude",
        &[always(&[
            json!({"claude": "start"}),
            write("a.txt", "a\n"),
            used,
        ])],
    );
    let output = flow
        .execute(&[bead("one", &[])])
        .args(["--json"])
        .run()
        .success();
    flow.is_done(1);
    let summary = output.json();
    assert_eq!(summary["status"], "completed");
    assert_eq!(summary["tokens_used"], 1000);
    assert_eq!(summary["usage"]["cache_read"], 9000);
    assert_eq!(summary["cost_micro_usd"], 250_000);
    assert_eq!(summary["branch"], flow.branch());
    assert_eq!(summary["planned_by"], "person");
    assert_eq!(statuses_of(&output), ["completed"]);
    let land = format!("rigs convoy land {}", flow.convoy());
    assert!(summary["next"].as_array().unwrap().contains(&json!(land)));
}

#[test]
fn a_text_goal_needs_no_repository_and_prints_its_answer() {
    let flow = Flow::new("");
    flow.provider(
        "fake",
        "command",
        &[always(&[json!({"print": "a haiku\nof three\nlines"})])],
    );
    let home = flow.env.home();
    let run = |args: [&str; 4]| flow.goal(args).dir(&home).run().success();
    let output = run(["execute", "write a haiku about queues", "--no-repo", "-y"]);
    assert!(
        output.stdout.starts_with("a haiku\nof three\nlines\n"),
        "{output}"
    );
    assert_eq!(flow.statuses(), ["completed"]);
    let answer = flow
        .env
        .rigs_home()
        .join("outputs")
        .join(flow.env.query("SELECT id FROM beads")[0].as_str());
    assert_eq!(
        std::fs::read_to_string(answer.join("answer.md"))
            .unwrap()
            .trim(),
        "a haiku\nof three\nlines"
    );
    flow.leaves_nothing();
}

#[test]
fn a_refused_attempt_comes_back_with_feedback_and_passes_then() {
    let flow = Flow::new("");
    flow.repo.failing_script();
    let base = flow.repo.commit_of("HEAD");
    let fake = flow.provider(
        "claude",
        "claude",
        &[
            json!({"steps": claude(&[write("answer.txt", "43\n")])}),
            // The session of the first attempt is gone on with, and is told what was wrong.
            json!({"steps": claude(&[
                json!({"need_arg": "--resume"}),
                json!({"need_prompt": "not accepted yet"}),
                json!({"shell": "test \"$(cat answer.txt)\" = 43"}),
                write("answer.txt", "42\n"),
            ])}),
        ],
    );
    let output = flow
        .goal(["execute", "make the failing test pass", "-y"])
        .run()
        .success();
    assert_eq!(flow.repo.show(&flow.branch(), "answer.txt"), "42");
    assert_eq!(flow.repo.commit_of("main"), base);
    assert!(output.stderr.contains("goes back: "), "{output}");
    assert_eq!(fake.calls().len(), 2);
    assert_eq!(flow.events("bead.complete"), flow.statuses().len());
}

#[test]
fn three_refusals_block_the_bead_for_a_person_and_what_waits_for_it() {
    let flow = Flow::new("");
    flow.repo.failing_script();
    let fake = flow.provider(
        "fake",
        "command",
        &[always(&[
            write("answer.txt", "43\n"),
            json!({"print": "done"}),
        ])],
    );
    let beads = [bead("one", &[]), bead("two", &["one"])];
    let output = flow.execute(&beads).run().exits(1);
    assert_eq!(flow.statuses(), ["blocked", "blocked"]);
    assert_eq!(fake.calls().len(), 3);
    let one = flow.bead_id("one");
    for next in [
        format!("rigs why {one}"),
        format!("rigs bead logs {one}"),
        format!("`rigs bead approve {one} --answer"),
    ] {
        assert!(output.stdout.contains(&next), "no `{next}`:\n{output}");
    }
    assert!(
        output.stdout.contains("test.sh"),
        "the reason is not shown:\n{output}"
    );
    // The work of each attempt is kept.
    for n in 1..=3 {
        let kept = format!("refs/rigs/attempts/{one}/{n}");
        assert_eq!(flow.repo.show(&kept, "answer.txt"), "43");
    }
    assert_eq!(flow.repo.read("answer.txt"), "41\n");
}

#[test]
fn land_brings_the_work_to_the_base_and_a_given_gate_is_run() {
    let flow = Flow::new("");
    flow.provider(
        "fake",
        "command",
        &[always(&[write("a.txt", "a\n"), json!({"print": "done"})])],
    );
    let output = flow
        .execute(&[bead("one", &[])])
        .args([
            "--land",
            "--gate",
            "test -f a.txt",
            "--gate",
            "sh -c 'echo x >> /dev/null'",
        ])
        .run()
        .success();
    assert_eq!(flow.repo.read("a.txt"), "a\n");
    assert_eq!(flow.repo.git(["status", "--porcelain"]), "");
    assert!(flow.repo.git(["log", "--oneline", "main"]).lines().count() > 1);
    assert!(output.stdout.contains("landed as"), "{output}");
    assert!(!output.stdout.contains("rigs convoy land"), "{output}");
}

#[test]
fn landing_on_a_dirty_checkout_is_refused_and_can_be_done_later() {
    let flow = Flow::new("[gate]\ncommands = []");
    flow.provider(
        "fake",
        "command",
        &[always(&[
            write("README.md", "# done\n"),
            json!({"print": "done"}),
        ])],
    );
    flow.repo.file("README.md", "# mine, not committed\n");
    let output = flow
        .execute(&[bead("one", &[])])
        .args(["--land"])
        .run()
        .exits(4);
    assert!(
        output.stderr.contains("has changes of its own: README.md"),
        "{output}"
    );
    assert!(
        output
            .stderr
            .contains("your uncommitted changes are not part of this"),
        "{output}"
    );
    assert_eq!(flow.repo.read("README.md"), "# mine, not committed\n");
    assert_eq!(flow.repo.commit_of("main"), flow.base);
    assert_eq!(flow.statuses(), ["completed"]);
    flow.repo.git(["checkout", "--quiet", "--", "README.md"]);
    flow.rigs(["convoy", "land"])
        .args([flow.convoy()])
        .run()
        .success();
    assert_eq!(flow.repo.read("README.md"), "# done\n");
}

#[test]
fn a_saved_plan_is_executed_as_it_stands() {
    let flow = Flow::new("[gate]\ncommands = []");
    flow.provider(
        "fake",
        "command",
        &[always(&[
            json!({"shell": "date +%N > made.txt"}),
            json!({"print": "done"}),
        ])],
    );
    let file = flow.env.root().join("saved.json");
    flow.goal(["plan", "add a file made.txt", "--save"])
        .args([&file])
        .run()
        .success();
    assert_eq!(flow.env.query("SELECT id FROM beads"), Vec::<String>::new());
    let saved: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    flow.goal(["execute", "-y", "--plan"])
        .args([&file])
        .run()
        .success();
    let titles = flow.env.query("SELECT title FROM beads ORDER BY rowid");
    let planned = saved["beads"].as_array().unwrap();
    let planned: Vec<&str> = planned
        .iter()
        .map(|b| b["title"].as_str().unwrap())
        .collect();
    assert_eq!(titles, planned);
}

/// The clock of a progress line is the real one.
fn without_times(output: &crate::harness::Output) -> String {
    let time = regex::Regex::new(r"(?m)^\d\d:\d\d  ").expect("a constant pattern");
    time.replace_all(&output.to_string(), "hh:mm  ")
        .into_owned()
}
