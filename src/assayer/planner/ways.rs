//! How each kind of work is gone about, and what must hold at its end: the sentences of the rules
//! planner for a bead that does a whole piece of work.

use super::kind::Kind;
use crate::core::text::one_line;

/// The way to go about work on `object`, and its criteria.
pub(super) fn of(kind: Kind, object: &str) -> (&'static str, Vec<String>) {
    match kind {
            Kind::Trivial => ("Change only what this names.", vec![
                "the change is made, and nothing else is changed".to_owned(),
            ]),
            Kind::Feature => (
                "Follow the conventions of the code around it. Write tests for the new behaviour beside the existing ones.",
                vec![
                    format!("{} works as asked, with its edge cases and errors", quote(object)),
                    "tests cover the new behaviour and fail without it".to_owned(),
                ],
            ),
            Kind::Bug => (
                "First reproduce it, with a test that fails because of it. Find the cause, then fix the cause rather than the symptom. Look for the same mistake elsewhere.",
                vec![
                    "a test reproduces the problem: it fails without the fix and passes with it".to_owned(),
                    "the answer names the cause".to_owned(),
                ],
            ),
            Kind::FailingTests => (
                "Run the tests and take the failures one by one: decide whether the code or the test is wrong, and fix the code where it is the code. Change a test only where it contradicts what the project says it does, and say so. No test is deleted, skipped or weakened.",
                vec!["no test was deleted, skipped or weakened".to_owned()],
            ),
            Kind::Refactor => (
                "Behaviour stays the same. Where the code to be changed has no tests, write them first. Go in small steps and run the tests after each.",
                vec!["behaviour and public interfaces are unchanged, except where the goal says otherwise".to_owned()],
            ),
            Kind::Migration => (
                "Find every use first. Move them all, remove what is no longer needed, and adjust configuration, CI and documentation that mention it.",
                vec!["nothing of the old way is left, or the answer says what is left and why".to_owned()],
            ),
            Kind::Upgrade => (
                "Read the release notes for what breaks, adjust the code, and update the lock file with the project's own tool.",
                vec!["the new version is in the manifest and the lock file, and its breaking changes are handled".to_owned()],
            ),
            Kind::Removal => (
                "Find every use, remove it with its tests, configuration and documentation, and leave nothing that is then unused.",
                vec![format!("no use or mention of {} is left", quote(object))],
            ),
            Kind::Performance => (
                "Measure first, with a benchmark or a timing that can be repeated. Change what the measurement points to, and measure again.",
                vec!["the answer gives the measurement before and after, and how to repeat it".to_owned()],
            ),
            Kind::Change => (
                "Adjust what depends on it: tests, configuration, documentation.",
                vec!["the change is made everywhere it applies".to_owned()],
            ),
            Kind::Tests => (
                "Follow the style of the existing tests. Cover ordinary use, edge cases and errors; a test that cannot fail is worth nothing. Where a test finds a bug, fix it if it is small, else say so.",
                vec![
                    format!("the new tests check {} and would fail if it broke", quote(object)),
                    "existing tests are unchanged, except where they were wrong".to_owned(),
                ],
            ),
            Kind::Docs => (
                "Write for the project's users, in the style of what is there. Check every statement and example against the code.",
                vec![format!("what is written about {} agrees with the code, and its examples work", quote(object))],
            ),
            Kind::Release => (
                "Set the version wherever it stands, write the changelog from the commits since the last release, and check that it builds. Do not tag, push or publish: a person does that.",
                vec!["version and changelog are ready; nothing was tagged, pushed or published".to_owned()],
            ),
            Kind::Design => (
                "Read the code that it touches. Answer with the design: what changes where (files), interfaces and data, the order of steps, risks, and what was decided against. Change no files.",
                vec!["the design names the files to change and the order of the work".to_owned()],
            ),
            Kind::Research => (
                "Find the answer in the repository. Name the files and lines that show it, and say what is certain and what is guessed. Change no files.",
                vec!["the question is answered, with the files that show it".to_owned()],
            ),
            Kind::Review => (
                "Read the code as a reviewer. Report each finding with file and line, what goes wrong, how bad it is and how to fix it, worst first. Change no files.",
                vec!["each finding names a file, a line and a consequence".to_owned()],
            ),
        }
}

/// The object of a goal as it stands in a sentence.
pub(super) fn quote(object: &str) -> String {
    match one_line(object, 100).as_str() {
        "" => "it".into(),
        object => format!("“{object}”"),
    }
}
