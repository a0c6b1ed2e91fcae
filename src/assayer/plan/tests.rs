use pretty_assertions::assert_eq;
use proptest::prelude::*;

use super::*;

fn bead(key: &str, depends_on: &[&str]) -> PlannedBead {
    PlannedBead {
        key: key.into(),
        title: format!("Part {key}"),
        description: "Do it.".into(),
        task_type: TaskType::Implementation,
        complexity: Complexity::Small,
        priority: Priority::Normal,
        acceptance_criteria: vec![Criterion::text("it works")],
        depends_on: depends_on.iter().map(|k| (*k).to_owned()).collect(),
        files: vec![],
    }
}

fn plan(beads: Vec<PlannedBead>) -> Plan {
    Plan {
        goal: "Add dark mode".into(),
        beads,
        planned_by: "person".into(),
        ..Plan::default()
    }
}

const MODEL: Author<'_> = Author::Model {
    gates: &["cargo-test"],
    must_change: true,
};

#[test]
fn a_plan_survives_its_file() {
    let mut made = plan(vec![bead("1", &[]), bead("2", &["1"])]);
    made.beads[0].acceptance_criteria.push(Criterion::Command {
        text: "c".into(),
        argv: vec!["make".into()],
    });
    let json = made.to_json();
    assert!(json.contains("\"version\": 1"), "{json}");
    assert_eq!(Plan::from_json(&json).unwrap(), made);
}

#[test]
fn a_short_file_of_a_person_is_enough() {
    let read = Plan::from_json(
        r#"{"goal":"g","beads":[{"key":"a","title":"T","description":"D",
            "task_type":"test","acceptance_criteria":["it holds"]}]}"#,
    )
    .unwrap();
    assert_eq!(read.planned_by, "person");
    assert_eq!(read.beads[0].complexity, Complexity::Medium);
}

#[test]
fn a_broken_file_says_where() {
    let said = |text: &str| Plan::from_json(text).unwrap_err().to_string();
    assert_eq!(said("{"), "the plan is not readable at `.`");
    assert_eq!(
        said(r#"{"version":9,"goal":"g","beads":[]}"#),
        "the plan has version 9; this rigs reads version 1"
    );
    assert_eq!(
        said(
            r#"{"goal":"g","beads":[{"key":"1","title":"t","description":"d",
                "task_type":"vibes","acceptance_criteria":[]}]}"#
        ),
        "the plan is not readable at `beads[0].task_type`"
    );
    assert_eq!(
        said(r#"{"goal":"g","beads":[]}"#),
        "the plan cannot be run: it has 0 beads; it must have 1 to 100"
    );
}

type Case = (fn(&mut PlannedBead), &'static str);

#[test]
fn each_fault_is_named() {
    let with = |change: fn(&mut PlannedBead)| {
        let mut changed = bead("2", &["1"]);
        change(&mut changed);
        check(&plan(vec![bead("1", &[]), changed]), MODEL)
    };
    let cases: &[Case] = &[
        (|b| b.key = "1".into(), "bead 1: this key is used twice"),
        (
            |b| b.title = "part 1!".into(),
            "bead 2: same title as bead 1",
        ),
        (
            |b| b.title = "add dark mode.".into(),
            "bead 2: its title is the goal itself; name its own part",
        ),
        (|b| b.title = "  ".into(), "bead 2: its title is empty"),
        (
            |b| b.title = "a\u{1b}[31m".into(),
            "bead 2: its title holds line breaks, doubled spaces or control characters",
        ),
        (
            |b| b.description = "\u{1b}]0;x\u{7}y".into(),
            "bead 2: its description holds control characters",
        ),
        (
            |b| b.acceptance_criteria.clear(),
            "bead 2: it has no acceptance criteria",
        ),
        (
            |b| b.depends_on = vec!["7".into()],
            "bead 2: it depends on bead 7, which is not there",
        ),
        (
            |b| b.depends_on = vec!["2".into()],
            "bead 2: it depends on itself",
        ),
        (
            |b| b.files = vec!["../x".into()],
            "bead 2: `../x` is not a path inside the repository",
        ),
        (
            |b| b.files = vec!["/etc/passwd".into()],
            "bead 2: `/etc/passwd` is not a path inside the repository",
        ),
        (
            |b| {
                b.acceptance_criteria = vec![Criterion::Gate {
                    text: "g".into(),
                    gate: "npm-test".into(),
                }];
            },
            "bead 2: there is no gate `npm-test` here",
        ),
        (
            |b| {
                b.acceptance_criteria = vec![Criterion::Command {
                    text: "c".into(),
                    argv: vec!["rm".into()],
                }];
            },
            "bead 2: only a person may give a command as a criterion",
        ),
    ];
    for (change, want) in cases {
        let said = with(*change);
        assert!(said.contains(&(*want).to_owned()), "{want}: {said:?}");
    }
    assert_eq!(with(|_| ()), Vec::<String>::new());
}

#[test]
fn a_circle_and_a_plan_that_changes_nothing_are_refused() {
    let circle = plan(vec![bead("1", &["2"]), bead("2", &["1"]), bead("3", &[])]);
    assert_eq!(
        check(&circle, Author::Person),
        ["beads 1, 2 wait for each other"]
    );
    let mut idle = plan(vec![bead("1", &[])]);
    idle.beads[0].task_type = TaskType::Design;
    assert_eq!(check(&idle, MODEL).len(), 1);
    assert_eq!(check(&idle, Author::Person), Vec::<String>::new());
}

proptest! {
    #[test]
    fn a_plan_without_faults_can_be_worked_off_in_some_order(
        edges in prop::collection::vec((0usize..8, 0usize..8), 0..20)
    ) {
        let mut beads: Vec<PlannedBead> = (0..8).map(|i| bead(&i.to_string(), &[])).collect();
        for (from, to) in edges {
            let key = to.to_string();
            if !beads[from].depends_on.contains(&key) {
                beads[from].depends_on.push(key);
            }
        }
        let made = plan(beads);
        if check(&made, Author::Person).is_empty() {
            let mut done: Vec<String> = vec![];
            for _ in 0..8 {
                let next = made.beads.iter().find(|b| {
                    !done.contains(&b.key) && b.depends_on.iter().all(|k| done.contains(k))
                });
                prop_assert!(next.is_some());
                done.extend(next.map(|b| b.key.clone()));
            }
        }
    }
}
