//! What a bead of each kind of work says: the goal's own words, where to start, how to go about
//! it, and what must hold at the end. One bead where one run of an agent can do it: each bead
//! reads the repository anew and costs tokens of a subscription.

use super::goal::{Part, capitalised, first_sentence};
use super::kind::{Kind, size};
use super::place;
use super::ways::{self, quote};
use crate::assayer::picture::Picture;
use crate::core::text::{ellipsis, middle_out, one_line};
use crate::core::{Complexity, Criterion, TaskType};

/// Longest part of a goal that is repeated in a bead.
const MAX_WORDS: usize = 12_000;
const MAX_TITLE: usize = 80;

/// A bead before it has a key; `after` are positions of earlier ones.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Draft {
    pub(super) title: String,
    pub(super) description: String,
    pub(super) task_type: TaskType,
    pub(super) complexity: Complexity,
    pub(super) criteria: Vec<Criterion>,
    pub(super) files: Vec<String>,
    pub(super) after: Vec<usize>,
    pub(super) kind: Kind,
}

/// What all drafts of a goal share.
pub(super) struct Scene<'a> {
    pub(super) picture: &'a Picture,
    /// Words before a list that hold for each item.
    pub(super) intro: &'a str,
}

impl Scene<'_> {
    /// The beads of a goal that is one piece of work.
    pub(super) fn whole(&self, part: &Part) -> Vec<Draft> {
        let complexity = self.size(part);
        if !self.picture.has_repository() || complexity != Complexity::Large {
            return vec![self.one(part)];
        }
        match part.kind {
            Kind::Feature => self.large_feature(part),
            Kind::Refactor => self.large_refactor(part),
            Kind::Migration => self.migration(part),
            Kind::Trivial
            | Kind::Bug
            | Kind::FailingTests
            | Kind::Upgrade
            | Kind::Removal
            | Kind::Performance
            | Kind::Change
            | Kind::Tests
            | Kind::Docs
            | Kind::Release
            | Kind::Design
            | Kind::Research
            | Kind::Review => vec![self.one(part)],
        }
    }

    fn size(&self, part: &Part) -> Complexity {
        size(&part.text, part.kind, place::code_files(self.picture))
    }

    /// One bead for one piece of work.
    pub(super) fn one(&self, part: &Part) -> Draft {
        if !self.picture.has_repository() {
            return self.text(part);
        }
        let object = &part.object;
        let mut draft = self.draft(
            part,
            &title(&part.text),
            part.kind,
            self.size(part),
            &part.text,
        );
        let (how, done) = ways::of(part.kind, object);
        self.finish(&mut draft, how, done);
        draft
    }

    /// A piece of work on text alone.
    fn text(&self, part: &Part) -> Draft {
        let task_type = match part.kind {
            Kind::Research => TaskType::Research,
            Kind::Design => TaskType::Design,
            Kind::Review => TaskType::Review,
            Kind::Trivial
            | Kind::Feature
            | Kind::Bug
            | Kind::FailingTests
            | Kind::Refactor
            | Kind::Migration
            | Kind::Upgrade
            | Kind::Removal
            | Kind::Performance
            | Kind::Change
            | Kind::Tests
            | Kind::Docs
            | Kind::Release => TaskType::Documentation,
        };
        Draft {
            title: title(&part.text),
            description: self.opening(&part.text),
            task_type,
            complexity: if part.text.len() < 200 {
                Complexity::Small
            } else {
                Complexity::Medium
            },
            criteria: vec![Criterion::text(
                "the answer is complete and does what was asked",
            )],
            files: Vec::new(),
            after: Vec::new(),
            kind: part.kind,
        }
    }

    fn large_feature(&self, part: &Part) -> Vec<Draft> {
        let object = &part.object;
        let mut design = self.draft(
            part,
            &title(&format!("Design {object}")),
            Kind::Design,
            Complexity::Small,
            &format!("Decide how to build this: {}", part.text),
        );
        self.finish(
            &mut design,
            "Read the code that it touches. Answer with what changes where (files), interfaces and data, the order of steps, how it fails and what an attacker could try, and what is left out. The next bead builds from this answer. Change no files.",
            vec!["the design names the files to change, the order of the work and the risks".to_owned()],
        );
        let mut build = self.draft(
            part,
            &title(&format!("Implement {object}")),
            Kind::Feature,
            Complexity::Large,
            &part.text,
        );
        self.finish(
            &mut build,
            "Build it as the design says; where the design turns out wrong, do what is right and say so. Write tests of the main path as you go; the next bead adds the rest.",
            vec![
                format!("{} works as asked on its main path", quote(object)),
                "tests of the main path are there and pass".to_owned(),
            ],
        );
        build.after = vec![0];
        let mut test = self.draft(
            part,
            &title(&format!("Test {object}")),
            Kind::Tests,
            Complexity::Medium,
            &format!("Test what was just built: {}", part.text),
        );
        self.finish(
            &mut test,
            "Go for what was not tested yet: errors, limits, wrong input, abuse, two at once. Fix what these tests find.",
            vec!["failure paths and limits are tested, and what the tests found is fixed".to_owned()],
        );
        test.after = vec![1];
        let mut drafts = vec![design, build, test];
        if !place::documentation(self.picture).is_empty() {
            let mut docs = self.draft(
                part,
                &title(&format!("Document {object}")),
                Kind::Docs,
                Complexity::Small,
                &format!("Document what was built: {}", part.text),
            );
            self.finish(
                &mut docs,
                "Say what it does, how it is switched on and configured, and what to do when it fails. Check every statement and example against the code.",
                vec![format!("a user can set up and use {} from what is written", quote(object))],
            );
            docs.after = vec![1];
            drafts.push(docs);
        }
        drafts
    }

    fn large_refactor(&self, part: &Part) -> Vec<Draft> {
        let object = &part.object;
        let mut pin = self.draft(
            part,
            &title(&format!("Pin down the behaviour of {object} with tests")),
            Kind::Tests,
            Complexity::Medium,
            &format!("This is going to be refactored: {}", part.text),
        );
        self.finish(
            &mut pin,
            "Before that, write the tests that are missing for what the code does today, through interfaces that will stay. Change no behaviour.",
            vec!["today's behaviour of the code to be changed is covered by tests that pass".to_owned()],
        );
        let mut change = self.one(part);
        change.complexity = Complexity::Large;
        change.after = vec![0];
        vec![pin, change]
    }

    fn migration(&self, part: &Part) -> Vec<Draft> {
        let object = &part.object;
        let mut first = self.draft(
            part,
            &title(&format!("Prepare and try the migration of {object}")),
            Kind::Migration,
            Complexity::Medium,
            &part.text,
        );
        self.finish(
            &mut first,
            "This is the first of three steps. Find and list every place that must move. Set the new way up beside the old one and move one small, typical part, to learn what goes wrong. Answer with the list, the pattern to follow and the traps.",
            vec!["one part runs the new way while the rest still runs the old way".to_owned(),
                 "the answer lists every place that is still to be moved".to_owned()],
        );
        let mut rest = self.draft(
            part,
            &title(&format!("Migrate the rest of {object}")),
            Kind::Migration,
            Complexity::Large,
            &part.text,
        );
        self.finish(
            &mut rest,
            "This is the second of three steps: move every remaining place by the pattern of the first step. The old way stays in place, unused.",
            vec!["every place on the list is moved, and behaves as before".to_owned()],
        );
        rest.after = vec![0];
        let mut clean = self.draft(
            part,
            &title(&format!(
                "Remove what the migration of {object} left behind"
            )),
            Kind::Removal,
            Complexity::Small,
            &part.text,
        );
        self.finish(
            &mut clean,
            "This is the last of three steps: remove the old way, its dependencies and configuration, and adjust CI and documentation.",
            vec!["nothing of the old way is left".to_owned()],
        );
        clean.after = vec![1];
        vec![first, rest, clean]
    }

    fn draft(
        &self,
        part: &Part,
        title: &str,
        kind: Kind,
        complexity: Complexity,
        words: &str,
    ) -> Draft {
        Draft {
            title: title.to_owned(),
            description: self.opening(words),
            task_type: kind.task_type(),
            complexity,
            criteria: Vec::new(),
            files: place::files(&format!("{} {}", part.text, part.object), self.picture),
            after: Vec::new(),
            kind,
        }
    }

    fn opening(&self, words: &str) -> String {
        let words = middle_out(words.trim(), MAX_WORDS);
        match (self.intro.trim(), words.as_str()) {
            ("", "") => "There is no goal in words; ask for nothing and change nothing.".into(),
            ("", _) => words,
            (intro, _) => format!("{}\n\n{words}", middle_out(intro, MAX_WORDS / 4)),
        }
    }

    /// Adds where to start, how to go about it and what must hold.
    fn finish(&self, draft: &mut Draft, how: &str, done: Vec<String>) {
        let mut places = Vec::new();
        if draft.kind == Kind::Docs {
            for place in place::documentation(self.picture) {
                places.push(place.clone());
                if !draft.files.contains(&place) && !place.ends_with('/') {
                    draft.files.push(place);
                }
            }
        }
        places.extend(
            draft
                .files
                .iter()
                .filter(|f| !places.contains(f))
                .cloned()
                .collect::<Vec<_>>(),
        );
        let mut start = Vec::new();
        if !places.is_empty() {
            let places: Vec<String> = places.iter().map(|p| format!("`{p}`")).collect();
            start.push(format!(
                "These look related; check before you rely on it: {}.",
                places.join(", ")
            ));
        }
        let needs_tests = matches!(
            draft.task_type,
            TaskType::Test | TaskType::Debug | TaskType::Implementation
        ) && !matches!(draft.kind, Kind::Trivial | Kind::Release);
        if let Some(tests) = place::tests(&draft.title, self.picture).filter(|_| needs_tests) {
            start.push(format!("Tests are in `{tests}`."));
        }
        let start = start.join(" ");
        let parts = [draft.description.as_str(), &start, how];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        draft.description = parts.join("\n\n");
        draft.criteria = done.into_iter().map(Criterion::text).collect();
        let changes_code =
            draft.task_type.changes_files() && draft.task_type != TaskType::Documentation;
        if let Some(gate) = self.picture.test_gate().filter(|_| changes_code) {
            draft.criteria.push(Criterion::Gate {
                text: format!("`{}` passes", gate.command()),
                gate: gate.name.to_owned(),
            });
        }
    }
}

/// A title out of the goal's words: its first sentence on one line.
fn title(text: &str) -> String {
    let line = one_line(first_sentence(text), 400);
    let line = line.trim_end_matches(|c: char| c.is_whitespace() || ".!:;,".contains(c));
    match line {
        "" => "Work on the goal".into(),
        line => capitalised(&ellipsis(line, MAX_TITLE)),
    }
}
