//! `docs/database.md`: the schema as it is after all migrations.

use std::collections::BTreeMap;
use std::fmt::Write;

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::events::told;
use crate::db::{Conn, EventType};
use crate::testing::TestDb;

const INTRO: &str = "\
One SQLite file, `rigs.db` in the home folder: WAL, `synchronous=FULL`, foreign keys on, STRICT
tables, mode 0600. Times are UTC in RFC 3339 with milliseconds (they sort as text), money is whole
millionths of a US dollar. Each table has one owner, the only module that writes it; a test holds
that. `events`, `usage` and `observations` are only ever appended to.

Migrations go forward only; a store of a newer rigs is refused, never changed. Read it with any
SQLite client, but let rigs do the writing. For scripts `--json` is the stable way.

In the diagram a solid line is a foreign key; a dashed one is an id without one, because the
ledger and the log outlive what they tell of.
";

/// What each table is for.
const TABLES: &[(&str, &str)] = &[
    ("events", "Everything that happened, in order."),
    (
        "convoys",
        "Batches of beads with one goal and one integration branch.",
    ),
    ("beads", "The units of work."),
    ("dependencies", "Which bead waits for which."),
    (
        "bead_counts",
        "How many beads are in each state, kept by triggers.",
    ),
    ("archived_attempts", "Attempts at beads that are archived."),
    (
        "archived_beads",
        "Beads that were long over, out of the way of the work (`rigs db archive`).",
    ),
    (
        "archived_completions",
        "What became of attempts at beads that are archived; estimates learn from it.",
    ),
    (
        "archived_counts",
        "How many archived beads are in each state, kept by a trigger.",
    ),
    (
        "archived_dependencies",
        "What waited for what, where one of both is archived.",
    ),
    ("attempts", "One row per run of a bead on a provider."),
    (
        "conflicts",
        "Beads that bring the work of another one together with what was merged meanwhile.",
    ),
    (
        "completions",
        "What became of attempts that were judged; estimates learn from it.",
    ),
    (
        "usage",
        "The ledger: what was used, one row per slice of an attempt.",
    ),
    (
        "halt",
        "The emergency stop (`rigs stop --all`): while its one row is there, nothing is started.",
    ),
    (
        "demand",
        "What was used in each minute, kept by the ledger; forecasts look back on it.",
    ),
    (
        "drift",
        "How far the provider and the ledger were last apart on a window.",
    ),
    ("reservations", "Capacity set aside for attempts."),
    ("anchors", "Where anchored windows stood last; a cache."),
    ("windows", "The latest word on each window."),
    ("observations", "Everything that was said about windows."),
    (
        "trusts",
        "Settings files of repositories that a person has read and lets count.",
    ),
    (
        "sources",
        "When each source of a provider was asked; intervals hold across restarts.",
    ),
    (
        "circuits",
        "Providers and models that are paused after errors.",
    ),
    (
        "optimization_traces",
        "Prompts before and after they were tightened.",
    ),
    (
        "affinity",
        "What became of the work of each provider and model, per type of task.",
    ),
];

/// Ids that point elsewhere without a foreign key.
const POINTS_TO: &[(&str, &str)] = &[
    ("bead_id", "beads"),
    ("convoy_id", "convoys"),
    ("attempt_id", "attempts"),
];

struct Column {
    name: String,
    kind: String,
    /// Part of the primary key, required, generated.
    marks: Vec<&'static str>,
    comment: String,
}

struct Table {
    name: String,
    columns: Vec<Column>,
    /// Column, table it refers to.
    keys: Vec<(String, String)>,
}

#[tokio::test]
async fn the_page_of_the_database_is_the_schema() {
    let t = TestDb::new().await;
    let mut conn = t.db.read().await.unwrap();
    let tables = tables(&mut conn).await;
    let owners = owners();
    let mut page = format!("# The database\n\n{}\n\n{INTRO}\n", super::MADE);
    diagram(&mut page, &tables);
    for table in &tables {
        let name = table.name.as_str();
        let what = TABLES.iter().find(|(t, _)| *t == name);
        let (_, what) = what.unwrap_or_else(|| panic!("nobody says what `{name}` is for"));
        write!(
            page,
            "\n## {name}\n\n{what} Owner: `{}`.\n\n| column | type | | meaning |\n| --- | --- | --- | --- |\n",
            owners[name]
        )
        .unwrap();
        for c in &table.columns {
            let key = table.keys.iter().find(|(column, _)| *column == c.name);
            let mut marks = c.marks.join(", ");
            if let Some((_, to)) = key {
                write!(marks, "{}→ {to}", if marks.is_empty() { "" } else { ", " }).unwrap();
            }
            let comment = super::cell(&c.comment);
            writeln!(page, "| {} | {} | {marks} | {comment} |", c.name, c.kind).unwrap();
        }
    }
    page.push_str(
        "\n## Types of events\n\n\
         `rigs events` and `rigs why` print them. `actor` is `user`, `foreman` or a provider; `correlation_id` is\n\
         the attempt. A field of the payload that has nothing to say may be missing or null.\n\n\
         | type | payload | means |\n| --- | --- | --- |\n",
    );
    for kind in EventType::ALL {
        let told = told(*kind);
        writeln!(page, "| {kind} | {} | {} |", told.payload, told.means).unwrap();
    }
    super::check("database.md", &page);
}

