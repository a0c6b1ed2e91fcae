//! Beads and convoys from the command line.

use crate::harness::TestEnv;

/// A bead by this description; its id.
pub(crate) fn bead(env: &TestEnv, args: &[&str]) -> String {
    let mut all = vec!["bead", "create", "--no-repo"];
    all.extend(args);
    env.rigs(all).run().success().line().to_owned()
}

#[test]
fn create_prints_the_id_alone() {
    let env = TestEnv::new();
    let output = env
        .rigs(["bead", "create", "test the parser", "-t", "test"])
        .run()
        .success();
    insta::assert_snapshot!(output, @r"
    gt-00001
    [exit status: 0]
    ");
    let id = output.line().to_owned();
    insta::assert_snapshot!(env.rigs(["bead", "show", &id]).run(), @"
    gt-00001  test the parser

    status      pending
    type        test, medium, normal priority
    permission  edit
    created     [duration] ago (00:00)
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.rigs(["bead", "show", &id, "--json"]).run(), @r#"
    {
      "id": "gt-00001",
      "title": "test the parser",
      "description": "test the parser",
      "task_type": "test",
      "priority": "normal",
      "status": "pending",
      "complexity": "medium",
      "permission": "edit",
      "estimated_tokens": null,
      "estimate": null,
      "actual_tokens": null,
      "usage": {
        "input": 0,
        "output": 0,
        "cache_read": 0,
        "cache_write": 0,
        "requests": 0,
        "cost_micro_usd": 0
      },
      "preferred_provider": null,
      "preferred_model": null,
      "assigned_provider": null,
      "acceptance_criteria": [],
      "dependencies": [],
      "open_dependencies": 0,
      "convoy_id": null,
      "files": [],
      "labels": [],
      "metadata": {},
      "created_at": "[time]",
      "started_at": null,
      "completed_at": null,
      "updated_at": "[time]",
      "not_before": null,
      "deadline": null,
      "deferred_until": null,
      "deferral": null,
      "blocked": null,
      "attempt": 0,
      "failures": 0,
      "feedback": null,
      "optimized_prompt": null,
      "output": null,
      "error": null,
      "attempts": []
    }
    [exit status: 0]
    "#);
}

#[test]
fn everything_about_a_bead_can_be_given() {
    let env = TestEnv::new();
    let first = bead(&env, &["first"]);
    let second = bead(
        &env,
        &[
            "second thing\nwith details",
            "-t",
            "refactor",
            "-p",
            "critical",
            "--title",
            "Second",
            "--depends-on",
            &first,
            "--criterion",
            "tests pass",
            "--criterion",
            r#"{"kind":"file","path":"a.md"}"#,
            "--estimate",
            "5000",
            "--permission",
            "read",
            "--not-before",
            "2h",
            "--deadline",
            "2026-01-03T00:00:00Z",
            "--label",
            "x",
            "--label",
            "y",
        ],
    );
    insta::assert_snapshot!(env.rigs(["bead", "show", &second]).run(), @r"
    gt-00002  Second

    status      pending
    type        refactor, medium, critical priority
    permission  read
    depends on  gt-00001
    estimate    5,000 tokens (6,713 with reserve), given
    labels      x, y
    created     [duration] ago (00:00)
    not before  in 1h 59m (02:00)
    deadline    in 1d 23h (2026-01-03 00:00)

    Description
      second thing
      with details

    Acceptance criteria
      - tests pass
      - a.md exists
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.rigs(["bead", "list"]).run(), @r"
    ID        STATUS   TYPE            PRIO      TOKENS  TITLE
    gt-00002  pending  refactor        critical  ~5,000  Second
    gt-00001  pending  implementation  normal            first
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.rigs(["bead", "list", "--ready"]).run(), @r"
    ------- stderr -------
    No bead is like that.
    [exit status: 0]
    ");
}

#[test]
fn descriptions_come_from_stdin_and_may_look_like_flags() {
    let env = TestEnv::new();
    let output = env
        .rigs(["bead", "create", "-"])
        .stdin("from stdin\nsecond line\n")
        .run()
        .success();
    let shown = env
        .rigs(["--json", "bead", "show", output.line()])
        .run()
        .success()
        .json();
    assert_eq!(
        (&shown["title"], &shown["description"]),
        (&"from stdin".into(), &"from stdin\nsecond line".into())
    );
    let id = bead(&env, &["--", "--json \"quoted\" 'and' $HOME"]);
    let shown = env
        .rigs(["--json", "bead", "show", &id])
        .run()
        .success()
        .json();
    assert_eq!(shown["description"], "--json \"quoted\" 'and' $HOME");
    let id = bead(&env, &["\u{1b}]0;owned\u{7}red \u{1b}[31malert"]);
    let shown = env
        .rigs(["--json", "bead", "show", &id])
        .run()
        .success()
        .json();
    assert_eq!(shown["description"], "red alert");
}

#[test]
fn descriptions_that_are_no_work_are_refused() {
    let env = TestEnv::new();
    insta::assert_snapshot!(env.rigs(["bead", "create", ""]).run(), @r"
    ------- stderr -------
    error: the description is empty
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.rigs(["--json", "bead", "create", " \n"]).run(), @r#"
    ------- stderr -------
    {"error":{"kind":"usage","message":"the description is empty","causes":[],"hints":[]}}
    [exit status: 2]
    "#);
    insta::assert_snapshot!(env.rigs(["bead", "create", "-"]).run(), @r"
    ------- stderr -------
    error: the description is empty
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.rigs(["bead", "create", "-"]).stdin("x".repeat(1 << 21)).run(), @r"
    ------- stderr -------
    error: the description is longer than 1 MiB
      hint: put the details into a file of the repository and name the file
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.rigs(["bead", "create", "-"]).stdin(vec![0xff, 0xfe, 0x00]).run(), @r"
    ------- stderr -------
    error: the description from stdin is not UTF-8 text
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.rigs(["bead", "create", "x", "--criterion", "{\"kind\":\"vibes\"}"]).run(), @r"
    ------- stderr -------
    error: the criterion is not understood: unknown kind of criterion `vibes` (one of: text, command, file, regex, gate)
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.rigs(["bead", "create", "x", "--not-before", "soon"]).run(), @r"
    ------- stderr -------
    error: invalid value 'soon' for '--not-before <TIME>': `soon` is neither a span such as 90m nor a time such as [time]

    For more information, try '--help'.
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.rigs(["bead", "create", "x", "--provider", "cluade"]).run(), @r"
    ------- stderr -------
    error: no provider `cluade`
      hint: `rigs provider list` shows them
    [exit status: 3]
    ");
    assert_eq!(
        env.rigs(["--json", "bead", "list"]).run().success().json(),
        serde_json::json!([])
    );
}

#[test]
fn ids_may_be_shortened_while_they_are_unique() {
    let env = TestEnv::new();
    let id = bead(&env, &["only one"]);
    for typed in [&id[..5], &id[3..6], &id.to_uppercase()] {
        let shown = env
            .rigs(["--json", "bead", "show", typed])
            .run()
            .success()
            .json();
        assert_eq!(shown["id"], id, "{typed}");
    }
    insta::assert_snapshot!(env.rigs(["bead", "show", "zz zz"]).run(), @r"
    ------- stderr -------
    error: no bead `zz zz`
      hint: `rigs bead list` shows the ids
    [exit status: 3]
    ");
    insta::assert_snapshot!(env.rigs(["--json", "why", "cv-a1b2c"]).run(), @r#"
    ------- stderr -------
    {"error":{"kind":"not_found","message":"no bead `cv-a1b2c`","causes":[],"hints":["`rigs bead list` shows the ids"]}}
    [exit status: 3]
    "#);
}

#[test]
fn a_cancelled_bead_blocks_what_waits_for_it_and_why_says_so() {
    let env = TestEnv::new();
    let first = bead(&env, &["first"]);
    let second = bead(&env, &["second", "--depends-on", &first]);
    insta::assert_snapshot!(env.rigs(["bead", "cancel", &first, "--reason", "not needed"]).run(), @r"
    ------- stderr -------
    Cancelled gt-00001 (it was pending)
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.rigs(["bead", "cancel", &first]).run(), @r"
    ------- stderr -------
    error: gt-00001 is cancelled already
    [exit status: 4]
    ");
    insta::assert_snapshot!(env.rigs(["why", &second]).run(), @r"
    gt-00002  second
    blocked: its dependency gt-00001 is cancelled

    00:00  bead.created  by user
        depends_on: gt-00001
        task_type: implementation
        title: second
    00:00  bead.block  pending -> blocked  by user
        cause: dependency
        reason: its dependency gt-00001 is cancelled
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.rigs(["bead", "list", "--status", "blocked"]).run(), @r"
    ID        STATUS   TYPE            PRIO    TITLE
    gt-00002  blocked  implementation  normal  second
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.rigs(["bead", "logs", &second]).run(), @r"
    ------- stderr -------
    error: gt-00002 was never started, so it has no log
      hint: `rigs why gt-00002` says what it waits for
    [exit status: 4]
    ");
}

#[test]
fn a_convoy_gathers_beads() {
    let env = TestEnv::new();
    let first = bead(&env, &["first"]);
    let second = bead(&env, &["second", "--depends-on", &first]);
    let convoy = env
        .rigs(["convoy", "create", "spring", &first, "--no-repo"])
        .run()
        .success();
    let id = convoy.line().to_owned();
    insta::assert_snapshot!(env.rigs(["convoy", "add", &id, &second]).run(), @r"
    ------- stderr -------
    Put 1 bead into cv-00003
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.rigs(["convoy", "show", &id]).run(), @r"
    cv-00003  spring

    status      queued
    done        [--------] 0/2  2 waiting
    created     [duration] ago (00:00)

    BEAD      STATUS   AFTER     TITLE
    gt-00001  pending            first
    gt-00002  pending  gt-00001  second
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.rigs(["convoy", "list"]).run(), @r"
    ID        STATUS  DONE            LEFT       CREATED  NAME
    cv-00003  queued  [--------] 0/2  2 waiting  [duration] ago  spring
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.rigs(["convoy", "pause", &id]).run(), @r"
    ------- stderr -------
    Paused cv-00003
    [exit status: 0]
    ");
    let shown = env
        .rigs(["--json", "convoy", "resume", &id])
        .run()
        .success()
        .json();
    assert_eq!(shown["status"], "in_progress");
    insta::assert_snapshot!(env.rigs(["convoy", "cancel", &id]).run(), @r"
    ------- stderr -------
    Cancelled 2 beads of cv-00003
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.rigs(["convoy", "pause", &id]).run(), @r"
    ------- stderr -------
    error: the convoy cv-00003 is cancelled
      hint: create a new convoy with `rigs convoy create`
    [exit status: 4]
    ");
}

#[test]
fn a_bead_joins_the_convoy_of_what_it_depends_on() {
    let env = TestEnv::new();
    let repo = env.repo("r");
    repo.file("a.txt", "a");
    repo.commit("first");
    let create = |args: &[&str]| {
        let mut all = vec!["bead", "create"];
        all.extend(args);
        env.rigs(all)
            .dir(repo.root())
            .run()
            .success()
            .line()
            .to_owned()
    };
    let first = create(&["first"]);
    let second = create(&["second", "--depends-on", &first]);
    let third = create(&["third"]);
    let convoy = |id: &str| {
        let shown = env
            .rigs(["bead", "show", id, "--json"])
            .run()
            .success()
            .json();
        shown["convoy_id"].as_str().unwrap().to_owned()
    };
    assert_eq!(convoy(&first), convoy(&second));
    assert_ne!(convoy(&first), convoy(&third));
}
