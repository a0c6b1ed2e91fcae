//! The planner: a goal to 1 to 12 beads. Models are asked in order, each is believed only if its
//! plan stands every check, and the rules, which always have an answer, come last.

mod goal;
mod kind;
mod model;
mod place;
mod rules;
mod template;
mod ways;
mod words;

use std::time::Duration;

use super::chain::Backend;
use super::picture::Picture;
use super::plan::{Author, Plan, check};
use crate::core::text::one_line;
use crate::core::{Clock, redact};

/// All backends together; after it the rules plan.
const TOTAL: Duration = Duration::from_mins(5);

/// Plans a goal; never fails. `planned_by` says who made the plan and `notes` why the backends
/// before it did not.
pub(crate) async fn plan(
    goal: &str,
    picture: &Picture,
    backends: &[Backend],
    clock: &Clock,
) -> Plan {
    let until = clock.now() + TOTAL;
    let mut notes = Vec::new();
    let mut calls = Vec::new();
    for backend in backends {
        let left = until.since(clock.now());
        if left.is_zero() {
            notes.push(format!(
                "{}: not asked, planning took too long",
                backend.label
            ));
            continue;
        }
        let asked = model::Asked {
            goal,
            picture,
            backend,
            limit: left,
        };
        match asked.plan(clock, &mut calls).await {
            Ok(mut plan) => {
                notes.append(&mut plan.notes);
                return Plan {
                    notes,
                    calls,
                    ..plan
                };
            }
            Err(reason) => notes.push(format!(
                "{}: {}",
                backend.label,
                redact::redact(&one_line(&reason, 400))
            )),
        }
    }
    if !backends.is_empty() {
        notes.push("planned by rules instead".into());
    }
    let plan = rules::plan(goal, picture);
    debug_assert_eq!(check(&plan, Author::Rules), Vec::<String>::new());
    Plan {
        notes,
        calls,
        ..plan
    }
}

#[cfg(test)]
mod tests;
