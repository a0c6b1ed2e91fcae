//! Counts tokens with a real tokenizer: OpenAI's `o200k`, exact for OpenAI's models and, times a
//! measured factor, close for others. What is not exact says so (`≈`).

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tiktoken_rs::CoreBPE;

use crate::core::text::thousands;

/// The loaded tokenizer, about 60 MB. Process-wide because it is a constant table; behind a lock
/// so that a long-lived foreman can give the memory back.
static O200K: Mutex<Option<Arc<CoreBPE>>> = Mutex::new(None);

/// Longest piece handed to the tokenizer at once. Its pattern backtracks: a single run of a
/// million spaces would exceed the pattern engine's step limit, which panics.
const CHUNK: usize = 16 * 1024;

/// What lies beyond this is not tokenised: a quarter of a second per 2 MiB is enough.
const EXACT: usize = 2 * 1024 * 1024;

/// Tokens of `text` in `o200k`. Beyond 2 MiB the rest is counted as one token per two bytes,
/// which real text stays well below.
pub(crate) fn count(text: &str) -> u64 {
    if text.is_empty() {
        return 0;
    }
    let exact = &text[..text.floor_char_boundary(EXACT)];
    let rest = (text.len() - exact.len()).div_ceil(2) as u64;
    let Some(bpe) = tokenizer() else {
        return exact.len().div_ceil(2) as u64 + rest;
    };
    let counted: usize = chunks(exact)
        .map(|chunk| bpe.encode_ordinary(chunk).len())
        .sum();
    counted as u64 + rest
}

/// Tokens of `text`, about: for what is uncertain anyway. Loading the tokenizer would cost a
/// quarter of a second and 60 MB for every task that comes while nothing else runs. Written
/// after o200k's own first step, which cuts text at the same places; within a quarter of
/// [`count`] for prose and code.
pub(crate) fn about(text: &str) -> u64 {
    let mut tokens = 0;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let kind = Kind::of(first);
        let end = rest.find(|c| Kind::of(c) != kind).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        let n = run.chars().count() as u64;
        tokens += match kind {
            // One space belongs to the word behind it.
            Kind::Space if n == 1 => 0,
            Kind::Space | Kind::Break => 1,
            Kind::Latin => n.div_ceil(7),
            Kind::Digit => n.div_ceil(3),
            Kind::Sign => n.div_ceil(2),
            // Letters of other scripts: about three bytes each way.
            Kind::Other => (run.len() as u64).div_ceil(4),
        };
        rest = after;
    }
    tokens
}

/// Characters that stay together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Space,
    Break,
    Latin,
    Digit,
    Sign,
    Other,
}

impl Kind {
    fn of(c: char) -> Self {
        match c {
            '\n' | '\r' => Self::Break,
            ' ' | '\t' => Self::Space,
            '0'..='9' => Self::Digit,
            'a'..='z' | 'A'..='Z' | 'À'..='ɏ' => Self::Latin,
            c if c.is_ascii() => Self::Sign,
            _ => Self::Other,
        }
    }
}

/// Drops the tokenizer, and says whether there was one; the next count loads it again.
pub(crate) fn unload() -> bool {
    let mut loaded = O200K.lock().unwrap_or_else(PoisonError::into_inner);
    loaded.take().is_some()
}

fn tokenizer() -> Option<Arc<CoreBPE>> {
    let mut loaded = O200K.lock().unwrap_or_else(PoisonError::into_inner);
    if loaded.is_none() {
        // The table is compiled in; it cannot fail to parse. If it did, counts become bounds.
        *loaded = tiktoken_rs::o200k_base().ok().map(Arc::new);
    }
    loaded.clone()
}

/// Cuts text into pieces of at most `CHUNK` bytes. A cut between a line break and a letter or
/// digit changes no token; only text without such a place is cut elsewhere.
fn chunks(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let window = &rest[..rest.floor_char_boundary(CHUNK)];
        let at = if window.len() == rest.len() {
            window.len()
        } else {
            clean_cut(rest, window.len()).unwrap_or(window.len())
        };
        let (chunk, tail) = rest.split_at(at);
        rest = tail;
        Some(chunk)
    })
}

fn clean_cut(text: &str, limit: usize) -> Option<usize> {
    text[..limit]
        .rmatch_indices('\n')
        .map(|(at, _)| at + 1)
        .find(|at| text[*at..].starts_with(char::is_alphanumeric))
}

/// Which tokenizer a model uses, as far as its name tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// Counted exactly.
    OpenAi,
    /// Claude up to 4.6.
    Claude,
    /// Claude from 4.7 on; its tokenizer makes more tokens of the same text.
    NewClaude,
    Other,
}

impl Family {
    /// By the name of a model, or of a provider when the model is not known. A Claude without a
    /// version is taken for a new one: too many tokens reserved is the safe mistake.
    pub(crate) fn of(model: &str) -> Self {
        let name = model.to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|w| name.contains(w));
        if has(&["claude", "opus", "sonnet", "haiku", "fable", "mythos"]) {
            return match claude_version(&name) {
                Some(version) if version <= (4, 6) => Self::Claude,
                Some(_) | None => Self::NewClaude,
            };
        }
        if has(&["gpt", "codex", "chatgpt"]) || is_o_series(&name) {
            return Self::OpenAi;
        }
        Self::Other
    }

    /// Thousandths of an `o200k` token per token of this family. Claude: measured over Rust,
    /// Python, JavaScript, Markdown and plans (1.18 to 1.35, and 1.5 to 1.74); others have
    /// smaller vocabularies than o200k.
    fn factor(self) -> u64 {
        match self {
            Self::OpenAi => 1000,
            Self::Claude => 1250,
            Self::NewClaude => 1600,
            Self::Other => 1200,
        }
    }
}

