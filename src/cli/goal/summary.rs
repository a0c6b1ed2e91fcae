//! Plans and summaries as text, and what to do next.

use super::super::page::{BAD, BOLD, DIM, GOOD, PLAIN, Page, Table, WARN, cell};
use super::super::when::Shown;
use super::run::Way;
use crate::core::text::{count, thousands};
use crate::core::time::Span;
use crate::core::{BeadStatus, ConvoyStatus, Timestamp};
use crate::foreman::Ended;
use crate::view::goal::{GoalSummary, PlanView};

pub(crate) fn plan(page: &mut Page, plan: &PlanView, explain: bool) {
    page.styled(BOLD, &plan.goal);
    for note in &plan.notes {
        page.styled(DIM, format!("({note})"));
    }
    page.blank();
    let mut table = Table::new(&["#", "TYPE", "AFTER", "TOKENS", "ON", "TITLE"], 5);
    for bead in &plan.beads {
        let on = bead
            .provider
            .as_ref()
            .map_or_else(|| bead.route.clone(), ToString::to_string);
        table.row([
            cell(&bead.key),
            cell(bead.task_type.as_str()),
            cell(bead.depends_on.join(" ")),
            cell(format!("~{}", thousands(bead.estimate.p50))).right(),
            cell(on),
            cell(&bead.title),
        ]);
    }
    page.table(&table);
    if explain {
        page.blank();
        for bead in &plan.beads {
            page.line(format!("{}: {}", bead.key, bead.estimate_from));
        }
    }
    page.blank();
    let beads = count(plan.beads.len(), "bead", "beads");
    let range = format!(
        "about {} tokens, seldom more than {}",
        thousands(plan.tokens_p50),
        thousands(plan.tokens_p95)
    );
    page.line(format!("{beads}, {range}; planned by {}", plan.planned_by));
    if let Some(branch) = &plan.base_branch {
        let gate = if plan.gates.is_empty() {
            "no test command was found: name one with --gate".to_owned()
        } else {
            format!("checked with `{}`", plan.gates.join("`, `"))
        };
        page.line(format!("from branch {branch}; {gate}"));
    }
}

pub(crate) fn show(page: &mut Page, s: &GoalSummary, ended: &Ended, now: Timestamp) {
    if let Some(answer) = &s.answer {
        page.line(answer);
        page.blank();
    }
    let (style, word) = headline(s, ended);
    page.styled(style, format!("{}  {word}", s.convoy_id));
    let mut table = Table::new(&["BEAD", "STATUS", "ON", "TOKENS", "TITLE"], 4);
    for bead in &s.beads {
        let tokens = if bead.actual_tokens > 0 {
            thousands(bead.actual_tokens)
        } else {
            String::new()
        };
        table.row([
            cell(&bead.id),
            cell(bead.status.as_str()).style(bead_style(bead.status)),
            cell(bead.provider.as_ref().map_or("", |p| p.as_str())),
            cell(tokens).right(),
            cell(&bead.title),
        ]);
    }
    page.table(&table);
    page.blank();
    let why = s.beads.iter().filter(|b| b.reason.is_some());
    for bead in why.clone() {
        let reason = bead.reason.as_deref().unwrap_or_default();
        let reason = crate::core::text::one_line(reason, 600);
        page.styled(bead_style(bead.status), format!("{}  {reason}", bead.id));
    }
    if why.count() > 0 {
        page.blank();
    }
    let cost = if s.cost_micro_usd.0 > 0 {
        format!(", {}", s.cost_micro_usd)
    } else {
        String::new()
    };
    let branch = s.branch.as_ref().map(|branch| match &s.landed_commit {
        Some(commit) => format!("{branch}, landed as {}", commit.get(..10).unwrap_or(commit)),
        None => format!(
            "{branch} (your branch {} is as it was)",
            s.base_branch.as_deref().unwrap_or("")
        ),
    });
    page.fields(&[
        (
            "tokens",
            Some(format!(
                "{} used, {} estimated{cost}",
                thousands(s.tokens_used),
                thousands(s.tokens_estimated)
            )),
        ),
        (
            "time",
            Some(Span(std::time::Duration::from_millis(s.elapsed_ms)).to_string()),
        ),
        ("planned by", s.planned_by.clone()),
        (
            "answered by",
            s.answer.as_ref().and_then(|_| answered_by(s)),
        ),
        ("branch", branch),
        (
            "waits",
            s.waiting_until.map(|at| Shown { at, now }.to_string()),
        ),
        ("left", left(s)),
    ]);
    if let Ended::Stuck(beads) = ended {
        page.blank();
        for (id, reason) in beads {
            page.styled(WARN, format!("{id}  {reason}"));
        }
    }
    for (n, command) in s.next.iter().enumerate() {
        page.line(format!(
            "{}  {command}",
            if n == 0 { "next" } else { "    " }
        ));
    }
}

