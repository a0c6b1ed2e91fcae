//! A goal understood by rules: which pieces of work it names, of what kind and size each is.

use std::sync::LazyLock;

use regex::Regex;

use super::kind::{Kind, classify};
use super::words::{POLITE, PRONOUNS, is_action, words};

/// Text longer than this is a specification, not a list of pieces.
const MAX_SPLIT: usize = 1500;
/// What lies beyond this is not looked at; agents get the goal itself besides.
const MAX_READ: usize = 64 * 1024;

/// One piece of work.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part {
    /// In the goal's own words.
    pub(super) text: String,
    pub(super) kind: Kind,
    /// What the verb is about.
    pub(super) object: String,
    /// Comes after the part before it, because the goal says so.
    pub(super) follows: bool,
}

/// A goal and its parts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Goal {
    /// Words before a list, which hold for each of its items.
    pub(super) intro: String,
    pub(super) parts: Vec<Part>,
}

impl Goal {
    /// `has_repository`: without one the goal is answered in words, and one answer can hold what
    /// an `and` joins.
    pub(super) fn read(text: &str, has_repository: bool) -> Self {
        let text = &text[..text.floor_char_boundary(MAX_READ)];
        let (intro, pieces) = pieces(text, has_repository);
        let mut parts: Vec<Part> = Vec::new();
        for (piece, follows) in pieces {
            let part = Part::read(&piece, follows, parts.last());
            match parts.last_mut() {
                Some(last) if belongs_to(&part, last) => last.take_in(&part),
                Some(_) | None => parts.push(part),
            }
        }
        Self { intro, parts }
    }
}

impl Part {
    fn read(text: &str, follows: bool, before: Option<&Self>) -> Self {
        let text = capitalised(without_politeness(text));
        let kind = classify(&text);
        let object = object_of(&text);
        let Some(before) = before.filter(|_| is_bare(&object)) else {
            return Self {
                text,
                kind,
                object,
                follows,
            };
        };
        // "Document it" would say nothing to an agent that sees only this part.
        let object = before.object.clone();
        let text = match kind {
            Kind::Docs => format!("Document {object}"),
            Kind::Review => format!("Review {object}"),
            Kind::Tests
            | Kind::Trivial
            | Kind::Feature
            | Kind::Bug
            | Kind::FailingTests
            | Kind::Refactor
            | Kind::Migration
            | Kind::Upgrade
            | Kind::Removal
            | Kind::Performance
            | Kind::Change
            | Kind::Release
            | Kind::Design
            | Kind::Research => text,
        };
        Self {
            text,
            kind,
            object,
            follows,
        }
    }

    fn take_in(&mut self, other: &Self) {
        let joint = if self.text.ends_with(['.', '!', '?', ':']) {
            " "
        } else {
            "; "
        };
        let next = if joint == " " {
            other.text.clone()
        } else {
            uncapitalised(&other.text)
        };
        self.text.push_str(joint);
        self.text.push_str(&next);
        // "Find out why … and fix it" is a fix.
        if self.kind == Kind::Research && other.kind.changes() {
            self.kind = other.kind;
        }
    }
}

/// Whether one agent should do both in one go: tests of what it just wrote, a fix of what it just
/// found, two trifles. Documentation is a bead of its own, which a cheaper provider can take.
fn belongs_to(part: &Part, last: &Part) -> bool {
    let bare = is_bare(&object_of(&part.text));
    match part.kind {
        Kind::Tests => bare && last.kind.changes(),
        Kind::Trivial => last.kind == Kind::Trivial,
        Kind::Docs | Kind::Release | Kind::Review => false,
        Kind::Feature
        | Kind::Bug
        | Kind::FailingTests
        | Kind::Refactor
        | Kind::Migration
        | Kind::Upgrade
        | Kind::Removal
        | Kind::Performance
        | Kind::Change
        | Kind::Design
        | Kind::Research => bare,
    }
}

