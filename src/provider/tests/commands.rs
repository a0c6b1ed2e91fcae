//! The commands that plans become, whole.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use secrecy::SecretString;

use super::super::{ProviderError, RunPlan, Secrets, Session, command, default_windows, files};
use crate::config::ProviderSettings;
use crate::config::settings::Command;
use crate::core::{Permission, ProviderKind, ProviderName};
use crate::process::{Spec, Stdin};

const AGENTS: [ProviderKind; 4] = [
    ProviderKind::Claude,
    ProviderKind::Codex,
    ProviderKind::Gemini,
    ProviderKind::Opencode,
];

fn entry(kind: ProviderKind) -> ProviderSettings {
    ProviderSettings {
        kind: Some(kind),
        permission: Permission::Full,
        ..ProviderSettings::default()
    }
}

/// The command of a plan for `entry` that `change` makes special.
fn spec_of(
    entry: &ProviderSettings,
    change: impl FnOnce(&mut RunPlan),
) -> Result<Spec, ProviderError> {
    spec_with(
        &Secrets::with_key(SecretString::from("sk-very-secret-0001")),
        entry,
        change,
    )
}

fn spec_with(
    secrets: &Secrets,
    entry: &ProviderSettings,
    change: impl FnOnce(&mut RunPlan),
) -> Result<Spec, ProviderError> {
    with_plan(secrets, entry, |plan| {
        change(plan);
        command(plan)
    })
}

fn with_plan<T>(
    secrets: &Secrets,
    entry: &ProviderSettings,
    what: impl FnOnce(&mut RunPlan) -> T,
) -> T {
    let name: ProviderName = "mine".parse().expect("a name");
    let mut plan = RunPlan {
        name: &name,
        entry,
        program: Path::new("/opt/bin/agent"),
        prompt: "Make the tests pass.\n",
        system: Some("You work alone."),
        workdir: Path::new("/home/dev/project"),
        permission: Permission::Edit,
        model: None,
        session: Session::New("0199a000-0000-7000-8000-000000000001".into()),
        env: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".into())]),
        secrets,
        scratch: Path::new("/tmp/run"),
        home: Path::new("/home/dev/.rigs/agents/mine"),
    };
    what(&mut plan)
}

/// As a person would type it, one argument per line.
fn shown(spec: &Spec) -> String {
    let mut out = format!("cd {}\n", spec.cwd.display());
    for (name, value) in &spec.env {
        writeln!(out, "{name}={}", value.display()).expect("a string");
    }
    writeln!(out, "{}", spec.program.display()).expect("a string");
    for arg in &spec.args {
        writeln!(out, "  {}", arg.display()).expect("a string");
    }
    match &spec.stdin {
        Stdin::Bytes(bytes) | Stdin::Open(bytes) => {
            writeln!(out, "<<< {:?}", String::from_utf8_lossy(bytes))
        }
        Stdin::Null => writeln!(out, "<<< nothing"),
    }
    .expect("a string");
    out
}

#[test]
fn claude_is_run_so() {
    let plain = entry(ProviderKind::Claude);
    let rich = ProviderSettings {
        model: Some("sonnet".into()),
        fallback_model: Some("haiku".into()),
        base_url: Some("http://127.0.0.1:8080/".into()),
        config_home: Some("/home/dev/.claude-work".into()),
        args: vec!["--max-turns".into(), "50".into()],
        env: BTreeMap::from([("IS_SANDBOX".to_owned(), "1".to_owned())]),
        ..plain.clone()
    };
    let edit = spec_with(&Secrets::default(), &plain, |_| {}).expect("a command");
    let read = spec_of(&rich, |plan| {
        plan.permission = Permission::Read;
        plan.model = Some("opus");
    });
    let full = spec_of(&rich, |plan| {
        plan.permission = Permission::Full;
        plan.session = Session::Resume("0199a000-0000-7000-8000-000000000009".into());
    });
    insta::assert_snapshot!(format!(
        "{}\n{}\n{}",
        shown(&edit),
        shown(&read.expect("a command")),
        shown(&full.expect("a command"))
    ));
}

#[test]
fn codex_is_run_so() {
    let plain = entry(ProviderKind::Codex);
    let own = ProviderSettings {
        base_url: Some("http://127.0.0.1:8080/v1".into()),
        model: Some("gpt-5.4".into()),
        config_home: Some("/home/dev/.codex-work".into()),
        args: vec!["--ignore-rules".into()],
        ..plain.clone()
    };
    let edit = spec_with(&Secrets::default(), &plain, |_| {});
    let resumed = spec_of(&own, |plan| {
        plan.permission = Permission::Read;
        plan.session = Session::Resume("01a1f76d-a605-7363-9ed0-3ebaf31ed7b6".into());
    });
    insta::assert_snapshot!(format!(
        "{}\n{}",
        shown(&edit.expect("a command")),
        shown(&resumed.expect("a command"))
    ));
}

