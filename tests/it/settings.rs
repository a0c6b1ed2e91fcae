//! `init`, `config` and the home folder, and what happens when they are wrong.

use std::os::unix::fs::PermissionsExt;

use crate::harness::TestEnv;

#[test]
fn init_sets_up_a_home_once_and_says_what_is_there() {
    let env = TestEnv::new();
    env.only_programs(&[]);
    env.program("claude", "echo never run; exit 1");
    env.var("DEEPSEEK_API_KEY", "sk-1234567890abcdef");
    insta::assert_snapshot!(env.rigs(["init"]).run(), @r#"
    home    $ROOT/rigs (created)
    config  $ROOT/rigs/config.toml (created)
    store   $ROOT/rigs/rigs.db (created)

    Found claude at $ROOT/bin/claude
    Ollama is used whenever it answers at http://127.0.0.1:[port]
    Found a key in $DEEPSEEK_API_KEY: its provider bills by use and is off; see the config

    Next: rigs goal execute "..."
    [exit status: 0]
    "#);
    let file = env.rigs_home().join("config.toml");
    let written = std::fs::read_to_string(&file).unwrap();
    assert!(written.contains("DEEPSEEK_API_KEY") && !written.contains("sk-123"));
    for (path, mode) in [
        (env.rigs_home(), 0o700),
        (file.clone(), 0o600),
        (env.store(), 0o600),
    ] {
        let found = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{}", path.display());
    }
    env.config("[general]\nmax_parallel = 3\n");
    let again = env.rigs(["init", "--json"]).run().success().json();
    assert_eq!(again["config_created"], false);
    assert_eq!(again["store_created"], false);
    assert_eq!(again["agents"][0]["kind"], "claude");
    assert_eq!(
        again["key_variables"],
        serde_json::json!(["DEEPSEEK_API_KEY"])
    );
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        "[general]\nmax_parallel = 3\n"
    );
}

#[test]
fn init_says_which_agent_the_configuration_leaves_out() {
    let env = TestEnv::new();
    env.only_programs(&[]);
    env.config("[providers.ollama]\n");
    env.program("claude", "exit 1");
    let output = env.rigs(["init"]).run().success();
    let line = "it is not in the configuration yet: add a line [providers.claude]";
    assert!(output.stdout.contains(line), "{output}");
    env.config("[providers.ollama]\n[providers.claude]\n");
    let output = env.rigs(["init"]).run().success();
    assert!(
        !output.stdout.contains("not in the configuration"),
        "{output}"
    );
}

