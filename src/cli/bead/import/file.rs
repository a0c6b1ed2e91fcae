//! The file of an import: read, checked as a whole against itself and the store, put in order.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Read;
use std::ops::Range;

use crate::assayer::plan::{Author, criterion_problem, path_problem};
use crate::cli::{App, Failure};
use crate::core::{BeadId, BeadStatus, ConvoyId, Criterion, Timestamp, text};
use crate::db::Conn;
use crate::depot::lines::{self, Incoming, Line};
use crate::depot::{Act, Arrival, store};

/// More is not read: about a million long beads.
const MOST: u64 = 2 << 30;
/// Problems that are told at once.
const TOLD: usize = 20;
/// Characters of the ids of lines that have none.
const NEW_ID: usize = 8;

/// The text of the file.
pub(super) fn read(app: &App, given: &str) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let (name, done) = if given == "-" {
        let mut stdin = std::io::stdin().lock().take(MOST + 1);
        ("stdin".to_owned(), stdin.read_to_end(&mut bytes))
    } else {
        let path = app.env.cwd().join(given);
        let done = fs_err::File::open(&path).and_then(|f| f.take(MOST + 1).read_to_end(&mut bytes));
        (given.to_owned(), done)
    };
    done.map_err(|e| Failure::usage(format!("{name} cannot be read: {e}")))?;
    if bytes.len() as u64 > MOST {
        return Err(Failure::usage(format!("{name} is larger than 2 GiB"))
            .hint("split it: dependencies may name beads that are in the store"));
    }
    String::from_utf8(bytes).map_err(|e| {
        let before = String::from_utf8_lossy(&e.as_bytes()[..e.utf8_error().valid_up_to()]);
        let line = before.matches('\n').count() + 1;
        Failure::usage(format!("{name}: line {line} is not UTF-8 text"))
    })
}

/// A bead that is to be stored: where its line is, and what is known beyond it.
pub(super) struct Found {
    pub(super) id: BeadId,
    at: Range<usize>,
    number: usize,
    /// All of them are in the store when it comes to this bead.
    waits_for: Vec<BeadId>,
    convoy: Option<ConvoyId>,
}

/// A file without problems.
pub(super) struct Checked {
    /// In the order in which they are to be stored.
    pub(super) beads: Vec<Found>,
    pub(super) there_already: u64,
    pub(super) skipped: u64,
    commands: usize,
    convoys: BTreeSet<ConvoyId>,
    no_work: usize,
}

impl Checked {
    /// What was left out.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.commands > 0 {
            let n = text::count(self.commands, "criterion", "criteria");
            notes.push(format!(
                "{n} with a command became words: a file may name a gate, not a program to run"
            ));
        }
        if !self.convoys.is_empty() {
            let all: Vec<&str> = self.convoys.iter().map(ConvoyId::as_str).take(5).collect();
            notes.push(format!(
                "not here, or over: {}; their beads are stored without a convoy (--convoy ID gives one)",
                all.join(", ")
            ));
        }
        if self.no_work > 0 {
            let n = text::count(self.no_work, "dependency", "dependencies");
            notes.push(format!("{n} on what is no work were left out"));
        }
        notes
    }
}

/// The beads of a batch, whole.
pub(super) fn arrivals(
    text: &str,
    batch: &[Found],
    now: Timestamp,
) -> Result<Vec<Arrival>, Failure> {
    batch
        .iter()
        .map(|found| match lines::read(&text[found.at.clone()], now) {
            Ok(Line::Bead(incoming)) => {
                let mut arrival = incoming.arrival;
                arrival.id = found.id.clone();
                arrival.new.depends_on.clone_from(&found.waits_for);
                arrival.new.convoy_id.clone_from(&found.convoy);
                defuse(&mut arrival.new.acceptance_criteria);
                Ok(arrival)
            }
            Ok(Line::Skipped(why)) => Err(problem(found.number, why)),
            Err(why) => Err(problem(found.number, &why)),
        })
        .collect()
}

fn problem(line: usize, why: &str) -> Failure {
    Failure::usage(format!("line {line}: {why}"))
}

/// A command of a file's own becomes words; how many did.
fn defuse(criteria: &mut [Criterion]) -> usize {
    let mut commands = 0;
    for criterion in criteria {
        if let Criterion::Command { text, .. } = criterion {
            commands += 1;
            *criterion = Criterion::text(std::mem::take(text));
        }
    }
    commands
}

