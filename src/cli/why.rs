//! `rigs why`

use serde_json::Value;

use super::page::{BOLD, DIM, Page, Table, WARN, cell};
use super::when::clock;
use super::{App, Ended, Exit, find};
use crate::core::text::{one_line, thousands};
use crate::core::{BeadStatus, Timestamp};
use crate::db::{Event, Mode};
use crate::depot::store as depot;
use crate::view;

/// Say why a bead is where it is: every decision about it, with its inputs
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs why gt-a1b2c
  rigs why gt-a1b2c --json | jq '.events[].type'")]
pub(crate) struct Args {
    /// Id of the bead, or its beginning
    #[arg(value_name = "ID")]
    id: String,
}

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let db = app.store(Mode::OneShot).await?;
    let mut conn = db.read().await?;
    let id = find::bead(&mut conn, &args.id).await?;
    let mut why = view::why::why(&mut conn, &id).await?;
    let now = app.now();
    if matches!(why.status, BeadStatus::Pending | BeadStatus::Queued) {
        let halted = depot::halted(&mut conn).await?;
        let limits = &app.config()?.settings.foreman;
        why.held_back = match halted {
            Some(held) => Some(super::stop::words(&held, now)),
            None => crate::foreman::host::crowded_now(limits, app.config()?.paths.home())
                .map(|why| format!("Nothing more is started for now: {why}")),
        };
    }
    let is_free = why.held_back.is_none() && why.now == view::why::READY;
    if why.status == BeadStatus::Queued && is_free {
        let ctx = super::goal::context(app).await?;
        if let Some(kept) = crate::foreman::kept(&ctx, &mut conn, &id).await? {
            why.now = kept;
        }
    }
    app.out.answer(&why, |page| {
        page.styled(BOLD, format!("{}  {}", why.bead_id, why.title));
        page.line(format!("{}: {}", why.status, why.now));
        if let Some(held) = &why.held_back {
            page.styled(WARN, held);
        }
        page.blank();
        for event in &why.events {
            show(page, event, now);
        }
    })?;
    Ok(Exit::Done)
}

fn show(page: &mut Page, event: &Event, now: Timestamp) {
    let who = match &event.provider {
        Some(provider) => format!("{provider}, by {}", event.actor),
        None => format!("by {}", event.actor),
    };
    let text = |key: &str| event.payload[key].as_str().map(|word| one_line(word, 40));
    let step = match (text("from"), text("to")) {
        (Some(from), Some(to)) => format!("  {from} -> {to}"),
        _ => String::new(),
    };
    page.line(format!(
        "{}  {}{step}  {who}",
        clock(event.at, now),
        event.kind
    ));
    let Some(fields) = event.payload.as_object() else {
        return;
    };
    let told = |name: &str| !step.is_empty() && matches!(name, "from" | "to");
    for (name, value) in fields.iter().filter(|(name, _)| !told(name)) {
        field(page, name, value);
    }
}

fn field(page: &mut Page, name: &str, value: &Value) {
    match value {
        Value::Null => {}
        Value::Array(rows) if rows.iter().any(|row| row["provider"].is_string()) => {
            candidates(page, rows);
        }
        Value::Array(checks) if checks.iter().any(|check| check["status"].is_string()) => {
            for check in checks {
                let part = |key: &str| check[key].as_str().unwrap_or_default();
                let line = format!("{} {}: {}", part("status"), part("name"), part("detail"));
                detail(page, "check", &line);
            }
        }
        Value::Object(fields) if fields.contains_key("considered") => {
            for (name, value) in fields {
                field(page, name, value);
            }
        }
        other => {
            let text = plain(other);
            if !text.is_empty() {
                detail(page, name, &text);
            }
        }
    }
}

/// Values without JSON's punctuation.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Number(n) => n.as_u64().map_or_else(|| n.to_string(), thousands),
        Value::Bool(yes) => yes.to_string(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(plain).collect();
            items.join(", ")
        }
        Value::Object(fields) => {
            let parts: Vec<String> = fields
                .iter()
                .map(|(name, value)| (name, plain(value)))
                .filter(|(_, text)| !text.is_empty())
                .map(|(name, text)| format!("{name} {text}"))
                .collect();
            parts.join(", ")
        }
    }
}

fn detail(page: &mut Page, name: &str, text: &str) {
    let room = page.width().saturating_sub(name.len() + 6).max(20);
    page.raw_line(&format!(
        "    {DIM}{}:{DIM:#} {}",
        one_line(name, 40),
        one_line(text, room)
    ));
}

/// The providers that were considered, with their factors.
fn candidates(page: &mut Page, rows: &[Value]) {
    let mut table = Table::new(
        &[
            "    PROVIDER",
            "SCORE",
            "AFFINITY",
            "CAPACITY",
            "SESSION",
            "EXPIRING",
            "ROOM",
        ],
        6,
    );
    let number = |row: &Value, key: &str| {
        let text = row[key]
            .as_f64()
            .map_or(String::new(), |x| format!("{x:.2}"));
        cell(text).right()
    };
    for row in rows {
        let room = &row["room"];
        let reason = ["reason", "window"]
            .iter()
            .find_map(|key| room[key].as_str())
            .unwrap_or("");
        table.row([
            cell(format!("    {}", row["provider"].as_str().unwrap_or("?"))),
            number(row, "score"),
            number(row, "affinity"),
            number(row, "capacity"),
            number(row, "session"),
            number(row, "expiring"),
            cell(format!("{} {reason}", room["state"].as_str().unwrap_or("")).trim()),
        ]);
    }
    page.table(&table);
    for row in rows {
        if let Some(line) = known(row) {
            detail(page, "affinity", &line);
        }
    }
}

/// What the affinity of a candidate is made of, where that is more than the built-in table.
fn known(row: &Value) -> Option<String> {
    let of = &row["known"];
    let share = |key: &str| of[key].as_f64().filter(|x| x.is_finite());
    let counted = |key: &str| of[key].as_u64().unwrap_or(0);
    let parts = ["accepted", "reworked", "failed"].map(|word| (counted(word), word));
    let all: u64 = parts.iter().map(|(n, _)| *n).fold(0, u64::saturating_add);
    let says = match of["says"].as_str()? {
        "table" if all == 0 => return None,
        "table" => "table".to_owned(),
        other => format!("by {}", one_line(other, 40)),
    };
    let (value, table) = (share("value")?, share("table")?);
    let seen: Vec<String> = parts
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, word)| format!("{} {word}", thousands(*n)))
        .collect();
    let outcomes = match (all, seen.join(", ")) {
        (0, _) => "no outcomes yet".to_owned(),
        (1, seen) => format!("1 outcome: {seen}"),
        (n, seen) => format!("{} outcomes: {seen}", thousands(n)),
    };
    let provider = row["provider"].as_str().unwrap_or("?");
    Some(format!(
        "{provider} {value:.2}: {says} {table:.2}, {outcomes}"
    ))
}