#[test]
fn gemini_is_run_so() {
    let plain = entry(ProviderKind::Gemini);
    let own = ProviderSettings {
        base_url: Some("http://127.0.0.1:8080/".into()),
        model: Some("gemini-3.1-pro-preview".into()),
        config_home: Some("/home/dev/work-account".into()),
        args: vec!["--include-directories".into(), "/srv".into()],
        ..plain.clone()
    };
    let edit = spec_of(&plain, |_| {});
    let resumed = spec_of(&own, |plan| {
        plan.permission = Permission::Read;
        plan.session = Session::Resume("0199a000-0000-7000-8000-000000000009".into());
    });
    insta::assert_snapshot!(format!(
        "{}\n{}",
        shown(&edit.expect("a command")),
        shown(&resumed.expect("a command"))
    ));
}

#[test]
fn opencode_is_run_so() {
    let plain = ProviderSettings {
        model: Some("anthropic/claude-sonnet-5-5".into()),
        ..entry(ProviderKind::Opencode)
    };
    let own = ProviderSettings {
        base_url: Some("http://127.0.0.1:8080/v1/".into()),
        model: Some("qwen3-coder:30b".into()),
        config_home: Some("/home/dev/second".into()),
        args: vec!["--variant".into(), "high".into()],
        ..entry(ProviderKind::Opencode)
    };
    let edit = spec_with(&Secrets::default(), &plain, |_| {});
    let resumed = spec_of(&own, |plan| {
        plan.permission = Permission::Read;
        plan.session = Session::Resume("ses_e0866f99affe6zIu0ISWKeTZpr".into());
    });
    let full = spec_of(&plain, |plan| plan.permission = Permission::Full);
    insta::assert_snapshot!(format!(
        "{}\n{}\n{}",
        shown(&edit.expect("a command")),
        shown(&resumed.expect("a command")),
        shown(&full.expect("a command"))
    ));
    // A key, or an endpoint, of which provider?
    let unnamed = ProviderSettings {
        model: None,
        ..plain
    };
    assert!(matches!(
        spec_of(&unnamed, |_| {}),
        Err(ProviderError::BadValue { .. })
    ));
}

#[test]
fn gemini_finds_settings_and_rules_by_permission() {
    let given = |permission, entry: &ProviderSettings| {
        let mut shown = String::new();
        with_plan(&Secrets::with_key(SecretString::from("k")), entry, |plan| {
            plan.permission = permission;
            for file in files(plan).expect("files") {
                write!(shown, "{}:\n{}\n", file.path.display(), file.text).expect("a string");
            }
        });
        shown
    };
    let plain = entry(ProviderKind::Gemini);
    let own = ProviderSettings {
        config_home: Some("/home/dev/work-account".into()),
        ..plain.clone()
    };
    insta::assert_snapshot!(format!(
        "{}\n{}\n{}",
        given(Permission::Edit, &plain),
        given(Permission::Read, &own),
        given(Permission::Full, &own),
    ));
}

#[test]
fn any_program_is_run_so() {
    let argv = [
        "agent",
        "--model={model}",
        "{workdir}",
        "{{x}}",
        "{\"a\":1}",
        "a b",
    ];
    let any = ProviderSettings {
        command: Some(Command::Argv(argv.map(str::to_owned).into())),
        args: vec!["--{permission}".into(), "{scratch}".into()],
        model: Some("large".into()),
        api_key_env: Some("MYTOOL_KEY".into()),
        permission: Permission::Read,
        ..entry(ProviderKind::Command)
    };
    let spec = spec_of(&any, |plan| plan.session = Session::Resume("s1".into()));
    insta::assert_snapshot!(shown(&spec.expect("a command")));
}

