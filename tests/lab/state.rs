//! What the lab remembers: its script and how far it was played, walls, counts and records.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::TcpStream;
use std::time::Instant;

use serde::Serialize;
use serde_json::Value;

use super::dialect::Conversation;
use super::limits::{Limits, Share, Wall, Window, now_s};
use super::script::{Rule, Script, Step, Usage};

/// Records kept; older ones are dropped.
const MAX_RECORDS: usize = 5_000;
/// Of these, so many with their bodies: an agent's request has about 50 kB.
const MAX_BODIES: usize = 500;
const MAX_VIOLATIONS: usize = 100;

/// What one tag's model calls came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    /// Model calls that arrived.
    pub(crate) requests: u64,
    /// Answers sent to their end.
    pub(crate) answered: u64,
    /// What these answers reported, in the four disjoint kinds of rigs' ledger.
    pub(crate) usage: Usage,
    /// Calls made against a wall that stood already.
    pub(crate) walled: u64,
    /// Calls given up by the client, or broken by the script.
    pub(crate) broken: u64,
    /// Model calls by HTTP status.
    pub(crate) statuses: BTreeMap<u16, u64>,
    /// Everything else: health, models, token counts.
    pub(crate) others: u64,
}

/// One request.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Record {
    /// Counts from 1 over all tags.
    pub(crate) serial: u64,
    pub(crate) tag: String,
    /// Since the lab was started.
    pub(crate) at_ms: u64,
    /// Epoch seconds.
    pub(crate) at: f64,
    pub(crate) done_ms: Option<u64>,
    pub(crate) method: String,
    /// Without the tag.
    pub(crate) path: String,
    pub(crate) query: String,
    /// Of the body.
    pub(crate) bytes: usize,
    /// By which a call with knobs was answered.
    pub(crate) mode: String,
    /// `messages`, `responses`, `chat`, `gemini`, `ollama`; none for what is not a model call.
    pub(crate) dialect: Option<&'static str>,
    /// 0 as long as nothing is answered.
    pub(crate) status: u16,
    /// What became of it, in a word.
    pub(crate) how: &'static str,
    pub(crate) model: String,
    pub(crate) stream: bool,
    /// Everything the user says in it.
    pub(crate) prompt: String,
    pub(crate) tools: Vec<String>,
    /// The key or token it came with.
    #[serde(skip)]
    pub(crate) credential: Option<String>,
    #[serde(skip)]
    pub(crate) headers: Vec<(String, String)>,
    #[serde(skip)]
    pub(crate) body: Value,
}

#[derive(Default)]
pub(super) struct Tag {
    pub(super) counts: Counts,
    pub(super) limits: Limits,
    pub(super) wall: Option<Wall>,
    /// How long its windows are, where that is not the usual.
    pub(super) window_s: Option<u64>,
    /// What requests must come with.
    pub(super) credential: Option<String>,
}

pub(super) struct State {
    pub(super) began: Instant,
    pub(super) stopping: bool,
    pub(super) sockets: HashMap<u64, TcpStream>,
    pub(super) tags: BTreeMap<String, Tag>,
    pub(super) records: VecDeque<Record>,
    pub(super) serial: u64,
    pub(super) released: BTreeSet<String>,
    pub(super) violations: Vec<String>,
    pub(super) forbidden: Vec<String>,
    /// Ollama's.
    pub(super) models: Vec<String>,
    /// Knobs that are set for every request.
    pub(super) control: BTreeMap<String, String>,
    script: Script,
    /// The next step, by rule, tag and what the group of its pattern matched.
    places: BTreeMap<Place, usize>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    rule: usize,
    tag: String,
    group: String,
}

impl State {
    pub(super) fn new(script: Script) -> Self {
        Self {
            began: Instant::now(),
            stopping: false,
            sockets: HashMap::new(),
            tags: BTreeMap::new(),
            records: VecDeque::new(),
            serial: 0,
            released: BTreeSet::new(),
            violations: Vec::new(),
            forbidden: Vec::new(),
            models: vec!["lab-model:latest".into()],
            control: BTreeMap::new(),
            script,
            places: BTreeMap::new(),
        }
    }

