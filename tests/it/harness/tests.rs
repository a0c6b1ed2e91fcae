//! The stage itself is tested with `sh` in the place of `rigs`.

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::{Run, TestEnv};

fn sh<'a>(env: &'a TestEnv, script: &str) -> Run<'a> {
    env.program_run(Path::new("/bin/sh"), ["-c", script])
}

#[test]
fn output_is_shown_normalised() {
    let env = TestEnv::new();
    let output = sh(
        &env,
        "echo gt-zz9xy cv-123 gt-zz9xy of gt-a1b2c in $HOME;
         echo at 2026-11-20T07:38:00.123Z in 2m 3s, 12ms or 1.5 s, every 5h, pid 77;
         echo 3f786850e387550fdab836ed7e6dc881de23001b 3f78685 1234567 deadbee;
         printf no-end >&2; exit 3",
    )
    .run();
    insta::assert_snapshot!(output, @"
    gt-00001 cv-002 gt-00001 of gt-a1b2c in $ROOT/home
    at [time] in [duration], [duration] or [duration], every 5h, pid [pid]
    [commit] [commit] 1234567 deadbee
    ------- stderr -------
    no-end[no newline]
    [exit status: 3]
    ");
    assert_eq!(output.code, 3);
}

#[test]
fn a_command_sees_only_its_own_surroundings() {
    let env = TestEnv::new();
    env.var("GIVEN", "yes");
    let names = sh(
        &env,
        "env | cut -d= -f1 | grep -v -e ^_$ -e ^PWD$ -e ^SHLVL$ | sort",
    )
    .run();
    insta::assert_snapshot!(names, @"
    GIVEN
    HOME
    PATH
    RIGS_HOME
    RIGS_TEST_ENV
    RIGS_TEST_SEED
    RIGS_TEST_TIME
    TZ
    [exit status: 0]
    ");
    let seen = sh(&env, "echo $RIGS_TEST_SEED $RIGS_TEST_TIME $MORE; pwd")
        .var("MORE", "more")
        .run();
    assert_eq!(
        seen.stdout,
        format!(
            "2 2026-01-01T00:00:07.000Z more\n{}\n",
            env.root().display()
        )
    );
    assert_eq!(seen.stderr, "");
    assert!(seen.duration < Duration::from_mins(1));
    let real = sh(&env, "echo ${RIGS_TEST_TIME-none}")
        .real_time()
        .run()
        .success();
    assert_eq!(real.line(), "none");
}

#[test]
fn only_the_named_programs_are_in_the_path() {
    let env = TestEnv::new();
    env.program("claude", "echo a fake; cat");
    env.only_programs(&["cat"]);
    let output = sh(&env, "claude; command -v git || echo no git")
        .stdin("and its input\n")
        .run();
    insta::assert_snapshot!(output, @"
    a fake
    and its input
    no git
    [exit status: 0]
    ");
}

#[test]
fn a_repository_has_a_history_and_a_failing_test() {
    let env = TestEnv::new();
    let repo = env.repo("project");
    let first = repo.commit_of("HEAD");
    let second = repo.failing_script();
    assert_ne!(first, second);
    assert_eq!(repo.branches(), ["main"]);
    assert_eq!(repo.show("main", "answer.txt"), "41");
    assert_eq!(repo.read("answer.txt"), "41\n");
    assert_eq!(sh(&env, "sh test.sh").dir(repo.root()).run().code, 1);
    assert!(env.empty_repo("unborn").branches().is_empty());
}

#[test]
fn the_failing_crate_fails_and_its_mend_passes() {
    let env = TestEnv::new();
    env.with_cargo();
    let repo = env.repo("sums");
    repo.failing_crate();
    let test = || {
        let run = sh(&env, "cargo test --quiet --offline 2>&1").dir(repo.root());
        run.timeout(Duration::from_mins(5)).run().code
    };
    assert_eq!(test(), 101);
    repo.file(
        "src/lib.rs",
        "pub fn add(a: i32, b: i32) -> i32 {\n    a + b\n}\n",
    );
    assert_eq!(test(), 0);
}

#[test]
fn a_running_command_is_watched_and_signalled() {
    let env = TestEnv::new();
    let mut running = sh(
        &env,
        "trap 'echo told >&2; exit 9' TERM; echo up; while :; do :; done",
    )
    .start();
    running.wait_for("up", Duration::from_secs(10));
    assert!(env.processes().iter().any(|p| p.pid == running.pid()));
    running.signal(Signal::SIGTERM);
    let output = running.wait(Duration::from_secs(10));
    insta::assert_snapshot!(output, @"
    up
    ------- stderr -------
    told
    [exit status: 9]
    ");
    let killed = sh(&env, "kill -9 $$").run();
    assert_eq!(killed.code, 137);
}

#[test]
fn json_is_read_from_stdout() {
    let env = TestEnv::new();
    let output = sh(&env, r#"echo '{"a":1}'"#).run();
    assert_eq!(output.json(), serde_json::json!({"a": 1}));
    assert_eq!(output.json_lines(), [serde_json::json!({"a": 1})]);
}

#[test]
#[should_panic(expected = "processes left behind")]
fn a_process_that_is_left_behind_fails_the_test() {
    let env = TestEnv::new();
    // As a run of rigs would leave it: in a session of its own, without the marker, HOME kept.
    let output = sh(
        &env,
        "env -u RIGS_TEST_ENV setsid sleep 30 >/dev/null 2>&1 &",
    )
    .run();
    assert_eq!(output.code, 0);
}

#[test]
#[should_panic(expected = "still running after")]
fn a_command_that_does_not_end_fails_the_test() {
    let env = TestEnv::new();
    let output = sh(&env, "sleep 30")
        .timeout(Duration::from_millis(50))
        .run();
    assert_eq!(output.code, 0);
}

/// A store as a killed rigs leaves it: made by rigs, then a lease and a reservation taken.
fn broken_off(env: &TestEnv) {
    use sqlx::{ConnectOptions, Connection};
    let create = ["bead", "create", "--no-repo", "work"];
    env.rigs(create).run().success();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(env.store());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut connection = options.connect().await.unwrap();
        let taken = "UPDATE beads SET id = 'gt-zz9xy', lease_owner = '1.2.t';
            INSERT INTO reservations (id, attempt_id, bead_id, provider, owner, tokens, requests,
                cost_micro_usd, created_at, expires_at, settled_at)
            VALUES ('r1', 'a1', 'gt-zz9xy', 'claude', 'o', 1, 1, 0, 'now', 'then', NULL),
                ('r2', 'a2', 'gt-zz9xy', 'claude', 'o', 1, 1, 0, 'now', 'then', 'then');";
        sqlx::raw_sql(taken).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
}

#[test]
#[should_panic(expected = "lease gt-zz9xy by 1.2.t\nreservation r1 on claude")]
fn a_lease_that_is_left_behind_fails_the_test() {
    let env = TestEnv::new();
    broken_off(&env);
}

#[test]
fn a_test_may_say_that_it_leaves_the_store_open() {
    let env = TestEnv::new();
    broken_off(&env);
    env.leaves_the_store_open();
    assert_eq!(env.held().len(), 2);
}

#[test]
fn a_store_that_is_none_holds_nothing() {
    let env = TestEnv::new();
    env.write(
        "rigs/rigs.db",
        "this is no database, and long enough to be looked at. ".repeat(99),
    );
    assert_eq!(env.held(), Vec::<String>::new());
}

#[test]
fn rigs_itself_is_found() {
    let env = TestEnv::new();
    env.config("");
    let output = env.rigs(["--version"]).run();
    assert_eq!(output.code, 0, "{output}");
    assert!(env.processes().is_empty());
}
