//! Whole loads: layers, their order, and what a person is told when something is wrong.

use std::path::PathBuf;

use tempfile::TempDir;

use super::*;

struct Rig {
    dir: TempDir,
    vars: Vec<(String, String)>,
}

impl Rig {
    fn new(config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("config.toml"), config).unwrap();
        Self {
            dir,
            vars: Vec::new(),
        }
    }

    fn var(mut self, name: &str, value: &str) -> Self {
        self.vars.push((name.into(), value.into()));
        self
    }

    fn load_with(
        &self,
        flags: Vec<(&'static [&'static str], toml::Value, &'static str)>,
    ) -> Result<Config, ConfigError> {
        let vars = self.vars.iter().map(|(k, v)| (k.into(), v.into()));
        let env = Env::new(vars, PathBuf::from("/"));
        let given = Given {
            home: Some(self.dir.path().into()),
            flags,
            ..Given::default()
        };
        Config::load(&env, &given)
    }

    fn load(&self) -> Result<Config, ConfigError> {
        self.load_with(Vec::new())
    }

    /// The problems with the folder's name taken out, and their hints.
    fn problems(&self) -> String {
        let ConfigError::Invalid(problems) = self.load().unwrap_err() else {
            panic!("another error");
        };
        let dir = format!("{}/", self.dir.path().display());
        let lines: Vec<String> = problems
            .iter()
            .map(|p| match &p.hint {
                Some(hint) => format!("{p} ({hint})"),
                None => p.to_string(),
            })
            .map(|line| line.replace(&dir, ""))
            .collect();
        lines.join("\n")
    }
}

#[test]
fn each_layer_wins_over_the_one_below_and_is_named_as_the_source() {
    let rig = Rig::new("[general]\nmax_parallel = 5\nlog_level = \"info\"\n[gate]\nmax_attempts = 7\n[providers.claude]\n")
        .var("RIGS_GENERAL__LOG_LEVEL", "debug")
        .var("RIGS_GATE__MAX_ATTEMPTS", "8")
        .var("RIGS_PROVIDERS__CLAUDE__MODEL", "4");
    let config = rig
        .load_with(vec![(
            &["gate", "max_attempts"],
            toml::Value::Integer(9),
            "--max-attempts",
        )])
        .unwrap();
    let s = &config.settings;
    assert_eq!(
        (
            s.general.max_parallel,
            s.general.log_level.as_str(),
            s.gate.max_attempts
        ),
        (5, "debug", 9)
    );
    // A number in a variable is text where text is wanted.
    assert_eq!(
        s.providers.values().next().unwrap().model.as_deref(),
        Some("4")
    );
    let origin = |path: &[&str]| {
        let dir = format!("{}/", rig.dir.path().display());
        config.origin(path).to_string().replace(&dir, "")
    };
    assert_eq!(
        [
            origin(&["general", "max_parallel"]),
            origin(&["general", "log_level"]),
            origin(&["gate", "max_attempts"]),
            origin(&["gate", "timeout"]),
            origin(&["providers", "claude", "kind"]),
        ],
        [
            "config.toml:2:1",
            "$RIGS_GENERAL__LOG_LEVEL",
            "--max-attempts",
            "built-in",
            "built-in",
        ]
    );
}

#[test]
fn without_a_file_the_built_in_values_hold_and_providers_are_detected() {
    let dir = tempfile::tempdir().unwrap();
    let env = Env::new([("PATH".into(), "/nowhere".into())], PathBuf::from("/"));
    let given = Given {
        home: Some(dir.path().join("new")),
        ..Given::default()
    };
    let config = Config::load(&env, &given).unwrap();
    assert_eq!(
        config.settings.general,
        settings::GeneralSettings::default()
    );
    assert_eq!(config.file, None);
    assert!(!dir.path().join("new").exists(), "loading makes nothing");
    let names: Vec<&str> = config
        .settings
        .providers
        .keys()
        .map(crate::core::ProviderName::as_str)
        .collect();
    assert!(
        names.contains(&"ollama") && !names.contains(&"claude"),
        "{names:?}"
    );
    assert_eq!(config.origin(&["providers", "ollama"]), &Origin::Detected);
}

#[test]
fn the_first_configuration_ever_shown_still_works_but_for_what_is_gone() {
    let rig = Rig::new(
        r#"
[general]
workspace = "~/.rigs"
log_level = "info"
[providers.claude]
enabled = true
model = "claude-sonnet-4-20250514"
tokens_per_window = 35000
[providers.gemini]
enabled = true
model = "gemini-2.5-pro"
api_key_env = "GEMINI_API_KEY"
[providers.deepseek]
model = "deepseek-chat"
[assayer]
planner_model = "deepseek-r1:7b"
use_ollama = true
[routing]
strategy = "balanced"
"#,
    );
    insta::assert_snapshot!(rig.problems(), @"config.toml:3:1: `general.workspace`: the home folder cannot be set in a file that stands inside it (use --home DIR or RIGS_HOME)");
}

