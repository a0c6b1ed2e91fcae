//! Progress of a goal on stderr: a line per event, and on a terminal one live line per polecat.

use std::collections::HashMap;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::super::when::clock;
use super::super::{App, Failure};
use crate::core::text::{one_line, thousands};
use crate::core::time::Span;
use crate::core::{BeadId, Timestamp};
use crate::db::{Event, EventType};
use crate::foreman::{Context, Follower, News};

pub(crate) struct Progress {
    follower: Follower,
    live: Option<Live>,
}

struct Live {
    bars: MultiProgress,
    total: ProgressBar,
    beads: HashMap<BeadId, ProgressBar>,
}

impl Progress {
    pub(crate) fn new(app: &App, follower: Follower) -> Self {
        let live = app.out.is_live().then(|| {
            let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(4));
            let total = bars.add(ProgressBar::new_spinner().with_style(style("{msg}")));
            Live {
                bars,
                total,
                beads: HashMap::new(),
            }
        });
        Self { follower, live }
    }

    /// Shows what has happened since the last look.
    pub(crate) async fn look(&mut self, app: &mut App, ctx: &Context) -> Result<(), Failure> {
        let news = self.follower.look(&ctx.db).await?;
        let now = ctx.clock.now();
        for event in &news.events {
            if let Some(words) = sentence(event, now) {
                let line = format!("{}  {words}", clock(event.at, now));
                match &self.live {
                    // Drawn above the live lines; a terminal that is gone takes no lines.
                    Some(live) => live.bars.println(line).unwrap_or_default(),
                    None => app.out.note(line)?,
                }
            }
        }
        if let Some(live) = &mut self.live {
            live.draw(&news, now);
        }
        Ok(())
    }

    /// Takes the live lines away.
    pub(crate) fn finish(&mut self) {
        if let Some(live) = self.live.take() {
            for bar in live.beads.values().chain([&live.total]) {
                bar.finish_and_clear();
            }
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

impl Live {
    fn draw(&mut self, news: &News, now: Timestamp) {
        self.beads.retain(|id, bar| {
            let stays = news.at_work.iter().any(|a| a.bead == *id);
            if !stays {
                bar.finish_and_clear();
            }
            stays
        });
        for at in &news.at_work {
            let bar = self.beads.entry(at.bead.clone()).or_insert_with(|| {
                let bar = ProgressBar::new_spinner().with_style(style("  {spinner} {wide_msg}"));
                self.bars.insert_before(&self.total, bar)
            });
            let who = at.provider.as_ref().map_or("", |p| p.as_str());
            let used = if at.used.tokens() > 0 {
                format!(", {} tokens", thousands(at.used.tokens()))
            } else {
                String::new()
            };
            let time = Span(now.since(at.since));
            bar.set_message(format!(
                "{}  {who} {}, {time}{used}  {}",
                at.bead,
                at.state,
                one_line(&at.title, 60)
            ));
            bar.tick();
        }
        let p = &news.progress;
        let mut parts = vec![format!("{} of {} done", p.completed, p.total)];
        for (n, word) in [
            (p.active, "running"),
            (p.waiting, "waiting"),
            (p.deferred, "deferred"),
            (p.blocked, "blocked"),
            (p.failed, "failed"),
        ] {
            if n > 0 {
                parts.push(format!("{n} {word}"));
            }
        }
        self.total.set_message(parts.join(", "));
        self.total.tick();
    }
}

/// What an event means, for a person; `None` for what they need not see.
pub(crate) fn sentence(event: &Event, now: Timestamp) -> Option<String> {
    let text = |key: &str| {
        event
            .payload
            .get(key)
            .and_then(|v| v.as_str())
            .map(|t| one_line(t, 200))
            .unwrap_or_default()
    };
    let bead = event.bead_id.as_ref().map_or("", |id| id.as_str());
    let provider = event.provider.as_ref().map_or("", |p| p.as_str());
    Some(match event.kind {
        EventType::BeadClaim => {
            let attempt = event
                .payload
                .get("attempt")
                .and_then(serde_json::Value::as_i64)
                .unwrap_or(1);
            let again = if attempt > 1 {
                format!(", attempt {attempt}")
            } else {
                String::new()
            };
            format!("{bead}  runs on {provider}{again}")
        }
        EventType::BeadAccept => format!("{bead}  passed the gate"),
        EventType::BeadRevise => format!("{bead}  goes back: {}", text("feedback")),
        EventType::BeadComplete => format!("{bead}  done"),
        EventType::BeadDefer => {
            let until = event
                .payload
                .get("until")
                .and_then(|v| v.as_str())
                .and_then(|t| t.parse().ok());
            let until = until.map(|at| clock(at, now)).unwrap_or_default();
            let why = event
                .payload
                .pointer("/waits_for/reason")
                .and_then(|v| v.as_str())
                .unwrap_or_default();
            format!("{bead}  waits until {until}: {}", one_line(why, 160))
        }
        EventType::BeadPromote => format!("{bead}  goes on"),
        EventType::BeadRelease => format!("{bead}  put back: {}", text("reason")),
        EventType::BeadBlock => format!("{bead}  blocked: {}", text("reason")),
        EventType::BeadFail => format!("{bead}  failed: {}", text("error")),
        EventType::BeadCancel => format!("{bead}  cancelled"),
        EventType::BeadAdopted => format!("{bead}  taken up where it was interrupted"),
        EventType::MergeConflict => {
            let next = match event.payload["conflict_bead"].as_str() {
                Some(id) => format!("; {} brings both together", one_line(id, 40)),
                None => String::new(),
            };
            format!("{bead}  is in conflict with what was merged meanwhile{next}")
        }
        EventType::ForemanWaited => "there is space on the disk again".into(),
        EventType::ConfigLoaded => {
            let keys = |name: &str| {
                let all = event.payload[name].as_array().into_iter().flatten();
                let all: Vec<&str> = all.filter_map(|key| key.as_str()).collect();
                one_line(&all.join(", "), 400)
            };
            match (keys("changed"), keys("after_restart")) {
                (now, later) if later.is_empty() => format!("other settings hold now: {now}"),
                (now, later) if now.is_empty() => {
                    format!("start the foreman again for these settings: {later}")
                }
                (now, later) => format!(
                    "other settings hold now: {now}; start the foreman again for these: {later}"
                ),
            }
        }
        EventType::ConfigRefused => {
            format!("the settings read before hold on: {}", text("message"))
        }
        EventType::PolicyLoaded => "other rules hold from now on".into(),
        EventType::PolicyRefused => {
            format!("the rules read before hold on: {}", text("message"))
        }
        EventType::DispatchHalted => {
            let reason = text("reason");
            let why = if reason.is_empty() { "" } else { ": " };
            format!("everything is stopped until `rigs thaw`{why}{reason}")
        }
        EventType::DispatchThawed => "beads are started again".into(),
        EventType::ConvoyPaused => "paused".into(),
        EventType::ConvoyResumed => "resumed".into(),
        EventType::ConvoyLanded => "landed".into(),
        EventType::BeadCreated
        | EventType::BeadEdited
        | EventType::BeadAssay
        | EventType::BeadQueue
        | EventType::BeadStart
        | EventType::BeadFinish
        | EventType::BeadUnblock
        | EventType::BeadReview
        | EventType::BeadRetry
        | EventType::TrustGranted
        | EventType::TrustRevoked
        | EventType::ConvoyCreated
        | EventType::ConvoyBeadAdded
        | EventType::ConvoyStarted
        | EventType::ConvoyCompleted
        | EventType::BeadsArchived
        | EventType::ConvoyFailed
        | EventType::ConvoyCancelled
        | EventType::AttemptEnded
        | EventType::GateChecked
        | EventType::CapacityReserved
        | EventType::CapacitySettled
        | EventType::WindowObserved
        | EventType::WindowClosed
        | EventType::WindowDrift
        | EventType::WindowSet
        | EventType::SourceAnswered
        | EventType::SourceFailed
        | EventType::WindowsRebuilt
        | EventType::CircuitChanged
        | EventType::DispatchDecided
        | EventType::NotifyFailed
        | EventType::ForemanRecovered => return None,
    })
}
