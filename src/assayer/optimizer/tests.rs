use pretty_assertions::assert_eq;
use proptest::prelude::*;

use super::*;

#[test]
fn each_transform_does_its_work_and_is_named() {
    let long = "This paragraph of context is long enough to be worth pointing back to. ".repeat(4);
    let cases: &[(&str, &str, &[&str])] = &[
        ("a  \r\nb\r\n", "a\nb\n", &["trailing whitespace"]),
        ("a\n\n\n\n\nb", "a\n\nb", &["blank lines"]),
        ("\u{feff}a\u{200b}b", "ab", &["invisible characters"]),
        (
            "\u{1b}[31mred\u{1b}[0m \u{1b}]0;t\u{7}x",
            "red x",
            &["escapes"],
        ),
        (
            "connection refused, retrying\nconnection refused, retrying\nconnection refused, retrying",
            "connection refused, retrying [3 times]",
            &["repeated lines"],
        ),
    ];
    for (before, after, names) in cases {
        let got = optimize(before);
        assert_eq!(
            (got.text.as_str(), got.transforms.as_slice()),
            (*after, *names)
        );
    }
    let got = optimize(&format!("{long}\n\nmiddle\n\n{long}"));
    assert!(
        got.text
            .ends_with("[the same as above: This paragraph of context is long enough…]"),
        "{}",
        got.text
    );
    assert!(got.tokens < got.original_tokens);
}

#[test]
fn code_quotes_tables_and_clean_text_stay_as_they_are() {
    for text in [
        "",
        "Do it.\n\n- one\n- two\n",
        "```\na  \n\n\n\n\u{1b}[31mx\nsame same same same\nsame same same same\nsame same same same\n```",
        "~~~ yaml\na:  \n\n\n~~~",
        "````\n```\nx  \n```\ny  \n````",
        "> quoted  \n> quoted  ",
        "    indented code  \n\tand with a tab  ",
        "| a | b |\n| a | b |\n| a | b |",
        "an open fence\n```\nx  \n\n\n\ny",
    ] {
        let got = optimize(text);
        assert_eq!((got.text.as_str(), got.transforms.len()), (text, 0));
    }
}

fn prompt() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[a-z]{1,8}( [a-z0-9_./-]{1,10}){0,6}[ \t]{0,3}",
        Just(String::new()),
        Just("   ".to_owned()),
        Just("```".to_owned()),
        Just("```rust".to_owned()),
        Just("~~~~".to_owned()),
        Just("    let x = 1;  ".to_owned()),
        Just("> quoted \u{1b}[1m".to_owned()),
        Just("\u{1b}[0m```".to_owned()),
        Just("warning: unused variable `x` at src/main.rs:10".to_owned()),
        Just("- criterion: exits with 0 when `--help` is given ".to_owned()),
        Just("word ".repeat(50)),
        "\\PC{0,20}\r?",
    ];
    prop::collection::vec((piece, 1usize..5), 0..20).prop_map(|pieces| {
        let lines: Vec<String> = pieces
            .into_iter()
            .flat_map(|(text, n)| vec![text; n])
            .collect();
        lines.join("\n")
    })
}

/// Words of the text, however often each stands there.
fn words(text: &str) -> BTreeSet<String> {
    let plain = ESCAPES
        .replace_all(text, "")
        .replace(['\u{feff}', '\u{200b}', '\u{2060}'], "");
    plain.split_whitespace().map(str::to_owned).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn nothing_said_is_lost_and_nothing_gets_longer(text in prompt()) {
        let once = optimize(&text);
        prop_assert!(once.text.len() <= text.len());
        prop_assert!(once.tokens <= once.original_tokens);
        if !once.transforms.is_empty() {
            prop_assert_eq!(tokens::count(&once.text), once.tokens);
        }
        let (had, has) = (words(&text), words(&once.text));
        let lost: Vec<_> = had.difference(&has).collect();
        prop_assert!(lost.is_empty(), "{:?}", lost);
        for line in lines(&text).iter().filter(|line| line.kept) {
            prop_assert!(once.text.contains(&line.text), "{:?}", line);
        }
    }

    #[test]
    fn a_second_time_changes_nothing(text in prompt()) {
        let once = optimize(&text).text;
        prop_assert_eq!(optimize(&once).text, once.clone());
    }
}
