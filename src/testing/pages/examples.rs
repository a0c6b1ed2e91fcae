//! Every `rigs` command that a page or a help text shows is understood by the program.

use std::path::PathBuf;

/// README and the pages of `docs/`.
fn pages() -> Vec<PathBuf> {
    let mut pages = vec![
        super::root().join("README.md"),
        super::root().join("CONTRIBUTING.md"),
    ];
    let docs = std::fs::read_dir(super::docs()).unwrap();
    pages.extend(
        docs.map(|e| e.unwrap().path())
            .filter(|p| p.extension().is_some_and(|e| e == "md")),
    );
    pages.sort();
    pages
}

/// The lines of all blocks that begin with ` ```sh `; a line that ends in `\` goes on.
fn shell(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for block in text.split("```sh\n").skip(1) {
        let block = block.split("```").next().unwrap_or_default();
        let joined = block.replace("\\\n", " ");
        lines.extend(joined.lines().map(|l| l.trim().to_owned()));
    }
    lines
}

/// The words of a shell line, split into the commands between `|`, `&&`, `;` and inside `$( )`.
/// No shell: enough for examples, and an example that needs more is too clever.
fn commands(line: &str) -> Vec<Vec<String>> {
    let mut all = vec![Vec::new()];
    let mut word = String::new();
    let mut quote = None;
    let mut chars = line.chars().peekable();
    let end = |word: &mut String, all: &mut Vec<Vec<String>>, next: bool| {
        if !word.is_empty() {
            all.last_mut().unwrap().push(std::mem::take(word));
        }
        if next {
            all.push(Vec::new());
        }
    };
    while let Some(c) = chars.next() {
        match (c, quote) {
            (c, Some(q)) if c == q => quote = None,
            ('$', None | Some('"')) if chars.peek() == Some(&'(') => {
                chars.next();
                quote = None;
                // What comes before is an assignment or an argument: not a command of its own.
                word.clear();
                all.push(Vec::new());
            }
            ('"' | '\'', None) => quote = Some(c),
            ('|' | '&' | ';' | '(' | ')' | '\n', None) => end(&mut word, &mut all, true),
            ('#', None) if word.is_empty() => break,
            ('>' | '<', None) => {
                // A file follows; it is no word of the command.
                end(&mut word, &mut all, false);
                while chars.next_if(|c| c.is_whitespace()).is_some() {}
                while chars.next_if(|c| !c.is_whitespace()).is_some() {}
            }
            (c, None) if c.is_whitespace() => end(&mut word, &mut all, false),
            (c, Some(_) | None) => word.push(c),
        }
    }
    end(&mut word, &mut all, false);
    all
}

/// The words after `rigs`, where the command is ours.
fn ours(words: &[String]) -> Option<Vec<String>> {
    let is_assignment = |w: &str| {
        w.split_once('=')
            .is_some_and(|(n, _)| n.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'))
    };
    let words: Vec<String> = words
        .iter()
        .skip_while(|w| is_assignment(w))
        .cloned()
        .collect();
    match words.first()?.as_str() {
        "rigs" => Some(words),
        "cargo" if words.get(1).is_some_and(|w| w == "run") => {
            let at = words.iter().position(|w| w == "--")?;
            Some(words[at..].to_vec())
        }
        _ => None,
    }
}

/// What is wrong with the commands of a line.
fn problems(line: &str, place: &str) -> (usize, Vec<String>) {
    let mut bad = Vec::new();
    let mut seen = 0;
    for words in commands(line).iter().filter_map(|w| ours(w)) {
        seen += 1;
        if let Err(error) = crate::cli::command().try_get_matches_from(&words)
            && error.use_stderr()
        {
            bad.push(format!("{place}: {line}\n{error}"));
        }
    }
    (seen, bad)
}

#[test]
fn every_command_in_the_pages_is_understood() {
    let (mut seen, mut bad) = (0, Vec::new());
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        let name = page.file_name().unwrap().to_string_lossy().into_owned();
        for line in shell(&text) {
            let (n, wrong) = problems(&line, &name);
            seen += n;
            bad.extend(wrong);
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
    assert!(seen > 20, "the examples were not found: {seen}");
}

#[test]
fn every_example_in_the_help_is_understood() {
    let mut root = crate::cli::command();
    root.build();
    let (mut seen, mut bad) = (0, Vec::new());
    let mut open = vec![root];
    while let Some(command) = open.pop() {
        open.extend(command.get_subcommands().cloned());
        let name = command.get_bin_name().unwrap_or("rigs").to_owned();
        let help = command
            .get_after_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        let examples = help.split("Examples:\n").nth(1).unwrap_or_default();
        for line in examples.lines().take_while(|l| l.starts_with("  ")) {
            // A remark stands behind two spaces or more.
            let line = line.trim().split("   ").next().unwrap_or_default();
            let (n, wrong) = problems(line, &name);
            seen += n;
            bad.extend(wrong);
        }
        let is_leaf = !command.has_subcommands();
        if is_leaf && examples.is_empty() {
            bad.push(format!("{name}: its help shows no example"));
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
    assert!(seen > 40, "the examples were not found: {seen}");
}

#[test]
fn shell_lines_are_taken_apart() {
    let found = |line: &str| -> Vec<String> {
        let all: Vec<_> = commands(line).iter().filter_map(|w| ours(w)).collect();
        all.iter().map(|w| w.join("_")).collect()
    };
    assert_eq!(
        found("id=$(rigs bead create \"a b\" -t test) # why"),
        ["rigs_bead_create_a b_-t_test"]
    );
    assert_eq!(
        found("rigs tank list --json | jq '.[0] | .x' > out"),
        ["rigs_tank_list_--json"]
    );
    assert_eq!(
        found("A_B=1 rigs status && rigs why $id"),
        ["rigs_status", "rigs_why_$id"]
    );
    assert_eq!(
        found("cargo run --release -- goal execute \"x\" -y"),
        ["--_goal_execute_x_-y"]
    );
    assert_eq!(found("cargo test"), [""; 0]);
}