fn answered_by(s: &GoalSummary) -> Option<String> {
    let last = s
        .beads
        .iter()
        .rev()
        .find(|b| b.status == BeadStatus::Completed)?;
    let provider = last.provider.as_ref()?.to_string();
    Some(match &last.model {
        Some(model) if model.starts_with("embedded ") => {
            format!("{provider}, {model} (for coding work install Claude Code or Codex)")
        }
        Some(model) => format!("{provider}, {model}"),
        None => provider,
    })
}

fn left(s: &GoalSummary) -> Option<String> {
    let p = &s.progress;
    let parts: Vec<String> = [
        (p.active + p.waiting, "to do"),
        (p.deferred, "waiting for capacity"),
        (p.blocked, "blocked"),
        (p.failed, "failed"),
        (p.cancelled, "cancelled"),
    ]
    .iter()
    .filter(|(n, _)| *n > 0)
    .map(|(n, word)| format!("{n} {word}"))
    .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn headline(s: &GoalSummary, ended: &Ended) -> (anstyle::Style, &'static str) {
    match (ended, s.status) {
        (Ended::Interrupted(_), _) => (WARN, "interrupted; everything was put back"),
        (Ended::Waiting(_), _) => (WARN, "waits for capacity"),
        (Ended::Stuck(_), _) => (BAD, "stuck: what is left cannot be started"),
        (Ended::Paused, _) => (WARN, "paused"),
        (Ended::Halted, _) => (WARN, "stopped with everything else; what ran was put back"),
        (Ended::Over, ConvoyStatus::Completed) => (GOOD, "done"),
        (Ended::Over, ConvoyStatus::Failed) => (BAD, "failed"),
        (Ended::Over, ConvoyStatus::Cancelled) => (WARN, "cancelled"),
        (
            Ended::Over,
            ConvoyStatus::Planning
            | ConvoyStatus::Queued
            | ConvoyStatus::InProgress
            | ConvoyStatus::Paused,
        ) => {
            if s.progress.blocked > 0 {
                (WARN, "needs you")
            } else {
                (PLAIN, "stored")
            }
        }
    }
}

fn bead_style(status: BeadStatus) -> anstyle::Style {
    super::super::bead::text::style(status)
}

/// The commands that go on from here, the most useful first.
pub(crate) fn next(s: &GoalSummary, ended: &Ended, way: Way) -> Vec<String> {
    let mut next = Vec::new();
    let stopped = s
        .beads
        .iter()
        .find(|b| matches!(b.status, BeadStatus::Failed | BeadStatus::Blocked));
    if let Some(bead) = stopped {
        next.push(format!("rigs why {}", bead.id));
        next.push(format!("rigs bead logs {}", bead.id));
    }
    let open = !s.status.is_over();
    match ended {
        Ended::Halted => {
            next.push("rigs thaw".into());
            next.push(format!("rigs goal resume {}", s.convoy_id));
        }
        Ended::Interrupted(_) | Ended::Waiting(_) | Ended::Paused => {
            next.push(format!("rigs goal resume {}", s.convoy_id));
        }
        Ended::Stuck(_) => {
            next.push("rigs provider list".into());
            next.push(format!("rigs goal resume {}", s.convoy_id));
        }
        Ended::Over if open && s.progress.blocked == 0 => {
            next.push(format!("rigs goal resume {}", s.convoy_id));
        }
        Ended::Over => {}
    }
    let has_work = s.branch.is_some() && s.progress.completed > 0;
    if has_work && s.landed_commit.is_none() && s.status == ConvoyStatus::Completed {
        if let (Some(base), Some(branch)) = (&s.base_branch, &s.branch) {
            next.push(format!("git diff {base}...{branch}"));
        }
        if !way.land {
            next.push(format!("rigs convoy land {}", s.convoy_id));
        }
    }
    next
}
