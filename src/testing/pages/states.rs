//! `docs/states.md`: the one table of the states of a bead.

use std::fmt::Write;

use crate::core::bead_state::TRANSITIONS;
use crate::core::{BeadStatus, BlockCause};

#[test]
fn the_page_of_the_states_is_the_table_of_the_program() {
    let mut page = format!(
        "# The states of a bead\n\n{}\n\n\
         Every change of a bead's status is one of these steps, written in one transaction with its\n\
         event. Everything else is refused: `a bead that is STATE cannot EVENT`.\n\n\
         ```mermaid\nstateDiagram-v2\n    [*] --> pending\n",
        super::MADE
    );
    for (from, event, to) in TRANSITIONS {
        writeln!(page, "    {from} --> {to}: {event}").unwrap();
    }
    for over in BeadStatus::ALL.iter().filter(|s| s.is_over()) {
        writeln!(page, "    {over} --> [*]").unwrap();
    }
    page.push_str("```\n\n| state | means | leased |\n| --- | --- | --- |\n");
    for state in BeadStatus::ALL {
        let leased = if state.is_leased() { "yes" } else { "" };
        writeln!(page, "| {state} | {} | {leased} |", means(*state)).unwrap();
    }
    page.push_str(
        "\nA leased bead belongs to one foreman and one attempt; a foreman that is gone loses its leases.\n\n\
         A blocked bead has a cause:\n\n| cause | lifted by |\n| --- | --- |\n",
    );
    for cause in BlockCause::ALL {
        writeln!(page, "| {cause} | {} |", lifted_by(*cause)).unwrap();
    }
    page.push_str("\n| state | event | next state |\n| --- | --- | --- |\n");
    for (from, event, to) in TRANSITIONS {
        writeln!(page, "| {from} | {event} | {to} |").unwrap();
    }
    super::check("states.md", &page);
}

fn means(state: BeadStatus) -> &'static str {
    match state {
        BeadStatus::Pending => "created; prompt and estimate are still to be made",
        BeadStatus::Optimizing => "prompt and estimate are being made",
        BeadStatus::Queued => "ready as soon as its dependencies are completed",
        BeadStatus::Assigned => "claimed: provider chosen, capacity reserved",
        BeadStatus::InProgress => "its agent runs",
        BeadStatus::Reviewing => "the quality gate looks at the work",
        BeadStatus::Merging => {
            "passed; being merged into the branch of its convoy, or waiting for the bead that resolves its conflict"
        }
        BeadStatus::Completed => "merged, or without a repository: its answer is stored",
        BeadStatus::Deferred => "waits for capacity until a stated time",
        BeadStatus::Blocked => "cannot go on by itself; the cause says why",
        BeadStatus::Failed => "given up after too many failures of its own",
        BeadStatus::Cancelled => "a person does not want it any more",
    }
}

fn lifted_by(cause: BlockCause) -> &'static str {
    match cause {
        BlockCause::Dependency => "the dependency that failed or was cancelled, when it is retried",
        BlockCause::Person => {
            "`rigs bead approve`, after a person looked: at a conflict, a gate that cannot run, or work that the gate refused too often"
        }
        BlockCause::TooLarge => {
            "`rigs bead retry`, when some provider has a window that it fits into"
        }
        BlockCause::Policy => "`rigs bead retry`, when the rule that forbids it is changed",
    }
}
