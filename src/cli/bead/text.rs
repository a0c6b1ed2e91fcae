//! Beads as text.

use anstyle::Style;

use super::super::page::{BAD, BOLD, DIM, GOOD, PLAIN, Page, Table, WARN, cell};
use super::super::when::{Shown, ago};
use crate::core::text::thousands;
use crate::core::{BeadStatus, Timestamp};
use crate::view::bead::{AttemptView, BeadView};

pub(crate) fn style(status: BeadStatus) -> Style {
    match status {
        BeadStatus::Completed => GOOD,
        BeadStatus::Failed => BAD,
        BeadStatus::Blocked | BeadStatus::Deferred => WARN,
        BeadStatus::Assigned
        | BeadStatus::InProgress
        | BeadStatus::Reviewing
        | BeadStatus::Merging
        | BeadStatus::Optimizing => BOLD,
        BeadStatus::Cancelled => DIM,
        BeadStatus::Pending | BeadStatus::Queued => PLAIN,
    }
}

/// The status, and for a deferred bead until when.
pub(crate) fn status(
    status: BeadStatus,
    deferred_until: Option<Timestamp>,
    now: Timestamp,
) -> String {
    match deferred_until {
        Some(until) if status == BeadStatus::Deferred => format!("{status} {}", ago(until, now)),
        Some(_) | None => status.to_string(),
    }
}

pub(crate) fn list(page: &mut Page, beads: &[BeadView], now: Timestamp) {
    let mut table = Table::new(
        &[
            "ID", "STATUS", "TYPE", "PRIO", "PROVIDER", "TOKENS", "TITLE",
        ],
        6,
    );
    for b in beads {
        let provider = b
            .assigned_provider
            .as_ref()
            .or(b.preferred_provider.as_ref());
        let tokens = match (b.actual_tokens, b.estimated_tokens) {
            (Some(used), _) => thousands(used),
            (None, Some(estimated)) => format!("~{}", thousands(estimated)),
            (None, None) => String::new(),
        };
        table.row([
            cell(&b.id),
            cell(status(b.status, b.deferred_until, now)).style(style(b.status)),
            cell(b.task_type.as_str()),
            cell(b.priority.as_str()),
            cell(provider.map_or("", |p| p.as_str())),
            cell(tokens).right(),
            cell(&b.title),
        ]);
    }
    page.table(&table);
}

pub(crate) fn show(page: &mut Page, b: &BeadView, now: Timestamp) {
    let time = |at: Option<Timestamp>| at.map(|at| Shown { at, now }.to_string());
    page.styled(BOLD, format!("{}  {}", b.id, b.title));
    page.blank();
    let tokens = |n: u64| thousands(n);
    let waits = b.deferral.as_ref().map(|d| d.reason.clone());
    let blocked = b.blocked.as_ref().map(|blocked| match &blocked.reason {
        Some(reason) => format!("{}: {reason}", blocked.cause),
        None => blocked.cause.to_string(),
    });
    let used = b.usage.tokens();
    page.fields(&[
        ("status", Some(b.status.to_string())),
        ("until", time(b.deferred_until)),
        ("waits for", waits),
        ("blocked", blocked),
        (
            "type",
            Some(format!(
                "{}, {}, {} priority",
                b.task_type, b.complexity, b.priority
            )),
        ),
        ("permission", Some(b.permission.to_string())),
        (
            "provider",
            b.assigned_provider.as_ref().map(ToString::to_string),
        ),
        (
            "preferred",
            b.preferred_provider
                .as_ref()
                .map(|p| match &b.preferred_model {
                    Some(model) => format!("{p}, {model}"),
                    None => p.to_string(),
                }),
        ),
        ("convoy", b.convoy_id.as_ref().map(ToString::to_string)),
        ("depends on", joined(&b.dependencies)),
        (
            "estimate",
            b.estimate.map(|e| {
                format!(
                    "{} tokens ({} with reserve), {}",
                    tokens(e.p50),
                    tokens(e.p80),
                    e.source
                )
            }),
        ),
        (
            "used",
            (used > 0).then(|| format!("{} tokens, {}", tokens(used), b.usage.cost_micro_usd)),
        ),
        ("failures", (b.failures > 0).then(|| b.failures.to_string())),
        ("labels", joined(&b.labels)),
        ("created", time(Some(b.created_at))),
        ("started", time(b.started_at)),
        ("completed", time(b.completed_at)),
        ("not before", time(b.not_before)),
        ("deadline", time(b.deadline)),
        ("error", b.error.clone()),
    ]);
    if b.description.trim() != b.title {
        section(page, "Description", &b.description);
    }
    if !b.acceptance_criteria.is_empty() {
        let lines: Vec<String> = b
            .acceptance_criteria
            .iter()
            .map(|criterion| format!("- {}", criterion.words()))
            .collect();
        section(page, "Acceptance criteria", &lines.join("\n"));
    }
    if let Some(feedback) = &b.feedback {
        section(page, "Feedback for the next attempt", feedback);
    }
    if let Some(attempts) = b.attempts.as_deref().filter(|list| !list.is_empty()) {
        page.blank();
        page.styled(BOLD, "Attempts");
        table(page, attempts, now);
    }
    if let Some(output) = &b.output {
        section(page, "Output", output);
    }
}

fn section(page: &mut Page, title: &str, text: &str) {
    page.blank();
    page.styled(BOLD, title);
    page.quote(text);
}

fn joined<T: ToString>(items: &[T]) -> Option<String> {
    let words: Vec<String> = items.iter().map(ToString::to_string).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

fn table(page: &mut Page, attempts: &[AttemptView], now: Timestamp) {
    let mut table = Table::new(
        &[
            "#", "PROVIDER", "MODEL", "ENDED", "STARTED", "COMMIT", "MESSAGE",
        ],
        6,
    );
    for a in attempts {
        table.row([
            cell(a.number.to_string()).right(),
            cell(&a.provider),
            cell(a.model.as_deref().unwrap_or("")),
            cell(&a.status),
            cell(ago(a.started_at, now)),
            cell(a.commit.as_deref().map_or("", |c| c.get(..8).unwrap_or(c))),
            cell(a.message.as_deref().unwrap_or("")),
        ]);
    }
    page.table(&table);
}
