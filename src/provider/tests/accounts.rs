//! Two entries of one kind are two accounts, which share nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::super::{RunPlan, Secrets, Session, command, files, log_after_run};
use crate::config::{Paths, ProviderSettings};
use crate::core::{Permission, ProviderKind, ProviderName, Way};

/// Everything that a run of the account is given, as one text.
fn given(kind: ProviderKind, name: &str, key: Option<&str>, home: Option<&str>) -> String {
    let name: ProviderName = name.parse().expect("a name");
    let entry = ProviderSettings {
        kind: Some(kind),
        config_home: home.map(PathBuf::from),
        permission: Permission::Edit,
        ..ProviderSettings::default()
    };
    let secrets = key.map_or_else(Secrets::default, |key| {
        Secrets::with_key(SecretString::from(key.to_owned()))
    });
    let own = Paths::new(PathBuf::from("/rigs"), None).agent_home(&name);
    let plan = RunPlan {
        name: &name,
        entry: &entry,
        program: Path::new("/bin/agent"),
        prompt: "x",
        system: None,
        workdir: Path::new("/work"),
        permission: Permission::Edit,
        model: Some("openai/m"),
        session: Session::New("0199a000-0000-7000-8000-000000000001".into()),
        env: BTreeMap::from([("HOME".to_owned(), "/home/dev".into())]),
        secrets: &secrets,
        scratch: Path::new("/run"),
        home: &own,
    };
    let spec = command(&plan).expect("a command");
    let log = log_after_run(kind, &spec, "0199a000-0000-7000-8000-000000000001");
    format!("{spec:?} {:?} {log:?}", files(&plan).expect("files"))
}

#[test]
fn two_accounts_of_one_agent_share_neither_key_nor_home_nor_log() {
    let agents = ProviderKind::ALL
        .iter()
        .filter(|kind| kind.way() == Way::Agent);
    for kind in agents {
        let one = given(*kind, "one", Some("key-of-one"), Some("/accounts/one"));
        let two = given(*kind, "two", Some("key-of-two"), Some("/accounts/two"));
        for (mine, others) in [("one", &two), ("two", &one)] {
            assert!(
                !others.contains(&format!("key-of-{mine}")),
                "{kind}: {others}"
            );
            assert!(
                !others.contains(&format!("/accounts/{mine}")),
                "{kind}: {others}"
            );
        }
        assert!(one.contains("/accounts/one"), "{kind}: {one}");
    }
}

#[test]
fn without_a_home_of_its_own_an_account_of_gemini_gets_one_by_its_name() {
    let one = given(ProviderKind::Gemini, "one", Some("k"), None);
    let two = given(ProviderKind::Gemini, "two", Some("k"), None);
    assert!(one.contains("/rigs/agents/one") && !one.contains("/rigs/agents/two"));
    assert!(two.contains("/rigs/agents/two") && !two.contains("/rigs/agents/one"));
}
