//! What a plan must be before anything is made of it, whoever wrote it.

use std::collections::{BTreeMap, BTreeSet};

use super::{MAX_BEADS, Plan, PlannedBead};
use crate::assayer::{gates, inside, quality};
use crate::core::text::{clean, one_line};
use crate::core::{Criterion, TaskType};

/// Who wrote the plan: that decides what its criteria may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Author<'a> {
    /// May give commands of their own, and more beads.
    Person,
    /// May repeat the goal as a title.
    Rules,
    /// May name only the gates found in the repository.
    Model {
        gates: &'a [&'a str],
        /// Whether the goal asks for something to be changed in a repository.
        must_change: bool,
    },
}

/// A person may split finer than the planner.
const MAX_BEADS_OF_A_PERSON: usize = 100;
const MAX_TITLE: usize = 120;
const MAX_DESCRIPTION: usize = 16_000;
const MAX_CRITERIA: usize = 20;
const MAX_FILES: usize = 50;

/// Everything that is wrong with a plan, each in words that its author can act on.
pub(crate) fn check(plan: &Plan, author: Author<'_>) -> Vec<String> {
    let mut problems = Vec::new();
    let most = match author {
        Author::Person => MAX_BEADS_OF_A_PERSON,
        Author::Rules | Author::Model { .. } => MAX_BEADS,
    };
    if plan.beads.is_empty() || plan.beads.len() > most {
        let n = plan.beads.len();
        problems.push(format!("it has {n} beads; it must have 1 to {most}"));
    }
    let mut keys = BTreeSet::new();
    let mut titles = BTreeMap::new();
    for bead in &plan.beads {
        let name = format!("bead {}", one_line(&bead.key, 20));
        let mut add = |problem: String| problems.push(format!("{name}: {problem}"));
        if bead.key.trim().is_empty() || bead.key.len() > 40 {
            add("its key is empty or longer than 40 bytes".into());
        }
        if !keys.insert(bead.key.as_str()) {
            add("this key is used twice".into());
        }
        if let Some(other) = titles.insert(title_key(&bead.title), &bead.key) {
            add(format!("same title as bead {}", one_line(other, 20)));
        }
        if matches!(author, Author::Model { .. })
            && plan.beads.len() > 1
            && title_key(&bead.title) == title_key(&plan.goal)
        {
            add("its title is the goal itself; name its own part".into());
        }
        own_problems(bead, author).into_iter().for_each(add);
    }
    problems.extend(dependency_problems(&plan.beads));
    if let Author::Model {
        must_change: true, ..
    } = author
        && !plan.beads.iter().any(|bead| bead.task_type.changes_files())
    {
        let changing = TaskType::ALL.iter().filter(|t| t.changes_files());
        let words: Vec<&str> = changing.map(|t| t.as_str()).collect();
        problems.push(format!(
            "no bead changes anything, but the goal asks for it; one needs a type of: {}",
            words.join(", ")
        ));
    }
    problems
}

fn own_problems(bead: &PlannedBead, author: Author<'_>) -> Vec<String> {
    let title = bead.title.trim();
    let long = title.chars().count() > MAX_TITLE;
    let mut problems: Vec<String> = [
        (title.is_empty(), "its title is empty"),
        (long, "its title is longer than 120 characters"),
        (
            !long && one_line(title, MAX_TITLE) != title,
            "its title holds line breaks, doubled spaces or control characters",
        ),
        (
            bead.description.trim().is_empty(),
            "its description is empty",
        ),
        (
            bead.description.len() > MAX_DESCRIPTION,
            "its description is longer than 16,000 bytes",
        ),
        (
            clean(&bead.description) != bead.description,
            "its description holds control characters",
        ),
        (
            bead.acceptance_criteria.is_empty(),
            "it has no acceptance criteria",
        ),
        (
            bead.acceptance_criteria.len() > MAX_CRITERIA,
            "it has more than 20 acceptance criteria",
        ),
        (bead.files.len() > MAX_FILES, "it names more than 50 files"),
    ]
    .into_iter()
    .filter(|(wrong, _)| *wrong)
    .map(|(_, problem)| problem.to_owned())
    .collect();
    problems.extend(bead.files.iter().filter_map(|file| path_problem(file)));
    let criteria = bead.acceptance_criteria.iter();
    problems.extend(criteria.filter_map(|criterion| criterion_problem(criterion, author)));
    problems
}

/// What is wrong with a criterion, given who wrote it.
pub(crate) fn criterion_problem(criterion: &Criterion, author: Author<'_>) -> Option<String> {
    if criterion.words().trim().is_empty() {
        return Some("it has an empty acceptance criterion".into());
    }
    match criterion {
        Criterion::Text { .. } => None,
        Criterion::Command { argv, .. } => match author {
            Author::Model { .. } | Author::Rules => {
                Some("only a person may give a command as a criterion".into())
            }
            Author::Person => argv
                .first()
                .is_none_or(|program| program.trim().is_empty())
                .then(|| "a command criterion names no program".into()),
        },
        Criterion::File { path, .. } => path_problem(path),
        Criterion::Regex { path, pattern, .. } => {
            path_problem(path).or_else(|| quality::pattern(pattern).err())
        }
        Criterion::Gate { gate, .. } => {
            let known = match author {
                Author::Model { gates, .. } => gates.contains(&gate.as_str()),
                Author::Person | Author::Rules => gates::find(gate).is_some(),
            };
            (!known).then(|| format!("there is no gate `{}` here", one_line(gate, 40)))
        }
    }
}

/// What is wrong with the path of a file of the repository.
pub(crate) fn path_problem(path: &str) -> Option<String> {
    (!inside::is_confined(path) || clean(path) != path).then(|| {
        format!(
            "`{}` is not a path inside the repository",
            one_line(path, 80)
        )
    })
}

/// Unknown, doubled and own keys, and circles.
fn dependency_problems(beads: &[PlannedBead]) -> Vec<String> {
    let mut problems = Vec::new();
    let keys: BTreeSet<&str> = beads.iter().map(|bead| bead.key.as_str()).collect();
    for bead in beads {
        let name = one_line(&bead.key, 20);
        let mut seen = BTreeSet::new();
        for on in &bead.depends_on {
            let other = one_line(on, 20);
            if *on == bead.key {
                problems.push(format!("bead {name}: it depends on itself"));
            } else if !keys.contains(on.as_str()) {
                problems.push(format!(
                    "bead {name}: it depends on bead {other}, which is not there"
                ));
            } else if !seen.insert(on) {
                problems.push(format!("bead {name}: it names bead {other} twice"));
            }
        }
    }
    if problems.is_empty() {
        problems.extend(circle(beads));
    }
    problems
}

/// Takes beads away whose dependencies are all gone; what cannot be taken away is in a circle or
/// behind one.
fn circle(beads: &[PlannedBead]) -> Option<String> {
    let mut left: Vec<&PlannedBead> = beads.iter().collect();
    loop {
        let keys: BTreeSet<&str> = left.iter().map(|bead| bead.key.as_str()).collect();
        let before = left.len();
        left.retain(|bead| bead.depends_on.iter().any(|on| keys.contains(on.as_str())));
        if left.is_empty() {
            return None;
        }
        if left.len() == before {
            let names: Vec<String> = left.iter().map(|b| one_line(&b.key, 20)).collect();
            return Some(format!("beads {} wait for each other", names.join(", ")));
        }
    }
}

/// A title without case, punctuation and spacing, to compare.
pub(crate) fn title_key(title: &str) -> String {
    let words: Vec<String> = title
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    words.join(" ")
}
