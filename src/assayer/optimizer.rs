//! Tightens a prompt without touching what it says: deterministic transforms, outside of fenced,
//! quoted and indented text only. What was saved is measured with the tokenizer, never claimed;
//! a result that is not shorter is thrown away.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::tokens;

/// A prompt, before and after, in `o200k` tokens: counted where something was gained, else about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Optimized {
    pub(crate) text: String,
    pub(crate) original_tokens: u64,
    pub(crate) tokens: u64,
    /// Names of the transforms that changed something.
    pub(crate) transforms: Vec<&'static str>,
}

/// Shorter repeated blocks cost less than the words that point back to them.
const MIN_BLOCK: usize = 200;
/// Shorter lines may be a rule, a bracket, a table's edge.
const MIN_LOG_LINE: usize = 16;
/// One transform can make room for another; more rounds than this never change anything real.
const ROUNDS: usize = 8;

pub(crate) fn optimize(text: &str) -> Optimized {
    let unchanged = |tokens| Optimized {
        text: text.to_owned(),
        original_tokens: tokens,
        tokens,
        transforms: Vec::new(),
    };
    let mut applied = BTreeSet::new();
    let mut current = text.to_owned();
    for _ in 0..ROUNDS {
        let next = round(&current, &mut applied);
        if next == current {
            break;
        }
        current = next;
    }
    if applied.is_empty() || current.len() >= text.len() {
        return unchanged(tokens::about(text));
    }
    let (original_tokens, tokens) = (tokens::count(text), tokens::count(&current));
    if tokens > original_tokens {
        return unchanged(original_tokens);
    }
    Optimized {
        text: current,
        original_tokens,
        tokens,
        transforms: applied.into_iter().collect(),
    }
}

fn round(text: &str, applied: &mut BTreeSet<&'static str>) -> String {
    let mut lines = lines(text);
    let mut step = |name: &'static str, transform: fn(&[Line]) -> Vec<Line>| {
        let after = transform(&lines);
        if after != lines {
            applied.insert(name);
            lines = after;
        }
    };
    step("escapes", |lines| {
        plain(lines, |line| ESCAPES.replace_all(line, "").into_owned())
    });
    step("invisible characters", |lines| {
        plain(lines, without_invisible)
    });
    step("trailing whitespace", |lines| {
        plain(lines, |line| line.trim_end().to_owned())
    });
    step("blank lines", blank_lines);
    step("repeated lines", repeated_lines);
    step("repeated blocks", repeated_blocks);
    let texts: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
    texts.join("\n")
}

/// Colours and cursor movements, and operating-system commands that end on their line.
static ESCAPES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new("\u{1b}\\[[0-9;:?]*[ -/]*[@-~]|\u{1b}\\][^\u{7}\u{1b}]*(?:\u{7}|\u{1b}\\\\)")
        .expect("invariant: the pattern is valid")
});

/// Byte order marks, zero-width spaces and word joiners; joiners that form letters stay.
fn without_invisible(line: &str) -> String {
    line.replace(['\u{feff}', '\u{200b}', '\u{2060}'], "")
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    text: String,
    /// Fenced, quoted or indented: never touched.
    kept: bool,
}

fn lines(text: &str) -> Vec<Line> {
    let mut open: Option<(char, usize)> = None;
    text.split('\n')
        .map(|line| {
            // As it will look: what hides in front of a fence must not make two texts of one.
            let shown = without_invisible(&ESCAPES.replace_all(line, ""));
            let mark = fence_mark(&shown);
            let kept = match (open, mark) {
                (Some((c, n)), Some((mark, length, bare))) if mark == c && length >= n && bare => {
                    open = None;
                    true
                }
                (Some(_), _) => true,
                (None, Some((mark, length, _))) => {
                    open = Some((mark, length));
                    true
                }
                (None, None) => is_verbatim(&shown),
            };
            Line {
                text: line.to_owned(),
                kept,
            }
        })
        .collect()
}

/// Character and length of a fence line, and whether nothing stands behind it (CommonMark 4.5).
fn fence_mark(line: &str) -> Option<(char, usize, bool)> {
    let body = line.trim_start_matches(' ');
    if line.len() - body.len() > 3 {
        return None;
    }
    let mark = body.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let length = body.chars().take_while(|c| *c == mark).count();
    let rest = &body[length..];
    let is_fence = length >= 3 && !(mark == '`' && rest.contains('`'));
    is_fence.then(|| (mark, length, rest.trim().is_empty()))
}

fn is_verbatim(line: &str) -> bool {
    let content = !line.trim().is_empty();
    content
        && (line.starts_with("    ")
            || line.starts_with('\t')
            || line.trim_start().starts_with('>'))
}

fn plain(lines: &[Line], change: fn(&str) -> String) -> Vec<Line> {
    lines
        .iter()
        .map(|line| Line {
            text: if line.kept {
                line.text.clone()
            } else {
                change(&line.text)
            },
            kept: line.kept,
        })
        .collect()
}

fn is_blank(line: &Line) -> bool {
    !line.kept && line.text.is_empty()
}

fn blank_lines(lines: &[Line]) -> Vec<Line> {
    let mut out: Vec<Line> = Vec::with_capacity(lines.len());
    for line in lines {
        if !(is_blank(line) && out.last().is_some_and(is_blank)) {
            out.push(line.clone());
        }
    }
    out
}

/// Three or more equal lines in a row, as logs have them, become one with their number.
fn repeated_lines(lines: &[Line]) -> Vec<Line> {
    let mut out = Vec::with_capacity(lines.len());
    for group in lines.chunk_by(|a, b| a == b) {
        let first = &group[0];
        let is_log = !first.kept
            && first.text.len() >= MIN_LOG_LINE
            && first.text.chars().any(char::is_alphabetic)
            && !first.text.trim_start().starts_with(['|', '-', '*']);
        if group.len() >= 3 && is_log {
            out.push(Line {
                text: format!("{} [{} times]", first.text, group.len()),
                kept: false,
            });
        } else {
            out.extend_from_slice(group);
        }
    }
    out
}

/// A paragraph that stood before word for word is replaced by a pointer to it.
fn repeated_blocks(lines: &[Line]) -> Vec<Line> {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut out = Vec::with_capacity(lines.len());
    for block in lines.chunk_by(|a, b| is_blank(a) == is_blank(b)) {
        let texts: Vec<&str> = block.iter().map(|line| line.text.as_str()).collect();
        let text = texts.join("\n");
        let eligible = text.len() >= MIN_BLOCK && block.iter().all(|line| !line.kept);
        if eligible && !seen.insert(text.clone()) {
            let start: String = text.chars().take(40).take_while(|c| *c != '\n').collect();
            out.push(Line {
                text: format!("[the same as above: {}…]", start.trim_end()),
                kept: false,
            });
        } else {
            out.extend_from_slice(block);
        }
    }
    out
}

#[cfg(test)]
mod tests;
