use super::*;

const FILE: &str = "config.toml";

fn name(name: &str) -> ProviderName {
    name.parse().unwrap()
}

fn added(text: &str, named: &str, entry: NewEntry) -> String {
    add(Path::new(FILE), text, &[(name(named), entry)]).unwrap()
}

fn removed(text: &str, named: &str) -> String {
    remove(Path::new(FILE), text, &name(named)).unwrap()
}

const TEXT: &str = r#"# mine
[general]
max_parallel = 3   # two are too few

# --- providers ---

# the good one
[providers.claude]
command = "claude" # from npm
[providers.claude.affinity]
review = 0.9

# at home
[providers.ollama]
base_url = "http://box:11434"

# --- budgets ---
[budget]
usd_per_day = 5.0
# the end
"#;

#[test]
fn an_entry_is_added_after_the_others_and_nothing_else_changes() {
    let entry = NewEntry {
        kind: Some("claude".into()),
        config_home: Some("~/.claude \"two\"".into()),
        args: vec!["--x".into()],
        max_parallel: Some(1),
        ..NewEntry::default()
    };
    let text = added(TEXT, "second", entry);
    let new = "\n[providers.second]\nkind = \"claude\"\nargs = [\"--x\"]\n\
               config_home = '~/.claude \"two\"'\nmax_parallel = 1\n";
    assert_eq!(text.replacen(new, "", 1), TEXT, "{text}");
    let at = |what: &str| text.find(what).unwrap();
    assert!(at("[providers.ollama]") < at("[providers.second]"));
}

#[test]
fn an_entry_goes_with_its_own_comments_and_leaves_the_others() {
    let text = removed(TEXT, "claude");
    let entry = "# the good one\n[providers.claude]\ncommand = \"claude\" # from npm\n\
                 [providers.claude.affinity]\nreview = 0.9\n\n";
    assert_eq!(text, TEXT.replacen(entry, "", 1));
    let text = removed(TEXT, "ollama");
    let entry = "# at home\n[providers.ollama]\nbase_url = \"http://box:11434\"\n\n";
    assert_eq!(text, TEXT.replacen(entry, "", 1));
}

#[test]
fn what_was_added_is_taken_out_without_a_trace() {
    let text = added(TEXT, "second", NewEntry::default());
    assert_ne!(text, TEXT);
    assert_eq!(removed(&text, "second"), TEXT);
}

#[test]
fn entries_in_other_spellings_are_found() {
    for text in [
        "providers = { one = { kind = \"ollama\" }, two = {} }\n",
        "[providers]\none = { kind = \"ollama\" }\ntwo = {}\n",
        "[providers]\none.kind = \"ollama\"\ntwo = {}\n",
        "providers.one.kind = \"ollama\"\nproviders.two = {}\n",
    ] {
        let without: toml::Value = toml::from_str(&removed(text, "one")).unwrap();
        let want: toml::Value = toml::from_str("providers.two = {}").unwrap();
        assert_eq!(without, want, "{text}");
        let entry = NewEntry {
            kind: Some("codex".into()),
            ..NewEntry::default()
        };
        let with: toml::Value = toml::from_str(&added(text, "three", entry)).unwrap();
        assert_eq!(with["providers"]["three"]["kind"].as_str(), Some("codex"));
        assert_eq!(with["providers"]["one"]["kind"].as_str(), Some("ollama"));
    }
}

#[test]
fn an_empty_text_and_a_text_without_providers_can_be_added_to() {
    assert_eq!(
        added("", "claude", NewEntry::default()),
        "\n[providers.claude]\n"
    );
    assert_eq!(
        added("[general]\n", "claude", NewEntry::default()),
        "[general]\n\n[providers.claude]\n"
    );
}

#[test]
fn what_cannot_be_done_says_where() {
    let path = Path::new(FILE);
    let twice = add(path, TEXT, &[(name("claude"), NewEntry::default())]);
    assert_eq!(
        twice.unwrap_err().to_string(),
        "config.toml has an entry [providers.claude] already"
    );
    let absent = remove(path, TEXT, &name("codex")).unwrap_err();
    assert_eq!(
        absent.to_string(),
        "config.toml has no entry [providers.codex]"
    );
    assert!(remove(path, "", &name("codex")).is_err());
    let odd = add(path, "providers = 3\n", &[(name("a"), NewEntry::default())]);
    assert_eq!(
        odd.unwrap_err().to_string(),
        "config.toml cannot be edited: `providers` is no table"
    );
    assert!(remove(path, "[x\n", &name("codex")).is_err());
}

#[test]
fn a_change_that_does_not_pass_leaves_the_file_alone() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(FILE);
    std::fs::write(&file, TEXT).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    let edit = |text: &str| Ok(format!("{text}# more\n"));
    let refuse = |draft: &Path| -> Result<(), EditError> {
        assert!(
            std::fs::read_to_string(draft)
                .unwrap()
                .ends_with("# more\n")
        );
        Err(EditError::Absent {
            file: FILE.into(),
            name: name("x"),
        })
    };
    assert!(change(&file, "", edit, refuse).is_err());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), TEXT);
    let accept = |_: &Path| -> Result<(), EditError> { Ok(()) };
    change(&file, "", edit, accept).unwrap();
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        format!("{TEXT}# more\n")
    );
    let mode = std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o640);
    let left: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != FILE && name != "config.toml.lock")
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn changes_from_many_threads_all_arrive() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(FILE);
    std::thread::scope(|scope| {
        for n in 0..8 {
            let file = &file;
            scope.spawn(move || {
                let edit = |text: &str| {
                    let entry = (name(&format!("p{n}")), NewEntry::default());
                    add(file, text, &[entry])
                };
                change(file, "# fresh\n", edit, |_| -> Result<(), EditError> {
                    Ok(())
                })
                .unwrap();
            });
        }
    });
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("# fresh\n"), "{text}");
    let value: toml::Value = toml::from_str(&text).unwrap();
    assert_eq!(value["providers"].as_table().unwrap().len(), 8);
}