#[test]
fn init_takes_a_place_of_its_own() {
    let env = TestEnv::new();
    env.only_programs(&[]);
    let output = env.rigs(["init", "elsewhere/.rigs"]).run().success();
    assert!(
        env.root().join("elsewhere/.rigs/rigs.db").is_file(),
        "{output}"
    );
    insta::assert_snapshot!(env.rigs(["--home", "a", "init", "b"]).run(), @r"
    ------- stderr -------
    error: give the home folder once: PATH or --home
    [exit status: 2]
    ");
}

#[test]
fn init_can_version_the_configuration_and_nothing_else() {
    let env = TestEnv::new();
    env.only_programs(&["git"]);
    let first = env.rigs(["--json", "init", "--git"]).run().success().json();
    let again = env.rigs(["--json", "init", "--git"]).run().success().json();
    assert_eq!(first["repository_created"], true);
    assert_eq!(again["repository_created"], false);
    let status = env
        .program_run(
            "/usr/bin/env".as_ref(),
            ["git", "status", "--short", "-uall"],
        )
        .dir(env.rigs_home())
        .run()
        .success();
    assert_eq!(status.stdout, "?? .gitignore\n?? config.toml\n");
}

#[test]
fn the_settings_are_shown_with_their_sources() {
    let env = TestEnv::new();
    env.only_programs(&[]);
    env.config("[general]\nmax_parallel = 3\n[providers.mine]\nkind = \"command\"\ncommand = [\"sh\", \"-c\", \"cat\"]\nenv = { API_TOKEN = \"hunter2\" }\n");
    env.var("RIGS_GATE__MAX_ATTEMPTS", "5");
    insta::assert_snapshot!(env.rigs(["config", "show", "general"]).run(), @r#"
    KEY                   VALUE      SOURCE
    general.log_level     "warn"     built-in
    general.max_parallel  3          $ROOT/rigs/config.toml:2:1
    general.policy_file   (not set)  built-in
    general.worktree_dir  (not set)  built-in
    [exit status: 0]
    "#);
    insta::assert_snapshot!(env.rigs(["config", "show", "gate.max_attempts", "--json"]).run(), @r#"
    [
      {
        "key": "gate.max_attempts",
        "value": 5,
        "source": "$RIGS_GATE__MAX_ATTEMPTS"
      }
    ]
    [exit status: 0]
    "#);
    let all = env.rigs(["config", "show"]).run().success();
    assert!(!all.stdout.contains("hunter2"), "{all}");
    insta::assert_snapshot!(env.rigs(["config", "show", "gate.max_atempts"]).run(), @r"
    ------- stderr -------
    error: no setting `gate.max_atempts`
      hint: did you mean `gate.max_attempts`?
    [exit status: 3]
    ");
    insta::assert_snapshot!(env.rigs(["config", "path"]).run(), @r"
    $ROOT/rigs/config.toml
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.rigs(["config", "check"]).run(), @r"
    $ROOT/rigs/config.toml is fine
    Providers: mine
    [exit status: 0]
    ");
}

#[test]
fn a_broken_configuration_is_told_by_file_line_and_column() {
    let env = TestEnv::new();
    env.config("[general]\nmax_paralel = 2\n");
    insta::assert_snapshot!(env.rigs(["config", "check"]).run(), @r"
    ------- stderr -------
    error: $ROOT/rigs/config.toml:2:1: `general.max_paralel`: unknown key
      hint: did you mean `max_parallel`?
    [exit status: 5]
    ");
    insta::assert_snapshot!(env.rigs(["--json", "bead", "list"]).run(), @r#"
    ------- stderr -------
    {"error":{"kind":"config","message":"$ROOT/rigs/config.toml:2:1: `general.max_paralel`: unknown key","causes":[],"hints":["did you mean `max_parallel`?"]}}
    [exit status: 5]
    "#);
    env.config("[general]\nmax_parallel = \"two\"\n\n[providers.claude]\ntimeout = 5\n");
    insta::assert_snapshot!(env.rigs(["bead", "list"]).run(), @r#"
    ------- stderr -------
    error: $ROOT/rigs/config.toml:2:1: `general.max_parallel`: is string "two", but must be a whole number, 0 or more
    $ROOT/rigs/config.toml:5:1: `providers.claude.timeout`: is integer `5`, but must be text in quotes
    [exit status: 5]
    "#);
    // What needs no settings still works.
    drop(env.rigs(["config", "path"]).run().success());
    drop(env.rigs(["schema"]).run().success());
    assert!(!env.store().exists(), "nothing was made");
}

#[test]
fn a_named_file_must_exist() {
    let env = TestEnv::new();
    insta::assert_snapshot!(env.rigs(["-c", "no.toml", "bead", "list"]).run(), @r"
    ------- stderr -------
    error: cannot read the configuration file $ROOT/no.toml: No such file or directory (os error 2)
      hint: `rigs config path` says where the file is expected
    [exit status: 5]
    ");
}

#[test]
fn a_home_that_others_can_write_to_is_refused() {
    let env = TestEnv::new();
    std::fs::create_dir(env.rigs_home()).unwrap();
    std::fs::set_permissions(env.rigs_home(), std::fs::Permissions::from_mode(0o777)).unwrap();
    insta::assert_snapshot!(env.rigs(["bead", "list"]).run(), @r"
    ------- stderr -------
    error: other users can write to the home folder $ROOT/rigs
      hint: its files say which programs run: `chmod go-w` it
    [exit status: 6]
    ");
}

#[test]
fn without_any_home_there_is_a_clear_error() {
    let env = TestEnv::new();
    let output = env
        .rigs(["bead", "list"])
        .var("HOME", "")
        .var("RIGS_HOME", "")
        .run();
    insta::assert_snapshot!(output, @r"
    ------- stderr -------
    error: HOME is not set, so there is no place for the home folder of rigs
      hint: give --home DIR or set RIGS_HOME
    [exit status: 6]
    ");
}

#[test]
fn providers_are_listed_and_tested() {
    let env = TestEnv::new();
    env.only_programs(&["sh", "cat"]);
    env.program("claude", "echo '9.9.9 (Claude Code)'");
    env.program("codex", "echo broken >&2; exit 3");
    env.config(
        "[providers.claude]\n[providers.codex]\nenabled = true\n[providers.gone]\nkind = \"command\"\ncommand = [\"no-such-program\"]\n[providers.deepseek]\nmodel = \"deepseek-chat\"\n[providers.off]\nkind = \"ollama\"\nenabled = false\n",
    );
    insta::assert_snapshot!(env.rigs(["provider", "list"]).var("COLUMNS", "300").run(), @r"
    NAME      KIND     STATE     CAN         MODEL          RUNS                                        SOURCE
    claude    claude   ready     text, edit                 $ROOT/bin/claude            $ROOT/rigs/config.toml:1:12
    codex     codex    ready     text, edit                 $ROOT/bin/codex             $ROOT/rigs/config.toml:2:12
    deepseek  openai   unusable  text        deepseek-chat  $DEEPSEEK_API_KEY is not set                $ROOT/rigs/config.toml:7:12
    gone      command  unusable  text, edit                 `no-such-program` is not a program in PATH  $ROOT/rigs/config.toml:4:12
    off       ollama   disabled  text                       http://127.0.0.1:[port]                      $ROOT/rigs/config.toml:9:12
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.rigs(["provider", "test", "claude"]).run(), @r"
    ok  program: $ROOT/bin/claude
    ok  version: 9.9.9 (Claude Code)
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.rigs(["provider", "test", "codex"]).run(), @r"
    ok  program: $ROOT/bin/codex
    not version: exit status 3: broken
        hint: run the program by hand; it may need to be reinstalled
    [exit status: 1]
    ");
    insta::assert_snapshot!(env.rigs(["provider", "test", "gone"]).run(), @r"
    not program: `no-such-program` is not in PATH
        hint: install it, or give its absolute path as `command`
    [exit status: 1]
    ");
    insta::assert_snapshot!(env.rigs(["provider", "test", "deepseek", "--json"]).run(), @r#"
    {
      "provider": "deepseek",
      "kind": "openai",
      "ok": false,
      "checks": [
        {
          "name": "key",
          "ok": false,
          "detail": "the environment variable DEEPSEEK_API_KEY is not set",
          "hint": "export the variable that the entry names, or change the entry"
        }
      ]
    }
    [exit status: 1]
    "#);
    insta::assert_snapshot!(env.rigs(["provider", "test", "off"]).run(), @r"
    ------- stderr -------
    error: the provider `off` is disabled
      hint: set `enabled = true` in [providers.off]
    [exit status: 4]
    ");
    insta::assert_snapshot!(env.rigs(["provider", "test", "cluade"]).run(), @r"
    ------- stderr -------
    error: no provider `cluade`
      hint: did you mean `claude`?
    [exit status: 3]
    ");
}

#[test]
fn a_damaged_store_is_told_and_left_alone() {
    let env = TestEnv::new();
    drop(env.rigs(["init"]).run().success());
    let garbage = "no database at all, but long enough to be looked at as one".repeat(20);
    std::fs::write(env.store(), &garbage).unwrap();
    insta::assert_snapshot!(env.rigs(["bead", "list"]).run(), @r"
    ------- stderr -------
    error: the store $ROOT/rigs/rigs.db is damaged
      caused by: error returned from database: (code: 26) file is not a database
      hint: `rigs db backup` made copies, if you did: put one in its place; with an empty store, repositories and branches are untouched
    [exit status: 6]
    ");
    insta::assert_snapshot!(env.rigs(["--json", "bead", "create", "x"]).run(), @r#"
    ------- stderr -------
    {"error":{"kind":"store","message":"the store $ROOT/rigs/rigs.db is damaged","causes":["error returned from database: (code: 26) file is not a database"],"hints":["`rigs db backup` made copies, if you did: put one in its place; with an empty store, repositories and branches are untouched"]}}
    [exit status: 6]
    "#);
    assert_eq!(std::fs::read_to_string(env.store()).unwrap(), garbage);
    std::fs::remove_file(env.store()).unwrap();
}

#[test]
fn a_store_of_a_newer_rigs_is_refused() {
    let env = TestEnv::new();
    drop(env.rigs(["init"]).run().success());
    // The schema's version stands in bytes 60 to 63 of the file's head.
    let mut bytes = std::fs::read(env.store()).unwrap();
    bytes[60..64].copy_from_slice(&999_u32.to_be_bytes());
    std::fs::write(env.store(), &bytes).unwrap();
    let refused = env.rigs(["bead", "list"]).run().exits(6);
    assert!(
        refused
            .stderr
            .contains("was written by a newer rigs (schema 999"),
        "{refused}"
    );
    assert_eq!(std::fs::read(env.store()).unwrap(), bytes);
    std::fs::remove_file(env.store()).unwrap();
    std::fs::create_dir(env.store()).unwrap();
    insta::assert_snapshot!(env.rigs(["bead", "list"]).run(), @r"
    ------- stderr -------
    error: cannot open the store $ROOT/rigs/rigs.db
      caused by: error returned from database: (code: 14) unable to open database file
      hint: check the folder with `ls -la`, or choose another with --home DIR
    [exit status: 6]
    ");
    std::fs::remove_dir(env.store()).unwrap();
}
