//! Where in the repository the work probably is: paths that the goal names, and paths whose
//! names share rare words with it. A guess for the agent to start from, and said as one.

use std::collections::{BTreeMap, BTreeSet};

use super::words::{STOP, is_action, words};
use crate::assayer::inside;
use crate::assayer::picture::{Picture, is_test};

/// Most paths named in one bead.
const MOST: usize = 5;
/// Bounds of the search for an identifier in file contents.
const MAX_FILES: usize = 400;
const MAX_BYTES: u64 = 64 * 1024;

/// Files for `text`, best first: those named, then those that hold an identifier it names, then
/// those whose names fit.
pub(super) fn files(text: &str, picture: &Picture) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut add = |file: &str| {
        if !found.iter().any(|f| f == file) {
            found.push(file.to_owned());
        }
    };
    for file in named(text, picture) {
        add(file);
    }
    for file in holding(text, picture) {
        add(file);
    }
    for file in fitting(text, picture) {
        add(file);
    }
    found.truncate(MOST);
    found
}

/// Paths or file names that stand in the text.
fn named<'a>(text: &str, picture: &'a Picture) -> Vec<&'a str> {
    let mut found = Vec::new();
    for word in text.split_whitespace() {
        let word =
            word.trim_matches(|c: char| !c.is_alphanumeric() && !matches!(c, '/' | '_' | '.'));
        let word = word.trim_end_matches('.').trim_start_matches("./");
        if !word.contains(['/', '.']) || word.len() < 3 {
            continue;
        }
        let hits = picture.files.iter().filter(|file| {
            file.as_str() == word
                || file
                    .strip_suffix(word)
                    .is_some_and(|head| head.ends_with('/'))
                || word.contains('/')
                    && file
                        .strip_prefix(word.trim_end_matches('/'))
                        .is_some_and(|tail| tail.starts_with('/'))
        });
        found.extend(hits.take(3).map(String::as_str));
    }
    if text.to_lowercase().contains("readme") {
        let readme = picture
            .files
            .iter()
            .find(|f| f.to_lowercase().starts_with("readme"));
        found.extend(readme.map(String::as_str));
    }
    found
}

/// Files that hold an identifier which the text names as code: `parse_date`, `HttpClient`, `run()`.
fn holding<'a>(text: &str, picture: &'a Picture) -> Vec<&'a str> {
    let (Some(root), identifiers) = (&picture.root, identifiers(text)) else {
        return Vec::new();
    };
    if identifiers.is_empty() {
        return Vec::new();
    }
    let code = picture
        .files
        .iter()
        .filter(|file| is_code(file))
        .take(MAX_FILES);
    let mut found: Vec<(bool, bool, usize, &str)> = Vec::new();
    for file in code {
        let Some(content) = inside::read(root, file, MAX_BYTES) else {
            continue;
        };
        let hits: usize = identifiers.iter().map(|id| occurrences(&content, id)).sum();
        let name = file.rsplit('/').next().unwrap_or(file);
        let is_its_own = identifiers.contains(name.split('.').next().unwrap_or(name));
        if hits > 0 || is_its_own {
            found.push((is_test(file), !is_its_own, hits, file));
        }
    }
    // Code before tests, a file of that name before others, then where it stands most often.
    found.sort_by_key(|(test, other, hits, file)| (*test, *other, std::cmp::Reverse(*hits), *file));
    found.into_iter().take(3).map(|(.., file)| file).collect()
}

/// How often `id` stands in `text` as a whole identifier.
fn occurrences(text: &str, id: &str) -> usize {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(id)
        .filter(|(at, _)| !text[..*at].ends_with(part) && !text[at + id.len()..].starts_with(part))
        .count()
}

fn identifiers(text: &str) -> BTreeSet<String> {
    let quoted = text.split('`').skip(1).step_by(2).map(str::trim);
    let quoted = quoted
        .filter(|word| word.len() >= 4 && word.chars().all(|c| c.is_alphanumeric() || c == '_'));
    text.split(|c: char| c.is_whitespace() || c == ',' || c == '(')
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric() && c != '_'))
        .filter(|word| {
            let snake = word.trim_matches('_').contains('_');
            let camel = word.chars().any(char::is_lowercase)
                && word.chars().skip(1).any(char::is_uppercase)
                && !PRODUCTS.contains(word);
            word.len() >= 4
                && word.chars().all(|c| c.is_alphanumeric() || c == '_')
                && (snake || camel)
        })
        .chain(quoted)
        .take(6)
        .map(str::to_owned)
        .collect()
}

/// Names that look like identifiers and are none.
const PRODUCTS: &[&str] = &[
    "GitHub",
    "GitLab",
    "OAuth",
    "OAuth2",
    "JavaScript",
    "TypeScript",
    "PostgreSQL",
    "MySQL",
    "SQLite",
    "GraphQL",
    "OpenAI",
    "OpenAPI",
    "MacOS",
    "macOS",
    "DevOps",
    "YouTube",
    "LinkedIn",
    "WebSocket",
    "WebSockets",
    "NodeJS",
    "MongoDB",
    "DynamoDB",
];

