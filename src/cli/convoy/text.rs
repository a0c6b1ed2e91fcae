//! Convoys as text.

use anstyle::Style;

use super::super::bead;
use super::super::page::{BAD, BOLD, DIM, GOOD, PLAIN, Page, Table, WARN, cell, gauge};
use super::super::when::{Shown, ago};
use crate::core::text::{one_line, thousands};
use crate::core::{BeadId, ConvoyStatus, Timestamp};
use crate::depot::Progress;
use crate::view::convoy::ConvoyView;

fn style(status: ConvoyStatus) -> Style {
    match status {
        ConvoyStatus::Completed => GOOD,
        ConvoyStatus::Failed => BAD,
        ConvoyStatus::Paused => WARN,
        ConvoyStatus::InProgress => BOLD,
        ConvoyStatus::Cancelled => DIM,
        ConvoyStatus::Planning | ConvoyStatus::Queued => PLAIN,
    }
}

/// `██░░ 2/4`.
fn done(p: &Progress) -> String {
    let share = (p.total > 0).then(|| p.completed as f64 / p.total as f64);
    format!("{} {}/{}", gauge(share, 8), p.completed, p.total)
}

/// What is left, in words: `1 running, 2 deferred`.
fn left(p: &Progress) -> String {
    let parts = [
        (p.active, "running"),
        (p.waiting, "waiting"),
        (p.deferred, "deferred"),
        (p.blocked, "blocked"),
        (p.failed, "failed"),
        (p.cancelled, "cancelled"),
    ];
    let words: Vec<String> = parts
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, word)| format!("{n} {word}"))
        .collect();
    words.join(", ")
}

pub(crate) fn list(page: &mut Page, convoys: &[ConvoyView], now: Timestamp) {
    let mut table = Table::new(&["ID", "STATUS", "DONE", "LEFT", "CREATED", "NAME"], 5);
    for c in convoys {
        table.row([
            cell(&c.id),
            cell(c.status.as_str()).style(style(c.status)),
            cell(done(&c.progress)),
            cell(left(&c.progress)),
            cell(ago(c.created_at, now)),
            cell(&c.name),
        ]);
    }
    page.table(&table);
}

pub(crate) fn show(page: &mut Page, c: &ConvoyView, now: Timestamp) {
    let time = |at: Option<Timestamp>| at.map(|at| Shown { at, now }.to_string());
    page.styled(BOLD, format!("{}  {}", c.id, c.name));
    page.blank();
    let base = c.base_branch.as_ref().map(|branch| match &c.base_commit {
        Some(commit) => format!("{branch} at {}", commit.get(..10).unwrap_or(commit)),
        None => branch.clone(),
    });
    let used = c.usage.tokens();
    page.fields(&[
        ("status", Some(c.status.to_string())),
        (
            "done",
            Some(format!("{}  {}", done(&c.progress), left(&c.progress))),
        ),
        ("goal", c.goal.as_ref().map(|goal| one_line(goal, 300))),
        ("repository", c.repo.clone()),
        ("base", base),
        ("branch", c.branch.clone()),
        ("planned by", c.planned_by.clone()),
        (
            "used",
            (used > 0).then(|| format!("{} tokens, {}", thousands(used), c.usage.cost_micro_usd)),
        ),
        ("deadline", time(c.deadline)),
        ("created", time(Some(c.created_at))),
        ("started", time(c.started_at)),
        ("completed", time(c.completed_at)),
        ("landed", time(c.landed_at)),
    ]);
    let Some(beads) = c.beads.as_deref().filter(|beads| !beads.is_empty()) else {
        return;
    };
    page.blank();
    let mut table = Table::new(&["BEAD", "STATUS", "PROVIDER", "AFTER", "TITLE"], 4);
    for b in beads {
        let after: Vec<&str> = b.dependencies.iter().map(BeadId::as_str).collect();
        let title = match &b.error {
            Some(error) => format!("{}: {error}", b.title),
            None => b.title.clone(),
        };
        table.row([
            cell(&b.id),
            cell(bead::text::status(b.status, b.deferred_until, now))
                .style(bead::text::style(b.status)),
            cell(b.provider.as_ref().map_or("", |p| p.as_str())),
            cell(after.join(" ")),
            cell(title),
        ]);
    }
    page.table(&table);
}