/// Whether an object names nothing of its own: `it`, `tests for it`, `unit tests`.
fn is_bare(object: &str) -> bool {
    words(object).iter().all(|word| {
        PRONOUNS.contains(&word.as_str())
            || matches!(
                word.as_str(),
                "test"
                    | "tests"
                    | "unit"
                    | "integration"
                    | "for"
                    | "the"
                    | "a"
                    | "some"
                    | "all"
                    | "docs"
                    | "documentation"
                    | "of"
                    | "to"
                    | "with"
                    | "result"
                    | "results"
                    | "too"
                    | "thoroughly"
                    | "properly"
                    | "well"
                    | "pass"
            )
    })
}

fn pieces(text: &str, has_repository: bool) -> (String, Vec<(String, bool)>) {
    let text = text.trim();
    if text.contains("```") {
        return (String::new(), vec![(text.to_owned(), false)]);
    }
    if let Some((intro, items)) = list(text) {
        return (intro, items);
    }
    if text.len() > MAX_SPLIT {
        return (String::new(), vec![(text.to_owned(), false)]);
    }
    (String::new(), sentences(text, has_repository))
}

/// The items of a bulleted or numbered list, if most of them name work; a list of details
/// belongs to the one piece of work above it. Numbers mean an order.
fn list(text: &str) -> Option<(String, Vec<(String, bool)>)> {
    static ITEM: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^\s*(?:[-*•]|(\d{1,2})[.)])\s+(?:\[([ xX])\]\s+)?(.+)$")
            .expect("invariant: the pattern is valid")
    });
    let mut intro = String::new();
    let mut items: Vec<(String, bool)> = Vec::new();
    let mut in_done_item = false;
    for line in text.lines() {
        if let Some(found) = ITEM.captures(line) {
            in_done_item = found.get(2).is_some_and(|m| m.as_str() != " ");
            if !in_done_item {
                let numbered = found.get(1).is_some();
                items.push((found[3].trim().to_owned(), numbered && !items.is_empty()));
            }
        } else if line.trim().is_empty() {
            in_done_item = false;
        } else if line.starts_with([' ', '\t']) && (in_done_item || !items.is_empty()) {
            if let Some((item, _)) = items.last_mut().filter(|_| !in_done_item) {
                item.push(' ');
                item.push_str(line.trim());
            }
        } else {
            intro.push(' ');
            intro.push_str(line.trim());
        }
    }
    let working = items.iter().filter(|(item, _)| names_work(item)).count();
    (items.len() >= 2 && working * 2 > items.len()).then(|| (intro.trim().to_owned(), items))
}

fn names_work(text: &str) -> bool {
    text.trim_end().ends_with('?')
        || words(without_politeness(text))
            .first()
            .is_some_and(|word| is_action(word))
}

/// Cuts at `;`, at sentence ends, at "then", and at commas and "and" in front of a verb.
fn sentences(text: &str, has_repository: bool) -> Vec<(String, bool)> {
    static CUT: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(concat!(
            r"(?i)(?P<hard>\s*;\s*(?P<semi_then>(?:and\s+)?then\s+)?)",
            r"|(?P<stop>[.!]\s+)",
            r"|(?P<then>[,.]?\s+(?:and\s+)?(?:then|afterwards|after that,?|finally,?)\s+)",
            r"|(?P<soft>,\s+(?:and\s+)?(?:also\s+)?|\s+and\s+(?:also\s+)?)",
        ))
        .expect("invariant: the pattern is valid")
    });
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut out: Vec<(String, bool)> = Vec::new();
    let mut start = 0;
    let mut follows = false;
    for found in CUT.captures_iter(&text) {
        let whole = found.get(0).expect("invariant: group 0 always matches");
        if whole.start() < start || is_quoted(&text[..whole.start()]) {
            continue;
        }
        let left = &text[start..whole.start()];
        let right = &text[whole.end()..];
        let then = found.name("then").is_some() || found.name("semi_then").is_some();
        let cut = if found.name("hard").is_some() {
            !left.trim().is_empty() && !right.trim().is_empty()
        } else if found.name("stop").is_some() || then {
            starts_work(right)
        } else {
            has_repository && joins_work(left, right)
        };
        if cut {
            out.push((left.to_owned(), follows));
            start = whole.end();
            follows = then;
        }
    }
    out.push((text[start..].to_owned(), follows));
    out
}

