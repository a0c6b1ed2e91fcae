//! The rules planner: no model, no guesswork about code, the same plan for the same goal and
//! repository every time.

use super::goal::{Goal, Part};
use super::kind::Kind;
use super::place;
use super::template::{Draft, Scene};
use crate::assayer::picture::Picture;
use crate::assayer::plan::{MAX_BEADS, Plan, PlannedBead, title_key};
use crate::core::Priority;
use crate::core::text::clean;

/// Repositories of at most this many code files are one place: two agents at once would collide.
const ONE_PLACE: usize = 12;

pub(super) fn plan(goal: &str, picture: &Picture) -> Plan {
    let goal = clean(goal).trim().to_owned();
    let read = Goal::read(&goal, picture.has_repository());
    let scene = Scene {
        picture,
        intro: &read.intro,
    };
    let drafts = match read.parts.as_slice() {
        [part] => scene.whole(part),
        parts => joined(&scene, &limited(parts)),
    };
    Plan {
        goal,
        beads: beads(drafts),
        planned_by: "rules".into(),
        ..Plan::default()
    }
}

/// Whether the goal asks for something to be changed.
pub(super) fn asks_for_change(goal: &str) -> bool {
    let read = Goal::read(&clean(goal), true);
    read.parts.iter().any(|part| part.kind.changes())
}

/// At most `MAX_BEADS` parts; a longer list is put together in neighbouring groups.
fn limited(parts: &[Part]) -> Vec<Part> {
    let group = parts.len().div_ceil(MAX_BEADS);
    parts
        .chunks(group.max(1))
        .map(|group| {
            let mut first = group[0].clone();
            if group.len() > 1 {
                let items: Vec<String> = group.iter().map(|p| format!("- {}", p.text)).collect();
                first.text = items.join("\n");
                if let Some(part) = group.iter().find(|p| p.kind.changes()) {
                    first.kind = part.kind;
                }
            }
            first
        })
        .collect()
}

/// One bead per part, in an order that keeps agents out of each other's way.
fn joined(scene: &Scene<'_>, parts: &[Part]) -> Vec<Draft> {
    let small = place::code_files(scene.picture) <= ONE_PLACE;
    let mut drafts: Vec<Draft> = Vec::new();
    for part in parts {
        let mut draft = scene.one(part);
        let here = drafts.len();
        let mut after: Vec<usize> = Vec::new();
        if part.follows && here > 0 {
            after.push(here - 1);
        }
        for (at, earlier) in drafts.iter().enumerate() {
            let one_place = scene.picture.has_repository()
                && part.kind.changes()
                && earlier.kind.changes()
                && (small || shares_file(earlier, &draft));
            if sums_up(part.kind) && earlier.kind.changes()
                || part.kind == Kind::Release
                || part.kind.changes() && !earlier.kind.changes()
                || one_place
            {
                after.push(at);
            }
        }
        after.sort_unstable();
        after.dedup();
        draft.after = without_implied(&after, &drafts);
        draft.title = distinct(&draft.title, &drafts);
        drafts.push(draft);
    }
    drafts
}

/// Work about what others did.
fn sums_up(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Docs | Kind::Tests | Kind::Review | Kind::Release
    )
}

fn shares_file(a: &Draft, b: &Draft) -> bool {
    a.files
        .iter()
        .take(2)
        .any(|file| b.files.iter().take(2).any(|f| f == file))
}

/// Leaves out what another dependency waits for anyway.
fn without_implied(after: &[usize], drafts: &[Draft]) -> Vec<usize> {
    let reaches = |from: usize, to: usize| {
        let mut open = vec![from];
        while let Some(at) = open.pop() {
            if drafts[at].after.contains(&to) {
                return true;
            }
            open.extend(&drafts[at].after);
        }
        false
    };
    after
        .iter()
        .copied()
        .filter(|at| {
            !after
                .iter()
                .any(|other| other != at && reaches(*other, *at))
        })
        .collect()
}

/// Titles are unique within a plan, whatever the goal repeats.
fn distinct(title: &str, drafts: &[Draft]) -> String {
    let taken = |title: &str| {
        drafts
            .iter()
            .any(|draft| title_key(&draft.title) == title_key(title))
    };
    if !taken(title) {
        return title.to_owned();
    }
    (2..=drafts.len() + 2)
        .map(|n| format!("{title} ({n})"))
        .find(|title| !taken(title))
        .expect("invariant: more numbers than drafts")
}

fn beads(drafts: Vec<Draft>) -> Vec<PlannedBead> {
    drafts
        .into_iter()
        .enumerate()
        .map(|(at, draft)| PlannedBead {
            key: (at + 1).to_string(),
            title: draft.title,
            description: draft.description,
            task_type: draft.task_type,
            complexity: draft.complexity,
            priority: Priority::Normal,
            acceptance_criteria: draft.criteria,
            depends_on: draft.after.iter().map(|on| (on + 1).to_string()).collect(),
            files: draft.files,
        })
        .collect()
}

#[cfg(test)]
mod tests;
