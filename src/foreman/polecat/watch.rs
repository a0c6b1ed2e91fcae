//! Listening to one run: its lines become signals, and it is ended when it must end.

use std::time::Duration;

use super::super::Context;
use super::super::stage::{Halt, Job, Leash, Said};
use super::patience::Patience;
use super::{Log, Teller};
use crate::config::ProviderSettings;
use crate::core::{ProviderKind, Timestamp, Usage};
use crate::policy::Envelope;
use crate::process::{Exit, Next, Running, Stream};
use crate::provider::{self, Reader, Signal, StopReason};

/// How long a run that was told to end may take to obey.
const END_GRACE: Duration = Duration::from_secs(5);
/// Last lines of stderr that are kept for the classification.
const STDERR_LINES: usize = 40;

/// Listens to one run and ends it when it must end.
pub(super) struct Watch {
    pub(super) reader: Reader,
    log: Log,
    pub(super) stderr: Vec<String>,
    pub(super) session: Option<String>,
    pub(super) model: Option<String>,
    kind: ProviderKind,
    entry: ProviderSettings,
    /// The model that was asked for.
    asked: Option<String>,
    envelope: Envelope,
    /// What of the envelope is broken.
    pub(super) over_envelope: Option<String>,
    patience: Patience,
}

impl Watch {
    pub(super) fn new(
        ctx: &Context,
        job: &Job,
        p: &super::super::context::Provider,
        reader: Reader,
        redactor: crate::core::redact::Redactor,
    ) -> Self {
        let now = ctx.clock.moment();
        Self {
            reader,
            log: Log::open(&job.log, redactor),
            stderr: Vec::new(),
            session: None,
            model: None,
            kind: p.kind,
            entry: p.entry.clone(),
            asked: job.model.clone().or_else(|| p.entry.model.clone()),
            envelope: job.envelope,
            over_envelope: None,
            patience: Patience::of(&p.entry, job.envelope.time, now),
        }
    }

    /// With what it cost, where the program does not say that and it is known.
    pub(super) fn priced(&self, usage: Usage) -> Usage {
        let model = self.model.as_deref().or(self.asked.as_deref());
        provider::with_cost(self.kind, &self.entry, model, usage)
    }

    /// Through the whole run. Whatever happens, nothing of it is left running afterwards.
    pub(super) async fn through(
        &mut self,
        ctx: &Context,
        mut running: Running,
        tell: &Teller<'_>,
        mut leash: Leash,
    ) -> (Option<Exit>, Option<StopReason>, Vec<u32>) {
        let mut stopped = None;
        loop {
            let (deadline, why) = self.patience.deadline();
            tokio::select! {
                next = running.next() => match next {
                    Next::Line(line) => {
                        self.patience.heard_at = Some(ctx.clock.moment());
                        self.log.write(line.stream, &line.text);
                        if line.stream == Stream::Err {
                            self.hear(ctx, tell, |reader, now| reader.error_line(&line.text, now)).await;
                            self.stderr.push(line.text);
                            if self.stderr.len() > STDERR_LINES {
                                self.stderr.remove(0);
                            }
                        } else {
                            self.hear(ctx, tell, |reader, now| reader.line(&line.text, now)).await;
                        }
                    }
                    Next::Exited(exit) => {
                        let left = running.end(END_GRACE, &ctx.clock).await;
                        return (Some(exit), stopped, left);
                    }
                },
                () = ctx.clock.sleep_to(deadline) => {
                    if why == StopReason::Runaway {
                        self.over_envelope = Some(self.envelope.too_long());
                    }
                    stopped = Some(why);
                }
                () = halted(&mut leash) => {
                    let halt = *leash.halt.borrow();
                    stopped = Some(if halt == Some(Halt::Cancel) { StopReason::Cancel } else { StopReason::Shutdown });
                }
            }
            if self.over_envelope.is_some() {
                stopped = Some(StopReason::Runaway);
            }
            if stopped.is_some() {
                let left = tokio::select! {
                    left = running.end(END_GRACE, &ctx.clock) => Some(left),
                    () = at_once(&mut leash) => None,
                };
                let left = match left {
                    Some(left) => left,
                    None => running.end(Duration::ZERO, &ctx.clock).await,
                };
                let exit = self.drain(ctx, running, tell).await;
                return (exit, stopped, left);
            }
        }
    }

    /// Reads what is still in the pipes of a run that was ended.
    async fn drain(
        &mut self,
        ctx: &Context,
        mut running: Running,
        tell: &Teller<'_>,
    ) -> Option<Exit> {
        let deadline = ctx.clock.moment() + END_GRACE;
        loop {
            tokio::select! {
                next = running.next() => match next {
                    Next::Line(line) if line.stream == Stream::Out => {
                        self.log.write(line.stream, &line.text);
                        self.hear(ctx, tell, |reader, now| reader.line(&line.text, now)).await;
                    }
                    Next::Line(line) => self.log.write(line.stream, &line.text),
                    Next::Exited(exit) => return Some(exit),
                },
                () = ctx.clock.sleep_to(deadline) => return None,
            }
        }
    }

    pub(super) async fn hear(
        &mut self,
        ctx: &Context,
        tell: &Teller<'_>,
        read: impl FnOnce(&mut Reader, Timestamp) -> Vec<Signal>,
    ) {
        for signal in read(&mut self.reader, ctx.clock.now()) {
            let signal = match signal {
                Signal::UsageSoFar(usage) => Signal::UsageSoFar(self.priced(usage)),
                other => other,
            };
            match &signal {
                Signal::Session(id) => self.session = Some(id.clone()),
                Signal::Model(name) => self.model = Some(name.clone()),
                Signal::UsageSoFar(usage) => {
                    if let Some(broken) = self.envelope.broken(usage) {
                        self.over_envelope.get_or_insert(broken);
                    }
                }
                Signal::Result { .. } => self.patience.result_at = Some(ctx.clock.moment()),
                Signal::Retrying { delay, .. } => self.patience.retrying = Some(*delay),
                Signal::Hopeless => {
                    self.patience.hopeless_at.get_or_insert(ctx.clock.moment());
                }
                Signal::Text(_) | Signal::Tool { .. } => self.patience.retrying = None,
                Signal::Window(_) => {}
            }
            // Of its words the loop has no use, and they may be endless.
            let matters = match &signal {
                Signal::Session(_)
                | Signal::Model(_)
                | Signal::UsageSoFar(_)
                | Signal::Window(_)
                | Signal::Retrying { .. } => true,
                Signal::Text(_)
                | Signal::Tool { .. }
                | Signal::Result { .. }
                | Signal::Hopeless => false,
            };
            if matters {
                tell.say(Said::Signal(signal)).await;
            }
        }
    }
}

/// Completes when the loop asks this stage to end.
pub(crate) async fn halted(leash: &mut Leash) {
    if leash.halt.wait_for(Option::is_some).await.is_err() {
        // The loop is gone without a word: as good as a shutdown.
        leash.token.cancelled().await;
    }
}

/// Completes when there is no more grace.
async fn at_once(leash: &mut Leash) {
    let told = |h: &Option<Halt>| *h == Some(Halt::AtOnce);
    if leash.halt.wait_for(told).await.is_err() {
        std::future::pending::<()>().await;
    }
}
