//! The plan as bars of a terminal, in plain characters: a Gantt chart.

use super::super::page::{DIM, Page};
use super::super::when::clock;
use crate::core::text::ellipsis;
use crate::view::plan::Planned;

/// Bars drawn; a longer list is no picture.
const ROWS: usize = 40;

/// One row per bead: `.` while it waits, `=` while it runs, `-` until its p90.
pub(super) fn draw(page: &mut Page, p: &Planned) {
    let (from, to) = span(p);
    let shown = || p.beads.iter().take(ROWS);
    let widest = |of: &dyn Fn(&crate::view::plan::PlannedBead) -> usize| shown().map(of).max();
    let id = widest(&|b| b.bead_id.to_string().len()).unwrap_or(0);
    let provider = widest(&|b| b.provider.as_str().len()).unwrap_or(0).min(12);
    let columns = page
        .width()
        .min(120)
        .saturating_sub(id + provider + 4)
        .max(10);
    let column = |ms: i64| {
        let share = (ms - from).max(0) as f64 / (to - from).max(1) as f64;
        ((share * columns as f64) as usize).min(columns)
    };
    for bead in shown() {
        let start = column(bead.starts_at.millis());
        let end = column(bead.ends_at.millis()).max(start + 1).min(columns);
        let start = start.min(end - 1);
        let late = column(bead.ends_p90.millis()).max(end);
        page.line(format!(
            "{:id$}  {:provider$}  {}{}{}",
            bead.bead_id.to_string(),
            ellipsis(bead.provider.as_str(), provider),
            ".".repeat(start),
            "=".repeat(end - start),
            "-".repeat(late - end),
        ));
    }
    let (left, right) = (clock(p.at, p.at), crate::core::Timestamp::from_millis(to));
    let right = clock(right, p.at);
    let gap = columns.saturating_sub(left.len() + right.len());
    let indent = " ".repeat(id + provider + 4);
    page.styled(DIM, format!("{indent}{left}{}{right}", " ".repeat(gap)));
    page.styled(
        DIM,
        format!("{indent}. waits  = runs  - may take until (p90)"),
    );
    if p.beads.len() > ROWS {
        page.styled(DIM, format!("and {} more", p.beads.len() - ROWS));
    }
}

/// From the moment of the plan to the last p90, in milliseconds.
pub(super) fn span(p: &Planned) -> (i64, i64) {
    let ends = p.beads.iter().map(|b| b.ends_p90.max(b.ends_at).millis());
    let from = p.at.millis();
    (from, ends.max().unwrap_or(from).max(from + 1))
}
