//! Ctrl-C and its relatives, as messages.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

use crate::core::time::Span;
use crate::foreman::Interrupt;

/// Signals from now on; the default action, sudden death, is off while this lives.
pub(crate) struct Signals {
    pub(crate) queue: mpsc::Receiver<Interrupt>,
    /// How many came; for whoever shows what happens while another task acts on them.
    pub(crate) seen: watch::Receiver<u32>,
    // Ends the listener when dropped.
    _listener: JoinSet<()>,
}

/// More than a person sends before the first one is acted on.
const QUEUE: usize = 8;

impl Signals {
    pub(crate) fn listen() -> std::io::Result<Self> {
        Self::reloading(Arc::default())
    }

    /// A terminal that is closed asks to end as kindly as SIGTERM does; any other SIGHUP asks
    /// to read the rules again, and tells `reload`.
    pub(crate) fn reloading(reload: Arc<Notify>) -> std::io::Result<Self> {
        let had_terminal = std::io::stdin().is_terminal();
        let mut int = signal(SignalKind::interrupt())?;
        let mut term = signal(SignalKind::terminate())?;
        let mut hup = signal(SignalKind::hangup())?;
        let (send, queue) = mpsc::channel(QUEUE);
        let (count, seen) = watch::channel(0);
        let mut listener = JoinSet::new();
        listener.spawn(async move {
            loop {
                let which = tokio::select! {
                    Some(()) = int.recv() => Interrupt::Int,
                    Some(()) = term.recv() => Interrupt::Term,
                    Some(()) = hup.recv() => {
                        // Of a terminal that is gone nobody can say any more that it is one.
                        if had_terminal && !std::io::stdin().is_terminal() {
                            Interrupt::Term
                        } else {
                            reload.notify_one();
                            continue;
                        }
                    }
                    else => return,
                };
                count.send_modify(|n| *n += 1);
                if send.send(which).await.is_err() {
                    return;
                }
            }
        });
        Ok(Self {
            queue,
            seen,
            _listener: listener,
        })
    }

    /// What the first of them leads to, for the person who sent it.
    pub(crate) fn stopping(grace: Duration) -> String {
        format!(
            "stopping: what runs has {} to end, then its work is put back; Ctrl-C again ends it at once",
            Span(grace)
        )
    }

    /// Runs `work` unless a signal comes first.
    pub(crate) async fn or<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Interrupt> {
        tokio::select! {
            done = work => Ok(done),
            Some(which) = self.queue.recv() => Err(which),
        }
    }
}
