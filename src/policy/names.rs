//! Patterns of names.

use std::fmt;

use crate::core::text::one_line;

/// Names: any of them with `*` and `?`, none of those behind a `!`. Upper and lower case are the
/// same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    pub(super) any_of: Vec<String>,
    pub(super) none_of: Vec<String>,
}

/// Longest pattern.
const LONGEST: usize = 256;

impl Names {
    pub(super) fn new<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut names = Self {
            any_of: Vec::new(),
            none_of: Vec::new(),
        };
        for pattern in patterns {
            let (list, pattern) = match pattern.strip_prefix('!') {
                Some(rest) => (&mut names.none_of, rest),
                None => (&mut names.any_of, pattern),
            };
            if pattern.is_empty() || pattern.len() > LONGEST {
                return Err("must not be empty, nor longer than 256 characters".to_owned());
            }
            list.push(pattern.to_lowercase());
        }
        if names.any_of.is_empty() && names.none_of.is_empty() {
            return Err("must name something".to_owned());
        }
        Ok(names)
    }

    /// Whether something that goes by each of `texts` is meant.
    pub(super) fn matches(&self, texts: &[&str]) -> bool {
        let among = |list: &[String]| {
            list.iter()
                .any(|pattern| texts.iter().any(|text| glob(pattern, text)))
        };
        !among(&self.none_of) && (self.any_of.is_empty() || among(&self.any_of))
    }

    /// The names without wildcards that it asks for.
    pub(crate) fn plain(&self) -> impl Iterator<Item = &str> {
        self.any_of
            .iter()
            .map(String::as_str)
            .filter(|p| !p.contains(['*', '?']))
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let none_of = self.none_of.iter().map(|p| format!("!{p}"));
        let all: Vec<String> = self.any_of.iter().cloned().chain(none_of).collect();
        f.write_str(&one_line(&all.join(", "), 200))
    }
}

/// `pattern` is lower case. Time at most the product of the lengths.
fn glob(pattern: &str, text: &str) -> bool {
    let (p, t): (Vec<char>, Vec<char>) = if pattern.is_ascii() && text.is_ascii() {
        return glob_bytes(pattern.as_bytes(), text.as_bytes());
    } else {
        (
            pattern.chars().collect(),
            text.to_lowercase().chars().collect(),
        )
    };
    star(&p, &t, |p, t| *p == '?' || p == t, |p| *p == '*')
}

fn glob_bytes(pattern: &[u8], text: &[u8]) -> bool {
    star(
        pattern,
        text,
        |p, t| *p == b'?' || *p == t.to_ascii_lowercase(),
        |p| *p == b'*',
    )
}

/// Wildcards by going back to the last star.
fn star<T>(p: &[T], t: &[T], same: impl Fn(&T, &T) -> bool, is_star: impl Fn(&T) -> bool) -> bool {
    let (mut i, mut j, mut back) = (0, 0, None);
    while j < t.len() {
        match p.get(i) {
            Some(sign) if is_star(sign) => {
                back = Some((i, j));
                i += 1;
            }
            Some(sign) if same(sign, &t[j]) => {
                i += 1;
                j += 1;
            }
            Some(_) | None => {
                let Some((at, from)) = back else {
                    return false;
                };
                back = Some((at, from + 1));
                (i, j) = (at + 1, from + 1);
            }
        }
    }
    p[i..].iter().all(is_star)
}

impl serde::Serialize for Names {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let none_of = self.none_of.iter().map(|p| format!("!{p}"));
        s.collect_seq(self.any_of.iter().cloned().chain(none_of))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_with_wildcards_and_exceptions() {
        let names = Names::new(["claude*", "codex", "!*-work"]).unwrap();
        let hits = ["claude", "Claude-2", "codex", "codex-2", "claude-work", ""]
            .map(|name| names.matches(&[name]));
        assert_eq!(hits, [true, true, true, false, false, false]);
        let others = Names::new(["!opus*"]).unwrap();
        assert!(others.matches(&["sonnet"]) && !others.matches(&["OPUS-4"]));
        assert!(Names::new(["a*b*c"]).unwrap().matches(&["aXbYbZc"]));
        assert!(Names::new(["stra?e"]).unwrap().matches(&["STRAßE"]));
        assert!(Names::new([]).is_err() && Names::new(["!"]).is_err());
    }
}
