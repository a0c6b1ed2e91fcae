//! `provider add`, `remove`, `detect`: the configuration changes, the rest of its file does not.

use crate::harness::TestEnv;

const CONFIG: &str = "\
# mine
[general]
max_parallel = 3   # two are too few

# --- providers ---

# the one at home
[providers.ollama]
base_url = \"http://127.0.0.1:9\"

# money
[budget]
usd_per_day = 5.0
";

/// Its lines with single blanks: how wide a table is depends on where the test runs.
fn squeezed(output: &crate::harness::Output) -> String {
    let text = output.to_string();
    let lines: Vec<String> = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    lines.join("\n")
}

fn written(env: &TestEnv) -> String {
    std::fs::read_to_string(env.rigs_home().join("config.toml")).unwrap()
}

#[test]
fn a_provider_is_added_and_removed_and_the_file_is_as_before() {
    let env = TestEnv::new();
    env.only_programs(&[]);
    env.program("claude", "exit 1");
    env.config(CONFIG);
    let add = [
        "provider",
        "add",
        "work",
        "--kind",
        "claude",
        "--config-home",
        "~/.claude-work",
        "--max-parallel",
        "1",
    ];
    insta::assert_snapshot!(env.rigs(add).run(), @r"
    Added work (claude) to $ROOT/rigs/config.toml
    Next: rigs provider test work
    [exit status: 0]
    ");
    let new = "\n[providers.work]\nkind = \"claude\"\nconfig_home = \"~/.claude-work\"\nmax_parallel = 1\n";
    assert_eq!(written(&env).replacen(new, "", 1), CONFIG);
    let again = env.rigs(add).run();
    insta::assert_snapshot!(again, @r"
    ------- stderr -------
    error: $ROOT/rigs/config.toml has an entry [providers.work] already
      hint: choose another name, or `rigs provider remove work` first
    [exit status: 4]
    ");
    insta::assert_snapshot!(env.rigs(["provider", "remove", "work"]).run(), @r"
    Removed work from $ROOT/rigs/config.toml
    [exit status: 0]
    ");
    assert_eq!(written(&env), CONFIG);
    insta::assert_snapshot!(env.rigs(["provider", "remove", "work"]).run(), @r"
    ------- stderr -------
    error: $ROOT/rigs/config.toml has no entry [providers.work]
      hint: `rigs provider list` shows where each one comes from
    [exit status: 3]
    ");
}

#[test]
fn what_would_not_be_valid_is_refused_and_the_file_stays() {
    let env = TestEnv::new();
    env.config(CONFIG);
    insta::assert_snapshot!(env.rigs(["provider", "add", "mine"]).run(), @r#"
    ------- stderr -------
    error: this would not be valid: $ROOT/rigs/config.toml:11:12: `providers.mine`: needs a `kind`, because its name is none
      hint: add kind = "..." with one of: claude, codex, gemini, opencode, command, ollama, openai, anthropic, google, embedded, sim
      hint: the file is unchanged
    [exit status: 5]
    "#);
    insta::assert_snapshot!(
        env.rigs(["provider", "add", "lab", "--kind", "openai", "--base-url", "no address"]).run(),
        @r#"
    ------- stderr -------
    error: this would not be valid: $ROOT/rigs/config.toml:11:12: `providers.lab`: needs a `model` (add model = "..." with one that the server has)
    $ROOT/rigs/config.toml:13:1: `providers.lab.base_url`: is not a URL such as http://127.0.0.1:[port]/v1
      hint: the file is unchanged
    [exit status: 5]
    "#
    );
    let key = "sk-ant-REDACTED";
    let refused = env
        .rigs(["provider", "add", "openai", "--api-key-env", key])
        .run()
        .exits(2);
    assert!(!refused.stderr.contains(key), "{refused}");
    assert!(
        refused.stderr.contains("takes the NAME of a variable"),
        "{refused}"
    );
    assert_eq!(written(&env), CONFIG);
}

#[test]
fn a_first_entry_does_not_push_out_what_was_found() {
    let env = TestEnv::new();
    env.only_programs(&[]);
    env.program("claude", "exit 1");
    env.config("# nothing yet\n");
    let output = env
        .rigs([
            "provider",
            "add",
            "lab",
            "--kind",
            "openai",
            "--base-url",
            "http://127.0.0.1:9/v1",
            "--model",
            "m",
        ])
        .run();
    insta::assert_snapshot!(output, @r"
    Added lab (openai) to $ROOT/rigs/config.toml
    Next: rigs provider test lab
    ------- stderr -------
    Also written, because they were in use without an entry: claude, ollama
    [exit status: 0]
    ");
    let names = |env: &TestEnv| -> Vec<String> {
        let list = env
            .rigs(["provider", "list", "--json"])
            .run()
            .success()
            .json();
        let list = list.as_array().unwrap();
        list.iter()
            .map(|p| p["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let names = names(&env);
    assert!(names.contains(&"claude".to_owned()) && names.contains(&"ollama".to_owned()));
    assert!(written(&env).starts_with("# nothing yet\n"));
}

#[test]
fn without_a_file_the_commented_one_is_written() {
    let env = TestEnv::new();
    env.only_programs(&[]);
    env.program("codex", "exit 1");
    let output = env
        .rigs(["provider", "add", "codex", "--max-parallel", "1", "--json"])
        .run()
        .success();
    assert_eq!(output.json()["max_parallel"], 1);
    let text = written(&env);
    assert!(text.contains("# strategy = "), "{text}");
    assert_eq!(text.matches("[providers.codex]").count(), 1);
}

#[test]
fn what_is_on_the_machine_is_shown_and_added_on_request() {
    let env = TestEnv::new();
    env.only_programs(&[]);
    env.program("claude", "echo never run; exit 1");
    env.var("DEEPSEEK_API_KEY", "sk-1234567890abcdef");
    env.config(CONFIG);
    insta::assert_snapshot!(squeezed(&env.rigs(["provider", "detect"]).run()), @r"
    FOUND WHERE STATE
    claude $ROOT/bin/claude not configured
    ollama http://127.0.0.1:[port] in use as ollama
    deepseek $DEEPSEEK_API_KEY off: bills by use

    To use what is not configured: rigs provider detect --add
    [exit status: 0]
    ");
    assert_eq!(written(&env), CONFIG);
    let added = env
        .rigs(["provider", "detect", "--add", "--json"])
        .run()
        .success()
        .json();
    assert_eq!(added[0]["name"], "claude");
    assert_eq!(added[0]["added"], true);
    assert!(written(&env).contains("[providers.claude]"));
    assert!(!written(&env).contains("[providers.deepseek]"));
    insta::assert_snapshot!(squeezed(&env.rigs(["provider", "detect"]).run()), @r"
    FOUND WHERE STATE
    claude $ROOT/bin/claude in use as claude
    ollama http://127.0.0.1:[port] in use as ollama
    deepseek $DEEPSEEK_API_KEY off: bills by use

    To use it: rigs provider add deepseek --model MODEL
    [exit status: 0]
    ");
}

#[test]
fn a_provider_that_was_only_found_cannot_be_removed() {
    let env = TestEnv::new();
    env.only_programs(&[]);
    env.program("claude", "exit 1");
    insta::assert_snapshot!(env.rigs(["provider", "remove", "claude"]).run(), @r"
    ------- stderr -------
    error: cannot write $ROOT/rigs/config.toml: No such file or directory (os error 2)
      hint: check the owner and mode of the file and of its folder; it is unchanged
    [exit status: 5]
    ");
}
