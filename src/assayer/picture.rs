//! What a repository looks like, in few words: languages, layout, how it is tested, the start of
//! its README, the state of its branch. Read as data, bounded in entries, bytes and tokens.

mod walk;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::gates::{self, Gate};
use super::{inside, tokens};
use crate::core::text::{self, clean, one_line};

/// Most tokens of a rendered picture.
pub(crate) const MAX_TOKENS: u64 = 1500;
/// Enough README to say what the project is.
const README_BYTES: u64 = 8 * 1024;
const README_CHARS: usize = 1200;

/// Facts about the checked-out state that only git knows; given by the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GitFacts {
    pub(crate) branch: String,
    pub(crate) dirty: bool,
}

/// A repository as the planner sees it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Picture {
    /// None for a goal that is about text only.
    pub(crate) root: Option<PathBuf>,
    /// Files relative to the root, shallow ones first, at most `walk::MAX_ENTRIES`.
    pub(crate) files: Vec<String>,
    /// There are more files than were looked at.
    pub(crate) cut: bool,
    /// Language and number of files, most first.
    pub(crate) languages: Vec<(&'static str, usize)>,
    pub(crate) gates: Vec<&'static Gate>,
    pub(crate) readme: Option<String>,
    pub(crate) git: Option<GitFacts>,
}

impl Picture {
    /// No repository: the goal is about text.
    pub(crate) fn none() -> Self {
        Self::default()
    }

    pub(crate) fn read(root: &Path) -> Self {
        let (files, cut) = walk::files(root);
        Self {
            root: Some(root.to_owned()),
            languages: languages(&files),
            gates: gates::detect(root),
            readme: readme(root, &files),
            files,
            cut,
            git: None,
        }
    }

    pub(crate) fn with_git(mut self, branch: &str, dirty: bool) -> Self {
        self.git = Some(GitFacts {
            branch: one_line(branch, 100),
            dirty,
        });
        self
    }

    pub(crate) fn has_repository(&self) -> bool {
        self.root.is_some()
    }

    /// The gate that says whether the work is sound.
    pub(crate) fn test_gate(&self) -> Option<&'static Gate> {
        self.gates.first().copied()
    }

    /// Files that hold tests, by their names.
    pub(crate) fn tests(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(String::as_str).filter(|f| is_test(f))
    }

    /// Text for a model, at most `MAX_TOKENS`; whatever is last is cut first.
    pub(crate) fn render(&self) -> String {
        if !self.has_repository() {
            return "There is no repository: the result is text.".into();
        }
        let mut out = String::new();
        for section in self.sections() {
            let longer = format!("{out}{section}\n");
            if tokens::count(&longer) > MAX_TOKENS {
                let left = MAX_TOKENS.saturating_sub(tokens::count(&out));
                out.push_str(&shortened(&section, left));
                break;
            }
            out = longer;
        }
        out.trim_end().to_owned()
    }

    fn sections(&self) -> Vec<String> {
        let mut sections = Vec::new();
        let languages: Vec<String> = self
            .languages
            .iter()
            .take(6)
            .map(|(name, n)| format!("{name} ({})", text::count(*n, "file", "files")))
            .collect();
        let more = if self.cut { "more than " } else { "" };
        let count = text::count(self.files.len(), "file", "files");
        sections.push(format!("Files: {more}{count}. {}", languages.join(", ")));
        let gates: Vec<String> = self
            .gates
            .iter()
            .map(|gate| format!("{} (`{}`)", gate.name, gate.command()))
            .collect();
        sections.push(if gates.is_empty() {
            "Gates: none found.".into()
        } else {
            format!("Gates: {}", gates.join(", "))
        });
        if let Some(git) = &self.git {
            let state = if git.dirty {
                ", with uncommitted changes"
            } else {
                ""
            };
            sections.push(format!("Branch: {}{state}", git.branch));
        }
        let tests: Vec<&str> = self.tests().take(12).collect();
        if !tests.is_empty() {
            sections.push(format!("Tests: {}", tests.join(", ")));
        }
        sections.push(format!("Layout:\n{}", self.layout(80)));
        if let Some(readme) = &self.readme {
            sections.push(format!("README:\n{readme}"));
        }
        sections
    }

    /// Folders with the number of files beneath, and the files at the top.
    fn layout(&self, max: usize) -> String {
        let mut folders: BTreeMap<String, usize> = BTreeMap::new();
        let mut top: Vec<&str> = Vec::new();
        for file in &self.files {
            let parts: Vec<&str> = file.split('/').collect();
            match parts.as_slice() {
                [] => {}
                [name] => top.push(name),
                [first, .., _] => {
                    *folders.entry((*first).to_owned()).or_default() += 1;
                    if let [first, second, _, ..] = parts.as_slice() {
                        *folders.entry(format!("{first}/{second}")).or_default() += 1;
                    }
                }
            }
        }
        let mut out = String::new();
        for (folder, n) in folders.iter().take(max) {
            let _ = writeln!(out, "{folder}/ ({n})");
        }
        for name in top.iter().take(max / 2) {
            let _ = writeln!(out, "{name}");
        }
        out.trim_end().to_owned()
    }
}