#[test]
fn everything_that_is_wrong_is_told_at_once_with_its_place() {
    let rig = Rig::new(
        r#"
[genral]
[general]
max_paralel = 2
log_level = "inof"
[providers.claude]
threshold_red = 1.5
timeout = "5 parsecs"
[providers.mine]
kind = "comand"
[providers.tool]
kind = "command"
[providers.openai]
api_key_env = "sk-ant-REDACTED"
base_url = "https://me:pw@api.example/v1"
limits = [ { window = "5h", unit = "tokens" } ]
[gate]
commands = ["cargo test"]
review = "advisory"
[routing]
fallback_order = ["cluade"]
"#,
    );
    let told = rig.problems();
    assert!(
        !told.contains("abcdefghijkl") && !told.contains("pw@"),
        "{told}"
    );
    insta::assert_snapshot!(told, @r#"
    config.toml:2:2: `genral`: unknown section (did you mean `general`?)
    config.toml:4:1: `general.max_paralel`: unknown key (did you mean `max_parallel`?)
    config.toml:5:1: `general.log_level`: is no level of logging (did you mean `info`?)
    config.toml:8:1: `providers.claude.timeout`: `5 parsecs` is not a duration such as 90s, 45m, 5h, 7d or 1h30m
    config.toml:10:1: `providers.mine.kind`: unknown kind `comand` (did you mean `command`?)
    config.toml:11:12: `providers.tool.command`: is needed for kind `command` (write command = ["program", "argument"])
    config.toml:13:12: `providers.openai`: needs a `model` (add model = "..." with one that the server has)
    config.toml:14:1: `providers.openai.api_key_env`: must be the NAME of an environment variable, not a key (export the key and write api_key_env = "OPENAI_API_KEY"; if the key was saved here, replace it at the provider)
    config.toml:15:1: `providers.openai.base_url`: must not hold a user or a password (use `api_key_env`)
    config.toml:16:12: `providers.openai.limits.0`: needs an `amount` above 0
    config.toml:18:13: `gate.commands.0`: is string "cargo test", but must be a list
    config.toml:19:1: `gate.review`: belongs to a later version of rigs; this one would ignore it (remove `gate.review`)
    config.toml:21:19: `routing.fallback_order.0`: there is no provider `cluade` (did you mean `claude`?)
    "#);
}

#[test]
fn broken_syntax_names_line_and_column() {
    insta::assert_snapshot!(Rig::new("[general]\nmax_parallel = = 2\n").problems(), @"config.toml:2:16: extra `=`, expected nothing");
}

#[test]
fn a_bad_variable_is_named() {
    let rig = Rig::new("")
        .var("RIGS_GENERAL__MAX_PARALEL", "2")
        .var("RIGS_GATE__MAX_ATTEMPTS", "many");
    insta::assert_snapshot!(rig.problems(), @r#"
    $RIGS_GENERAL__MAX_PARALEL: `general.max_paralel`: unknown key (did you mean `max_parallel`?)
    $RIGS_GATE__MAX_ATTEMPTS: `gate.max_attempts`: is string "many", but must be a whole number, 0 or more
    "#);
}

#[test]
fn a_file_that_was_named_must_be_there_and_be_text() {
    let dir = tempfile::tempdir().unwrap();
    let load = |file: PathBuf| {
        let given = Given {
            home: Some(dir.path().into()),
            file: Some(file),
            ..Given::default()
        };
        Config::load(&Env::new([], PathBuf::from("/")), &given)
    };
    let missing = load(dir.path().join("missing.toml"));
    assert!(matches!(missing, Err(ConfigError::Unreadable { .. })));
    let binary = dir.path().join("binary.toml");
    std::fs::write(&binary, [0xff, 0xfe]).unwrap();
    assert!(matches!(load(binary), Err(ConfigError::Unreadable { .. })));
    assert!(matches!(
        load(dir.path().into()),
        Err(ConfigError::Unreadable { .. })
    ));
}

#[test]
fn limits_of_the_calendar_and_in_percent_and_runs_need_no_kind() {
    let rig = Rig::new(
        r#"
[providers.claude]
limits = [
    { window = "7d", unit = "percent" },
    { unit = "runs", amount = 2 },
    { window = "month", unit = "tokens", amount = 9, zone = "Europe/Berlin" },
]
"#,
    );
    let config = rig.load().unwrap();
    let kinds: Vec<LimitKind> = config
        .settings
        .providers
        .values()
        .flat_map(|p| p.limits.iter().map(|l| l.kind))
        .collect();
    let expected = [
        LimitKind::Percent,
        LimitKind::Concurrency,
        LimitKind::Calendar,
    ];
    assert_eq!(kinds, expected);
}

#[test]
fn each_kind_of_limit_says_what_it_needs_and_what_it_does_not_know() {
    let told = Rig::new(
        r#"
[providers.claude]
limits = [
    { kind = "calendar", window = "24h", unit = "requests", amount = 1 },
    { kind = "refill", window = "day", unit = "requests", amount = 1 },
    { kind = "balance", window = "1h", unit = "micro_usd", amount = 1 },
    { kind = "rolling", window = "1h", unit = "tokens", amount = 1, zone = "UTC" },
    { kind = "rolling", window = "1h", unit = "tokens", amount = 1, burst = 2 },
]
"#,
    )
    .problems();
    insta::assert_snapshot!(told, @r"
    config.toml:4:5: `providers.claude.limits.0`: needs a `window` of day, week or month
    config.toml:5:5: `providers.claude.limits.1`: needs a `window`, its length such as 5h
    config.toml:6:5: `providers.claude.limits.2`: has no `window`: money does not come back with time
    config.toml:7:5: `providers.claude.limits.3`: has a `zone`, which only kind `calendar` follows
    config.toml:8:5: `providers.claude.limits.4`: has a `burst`, which only kind `refill` knows, and which must be above 0
    ");
    let told = Rig::new(
        r#"
[providers.claude]
limits = [ { window = "fortnight", unit = "requests", amount = 1 } ]
[providers.codex]
limits = [ { window = "day", unit = "requests", amount = 1, zone = "Europe/Berlim" } ]
"#,
    )
    .problems();
    insta::assert_snapshot!(told, @r"
    config.toml:3:14: `providers.claude.limits.0.window`: `fortnight` is neither a duration such as 5h nor day, week or month
    config.toml:5:61: `providers.codex.limits.0.zone`: `Europe/Berlim` is no time zone (did you mean `Europe/Berlin`?)
    ");
}