/// What is read of a line before anything is stored.
struct Draft {
    at: Range<usize>,
    number: usize,
    id: Option<BeadId>,
    waits_for: Vec<String>,
    convoy: Option<ConvoyId>,
}

#[derive(Default)]
struct Reading {
    drafts: Vec<Draft>,
    /// Ids by which other lines may name a bead, with its place among the drafts.
    by_id: HashMap<BeadId, usize>,
    /// Lines that are no work, by their id.
    skipped_keys: BTreeSet<BeadId>,
    skipped: u64,
    commands: usize,
    problems: Vec<(usize, String)>,
}

/// Looks at every line, at what each waits for, and at what is in the store already.
pub(super) async fn check(
    conn: &mut Conn,
    act: Act<'_>,
    text: &str,
    convoy: Option<&ConvoyId>,
) -> Result<Checked, Failure> {
    let mut reading = Reading::default();
    for (n, at) in ranges(text).enumerate() {
        reading.take(&text[at.clone()], at, n + 1, act.now);
    }
    let known = known(conn, &reading).await?;
    let mut checked = Checked {
        beads: Vec::new(),
        there_already: 0,
        skipped: reading.skipped,
        commands: reading.commands,
        convoys: BTreeSet::new(),
        no_work: 0,
    };
    let edges = reading.edges(&known, &mut checked.no_work);
    let order = match lines::order(&edges.within) {
        Ok(order) => order,
        Err(circle) => {
            let line = |n: &usize| reading.drafts[*n].number.to_string();
            let way: Vec<String> = circle.iter().map(line).collect();
            let first = circle.first().map_or(0, |n| reading.drafts[*n].number);
            let way = format!("its dependencies make a circle: lines {}", way.join(" -> "));
            reading.problems.push((first, way));
            Vec::new()
        }
    };
    reading.told()?;
    let open = open_convoys(conn, &reading).await?;
    let ids = new_ids(conn, act, &reading).await?;
    for n in order {
        let draft = &reading.drafts[n];
        let id = ids[n].clone();
        if known.contains_key(&id) {
            checked.there_already += 1;
            continue;
        }
        let own = draft.convoy.clone().filter(|_| convoy.is_none());
        if let Some(lost) = own.iter().find(|c| !open.contains(c)) {
            checked.convoys.insert(lost.clone());
        }
        let within = edges.within[n].iter().map(|on| ids[*on].clone());
        checked.beads.push(Found {
            id,
            at: draft.at.clone(),
            number: draft.number,
            waits_for: within.chain(edges.stored[n].iter().cloned()).collect(),
            convoy: convoy.cloned().or(own.filter(|c| open.contains(c))),
        });
    }
    Ok(checked)
}

/// Where the lines are, the last one with or without an end.
fn ranges(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut from = 0;
    text.split_inclusive('\n').map(move |line| {
        let at = from..from + line.trim_end().len();
        from += line.len();
        at
    })
}

struct Edges {
    /// Places of drafts that each draft waits for.
    within: Vec<Vec<usize>>,
    /// Beads of the store that it waits for.
    stored: Vec<Vec<BeadId>>,
}

impl Reading {
    fn take(&mut self, line: &str, at: Range<usize>, number: usize, now: Timestamp) {
        // A byte order mark is no part of the first line.
        let mark = if number == 1 && line.starts_with('\u{feff}') {
            '\u{feff}'.len_utf8()
        } else {
            0
        };
        let (line, at) = (&line[mark..], at.start + mark..at.end);
        if line.trim().is_empty() {
            return;
        }
        let incoming = match lines::read(line, now) {
            Ok(Line::Bead(incoming)) => *incoming,
            Ok(Line::Skipped(_)) => {
                self.skipped += 1;
                self.skipped_keys.extend(key_of(line));
                return;
            }
            Err(why) => return self.problems.push((number, why)),
        };
        let Incoming {
            key,
            waits_for,
            convoy,
            mut arrival,
        } = incoming;
        self.commands += defuse(&mut arrival.new.acceptance_criteria);
        let criteria = arrival.new.acceptance_criteria.iter();
        let wrong = criteria.filter_map(|c| criterion_problem(c, Author::Rules));
        let files = arrival.new.files.iter().filter_map(|f| path_problem(f));
        self.problems
            .extend(wrong.chain(files).map(|p| (number, p)));
        let id = key.map(|_| arrival.id);
        if let Some(id) = &id
            && let Some(before) = self.by_id.insert(id.clone(), self.drafts.len())
        {
            let line = self.drafts[before].number;
            self.problems
                .push((number, format!("it has the id of line {line}")));
        }
        self.drafts.push(Draft {
            at,
            number,
            id,
            waits_for,
            convoy,
        });
    }