/// Files whose path shares words with the text; a word that many paths have says little.
fn fitting<'a>(text: &str, picture: &'a Picture) -> Vec<&'a str> {
    const VAGUE: &[&str] = &[
        "test", "tests", "doc", "docs", "bug", "bugs", "feature", "error", "errors",
    ];
    let wanted: BTreeSet<String> = words(text)
        .iter()
        .flat_map(|word| word.split(|c: char| !c.is_alphanumeric()))
        .filter(|word| word.len() >= 3 && !STOP.contains(word))
        .filter(|word| !VAGUE.contains(word) && !is_action(word))
        .map(stem)
        .collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    let mut found: Vec<(&str, BTreeSet<String>, bool)> = Vec::new();
    let mut frequency: BTreeMap<String, usize> = BTreeMap::new();
    for file in picture
        .files
        .iter()
        .filter(|file| is_code(file) || is_prose(file))
    {
        let shared: BTreeSet<String> = path_words(file).intersection(&wanted).cloned().collect();
        for word in &shared {
            *frequency.entry(word.clone()).or_default() += 1;
        }
        if !shared.is_empty() {
            let name = file.rsplit('/').next().unwrap_or(file);
            let in_name = !path_words(name).is_disjoint(&wanted);
            found.push((file, shared, in_name));
        }
    }
    // More than this many files of one word are an area, not a place.
    let rare = |word: &String| frequency.get(word).is_some_and(|n| *n <= 25);
    let mut scored: Vec<(usize, &str)> = found
        .iter()
        .map(|(file, shared, in_name)| {
            let score: usize = shared
                .iter()
                .filter(|w| rare(w))
                .map(|w| 20 / frequency[w] + 4)
                .sum();
            let score = score * if *in_name { 2 } else { 1 };
            (if is_test(file) { score / 2 } else { score }, *file)
        })
        .filter(|(score, _)| *score >= 4)
        .collect();
    scored.sort_by_key(|(score, file)| (std::cmp::Reverse(*score), file.len(), *file));
    scored.into_iter().take(4).map(|(_, file)| file).collect()
}

/// `src/httpClient/retry_policy.rs`: http, client, retry, policy (and what `stem` leaves of them).
fn path_words(path: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let without_end = path.rsplit_once('.').map_or(path, |(head, _)| head);
    for part in without_end.split(|c: char| !c.is_alphanumeric()) {
        let mut word = String::new();
        for c in part.chars() {
            if c.is_uppercase() && word.chars().last().is_some_and(char::is_lowercase) {
                found.insert(stem(&word));
                word.clear();
            }
            word.push(c);
        }
        found.insert(stem(&word));
    }
    found
}

/// Lower case without the commonest endings, so that "parsing dates" finds `date_parser`.
fn stem(word: &str) -> String {
    let word = word.to_lowercase();
    let mut head = word.as_str();
    for end in [
        "ations", "ation", "ings", "ing", "ers", "er", "ies", "es", "s", "y", "ed",
    ] {
        if let Some(rest) = head.strip_suffix(end).filter(|rest| rest.len() >= 4) {
            head = rest;
            break;
        }
    }
    match head.strip_suffix('e') {
        Some(rest) if rest.len() >= 3 => rest.to_owned(),
        Some(_) | None => head.to_owned(),
    }
}

fn is_prose(file: &str) -> bool {
    file.rsplit_once('.').is_some_and(|(_, end)| end == "md")
}

fn is_code(file: &str) -> bool {
    let ends = [
        "rs", "py", "js", "mjs", "cjs", "jsx", "ts", "tsx", "go", "java", "kt", "rb", "php", "cs",
        "c", "h", "cc", "cpp", "hpp", "swift", "ex", "exs", "scala", "hs", "lua", "sh", "sql",
        "html", "css", "scss", "vue", "svelte",
    ];
    file.rsplit_once('.')
        .is_some_and(|(_, end)| ends.contains(&end))
}

/// Number of files that hold code.
pub(super) fn code_files(picture: &Picture) -> usize {
    picture.files.iter().filter(|file| is_code(file)).count()
}

/// Where new tests for `text` belong: a test file that fits it, else the folder of most tests.
pub(super) fn tests(text: &str, picture: &Picture) -> Option<String> {
    let fits = fitting(text, picture)
        .into_iter()
        .find(|file| is_test(file));
    if let Some(file) = fits {
        return Some(file.to_owned());
    }
    let mut folders: BTreeMap<&str, usize> = BTreeMap::new();
    for folder in picture.tests().filter_map(test_folder) {
        *folders.entry(folder).or_default() += 1;
    }
    let (folder, _) = folders
        .into_iter()
        .max_by_key(|(folder, n)| (*n, std::cmp::Reverse(folder.len())))?;
    Some(format!("{folder}/"))
}

/// The path up to the folder that is named for tests; none for a test beside its code.
fn test_folder(file: &str) -> Option<&str> {
    let mut end = 0;
    for part in file.split('/') {
        end += part.len();
        if end < file.len() && matches!(part, "test" | "tests" | "spec" | "__tests__") {
            return Some(&file[..end]);
        }
        end += 1;
    }
    None
}

/// Where a reader looks first: the README, and the folder of documentation.
pub(super) fn documentation(picture: &Picture) -> Vec<String> {
    let readme = picture
        .files
        .iter()
        .find(|file| file.to_lowercase().starts_with("readme"))
        .cloned();
    let folder = ["docs/", "doc/", "documentation/"]
        .into_iter()
        .find(|folder| picture.files.iter().any(|file| file.starts_with(folder)))
        .map(str::to_owned);
    readme.into_iter().chain(folder).collect()
}
