//! The few lines of a long output that tell an agent what failed.

use std::sync::LazyLock;

use regex::Regex;

use crate::core::redact;
use crate::core::text::{clean, ellipsis, middle_out};

const MAX: usize = 4000;
const MAX_LINE: usize = 300;
/// The end of an output usually sums it up.
const TAIL: usize = 30;
const FAILING: usize = 40;

/// Lines that name failures, then the end; cleaned, redacted, bounded.
pub(super) fn summary(stdout: &str, stderr: &str) -> String {
    let parts: Vec<String> = [stdout, stderr]
        .into_iter()
        .filter(|stream| !stream.trim().is_empty())
        .map(of_stream)
        .collect();
    let budget = MAX / parts.len().max(1);
    let parts: Vec<String> = parts.iter().map(|part| middle_out(part, budget)).collect();
    redact::redact(&parts.join("\n"))
}

fn of_stream(stream: &str) -> String {
    let text: Vec<&str> = stream
        .split('\n')
        // What a progress bar drew over is not worth reading.
        .map(|line| {
            line.trim_end_matches('\r')
                .rsplit('\r')
                .next()
                .unwrap_or(line)
        })
        .collect();
    let text = clean(&text.join("\n"));
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .collect();
    let tail_start = lines.len().saturating_sub(TAIL);
    let failing: Vec<&str> = lines[..tail_start]
        .iter()
        .copied()
        .filter(|line| FAILURE.is_match(line))
        .take(FAILING)
        .collect();
    let mut kept = failing;
    if tail_start > 0 {
        kept.push("…");
    }
    kept.extend(&lines[tail_start..]);
    without_repeats(&kept)
}

static FAILURE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?i)\b(error|errors|failed|failure|failures|fail|panicked|assert\w*|exception|traceback",
        r"|expected|actual|undefined|cannot|not ok)\b|[✗✕×❌]|^E  |FAILED|^\s*(left|right):",
    ))
    .expect("invariant: the pattern is valid")
});

fn without_repeats(lines: &[&str]) -> String {
    let groups: Vec<String> = lines
        .chunk_by(|a, b| a == b)
        .map(|group| {
            let line = ellipsis(group[0], MAX_LINE);
            match group.len() {
                1 => line,
                n => format!("{line} [{n} times]"),
            }
        })
        .collect();
    groups.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_failing_lines_and_the_end_are_kept() {
        let mut out: Vec<String> = (0..500).map(|n| format!("test t{n} ... ok")).collect();
        out.insert(
            100,
            "\u{1b}[31mtest theme::toggles ... FAILED\u{1b}[0m".into(),
        );
        out.push("test result: FAILED. 500 passed; 1 failed".into());
        let got = summary(
            &out.join("\r\n"),
            "10%\r50%\r100% done\nkey sk-ant-REDACTED\n",
        );
        assert!(
            got.starts_with("test theme::toggles ... FAILED\n…\n"),
            "{got}"
        );
        assert!(got.contains("500 passed; 1 failed") && !got.contains("t200 "));
        assert!(got.contains("100% done") && !got.contains("50%"));
        assert!(!got.contains("sk-ant-REDACTED"));
        assert!(got.len() <= MAX + 200);
    }

    #[test]
    fn an_endless_line_is_cut() {
        let got = summary(&"x".repeat(1_000_000), "");
        assert!(got.len() < 2 * MAX_LINE);
    }
}
