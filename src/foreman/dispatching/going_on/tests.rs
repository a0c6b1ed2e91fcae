//! What is gone on with after each kind of end.

use pretty_assertions::assert_eq;

use super::*;
use crate::config::ProviderSettings;
use crate::core::{Clock, Ids};
use crate::provider::Class;

fn provider(kind: ProviderKind) -> Provider {
    Provider {
        kind,
        entry: ProviderSettings::default(),
        program: Some("/bin/agent".into()),
        unusable: None,
    }
}

fn attempt(status: &str) -> Attempt {
    Attempt {
        id: Ids::seeded(Clock::system(), 1).attempt(),
        bead_id: "gt-a1b2c".parse().unwrap(),
        number: 1,
        provider: "first".parse().unwrap(),
        model: None,
        owner: String::new(),
        status: status.to_owned(),
        rule: None,
        message: None,
        session_id: Some("s".to_owned()),
        resumes: None,
        worktree: None,
        base_commit: None,
        commit_id: None,
        pgid: None,
        process_started: None,
        marker: None,
        log_path: None,
        exit_code: None,
        started_at: "2026-11-20T08:00:00Z".parse().unwrap(),
        finished_at: None,
    }
}

/// The session that is resumed by `kind` under this name, after an end of `first`.
fn resumed(kind: ProviderKind, name: &str, status: &str) -> Option<String> {
    let last = attempt(status);
    let (name, refused) = (name.parse().unwrap(), Refused::default());
    let goes_on = Continuation::of(&provider(kind), &name, Some(&last), &refused);
    assert!(goes_on.keeps_worktree, "never from blank: {status}");
    goes_on.session
}

#[test]
fn a_session_is_resumed_after_ends_that_left_it_sound_and_never_after_others() {
    let mut sound: Vec<&str> = Vec::new();
    let ends = Class::ALL.iter().map(|class| class.as_str());
    for status in ends.chain(["lost"]) {
        if resumed(ProviderKind::Claude, "first", status).is_some() {
            sound.push(status);
        }
        // Its own provider only.
        assert_eq!(
            resumed(ProviderKind::Claude, "second", status),
            None,
            "{status}"
        );
    }
    assert_eq!(
        sound,
        [
            "done",
            "limit",
            "rate_limited",
            "overloaded",
            "out_of_credit",
            "auth",
            "network",
            "stopped",
            "lost",
        ]
    );
    assert_eq!(resumed(ProviderKind::Gemini, "first", "limit"), None);
    assert!(resumed(ProviderKind::Gemini, "first", "done").is_some());
}

#[test]
fn each_kind_goes_on_with_what_it_can_and_with_the_worktree_always() {
    let agents = [
        ProviderKind::Claude,
        ProviderKind::Codex,
        ProviderKind::Gemini,
        ProviderKind::Opencode,
        ProviderKind::Command,
        ProviderKind::Sim,
    ];
    // (end, resumed by Gemini CLI, resumed by the others)
    for (status, by_gemini, by_others) in [
        ("done", true, true),
        ("limit", false, true),
        ("lost", false, true),
        ("stopped", false, true),
        ("context_too_long", false, false),
        ("failed", false, false),
        ("runaway", false, false),
        ("silent", false, false),
        ("broken", false, false),
    ] {
        for kind in agents {
            let want = if kind == ProviderKind::Gemini {
                by_gemini
            } else {
                by_others
            };
            let got = resumed(kind, "first", status);
            assert_eq!(got.is_some(), want, "{kind} after {status}");
        }
    }
    // A model that is asked over HTTP keeps no session: it gets worktree and note.
    let model = Provider {
        program: None,
        ..provider(ProviderKind::Openai)
    };
    let (name, refused) = ("first".parse().unwrap(), Refused::default());
    let goes_on = Continuation::of(&model, &name, Some(&attempt("limit")), &refused);
    assert_eq!((goes_on.keeps_worktree, goes_on.session), (true, None));
}
