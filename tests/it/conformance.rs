//! The matrix of real programs and of what can happen to them at a provider's server. Running it
//! takes the programs (`just conformance`); that docs/conformance.md has the table of this very
//! matrix is tested here.

use std::collections::BTreeSet;

/// Where the table is kept.
pub(crate) const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/conformance.md");

/// The programs, as npm has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    Claude,
    Codex,
    Gemini,
    Opencode,
}

impl Program {
    pub(crate) const ALL: [Self; 4] = [Self::Claude, Self::Codex, Self::Gemini, Self::Opencode];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Codex => "codex",
            Self::Gemini => "gemini",
            Self::Opencode => "opencode",
        }
    }
}

/// What the server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scenario {
    Ok,
    Warning,
    Limit,
    RetryAfter,
    NoRetryAfter,
    Overloaded,
    NoCredit,
    BadKey,
    WrongModel,
    Hang,
    HangInStream,
    Malformed,
    Truncated,
    LimitInMidRun,
}

impl Scenario {
    pub(crate) const ALL: [Self; 14] = [
        Self::Ok,
        Self::Warning,
        Self::Limit,
        Self::RetryAfter,
        Self::NoRetryAfter,
        Self::Overloaded,
        Self::NoCredit,
        Self::BadKey,
        Self::WrongModel,
        Self::Hang,
        Self::HangInStream,
        Self::Malformed,
        Self::Truncated,
        Self::LimitInMidRun,
    ];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "near the limit",
            Self::Limit => "limit of the plan",
            Self::RetryAfter => "429 with retry-after",
            Self::NoRetryAfter => "429 without retry-after",
            Self::Overloaded => "overloaded",
            Self::NoCredit => "out of credit",
            Self::BadKey => "bad key",
            Self::WrongModel => "wrong model",
            Self::Hang => "hang before the answer",
            Self::HangInStream => "hang in the answer",
            Self::Malformed => "malformed answer",
            Self::Truncated => "truncated answer",
            Self::LimitInMidRun => "limit in mid-run",
        }
    }
}

/// Program and scenario of every row.
pub(crate) fn matrix() -> Vec<(Program, Scenario)> {
    let all = |program| Scenario::ALL.map(|scenario| (program, scenario));
    Program::ALL.into_iter().flat_map(all).collect()
}

#[test]
fn the_table_in_the_docs_is_of_this_matrix() {
    let text = std::fs::read_to_string(PAGE).expect("docs/conformance.md");
    let rows: Vec<(String, String)> = text
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| ")?.split(" | ");
            Some((
                cells.next()?.trim().to_owned(),
                cells.next()?.trim().to_owned(),
            ))
        })
        .filter(|(program, _)| program != "program" && !program.starts_with("---"))
        .collect();
    let wanted: Vec<(String, String)> = matrix()
        .into_iter()
        .map(|(program, scenario)| (program.name().to_owned(), scenario.title().to_owned()))
        .collect();
    assert_eq!(rows, wanted, "UPDATE_DOCS=1 just conformance");
    let last = text.lines().last().unwrap_or_default();
    assert_eq!(last, format!("conformance: {0} of {0}", wanted.len()));
    assert_eq!(
        wanted.iter().collect::<BTreeSet<_>>().len(),
        wanted.len(),
        "a row is there twice"
    );
}
