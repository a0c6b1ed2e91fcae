//! The command line itself: help, usage errors, formats, exit codes, output that nobody reads.

use crate::harness::TestEnv;

#[test]
fn help_shows_the_commands_and_the_exit_codes() {
    let env = TestEnv::new();
    insta::assert_snapshot!(env.rigs(["-h"]).run().success(), @r#"
    Run coding work across every AI subscription, API key and local model you have, without running into
    their rate limits

    Usage: rigs [OPTIONS] <COMMAND>

    Commands:
      init         Set up the home folder: store, commented configuration, detected providers
      goal         Plan a goal, run it, go on with it
      bead         Create, list and look at beads, the single units of work
      convoy       Manage convoys: beads with one goal and one integration branch
      tank         Look at tanks, the capacity of each provider, and correct them
      provider     List, add, remove, find and test providers, the ways to run a bead
      model        Manage the models that rigs runs in its own process
      foreman      Run the loop that plans, dispatches, watches and merges
      policy       Check the rules about who may run what, and see what they say
      trust        Let the `.rigs.toml` of a repository count, after you looked at it
      stop         Stop everything now: running agents are ended, nothing is started until `rigs thaw`
      thaw         Let beads start again after `rigs stop --all`
      notify       Try out who is told when something needs you
      status       Show the overview: tanks, queue, runs, today's tokens and cost, what happens next
      why          Say why a bead is where it is: every decision about it, with its inputs
      dispatch     Show the plan of the queue, or why a bead goes where it goes
      simulate     Play the queue through: when what is done, and what is waited for
      events       Print what happened, oldest first
      cost         Show what was used and what it cost
      assayer      See how good estimates are
      config       Show and check the settings
      db           Check the store, copy it, or archive what is long over
      doctor       Look for whatever could keep rigs from working, and put right what can be
      schema       Print the JSON Schema of an answer
      completions  Print the completions of a shell

    Options:
      -h, --help     Print help (see more with '--help')
      -V, --version  Print version

    Global options:
      -c, --config <FILE>  Read settings from FILE instead of config.toml in the home folder
          --home <DIR>     Keep everything in DIR instead of $RIGS_HOME or ~/.rigs
      -v, --verbose...     Log more to stderr; repeat for details
      -q, --quiet          Say nothing but the answer and errors
          --json           Answer in JSON
          --color <WHEN>   When to use colours [default: auto] [possible values: auto, always, never]

    Examples:
      rigs goal execute "add a --version flag"    plan it, run it, check it, merge it
      id=$(rigs bead create "test the parser" -t test)
      rigs tank list                               what capacity is left
      rigs why $id                                 every decision about a bead

    Exit codes:
      0 done   1 failed   2 usage   3 not found   4 not possible now   5 configuration
      6 store   7 no provider   75 waiting for capacity   130, 143 interrupted
    [exit status: 0]
    "#);
}

#[test]
fn every_command_has_help_with_examples() {
    let env = TestEnv::new();
    for path in leaves(&env, &[]) {
        let mut args = path.clone();
        args.push("--help".into());
        let help = env.rigs(args).run().success().stdout;
        assert!(help.contains("Examples:\n  "), "{path:?} has no examples");
        let first = help.lines().next().unwrap_or_default();
        assert!(!first.ends_with('.'), "{path:?}: {first}");
    }
}

/// The command at `path`, when it is one, and all below it.
pub(crate) fn leaves(env: &TestEnv, path: &[String]) -> Vec<Vec<String>> {
    let mut args = path.to_vec();
    args.push("-h".into());
    let help = env.rigs(args).run().success().stdout;
    let Some((_, list)) = help.split_once("\nCommands:\n") else {
        return vec![path.to_vec()];
    };
    let names = list.lines().take_while(|line| !line.is_empty());
    let mut all = Vec::new();
    if path.is_empty() {
        all.push(Vec::new());
    }
    for name in names.filter_map(|line| line.split_whitespace().next()) {
        let mut path = path.to_vec();
        path.push(name.to_owned());
        all.extend(leaves(env, &path));
    }
    all
}

#[test]
fn a_slip_gets_a_suggestion_in_both_formats() {
    let env = TestEnv::new();
    insta::assert_snapshot!(env.rigs(["baed", "list"]).run(), @r"
    ------- stderr -------
    error: unrecognized subcommand 'baed'

      tip: a similar subcommand exists: 'bead'

    Usage: rigs [OPTIONS] <COMMAND>

    For more information, try '--help'.
    [exit status: 2]
    ");
    insta::assert_snapshot!(env.rigs(["--json", "bead", "lst"]).run(), @r#"
    ------- stderr -------
    {"error":{"kind":"usage","message":"unrecognized subcommand 'lst'","causes":[],"hints":["did you mean `list`?","`rigs --help` shows the commands, `rigs COMMAND --help` one of them"]}}
    [exit status: 2]
    "#);
    insta::assert_snapshot!(env.rigs(["--json", "bead", "list", "--status", "qeued"]).run(), @r#"
    ------- stderr -------
    {"error":{"kind":"usage","message":"invalid value 'qeued' for '--status <S>' [possible values: pending, optimizing, queued, assigned, in_progress, reviewing, merging, completed, deferred, blocked, failed, cancelled]","causes":[],"hints":["did you mean `queued`?","`rigs --help` shows the commands, `rigs COMMAND --help` one of them"]}}
    [exit status: 2]
    "#);
    insta::assert_snapshot!(env.rigs(["--json"]).run(), @r#"
    ------- stderr -------
    {"error":{"kind":"usage","message":"'rigs' requires a subcommand but one was not provided [subcommands: init, goal, bead, convoy, tank, provider, model, foreman, policy, trust, stop, thaw, notify, status, why, dispatch, simulate, events, cost, assayer, config, db, doctor, schema, completions]","causes":[],"hints":["`rigs --help` shows the commands, `rigs COMMAND --help` one of them"]}}
    [exit status: 2]
    "#);
    // After `--` it is no flag of ours.
    let output = env.rigs(["bead", "list", "--", "--json"]).run().exits(2);
    assert!(output.stderr.starts_with("error: "), "{output}");
}

#[test]
fn version_and_completions_go_to_stdout() {
    let env = TestEnv::new();
    let version = env.rigs(["--version"]).run().success();
    assert_eq!(
        version.stdout,
        format!("rigs {}\n", env!("CARGO_PKG_VERSION"))
    );
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = env.rigs(["completions", shell]).run().success();
        assert!(
            script.stdout.contains("rigs") && script.stderr.is_empty(),
            "{shell}"
        );
    }
    insta::assert_snapshot!(env.rigs(["completions", "tcsh"]).run(), @r"
    ------- stderr -------
    error: invalid value 'tcsh' for '<SHELL>'
      [possible values: bash, elvish, fish, powershell, zsh]

      tip: a similar value exists: 'zsh'

    For more information, try '--help'.
    [exit status: 2]
    ");
}

#[test]
fn schemas_are_listed_and_printed() {
    let env = TestEnv::new();
    insta::assert_snapshot!(env.rigs(["schema"]).run().success(), @r"
    KIND             ANSWER OF
    affinity         dispatch affinity (a list of these)
    bead             bead create, list (a list of these), export (one per line), show, edit, retry ...
    convoy           convoy create, list (a list of these), show, add, pause, resume, cancel, land
    calibration      assayer calibration
    config           config show (a list of these)
    config-check     config check
    config-path      config path
    convoy-diff      convoy diff
    pull-request     convoy land --branch
    import           bead import
    cost             cost
    simulation       simulate, dispatch --dry-run
    diff             bead diff
    event            events (one per line)
    goal             goal execute, goal resume
    trust            trust, trust list (a list of these), trust revoke
    init             init
    plan             goal plan
    model            model list (a list of these), model pull, model add, model remove
    notify-test      notify test
    policy           policy list
    policy-check     policy check
    policy-verdict   policy explain, policy simulate (lists of these)
    provider         provider add, provider list, provider remove (a list of these)
    provider-found   provider detect (a list of these)
    provider-test    provider test
    ingested         tank ingest
    source           tank refresh (a list of these)
    archived         db archive
    backup           db backup
    store-check      db check
    doctor           doctor
    foreman-started  foreman start
    foreman-status   foreman status
    foreman-stopped  foreman stop
    stopped          stop --all
    thawed           thaw
    status           status
    tank             tank list (a list of these), tank status, tank set, tank reset
    tank-forecast    tank forecast (a list of these)
    tank-backtest    tank backtest (a list of these)
    why              why
    [exit status: 0]
    ");
    for kind in env
        .rigs(["--json", "schema"])
        .run()
        .success()
        .json()
        .as_array()
        .unwrap()
    {
        let name = kind["kind"].as_str().unwrap();
        let schema = env.rigs(["schema", name]).run().success().json();
        assert!(schema["$schema"].is_string(), "{name}");
    }
    insta::assert_snapshot!(env.rigs(["schema", "baed"]).run(), @r"
    ------- stderr -------
    error: no kind `baed`
      hint: did you mean `bead`?
    [exit status: 3]
    ");
}

#[test]
fn output_that_nobody_reads_is_no_failure() {
    let env = TestEnv::new();
    // `head` is gone before the long list is written.
    let script = r#""$0" completions zsh | true; echo "${PIPESTATUS[0]}""#;
    let rigs = env!("CARGO_BIN_EXE_rigs");
    let output = env
        .program_run("/bin/bash".as_ref(), ["-c", script, rigs])
        .run()
        .success();
    assert_eq!(
        (output.stdout.as_str(), output.stderr.as_str()),
        ("0\n", "")
    );
    let full = r#""$0" completions zsh > /dev/full"#;
    insta::assert_snapshot!(env.program_run("/bin/bash".as_ref(), ["-c", full, rigs]).run(), @r"
    ------- stderr -------
    error: the output cannot be written
      caused by: No space left on device (os error 28)
    [exit status: 1]
    ");
}

#[test]
fn colours_come_only_when_asked_for() {
    let env = TestEnv::new();
    drop(env.rigs(["bead", "create", "a"]).run().success());
    let plain = env.rigs(["bead", "list"]).run().success();
    assert!(!plain.stdout.contains('\u{1b}'));
    let coloured = env
        .rigs(["--color", "always", "bead", "list"])
        .run()
        .success();
    assert!(coloured.stdout.contains('\u{1b}'));
    let json = env
        .rigs(["--color", "always", "--json", "bead", "list"])
        .run()
        .success();
    assert!(!json.stdout.contains('\u{1b}'));
}

#[test]
fn tables_fit_the_width() {
    let env = TestEnv::new();
    let words = "a long description ".repeat(20);
    drop(env.rigs(["bead", "create", &words]).run().success());
    for columns in ["60", "80", "140"] {
        let list = env
            .rigs(["bead", "list"])
            .var("COLUMNS", columns)
            .run()
            .success();
        let width = columns.parse().unwrap();
        assert!(
            list.stdout
                .lines()
                .all(|line| line.chars().count() <= width),
            "{list}"
        );
    }
}

#[test]
fn a_plan_with_a_wrong_word_is_refused_with_the_right_ones() {
    let env = TestEnv::new();
    env.write(
        "plan.json",
        r#"{"goal": "g", "beads": [{"key": "1", "title": "t", "description": "d",
            "task_type": "implementation", "complexity": "simple", "acceptance_criteria": []}]}"#,
    );
    let run = ["goal", "execute", "--plan", "plan.json", "--no-repo", "-y"];
    insta::assert_snapshot!(env.rigs(run).run(), @r"
    ------- stderr -------
    error: $ROOT/plan.json: the plan is not readable at `beads[0].complexity`
      caused by: unknown complexity `simple` (one of: trivial, small, medium, large)
    [exit status: 2]
    ");
}