/// `(major, minor)` out of `claude-opus-4-7`, `claude-3-5-haiku-20241022`, `sonnet-5`.
fn claude_version(name: &str) -> Option<(u32, u32)> {
    let mut numbers = name
        .split(|c: char| !c.is_ascii_alphanumeric())
        .skip_while(|part| part.parse::<u32>().is_err())
        .map_while(|part| part.parse::<u32>().ok())
        // A date is no version.
        .take_while(|n| *n < 100);
    let major = numbers.next()?;
    Some((major, numbers.next().unwrap_or(0)))
}

fn is_o_series(name: &str) -> bool {
    let last = name.rsplit('/').next().unwrap_or(name);
    let mut chars = last.chars();
    chars.next() == Some('o') && chars.next().is_some_and(|c| c.is_ascii_digit())
}

/// A number of tokens, and whether it is more than an approximation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tokens {
    pub(crate) n: u64,
    pub(crate) exact: bool,
}

impl fmt::Display for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.exact { "" } else { "≈" };
        f.pad(&format!("{mark}{}", thousands(self.n)))
    }
}

/// Tokens of `text` for a model, by name.
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "`goal plan` shows counts per model with it")
)]
pub(crate) fn for_model(model: &str, text: &str) -> Tokens {
    let family = Family::of(model);
    Tokens {
        n: scaled(count(text), family),
        exact: family == Family::OpenAi && text.len() <= EXACT,
    }
}

/// `o200k` tokens as tokens of `family`, rounded up.
pub(crate) fn scaled(tokens: u64, family: Family) -> u64 {
    tokens.saturating_mul(family.factor()).div_ceil(1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn counts_are_those_of_o200k() {
        assert_eq!(count(""), 0);
        assert_eq!(count("hello world"), 2);
        assert_eq!(count("tiktoken is great!"), 6);
    }

    #[test]
    fn what_is_counted_about_is_near_enough_and_needs_no_tokenizer() {
        let prose = include_str!("../../docs/reliability.md");
        let code = include_str!("tokens.rs");
        let german = "Die Anmeldung schlägt fehl, wenn der Name Umlaute enthält. Bitte die \
                      Prüfung ändern und einen Test dafür schreiben, der vorher rot war.\n";
        let task = "Fix the login page: it crashes on an empty password.\n\n- show an error\n\
                    - keep the name that was typed\n- add a test in tests/login.rs\n";
        for (name, text) in [
            ("prose", prose),
            ("code", code),
            ("german", german),
            ("task", task),
        ] {
            let ratio = about(text) as f64 / count(text) as f64;
            assert!((0.75..1.25).contains(&ratio), "{name}: {ratio}");
        }
        assert_eq!((about(""), about("hello world")), (0, 2));
    }

    #[test]
    fn long_ordinary_text_is_counted_as_if_it_were_whole() {
        let text = "fn main() {\n    println!(\"one {}\", 1);\n}\n\nlet x = 3;\n".repeat(600);
        let whole = tokenizer().unwrap().encode_ordinary(&text).len() as u64;
        assert!(text.len() > CHUNK);
        assert_eq!(count(&text), whole);
    }

    #[test]
    fn pathological_and_huge_text_is_counted_in_bounded_time() {
        for unit in [" ", "a", "A", "é", "\n", "\u{301}", "中", "🙂", "= ", "/\n"] {
            let text = unit.repeat(100_000);
            assert!(count(&text) <= text.len() as u64, "{unit:?}");
        }
        let huge = "word ".repeat(4_000_000);
        assert!(count(&huge) >= 4_000_000);
        assert!(unload());
        assert_eq!(count("hello world"), 2);
    }

    #[test]
    fn a_models_name_tells_its_factor() {
        for (name, family) in [
            ("gpt-5.2-codex", Family::OpenAi),
            ("o3-mini", Family::OpenAi),
            ("openai/o4", Family::OpenAi),
            ("claude-3-5-haiku-20241022", Family::Claude),
            ("claude-sonnet-4-20250514", Family::Claude),
            ("claude-opus-4-6", Family::Claude),
            ("claude-opus-4-7", Family::NewClaude),
            ("claude-sonnet-5", Family::NewClaude),
            ("sonnet", Family::NewClaude),
            ("qwen2.5-coder:7b", Family::Other),
            ("orca-mini", Family::Other),
        ] {
            assert_eq!(Family::of(name), family, "{name}");
        }
        assert_eq!(
            for_model("claude-opus-4-7", "hello world").to_string(),
            "≈4"
        );
        assert_eq!(for_model("gpt-5", "hello world").to_string(), "2");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn chunks_are_the_text_and_short(text in "(\\PC|\n| ){0,4000}") {
            let long = text.repeat(8);
            let parts: Vec<&str> = chunks(&long).collect();
            prop_assert_eq!(parts.concat(), long.clone());
            prop_assert!(parts.iter().all(|p| p.len() <= CHUNK));
        }
    }
}