async fn tables(conn: &mut Conn) -> Vec<Table> {
    let found: Vec<(String, String)> = sqlx::query_as(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_sqlx%' ESCAPE '\\'
           AND name NOT LIKE 'sqlite%' ORDER BY rowid",
    )
    .fetch_all(&mut *conn)
    .await
    .unwrap();
    let mut tables = Vec::new();
    for (name, sql) in found {
        let comments = comments(&sql);
        let columns = sqlx::query("SELECT * FROM pragma_table_xinfo(?1)")
            .bind(&name)
            .fetch_all(&mut *conn)
            .await
            .unwrap();
        let keys = sqlx::query_as("SELECT \"from\", \"table\" FROM pragma_foreign_key_list(?1)")
            .bind(&name)
            .fetch_all(&mut *conn)
            .await
            .unwrap();
        let columns = columns.iter().map(|row| column(row, &comments)).collect();
        tables.push(Table {
            name,
            columns,
            keys,
        });
    }
    tables
}

fn column(row: &SqliteRow, comments: &BTreeMap<String, String>) -> Column {
    let name: String = row.get("name");
    let mut marks = Vec::new();
    if row.get::<i64, _>("pk") > 0 {
        marks.push("key");
    } else if row.get::<i64, _>("notnull") == 1 {
        marks.push("required");
    }
    if row.get::<i64, _>("hidden") > 0 {
        marks.push("generated");
    }
    Column {
        comment: comments.get(&name).cloned().unwrap_or_default(),
        kind: row.get::<String, _>("type").to_lowercase(),
        name,
        marks,
    }
}

/// The comment above each column, as the migration wrote it.
fn comments(sql: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut comment = String::new();
    for line in sql.lines().map(str::trim) {
        if let Some(words) = line.strip_prefix("--") {
            comment.push_str(words);
        } else {
            let name = line.split_whitespace().next().unwrap_or_default();
            found.insert(name.to_owned(), std::mem::take(&mut comment));
        }
    }
    found
}

/// The owner that each migration names in its first line, per table that it creates.
fn owners() -> BTreeMap<String, String> {
    let mut owners = BTreeMap::new();
    for entry in std::fs::read_dir(super::root().join("migrations")).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let owner = text.strip_prefix("-- Owner: ").unwrap();
        let owner = owner.split('.').next().unwrap();
        for rest in text.split("CREATE TABLE ").skip(1) {
            let name = rest.split([' ', '(']).next().unwrap();
            owners.insert(name.to_owned(), owner.to_owned());
        }
    }
    owners
}

fn diagram(page: &mut String, tables: &[Table]) {
    page.push_str("```mermaid\nerDiagram\n");
    for table in tables {
        for (column, to) in &table.keys {
            writeln!(page, "    {to} ||--o{{ {} : {column}", table.name).unwrap();
        }
        for (column, to) in POINTS_TO {
            let has = table.columns.iter().any(|c| c.name == *column);
            let keyed = table.keys.iter().any(|(c, _)| c == column);
            if has && !keyed && *to != table.name {
                writeln!(page, "    {to} ||..o{{ {} : {column}", table.name).unwrap();
            }
        }
    }
    for table in tables {
        writeln!(page, "    {} {{", table.name).unwrap();
        for c in table.columns.iter().filter(|c| c.marks.contains(&"key")) {
            writeln!(page, "        {} {} PK", c.kind, c.name).unwrap();
        }
        for (column, _) in &table.keys {
            let c = table.columns.iter().find(|c| c.name == *column).unwrap();
            if !c.marks.contains(&"key") {
                writeln!(page, "        {} {} FK", c.kind, c.name).unwrap();
            }
        }
        page.push_str("    }\n");
    }
    page.push_str("```\n");
}