    fn edges(&mut self, known: &BTreeMap<BeadId, BeadStatus>, no_work: &mut usize) -> Edges {
        let mut edges = Edges {
            within: Vec::with_capacity(self.drafts.len()),
            stored: Vec::with_capacity(self.drafts.len()),
        };
        for draft in &self.drafts {
            let (mut within, mut stored) = (BTreeSet::new(), BTreeSet::new());
            for key in &draft.waits_for {
                let id = lines::id_of(key);
                if let Some(place) = self.by_id.get(&id) {
                    within.insert(*place);
                } else if known.contains_key(&id) {
                    stored.insert(id);
                } else if self.skipped_keys.contains(&id) {
                    *no_work += 1;
                } else {
                    let key = text::one_line(key, 60);
                    let why =
                        format!("it waits for `{key}`, which is neither here nor in the store");
                    self.problems.push((draft.number, why));
                }
            }
            edges.within.push(within.into_iter().collect());
            edges.stored.push(stored.into_iter().collect());
        }
        edges
    }

    /// All problems at once, each with its line.
    fn told(&mut self) -> Result<(), Failure> {
        self.problems.sort();
        let Some((line, why)) = self.problems.first() else {
            return Ok(());
        };
        let more = self.problems.len() - 1;
        let mut failure = problem(*line, why);
        let rest = self.problems.iter().skip(1).take(TOLD);
        failure.causes = rest
            .map(|(line, why)| format!("line {line}: {why}"))
            .collect();
        if more > TOLD {
            failure.causes.push(format!("and {} more", more - TOLD));
        }
        Err(failure.hint("nothing was stored"))
    }
}

/// The id of a line that is no work.
fn key_of(line: &str) -> Option<BeadId> {
    let value: serde_json::Value = serde_json::from_str(line).ok()?;
    Some(lines::id_of(value.get("id")?.as_str()?))
}

/// Which of the beads that the file holds or names are in the store.
async fn known(
    conn: &mut Conn,
    reading: &Reading,
) -> Result<BTreeMap<BeadId, BeadStatus>, Failure> {
    let named = reading.drafts.iter().flat_map(|d| {
        let waits_for = d.waits_for.iter().map(|key| lines::id_of(key));
        d.id.clone().into_iter().chain(waits_for)
    });
    let all: BTreeSet<BeadId> = named.collect();
    let all: Vec<BeadId> = all.into_iter().collect();
    Ok(store::states_of(conn, &all).await?)
}

/// The convoys of the file that are here and can take beads.
async fn open_convoys(conn: &mut Conn, reading: &Reading) -> Result<BTreeSet<ConvoyId>, Failure> {
    let named: BTreeSet<&ConvoyId> = reading
        .drafts
        .iter()
        .filter_map(|d| d.convoy.as_ref())
        .collect();
    let mut open = BTreeSet::new();
    for id in named {
        let found = store::convoy(conn, id).await?;
        if found.is_some_and(|c| !c.status.is_over()) {
            open.insert(id.clone());
        }
    }
    Ok(open)
}

/// The id of every draft: its own, or a new one that nobody has.
async fn new_ids(conn: &mut Conn, act: Act<'_>, reading: &Reading) -> Result<Vec<BeadId>, Failure> {
    let mut taken: BTreeSet<BeadId> = reading.by_id.keys().cloned().collect();
    let mut ids: Vec<Option<BeadId>> = reading.drafts.iter().map(|d| d.id.clone()).collect();
    loop {
        let mut drawn = Vec::new();
        for place in ids.iter_mut().filter(|id| id.is_none()) {
            let id = act.ids.bead(NEW_ID);
            if taken.insert(id.clone()) {
                drawn.push(id.clone());
                *place = Some(id);
            }
        }
        let met = store::states_of(conn, &drawn).await?;
        for place in &mut ids {
            if place
                .as_ref()
                .is_some_and(|id| drawn.contains(id) && met.contains_key(id))
            {
                *place = None;
            }
        }
        if ids.iter().all(Option::is_some) {
            return Ok(ids.into_iter().flatten().collect());
        }
    }
}