/// Inside quotation marks, code or brackets nothing is cut.
fn is_quoted(before: &str) -> bool {
    let odd = |c: char| before.matches(c).count() % 2 == 1;
    odd('"') || odd('`') || before.matches('(').count() > before.matches(')').count()
}

fn starts_work(text: &str) -> bool {
    let words = words(without_politeness(text));
    let is_object = |word: &String| !matches!(word.as_str(), "and" | "or");
    match words.as_slice() {
        [verb, next, ..] if verb == "test" => {
            PRONOUNS.contains(&next.as_str()) || matches!(next.as_str(), "the" | "that")
        }
        [verb, next, ..] => is_action(verb) && is_object(next),
        [] | [_] => false,
    }
}

/// Whether a comma or "and" stands between two pieces of work, and not between two nouns, two
/// verbs of one object, or two infinitives ("to create users and delete posts").
fn joins_work(left: &str, right: &str) -> bool {
    if !starts_work(right) {
        return false;
    }
    let left_words = words(without_politeness(left));
    let first = left_words.first().is_some_and(|word| is_action(word));
    let last = left_words
        .last()
        .is_some_and(|word| is_action(word) || matches!(word.as_str(), "to" | "not"));
    let infinitive = left_words.windows(2).any(|pair| {
        pair[0] == "to" && is_action(&pair[1]) || matches!(pair[0].as_str(), "that" | "which")
    });
    let right_kind = classify(right);
    let aside = matches!(right_kind, Kind::Docs | Kind::Tests | Kind::Release);
    first && !last && left_words.len() >= 2 && (!infinitive || aside)
}

pub(super) fn without_politeness(text: &str) -> &str {
    let mut text = text.trim();
    while let Some(prefix) = POLITE.iter().find(|prefix| {
        text.get(..prefix.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(prefix))
    }) {
        text = text[prefix.len()..].trim_start();
    }
    text
}

/// The first sentence without its verb and article: "Add a dark mode." is about "dark mode".
fn object_of(text: &str) -> String {
    let sentence = first_sentence(text);
    let mut rest = sentence;
    for _ in 0..2 {
        let (word, tail) = rest.split_once(' ').unwrap_or((rest, ""));
        let lower = word.to_lowercase();
        let at_verb = rest.len() == sentence.len() && is_action(&lower);
        if at_verb || matches!(lower.as_str(), "a" | "an" | "some" | "support") {
            rest = tail;
        }
    }
    rest.trim_end_matches(['.', '!', '?', ':', ','])
        .trim()
        .to_owned()
}

pub(super) fn first_sentence(text: &str) -> &str {
    let line = text.trim().lines().next().unwrap_or_default().trim();
    let end = line
        .match_indices(['.', '!', '?'])
        .map(|(at, mark)| at + mark.len())
        .find(|at| line[*at..].starts_with(' '));
    line[..end.unwrap_or(line.len())].trim()
}

pub(super) fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        // A name that begins small, such as `npm_test` or iOS, keeps its form.
        Some(first)
            if text
                .split(' ')
                .next()
                .is_some_and(|word| word.chars().all(char::is_lowercase)) =>
        {
            first.to_uppercase().chain(chars).collect()
        }
        Some(_) | None => text.to_owned(),
    }
}

fn uncapitalised(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) if chars.clone().next().is_some_and(char::is_lowercase) => {
            first.to_lowercase().chain(chars).collect()
        }
        Some(_) | None => text.to_owned(),
    }
}