#[test]
fn a_key_is_in_the_environment_only_and_its_value_is_redacted() {
    for kind in AGENTS {
        let spec = spec_of(&entry(kind), |plan| plan.model = Some("openai/m")).expect("a command");
        let in_argv = |arg: &std::ffi::OsString| arg.to_string_lossy().contains("very-secret");
        assert!(!spec.args.iter().any(in_argv), "{kind}");
        assert_eq!(
            spec.env.values().filter(|v| in_argv(v)).count(),
            1,
            "{kind}"
        );
    }
    let name: ProviderName = "claude".parse().expect("a name");
    let secrets = Secrets::with_key(SecretString::from("plain-word-key"));
    let settings = ProviderSettings {
        env: BTreeMap::from([
            (
                "CLAUDE_CODE_OAUTH_TOKEN".to_owned(),
                "token-of-mine".to_owned(),
            ),
            ("EDITOR".to_owned(), "nano-the-editor".to_owned()),
        ]),
        ..ProviderSettings::default()
    };
    let plan = RunPlan {
        name: &name,
        entry: &settings,
        program: Path::new("/bin/claude"),
        prompt: "",
        system: None,
        workdir: Path::new("/"),
        permission: Permission::Read,
        model: None,
        session: Session::New("x".into()),
        env: BTreeMap::new(),
        secrets: &secrets,
        scratch: Path::new("/tmp"),
        home: Path::new("/"),
    };
    assert_eq!(
        plan.redactor()
            .apply("plain-word-key token-of-mine nano-the-editor"),
        "[redacted] [redacted] nano-the-editor"
    );
    assert!(!format!("{secrets:?}").contains("plain-word-key"));
}

#[test]
fn what_could_become_a_flag_or_a_setting_is_refused() {
    let settings = AGENTS.map(entry);
    for settings in &settings {
        for bad in ["--yolo", "", "a b", "x\"y", "a\u{1b}[31m", &"m".repeat(201)] {
            let with_model = ProviderSettings {
                model: Some(bad.into()),
                ..settings.clone()
            };
            let model = spec_of(&with_model, |_| {});
            assert!(
                matches!(model, Err(ProviderError::BadValue { .. })),
                "{bad:?}"
            );
            let session = spec_of(settings, |plan| {
                plan.model = Some("openai/m");
                plan.session = Session::Resume(bad.into());
            });
            assert!(
                matches!(session, Err(ProviderError::BadValue { .. })),
                "{bad:?}"
            );
        }
        for bad in [
            "ftp://x",
            "http://",
            "http://u:p@host/v1",
            "http://h/\",x=\"y",
            "http://h/ ",
        ] {
            let with_url = ProviderSettings {
                base_url: Some(bad.into()),
                ..settings.clone()
            };
            let refused = spec_of(&with_url, |plan| plan.model = Some("openai/m"));
            let refused = refused.expect_err(bad);
            assert!(!refused.to_string().contains("u:p"), "{refused}");
        }
    }
}

#[test]
fn a_template_that_cannot_be_filled_is_refused() {
    let with = |command: Option<Command>| {
        let settings = ProviderSettings {
            command,
            ..entry(ProviderKind::Command)
        };
        spec_of(&settings, |_| {}).map_err(|error| error.to_string())
    };
    let argv = |arg: &str| Some(Command::Argv(vec!["agent".into(), arg.into()]));
    for (command, want) in [
        (
            argv("{model}"),
            "the command of provider mine uses {model}, but none is set",
        ),
        (
            argv("{prompt}"),
            "the command of provider mine uses the unknown placeholder {prompt}",
        ),
        (
            None,
            "provider mine needs a command: a list of the program and its arguments",
        ),
    ] {
        assert_eq!(with(command), Err(want.to_owned()));
    }
    assert!(with(Some(Command::Program("agent".into()))).is_ok());
    assert!(spec_of(&entry(ProviderKind::Ollama), |_| {}).is_err());
}

#[test]
fn a_subscription_starts_with_windows_of_unknown_size_and_a_key_with_none() {
    let hours = |kind, settings: &ProviderSettings| -> Vec<(&str, u64)> {
        default_windows(kind, settings)
            .iter()
            .map(|w| (w.limit_id, w.duration.as_secs() / 3600))
            .collect()
    };
    let plain = ProviderSettings::default();
    let keyed = ProviderSettings {
        api_key_env: Some("KEY".into()),
        ..ProviderSettings::default()
    };
    assert_eq!(
        hours(ProviderKind::Claude, &plain),
        [("five_hour", 5), ("seven_day", 168)]
    );
    assert_eq!(
        hours(ProviderKind::Codex, &plain),
        [("codex", 5), ("codex", 168)]
    );
    for kind in ProviderKind::ALL {
        assert_eq!(hours(*kind, &keyed), [], "{kind}");
    }
    assert_eq!(hours(ProviderKind::Command, &plain), []);
}
