//! Values of arguments: words of our enums, ids by prefix, text from stdin.

use std::io::Read;
use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::Failure;
use crate::core::words::UnknownWord;

/// The most text that a bead or a goal may be described with.
pub(crate) const MAX_TEXT: u64 = 1 << 20;

/// Parses one of the words of an enum; help lists them, and a slip gets a suggestion.
pub(crate) fn word<T>(words: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = UnknownWord> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(words).try_map(|word| word.parse::<T>())
}

/// The text of an argument, or of stdin where it is `-`. `what` names it in errors.
pub(crate) fn text(given: &str, what: &str) -> Result<String, Failure> {
    let text = if given == "-" {
        let mut bytes = Vec::new();
        std::io::stdin()
            .take(MAX_TEXT + 1)
            .read_to_end(&mut bytes)
            .map_err(|e| Failure::usage(format!("the {what} cannot be read from stdin: {e}")))?;
        String::from_utf8(bytes)
            .map_err(|_| Failure::usage(format!("the {what} from stdin is not UTF-8 text")))?
    } else {
        given.to_owned()
    };
    checked(&text, what)
}

/// Text that somebody wrote: not empty, not endless, without what a terminal would obey.
pub(crate) fn checked(text: &str, what: &str) -> Result<String, Failure> {
    if text.len() as u64 > MAX_TEXT {
        return Err(Failure::usage(format!("the {what} is longer than 1 MiB"))
            .hint("put the details into a file of the repository and name the file"));
    }
    let text = crate::core::text::clean(text);
    let text = text.trim();
    if text.is_empty() {
        return Err(Failure::usage(format!("the {what} is empty")));
    }
    Ok(text.to_owned())
}

/// Splits a command line into words: spaces separate, quotes hold together, a backslash takes
/// the next character as it is. What only a shell could do is refused.
pub(crate) fn words(line: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', None | Some('"')) => {
                let next = chars.next().ok_or("it ends in a backslash")?;
                word.get_or_insert_default().push(next);
            }
            (c, Some(q)) if c == q => quote = None,
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            ('|' | '&' | ';' | '<' | '>' | '`' | '$', None) => {
                return Err("it needs a shell: quote the character, or use sh -c");
            }
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, Some(_) | None) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err("a quote is not closed");
    }
    words.extend(word);
    if words.is_empty() {
        Err("it is empty")
    } else {
        Ok(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cleaned_and_must_be_there() {
        assert_eq!(
            checked("  a \u{1b}[31mred\u{1b}[0m word\n", "goal"),
            Ok("a red word".into())
        );
        for nothing in ["", " \n\t", "\u{1b}[2J"] {
            assert_eq!(
                checked(nothing, "goal"),
                Err(Failure::usage("the goal is empty"))
            );
        }
        let long = "x".repeat(MAX_TEXT as usize + 1);
        assert_eq!(
            checked(&long, "goal").unwrap_err().message,
            "the goal is longer than 1 MiB"
        );
    }

    #[test]
    fn command_lines_are_split_without_a_shell() {
        let split = |line: &str| words(line).map(|w| w.join("|"));
        assert_eq!(
            split("cargo test  -p core"),
            Ok("cargo|test|-p|core".into())
        );
        assert_eq!(
            split(r#"sh -c 'a && b' "" x\ y "q\"q""#),
            Ok(r#"sh|-c|a && b||x y|q"q"#.into())
        );
        for bad in ["", "  ", "a && b", "a 'b", "a $HOME", "a\\"] {
            assert!(words(bad).is_err(), "{bad}");
        }
    }
}
