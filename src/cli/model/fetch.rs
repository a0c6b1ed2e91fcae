//! Getting a model while somebody watches: progress, and an end by Ctrl-C that keeps what is
//! here already.

use std::path::Path;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio_util::sync::CancellationToken;

use super::super::signals::Signals;
use super::super::{App, Failure, goal};
use crate::llm::store::{Model, ModelStore, OnProgress, Progress, Published, StoreError, Tools};

/// Fetches a published model.
pub(crate) async fn fetch(
    app: &mut App,
    store: &ModelStore,
    published: &Published,
) -> Result<Model, Failure> {
    let mut signals = Signals::listen()?;
    fetch_with(app, &mut signals, store, published).await
}

/// The same, for a command that listens to signals already.
pub(crate) async fn fetch_with(
    app: &mut App,
    signals: &mut Signals,
    store: &ModelStore,
    published: &Published,
) -> Result<Model, Failure> {
    let tools = Tools::of(&app.env);
    let clock = app.clock.clone();
    watched(app, signals, published.size_bytes, async |on, stop| {
        store.pull(published, &tools, on, &clock, stop).await
    })
    .await
}

/// Takes in a file of the user's.
pub(crate) async fn add(app: &mut App, store: &ModelStore, file: &Path) -> Result<Model, Failure> {
    let mut signals = Signals::listen()?;
    let clock = app.clock.clone();
    let size = std::fs::metadata(file).map_or(0, |meta| meta.len());
    watched(app, &mut signals, size, async |on, stop| {
        store.add(file, on, &clock, stop).await
    })
    .await
}

async fn watched(
    app: &App,
    signals: &mut Signals,
    size: u64,
    work: impl AsyncFnOnce(OnProgress<'_>, &CancellationToken) -> Result<Model, StoreError>,
) -> Result<Model, Failure> {
    let stop = CancellationToken::new();
    let shown = Shown::new(app, size);
    let on = |progress: Progress| shown.show(progress);
    let done = {
        let work = work(&on, &stop);
        tokio::pin!(work);
        match signals.or(&mut work).await {
            Ok(done) => done,
            Err(which) => {
                stop.cancel();
                // What is here so far stays for the next try.
                drop(work.await);
                return Err(goal::interrupted(which));
            }
        }
    };
    shown.bar.finish_and_clear();
    Ok(done?)
}

/// A bar on a terminal, lines of the log elsewhere.
struct Shown {
    bar: ProgressBar,
    plain: bool,
}

impl Shown {
    fn new(app: &App, size: u64) -> Self {
        let live = app.out.is_live();
        let target = if live {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let style = ProgressStyle::with_template("  {bar:30} {bytes}/{total_bytes}  {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        Self {
            bar: ProgressBar::with_draw_target(Some(size), target).with_style(style),
            plain: !live,
        }
    }

    fn show(&self, progress: Progress) {
        match progress {
            Progress::Bytes { done, total } => {
                self.bar.set_length(total);
                self.bar.set_position(done);
            }
            Progress::From(source) => self.say(&format!("from {source}")),
            Progress::Failed { source, reason } => self.say(&format!("{source}: {reason}")),
            Progress::Checking => self.say("checking"),
            Progress::Waiting => self.say("another rigs changes the models; waiting for it"),
        }
    }

    fn say(&self, words: &str) {
        if self.plain {
            tracing::info!("{words}");
        }
        self.bar.set_message(crate::core::text::one_line(words, 60));
    }
}
