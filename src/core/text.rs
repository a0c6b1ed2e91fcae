//! Text from elsewhere, made safe to show. Repository content, model output and provider
//! errors may hold terminal escapes; nothing of theirs reaches a terminal unfiltered.

/// Removes escape sequences (CSI, OSC, DCS and two-byte ones, both encodings), other control
/// characters except newline and tab, and the invisible characters that reorder or hide text.
pub(crate) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => match chars.next() {
                Some('[') => skip_csi(&mut chars),
                Some(']' | 'P' | 'X' | '^' | '_') => skip_string(&mut chars),
                // Two-byte sequences, some with an intermediate byte: ESC ( B.
                Some(' '..='/') => drop(chars.next()),
                _ => {}
            },
            '\u{9b}' => skip_csi(&mut chars),
            '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => skip_string(&mut chars),
            '\r' if chars.peek() == Some(&'\n') => {}
            '\r' => out.push('\n'),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || is_invisible(c) => {}
            c => out.push(c),
        }
    }
    out
}

/// A control sequence ends with a byte in `@` to `~`.
fn skip_csi(chars: &mut impl Iterator<Item = char>) {
    for c in chars {
        if ('\u{40}'..='\u{7e}').contains(&c) {
            break;
        }
    }
}

/// A control string ends with BEL or ST; one that never ends swallows the rest.
fn skip_string(chars: &mut std::iter::Peekable<impl Iterator<Item = char>>) {
    while let Some(c) = chars.next() {
        if c == '\u{7}' || c == '\u{9c}' {
            break;
        }
        if c == '\u{1b}' && chars.peek() == Some(&'\\') {
            chars.next();
            break;
        }
    }
}

/// Bidirectional controls, zero-width characters and the byte order mark.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'
        | '\u{e0000}'..='\u{e007f}')
}

/// `text` cleaned, on one line, at most `max` characters with an ellipsis when cut.
pub(crate) fn one_line(text: &str, max: usize) -> String {
    // Only a bounded part can matter; a 1 GB line must not be cleaned whole.
    let head: String = text
        .chars()
        .take(max.saturating_mul(8).saturating_add(256))
        .collect();
    let mut line = String::new();
    for word in clean(&head).split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    ellipsis(&line, max)
}

/// At most `max` characters of `text`, the last one an ellipsis when something was cut.
pub(crate) fn ellipsis(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(max.saturating_sub(1)).collect();
    cut.truncate(cut.trim_end().len());
    cut.push('…');
    cut
}

/// At most `max` bytes of `text`, keeping the head and the tail and saying what was left out.
pub(crate) fn middle_out(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let half = max / 2;
    let head = &text[..text.floor_char_boundary(half)];
    let tail = &text[text.ceil_char_boundary(text.len() - half)..];
    let left_out = text.len() - head.len() - tail.len();
    format!("{head}\n… {left_out} bytes left out …\n{tail}")
}

/// `1 bead`, `2 beads`.
pub(crate) fn count(n: usize, one: &str, many: &str) -> String {
    if n == 1 {
        format!("1 {one}")
    } else {
        format!("{n} {many}")
    }
}

/// `35000` as `35,000`.
pub(crate) fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, d) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(d);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes_of_every_form_are_removed() {
        for (dirty, want) in [
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}]0;title\u{7}x", "x"),
            (
                "\u{1b}]8;;http://evil\u{1b}\\link\u{1b}]8;;\u{1b}\\",
                "link",
            ),
            ("\u{1b}Pq#0\u{1b}\\done", "done"),
            ("\u{9b}2Jgone", "gone"),
            ("\u{1b}(Bplain", "plain"),
            ("a\rb\r\nc\u{8}\u{0}d", "a\nb\ncd"),
            ("safe\u{202e}txt.exe", "safetxt.exe"),
            ("never ends \u{1b}]0;rest", "never ends "),
        ] {
            assert_eq!(clean(dirty), want, "{dirty:?}");
        }
    }

    #[test]
    fn long_text_keeps_head_and_tail() {
        let cut = middle_out(
            &format!("{}{}{}", "a".repeat(50), "é".repeat(5000), "z".repeat(50)),
            80,
        );
        assert!(
            cut.starts_with("aaaa") && cut.ends_with("zzzz") && cut.len() < 140,
            "{cut}"
        );
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(
            [0, 999, 1000, 1_234_567].map(thousands),
            ["0", "999", "1,000", "1,234,567"]
        );
    }

    proptest! {
        #[test]
        fn clean_text_holds_no_control_and_is_a_fixed_point(text in "\\PC*|[\\x00-\\x1f\\x7f-\\x9f\\[\\]a-z;]{0,40}") {
            let once = clean(&text);
            prop_assert!(once.chars().all(|c| c == '\n' || c == '\t' || !c.is_control()));
            prop_assert_eq!(clean(&once), once.clone());
            prop_assert!(one_line(&text, 10).chars().count() <= 10);
        }
    }
}