/// The start of a section, whole lines, in at most `left` tokens.
fn shortened(section: &str, left: u64) -> String {
    let mut out = String::new();
    for line in section.lines() {
        let longer = format!("{out}{line}\n");
        if tokens::count(&longer) > left {
            break;
        }
        out = longer;
    }
    out
}

fn languages(files: &[String]) -> Vec<(&'static str, usize)> {
    let mut found: Vec<(&'static str, usize)> = Vec::new();
    for language in files.iter().filter_map(|file| language(file)) {
        match found.iter_mut().find(|(name, _)| *name == language) {
            Some((_, n)) => *n += 1,
            None => found.push((language, 1)),
        }
    }
    found.sort_by_key(|(name, n)| (std::cmp::Reverse(*n), *name));
    found
}

fn language(file: &str) -> Option<&'static str> {
    let (_, end) = file.rsplit('/').next()?.rsplit_once('.')?;
    Some(match end {
        "rs" => "Rust",
        "py" => "Python",
        "js" | "mjs" | "cjs" | "jsx" => "JavaScript",
        "ts" | "tsx" | "mts" => "TypeScript",
        "go" => "Go",
        "java" => "Java",
        "kt" | "kts" => "Kotlin",
        "rb" => "Ruby",
        "php" => "PHP",
        "cs" => "C#",
        "c" | "h" => "C",
        "cc" | "cpp" | "cxx" | "hpp" => "C++",
        "swift" => "Swift",
        "ex" | "exs" => "Elixir",
        "scala" => "Scala",
        "hs" => "Haskell",
        "lua" => "Lua",
        "sh" | "bash" => "Shell",
        "sql" => "SQL",
        "html" | "css" | "scss" => "HTML/CSS",
        "vue" => "Vue",
        "svelte" => "Svelte",
        "md" | "rst" | "adoc" => "Documentation",
        _ => return None,
    })
}

/// Whether a path looks like a test, over the habits of many languages.
pub(crate) fn is_test(file: &str) -> bool {
    let lower = file.to_ascii_lowercase();
    let (folders, name) = lower.rsplit_once('/').unwrap_or(("", &lower));
    if language(&lower).is_none_or(|l| l == "Documentation") {
        return false;
    }
    let in_folder = folders
        .split('/')
        .any(|folder| matches!(folder, "test" | "tests" | "spec" | "__tests__"));
    in_folder
        || name.starts_with("test_")
        || ["_test.", ".test.", ".spec.", "_spec.", "tests."]
            .iter()
            .any(|mark| name.contains(mark))
}

fn readme(root: &Path, files: &[String]) -> Option<String> {
    let file = files
        .iter()
        .find(|file| !file.contains('/') && file.to_ascii_lowercase().starts_with("readme"))?;
    let text = clean(&inside::read(root, file, README_BYTES)?);
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty() && !is_decoration(line))
        .collect();
    let head = text::ellipsis(&lines.join("\n"), README_CHARS);
    (!head.trim().is_empty()).then_some(head)
}

/// Badges and raw HTML say nothing about the project.
fn is_decoration(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("[![") || line.starts_with("![") || line.starts_with('<')
}

#[cfg(test)]
pub(crate) mod tests;