    pub(super) fn tag(&mut self, tag: &str) -> &mut Tag {
        self.tags.entry(tag.to_owned()).or_default()
    }

    /// Starts another script from its first step.
    pub(super) fn play(&mut self, script: Script) {
        self.script = script;
        self.places.clear();
    }

    /// Forgets counts, records, walls and knobs.
    pub(super) fn reset(&mut self) {
        self.control.clear();
        self.tags.clear();
        self.records.clear();
        self.violations.clear();
    }

    pub(super) fn add_rule(&mut self, rule: Rule) {
        self.script.rules.push(rule);
    }

    /// The step for a call, and its place; none when no rule matches or its steps are over.
    pub(super) fn next_step(&self, tag: &str, said: &Conversation) -> Option<(Place, Step)> {
        let (rule, group) = self
            .script
            .rules
            .iter()
            .enumerate()
            .find_map(|(at, rule)| {
                if rule.tag.as_deref().is_some_and(|wanted| wanted != tag) {
                    return None;
                }
                let Some(pattern) = &rule.when else {
                    return Some((at, String::new()));
                };
                let found = pattern.captures(&said.prompt)?;
                Some((
                    at,
                    found
                        .get(1)
                        .map(|group| group.as_str().to_owned())
                        .unwrap_or_default(),
                ))
            })?;
        let place = Place {
            rule,
            tag: tag.to_owned(),
            group,
        };
        let at = self.places.get(&place).copied().unwrap_or_default();
        let Rule { steps, repeat, .. } = &self.script.rules[rule];
        let at = if *repeat { at % steps.len().max(1) } else { at };
        Some((place, steps.get(at)?.clone()))
    }

    pub(super) fn advance(&mut self, place: Place) {
        *self.places.entry(place).or_default() += 1;
    }

    /// What the script still had to say: rules no call matched, steps no call reached.
    pub(super) fn unplayed(&self) -> Vec<String> {
        let mut unplayed = Vec::new();
        for (at, rule) in self
            .script
            .rules
            .iter()
            .enumerate()
            .filter(|(_, rule)| !rule.repeat)
        {
            let name = rule
                .when
                .as_ref()
                .map_or("every call", regex::Regex::as_str);
            let played: Vec<_> = self
                .places
                .iter()
                .filter(|(place, _)| place.rule == at)
                .collect();
            if played.is_empty() && !rule.steps.is_empty() {
                unplayed.push(format!("rule {} ({name}): never began", at + 1));
            }
            for (place, steps) in played {
                if *steps < rule.steps.len() {
                    let Place { tag, group, .. } = place;
                    unplayed.push(format!(
                        "rule {} ({name}) for {tag} {group}: {steps} of {} steps",
                        at + 1,
                        rule.steps.len(),
                    ));
                }
            }
        }
        unplayed
    }

    /// The wall that stands before a tag now. A fallen one leaves a fresh window behind.
    pub(super) fn wall(&mut self, tag: &str) -> Option<Wall> {
        let tag = self.tag(tag);
        let wall = tag.wall?;
        if now_s() < wall.until {
            return Some(wall);
        }
        tag.wall = None;
        let (window, length) = match wall.window {
            Window::FiveHour => (&mut tag.limits.five_hour, 5 * 3600),
            Window::SevenDay => (&mut tag.limits.seven_day, 7 * 86_400),
        };
        *window = Some(Share {
            used: 0.0,
            resets_at: wall.until + tag.window_s.unwrap_or(length),
        });
        None
    }

    pub(super) fn violation(&mut self, what: String) {
        if self.violations.len() < MAX_VIOLATIONS {
            self.violations.push(what);
        }
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    pub(super) fn record(&mut self, record: Record) {
        self.records.push_back(record);
        if self.records.len() > MAX_RECORDS {
            self.records.pop_front();
        }
        if let Some(at) = self.records.len().checked_sub(MAX_BODIES + 1) {
            self.records[at].body = Value::Null;
        }
    }

    pub(super) fn recorded(&mut self, serial: u64) -> Option<&mut Record> {
        self.records
            .iter_mut()
            .rev()
            .find(|record| record.serial == serial)
    }
}
