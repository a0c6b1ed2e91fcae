use pretty_assertions::assert_eq;

use super::*;
use crate::policy::truth::Truth;

#[test]
fn a_bead_without_a_convoy_is_in_none_and_an_unknown_model_may_be_any() {
    let bare = Facts {
        convoy: Vec::new(),
        repo: None,
        model: None,
        ..facts()
    };
    let deny = |when: &str| short(&rules(&[("r", "global", when, "\"deny\"")]), &bare).0;
    assert_eq!(deny("convoy = \"*\""), Action::Approve);
    assert_eq!(deny("convoy = \"!night*\""), Action::Deny);
    assert_eq!(deny("repo = \"*\""), Action::Approve);
    // Nobody said that it is not opus.
    assert_eq!(deny("model = \"opus*\""), Action::Deny);
}

#[test]
fn what_is_not_known_is_never_silently_approved() {
    let unknown = Facts {
        windows: None,
        ..facts()
    };
    let low = "window_ratio = \"< 20%\"";
    let text =
        |action: &str, more: &str| format!("{more}{}", rules(&[("low", "global", low, action)]));
    let of = |action: &str, more: &str, facts: &Facts| {
        let v = verdict(&text(action, more), facts);
        (v.action, v.warnings.len(), v.until.is_some())
    };
    let busy = Facts {
        in_flight: 1,
        ..unknown.clone()
    };
    // deny and modify act, the waiting ones let one run find out.
    assert_eq!(of("\"deny\"", "", &unknown), (Action::Deny, 0, false));
    assert_eq!(
        of("\"modify\"\nmodel = \"haiku\"", "", &unknown).0,
        Action::Modify
    );
    assert_eq!(of("\"defer\"", "", &unknown), (Action::Warn, 1, false));
    assert_eq!(of("\"defer\"", "", &busy), (Action::Defer, 0, false));
    assert_eq!(
        of("\"delay\"\nwait = \"5m\"", "", &busy),
        (Action::Delay, 0, false)
    );
    let act = "unknown = \"act\"\n";
    assert_eq!(of("\"defer\"", act, &unknown), (Action::Defer, 0, true));
    let warn = "unknown = \"warn\"\n";
    assert_eq!(of("\"deny\"", warn, &unknown), (Action::Warn, 1, false));
    // An approval needs to be sure.
    let deny = "default = \"deny\"\n";
    let plenty = rules(&[(
        "plenty",
        "global",
        "window_ratio = \"> 50%\"",
        "\"approve\"",
    )]);
    assert_eq!(short(&format!("{deny}{plenty}"), &unknown).0, Action::Deny);
    // Nor does a rule that cannot be judged hide the one behind it.
    let behind =
        text("\"deny\"\nunknown = \"warn\"", "") + &rules(&[("no", "global", "", "\"deny\"")]);
    assert_eq!(short(&behind, &unknown).1, "no");
}

#[test]
fn one_unknown_window_may_be_the_smallest() {
    let some = Facts {
        windows: Some(vec![
            window("5h", Some(0.6), "2026-11-20T12:00:00Z"),
            WindowFacts {
                ratio: None,
                ..window("7d", None, "2026-11-24T00:00:00Z")
            },
        ]),
        ..facts()
    };
    let matched = |when: &str| {
        let policy = policy(&rules(&[("r", "global", when, "\"deny\"")]));
        explain(&policy, &some, now())[0].matched
    };
    assert_eq!(matched("window_ratio = \"< 70%\""), Truth::Yes);
    assert_eq!(matched("window_ratio = \"< 50%\""), Truth::Unknown);
    assert_eq!(matched("window_ratio = \"> 60%\""), Truth::No);
    assert_eq!(
        matched("window = \"5h\", window_ratio = \"> 50%\""),
        Truth::Yes
    );
    assert_eq!(matched("seconds_to_reset = \"> 1h\""), Truth::Yes);
    assert_eq!(matched("seconds_to_reset = \"> 1d\""), Truth::Unknown);
    assert_eq!(matched("p_exhausted = \"> 50%\""), Truth::Unknown);
}
